"""From placed candidates to people in the picture: merging across tiles and seams, silhouettes, outlines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.detection.detections import Detections, rounded_box
from aipg_plugin.detection.placing import CROSS, PlacedCandidates, mirrored
from aipg_plugin.detection.tilegroup import TileGroup
from aipg_plugin.detection.tiles import Tile
from aipg_plugin.geometry import boxes as box_math
from aipg_plugin.geometry import seam
from aipg_plugin.geometry.arrays import Bools, Float32, Float64, Int32, Ints, UInt8
from aipg_plugin.thresholds import SILHOUETTE_LEVEL, SILHOUETTE_WEIGHT, TRUNCATED_WEIGHT

# Chosen with `benchmarks.accuracy` on real_dev, unless said otherwise.
_MERGE_IOU = 0.4              # the same of boxes of different tiles, which differ more
_AGREEING_IOU = 0.6           # boxes of one person that may be fused
_INSIDE_SHARE = 0.75          # a truncated box with this share inside a better one is no other person
MAX_OUTLINE_POINTS = 48       # more would not show: a canvas pixel is a few pixels of the picture
_CANVAS_PX = 64               # side of the canvas outlines are drawn on
_CANVAS_REACH = (1.2, 1.1)    # how far beyond the box, in half sizes (x, y), a silhouette is followed
_CORE_SHARE, _CORE_EXPONENT = 0.45, 2.5  # what of the box is masked even where the silhouette shows nobody
_LARGEST_HEAD = 0.3           # radius over the box's longer side; a larger disc is a mistake
_HEAD_SLACK = 1.4             # the disc is drawn this much larger: hair and hats
_HEADROOM = (-1.0, 0.3, 6.0)  # where a head that was not seen may be: this part of the box (top, bottom; exponent)

def _inner() -> Bools:
    """(64, 64) bool: the canvas inside an ellipse within the box."""
    x, y = (((np.arange(_CANVAS_PX) + 0.5) / _CANVAS_PX * 2 - 1) * reach for reach in _CANVAS_REACH)
    return np.asarray((x[None] / 0.6) ** 2 + (y[:, None] / 0.85) ** 2 < 1, bool)


_INNER = np.flatnonzero(_inner())


@dataclass(frozen=True)
class Silhouette:
    """What a net saw of bodies in one tile: a map (h, w) in 0-1. `wrap_px`: width of a picture whose borders meet."""

    tile: Tile
    map: Float32
    wrap_px: float = 0.0


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
        rows = [(k, seen) for k in order.tolist() for seen in self.silhouettes[k]]
        around: dict[int, list[UInt8]] = {}
        for (k, _), canvas in zip(rows, silhouettes_around(self.boxes[[k for k, _ in rows]], [one for _, one in rows]),
                                  strict=True):
            around.setdefault(k, []).append(canvas)
        return Detections.of(self.boxes[order], self.scores[order], self.heads[order],
                             [self._outline(k, around.get(k, [])) for k in order.tolist()])

    def _outline(self, k: int, seen: list[UInt8]) -> Float32:
        if not seen and k not in self.parts:
            return rounded_box()
        around = seen[0] if len(seen) == 1 else np.mean(seen, axis=0).astype(np.uint8) if seen else None
        return outline(self.boxes[k], self.heads[k], around, self.parts.get(k), self.more_heads.get(k))


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


def silhouettes_around(boxes: Float64, silhouettes: Sequence[Silhouette]) -> UInt8:
    """(N, 64, 64) uint8, 0-255: each silhouette sampled over the neighbourhood of its box (N, 5), wherever its tile
    reaches over the seam.
    """
    size, reach = _CANVAS_PX, np.array(_CANVAS_REACH)
    result = np.zeros((len(silhouettes), size, size), np.uint8)
    if not len(silhouettes):
        return result
    group, of = TileGroup([one.tile for one in silhouettes]), np.arange(len(silhouettes))
    side = np.array([one.tile.input_px for one in silhouettes], np.float64)
    wrap_px = silhouettes[0].wrap_px
    if wrap_px:
        middles = group.to_picture(np.repeat(side[:, None] / 2, 2, axis=1), of)
        boxes = seam.unwrap_near(boxes, middles[:, :1], wrap_px)
    # The tile's map around the box, straightened: its middle and half its width and height to either side.
    angle = np.radians(boxes[:, 4])
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    arms = CROSS * boxes[:, None, 2:4] / 2
    px = np.stack([boxes[:, :1] + arms[..., 0] * cos - arms[..., 1] * sin,
                   boxes[:, 1:2] + arms[..., 0] * sin + arms[..., 1] * cos], -1)
    spots = mirrored(group.to_tile(px.reshape(-1, 2), np.repeat(of, 5)).reshape(-1, 5, 2))
    spots *= (np.array([one.map.shape[1] for one in silhouettes]) / side)[:, None, None]
    steps = np.stack([spots[:, 2] - spots[:, 1], spots[:, 4] - spots[:, 3]], -1) * reach  # (N, x y, across along)
    matrices = np.concatenate([2 * steps / size, (spots[:, 0] - steps.sum(2))[..., None]], 2)
    matrices[..., 2] += matrices[..., :2].sum(2) / 2 - 0.5
    for canvas, matrix, one in zip(result, matrices, silhouettes, strict=True):
        if np.isfinite(matrix).all():
            sampled = cv2.warpAffine(one.map, matrix, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
            canvas[:] = np.clip(sampled, 0, 1) * 255
    return result


def supported(scores: Float64, around: UInt8) -> Float64:
    """Scores (N,) weighed with the silhouettes (N, 64, 64) inside the boxes: their clearest third, since limbs and
    desks leave gaps.
    """
    inside = around.reshape(len(around), -1)[:, _INNER]
    third = len(_INNER) // 3
    support = np.partition(inside, -third, axis=1)[:, -third:].mean(1) / 255
    return np.asarray(scores ** (1 - SILHOUETTE_WEIGHT) * support ** SILHOUETTE_WEIGHT, np.float64)


def weighed_by_silhouettes(scores: Float64, boxes: Float64, silhouettes: Sequence[Silhouette | None]) -> Float64:
    """Scores (N,) of boxes (N, 5), `supported` where there is a silhouette."""
    known = [(row, one) for row, one in enumerate(silhouettes) if one is not None]
    if not known:
        return scores
    rows, weighed = [row for row, _ in known], scores.copy()
    weighed[rows] = supported(scores[rows], silhouettes_around(boxes[rows], [one for _, one in known]))
    return weighed


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
        canvas = np.where(around >= SILHOUETTE_LEVEL * 255, 255, 0).astype(np.uint8)
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
