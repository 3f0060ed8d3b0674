"""Flat tiles: square crops of a picture, turned so that "up" in the world is up in their middle."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.geometry.arrays import Bools, Float64, UInt8


@dataclass(frozen=True)
class FlatTile:
    """A rectangle of the picture, `size_px` (w, h) around `centre_px`, turned clockwise by `angle_deg`.

    The net sees it as a square of `input_px`; w and h differ where the picture's pixels are not square in angle. A
    candidate that lies more than `reach_px` from its centre belongs to another tile; so does one more than `free_px`
    away whose direction from the centre is more than `sector_deg` from the tile's own up (a patch straight below the
    camera is looked at in several turns, and everybody who isn't right below stands upright in one of them).
    """

    centre_px: tuple[float, float]
    size_px: tuple[float, float]
    angle_deg: float
    input_px: int
    reach_px: float = math.inf
    free_px: float = math.inf
    sector_deg: float = 180.0

    @property
    def scale_xy(self) -> tuple[float, float]:
        """Picture pixels per tile pixel, across and along."""
        return self.size_px[0] / self.input_px, self.size_px[1] / self.input_px

    @cached_property
    def matrix(self) -> Float64:
        """(2, 3) affine from tile pixels to picture pixels (both with pixel centres at +0.5)."""
        a, (sx, sy) = math.radians(self.angle_deg), self.scale_xy
        turn = np.array([[math.cos(a) * sx, -math.sin(a) * sy], [math.sin(a) * sx, math.cos(a) * sy]])
        centre = np.asarray(self.centre_px, np.float64)
        return np.column_stack([turn, centre - turn @ np.full(2, self.input_px / 2)])

    def to_picture(self, tile_px: NDArray[np.floating]) -> Float64:
        """Picture pixels (N, 2) of tile pixels (N, 2)."""
        result: Float64 = np.asarray(tile_px, np.float64) @ self.matrix[:, :2].T + self.matrix[:, 2]
        return result

    @cached_property
    def _back(self) -> Float64:
        return np.asarray(np.linalg.inv(self.matrix[:, :2]).T, np.float64)

    def to_tile(self, picture_px: NDArray[np.floating]) -> Float64:
        """Tile pixels (N, 2) of picture pixels (N, 2)."""
        result: Float64 = (np.asarray(picture_px, np.float64) - self.matrix[:, 2]) @ self._back
        return result

    def owns(self, picture_px: NDArray[np.floating]) -> Bools:
        """(N,) bool: places (N, 2) it may answer for."""
        offset = np.asarray(picture_px, np.float64) - np.asarray(self.centre_px)
        distance = np.hypot(offset[:, 0], offset[:, 1])
        lean = np.degrees(np.arctan2(offset[:, 1], offset[:, 0])) + 90 - self.angle_deg
        upright = np.abs((lean + 180) % 360 - 180) <= self.sector_deg
        return np.asarray((distance <= self.reach_px) & ((distance <= self.free_px) | upright), bool)

    @property
    def scale(self) -> float:
        """Picture pixels per tile pixel, the smaller of the two directions."""
        return min(self.scale_xy)

    def crop(self, picture_bgr: UInt8, out: UInt8 | None = None) -> UInt8:
        """(S, S, 3) uint8 crop, black outside the picture; in `out` if given."""
        # `matrix` counts pixel centres at +0.5, OpenCV at 0.
        matrix = self.matrix.copy()
        matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
        crop = cv2.warpAffine(picture_bgr, matrix, (self.input_px, self.input_px), dst=out,
                              flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_CONSTANT)
        return np.asarray(crop, np.uint8)
