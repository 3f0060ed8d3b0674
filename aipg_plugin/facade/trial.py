"""Trying a camera before it is saved: reach it, find its lens circle, guess what it shows, and mask one picture of it.

Clear frames stay inside this module: what comes out is a GuardedFrame's JPEG and numbers.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.detection.onnx import PersonNet
from aipg_plugin.detection.tiles import THOROUGH
from aipg_plugin.errors import MediaError
from aipg_plugin.frames import Frame, GuardedFrame
from aipg_plugin.geometry.camera import find_image_circle
from aipg_plugin.guard.assembly import make_guard
from aipg_plugin.media.source import open_source
from aipg_plugin.options import Camera, CaptureMode, PrivacyGuard, Stream

_WATCH_S = 2.5
_OPEN_S = 15.0
_KEPT = 8
_PREVIEW_PX = 960
_SEAM = 3.0     # a row or column of this many times the usual step between neighbours is a seam between views
_STRIP = 2.4    # pictures wider than this many heights are strips
_UNAUTHORISED = re.compile(r"\b40[13]\b|unauthor|forbidden|authorization", re.IGNORECASE)


@dataclass(frozen=True)
class Trial:
    """What a camera showed. `circle` is (cx, cy, radius) by width, height, width, None when there is none."""

    id: str
    size_wh: tuple[int, int]
    codec: str
    fps: float | None
    circle: tuple[float, float, float] | None
    capture_mode: CaptureMode
    sure: bool
    people: int
    jpeg: bytes

    def as_json(self) -> dict[str, Any]:
        """For the page; the picture is fetched by `id`."""
        return {"id": self.id, "size_wh": list(self.size_wh), "codec": self.codec, "fps": self.fps,
                "circle": None if self.circle is None else [round(value, 4) for value in self.circle],
                "capture_mode": self.capture_mode.value, "sure": self.sure, "people": self.people}


class Trials:
    """The last few cameras tried. One at a time is tried; others wait."""

    def __init__(self, net: PersonNet) -> None:
        self._net = net
        self._kept: OrderedDict[str, Trial] = OrderedDict()
        self._one = threading.Lock()

    def picture(self, trial_id: str) -> bytes | None:
        """The guarded JPEG of a trial."""
        trial = self._kept.get(trial_id)
        return None if trial is None else trial.jpeg

    def run(self, camera: Camera) -> Trial:
        """Try a camera's first stream for some seconds. Raises MediaError saying why it gives no picture."""
        with self._one:
            frame, codec, fps = _watch(camera.streams[0])
            bgr = frame.to_bgr()
            found = find_image_circle(bgr)
            w, h = frame.size_wh
            circle = None if found is None else (found.cx_px / w, found.cy_px / h, found.radius_px / w)
            mode, sure = guess_mode(bgr, has_circle=circle is not None)
            guarded, people = self._guarded(camera, frame, mode)
            trial = Trial(secrets.token_urlsafe(12), frame.size_wh, codec, fps, circle, mode, sure, people,
                          _jpeg(guarded))
            self._kept[trial.id] = trial
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return trial

    def _guarded(self, camera: Camera, frame: Frame, mode: CaptureMode) -> tuple[GuardedFrame, int]:
        stream = replace(camera.streams[0], id=frame.stream, capture_mode=mode, outputs=(), views=())
        guard_settings = PrivacyGuard(enabled=True, target_streams=(stream.id,))
        guard = make_guard(replace(camera, streams=(stream,), privacy_guard=guard_settings), self._net, live=False,
                           plan=THOROUGH, single_image=True)
        try:
            guarded = (guard.process(frame) + guard.flush(frame.stream))[-1]
            return guarded, guard.stats()[frame.stream].people
        finally:
            guard.close()


def _watch(stream: Stream) -> tuple[Frame, str, float | None]:
    """A frame that a stream shows after a moment, its codec and frame rate."""
    stop = threading.Event()
    timer = threading.Timer(_OPEN_S, stop.set)
    timer.daemon = True
    timer.start()
    newest: Frame | None = None
    reason = "no picture came"
    try:
        source = replace(stream.source, loop=False, stall_timeout_s=min(stream.source.stall_timeout_s, 8.0))
        with open_source(source, stream.id, stop=stop, live=True) as opened:
            end_s = time.monotonic() + _WATCH_S
            for item in opened:
                if isinstance(item, Frame):
                    if newest is None or time.monotonic() > end_s:
                        newest = _kept(item)
                    if time.monotonic() > end_s:
                        break
                elif hasattr(item, "reason"):
                    reason = item.reason
                    if newest is None and time.monotonic() > end_s + 5.0:
                        break
            info = opened.info
    finally:
        timer.cancel()
    if newest is None:
        raise MediaError("{why}", why=reason, path="source.url")
    return newest, info.codec, info.fps


def _kept(frame: Frame) -> Frame:
    """A copy whose planes outlive the source's."""
    return replace(frame, planes=tuple(np.array(plane) for plane in frame.planes))


def refused(error: MediaError) -> bool:
    """Whether a camera was reached but turned the user or password down."""
    return any(_UNAUTHORISED.search(problem.text()) for problem in error.problems)


def guess_mode(bgr: NDArray[np.uint8], *, has_circle: bool) -> tuple[CaptureMode, bool]:
    """What a picture probably shows, and whether that is beyond doubt.

    A lens circle is a fisheye picture; seams across the middle tell double panorama and quad; a very wide picture is
    a panorama, a tall one a corridor view.
    """
    h, w = bgr.shape[:2]
    if has_circle:
        return CaptureMode.FISHEYE, True
    grey = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY).astype(np.float32)
    across, down = _is_seam(grey), _is_seam(grey.T)
    if across and down:
        return CaptureMode.QUAD_PTZ, True
    if across:
        return CaptureMode.DOUBLE_PANORAMA, True
    if w > _STRIP * h:
        return CaptureMode.PANORAMA, True
    return (CaptureMode.CORRIDOR, False) if h > 1.2 * w else (CaptureMode.SINGLE_PTZ, False)


def _is_seam(grey: NDArray[np.float32]) -> bool:
    """Whether the step between the two middle rows is far larger than between other neighbours."""
    steps = np.abs(np.diff(grey, axis=0)).mean(axis=1)
    middle = len(grey) // 2
    return bool(steps[middle - 2:middle + 1].max() > _SEAM * max(1.0, float(np.percentile(steps, 90))))


def _jpeg(guarded: GuardedFrame) -> bytes:
    w, h = guarded.size_wh
    width = min(w, _PREVIEW_PX)
    bgr = guarded.to_bgr((width, max(1, round(h * width / w))))
    return bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 82])[1])


def webcams() -> list[dict[str, str]]:
    """Local cameras: their device and the name the system gives them."""
    found = []
    for device in sorted(Path("/dev").glob("video*"), key=lambda path: (len(path.name), path.name)):
        name = Path("/sys/class/video4linux", device.name, "name")
        try:
            label = name.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            label = device.name
        found.append({"url": str(device), "name": label})
    return found
