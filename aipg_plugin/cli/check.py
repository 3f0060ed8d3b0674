"""`aipg check`: try every camera, output, port, the model and the broker of a configuration, a line each."""

from __future__ import annotations

import argparse
import errno
import json
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

from aipg_plugin.cli.picture import picture_warnings
from aipg_plugin.detection.onnx import load_model
from aipg_plugin.errors import AipgError, HostError, MediaError, SettingsError
from aipg_plugin.frames import Frame
from aipg_plugin.geometry.camera import find_image_circle
from aipg_plugin.media.source import open_source
from aipg_plugin.mqtt.probe import probe
from aipg_plugin.options import STORED_KINDS, Camera, CaptureMode, Output, OutputKind, Settings, Stream
from aipg_plugin.settings.installation import installation_id
from aipg_plugin.settings.loader import load

_WATCH_S = 3.0
_MIN_FPS = 5.0
_LITTLE_FREE_BYTES = 1_000_000_000
_UNEVEN = 0.5  # spread of the frame intervals, as a share of the median: exposure or rate control vary


@dataclass(frozen=True)
class CheckResult:
    """Result of one check: `warnings` tell what works but is doubtful."""

    what: str
    ok: bool
    message: str
    warnings: tuple[str, ...] = ()


Found = tuple[str, list[str]]
"""What a check says, and what it warns of."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `aipg check`."""
    parser.add_argument("config", metavar="CONFIG", help="YAML configuration")
    parser.add_argument("--strict", action="store_true", help="exit 3 if there are warnings")
    parser.add_argument("--json", action="store_true", help="print as JSON")
    parser.epilog = ("exit codes: 0 all went well, 1 something failed, 3 the configuration is wrong (with --strict: "
                     "or doubtful)")


def run(options: argparse.Namespace) -> int:
    """Check everything; exit 1 if anything failed, 3 if the configuration is wrong or, with --strict, doubtful."""
    loaded = load(Path(options.config))
    steps = _steps(loaded.settings, loaded.path)
    results = [CheckResult("settings", True, "valid", tuple(warning.text() for warning in loaded.warnings))]
    _print(results[0], options)
    for number, (what, step) in enumerate(steps, 1):
        if sys.stderr.isatty():
            print(f"[{number}/{len(steps)}] {what} …", end="\r", file=sys.stderr, flush=True)
        try:
            message, warnings = step()
            result = CheckResult(what, True, message, tuple(warnings))
        except AipgError as error:
            result = CheckResult(what, False, str(error))
        results.append(result)
        _print(result, options)
    if options.json:
        print(json.dumps([asdict(result) for result in results], indent=2))
    if not all(result.ok for result in results):
        return 1
    return SettingsError.exit_code if options.strict and any(result.warnings for result in results) else 0


def _print(result: CheckResult, options: argparse.Namespace) -> None:
    if options.json:
        return
    print(f"{'ok  ' if result.ok else 'FAIL'} {result.what}: {result.message}", flush=True)
    for warning in result.warnings:
        print(f"WARN {result.what}: {warning}", flush=True)


def _steps(settings: Settings, file: Path) -> list[tuple[str, Callable[[], Found]]]:
    steps: list[tuple[str, Callable[[], Found]]] = [("model", lambda: _check_model(settings))]
    for camera in settings.cameras:
        for stream in camera.streams:
            steps.append((f"{camera.id}/{stream.id}", partial(_check, camera, stream)))
            steps += [(f"{camera.id}/{stream.id} {output.kind}", partial(check_folder, output))
                      for output in stream.outputs if output.kind in STORED_KINDS]
    steps += [(name, partial(check_port, name, settings.web.host, port)) for name, port in _ports(settings)]
    if settings.mqtt.broker != "off":
        steps.append(("mqtt", lambda: _check_mqtt(settings, file)))
        if settings.mqtt.persist_commands:
            steps.append(("mqtt.persist_commands", lambda: check_settings_file(file)))
    return steps


def _ports(settings: Settings) -> list[tuple[str, int]]:
    """The ports that `aipg run` opens: that of the pages always, that of RTSP where a stream is served so."""
    kinds = {output.kind for camera in settings.cameras for stream in camera.streams for output in stream.outputs}
    rtsp = [("web.rtsp_port", settings.web.rtsp_port)] if OutputKind.RTSP_SERVE in kinds else []
    return [("web.port", settings.web.port), *rtsp]


def check_port(name: str, host: str, port: int) -> Found:
    """Whether we could listen there now. Raises HostError when not."""
    try:
        places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in places:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise HostError("{port} on {host} is taken by another program, perhaps by aipg run", path=name, host=host,
                            port=port, cure="Choose another port, or stop that program") from error
        raise HostError("cannot listen on {host}:{port}: {why}", path=name, host=host, port=port,
                        why=error.strerror or str(error), cure="Check web.host and the port") from error
    return f"{host}:{port} is free", []


def check_folder(output: Output) -> Found:
    """Whether files can be written where an output goes: in the folder, or the nearest one that there is.

    Raises MediaError when not.
    """
    target = Path(output.target)
    folder = target if output.kind is OutputKind.SEGMENTS and not target.suffix else target.parent
    while "%" in folder.name or not folder.exists():    # a name with the time in it comes to be later
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        raise MediaError("cannot write in {folder}: {why}", folder=str(folder), why=error.strerror or str(error),
                         cure="Check that it is a folder, its permissions and free space") from error
    few = [f"only {free / 1e9:.1f} GB free"] if free < _LITTLE_FREE_BYTES else []
    return f"{folder} can be written, {free / 1e9:.1f} GB free", few


def check_settings_file(file: Path) -> Found:
    """Whether commands can be kept in the settings file."""
    try:
        with file.open("r+b"):
            return f"{file} can be written", []
    except OSError as error:
        return "commands are in force at once", [
            f"they cannot be kept, {file} is not writable ({error.strerror}), and are lost at the next start"]


def _check_model(settings: Settings) -> Found:
    net = load_model(settings.models)
    return f"{net.name} runs on {net.provider}", []


def _check(camera: Camera, stream: Stream) -> Found:
    """Reach a source, watch it for a moment, say what it shows and what is doubtful."""
    if not camera.enabled:
        return "camera is disabled, not tried", []
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
    polled = info.codec == "pictures"  # its rate is the setting `poll_s`, not the camera's
    parts, warnings = [f"{info.codec} {w}x{h}, {rate}, {stream.capture_mode}"], [] if polled else _uneven(arrivals)
    if picture is None:
        warnings.append("no picture within 3 s")
    else:
        warnings += picture_warnings(picture, camera, stream)
        circle = find_image_circle(picture)
        if circle is not None and stream.capture_mode is CaptureMode.FISHEYE and camera.lens.circle is None:
            parts.append(f"image circle at {circle.cx_px:.0f}, {circle.cy_px:.0f}, radius {circle.radius_px:.0f} px")
    warnings += [f"{track} is not guarded and goes nowhere" for track in info.left_out if track.startswith("video")]
    return "; ".join(parts), warnings


def _uneven(arrivals: list[float]) -> list[str]:
    """Warnings about the times of frames, in seconds."""
    steps = [b - a for a, b in pairwise(arrivals) if b > a]
    median_s = statistics.median(steps) if steps else 0.0
    warnings = []
    if median_s and 1 / median_s < _MIN_FPS:
        warnings.append(f"only {1 / median_s:.1f} fps, a long exposure blurs people away")
    if len(steps) > 5 and statistics.pstdev(steps) > _UNEVEN * median_s:
        warnings.append("uneven frame intervals; turn off frame-rate control and long exposures")
    return warnings


def _check_mqtt(settings: Settings, file: Path) -> Found:
    """Whether the broker takes us, and whether another installation is in our way."""
    options = settings.mqtt
    if options.broker == "embedded":
        return "a broker of our own on loopback", []
    neighbours = probe(options, installation_id(file))
    warnings = [f"installation {name} has camera {camera.id} under {options.prefix} too: give each a prefix of its own"
                for camera in settings.cameras for name in neighbours.with_camera(camera.id)]
    others = f", beside {', '.join(sorted(neighbours.cameras))}" if neighbours.cameras else ""
    return f"{options.broker}:{options.port} answers{others}", warnings
