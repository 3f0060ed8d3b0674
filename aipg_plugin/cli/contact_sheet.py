"""`aipg contact-sheet`: one picture that shows every masking method and intensity side by side."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.cli.common import add_camera_arguments, camera_from, input_path
from aipg_plugin.detection.onnx import PersonNet, load_model
from aipg_plugin.detection.tiles import LIVE, THOROUGH
from aipg_plugin.errors import MediaError, UsageError
from aipg_plugin.frames import Frame, GuardedFrame, PixelFormat
from aipg_plugin.guard.assembly import make_guard
from aipg_plugin.hosts.offline import open_video
from aipg_plugin.media.images import PictureFile, is_picture
from aipg_plugin.media.urls import local_path
from aipg_plugin.options import BlurIntensity, Camera, MaskingMethod, PrivacyGuard
from aipg_plugin.resources import resource_path

Bgr = NDArray[np.uint8]

_LONGEST_S = 8.0       # of a clip that is looked at before the moment that is shown …
_AFTER_S = 1.0         # … and after it: a mask is no wider than both explain
_TILE_PX, _GAP_PX, _LABEL_PX = 400, 8, 30
_PAPER, _INK = (246, 247, 243), (40, 30, 20)
_COLUMNS = 4
_SUFFIXES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class SheetStyle:
    """One tile: what it is called, and what it sets."""

    label: str
    method: MaskingMethod = MaskingMethod.BLURRING
    intensity: BlurIntensity = BlurIntensity.MIDDLE
    outline: bool = False
    circumferential: bool = False

    def of(self, guard: PrivacyGuard) -> PrivacyGuard:
        """The guard's settings with these in force."""
        return replace(guard, masking_method=self.method, blur_intensity=self.intensity, fill_outline=self.outline,
                       circumferential_mosaic=self.circumferential)


STYLES = (
    *(SheetStyle(f"blurring, {intensity.value}", intensity=intensity) for intensity in BlurIntensity),
    SheetStyle("circumferential mosaic", circumferential=True),
    SheetStyle("filling", MaskingMethod.FILLING),
    SheetStyle("filling, with outline", MaskingMethod.FILLING, outline=True),
    SheetStyle("background", MaskingMethod.BACKGROUND),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `aipg contact-sheet`."""
    parser.add_argument("output", metavar="OUT", help="the sheet: a .jpg or .png")
    parser.add_argument("input", metavar="IN", nargs="?", help="a picture or a video (default: the shipped clip)")
    parser.add_argument("--at", type=float, metavar="S", help=f"moment of a video to show (default: {_LONGEST_S:g} s "
                        "after its start, or a second before its end)")
    add_camera_arguments(parser, masks=False)


def run(options: argparse.Namespace) -> int:
    """Write the sheet. Everything on it is guarded: the picture as it was is not among the tiles."""
    target = local_path(options.output)
    if target.suffix.lower() not in _SUFFIXES:
        raise UsageError("OUT {file!r} is no picture file", file=str(target), cure="Use .jpg or .png")
    if options.at is not None and not options.at >= 0:
        raise UsageError("{name}: {value} is not in {low}–{high}", name="--at", value=options.at, low=0, high="…")
    source = input_path(options.input) if options.input else resource_path("samples", "lobby.mp4")
    frames = _Frames(source, options.at)
    camera, models = camera_from(options, frames.size_wh)
    net = remembering(load_model(models))
    looks = [look for look in STYLES if not (frames.still and look.method is MaskingMethod.BACKGROUND)]
    tiles = [(look.label, _shown(frames, camera, net, look)) for look in looks]
    _, data = cv2.imencode(target.suffix, sheet([(label, guarded.to_bgr()) for label, guarded in tiles]))
    try:
        target.write_bytes(data.tobytes())
    except OSError as error:
        raise MediaError("cannot write {target}: {why}", target=str(target), why=error.strerror or str(error),
                         cure="Choose a folder that can be written to and has room") from None
    print(f"{target}: {len(tiles)} looks of {source}")
    return 0


class _Frames:
    """The frames around the moment that is shown, again and again; `shown_seq` is that moment's."""

    def __init__(self, source: Path, at_s: float | None) -> None:
        self._source = source
        self._at_s = _LONGEST_S if at_s is None else at_s
        self.still = is_picture(source)
        times = [(frame.seq, frame.size_wh, now_s) for frame, now_s in self._timed()]
        if not times:
            raise MediaError("{source} has no frames", source=str(source), cure="Check that it is a video")
        _, self.size_wh, first_s = times[0]
        shown_s = max(first_s, min(self._at_s, times[-1][2] - _AFTER_S))
        self.shown_seq = max(seq for seq, _, now_s in times if now_s <= shown_s)

    def __iter__(self) -> Iterator[Frame]:
        return (frame for frame, _ in self._timed())

    def _timed(self) -> Iterator[tuple[Frame, float]]:
        """Each with its seconds since the video's start."""
        if self.still:
            with PictureFile(self._source) as picture:
                page = next(iter(picture))
            yield Frame("1", 0, 0.0, 0.0, PixelFormat.BGR24, page.size_wh, (page.bgr,)), 0.0
            return
        start_s: float | None = None
        with open_video(self._source, "1") as video:
            for item in video:
                if not isinstance(item, Frame):
                    continue
                pts_s = item.pts_s if item.pts_s is not None else 0.0
                start_s = pts_s if start_s is None else start_s
                if pts_s - start_s > self._at_s + _AFTER_S:
                    return
                if pts_s - start_s >= self._at_s - _LONGEST_S:
                    yield item, pts_s - start_s


def _shown(frames: _Frames, camera: Camera, net: PersonNet, look: SheetStyle) -> GuardedFrame:
    """The frame of the moment as it leaves with a look's settings."""
    stream = camera.streams[0].id
    guard = make_guard(replace(camera, privacy_guard=look.of(camera.privacy_guard)), net, live=False,
                       plan=THOROUGH if frames.still else LIVE, single_image=frames.still)
    shown: GuardedFrame | None = None

    def out() -> Iterator[GuardedFrame]:
        for frame in frames:
            yield from guard.process(replace(frame, stream=stream))
        yield from guard.flush(stream)

    try:
        for guarded in out():
            shown = guarded if guarded.seq <= frames.shown_seq else shown
        assert shown is not None  # files lose no frame
        return shown
    finally:
        guard.close()


def remembering(net: PersonNet) -> PersonNet:
    """A net that runs once on each tile: every look asks it the same."""

    class Remembering:
        def __init__(self) -> None:
            self._known: dict[bytes, tuple[object, object]] = {}

        def __getattr__(self, name: str) -> object:
            return getattr(net, name)

        def run(self, tiles: NDArray[np.uint8]) -> tuple[object, object]:
            key = hashlib.blake2b(tiles.tobytes(), digest_size=16).digest()
            if key not in self._known:
                self._known[key] = net.run(tiles)
            return self._known[key]

    return cast("PersonNet", Remembering())


def sheet(tiles: list[tuple[str, Bgr]]) -> Bgr:
    """The pictures (H, W, 3), all of one size, in rows with a label over each."""
    h, w = tiles[0][1].shape[:2]
    scale = _TILE_PX / max(w, h)
    size_wh = (max(1, round(w * scale)), max(1, round(h * scale)))
    columns, rows = min(_COLUMNS, len(tiles)), -(-len(tiles) // _COLUMNS)
    step_x, step_y = size_wh[0] + _GAP_PX, size_wh[1] + _LABEL_PX + _GAP_PX
    canvas = np.full((rows * step_y + _GAP_PX, columns * step_x + _GAP_PX, 3), _PAPER, np.uint8)
    for index, (label, picture) in enumerate(tiles):
        x, y = _GAP_PX + index % _COLUMNS * step_x, index // _COLUMNS * step_y
        cv2.putText(canvas, label, (x + 2, y + 21), cv2.FONT_HERSHEY_SIMPLEX, 0.55, _INK, 1, cv2.LINE_AA)
        small = cv2.resize(picture, size_wh, interpolation=cv2.INTER_AREA)
        canvas[y + _LABEL_PX:y + _LABEL_PX + size_wh[1], x:x + size_wh[0]] = small
    return canvas
