"""Which tile shows which place how well, worked out once: asking the geometry at each look costs too much."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import ArrayLike

from aipg_plugin.detection.tiles import Tile
from aipg_plugin.geometry.arrays import Bools, Float32, Float64

GRID = 64            # cells along the picture's longer side
WELL_INSIDE = 0.08   # of a tile's side from its border: half the width of a person
_UNSURE = 0.03       # of a tile's side: where no tile shows a cell deeper than this, the point itself is asked for


def inside_depth(tile: Tile, px: Float64) -> Float64:
    """(K,) how deep points lie inside a tile: 0.5 in its middle, 0 on its border, negative outside."""
    depth = 0.5 - np.abs(tile.to_tile(px) / tile.input_px - 0.5).max(1)
    return np.where(tile.owns(px) & np.isfinite(depth), depth, -1.0)


class TileCoverage:
    """How deep places of a picture of `size_wh` lie in each of its tiles, by a grid of cells.

    `grid_wh` is the grid's size. A point's depth is its cell's, and its own where the cell lies outside all tiles.
    """

    def __init__(self, tiles: Sequence[Tile], size_wh: tuple[int, int]) -> None:
        self._tiles, self._size_wh = tuple(tiles), np.array(size_wh, np.float64)
        cell_px = max(size_wh) / GRID
        self.grid_wh = (max(1, round(size_wh[0] / cell_px)), max(1, round(size_wh[1] / cell_px)))
        w, h = self.grid_wh
        x, y = np.meshgrid((np.arange(w) + 0.5) / w * size_wh[0], (np.arange(h) + 0.5) / h * size_wh[1])
        centres = np.stack([x, y], -1).reshape(-1, 2)
        self._depth: Float32 = np.stack([inside_depth(tile, centres) for tile in self._tiles]).astype(np.float32) \
            if self._tiles else np.zeros((0, w * h), np.float32)

    @cached_property
    def _maybe(self) -> Bools:
        """(T, K) bool: where a tile may show a point of a cell: it shows the cell's middle, or one next to it."""
        w, h = self.grid_wh
        inside = (self._depth > 0).astype(np.uint8).reshape(-1, h, w)
        return np.array([cv2.dilate(one, np.ones((3, 3), np.uint8)) > 0 for one in inside], bool).reshape(-1, w * h)

    @cached_property
    def shown(self) -> Float32:
        """(T, K) 1 where a tile shows somebody at a cell: well inside, or as well as any tile does; else 0.

        Cells are counted row by row; those that no tile shows have none.
        """
        if not self._tiles:
            return self._depth
        best = (self._depth == self._depth.max(0)) & (self._depth > 0)
        return np.asarray((self._depth > WELL_INSIDE) | best, np.float32)

    def depth(self, tiles: Sequence[int], px: ArrayLike) -> Float64:
        """(N, K) how deep points (K, 2) lie in `tiles`."""
        points = np.asarray(px, np.float64).reshape(-1, 2)
        with np.errstate(invalid="ignore"):
            cell = np.nan_to_num(np.floor(points / self._size_wh * self.grid_wh), nan=-1).astype(np.intp)
        inside = ((cell >= 0) & (cell < self.grid_wh)).all(1)
        index = np.where(inside, cell[:, 1] * self.grid_wh[0] + cell[:, 0], 0)
        chosen = np.asarray(tiles, np.intp)
        depth = self._depth[chosen[:, None], index].astype(np.float64)
        unsure = ~inside | ((depth.max(0, initial=-1) < _UNSURE) & self._maybe[chosen[:, None], index].any(0))
        if unsure.any():
            for row, tile in enumerate(chosen.tolist()):
                depth[row, unsure] = inside_depth(self._tiles[tile], points[unsure])
        return depth

    def answers(self, px: ArrayLike) -> Bools:
        """(T, K) bool: which tiles show which points (K, 2): well inside, or as well as any tile does."""
        points = np.asarray(px, np.float64).reshape(-1, 2)
        if not len(points) or not self._tiles:
            return np.zeros((len(self._tiles), len(points)), bool)
        depth = self.depth(range(len(self._tiles)), points)
        return np.asarray((depth > WELL_INSIDE) | ((depth == depth.max(0)) & (depth > 0)), bool)

    def shows(self, tiles: Sequence[int], px: ArrayLike) -> Bools:
        """(K,) bool: which points (K, 2) lie well inside one of `tiles`, so that somebody there would be found."""
        points = np.asarray(px, np.float64).reshape(-1, 2)
        if not len(tiles) or not len(points):
            return np.zeros(len(points), bool)
        return np.asarray(self.depth(tiles, points).max(0) > WELL_INSIDE, bool)
