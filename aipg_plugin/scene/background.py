"""The background model of a fixed camera: what differs from it, what moves, and which places look empty again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.geometry.arrays import Bools, Float32, Float64, UInt8
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.scene.foreground import ForegroundFinder, ForegroundRegions
from aipg_plugin.scene.grid import box_cells, drawn
from aipg_plugin.scene.picture import LookPicture
from aipg_plugin.scene.shadows import without_shadows

# The limits were set on painted rooms with known truth (tests/scene/test_background.py) and checked on the sample clip
# with `benchmarks.leak`.
_MOVED_LEVEL = 14.0           # grey levels between two looks that count as motion
_DIFFERENT_LEVEL = 20.0       # distance to the empty scene, in units of `_distance`
_NOISE_FACTOR = 4.0           # or this many times the noise of the pixel, if that is more
_CHROMA_WEIGHT = 2.0          # people differ in colour where shadows do not
_SETTLED_LEVEL = 9.0          # a pixel within this of its candidate has not changed
_GLOBAL_CHANGE_SHARE = 0.45   # more than this of the known scene differs: the light or the camera changed
_GAIN_RANGE = (0.4, 2.5)      # changes of exposure that are divided out
_BLOWN_LEVEL, _WHITE_LEVEL = 225.0, 200.0  # grey levels, once in the new light and as seen: too bright to compare
_EMPTY_SHARE = 0.12           # of a place may differ from the background and it still looks empty
_KNOWN_SHARE = 0.5            # of a place must be known before it can look empty
_LONGEST_STEP_S = 2.0         # a longer gap was not watched: it counts as this much


@dataclass(frozen=True, eq=False)
class MotionReport:
    """How one picture differs from the background, in pixels of the projection's picture.

    `foreground`: human-sized regions that differ from the empty scene (where that is not known yet: that move) and
    that none of the figures handed in covers.
    `moving` (h, w) bool at the working size; `moving_px` (K, 2) centres of the moving regions outside the figures;
    `known_share` of the scene learned so far; `global_change`: most of the scene differs at once (light switched,
    camera turned): sweep everything.
    """

    foreground: ForegroundRegions
    moving: Bools
    moving_px: Float64
    known_share: float
    global_change: bool


def _bytes(mask: Bools) -> UInt8:
    return mask.view(np.uint8)


def _median(levels: UInt8, mask: UInt8) -> float:
    """Median of the levels (h, w) where the mask (h, w) is set; 0 if it is nowhere. Counting is faster than sorting."""
    below = np.cumsum(cv2.calcHist([levels], [0], mask, [256], [0, 256]).ravel())
    if below[-1] == 0:
        return 0.0
    low, high = np.searchsorted(below, [(below[-1] - 1) // 2, below[-1] // 2], side="right")
    return float(low + high) / 2


def _channels(picture: UInt8) -> tuple[UInt8, UInt8, UInt8]:
    """The three channels of a picture; four times as fast as cv2.split."""
    one, two, three = (np.asarray(cv2.extractChannel(picture, index), np.uint8) for index in range(3))
    return one, two, three


class BackgroundModel:
    """Learns what a fixed camera sees when nobody is there.

    Each pixel has a candidate that follows what stays the same, and becomes the empty scene after `learn_s` without
    change and without a figure over it. What was known already and looks different now (a moved chair, a left bag)
    has to stay still for `absorb_s`. Slow changes of light are followed, sudden ones of the whole picture are
    divided out. It works on pictures of `size_wh`, at most `longer_px` long.
    """

    def __init__(self, projection: Projection, mount: Mount, *, longer_px: int = 320, learn_s: float = 4.0,
                 absorb_s: float = 300.0, follow_s: float = 20.0) -> None:
        w, h = projection.size_wh
        self._factor = min(1.0, longer_px / max(w, h))
        self.size_wh = (max(1, round(w * self._factor)), max(1, round(h * self._factor)))
        self._learn_s, self._absorb_s, self._follow_s = learn_s, absorb_s, follow_s
        valid = projection.valid_mask().astype(np.uint8)
        self._valid: Bools = np.asarray(
            cv2.resize(valid, self.size_wh, interpolation=cv2.INTER_NEAREST) > 0, bool)
        self._picture_wh = (w, h)
        self._finder = ForegroundFinder(projection, mount, self.size_wh)
        self.reset()

    def reset(self) -> None:
        """Forget everything: after a change of source, size or scene."""
        shape = self.size_wh[::-1]
        self._empty: Float32 = np.zeros((*shape, 3), np.float32)
        self._known: Bools = np.zeros(shape, bool)
        self._noise: Float32 = np.full(shape, 3.0, np.float32)
        self._candidate: Float32 | None = None
        self._calm_s: Float32 = np.zeros(shape, np.float32)
        self._different: Bools = np.zeros(shape, bool)
        self._before: UInt8 | None = None
        self._last_s: float | None = None

    def update(self, picture: LookPicture, t_s: float, figures_px: Sequence[NDArray[np.floating]] = ()) -> MotionReport:
        """Look at a picture of the projection's shape.

        `figures_px` are polygons (K, 2) of everybody known, in the projection's pixels: nothing is learned there.
        """
        now = np.asarray(cv2.blur(picture.ycrcb(self.size_wh), (3, 3)), np.uint8)
        elapsed_s = 0.0 if self._last_s is None else min(max(0.0, t_s - self._last_s), _LONGEST_STEP_S)
        self._last_s = t_s
        people = self._people_mask(figures_px)
        moving = self._moving(now)
        distance, lit, global_change = self._compare(now, people)
        self._different = self._known & (distance > self._limit(_DIFFERENT_LEVEL, _NOISE_FACTOR))
        if global_change:
            self._known[:] = False
            self._calm_s[:] = 0
            self._candidate = None
            self._different[:] = False
        self._learn(now, distance, elapsed_s, people)
        # Known people are left out, so that somebody missed beside them does not melt into one region with them.
        odd = self._valid & ~people & (self._different | (~self._known & moving))
        centres = self._finder.centres(moving & ~people)
        w, h = self._picture_wh
        found = without_shadows(self._finder.find(odd), lit, self._empty, self._known, people,
                                (self.size_wh[0] / w, self.size_wh[1] / h))
        return MotionReport(found, moving, centres, self._known_share(), global_change)

    def place_empty(self, box: NDArray[np.floating]) -> bool | None:
        """Whether the place of a gravity-aligned box looks as it does with nobody there; None while that is unknown."""
        part, inside = self._within(box)
        inside = inside & self._valid[part]
        count = np.count_nonzero(inside)
        if count == 0 or self._last_s is None:
            return None
        known = inside & self._known[part]
        known_count = np.count_nonzero(known)
        if known_count < _KNOWN_SHARE * count:
            return None
        return bool(np.count_nonzero(self._different[part] & known) < _EMPTY_SHARE * known_count)

    def invalidate(self, boxes: NDArray[np.floating]) -> None:
        """Somebody was found at these boxes (N, 5): a place taken for empty was learned with them in it, forget it."""
        for box in boxes:
            if self.place_empty(box):
                part, inside = self._within(box)
                self._known[part][inside] = False
                self._calm_s[part][inside] = 0

    def _within(self, box: NDArray[np.floating]) -> tuple[tuple[slice, slice], Bools]:
        return box_cells(np.asarray(box, np.float64), self.size_wh[::-1], self._picture_wh)

    def _people_mask(self, figures_px: Sequence[NDArray[np.floating]]) -> Bools:
        mask = drawn([polygon for polygon in figures_px if len(polygon) >= 3], self.size_wh[::-1], self._picture_wh)
        # Hair, hands and shadows reach beyond the outline.
        return cv2.dilate(mask, np.ones((9, 9), np.uint8)).view(bool)

    def _moving(self, now: UInt8) -> Bools:
        grey = np.asarray(cv2.extractChannel(now, 0), np.uint8)
        before, self._before = self._before, grey
        if before is None:
            return np.zeros(grey.shape, bool)
        change = np.asarray(cv2.absdiff(grey, before), np.uint8)
        # A lamp or an auto-exposure step changes everything alike; only what stands out moved.
        sparse = np.s_[::3, ::3]
        level = _MOVED_LEVEL + _median(np.ascontiguousarray(change[sparse]),
                                       np.ascontiguousarray(_bytes(self._valid)[sparse]))
        moving = cv2.morphologyEx(_bytes(change > int(level)), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
        return np.asarray(moving.view(bool) & self._valid, bool)

    def _compare(self, now: UInt8, people: Bools) -> tuple[UInt8, UInt8, bool]:
        """Distance to the empty scene; the picture put in its light first; whether they are too unlike to compare."""
        sparse = np.s_[::5, ::5]  # medians of a twenty-fifth of the pixels are as good
        compare = self._known[sparse] & self._valid[sparse] & ~people[sparse]
        if int(compare.sum()) < 50:
            return self._distance(now), now, False
        seen, usual = now[sparse][compare].astype(np.float32), self._empty[sparse][compare]
        gain = float(np.clip(np.median((seen[:, 0] + 8) / (usual[:, 0] + 8)), *_GAIN_RANGE))
        # Colour differences from grey (128) grow with the light too.
        shift = np.median((seen[:, 1:] - 128) / gain + 128 - usual[:, 1:], axis=0)
        grey = 128 - 128 / gain
        factors, offsets = (1 / gain,) * 3, (8 / gain - 8, grey - float(shift[0]), grey - float(shift[1]))
        turn = np.column_stack([np.diag(factors), offsets])
        levels = np.repeat(np.arange(256, dtype=np.float32), 3).reshape(256, 1, 3)
        lit = cv2.convertScaleAbs(np.maximum(cv2.transform(levels, turn), 0))  # of each level, what it would be
        seen_lit = np.asarray(cv2.LUT(now, lit), np.uint8)
        distance = self._distance(seen_lit)
        # What the new light drives to white cannot be told from the scene gone white.
        white = cv2.extractChannel(now, 0) > _WHITE_LEVEL
        if white.any():
            distance[white & (self._empty[..., 0] > _BLOWN_LEVEL / gain)] = 0
        return distance, seen_lit, float((distance[sparse][compare] > _DIFFERENT_LEVEL).mean()) > _GLOBAL_CHANGE_SHARE

    def _distance(self, seen: UInt8) -> UInt8:
        """Distance to the empty scene per pixel, grey levels: luma or weighted chroma, whichever differs more.

        Compared with the range of the 3 x 3 neighbourhood, so that a pixel of shake does not light up every edge.
        """
        kernel = np.ones((3, 3), np.uint8)
        empty = cv2.convertScaleAbs(self._empty)
        above = cv2.subtract(seen, cv2.dilate(empty, kernel))
        below = cv2.subtract(cv2.erode(empty, kernel), seen)
        luma, cr, cb = _channels(np.asarray(cv2.max(above, below), np.uint8))
        return np.asarray(cv2.max(luma, cv2.addWeighted(cr, _CHROMA_WEIGHT, cb, _CHROMA_WEIGHT, 0)), np.uint8)

    def _learn(self, now: UInt8, distance: UInt8, elapsed_s: float, people: Bools) -> None:
        if self._candidate is None:
            self._candidate = now.astype(np.float32)
            return
        one, two, three = _channels(np.asarray(cv2.absdiff(now, cv2.convertScaleAbs(self._candidate)), np.uint8))
        calm = cv2.max(cv2.max(one, two), three) < self._limit(_SETTLED_LEVEL, 3.0)
        self._calm_s += np.float32(elapsed_s)
        self._calm_s[~calm | people] = 0
        cv2.accumulateWeighted(now, self._candidate, min(1.0, elapsed_s / 2.0), _bytes(calm))
        cv2.accumulateWeighted(now, self._candidate, 1.0, _bytes(~calm))
        absorbed = self._different & (self._calm_s >= self._absorb_s)
        fresh = (~self._known & (self._calm_s >= self._learn_s)) | absorbed
        if fresh.any():
            cv2.copyTo(self._candidate, _bytes(fresh), self._empty)
            self._known |= fresh
        # Follow slow light where the scene is as usual.
        usual = _bytes(self._known & ~self._different & ~people & ~fresh)
        follow = min(1.0, elapsed_s / self._follow_s)
        cv2.accumulateWeighted(now, self._empty, follow, usual)
        cv2.accumulateWeighted(distance, self._noise, follow, usual)
        np.clip(self._noise, 1.0, 8.0, out=self._noise)

    def _limit(self, least: float, factor: float) -> UInt8:
        """(h, w) grey levels: so many times the noise of each pixel, and `least` where that is more."""
        return np.maximum(cv2.convertScaleAbs(self._noise, alpha=factor), np.uint8(least)).astype(np.uint8, copy=False)

    def _known_share(self) -> float:
        return float(np.count_nonzero(self._known & self._valid)) / max(1.0, float(np.count_nonzero(self._valid)))
