"""JPEGs of the newest picture, each made once for all who ask."""

from __future__ import annotations

import threading
from typing import Any

import cv2


class JpegCache:
    """The last JPEG of each width; a picture is encoded once however many clients want it."""

    def __init__(self, quality: int = 85, widths: int = 4) -> None:
        self._quality = quality
        self._widths = widths
        self._done: dict[int, tuple[float, bytes]] = {}
        self._lock = threading.Lock()

    def encode(self, picture: Any, picture_s: float, width_px: int = 0) -> bytes | None:
        """JPEG of `picture` (None gives None) taken at `picture_s`, scaled down to `width_px` unless that is 0."""
        if picture is None:
            return None
        width, height = picture.width, picture.height
        if 0 < width_px < width:
            width, height = max(2, width_px // 2 * 2), max(2, round(height * width_px / width) // 2 * 2)
        with self._lock:
            made_s, data = self._done.get(width, (-1.0, b""))
            if made_s != picture_s:
                bgr = picture.reformat(width, height, "bgr24").to_ndarray()
                data = bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, self._quality])[1])
                while len(self._done) >= self._widths:
                    self._done.pop(next(iter(self._done)))
                self._done[width] = (picture_s, data)
        return data
