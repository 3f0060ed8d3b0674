"""The detector's protocol, and the one that joins tiles, net and merging for any projection."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from aipg_plugin.detection import postprocess
from aipg_plugin.detection.below import raised_below
from aipg_plugin.detection.closeup import CloseUps
from aipg_plugin.detection.detections import Detections
from aipg_plugin.detection.flat import FlatTile
from aipg_plugin.detection.inference import run_on
from aipg_plugin.detection.onnx import PersonNet
from aipg_plugin.detection.oversize import lowered_oversize
from aipg_plugin.detection.placing import PlacedCandidates, place
from aipg_plugin.detection.preprocess import as_bgr, extend_right
from aipg_plugin.detection.refine import BoxCompletion, Refiner, SecondOpinions
from aipg_plugin.detection.tiles import LIVE, Tile, TilePlan, make_tiles, working_size
from aipg_plugin.errors import DetectionError
from aipg_plugin.geometry.arrays import Float32, Float64, UInt8
from aipg_plugin.geometry.figure import plausible
from aipg_plugin.geometry.gravity import aligned
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection, scaled
from aipg_plugin.geometry.seam import borders_meet
from aipg_plugin.thresholds import MIN_SCORE

_BATCH = 4  # tiles a run: larger batches gain nothing on a CPU and cost memory
_CLOSE_UPS_PER_TILE = 2  # at most, of the plan's size: bounds the time that a crowded picture takes


class Detector(Protocol):
    """Finds people in pictures of one size."""

    @property
    def size_wh(self) -> tuple[int, int]:
        """Size of the pictures it takes."""
        ...

    @property
    def projection(self) -> Projection:
        """Projection of these pictures."""
        ...

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """What a sweep consists of, in pixels of `size_wh`."""
        ...

    @property
    def follows(self) -> bool:
        """Whether `detect` looks at whom it is told to expect."""
        ...

    def detect(self, picture_bgr: UInt8, tiles: Sequence[int] | None = None,
               expected: NDArray[np.floating] | None = None) -> Detections:
        """People in the picture, by the tiles with these indices (None: all) and, if it `follows`, by a look at each of
        the `expected` boxes (N, 5).
        """
        ...

    def full_sweep(self) -> tuple[int, ...]:
        """Indices of all tiles."""
        ...


class FisheyeDetector:
    """A person net on gravity-aligned tiles of one projection.

    `projection` is the native picture's; the pictures to hand over have `size_wh`, no more than the tiles need, and
    detections come in their pixels. Scores below `min_score` are left out.
    """

    def __init__(self, net: PersonNet, projection: Projection, mount: Mount, *, plan: TilePlan = LIVE,
                 min_score: float = MIN_SCORE) -> None:
        input_px = net.fixed_wh[0] if net.fixed_wh else min(plan.input_px, net.tile_px)
        self.size_wh = working_size(projection, make_tiles(projection, mount, plan, input_px))
        self.projection = scaled(projection, self.size_wh)
        self.tiles = make_tiles(self.projection, mount, plan, input_px)
        self.net, self.mount, self.plan, self.min_score = net, mount, plan, min_score
        self._wrap_px = float(self.size_wh[0]) if any(map(borders_meet, self.projection.parts)) else 0.0
        widest = max((tile.size_px[0] for tile in self.tiles if isinstance(tile, FlatTile)), default=0.0)
        self._seam_px = int(widest) + 1  # room for a close-up beyond the seam
        closeup_px = plan.closeup_px if net.any_size else input_px
        close_ups = CloseUps(net, self.projection, mount, self._align, closeup_px, self._wrap_px, self._seam_px)
        self._refiner: Refiner = SecondOpinions(close_ups) if net.any_size else BoxCompletion(close_ups)
        self._close_ups_per_tile = _CLOSE_UPS_PER_TILE * min(1.0, (plan.closeup_px / closeup_px) ** 2)

    def full_sweep(self) -> tuple[int, ...]:
        """Indices of all tiles."""
        return tuple(range(len(self.tiles)))

    @property
    def follows(self) -> bool:
        """Whether `detect` looks at whom it is told to expect, tiles or no tiles."""
        return self._refiner.follows

    def detect(self, picture_bgr: UInt8, tiles: Sequence[int] | None = None,
               expected: NDArray[np.floating] | None = None) -> Detections:
        """People in the picture, best first, merged across the tiles looked at (None: all).

        `picture_bgr` (H, W, 3) uint8 of `size_wh`; grey, BGRA and 16-bit pictures are converted. `expected` (N, 5):
        boxes of people to look for, one by one, where the tiles show nobody, if it `follows`.
        Raises DetectionError on another size, an unknown tile, or a failing net.
        """
        picture = as_bgr(picture_bgr)
        if picture.shape[1::-1] != self.size_wh:
            raise DetectionError("the detector was made for pictures of {wanted}, got {got}", wanted=self.size_wh,
                                 got=picture.shape[1::-1])
        chosen = self.full_sweep() if tiles is None else tuple(dict.fromkeys(tiles))
        if any(not 0 <= i < len(self.tiles) for i in chosen):
            raise DetectionError("no such tile among {count}: {tiles}", count=len(self.tiles), tiles=chosen)
        following = self.follows and expected is not None and len(expected) > 0
        if not chosen and not following:
            return Detections.empty()
        looked_at = [self.tiles[i] for i in chosen]
        if self._wrap_px:
            picture = extend_right(picture, self._seam_px)
        found = self._swept(*self._run(picture, looked_at), looked_at)
        found = self._refiner.improve(picture, found, most=math.ceil(self._close_ups_per_tile * len(looked_at)))
        if following:
            found = self._refiner.follow(picture, np.asarray(expected, np.float64), found)
        if self.net.any_size:  # our own nets, on which it was measured
            found = replace(found, scores=self._weighed(found.boxes, found.scores))
        return found.detections(self.min_score)

    def _weighed(self, boxes: Float64, scores: Float64) -> Float64:
        """Scores (N,) of boxes (N, 5) by what place and size say."""
        return lowered_oversize(self.projection, self.mount, boxes,
                                raised_below(self.projection, self.mount, boxes, scores))

    def _align(self, boxes: Float64) -> Float64:
        if self._wrap_px:
            boxes = boxes.copy()
            boxes[:, 0] %= self._wrap_px
        result: Float64 = aligned(self.projection, self.mount, boxes)
        return result

    def _run(self, picture: UInt8, looked_at: list[Tile]) -> tuple[PlacedCandidates, list[Float32 | None]]:
        found, silhouettes = [], list[Float32 | None]()
        for tile, (raw, silhouette) in zip(looked_at, run_on(self.net, picture, looked_at, _BATCH), strict=True):
            found.append(self.net.decode(raw, (tile.input_px, tile.input_px), self.min_score))
            silhouettes.append(silhouette)
        return place(found, looked_at, self._align), silhouettes

    def _swept(self, placed: PlacedCandidates, silhouettes: list[Float32 | None],
               looked_at: list[Tile]) -> postprocess.MergedPeople:
        """Everybody once, of all that the tiles show."""
        if not len(placed.scores):
            return postprocess.MergedPeople(placed.boxes, placed.scores, placed.heads, (), placed.truncated)
        placed = placed.select(np.asarray(plausible(self.projection, self.mount, placed.boxes), bool))
        kept = postprocess.merge(placed, self._wrap_px)
        boxes = self._align(postprocess.fuse_boxes(placed, kept)[:, :4])
        placed = replace(placed.select(kept), boxes=boxes)
        shown = [None if (seen := silhouettes[i]) is None else
                 postprocess.Silhouette(looked_at[i], seen, self._wrap_px) for i in placed.tile.tolist()]
        scores = postprocess.weighed_by_silhouettes(placed.scores, boxes, shown)
        seen_in = tuple(() if one is None else (one,) for one in shown)
        return postprocess.MergedPeople(placed.boxes, scores, placed.heads, seen_in, placed.truncated)
