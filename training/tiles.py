"""Gravity-aligned tiles: square crops of a fisheye picture with the world's "up" at the top."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Tile:
    """A square of the picture: centre, side and clockwise turn in picture pixels and degrees."""

    centre_px: tuple[float, float]
    side_px: float
    angle_deg: float

    def to_picture(self, size_px: int) -> F64:
        """(2, 3) affine from tile pixels to picture pixels."""
        s, a = self.side_px / size_px, math.radians(self.angle_deg)
        m = np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]]) * s
        shift = np.array(self.centre_px) - m @ [size_px / 2, size_px / 2]
        return np.concatenate([m, shift[:, None]], 1)

    def cut(self, picture: NDArray[np.uint8], size_px: int, flags: int = cv2.INTER_LINEAR) -> NDArray[np.uint8]:
        """(size, size[, C]) crop; black outside. Shrinks by halves first, so that nothing aliases."""
        scale, m = self.side_px / size_px, self.to_picture(size_px)
        if flags != cv2.INTER_NEAREST and scale > 1.3:
            side = math.ceil(self.side_px * 1.45) + 2
            x0, y0 = (int(c - side / 2) for c in self.centre_px)
            part = picture[max(y0, 0) : y0 + side, max(x0, 0) : x0 + side]
            if part.size:
                small = cv2.resize(part, None, fx=1 / scale, fy=1 / scale, interpolation=cv2.INTER_AREA)
                k = np.array([part.shape[1] / small.shape[1], part.shape[0] / small.shape[0]])
                m = (m - [[0, 0, max(x0, 0)], [0, 0, max(y0, 0)]]) / k[:, None]
                picture = np.asarray(small, np.uint8)
        return np.asarray(
            cv2.warpAffine(picture, m, (size_px, size_px), flags=flags | cv2.WARP_INVERSE_MAP), np.uint8
        )


def sector(circle_px: F64, azimuth_deg: float, side: float) -> Tile:
    """The tile of `side` circle radii that touches the rim of a ceiling picture at `azimuth_deg`."""
    cx, cy, radius = (float(v) for v in circle_px)
    reach, a = radius * (1 - side / 2), math.radians(azimuth_deg)
    return Tile((cx + reach * math.cos(a), cy + reach * math.sin(a)), radius * side, azimuth_deg + 90)


def sweep(circle_px: F64, nadir: bool = True) -> Iterator[tuple[Tile, float]]:
    """The full set: 8 tiles of side R, 12 of 0.6 R, a nadir patch; each with its azimuth half-width."""
    for count, side in ((8, 1.0), (12, 0.6)):
        for k in range(count):
            yield sector(circle_px, 360 * k / count, side), 360 / count * 0.75
    if nadir:
        yield Tile((float(circle_px[0]), float(circle_px[1])), float(circle_px[2]) * 0.6, 0.0), 360.0


def turned_size(w: NDArray[Any], h: NDArray[Any], deg: NDArray[Any]) -> NDArray[np.float32]:
    """(N, 2) size of upright boxes around ellipses w x h turned by `deg`."""
    c, s = np.cos(np.radians(deg)), np.sin(np.radians(deg))
    return np.stack([np.hypot(w * c, h * s), np.hypot(w * s, h * c)], -1).astype(np.float32)
