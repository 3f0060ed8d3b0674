"""`aipg check`: try every camera, the model and the broker of a configuration, a line each."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

from aipg_plugin.detection.onnx import load_model
from aipg_plugin.errors import AipgError, MqttError
from aipg_plugin.frames import Frame
from aipg_plugin.geometry.camera import find_image_circle
from aipg_plugin.media.source import open_source
from aipg_plugin.mqtt.client import MqttLink
from aipg_plugin.options import Camera, CaptureMode, Mqtt, Settings, Stream
from aipg_plugin.settings.loader import load

_WATCH_S = 3.0
_MIN_FPS = 5.0
_UNEVEN = 0.5  # spread of the frame intervals, as a share of the median: exposure or rate control vary


@dataclass(frozen=True)
class CheckResult:
    """Result of one check."""

    what: str
    ok: bool
    message: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `aipg check`."""
    parser.add_argument("config", metavar="CONFIG", help="YAML configuration")
    parser.add_argument("--json", action="store_true", help="print as JSON")


def run(options: argparse.Namespace) -> int:
    """Check everything; exit 1 if anything failed, 3 if the configuration itself is wrong."""
    loaded = load(Path(options.config))
    steps = _steps(loaded.settings)
    results = [CheckResult("settings", True, "; ".join(w.text() for w in loaded.warnings) or "valid")]
    _print(results[0], options)
    for number, (what, step) in enumerate(steps, 1):
        if sys.stderr.isatty():
            print(f"[{number}/{len(steps)}] {what} …", end="\r", file=sys.stderr, flush=True)
        try:
            result = CheckResult(what, True, step())
        except AipgError as error:
            result = CheckResult(what, False, str(error))
        results.append(result)
        _print(result, options)
    if options.json:
        print(json.dumps([asdict(result) for result in results], indent=2))
    return 0 if all(result.ok for result in results) else 1


def _print(result: CheckResult, options: argparse.Namespace) -> None:
    if not options.json:
        print(f"{'ok  ' if result.ok else 'FAIL'} {result.what}: {result.message}", flush=True)


def _steps(settings: Settings) -> list[tuple[str, Callable[[], str]]]:
    steps: list[tuple[str, Callable[[], str]]] = [("model", lambda: _check_model(settings))]
    for camera in settings.cameras:
        for stream in camera.streams:
            steps.append((f"{camera.id}/{stream.id}", partial(_check, camera, stream)))
    if settings.mqtt.broker != "off":
        steps.append(("mqtt", lambda: _check_mqtt(settings.mqtt, settings.cameras)))
    return steps


def _check_model(settings: Settings) -> str:
    net = load_model(settings.models)
    return f"{net.name} runs on {net.provider}"


def _check(camera: Camera, stream: Stream) -> str:
    """Reach a source, watch it for a moment, say what it shows and what is doubtful."""
    if not camera.enabled:
        return "camera is disabled, not tried"
    arrivals: list[float] = []
    picture = None
    with open_source(replace(stream.source, loop=False), stream.id, live=True) as source:
        info = source.info
        end_s = time.monotonic() + _WATCH_S
        for item in source:
            if isinstance(item, Frame):
                arrivals.append(item.pts_s if item.pts_s is not None else item.wall_time_s)
                picture = item.to_bgr() if picture is None else picture
            if time.monotonic() > end_s:
                break
    w, h = info.size_wh
    rate = f"{info.fps:.3g} fps" if info.fps else "unknown rate"
    parts = [f"{info.codec} {w}x{h}, {rate}, {stream.capture_mode}"]
    steps = [b - a for a, b in pairwise(arrivals) if b > a]
    median_s = statistics.median(steps) if steps else 0.0
    if median_s and 1 / median_s < _MIN_FPS:
        parts.append(f"warning: only {1 / median_s:.1f} fps, a long exposure blurs people away")
    if len(steps) > 5 and statistics.pstdev(steps) > _UNEVEN * median_s:
        parts.append("warning: uneven frame intervals; turn off frame-rate control and long exposures")
    if picture is None:
        parts.append("warning: no picture within 3 s")
    elif stream.capture_mode is CaptureMode.FISHEYE and camera.lens.circle is None:
        circle = find_image_circle(picture)
        parts.append(f"image circle at {circle.cx_px:.0f}, {circle.cy_px:.0f}, radius {circle.radius_px:.0f} px"
                     if circle else "warning: no image circle found; give lens.circle")
    return "; ".join(parts)


def _check_mqtt(options: Mqtt, cameras: tuple[Camera, ...]) -> str:
    link = MqttLink(replace(options, discovery=False, client_id=options.client_id + "-check",
                            prefix=options.prefix + "-check"), cameras, version="check", apply=lambda command: None)
    link.start()
    try:
        if not link.wait_connected(5.0):
            raise MqttError("no answer from {broker}:{port} within 5 s", path="mqtt.broker", broker=options.broker,
                            port=options.port, cure="Check address, port, user and password, and TLS")
        return f"{options.broker}:{options.port} answers"
    finally:
        link.stop()
