"""Close-ups: a tile of its own around each candidate, in which a person always has the same place and size.

A sweep's tiles show people small, truncated, or off their middle. What the net finds in a tile made to a candidate's
measure is a second opinion on whether somebody is there, and tells better where they end (`refine.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from aipg_plugin.detection import postprocess
from aipg_plugin.detection.flat import FlatTile
from aipg_plugin.detection.inference import run_on
from aipg_plugin.detection.layouts import Candidates
from aipg_plugin.detection.onnx import PersonNet
from aipg_plugin.detection.placing import PlacedCandidates, place
from aipg_plugin.detection.postprocess import Silhouette
from aipg_plugin.detection.tiles import Tile
from aipg_plugin.detection.upright import UprightTile, bearings, northing
from aipg_plugin.geometry import boxes as box_math
from aipg_plugin.geometry import seam
from aipg_plugin.geometry.arrays import Bools, Float64, UInt8
from aipg_plugin.geometry.camera import FisheyeCamera
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.thresholds import OTHER_PERSON_SCORE, UNSEEN_SCORE

# Chosen with `benchmarks.accuracy` on real_dev, unless said otherwise.
PERSON_PX = 116              # a candidate's longer side in its close-up
SAME_IOU = 0.4               # of the candidate with the same person in its close-up
INSIDE_SHARE = 0.8           # of a truncated box inside the whole one
_STEEPEST = northing(-72.0)  # below it close-ups are flat: at the nadir the Mercator map is infinitely long
_NADIR_VIEW = 1.5            # there the view is wider: boxes say less of where somebody ends
_BATCH = 6                   # close-ups a run: larger batches gain nothing on a CPU and cost memory
_ARMS = np.array([[0, 0], [0, -1], [0, 1], [-1, 0], [1, 0]])  # middle, top, bottom, left, right
_TRUNCATED_VIEW = np.array([1, 1, 1.7, 1.7, 1])  # the view of a truncated box, which may be half of somebody


def closeup_tiles(projection: Projection, mount: Mount, boxes: Float64, input_px: int,
                  turns_deg: Float64) -> list[Tile]:
    """The tile around each gravity-aligned box (N, 5), in which it is upright and 116 pixels high (or wide), 77 pixels
    straight below a fisheye camera; turned clockwise by `turns_deg` (N,).
    """
    zoom = input_px / PERSON_PX
    if not isinstance(projection, FisheyeCamera):
        return [_flat(box, zoom, input_px, turn) for box, turn in zip(boxes, turns_deg.tolist(), strict=True)]
    cross = np.array([box_math.to_pixels(box, _ARMS) for box in boxes]).reshape(-1, 2)
    east, north = (angles.reshape(-1, 5) for angles in bearings(projection, mount, cross))
    upright = np.isfinite(east[:, [0, 3, 4]]).all(1) & np.isfinite(north).all(1) & (north.min(1) > _STEEPEST)
    wide = np.abs((east[:, 4] - east[:, 3] + np.pi) % (2 * np.pi) - np.pi)
    high = np.abs(north[:, 1] - north[:, 2])
    spans, middles = zoom * np.maximum(wide, high), (north[:, 1] + north[:, 2]) / 2
    return [UprightTile(projection, mount, math.degrees(east[k, 0]), float(middles[k]), float(spans[k]), input_px,
                        roll_deg=turn, passing=True) if upright[k] else
            _flat(boxes[k], zoom * _NADIR_VIEW, input_px, turn) for k, turn in enumerate(turns_deg.tolist())]


def _flat(box: Float64, zoom: float, input_px: int, turn_deg: float) -> FlatTile:
    side = zoom * float(box[2:4].max())
    return FlatTile((float(box[0]), float(box[1])), (side, side), float(box[4]) + turn_deg, input_px)


@dataclass(frozen=True)
class CloseUpResult:
    """A candidate as its close-up shows it; `others` are the boxes (N, 5) of everybody else there."""

    box: Float64
    score: float
    head: Float64
    silhouettes: tuple[Silhouette, ...]
    others: Float64


@dataclass(frozen=True)
class CloseUps:
    """Takes close-ups of boxes in one projection's pictures and says who is in them.

    `align` makes boxes (N, 4) gravity-aligned (N, 5). A picture `wrap_px` wide whose borders meet (0: they don't) is
    to be handed over with `seam_px` more beyond the right one, for close-ups, `input_px` wide, that reach there.
    `largest` is how many times as large as the candidate the person in its close-up may be.
    """

    net: PersonNet
    projection: Projection
    mount: Mount
    align: Callable[[Float64], Float64]
    input_px: int
    wrap_px: float = 0.0
    seam_px: float = 0.0
    largest: float = math.inf

    def inside_extended(self, boxes: Float64, truncated: Bools) -> Float64:
        """(N, 5) the boxes, those whose close-ups would reach over the left border moved to beyond the right one."""
        boxes = boxes.copy()
        if self.wrap_px:
            reach_px = self.input_px / PERSON_PX / 2 * boxes[:, 2:4].max(1) * np.where(truncated, _TRUNCATED_VIEW[2], 1)
            boxes[boxes[:, 0] < np.minimum(reach_px, self.seam_px / 2), 0] += self.wrap_px
        return boxes

    def look(self, picture_bgr: UInt8, boxes: Float64, truncated: Bools,
             turns_deg: Float64 | None = None) -> list[CloseUpResult]:
        """What the close-ups of boxes (N, 5), turned clockwise by `turns_deg` (N,), show of each."""
        if not len(boxes):
            return []
        view = np.where(truncated[:, None], boxes * _TRUNCATED_VIEW, boxes)
        turns = np.zeros(len(boxes)) if turns_deg is None else turns_deg
        tiles = closeup_tiles(self.projection, self.mount, view, self.input_px, turns)
        shown, silhouettes = list[Candidates](), list[Silhouette | None]()
        for tile, (raw, silhouette) in zip(tiles, run_on(self.net, picture_bgr, tiles, _BATCH), strict=True):
            shown.append(self.net.decode(raw, (tile.input_px, tile.input_px), UNSEEN_SCORE))
            silhouettes.append(None if silhouette is None else Silhouette(tile, silhouette, self.wrap_px))
        return self._results(place(shown, tiles, self.align), silhouettes, boxes, truncated)

    def _results(self, placed: PlacedCandidates, silhouettes: list[Silhouette | None], boxes: Float64,
                 truncated: Bools) -> list[CloseUpResult]:
        """Who in each close-up is the candidate with this box."""
        of = placed.tile
        placed = replace(placed, boxes=seam.unwrap_near(placed.boxes, boxes[of, :1], self.wrap_px))
        same = box_math.paired_iou(boxes[of], placed.boxes) > SAME_IOU
        for k in np.flatnonzero(truncated).tolist():
            same[of == k] |= box_math.share_inside(boxes[k][None], placed.boxes[of == k])[0] > INSIDE_SHARE
        if math.isfinite(self.largest):
            same &= (placed.boxes[:, 2:4] < self.largest * boxes[of, 2:4].max(1, keepdims=True)).all(1)
        likeness = np.where(same, placed.scores, -1.0)
        ends = np.searchsorted(of, np.arange(len(boxes) + 1)).tolist()
        best = [start + int(likeness[start:end].argmax()) if same[start:end].any() else -1
                for start, end in pairwise(ends)]
        rows, scores = [row for row in best if row >= 0], placed.scores.copy()
        scores[rows] = postprocess.weighed_by_silhouettes(
            scores[rows], placed.boxes[rows], [one for row, one in zip(best, silhouettes, strict=True) if row >= 0])
        other = placed.scores >= OTHER_PERSON_SCORE
        other[rows] = False
        result = []
        for k, (row, one, (start, end)) in enumerate(zip(best, silhouettes, pairwise(ends), strict=True)):
            others = placed.boxes[start:end][other[start:end]]
            if row < 0:
                result.append(CloseUpResult(boxes[k], UNSEEN_SCORE, np.full(3, np.nan), (), others))
            else:
                result.append(CloseUpResult(placed.boxes[row], max(float(scores[row]), UNSEEN_SCORE),
                                            placed.heads[row], () if one is None else (one,), others))
        return result
