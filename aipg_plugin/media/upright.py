"""Upright pictures with square pixels: the one place where a stored picture becomes the picture that is shown.

A video stores its pictures as the encoder liked them; the sample aspect ratio and the display matrix say how a player
shows them. Everything behind the source (detector, areas, masks, sinks) works on the picture as shown.
"""

from __future__ import annotations

import logging
import struct
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.frames import PixelFormat, Planes

_log = logging.getLogger(__name__)
_MAX_ASPECT = 8      # beyond it (1:255 in broken streams) the number is taken for an error
_LEAST_STRETCH = 0.005  # a smaller deviation from square is under one pixel in two hundred, and left as it is


@dataclass(frozen=True)
class Orientation:
    """How a stored picture is turned: first rows become columns, then it is mirrored. All eight are possible."""

    transposed: bool = False
    mirrored_x: bool = False
    mirrored_y: bool = False

    @classmethod
    def of_matrix(cls, matrix: bytes | None) -> Orientation:
        """Orientation of a display matrix: nine int32 (libavutil/display.h), x' = a x + c y and y' = b x + d y.

        Angles between the quarter turns are rounded to the next one. None, or a matrix of zeros, means upright.
        """
        if matrix is None or len(matrix) < 20:
            return cls()
        a, b, _, c, d = struct.unpack_from("=5i", matrix)
        if abs(b) + abs(c) > abs(a) + abs(d):
            return cls(True, c < 0, b < 0)
        return cls(False, a < 0, d < 0)


@dataclass(frozen=True)
class Shape:
    """What makes the shown picture of a stored one: pixels of `aspect` (width by height), then the orientation."""

    aspect: Fraction = Fraction(1)
    orientation: Orientation = Orientation()

    @classmethod
    def of(cls, aspect: Fraction | None, matrix: bytes | None) -> Shape:
        """From a sample aspect ratio (None or 0: unknown, square) and a display matrix."""
        known = aspect if aspect is not None and aspect > 0 else Fraction(1)
        if not Fraction(1, _MAX_ASPECT) <= known <= _MAX_ASPECT:
            _log.warning("a sample aspect ratio of %s cannot be right; pixels are taken as square", known)
            known = Fraction(1)
        if abs(float(known) - 1) < _LEAST_STRETCH:
            known = Fraction(1)
        return cls(known, Orientation.of_matrix(matrix))

    @property
    def plain(self) -> bool:
        """Whether the stored picture is the shown one."""
        return self == Shape()

    def square_wh(self, size_wh: tuple[int, int]) -> tuple[int, int]:
        """Size with square pixels, not turned yet: the shorter axis grows, to an even number of pixels."""
        w, h = size_wh
        if self.aspect > 1:
            return _even(w * self.aspect), h
        return (w, _even(h / self.aspect)) if self.aspect < 1 else (w, h)

    def shown_wh(self, size_wh: tuple[int, int]) -> tuple[int, int]:
        """Size of the shown picture of a stored one of `size_wh`."""
        w, h = self.square_wh(size_wh)
        return (h, w) if self.orientation.transposed else (w, h)

    @property
    def shown_aspect(self) -> Fraction:
        """Aspect of the stored pixels where they lie in the shown picture."""
        return 1 / self.aspect if self.orientation.transposed else self.aspect

    def shown(self, pixel_format: PixelFormat, size_wh: tuple[int, int], planes: Planes) -> Planes:
        """Read-only planes of the shown picture (of `shown_wh`), in the same format; the stored ones if it is plain."""
        if self.plain:
            return planes
        w, h = self.square_wh(size_wh)
        out = []
        for index, plane in enumerate(planes):
            half = index > 0 and pixel_format is not PixelFormat.BGR24
            wanted = ((w + 1) // 2, (h + 1) // 2) if half else (w, h)
            square = plane if plane.shape[1::-1] == wanted else \
                cv2.resize(plane, wanted, interpolation=cv2.INTER_LINEAR)
            turned = np.ascontiguousarray(self._turned(np.asarray(square, np.uint8)))
            turned.setflags(write=False)
            out.append(turned)
        return tuple(out)

    def _turned(self, plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
        turn = self.orientation
        if turn.transposed:
            plane = np.asarray(cv2.transpose(plane), np.uint8)
        if turn.mirrored_x or turn.mirrored_y:
            code = -1 if turn.mirrored_x and turn.mirrored_y else int(turn.mirrored_x)
            plane = np.asarray(cv2.flip(plane, code), np.uint8)
        return plane


def _even(side: Fraction) -> int:
    return max(2, round(side / 2) * 2)
