"""What `redact` and `detect` share: a camera from a configuration or from the command line, and picture files."""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from aipg_plugin.errors import MediaError, Problem, UsageError
from aipg_plugin.media.urls import local_path
from aipg_plugin.options import (
    Area,
    Camera,
    CaptureMode,
    Lens,
    LensModelName,
    Models,
    MountKind,
    PrivacyGuard,
    Source,
    Stream,
)
from aipg_plugin.settings import controls
from aipg_plugin.settings.change import with_controls
from aipg_plugin.settings.controls import Control
from aipg_plugin.settings.problems import Bad
from aipg_plugin.settings.schema import MODELS, choices_of


def add_camera_arguments(parser: argparse.ArgumentParser, *, masks: bool) -> None:
    """Arguments that describe the camera; without any, a ceiling fisheye whose circle is found in the picture.

    `masks`: with the controls that only change what a mask looks like.
    """
    group = parser.add_argument_group("camera (all optional: a ceiling fisheye, its circle found in the picture)")
    group.add_argument("--config", metavar="FILE", help="take lens, mount and guard settings from this configuration")
    group.add_argument("--camera", metavar="NAME", help="which camera of --config (needed if it has several)")
    group.add_argument("--stream", metavar="ID", help="which stream of the camera (default: its first)")
    group.add_argument("--capture-mode", choices=list(CaptureMode), help="what the picture shows (default fisheye)")
    group.add_argument("--mount", choices=list(MountKind), help="where the camera hangs (default ceiling)")
    group.add_argument("--lens", choices=list(LensModelName), help="lens law (default equidistant)")
    group.add_argument("--fov", type=float, metavar="DEG", help="field of view of the image circle (default 180)")
    group.add_argument("--circle", metavar="CX,CY,R",
                       help="image circle in pixels of the picture as shown (default: found)")
    guard = parser.add_argument_group("guard")
    for control in controls.CONTROLS:
        if control.option and (masks or control.finds):
            _add_control(guard, control)
    guard.add_argument("--tier", choices=choices_of(MODELS, "tier"), help="which detector (default standard)")
    guard.add_argument("--precision", choices=choices_of(MODELS, "precision"), help="of the detector (default fp32)")


def _add_control(group: argparse._ArgumentGroup, control: Control) -> None:
    """The option of a control, with choices or range and default of the schema."""
    default = control.read(Camera("", ()), "")
    if control.range is not None:
        unit, limits = control.range.unit.upper(), f"{control.range.limits} (default {default:g})"
        group.add_argument(control.option, dest=control.id, metavar=unit or "N", help=f"{control.name()}, {limits}")
    else:
        group.add_argument(control.option, dest=control.id, choices=control.choices or ("on", "off"),
                           help=f"{control.name()} (default {default})")


def camera_from(options: argparse.Namespace, size_wh: tuple[int, int]) -> tuple[Camera, Models]:
    """The camera and models to use for pictures of this size, with its one stream guarded.

    Raises SettingsError for a bad configuration, UsageError for a bad argument.
    """
    camera, models = _configured(options)
    stream = _stream_of(camera, options.stream)
    if options.capture_mode:
        stream = replace(stream, capture_mode=CaptureMode(options.capture_mode))
    lens = camera.lens
    if options.lens:
        lens = replace(lens, model=LensModelName(options.lens))
    if options.fov is not None:
        lens = replace(lens, fov_deg=_within(options.fov, "--fov", 90, 220))
    if options.circle:
        lens = replace(lens, circle=_circle(options.circle, size_wh))
    guard = replace(_areas_here(camera, stream), enabled=True, target_streams=(stream.id,))
    models = replace(models, tier=options.tier or models.tier, precision=options.precision or models.precision)
    camera = replace(camera, streams=(stream,), lens=lens, privacy_guard=guard,
                     mount=MountKind(options.mount) if options.mount else camera.mount)
    return with_controls(camera, _controls(options)), models


def _areas_here(camera: Camera, stream: Stream) -> PrivacyGuard:
    """The guard with the areas that have a place in the pictures of one stream alone.

    Fisheye streams of a camera show the same. Raises UsageError for an always-mask area drawn on a stream that shows
    something else: without its pictures nobody knows where it lies.
    """
    guard = camera.privacy_guard
    same = {each.id for each in camera.streams if each.id == stream.id
            or each.capture_mode is stream.capture_mode is CaptureMode.FISHEYE}
    first = guard.target_streams[0] if guard.target_streams else stream.id
    for area in guard.always_mask_areas:
        if area.enabled and (area.stream or first) not in same:
            raise UsageError("always-mask area {number} is drawn on stream {drawn_on} and has no place in pictures of "
                             "stream {stream} alone", number=area.number, drawn_on=area.stream or first,
                             stream=stream.id,
                             cure="Draw it on that stream in the configuration, or switch it off there")

    def here(areas: tuple[Area, ...]) -> tuple[Area, ...]:
        return tuple(replace(area, stream=stream.id) for area in areas if (area.stream or first) in same)

    return replace(guard, prohibited_areas=here(guard.prohibited_areas),
                   always_mask_areas=here(guard.always_mask_areas))


def _controls(options: argparse.Namespace) -> dict[Control, controls.Value]:
    """The controls that were given. Raises UsageError for a value the schema does not take."""
    given: dict[Control, controls.Value] = {}
    for control in controls.CONTROLS:
        text = getattr(options, control.id, None) if control.option else None
        if text is None:
            continue
        try:
            given[control] = control.checked(text)
        except Bad as error:
            raise UsageError(error.template, path=control.option, cure=error.cure,
                             problems=[Problem(error.template, control.option, error.cure,
                                               params=error.params)]) from error
    return given


def input_path(text: str) -> Path:
    """The file or folder that IN names: a path, or a `file://` URL. Raises MediaError if nothing is there."""
    path = Path(text)
    if not path.exists():
        path = local_path(text)
    if not path.exists():
        raise MediaError("{file} does not exist", cure="Check the name", file=text)
    if not (path.is_file() or path.is_dir()):
        raise MediaError("{file} is neither a file nor a folder", file=text,
                         cure="For streams and devices use aipg run")
    return path


@contextmanager
def ends_cleanly() -> Iterator[None]:
    """While inside, SIGTERM and SIGHUP end the program by unwinding it, so that unfinished files are removed."""
    def end(signum: int, _frame: object) -> None:
        raise SystemExit(128 + signum)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {signum: signal.signal(signum, end) for signum in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def _configured(options: argparse.Namespace) -> tuple[Camera, Models]:
    if not options.config:
        for name in ("camera", "stream"):
            if getattr(options, name):
                raise UsageError("--{name} needs --config", name=name)
        stream = Stream("1", Source("command line"))
        return Camera("picture", streams=(stream,), lens=Lens(), privacy_guard=PrivacyGuard(enabled=True)), Models()
    from aipg_plugin.settings.loader import load

    settings = load(Path(options.config)).settings
    names = [camera.id for camera in settings.cameras]
    if options.camera is None and len(names) != 1:
        raise UsageError("{config} has the cameras {names}; choose one", config=options.config,
                         names=", ".join(names) or "none", cure="Add --camera NAME")
    for camera in settings.cameras:
        if options.camera in (None, camera.id):
            return camera, settings.models
    raise UsageError("no camera {name!r} in {config}", name=options.camera, config=options.config,
                     cure="Use one of: " + ", ".join(names))


def _stream_of(camera: Camera, stream_id: str | None) -> Stream:
    for stream in camera.streams:
        if stream_id in (None, stream.id):
            return stream
    raise UsageError("camera {camera} has no stream {stream!r}", camera=camera.id, stream=stream_id,
                     cure="Use one of: " + ", ".join(stream.id for stream in camera.streams))


def _within(value: float, name: str, low: float, high: float) -> float:
    if not low <= value <= high:
        raise UsageError("{name}: {value} is not in {low}–{high}", name=name, value=value, low=low, high=high)
    return value


def _circle(text: str, size_wh: tuple[int, int]) -> tuple[float, float, float]:
    try:
        cx, cy, radius = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError("--circle: {text!r} is not CX,CY,R", text=text, cure="For example 960,960,950") from None
    if radius <= 0:
        raise UsageError("--circle: radius {radius} is not positive", radius=radius)
    return cx / size_wh[0], cy / size_wh[1], radius / size_wh[0]


