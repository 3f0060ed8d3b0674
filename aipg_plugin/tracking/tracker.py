"""Tracks people from detections: confirms at once, holds long, fills gaps both ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from aipg_plugin.geometry import (
    Figure,
    Mount,
    Projection,
    floor_position,
    pixels_per_metre,
    seam,
    share_inside,
    up_angle_deg,
)
from aipg_plugin.geometry.arrays import Bools, Float64, Ints
from aipg_plugin.thresholds import GLIMPSE_SCORE
from aipg_plugin.tracking.association import CONFIDENT, WEAK, match
from aipg_plugin.tracking.beginnings import Beginnings, Looked
from aipg_plugin.tracking.figures import EXTRAPOLATE_S, FigureMaker
from aipg_plugin.tracking.hindsight import revised, walked_on_s
from aipg_plugin.tracking.motion import MotionPlane, Walk
from aipg_plugin.tracking.shapes import joined, united
from aipg_plugin.tracking.track import Miss, Pose, Track, TrackHistory, TrackPoint

__all__ = ["Track", "Tracker"]

Gone = Callable[[Track], bool | None]
Unchanged = Callable[[Float64, Float64], Bools]

HISTORY_S = 10.0        # kept, more than any look-ahead
_OCCUPIED_HOLD_S = 60.0  # longest hold of a place that still does not look empty …
_UNLOOKED_HOLD_S = 10.0  # … and of one that nobody has had the time to look at since
_MOST_MADE = 64          # moments whose figures are kept
_GONE_TIMES = 2          # a place must look empty in this many updates in a row
_WALKED_ON_LOOKS = 5     # that miss a walker where they are expected: a second, and they are not there any more
_PREDICT_S = 1.0         # farthest prediction for matching
_GLIMPSE_HOLD_S = 1.0    # hold of somebody seen once only, and not clearly
_DUPLICATE_IOU = 0.7     # two detections of one person
_GHOST_S, _GHOST_SHARE = 1.0, 0.85  # unseen for so long and so much inside somebody who is seen: the same person
_TURNED_DEG = 30.0       # between two sightings
_PART_SCORE, _PART_SIZE = 0.6, 0.7  # so much less sure and smaller than before: a part of who goes behind something
_CUT_SIZE = 0.85         # so much smaller than before, in a tile that does not show the place well: a part of them
_PART_S = 1.2             # after a longer time it may be somebody else
_WEAK_SHRINK = 0.85      # a weak point may make a box this much smaller at once


class DetectionArrays(Protocol):
    """What the tracker reads of detections (`detection.Detections`)."""

    @property
    def boxes(self) -> NDArray[np.floating[Any]]:
        """(N, 5) gravity-aligned boxes."""

    @property
    def scores(self) -> NDArray[np.floating[Any]]:
        """(N,) 0–1."""

    @property
    def heads(self) -> NDArray[np.floating[Any]]:
        """(N, 3) x, y, r px or NaN."""

    @property
    def outlines(self) -> Sequence[NDArray[np.floating[Any]]]:
        """N outlines (K, 2) in box coordinates."""


class Tracker:
    """People of one camera, in the pixels of `projection`.

    A detection of at least `on_score` starts a track; one of at least `keep_score` only continues one, or leads up to
    the one that starts it. A track ends `hold_s` after it was last seen (a single unsure glimpse 1 s), sooner where its
    place looks empty again, later (up to a minute) while it is known not to. `backfill_s` before its first point it
    already has a figure. What is older than `history_s` is forgotten. Not thread-safe.
    """

    def __init__(self, projection: Projection, mount: Mount, hold_s: float = 3.0, on_score: float = 0.3,
                 keep_score: float | None = None, *, backfill_s: float = 1.0, history_s: float = HISTORY_S) -> None:
        self._projection, self._mount = projection, mount
        self._history_s = history_s
        self.set_limits(hold_s=hold_s, on_score=on_score, keep_score=on_score / 2 if keep_score is None else keep_score)
        self._period_px = seam.period_of(projection.parts)
        self._plane = MotionPlane(projection, mount)
        self._maker = FigureMaker(projection, mount, self._plane)
        self._histories: list[TrackHistory] = []
        self._revised: list[TrackHistory] | None = None
        self._made: dict[tuple[float, bool, bool], tuple[Figure, ...]] = {}  # for moments asked of late
        self._next_id = 1
        self._last_s: float | None = None
        self._beginnings = Beginnings(projection, backfill_s)
        self._segment = 0

    @property
    def tracks(self) -> tuple[Track, ...]:
        """Everybody tracked at the last update."""
        active = self._active()
        if self._last_s is None or not active:
            return ()
        dts = np.array([min(self._last_s - h.last.t_s, EXTRAPOLATE_S) for h in active])
        return tuple(_public(h, box) for h, box in zip(active, self._maker.predicted(active, dts), strict=True))

    def figures(self, t_s: float, *, hindsight: bool = False, walked_on: bool = True) -> tuple[Figure, ...]:
        """Everybody at one moment, past, present or to come; in `hindsight`, by what was seen up to now.

        Without `walked_on`, less who walked and is missed by look after look where they are expected: they are still
        looked for, but not there any more.
        """
        key = (t_s, hindsight, walked_on)
        made = self._made.get(key)
        if made is None:
            if len(self._made) >= _MOST_MADE:
                self._made.clear()
            histories = self._in_hindsight() if hindsight else self._histories
            there = [h for h in histories if (h.end_s is None or t_s <= h.end_s)
                     and (walked_on or hindsight or not _gone(h, t_s))]
            made = self._made[key] = self._maker.figures(there, t_s, hindsight=hindsight)
        return made

    @property
    def on_score(self) -> float:
        """Score of a detection that starts a track."""
        return self._on_score

    def set_limits(self, *, hold_s: float, on_score: float, keep_score: float) -> None:
        """Change what it takes to be tracked, from the next update on."""
        self._hold_s, self._on_score, self._keep_score = hold_s, on_score, keep_score

    def all_seen(self, t_s: float) -> bool:
        """Whether everybody tracked was seen, or held in place, at this moment or later."""
        return all(history.last.t_s >= t_s for history in self._active())

    @property
    def boxes(self) -> Float64:
        """(N, 5) where everybody tracked was seen last."""
        return np.array([history.last.box for history in self._active()]).reshape(-1, 5)

    def hold(self, t_s: float) -> None:
        """Nothing has changed up to a moment since everybody was seen: they are where they were."""
        self._histories_change()
        self._last_s = t_s
        for history in self._active():
            history.hold(t_s)

    def new_segment(self, t_s: float, hold_s: float | None = None) -> None:
        """Another scene from here on: who was seen before is never taken for somebody seen after.

        They are held in place for `hold_s` (None: the usual hold), in case it is the same scene in another light.
        """
        for history in self._active():
            history.end_s = t_s + (self._hold_s if hold_s is None else min(hold_s, self._hold_s))
        self._segment += 1
        self._beginnings.clear()
        self._histories_change()

    def reset(self) -> None:
        """Forget everybody; ids go on."""
        self._histories.clear()
        self._beginnings.clear()
        self._histories_change()
        self._last_s = None

    def prune(self, before_s: float) -> None:
        """Forget what no moment from `before_s` on needs."""
        self._histories_change()
        self._histories = [h for h in self._histories if h.end_s is None or h.end_s >= before_s]
        for history in self._histories:
            history.prune(before_s)

    def update(self, detections: DetectionArrays, t_s: float, gone: Gone | None = None,
               looked: Looked | None = None, unchanged: Unchanged | None = None) -> None:
        """Take in what was seen at `t_s` (a time not after the last one counts as 1 µs later).

        `gone(track)` says of a track that was not seen whether its place looks empty again (None: can't tell);
        `looked(px)` of (N, 2) pixels which of them were looked at (none given: all); `unchanged(boxes, since_s)` of
        places (N, 5) which have not changed since moments (N,): who was there is there still (none given: none).
        """
        self._histories_change()
        if self._last_s is not None and t_s <= self._last_s:
            t_s = self._last_s + 1e-6
        self._last_s = t_s
        active = self._active()
        scores = np.asarray(detections.scores, dtype=np.float64)
        finite = np.isfinite(np.asarray(detections.boxes, dtype=np.float64)).all(axis=1) & (scores >= self._keep_score)
        use = np.flatnonzero(finite)
        use = use[np.argsort(-scores[use], kind="stable")]
        points = self._points(detections, use, t_s)
        boxes = np.stack([s.box for s in points]) if points else np.zeros((0, 5))
        pairs = self._match(active, boxes, scores[use], t_s)
        seen = {row for row, _ in pairs}
        for row, column in pairs:
            self._continue(active[row], points[column], looked)
        owners = {column: active[row] for row, column in pairs}
        self._begin(points, boxes, owners, looked)
        missed = [history for row, history in enumerate(active) if row not in seen]
        missed = self._hold(missed, t_s, looked, unchanged)
        self._close(missed, list(owners.values()), t_s, gone, looked)
        self._beginnings.add(t_s, looked or _everywhere, [p for column, p in enumerate(points) if column not in owners],
                             [history.last.box for history in owners.values()])
        self.prune(t_s - self._history_s)

    def _in_hindsight(self) -> list[TrackHistory]:
        if self._revised is None:
            self._revised = revised(self._histories)
        return self._revised

    def _histories_change(self) -> None:
        self._revised = None
        self._made.clear()

    def _active(self) -> list[TrackHistory]:
        return [h for h in self._histories if h.end_s is None]

    def _points(self, detections: DetectionArrays, use: Ints, t_s: float) -> list[TrackPoint]:
        """The detections at `use`, with everything geometry knows about them."""
        boxes = np.asarray(detections.boxes, dtype=np.float64)[use]
        if not len(boxes):
            return []
        lean = (boxes[:, 4] - up_angle_deg(self._projection, self._mount, boxes[:, :2]) + 180) % 360 - 180
        places = self._plane.lift(boxes[:, :2])
        floor = floor_position(self._projection, self._mount, boxes)
        density = pixels_per_metre(self._projection, self._mount, boxes[:, :2])
        return [TrackPoint(t_s, boxes[k], np.asarray(detections.outlines[index], dtype=np.float64),
                         np.asarray(detections.heads[index], dtype=np.float64), float(detections.scores[index]),
                         float(lean[k]), places[k], floor[k], float(boxes[k, 0]),
                         Pose(float(boxes[k, 0]), float(boxes[k, 1]), float(boxes[k, 4]), float(density[k])),
                         Walk.begun(t_s, boxes[k, :2]))
                for k, index in enumerate(use.tolist())]

    def _match(self, active: list[TrackHistory], boxes: Float64, scores: Float64, t_s: float) -> list[tuple[int, int]]:
        """Pairs (track, detection): the confident detections first, then the weak ones for those left over."""
        gaps = np.array([t_s - h.last.t_s for h in active])
        expected = self._maker.predicted(active, np.minimum(gaps, _PREDICT_S))
        confident = np.flatnonzero(scores >= self._on_score)
        weak = np.flatnonzero(scores < self._on_score)
        pairs = [(row, int(confident[column]))
                 for row, column in match(self._projection, expected, boxes[confident], gaps, CONFIDENT)]
        taken = {row for row, _ in pairs}
        left = np.array([row for row in range(len(active)) if row not in taken], dtype=np.intp)
        found = match(self._projection, expected[left], boxes[weak], gaps[left], WEAK)
        return pairs + [(int(left[row]), int(weak[column])) for row, column in found]

    def _continue(self, history: TrackHistory, point: TrackPoint, looked: Looked | None) -> None:
        """Add a sighting. Where it may show a part of them, the mask keeps what the last one showed."""
        last = history.last
        step = float(seam.shortest_dx(np.array([point.box[0] - last.box[0]]), self._period_px)[0])
        box = point.box
        if point.score < self._on_score:
            # A weak point often shows a part: it may not shrink the mask at once.
            box = box.copy()
            box[2:4] = np.maximum(box[2:4], _WEAK_SHRINK * last.box[2:4])
        point = replace(point, box=box, x_px=last.x_px + step)
        size = float(np.prod(box[2:4]) / np.prod(last.box[2:4]))
        cut = size < _CUT_SIZE and looked is not None and not looked(point.box[None, :2])[0]
        part = cut or (size < _PART_SIZE and point.score < _PART_SCORE * last.score)
        if part and point.t_s - last.t_s <= _PART_S:
            expected = self._maker.predicted([history], np.array([min(point.t_s - last.t_s, EXTRAPOLATE_S)]))[0]
            point = replace(point, outline=united(box, point.outline, expected, last.outline))
        walk = last.walk.seen(point.t_s, point.centre_px)
        history.add(replace(point, walk=walk, pose=_pose(last.pose, point, walk)))

    def _begin(self, points: list[TrackPoint], boxes: Float64, owners: dict[int, TrackHistory],
               looked: Looked | None) -> None:
        """Start a track for every confident detection left, unless it is a second one of somebody just seen."""
        for column, point in enumerate(points):
            if column in owners or point.score < self._on_score:
                continue
            known = list(owners)
            double = seam.iou(boxes[column:column + 1], boxes[known], self._period_px)[0] if known else np.zeros(0)
            if double.size and double.max() > _DUPLICATE_IOU:
                owner = owners[known[int(double.argmax())]]
                owner.replace_last(_merged(owner.last, point))
                continue
            owners[column] = self._begun(point, looked)
            self._histories.append(owners[column])
            self._next_id += 1

    def _begun(self, point: TrackPoint, looked: Looked | None) -> TrackHistory:
        """The track of a confident detection and of the weaker ones that lead up to it."""
        first, *rest = [*self._beginnings.take(point), point]
        history = TrackHistory(self._next_id, first.t_s, [first], *self._beginnings.leads_s(first), self._segment)
        for one in rest:
            history.misses = self._beginnings.misses(history.last, one)
            self._continue(history, one, looked if one is point else None)
        return history

    def _hold(self, missed: list[TrackHistory], t_s: float, looked: Looked | None,
              unchanged: Unchanged | None) -> list[TrackHistory]:
        """Hold those whose place nobody looked at since they were detected, and has not changed; the others are left.

        A look that shows nobody there is an answer, and the picture's not having changed no better one.
        """
        if unchanged is None or looked is None or not missed:
            return missed
        boxes = np.stack([h.last.box for h in missed])
        held = unchanged(boxes, np.array([h.sighted_s for h in missed])) & ~looked(boxes[:, :2])
        left = []
        for history, same in zip(missed, held, strict=True):
            if same and not any(miss.looked for miss in history.misses):
                history.hold(t_s)
            else:
                left.append(history)
        return left

    def _close(self, missed: list[TrackHistory], seen: list[TrackHistory], t_s: float, gone: Gone | None,
               looked: Looked | None) -> None:
        """End the tracks not seen whose time is up, whose place is empty, or that another has taken over."""
        if not missed:
            return
        dts = np.array([min(t_s - h.last.t_s, EXTRAPOLATE_S) for h in missed])
        boxes = self._maker.predicted(missed, dts)
        others = np.stack([h.last.box for h in seen]) if seen else np.zeros((0, 5))
        shared = share_inside(boxes, others)
        looked_at = (looked or _everywhere)(boxes[:, :2])
        for history, box, share, was in zip(missed, boxes, shared.max(axis=1, initial=0.0), looked_at, strict=True):
            unseen_s = t_s - history.last.t_s
            answer = _empty(gone, history, box)
            history.misses.append(Miss(t_s, bool(was), answer))
            hold_s = self._hold_of(history)
            if answer is False:
                hold_s = max(self._hold_s, _OCCUPIED_HOLD_S)
            elif not any(miss.looked for miss in history.misses):
                hold_s = max(hold_s, _UNLOOKED_HOLD_S)
            if unseen_s > hold_s or _seen_gone(history.misses) or (unseen_s > _GHOST_S and share > _GHOST_SHARE):
                history.end_s = t_s

    def _hold_of(self, history: TrackHistory) -> float:
        glimpse = history.sightings == 1 and history.last.score < GLIMPSE_SCORE
        return min(self._hold_s, _GLIMPSE_HOLD_S) if glimpse else self._hold_s


def _pose(before: Pose, point: TrackPoint, walk: Walk) -> Pose:
    """The own frame of a track's new point: it turns with "up", but for the nadir, where that turns faster than people.
    """
    turn = (point.box[4] - before.angle_deg + 180) % 360 - 180
    angle = before.angle_deg + (float(turn) if abs(turn) < _TURNED_DEG else 0.0)
    return replace(point.pose.at(walk.place_px), angle_deg=angle)


def _everywhere(px: Float64) -> Bools:
    return np.ones(len(px), bool)


def _gone(history: TrackHistory, t_s: float) -> bool:
    """Whether a walker had walked on by a moment."""
    gone_s = walked_on_s(history, _WALKED_ON_LOOKS)
    return gone_s is not None and gone_s < t_s


def _seen_gone(misses: list[Miss]) -> bool:
    """Whether the newest looks say that a place is empty."""
    return len(misses) >= _GONE_TIMES and all(miss.empty for miss in misses[-_GONE_TIMES:])


def _empty(gone: Gone | None, history: TrackHistory, box: Float64) -> bool | None:
    """Whether a track's place looks empty, both where it was seen last and where it is expected."""
    if gone is None:
        return None
    answer = gone(_public(history, box))
    if answer and not np.array_equal(box, history.last.box):
        answer = gone(_public(history, history.last.box))
    return answer


def _merged(first: TrackPoint, second: TrackPoint) -> TrackPoint:
    """Two points of one moment as one that covers both."""
    outline = joined(first.box, first.outline, second.box, second.outline)
    head = first.head if np.isfinite(first.head[0]) else second.head
    return replace(first, outline=outline, head=head, score=max(first.score, second.score))


def _public(history: TrackHistory, box: Float64) -> Track:
    last = history.last
    metres, _ = history.speeds()
    return Track(history.id, history.first_seen_s, last.t_s, box, last.score,
                 last.floor_m if np.isfinite(last.floor_m).all() else None,
                 metres if np.isfinite(metres).all() else None)
