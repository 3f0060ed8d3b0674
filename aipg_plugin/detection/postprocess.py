"""From candidates in tiles to people in the picture: placing, merging across tiles and seams, outlines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.detection.detections import Detections, rounded_box
from aipg_plugin.detection.layouts import Candidates
from aipg_plugin.detection.tiles import Tile
from aipg_plugin.geometry import boxes as box_math
from aipg_plugin.geometry import seam
from aipg_plugin.geometry.arrays import Bools, Float32, Float64, Int32, Ints, UInt8
from aipg_plugin.thresholds import SILHOUETTE_LEVEL, SILHOUETTE_WEIGHT, TRUNCATED_WEIGHT

Align = Callable[[Float64], Float64]

# Chosen with `benchmarks.accuracy` on real_dev, unless said otherwise.
_TOP_PER_TILE = 120           # candidates of a tile that are looked at: more than any tile shows people
_TILE_NMS_IOU = 0.6           # two boxes of one tile that overlap more are one person
_MERGE_IOU = 0.4              # the same of boxes of different tiles, which differ more
_AGREEING_IOU = 0.6           # boxes of one person that may be fused
_INSIDE_SHARE = 0.75          # a truncated box with this share inside a better one is no other person
_BORDER_SHARE = 0.015         # of a tile's side: a box that ends this near to the border is truncated
MAX_OUTLINE_POINTS = 48       # more would not show: a canvas pixel is a few pixels of the picture
_CANVAS_PX = 64               # side of the canvas outlines are drawn on
_CANVAS_REACH = (1.2, 1.1)    # how far beyond the box, in half sizes (x, y), a silhouette is followed
_CORE_SHARE, _CORE_EXPONENT = 0.45, 2.5  # what of the box is masked even where the silhouette shows nobody
_LARGEST_HEAD = 0.3           # radius over the box's longer side; a larger disc is a mistake
_HEAD_SLACK = 1.15            # the disc is drawn this much larger: hair and hats
_HEADROOM = (-1.0, 0.3, 6.0)  # where a head that was not seen may be: this part of the box (top, bottom; exponent)

def _inner() -> Bools:
    """(64, 64) bool: the canvas inside an ellipse within the box."""
    x, y = (((np.arange(_CANVAS_PX) + 0.5) / _CANVAS_PX * 2 - 1) * reach for reach in _CANVAS_REACH)
    return np.asarray((x[None] / 0.6) ** 2 + (y[:, None] / 0.85) ** 2 < 1, bool)


_INNER = _inner()


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


@dataclass(frozen=True)
class Silhouette:
    """What a net saw of bodies in one tile: a map (h, w) in 0-1. `wrap_px`: width of a picture whose borders meet."""

    tile: Tile
    map: Float32
    wrap_px: float = 0.0

    def around(self, box: Float64) -> UInt8:
        """(64, 64) uint8, 0-255: the map over a box's neighbourhood, wherever the tile reaches over the seam."""
        if self.wrap_px:
            middle = self.tile.to_picture(np.full((1, 2), self.tile.input_px / 2))
            box = seam.unwrap_near(box, float(middle[0, 0]), self.wrap_px)
        return silhouette_around(box, self.tile, self.map)


@dataclass(frozen=True)
class MergedPeople:
    """People of one picture before they get their outlines: `boxes` (N, 5), `scores` (N,), `heads` (N, 3), the
    silhouettes in which each is seen (none from a net without), `truncated` (N,) True where a tile's border ends the
    box. `parts` are by index boxes (P, 5) that turned out to be of the same person, and are masked too, as are
    `more_heads`, by index heads (H, 3) where another look saw one.
    """

    boxes: Float64
    scores: Float64
    heads: Float64
    silhouettes: tuple[tuple[Silhouette, ...], ...]
    truncated: Bools
    parts: dict[int, Float64] = field(default_factory=dict)
    more_heads: dict[int, Float64] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.boxes)

    def detections(self, min_score: float) -> Detections:
        """With outlines, best first, those of at least `min_score`."""
        order = np.argsort(-self.scores, kind="stable")
        order = order[self.scores[order] >= min_score]
        return Detections.of(self.boxes[order], self.scores[order], self.heads[order],
                             [self._outline(k) for k in order.tolist()])

    def _outline(self, k: int) -> Float32:
        box, seen = self.boxes[k], self.silhouettes[k]
        if not seen and k not in self.parts:
            return rounded_box()
        around = np.mean([one.around(box) for one in seen], axis=0).astype(np.uint8) if seen else None
        return outline(box, self.heads[k], around, self.parts.get(k), self.more_heads.get(k))


def join(parts: list[PlacedCandidates]) -> PlacedCandidates:
    """All candidates of `parts`."""
    if not parts:
        return PlacedCandidates(np.zeros((0, 5)), np.zeros(0), np.zeros((0, 3)), np.zeros(0, bool),
                                np.zeros(0, np.intp))
    return PlacedCandidates(*(np.concatenate([getattr(p, name) for p in parts])
                              for name in ("boxes", "scores", "heads", "truncated", "tile")))


def _tile_nms(found: Candidates) -> Candidates:
    order = np.argsort(-found.scores, kind="stable")[:_TOP_PER_TILE]
    b = found.boxes[order].astype(np.float64)
    low, high = b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2
    overlap = np.clip(np.minimum(high[:, None], high) - np.maximum(low[:, None], low), 0, None).prod(-1)
    area = b[:, 2] * b[:, 3]
    crowded = overlap / (area[:, None] + area - overlap) > _TILE_NMS_IOU
    alive = np.ones(len(order), bool)
    for i in range(len(order)):
        if alive[i]:
            alive[i + 1:] &= ~crowded[i, i + 1:]
    kept = order[alive]
    return Candidates(found.boxes[kept], found.scores[kept], found.heads[kept])


def _sizes_by_gravity(sizes: Float64, tilt_deg: Float64) -> Float64:
    """Sizes (N, 2) found in a tile as sizes along gravity, `tilt_deg` (N,) from the tile's own.

    Upright tiles are never tilted, and in flat ones the net learned sizes along gravity; only in the nadir patch, where
    figures lie across the tile, w and h change places.
    """
    across = np.abs(np.sin(np.radians(tilt_deg))) > np.sqrt(0.5)
    return np.where(across[:, None], sizes[:, ::-1], sizes)


def _crosses(boxes: Float64, tile: Tile) -> Float64:
    """(N, 5, 2) picture pixels of tile boxes (N, 4): middle, left, right, top, bottom.

    A side that the lens does not see is mirrored from its opposite.
    """
    arms = np.array([[0, 0], [-0.5, 0], [0.5, 0], [0, -0.5], [0, 0.5]])
    points = boxes[:, None, :2] + arms * boxes[:, None, 2:]
    return _mirrored(tile.to_picture(points.reshape(-1, 2)).reshape(-1, 5, 2))


def _mirrored(cross: Float64) -> Float64:
    """Crosses (..., 5, 2) with sides that are NaN mirrored from their opposites."""
    opposite = 2 * cross[..., :1, :] - cross[..., [0, 2, 1, 4, 3], :]
    return np.where(np.isfinite(cross), cross, opposite)


def place(found: Candidates, tile: Tile, batch_index: int, align: Align) -> PlacedCandidates:
    """Candidates of one tile, thinned by NMS, in the picture; those that belong to another tile left out.

    `align` maps boxes (N, 4) cx, cy, w, h to gravity-aligned boxes (N, 5).
    """
    found = _tile_nms(found)
    if not len(found.scores):
        return join([])
    n, b = tile.input_px, found.boxes.astype(np.float64)
    cross = _crosses(b, tile)
    middles = (cross[:, 3] + cross[:, 4]) / 2
    across, along = cross[:, 2] - cross[:, 1], cross[:, 3] - cross[:, 4]
    boxes = align(np.column_stack([middles, np.hypot(*across.T), np.hypot(*along.T)]))
    tilt = boxes[:, 4] - 90 - np.degrees(np.arctan2(along[:, 1], along[:, 0]))
    boxes[:, 2:4] = _sizes_by_gravity(boxes[:, 2:4], tilt)
    edge = _BORDER_SHARE * n
    truncated = ((b[:, :2] - b[:, 2:] / 2 < edge) | (b[:, :2] + b[:, 2:] / 2 > n - edge)).any(1)
    mine = tile.owns(middles) & np.isfinite(boxes).all(1) & ((b[:, :2] >= 0) & (b[:, :2] <= n)).all(1)
    heads = _heads(found.heads, tile, boxes[:, 0] - middles[:, 0])
    placed = PlacedCandidates(boxes, found.scores.astype(np.float64), heads, np.asarray(truncated, bool),
                              np.full(len(b), batch_index, np.intp))
    return placed.select(mine)


def _heads(heads: Float32, tile: Tile, moved_px: Float64) -> Float64:
    """Head discs (N, 3) in the picture, moved sideways as their boxes were (a seam may do that, by a turn)."""
    h = heads.astype(np.float64)
    arms = np.array([[0, 0], [0, 1], [1, 0]])
    spots = tile.to_picture((h[:, None, :2] + arms * h[:, None, 2:]).reshape(-1, 2)).reshape(-1, 3, 2)
    radii = np.fmin.reduce(np.linalg.norm(spots[:, 1:] - spots[:, :1], axis=2), axis=1)
    discs = np.column_stack([spots[:, 0, 0] + moved_px, spots[:, 0, 1], radii])
    return np.where(np.isfinite(discs).all(1, keepdims=True), discs, np.nan)


def overlaps(boxes: Float64, wrap_px: float = 0.0) -> tuple[Float64, Float64]:
    """IoU of all pairs (N, N), and the share of the first that lies inside the second; with `wrap_px` also across the
    seam of a picture that wide.
    """
    shared = seam.intersection(boxes, boxes, wrap_px)
    area = np.maximum(boxes[:, 2] * boxes[:, 3], 1e-9)
    return shared / np.maximum(area[:, None] + area - shared, 1e-9), shared / area[:, None]


def merge(placed: PlacedCandidates, wrap_px: float = 0.0) -> Ints:
    """Indices of the candidates to keep, best first.

    Rotated NMS in which a box that its tile shows whole beats a truncated one, and a truncated box that lies inside a
    kept one goes too. A candidate that a kept box does not largely cover always stays: nothing is suppressed below
    what is covered.
    """
    if not len(placed.scores):
        return np.zeros(0, np.intp)
    order = np.argsort(-placed.scores * np.where(placed.truncated, TRUNCATED_WEIGHT, 1.0), kind="stable")
    overlap, inside = overlaps(placed.boxes, wrap_px)
    kept: list[int] = []
    for i in order:
        if kept:
            same = overlap[i, kept] > _MERGE_IOU
            if (same | ((inside[i, kept] > _INSIDE_SHARE) & placed.truncated[i])).any():
                continue
        kept.append(int(i))
    return np.array(kept, np.intp)


def fuse_boxes(placed: PlacedCandidates, kept: Ints) -> Float64:
    """Boxes (K, 5) of the candidates `kept`, each the mean, by score, of the whole boxes that nearly agree with it.

    Several tiles see a person, each a little differently; weighted fusion (Solovyev et al. 2021) errs less than any.
    """
    boxes = placed.boxes[kept].copy()
    agrees = (np.asarray(box_math.iou(boxes, placed.boxes)) > _AGREEING_IOU) & ~placed.truncated
    for row, others in zip(boxes, agrees, strict=True):
        if others.any():
            row[:4] = np.average(placed.boxes[others, :4], axis=0, weights=placed.scores[others])
    return boxes


def _to_canvas(local: NDArray[np.floating]) -> Int32:
    reach = np.array(_CANVAS_REACH)
    return np.asarray(np.round((np.asarray(local, np.float64) / reach + 1) / 2 * _CANVAS_PX * 16 - 8), np.int32)


def _simplify(contour: Int32) -> Int32:
    tolerance = 0.5
    simple = cv2.approxPolyDP(contour, tolerance, True)
    while len(simple) > MAX_OUTLINE_POINTS:
        tolerance *= 1.5
        simple = cv2.approxPolyDP(contour, tolerance, True)
    return np.asarray(simple, np.int32)


def silhouette_around(box: Float64, tile: Tile, silhouette: Float32) -> UInt8:
    """(64, 64) uint8, 0-255: the silhouette of one tile, a map (h, w) in 0-1, sampled over the box's neighbourhood."""
    size, reach = _CANVAS_PX, np.array(_CANVAS_REACH)
    # The tile's map around the box, straightened: its middle and half its width and height to either side.
    arms = np.array([[0, 0], [-0.5, 0], [0.5, 0], [0, -0.5], [0, 0.5]])
    px = np.asarray(box_math.to_pixels(box, arms), np.float64)
    spots = _mirrored(tile.to_tile(px)) * (silhouette.shape[1] / tile.input_px)
    if not np.isfinite(spots).all():
        return np.zeros((size, size), np.uint8)
    middle, steps = spots[0], np.stack([spots[2] - spots[1], spots[4] - spots[3]]) * reach[:, None]
    matrix = np.column_stack([2 * steps.T / size, middle - steps.sum(0)])
    matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    sampled = cv2.warpAffine(silhouette, matrix, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return np.asarray(np.clip(sampled, 0, 1) * 255, np.uint8)


def supported(score: float, around: UInt8) -> float:
    """The score weighed with the silhouette inside the box: its clearest third, since limbs and desks leave gaps."""
    inside = np.sort(around[_INNER])
    support = float(inside[-len(inside) // 3:].mean()) / 255
    return float(score ** (1 - SILHOUETTE_WEIGHT) * support ** SILHOUETTE_WEIGHT)


def _head_disc(box: Float64, head: Float64) -> Float64 | None:
    """(16, 2) local outline of a head (3,); None if it was not seen, or is no head's size."""
    if not np.isfinite(head).all() or head[2] >= _LARGEST_HEAD * box[2:4].max():
        return None
    ring = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    disc = head[:2] + head[2] * _HEAD_SLACK * np.column_stack([np.cos(ring), np.sin(ring)])
    return np.asarray(box_math.to_local(box, disc), np.float64)


@lru_cache(maxsize=1)
def _headroom() -> Float64:
    """(K, 2) local outline of where a head that was not seen may be."""
    top, bottom, exponent = _HEADROOM
    whole = rounded_box(exponent=exponent).astype(np.float64)
    return np.asarray(whole * (1.0, (bottom - top) / 2) + (0.0, (top + bottom) / 2), np.float64)


def outline(box: Float64, head: Float64, around: UInt8 | None, parts: Float64 | None = None,
            more_heads: Float64 | None = None) -> Float32:
    """(K, 2) float32 local outline, 3 ≤ K ≤ 48: the core of the box, plus the silhouette that touches it, plus the
    head disc (where none was seen, the upper part of the box), plus those of `more_heads` (H, 3), plus the cores of
    `parts` (P, 5). `around` as `silhouette_around` gives it; None: the whole rounded box.
    """
    core = _CORE_SHARE * rounded_box(exponent=_CORE_EXPONENT)
    if around is None:
        body, canvas = rounded_box(), np.zeros((_CANVAS_PX, _CANVAS_PX), np.uint8)
    else:
        body = core
        sure = np.where(around >= SILHOUETTE_LEVEL * 255, 255, 0).astype(np.uint8)
        # One pixel of the map is four of the tile: what is at the silhouette's edge is still person.
        canvas = np.asarray(cv2.dilate(sure, np.ones((3, 3), np.uint8)), np.uint8)
    cv2.fillPoly(canvas, [_to_canvas(body)], 255, shift=4)
    for part in () if parts is None else parts:
        there = np.asarray(box_math.to_local(box, box_math.to_pixels(part, core)))
        cv2.fillPoly(canvas, [_to_canvas(there)], 255, shift=4)
    discs = [_head_disc(box, one) for one in (head, *(() if more_heads is None else more_heads))]
    if discs[0] is None and around is not None:
        discs.append(_headroom())
    for disc in discs:
        if disc is not None:
            cv2.fillPoly(canvas, [_to_canvas(disc)], 255, shift=4)
    contours, _ = cv2.findContours(canvas, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    middle = (_CANVAS_PX / 2, _CANVAS_PX / 2)
    contour = next((np.asarray(c, np.int32) for c in contours if cv2.pointPolygonTest(c, middle, False) >= 0), None)
    if contour is None or len(contour) < 3:
        return body
    points = _simplify(contour).reshape(-1, 2).astype(np.float64)
    # Contours run through pixel centres; half a pixel outwards gives the covered area back.
    points += 0.5
    local = (points / _CANVAS_PX * 2 - 1) * np.array(_CANVAS_REACH)
    local *= 1 + 1.0 / _CANVAS_PX
    return np.asarray(local, np.float32)
