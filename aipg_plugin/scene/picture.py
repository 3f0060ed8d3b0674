"""A picture to look at: what a look needs of it is made when somebody first asks for it."""

from __future__ import annotations

from functools import cached_property

import cv2
import numpy as np

from aipg_plugin.errors import DetectionError
from aipg_plugin.frames import Frame, PixelFormat, packed_i420, packed_to_bgr, shrunk
from aipg_plugin.geometry.arrays import UInt8

_LEVELS = np.arange(256, dtype=np.float32)
_FULL_LUMA = cv2.convertScaleAbs(np.maximum((_LEVELS - 16) * (255 / 219), 0)).reshape(1, 256)  # of video range
_FULL_CHROMA = cv2.convertScaleAbs(np.maximum((_LEVELS - 128) * (255 / 224) + 128, 0)).reshape(1, 256)


class LookPicture:
    """A picture of `size_wh` with memory of its own, so that the frame it was made of may be masked meanwhile.

    Most looks at a calm scene need a small one in grey alone. Used by one thread at a time.
    """

    def __init__(self, size_wh: tuple[int, int], *, packed: UInt8 | None = None, bgr: UInt8 | None = None) -> None:
        self.size_wh = size_wh
        self._packed, self._bgr = packed, bgr
        self._small: dict[tuple[int, int], UInt8] = {}

    @classmethod
    def of(cls, frame: Frame, size_wh: tuple[int, int]) -> LookPicture:
        """A frame's picture, resized to `size_wh`."""
        if frame.format is PixelFormat.BGR24:
            return cls.of_bgr(frame.to_bgr(size_wh))
        return cls(size_wh, packed=packed_i420(frame.format, frame.size_wh, frame.planes, size_wh))

    @classmethod
    def of_bgr(cls, picture: UInt8) -> LookPicture:
        """A picture (H, W, 3) uint8 in BGR, which is not to change any more. Raises DetectionError on another kind."""
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or picture.size == 0:
            raise DetectionError("a picture to look at must be (H, W, 3) uint8, got {dtype} {shape}",
                                 dtype=str(picture.dtype), shape=picture.shape)
        return cls((picture.shape[1], picture.shape[0]), bgr=picture)

    @cached_property
    def bgr(self) -> UInt8:
        """(H, W, 3) uint8."""
        if self._bgr is not None:
            return self._bgr
        assert self._packed is not None
        return np.asarray(packed_to_bgr(self._packed, self.size_wh), np.uint8)

    def grey(self, least_wh: tuple[int, int]) -> UInt8:
        """(h, w) uint8 in grey, as small as halving makes it and at least `least_wh`: halves cost a tenth of thirds."""
        grey = self._luma if self._packed is not None else cv2.cvtColor(self.bgr, cv2.COLOR_BGR2GRAY)
        while min(grey.shape[1] // (2 * least_wh[0]), grey.shape[0] // (2 * least_wh[1])) > 0:
            grey = cv2.resize(grey, (grey.shape[1] // 2, grey.shape[0] // 2), interpolation=cv2.INTER_AREA)
        return np.asarray(grey if self._packed is None else cv2.LUT(grey, _FULL_LUMA), np.uint8)

    def ycrcb(self, size_wh: tuple[int, int]) -> UInt8:
        """(h, w, 3) uint8 luma, Cr, Cb in full range, scaled down to `size_wh`."""
        small = self._small.get(size_wh)
        if small is None:
            small = self._small[size_wh] = self._ycrcb(size_wh)
        return small

    def _ycrcb(self, size_wh: tuple[int, int]) -> UInt8:
        if self._packed is None:
            whole = self.bgr if size_wh == self.size_wh else shrunk(self.bgr, size_wh)
            return np.asarray(cv2.cvtColor(whole, cv2.COLOR_BGR2YCrCb), np.uint8)
        blue, red = self._chroma
        luma = cv2.LUT(shrunk(self._luma, size_wh), _FULL_LUMA)
        planes = [luma, *(cv2.LUT(shrunk(plane, size_wh), _FULL_CHROMA) for plane in (red, blue))]
        return np.asarray(cv2.merge(planes), np.uint8)

    @property
    def _luma(self) -> UInt8:
        """(H, W) in video range."""
        assert self._packed is not None
        return self._packed[:self.size_wh[1], :self.size_wh[0]]

    @property
    def _chroma(self) -> UInt8:
        """(2, H/2, W/2) Cb and Cr in video range, sides rounded up."""
        assert self._packed is not None
        h, w = self._packed.shape[0] * 2 // 3, self._packed.shape[1]
        return self._packed[h:].reshape(2, h // 2, w // 2)
