"""From candidates in tiles to the picture: many tiles at once, since each small step costs as much for one as for all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from aipg_plugin.detection.layouts import Candidates
from aipg_plugin.detection.tilegroup import TileGroup
from aipg_plugin.detection.tiles import Tile
from aipg_plugin.geometry.arrays import Bools, Float64, Ints

Align = Callable[[Float64], Float64]

# Chosen with `benchmarks.accuracy` on real_dev.
_TOP_PER_TILE = 120           # candidates of a tile that are looked at: more than any tile shows people
_TILE_NMS_IOU = 0.6           # two boxes of one tile that overlap more are one person
_BORDER_SHARE = 0.015         # of a tile's side: a box that ends this near to the border is truncated

CROSS = np.array([[0, 0], [-0.5, 0], [0.5, 0], [0, -0.5], [0, 0.5]])  # middle, left, right, top, bottom of a box
_DISC = np.array([[0.0, 0], [0, 1], [1, 0]])                          # a head's middle, and two places on its rim


@dataclass(frozen=True)
class PlacedCandidates:
    """Candidates of one or more tiles in picture pixels: gravity-aligned `boxes` (N, 5), `scores` (N,),
    `heads` (N, 3), `truncated` (N,) True where the tile's border ends the box, `tile` (N,) index into the batch.
    """

    boxes: Float64
    scores: Float64
    heads: Float64
    truncated: Bools
    tile: Ints

    def select(self, index: Ints | Bools) -> PlacedCandidates:
        """The candidates at `index`."""
        return PlacedCandidates(self.boxes[index], self.scores[index], self.heads[index], self.truncated[index],
                                self.tile[index])


def nobody() -> PlacedCandidates:
    """No candidates."""
    return PlacedCandidates(np.zeros((0, 5)), np.zeros(0), np.zeros((0, 3)), np.zeros(0, bool), np.zeros(0, np.intp))


def _tile_nms(found: Candidates) -> Candidates:
    if len(found.scores) < 2:
        return found
    order = np.argsort(-found.scores, kind="stable")[:_TOP_PER_TILE]
    b = found.boxes[order].astype(np.float64)
    low, high = b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2
    overlap = np.clip(np.minimum(high[:, None], high) - np.maximum(low[:, None], low), 0, None).prod(-1)
    area = b[:, 2] * b[:, 3]
    crowded = np.triu(overlap / (area[:, None] + area - overlap) > _TILE_NMS_IOU, 1)
    alive = np.ones(len(order), bool)
    for i in np.flatnonzero(crowded.any(1)).tolist():
        if alive[i]:
            alive &= ~crowded[i]
    kept = order[alive]
    return Candidates(found.boxes[kept], found.scores[kept], found.heads[kept])


def _sizes_by_gravity(sizes: Float64, tilt_deg: Float64) -> Float64:
    """Sizes (N, 2) found in a tile as sizes along gravity, `tilt_deg` (N,) from the tile's own.

    Upright tiles are never tilted, and in flat ones the net learned sizes along gravity; only in the nadir patch, where
    figures lie across the tile, w and h change places.
    """
    across = np.abs(np.sin(np.radians(tilt_deg))) > np.sqrt(0.5)
    return np.where(across[:, None], sizes[:, ::-1], sizes)


def mirrored(cross: Float64) -> Float64:
    """Crosses (..., 5, 2) with sides that are NaN mirrored from their opposites."""
    seen = np.isfinite(cross)
    if seen.all():
        return cross
    opposite = 2 * cross[..., :1, :] - cross[..., [0, 2, 1, 4, 3], :]
    return np.where(seen, cross, opposite)


def place(found: Sequence[Candidates], tiles: Sequence[Tile], align: Align) -> PlacedCandidates:
    """Candidates of each of `tiles`, thinned by NMS, in the picture; those that belong to another tile left out.

    `align` maps boxes (N, 4) cx, cy, w, h to gravity-aligned boxes (N, 5).
    """
    thinned = [_tile_nms(one) for one in found]
    of = np.repeat(np.arange(len(tiles)), [len(one.scores) for one in thinned])
    if not len(of):
        return nobody()
    b = np.concatenate([one.boxes for one in thinned]).astype(np.float64)
    h = np.concatenate([one.heads for one in thinned]).astype(np.float64)
    scores = np.concatenate([one.scores for one in thinned]).astype(np.float64)
    side = np.array([tile.input_px for tile in tiles], np.float64)[of, None]
    group = TileGroup(tiles)
    points = np.concatenate([b[:, None, :2] + CROSS * b[:, None, 2:], h[:, None, :2] + _DISC * h[:, None, 2:]], 1)
    spots = group.to_picture(points.reshape(-1, 2), np.repeat(of, 8)).reshape(-1, 8, 2)
    cross = mirrored(spots[:, :5])
    middles = (cross[:, 3] + cross[:, 4]) / 2
    across, along = cross[:, 2] - cross[:, 1], cross[:, 3] - cross[:, 4]
    boxes = align(np.column_stack([middles, np.hypot(*across.T), np.hypot(*along.T)]))
    tilt = boxes[:, 4] - 90 - np.degrees(np.arctan2(along[:, 1], along[:, 0]))
    boxes[:, 2:4] = _sizes_by_gravity(boxes[:, 2:4], tilt)
    low, high, edge = b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2, _BORDER_SHARE * side
    truncated = ((low < edge) | (high > side - edge)).any(1)
    mine = group.owns(middles, of) & np.isfinite(boxes).all(1) & ((b[:, :2] >= 0) & (b[:, :2] <= side)).all(1)
    heads = _heads(spots[:, 5:], boxes[:, 0] - middles[:, 0])
    return PlacedCandidates(boxes, scores, heads, np.asarray(truncated, bool), of).select(mine)


def _heads(spots: Float64, moved_px: Float64) -> Float64:
    """Head discs (N, 3) by their middles and rims (N, 3, 2) in the picture, moved sideways as their boxes were (a seam
    may do that, by a turn).
    """
    radii = np.fmin.reduce(np.linalg.norm(spots[:, 1:] - spots[:, :1], axis=2), axis=1)
    discs = np.column_stack([spots[:, 0, 0] + moved_px, spots[:, 0, 1], radii])
    discs[~np.isfinite(discs).all(1)] = np.nan
    return discs
