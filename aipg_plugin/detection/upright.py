"""Upright tiles of a fisheye picture: square pieces of the Mercator map around the vertical through the camera.

The map is conformal, so people keep their shape wherever they stand, and "up" in the world is up in every one of its
pixels, so their boxes are upright. Straight up and straight down would lie at infinity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import cast

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from aipg_plugin.geometry.arrays import Bools, Float32, Float64, UInt8, columns
from aipg_plugin.geometry.camera import FisheyeCamera
from aipg_plugin.geometry.mount import Mount

_KEPT_MAPS = 64       # in a process, 0.7 MB each: three cameras' tiles, or what many look at often
_ROW_OF_SCALE = 0.15  # of the tile, from its top: a little below the horizon, where people are smallest


def northing(elevation_deg: float) -> float:
    """Mercator ordinate of an elevation above the horizon: atanh(sin e), radians at the horizon's scale."""
    return math.atanh(math.sin(math.radians(elevation_deg)))


STEEP = northing(-50.0)  # people below are wider than sectors


def bearings(camera: FisheyeCamera, mount: Mount, picture_px: ArrayLike) -> tuple[Float64, Float64]:
    """(N,) azimuths in radians, as `UprightTile` counts them, and (N,) northings of picture pixels (N, 2).

    NaN where there is no ray; straight up and down end at some 14.
    """
    right, down, forward = (np.asarray(camera.to_ray(picture_px)) @ mount.level).T
    return np.arctan2(right, forward), -np.arctanh(np.clip(down, -1 + 1e-12, 1 - 1e-12))

_NO_MAP = cast("Float32", None)  # typed so: an empty array would be read as a map


@dataclass(frozen=True)
class UprightTile:
    """A square of `span` radians (at the horizon's scale) and `input_px` pixels around (`azimuth_deg`, `middle`).

    Azimuths run clockwise seen from above, 0 where the mount's frame points forward; `middle` is the northing of the
    tile's centre. `sector_deg`: how far to either side of its azimuth it answers for people; those farther out, whom
    its border may cut, belong to its neighbours. `roll_deg` turns the tile clockwise. `passing`: it
    is cropped once and thrown away.
    """

    camera: FisheyeCamera
    mount: Mount
    azimuth_deg: float
    middle: float
    span: float
    input_px: int
    sector_deg: float = 180.0
    roll_deg: float = 0.0
    passing: bool = False

    @cached_property
    def turn(self) -> Float64:
        """(2, 2) from the tile's axes (x right, y down) to the map's (east, south), radians per pixel."""
        a = math.radians(self.roll_deg)
        turn = np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])
        return turn * (self.span / self.input_px)

    @cached_property
    def _back(self) -> Float64:
        return np.asarray(np.linalg.inv(self.turn).T, np.float64)

    def rays(self, tile_px: ArrayLike) -> Float64:
        """(N, 3) rays in the camera's frame of tile pixels (N, 2), pixel centres at +0.5."""
        offset = (np.asarray(tile_px, np.float64) - self.input_px / 2) @ self.turn.T
        azimuth, north = math.radians(self.azimuth_deg) + offset[:, 0], self.middle - offset[:, 1]
        level = 1 / np.cosh(north)
        # Levelled frame: right, down, forward.
        levelled = columns(np.sin(azimuth) * level, -np.tanh(north), np.cos(azimuth) * level)
        result: Float64 = levelled @ self.mount.level.T
        return result

    def to_picture(self, tile_px: ArrayLike) -> Float64:
        """Picture pixels (N, 2) of tile pixels (N, 2); NaN where the lens sees nothing."""
        return np.asarray(self.camera.to_pixel(self.rays(tile_px)), np.float64)

    def to_tile(self, picture_px: ArrayLike) -> Float64:
        """Tile pixels (N, 2) of picture pixels (N, 2), by the shorter way around; NaN where there is no ray."""
        east, north = self._from_here(picture_px)
        result: Float64 = columns(east, self.middle - north) @ self._back + self.input_px / 2
        return result

    def _from_here(self, picture_px: ArrayLike) -> tuple[Float64, Float64]:
        """(N,) radians east of the tile's azimuth, the shorter way around, and (N,) northings."""
        azimuth, north = bearings(self.camera, self.mount, picture_px)
        return (azimuth - math.radians(self.azimuth_deg) + np.pi) % (2 * np.pi) - np.pi, north

    def sampling(self, step_px: int = 6) -> Float32:
        """(S, S, 2) float32 picture positions for cv2.remap, interpolated from a grid of every `step_px`-th pixel.

        Far outside the picture where the lens sees nothing.
        """
        n = self.input_px
        # Resizing by `step_px` puts the knots into the middle of their cells, the first of which ends where the tile
        # begins.
        count = math.ceil(n / step_px) + 2
        knots = (np.arange(count) - 0.5) * step_px
        grid = np.stack(np.meshgrid(knots, knots), -1).reshape(-1, 2)
        coarse = np.nan_to_num(self.to_picture(grid) - 0.5, nan=-1e6).astype(np.float32).reshape(count, count, 2)
        fine = cv2.resize(coarse, (count * step_px, count * step_px), interpolation=cv2.INTER_LINEAR)
        return np.asarray(fine[step_px:step_px + n, step_px:step_px + n], np.float32)

    def crop(self, picture_bgr: UInt8, out: UInt8 | None = None) -> UInt8:
        """(S, S, 3) uint8 tile of the camera's picture, black outside it; in `out` if given."""
        if self.passing:  # used once: maps in whole numbers take longer to make than they save
            at = self.sampling()
            return np.asarray(cv2.remap(picture_bgr, at, _NO_MAP, cv2.INTER_LINEAR, dst=out), np.uint8)
        whole, part = _maps(self)
        return np.asarray(cv2.remap(picture_bgr, whole, part, cv2.INTER_LINEAR, dst=out), np.uint8)

    def owns(self, picture_px: NDArray[np.floating]) -> Bools:
        """(N,) bool: places (N, 2) it may answer for: its sector, and what is nearly straight below, where people are
        wider than sectors.
        """
        east, north = self._from_here(picture_px)
        return np.asarray((np.abs(east) <= math.radians(self.sector_deg)) | (north < STEEP), bool)

    @cached_property
    def scale(self) -> float:
        """Picture pixels per tile pixel where people are smallest, the smaller of the two directions."""
        spot = np.array([self.input_px / 2, _ROW_OF_SCALE * self.input_px])
        steps = np.array([[-0.5, 0], [0.5, 0], [0, -0.5], [0, 0.5]])
        px = self.to_picture(spot + steps)
        return float(min(np.hypot(*(px[1] - px[0])), np.hypot(*(px[3] - px[2]))))


@lru_cache(_KEPT_MAPS)
def _maps(tile: UprightTile) -> tuple[NDArray[np.int16], NDArray[np.uint16]]:
    """`tile.sampling()` in whole numbers, for cv2.remap. Making them takes as long as a crop."""
    at = tile.sampling()
    whole, part = cv2.convertMaps(at[..., 0], at[..., 1], cv2.CV_16SC2)
    return np.asarray(whole, np.int16), np.asarray(part, np.uint16)
