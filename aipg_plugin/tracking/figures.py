"""The figures of any moment: between points, after the last, before the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aipg_plugin.geometry import Figure, Mount, Projection, to_local, to_pixels, up_angle_deg
from aipg_plugin.geometry.arrays import Float64
from aipg_plugin.tracking.motion import MotionPlane
from aipg_plugin.tracking.shapes import joined, united
from aipg_plugin.tracking.silhouettes import Silhouettes, in_picture
from aipg_plugin.tracking.track import Pose, TrackHistory, TrackPoint

EXTRAPOLATE_S = 0.4      # people walk on for so long as they did; later they may have turned
_MOVED_SHARE = 0.5       # of a box's size from one point to the next: that is walking
# Growth of the position uncertainty, metres per second of evidence age (chosen with `benchmarks.fit`).
_STATIONARY_M_S = 0.03   # seen before and after at the same place
_BETWEEN_M_S = 0.1       # seen before and after at two places
_TURN_M_S2 = 3.0         # who turns round between two looks …
_LONG_GAP_S = 0.35       # … farther apart than this, live, is so far off their straight way
_BRACKETED_M_S = 0.2     # the same of somebody whom motion alone shows
_STANDING_M_S = 0.15     # last seen standing
_AHEAD_M_S = 0.6         # last seen walking and expected farther on: the way they go …
_ASIDE_M_S = 0.2         # … and to its sides
_UNKNOWN_M_S = 1.2       # seen once, or as motion only: a slow walk in any direction
_LOOKED_SHARE = 0.5      # of these where the place has been looked at since: who had moved would have been found
_WALKING_FROM_M_S = 0.2  # somebody slower stands
_MAX_LOOKED_M = 0.12     # the most where the place has been looked at: somebody hidden moves little …
_MAX_LOOKED_LATER_M = 0.06  # … and less where nobody was found there afterwards either (files)
_MAX_UNCERTAINTY_M = 0.8 # about a step: who is farther is found again elsewhere
_MOST_PLACED = 256       # whose outlines in the picture are kept
_UNMOVED = 0.015         # moves smaller than this share of the box are none


@dataclass(frozen=True, slots=True)
class _Guess:
    """A figure beyond its track's first or last point, `dt_s` from it as it walks and `age_s` in all."""

    history: TrackHistory
    base: TrackPoint
    dt_s: float
    age_s: float
    hindsight: bool


class FigureMaker:
    """Makes figures from histories; everything that needs the projection is done for all people at once."""

    def __init__(self, projection: Projection, mount: Mount, plane: MotionPlane) -> None:
        self._projection, self._mount, self._plane = projection, mount, plane
        self._silhouettes = Silhouettes()
        self._placed: dict[int, tuple[Float64, Pose, Float64, Float64]] = {}

    def predicted(self, histories: Sequence[TrackHistory], dts_s: Float64) -> Float64:
        """(N, 5) boxes `dts_s` (N,) after the last points (before the first ones where negative)."""
        if not histories:
            return np.zeros((0, 5))
        first = dts_s < 0
        edges = [h.points[0] if early else h.last for h, early in zip(histories, first, strict=True)]
        speeds = [h.speeds(at_start=bool(early)) for h, early in zip(histories, first, strict=True)]
        boxes = np.stack([s.box for s in edges])
        centres = self._plane.moved(boxes[:, :2], np.stack([s.place_m for s in edges]),
                                    np.stack([s[0] for s in speeds]), np.stack([s[1] for s in speeds]), dts_s)
        step = np.hypot(*(centres - boxes[:, :2]).T)
        moved = step > _UNMOVED * np.sqrt(boxes[:, 2] * boxes[:, 3])
        lean = np.array([s.lean_deg for s in edges])
        angle = up_angle_deg(self._projection, self._mount, centres) + lean
        return np.where(moved[:, None], np.column_stack([centres, boxes[:, 2:4], angle]), boxes)

    def figures(self, histories: Sequence[TrackHistory], t_s: float, *, hindsight: bool) -> tuple[Figure, ...]:
        """Everybody at one moment; in `hindsight`, histories go on for long after it."""
        self._silhouettes.come(t_s)
        guesses: list[_Guess] = []
        made: list[Figure] = []
        for history in histories:
            before, after = history.around(t_s)
            if before is not None and before.t_s == t_s:
                made.append(self._seen(history, before, 0.0, hindsight=hindsight))
            elif before is not None and after is not None:
                made.append(self._between(history, before, after, t_s, hindsight))
            elif before is not None:
                age_s = t_s - before.t_s
                guesses.append(_Guess(history, before, min(age_s, EXTRAPOLATE_S), age_s, hindsight))
            elif after is not None and after.t_s - t_s <= (history.lead_s if hindsight else history.unsure_lead_s):
                age_s = after.t_s - t_s
                guesses.append(_Guess(history, after, -min(age_s, EXTRAPOLATE_S), age_s, hindsight))
        return (*made, *self._beyond(guesses))

    def _seen(self, history: TrackHistory, seen: TrackPoint, age_s: float, position_uncertainty_m: float = 0.0, *,
              hindsight: bool) -> Figure:
        """A figure where it was seen."""
        outline = self._outline(history, seen, seen.box, hindsight)
        return Figure(history.id, seen.box, outline, seen.head, seen.score, seen.t_s, age_s, position_uncertainty_m)

    def _outline(self, history: TrackHistory, seen: TrackPoint, box: Float64, hindsight: bool) -> Float64:
        """(K, 2) a sighting's calm outline, local to `box`."""
        own_m = self._silhouettes.at(history, seen, hindsight=hindsight)
        kept = self._placed.get(history.id)
        if kept is not None and kept[0] is own_m and kept[1] is seen.pose and kept[2] is box:
            return kept[3]
        px = in_picture(seen.pose, own_m, shifted_px=seen.box[0] - seen.x_px)
        if len(self._placed) >= _MOST_PLACED:
            self._placed.clear()
        placed = to_local(box, px)
        self._placed[history.id] = own_m, seen.pose, box, placed
        return placed

    def _beyond(self, guesses: list[_Guess]) -> list[Figure]:
        """Figures past the first or last point: they cover the place seen and the place expected."""
        boxes = self.predicted([g.history for g in guesses], np.array([g.dt_s for g in guesses]))
        figures = []
        for guess, box in zip(guesses, boxes, strict=True):
            seen = guess.base
            ahead_m, aside_m = _uncertainty_m(guess)
            step = box[:2] - seen.box[:2]
            if not step.any():
                figures.append(self._seen(guess.history, seen, guess.age_s, max(ahead_m, aside_m),
                                          hindsight=guess.hindsight))
                continue
            shown = self._outline(guess.history, seen, seen.box, guess.hindsight)
            farthest = box.copy()
            farthest[:2] += step / np.hypot(*step) * ahead_m * seen.pose.per_metre
            outline = joined(box, to_local(box, to_pixels(farthest, shown)), seen.box, shown)
            head = seen.head + np.array([*(box[:2] - seen.box[:2]), 0.0])
            figures.append(Figure(guess.history.id, box, outline, head, seen.score, seen.t_s, guess.age_s, aside_m))
        return figures

    def _between(self, history: TrackHistory, a: TrackPoint, b: TrackPoint, t_s: float, hindsight: bool) -> Figure:
        """A figure on the way from one point to the next; the same one for as long as nothing changes at the place."""
        if a.sighting is b.sighting:
            return self._seen(history, a, 0.0, hindsight=hindsight)
        share = (t_s - a.t_s) / (b.t_s - a.t_s)
        there = _box_near(b, a)
        turn = (there[4] - a.box[4] + 180) % 360 - 180
        box = a.box + share * np.array([*(there[:4] - a.box[:4]), turn])
        own_m = self._silhouettes.at(history, a, b, share, hindsight=hindsight)
        px = in_picture(a.pose.towards(b.pose, share), own_m, shifted_px=a.box[0] - a.x_px)
        outline = to_local(box, px)
        nearer = a if share < 0.5 else b
        if a.t_s in history.skipped:  # maybe two people: the one who was missed may stand where they were seen
            outline = united(box, outline, _box_near(nearer, a), nearer.outline)
        age_s = min(t_s - a.t_s, b.t_s - t_s)
        moved = float(np.hypot(*(there[:2] - a.box[:2]))) / float(np.sqrt(a.box[2] * a.box[3]))
        rate_m_s = _STATIONARY_M_S + (_BETWEEN_M_S - _STATIONARY_M_S) * min(1.0, moved / _MOVED_SHARE)
        turned_m = 0.0 if hindsight or b.t_s - a.t_s <= _LONG_GAP_S else (
            _TURN_M_S2 / 2 * (t_s - a.t_s) * (b.t_s - t_s))
        return Figure(history.id, box, outline, _head(a, b, share), nearer.score, nearer.t_s, age_s,
                      min(_MAX_UNCERTAINTY_M, rate_m_s * age_s + turned_m))


def _box_near(point: TrackPoint, anchor: TrackPoint) -> Float64:
    """(5,) a point's box on the same side of a panorama's seam as another's."""
    box = point.box.copy()
    box[0] = anchor.box[0] + point.x_px - anchor.x_px
    return box


def glimpse_uncertainty_m(age_s: float, *, bracketed: bool = False) -> float:
    """How far somebody of whom only one moment is known, `age_s` away, may be: a walk in any direction.

    `bracketed`: another look shows where they are on the other side of the moment asked for.
    """
    return min(_MAX_UNCERTAINTY_M, _BRACKETED_M_S * age_s if bracketed else _UNKNOWN_M_S * age_s)


def _uncertainty_m(guess: _Guess) -> tuple[float, float]:
    """How far somebody may be from the way between where they were last (or will first be) seen and where they are
    expected: onward along it, and to any side.
    """
    ahead_m, aside_m = _free_uncertainty_m(guess)
    looked = guess.dt_s < 0 or any(miss.looked for miss in guess.history.misses)
    most_looked_m = _MAX_LOOKED_LATER_M if guess.hindsight else _MAX_LOOKED_M
    most_m, share = (most_looked_m, _LOOKED_SHARE) if looked else (_MAX_UNCERTAINTY_M, 1.0)
    return min(most_m, share * ahead_m), min(most_m, share * aside_m)


def _free_uncertainty_m(guess: _Guess) -> tuple[float, float]:
    """The same where nobody has looked since."""
    if len(guess.history.points) < 2:
        return 0.0, glimpse_uncertainty_m(guess.age_s)
    speed_m_s = float(np.hypot(*guess.history.speeds(at_start=guess.dt_s < 0)[0]))
    if speed_m_s < _WALKING_FROM_M_S:
        return 0.0, _STANDING_M_S * guess.age_s
    expected_s = abs(guess.dt_s)
    later_m = _UNKNOWN_M_S * (guess.age_s - expected_s)
    return _AHEAD_M_S * expected_s, _ASIDE_M_S * expected_s + later_m


def _head(before: TrackPoint, after: TrackPoint, share: float) -> Float64:
    """(3,) the head on the way; if only one point has it, moved along with the box."""
    step = np.array([*(after.centre_px - before.centre_px), 0.0])
    from_after = after.head + np.array([before.box[0] - before.x_px + after.x_px - after.box[0], 0.0, 0.0])
    if np.isfinite(before.head[0]) and np.isfinite(after.head[0]):
        return np.asarray((1 - share) * before.head + share * from_after)
    if np.isfinite(before.head[0]):
        return np.asarray(before.head + share * step)
    return np.asarray(from_after - (1 - share) * step)
