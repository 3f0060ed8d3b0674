"""One look at a picture: is it sound, who is there, what moved, what looks empty again."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.detection.detections import Detections
from aipg_plugin.detection.detector import Detector
from aipg_plugin.detection.schedule import SweepSchedule
from aipg_plugin.geometry import boxes as box_ops
from aipg_plugin.geometry.arrays import Bools
from aipg_plugin.geometry.figure import Figure
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.scene.background import BackgroundModel, MotionReport
from aipg_plugin.scene.check import PictureCheck
from aipg_plugin.scene.foreground import NO_FOREGROUND, ForegroundRegions, regions_over
from aipg_plugin.scene.observation import NOWHERE, Glance, Observation
from aipg_plugin.scene.picture import LookPicture
from aipg_plugin.scene.quality import Trouble
from aipg_plugin.scene.tile_change import NO_CHANGE, TileChange
from aipg_plugin.tracking.track import Track

_BUDGET_S = 0.08         # of detector time per look: a third of a core at 5 looks a second
_NOMINAL_TILE_S = 0.015  # what a tile counts offline, where nothing may depend on the machine's speed
_MAX_AGE_S = 0.8         # a place that changes is looked at again within this time (`benchmarks.latency`) …
_SWEEP_S = 10.0          # … and every tile within this one, changed or not
_OF_LATE_S = 1.0         # what changes where somebody was seen as lately as this is theirs …
_OWN_REACH = 0.12        # … and so is what moves this near, of the longer side of their box; …
_CALM_S = 2.0            # a picture that is as it was is checked and compared with the empty scene this often
_FEW_CHANGED = 4         # cells of `TileChange`: nobody, but looked at before long
_SHADOW_REACH = 0.3      # … this near it may be their shadow, or somebody else
_ASK_AGAIN_S = 0.6       # what moves near somebody known is looked at again after this time
_MISSED_LOOKS = 1.5      # people not seen in so many looks, however far apart, are looked for by their tiles
_AT_RISK_AGE_S = 0.3     # people not seen for longer, a look and a half, are looked for when they move …
_AT_RISK_SCORE = 0.4     # … and those below this score in any case
_MOST_FOLLOWED = 8       # close-ups of people at risk to a look; the others wait for their tiles …
_LEAST_FOLLOWED = 2      # … and this many at least, however little time there is
_SAME_PLACE_SHARE = 0.04  # of the picture's side: motion this near to the last look's is the same
_SOMEBODY_SCORE = 0.15   # enough to say that a place is not empty
_COVERED_SHARE = 0.5     # a foreground region this much inside the figures' masks adds nothing
_SAME_BOX_PX = 5.0       # two predictions of one box for one moment differ less
_MASK_SIDE_PX = 160      # longer side of the picture in which such overlaps are measured
_ACCEPT_SHIFT_S = 5.0    # a moved camera's new view counts as its usual one after this time
_BACKGROUND_SHARE = 0.5  # of the picture; where people stay for long it is never known


@dataclass(eq=False)
class _Known:
    """Everybody expected in a look, with outlines in the picture's pixels."""

    figures: tuple[Figure, ...]
    _change: TileChange
    _near: dict[float, NDArray[np.bool_]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.outlines = [box_ops.to_pixels(figure.box, figure.outline) for figure in self.figures]

    def near(self, reach: float) -> NDArray[np.bool_]:
        """Where people are that were seen of late, and what is as near to them as `reach` of their longer side."""
        if reach not in self._near:
            of_late = [(outline, reach * float(figure.box[2:4].max()))
                       for figure, outline in zip(self.figures, self.outlines, strict=True)
                       if figure.age_s <= _OF_LATE_S]
            self._near[reach] = self._change.near([outline for outline, _ in of_late], [px for _, px in of_late])
        return self._near[reach]


class SceneAnalyzer:
    """Detector, schedule, motion and picture check behind the `Analyzer` protocol. Used by one thread.

    `live` budgets the sweep by measured time, otherwise by a nominal cost; with `single_image` every picture stands
    alone: full sweep, no motion. With `areas_drawn` a moved camera stays doubtful until the settings are taken over
    again, since the areas no longer lie where they were drawn; without, the new view is accepted after 5 s.
    """

    def __init__(self, detector: Detector, mount: Mount, *, live: bool, single_image: bool,
                 areas_drawn: bool = False) -> None:
        self._detector = detector
        self._live = live
        self._single_image = single_image
        self._areas_drawn = areas_drawn
        budget_s = None if single_image else _BUDGET_S
        self._schedule = SweepSchedule(detector.tiles, detector.size_wh, budget_s=budget_s, max_age_s=_MAX_AGE_S,
                                       sweep_s=_SWEEP_S, first_cost_s=_NOMINAL_TILE_S, sparing=live)
        self._scene = BackgroundModel(detector.projection, mount)
        valid = detector.projection.valid_mask()
        self._check = PictureCheck(valid)
        self._change = TileChange(valid, self._scene.size_wh)
        self._shifted_s: float | None = None
        self._last_s = -float("inf")
        self._asked_px, self._asked_s, self._swept_s = np.zeros((0, 2)), np.zeros(0), -np.inf
        self._sound_s: float | None = None  # when the picture was found sound last
        self._moved: tuple[float, list[tuple[int, bytes]], MotionReport] | None = None
        self._compared_s: float | None = None  # time of the picture compared last, not looked at yet, …
        self._unlooked: Bools = NO_CHANGE      # … and where something has changed since the last look
        self._looked = partial(_looked, self._schedule, (), np.zeros((0, 5)))
        self._looked_grid = self._schedule.shown_by(())

    @property
    def projection(self) -> Projection:
        """Projection of the pictures to hand over."""
        return self._detector.projection

    def reset(self) -> None:
        """Forget the scene."""
        self._schedule.restart()
        self._scene.reset()
        self._check.restart()
        self._change.restart()
        self._sound_s = self._moved = self._shifted_s = None
        self._all_looked_at()

    def glance(self, picture: LookPicture, t_s: float, boxes: NDArray[np.float64]) -> Glance:
        """See `Analyzer.glance`; after 2 s without a look, always news: the empty scene and the picture are due."""
        moved_s = self._moved[0] if self._moved is not None else None
        if self._check.away or not _lately(self._sound_s, t_s) or not _lately(moved_s, t_s):
            return Glance.NEWS
        changed = self._changes(picture, t_s)
        if changed.any():
            before_s = np.full(len(boxes), self._last_s)
            if np.count_nonzero(changed) > _FEW_CHANGED or not self._change.unchanged(boxes, before_s).all():
                return Glance.NEWS
            self._schedule.changed(self._change.cells(changed, self._schedule.coverage.grid_wh), t_s)
            self._unlooked = NO_CHANGE
        self._check.nothing_new()
        self._last_s = t_s
        return Glance.SAME if self._schedule.rests(t_s) else Glance.DUE

    def look(self, picture: LookPicture, t_s: float, figures: tuple[Figure, ...], *,
             sweep_all: bool = False, changed_px: NDArray[np.float64] = NOWHERE,
             budget_s: float | None = None) -> Observation:
        """Check, sweep the tiles that are due, compare with the empty scene. Raises what the detector raises."""
        if sweep_all:
            self._schedule.restart()
        changed = NO_CHANGE if self._single_image else self._changes(picture, t_s)
        self._all_looked_at()
        calm = not self._single_image and not sweep_all and not changed.any()
        trouble = self._trouble(picture, t_s, calm=calm)
        if self._areas_drawn and self._check.away and trouble is None:
            trouble = Trouble.SHIFTED  # an area that leaves people clear may lie over anybody now
        if trouble is not None:
            self._schedule.restart()
            self._accept_shift(trouble, t_s)
            return Observation(Detections.empty(), trouble.value.replace("_", " "), NO_FOREGROUND, complete=False,
                            gone=lambda track: None)
        self._shifted_s = None
        if self._single_image:
            return self._observation(self._sweep(picture, t_s, np.zeros((0, 2)), np.zeros((0, 5))), NO_FOREGROUND)
        known = _Known(figures, self._change)
        self._tell_changes(changed, t_s, known)
        motion = self._motion(picture, t_s, known, calm=calm)
        scene_change = motion.global_change or self._check.changed
        if scene_change:
            self._schedule.restart()
        news = self._news(*self._foreign(motion.moving_px, known), t_s)
        found = self._sweep(picture, t_s, news,
                            _at_risk(figures, motion.moving, picture.size_wh[0]), budget_s, changed_px)
        self._scene.invalidate(found.boxes[found.scores >= _SOMEBODY_SCORE])
        observed = self._observation(found, self._unexplained(motion.foreground, known.outlines, found))
        return replace(observed, scene_change=scene_change,
                       background_known=motion.known_share >= _BACKGROUND_SHARE)

    def _changes(self, picture: LookPicture, t_s: float) -> Bools:
        """Where something has changed since the last look; a picture is compared once, however often it is asked for.
        """
        if self._compared_s != t_s:
            changed = self._change.update(picture.grey(self._scene.size_wh), t_s)
            self._compared_s, self._unlooked = t_s, np.asarray(changed | self._unlooked, bool)
        return self._unlooked

    def _all_looked_at(self) -> None:
        self._compared_s, self._unlooked = None, NO_CHANGE

    def _trouble(self, picture: LookPicture, t_s: float, *, calm: bool) -> Trouble | None:
        """What is wrong with the picture; of one that is as it was, what was found a moment ago."""
        if calm and not self._check.away and _lately(self._sound_s, t_s):
            self._check.nothing_new()
            return None
        trouble = self._check.check(np.ascontiguousarray(picture.ycrcb(self._scene.size_wh)[..., 0]), t_s)
        self._sound_s = None if trouble is not None else t_s
        return trouble

    def _motion(self, picture: LookPicture, t_s: float, known: _Known, *, calm: bool) -> MotionReport:
        """What moves and differs from the empty scene; of a picture that is as it was, what did a moment ago."""
        people = [(figure.id, figure.box.tobytes()) for figure in known.figures]
        if calm and self._moved is not None and _lately(self._moved[0], t_s) and people == self._moved[1]:
            return self._moved[2]
        motion = self._scene.update(picture, t_s, known.outlines)
        still = replace(motion, moving=np.zeros_like(motion.moving), moving_px=np.zeros((0, 2)), global_change=False)
        self._moved = None if motion.global_change else (t_s, people, still)
        return motion

    def _tell_changes(self, changed: NDArray[np.bool_], t_s: float, known: _Known) -> None:
        """Tell the schedule where the picture has changed, and where somebody is expected whom the last look missed."""
        grid_wh = self._schedule.coverage.grid_wh
        foreign = unexplained = None
        if self._live and changed.any():  # frames leave before all places have been looked at again
            foreign, unexplained = (self._change.cells(self._change.large(changed & ~known.near(reach)), grid_wh)
                                    for reach in (_OWN_REACH, _SHADOW_REACH))
        cells = self._change.cells(changed, grid_wh) if changed.any() else np.zeros(grid_wh[::-1], bool)
        missed_s = max(_AT_RISK_AGE_S, _MISSED_LOOKS * (t_s - self._last_s))
        self._last_s = t_s
        missed = np.array([figure.box[:2] for figure in known.figures if figure.age_s > missed_s]).reshape(-1, 2)
        x, y = np.clip(missed / self._detector.size_wh * grid_wh, 0, np.array(grid_wh) - 1).astype(np.intp).T
        theirs = np.zeros(cells.shape, np.uint8)
        theirs[y, x] = 1
        cells = cells | cv2.dilate(theirs, np.ones((3, 3), np.uint8)).view(bool)  # as large as a head
        self._schedule.changed(cells, t_s, unexplained, foreign)

    def _foreign(self, moving_px: NDArray[np.float64],
                 known: _Known) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The moving places that are not at people seen of late, and which of them are near them."""
        if not len(moving_px):
            return moving_px, np.zeros(0, bool)
        moving_px = moving_px[~self._change.at(known.near(_OWN_REACH), moving_px)]
        return moving_px, self._change.at(known.near(_SHADOW_REACH), moving_px)

    def _news(self, moving_px: NDArray[np.float64], theirs: NDArray[np.bool_], t_s: float) -> NDArray[np.float64]:
        """The places that move, but for those just looked at because of it: shadows and leaves move all the time.

        Those that are `theirs`, near somebody known, are followed and asked for again after a while.
        """
        near = np.linalg.norm(moving_px[:, None] - self._asked_px[None], axis=2) \
            <= _SAME_PLACE_SHARE * max(self._detector.size_wh)
        of_late = near & (t_s - self._asked_s < _ASK_AGAIN_S) & theirs[:, None]
        for row, asked in zip(*np.nonzero(of_late), strict=True):
            self._asked_px[asked] = moving_px[row]
        last = near & (self._asked_s == self._swept_s)
        news: NDArray[np.float64] = moving_px[~(last | of_late).any(axis=1)]
        return news

    def _ask(self, moving_px: NDArray[np.float64], served: NDArray[np.bool_], t_s: float) -> None:
        """Remember the places that were looked at because they move; the others ask again."""
        kept = t_s - self._asked_s < _ASK_AGAIN_S
        self._asked_px = np.concatenate([self._asked_px[kept], moving_px[served]])
        self._asked_s = np.concatenate([self._asked_s[kept], np.full(int(served.sum()), t_s)])
        self._swept_s = t_s

    def _observation(self, found: Detections, foreground: ForegroundRegions) -> Observation:
        return Observation(found, "", foreground, complete=self._schedule.complete, gone=self._gone,
                           looked=self._looked, looked_grid=self._looked_grid, unchanged=self._change.unchanged,
                           left=regions_over(self._schedule.left, self._detector.size_wh),
                           left_share=self._schedule.left_share, hurried=self._live and self._schedule.hurried)

    def _gone(self, track: Track) -> bool | None:
        return self._scene.place_empty(np.asarray(track.box, np.float64))

    def _sweep(self, picture: LookPicture, t_s: float, moving_px: NDArray[np.float64],
               at_risk: NDArray[np.float64], budget_s: float | None = None,
               changed_px: NDArray[np.float64] = NOWHERE) -> Detections:
        share = 1.0 if budget_s is None else min(1.0, budget_s / _BUDGET_S)
        most = max(_LEAST_FOLLOWED, round(_MOST_FOLLOWED * share))
        followed = at_risk[:most if self._detector.follows else 0]
        waiting = at_risk[len(followed):]  # for their tiles
        tiles = self._schedule.next(t_s, motion_px=moving_px, tracks_px=waiting[:, :2], budget_s=budget_s)
        tiles = self._schedule.and_showing(tiles, changed_px)
        start_s = time.perf_counter()
        found = Detections.empty()
        if tiles or len(followed) or not self._detector.tiles:  # a detector without tiles looks at all of it
            found = self._detector.detect(picture.bgr, tiles, followed)
        took_s = time.perf_counter() - start_s if self._live else _NOMINAL_TILE_S * len(tiles)
        self._schedule.done(tiles, t_s, took_s)
        self._looked = partial(_looked, self._schedule, tiles, followed)
        self._looked_grid = self._schedule.shown_by(tiles)
        self._ask(moving_px, self._schedule.serves(tiles, moving_px), t_s)
        return found

    def _unexplained(self, foreground: ForegroundRegions, outlines: list[NDArray[np.float64]],
                     found: Detections) -> ForegroundRegions:
        """The foreground regions that neither a track nor a detection covers."""
        if not len(foreground):
            return NO_FOREGROUND
        w, h = self._detector.size_wh
        scale = min(1.0, _MASK_SIDE_PX / max(w, h))
        known = np.zeros((max(1, round(h * scale)), max(1, round(w * scale))), np.uint8)
        people = outlines + [box_ops.to_pixels(box.astype(np.float64), outline.astype(np.float64))
                             for box, outline in zip(found.boxes, found.outlines, strict=True)]
        for polygon in people:
            cv2.fillPoly(known, [np.round(polygon * scale - 0.5).astype(np.int32)], 1)
        kept = []
        for index, (box, outline) in enumerate(zip(foreground.boxes, foreground.outlines, strict=True)):
            own = np.zeros_like(known)
            polygon = box_ops.to_pixels(box, outline.astype(np.float64))
            cv2.fillPoly(own, [np.round(polygon * scale - 0.5).astype(np.int32)], 1)
            area = int(own.sum())
            if area == 0 or int((own & known).sum()) < _COVERED_SHARE * area:
                kept.append(index)
        return ForegroundRegions(foreground.boxes[kept], tuple(foreground.outlines[index] for index in kept))

    def _accept_shift(self, trouble: Trouble, t_s: float) -> None:
        if trouble is not Trouble.SHIFTED or self._areas_drawn:
            return
        if self._shifted_s is None:
            self._shifted_s = t_s
        elif t_s - self._shifted_s > _ACCEPT_SHIFT_S:
            self._check.accept_scene()
            self._scene.reset()


def _lately(at_s: float | None, t_s: float) -> bool:
    """Whether what was found at a moment still holds for a picture that is as it was."""
    return at_s is not None and 0 <= t_s - at_s < _CALM_S


def _looked(schedule: SweepSchedule, tiles: tuple[int, ...], followed: NDArray[np.float64],
            px: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(N,) bool: which of (N, 2) places a look showed the detector, by its tiles or a close-up of somebody expected."""
    gaps = np.linalg.norm(px[:, None] - followed[None, :, :2], axis=2)
    near: NDArray[np.bool_] = (gaps < _SAME_BOX_PX).any(axis=1)
    return schedule.looked_at(tiles, px) | near


def _at_risk(figures: tuple[Figure, ...], moving: NDArray[np.bool_], width_px: int) -> NDArray[np.float64]:
    """(M, 5) boxes of the figures not seen for a while that move, or that were never sure, the longest unseen first.

    `moving` (h, w) is the motion in the picture `width_px` wide. A still figure waits for its tile's turn.
    """
    scale = moving.shape[1] / width_px
    boxes = []
    for figure in sorted(figures, key=lambda one: -one.age_s):
        if figure.age_s <= _AT_RISK_AGE_S:
            continue
        x, y = figure.box[:2] * scale
        reach = float(figure.box[2:4].max()) * scale / 2
        top, bottom, left, right = (max(0, int(edge)) for edge in (y - reach, y + reach + 1, x - reach, x + reach + 1))
        if figure.score < _AT_RISK_SCORE or moving[top:bottom, left:right].any():
            boxes.append(figure.box)
    return np.array(boxes, np.float64).reshape(-1, 5)
