"""Close-ups: a tile of its own around each candidate, in which a person always has the same place and size.

A sweep's tiles show people small, truncated, or off their middle. What the net finds in a tile made to a candidate's
measure is a second opinion on whether somebody is there, and tells better where they end (`refine.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from aipg_plugin.detection import postprocess
from aipg_plugin.detection.flat import FlatTile
from aipg_plugin.detection.onnx import PersonNet
from aipg_plugin.detection.postprocess import Silhouette
from aipg_plugin.detection.preprocess import crop_tiles
from aipg_plugin.detection.tiles import Tile
from aipg_plugin.detection.upright import UprightTile, bearings, northing
from aipg_plugin.geometry import boxes as box_math
from aipg_plugin.geometry import seam
from aipg_plugin.geometry.arrays import Bools, Float32, Float64, UInt8
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
_TRUNCATED_VIEW = np.array([1, 1, 1.7, 1.7, 1])  # the view of a truncated box, which may be half of somebody


def closeup_tile(projection: Projection, mount: Mount, box: Float64, input_px: int, turn_deg: float = 0.0) -> Tile:
    """The tile around a gravity-aligned box (5,), in which it is upright and 116 pixels high (or wide), 77 pixels
    straight below a fisheye camera; turned clockwise by `turn_deg`.
    """
    zoom = input_px / PERSON_PX
    if isinstance(projection, FisheyeCamera):
        cross = np.asarray(box_math.to_pixels(box, np.array([[0, 0], [0, -1], [0, 1], [-1, 0], [1, 0]])), np.float64)
        east, north = bearings(projection, mount, cross)
        if np.isfinite(east[[0, 3, 4]]).all() and np.isfinite(north).all() and north.min() > _STEEPEST:
            wide = abs((east[4] - east[3] + math.pi) % (2 * math.pi) - math.pi)
            high = abs(float(north[1] - north[2]))
            middle = float(north[1] + north[2]) / 2
            return UprightTile(projection, mount, math.degrees(east[0]), middle, zoom * max(wide, high), input_px,
                               roll_deg=turn_deg, passing=True)
        zoom *= _NADIR_VIEW
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
        result: list[CloseUpResult] = []
        turns = np.zeros(len(boxes)) if turns_deg is None else turns_deg
        for start in range(0, len(boxes), _BATCH):
            batch = range(start, min(start + _BATCH, len(boxes)))
            tiles = [self._tile(boxes[k], bool(truncated[k]), float(turns[k])) for k in batch]
            raw, maps = self.net.run(crop_tiles(picture_bgr, tiles))
            for row, (k, tile) in enumerate(zip(batch, tiles, strict=True)):
                silhouette = None if maps is None else Silhouette(tile, maps[row, 0], self.wrap_px)
                result.append(self._result(raw[row], silhouette, tile, boxes[k], truncated=bool(truncated[k])))
        return result

    def _tile(self, box: Float64, truncated: bool, turn_deg: float) -> Tile:
        view = box * (_TRUNCATED_VIEW if truncated else 1)
        return closeup_tile(self.projection, self.mount, view, self.input_px, turn_deg)

    def _result(self, raw: Float32, silhouette: Silhouette | None, tile: Tile, box: Float64, *,
                truncated: bool) -> CloseUpResult:
        """Who in a close-up is the candidate with this box."""
        shown = self.net.decode(raw, (tile.input_px, tile.input_px), UNSEEN_SCORE)
        placed = postprocess.place(shown, tile, 0, self.align)
        placed = replace(placed, boxes=seam.unwrap_near(placed.boxes, box[0], self.wrap_px))
        other = placed.scores >= OTHER_PERSON_SCORE
        same = np.asarray(box_math.iou(box[None], placed.boxes))[0] > SAME_IOU
        if truncated:
            same |= box_math.share_inside(box[None], placed.boxes)[0] > INSIDE_SHARE
        if math.isfinite(self.largest):
            same &= (placed.boxes[:, 2:4] < self.largest * box[2:4].max()).all(1)
        if not same.any():
            return CloseUpResult(box, UNSEEN_SCORE, np.full(3, np.nan), (), placed.boxes[other])
        best = int(np.where(same, placed.scores, -1).argmax())
        other[best] = False
        score = float(placed.scores[best])
        if silhouette is not None:
            score = postprocess.supported(score, silhouette.around(placed.boxes[best]))
        return CloseUpResult(placed.boxes[best], max(score, UNSEEN_SCORE), placed.heads[best],
                             () if silhouette is None else (silhouette,), placed.boxes[other])
