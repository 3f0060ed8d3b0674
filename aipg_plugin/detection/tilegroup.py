"""The geometry of several tiles of one picture at once: each point says which tile's it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from aipg_plugin.detection.flat import FlatTile
from aipg_plugin.detection.tiles import Tile
from aipg_plugin.detection.upright import STEEP, UprightTile, bearings
from aipg_plugin.geometry.arrays import Bools, Float64, Ints, columns


def _applied(matrices: Float64, of: Ints, px: Float64) -> Float64:
    """(N, 2) points (N, 2), each times one of `matrices` (T, 2, 2)."""
    m = matrices[of]
    return columns(m[:, 0, 0] * px[:, 0] + m[:, 0, 1] * px[:, 1], m[:, 1, 0] * px[:, 0] + m[:, 1, 1] * px[:, 1])


class _Uprights:
    """Upright tiles of one camera."""

    def __init__(self, tiles: Sequence[UprightTile]) -> None:
        self._camera, self._mount, self._tiles = tiles[0].camera, tiles[0].mount, tiles
        self._azimuth, self._middle, self._half, self._sector = np.array(
            [(math.radians(tile.azimuth_deg), tile.middle, tile.input_px / 2, math.radians(tile.sector_deg))
             for tile in tiles]).T

    @cached_property
    def _turn(self) -> Float64:
        return np.array([tile.turn for tile in self._tiles])

    def to_picture(self, px: Float64, of: Ints) -> Float64:
        offset = _applied(self._turn, of, px - self._half[of, None])
        azimuth, north = self._azimuth[of] + offset[:, 0], self._middle[of] - offset[:, 1]
        level = 1 / np.cosh(north)
        levelled = columns(np.sin(azimuth) * level, -np.tanh(north), np.cos(azimuth) * level)
        return self._camera.to_pixel(levelled @ self._mount.level.T)

    def _from_here(self, px: Float64, of: Ints) -> tuple[Float64, Float64]:
        azimuth, north = bearings(self._camera, self._mount, px)
        return (azimuth - self._azimuth[of] + np.pi) % (2 * np.pi) - np.pi, north

    def to_tile(self, px: Float64, of: Ints) -> Float64:
        east, north = self._from_here(px, of)
        back = np.asarray(np.linalg.inv(self._turn), np.float64)
        result: Float64 = _applied(back, of, columns(east, self._middle[of] - north)) + self._half[of, None]
        return result

    def owns(self, px: Float64, of: Ints) -> Bools:
        east, north = self._from_here(px, of)
        return np.asarray((np.abs(east) <= self._sector[of]) | (north < STEEP), bool)


class _Flats:
    """Flat tiles."""

    def __init__(self, tiles: Sequence[FlatTile]) -> None:
        self._tiles = tiles

    def to_picture(self, px: Float64, of: Ints) -> Float64:
        matrices = np.array([tile.matrix for tile in self._tiles])
        result: Float64 = _applied(matrices[:, :, :2], of, px) + matrices[of, :, 2]
        return result

    def to_tile(self, px: Float64, of: Ints) -> Float64:
        matrices = np.array([tile.matrix for tile in self._tiles])
        return _applied(np.asarray(np.linalg.inv(matrices[:, :, :2]), np.float64), of, px - matrices[of, :, 2])

    def owns(self, px: Float64, of: Ints) -> Bools:
        mine = np.zeros(len(px), bool)
        for index in np.unique(of).tolist():
            mine[of == index] = self._tiles[index].owns(px[of == index])
        return mine


class TileGroup:
    """Several tiles of one picture; points (N, 2) are of the tiles `of` (N,), by index."""

    def __init__(self, tiles: Sequence[Tile]) -> None:
        upright = np.array([isinstance(tile, UprightTile) for tile in tiles], bool)
        self._kinds: list[tuple[_Uprights | _Flats, Bools]] = []
        if upright.any():
            self._kinds.append((_Uprights([tile for tile in tiles if isinstance(tile, UprightTile)]), upright))
        if not upright.all():
            self._kinds.append((_Flats([tile for tile in tiles if isinstance(tile, FlatTile)]), ~upright))
        self._index = np.where(upright, np.cumsum(upright), np.cumsum(~upright)) - 1  # among those of its kind

    def to_picture(self, tile_px: Float64, of: Ints) -> Float64:
        """Picture pixels (N, 2) of tile pixels; NaN where the lens sees nothing."""
        result = np.empty((len(of), 2))
        for kind, rows in self._rows(of):
            result[rows] = kind.to_picture(tile_px[rows], self._index[of[rows]])
        return result

    def to_tile(self, picture_px: Float64, of: Ints) -> Float64:
        """Tile pixels (N, 2) of picture pixels, by the shorter way around; NaN where there is no ray."""
        result = np.empty((len(of), 2))
        for kind, rows in self._rows(of):
            result[rows] = kind.to_tile(picture_px[rows], self._index[of[rows]])
        return result

    def owns(self, picture_px: Float64, of: Ints) -> Bools:
        """(N,) bool: whether each point's tile may answer for it; never for one that is NaN."""
        result = np.zeros(len(of), bool)
        for kind, rows in self._rows(of):
            result[rows] = kind.owns(picture_px[rows], self._index[of[rows]])
        return result

    def _rows(self, of: Ints) -> list[tuple[_Uprights | _Flats, slice | Bools]]:
        """Which points are of tiles of which kind."""
        if len(self._kinds) == 1:
            return [(self._kinds[0][0], slice(None))]
        return [(kind, mine[of]) for kind, mine in self._kinds]
