"""The newest guarded picture of every stream that somebody watches, encoded once for all who do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.frames import GuardedFrame
from aipg_plugin.media.filesink import require_guarded

Key = tuple[str, str]
WIDTHS = (320, 640, 960, 1280, 1920)
"""Widths that are made, in pixels; others are rounded up to one of them, so that viewers share encodes."""
_INTEREST_S = 4.0
_QUALITY = 82


@dataclass(frozen=True)
class Still:
    """A guarded JPEG: `seq` rises by one with every picture taken, `wall_time_s` is when its frame came,
    `left_s` when it left the guard (seconds since the epoch)."""

    jpeg: bytes
    seq: int
    size_wh: tuple[int, int]
    wall_time_s: float
    state: str
    left_s: float


@dataclass
class _Stream:
    until_s: dict[int, float]            # width → how long it is wanted
    seq: int = 0
    bgr: NDArray[np.uint8] | None = None
    wall_time_s: float = 0.0
    state: str = ""
    clear: bool = False
    left_s: float = 0.0


def rounded_width(width_px: int) -> int:
    """The width that is made for a wish."""
    return next((width for width in WIDTHS if width >= width_px), WIDTHS[-1])


class LivePictures:
    """Copies a guarded frame, scaled down, only while somebody wants it. Any thread.

    A picture that left while the guard was off is forgotten once it is on: who comes later is not shown it.
    `on_new(key)` is called on the stream's thread after each picture taken.
    """

    def __init__(self) -> None:
        self._streams: dict[Key, _Stream] = {}
        self._stills: dict[tuple[Key, int], Still] = {}
        self._lock = threading.Lock()
        self._encoding = threading.Lock()
        self._came = threading.Condition()
        self.on_new: Callable[[Key], None] | None = None
        self.encoded = 0

    def want(self, key: Key, width_px: int) -> None:
        """Keep pictures of this width coming for some seconds."""
        with self._lock:
            stream = self._streams.setdefault(key, _Stream({}))
            stream.until_s[rounded_width(width_px)] = time.monotonic() + _INTEREST_S

    def offer(self, key: Key, frame: GuardedFrame) -> None:
        """Take a guarded frame if somebody wants it. Raises GuardError for anything else."""
        guarded = require_guarded(frame)
        now_s = time.monotonic()
        with self._lock:
            stream = self._streams.get(key)
            widths = [width for width, until_s in stream.until_s.items() if until_s > now_s] if stream else []
        if stream is None:
            return
        if not widths:
            if stream.clear and not guarded.clear:
                with self._came:
                    stream.bgr = None
            return
        w, h = guarded.size_wh
        width = min(max(widths), w)
        bgr = guarded.to_bgr((width, max(1, round(h * width / w))))
        with self._came:
            stream.bgr, stream.wall_time_s, stream.state = bgr, guarded.wall_time_s, str(guarded.state)
            stream.clear, stream.seq, stream.left_s = guarded.clear, stream.seq + 1, time.time()
            self._came.notify_all()
        if self.on_new is not None:
            self.on_new(key)

    def seq(self, key: Key) -> int:
        """Number of the newest picture; 0 when there is none."""
        stream = self._streams.get(key)
        return 0 if stream is None or stream.bgr is None else stream.seq

    def newest(self, key: Key, width_px: int) -> Still | None:
        """The newest picture as JPEG, encoded once however many ask; None when there is none."""
        self.want(key, width_px)
        width = rounded_width(width_px)
        with self._encoding:
            with self._came:
                stream = self._streams.get(key)
                if stream is None:  # its camera is gone
                    return None
                bgr, seq, wall_time_s, state = stream.bgr, stream.seq, stream.wall_time_s, stream.state
                left_s = stream.left_s
            if bgr is None:
                return None
            kept = self._stills.get((key, width))
            if kept is not None and kept.seq == seq:
                return kept
            h, w = bgr.shape[:2]
            if w > width:
                w, h = width, max(1, round(h * width / w))
                bgr = np.asarray(cv2.resize(bgr, (w, h), interpolation=cv2.INTER_AREA), np.uint8)
            jpeg = bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1])
            self.encoded += 1
            still = self._stills[key, width] = Still(jpeg, seq, (w, h), wall_time_s, state, left_s)
            return still

    def wait(self, key: Key, width_px: int, timeout_s: float = 2.0) -> Still | None:
        """A picture taken from now on; the newest there is when none comes in time."""
        self.want(key, width_px)
        before = self.seq(key)
        with self._came:
            self._came.wait_for(lambda: self.seq(key) > before, timeout_s)
        return self.newest(key, width_px)

    def forget(self, cameras: set[str]) -> None:
        """Drop the pictures of cameras that are not among these, and those that left while a guard was off."""
        with self._came:
            for stream in self._streams.values():
                if stream.clear:
                    stream.bgr = None
        with self._lock:
            for key in [key for key in self._streams if key[0] not in cameras]:
                del self._streams[key]
            for kept in [kept for kept in self._stills if kept[0][0] not in cameras]:
                del self._stills[kept]
