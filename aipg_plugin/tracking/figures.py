"""The figures of any moment: between points, after the last, before the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aipg_plugin.geometry import Figure, Mount, Projection, paired_iou, to_local, to_pixels, up_angle_deg
from aipg_plugin.geometry.arrays import Float64
from aipg_plugin.tracking.motion import MotionPlane
from aipg_plugin.tracking.shapes import both_here, joined, union
from aipg_plugin.tracking.track import TrackHistory, TrackPoint

EXTRAPOLATE_S = 0.4      # people walk on for so long as they did; later they may have turned
_STATIONARY_IOU = 0.5    # of two neighbouring points: both are covered where they are
_TURNED_DEG = 30.0       # near the nadir "up" turns faster than people do
# Growth of the position uncertainty, metres per second of evidence age (chosen with `benchmarks.fit`).
_STATIONARY_M_S = 0.05   # seen before and after at the same place
_BETWEEN_M_S = 0.2       # seen before and after at two places
_STANDING_M_S = 0.2      # last seen standing
_WALKING_ON_M_S = 0.6    # last seen walking, and expected farther on
_UNKNOWN_M_S = 1.2       # seen once, or as motion only: a slow walk in any direction
_LOOKED_SHARE = 0.5      # of these where the place has been looked at since: who had moved would have been found
_WALKING_FROM_M_S = 0.2  # somebody slower stands
_MAX_LOOKED_M = 0.25     # the most where the place has been looked at: somebody hidden moves little
_MAX_UNCERTAINTY_M = 0.8 # about a step: who is farther is found again elsewhere
_UNMOVED = 0.015         # moves smaller than this share of the box are none


@dataclass(frozen=True, slots=True)
class _Guess:
    """A figure between two points (`other`, at `share` of the way) or beyond one (`other` None, after `dt_s`)."""

    history: TrackHistory
    base: TrackPoint
    other: TrackPoint | None
    share: float
    dt_s: float
    age_s: float


class FigureMaker:
    """Makes figures from histories; everything that needs the projection is done for all people at once."""

    def __init__(self, projection: Projection, mount: Mount, plane: MotionPlane) -> None:
        self._projection, self._mount, self._plane = projection, mount, plane

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

    def figures(self, histories: Sequence[TrackHistory], t_s: float) -> tuple[Figure, ...]:
        """Everybody at one moment."""
        guesses: list[_Guess] = []
        made: list[Figure] = []
        neighbours = [(history, *history.around(t_s)) for history in histories]
        _tell_stationary(neighbours)
        for history, before, after in neighbours:
            if before is not None and after is not None:
                if before.t_s == t_s:
                    made.append(_exact(history, before, 0.0))
                elif history.stationary[before.t_s]:
                    made.append(_stationary(history, before, after, t_s))
                else:
                    share = (t_s - before.t_s) / (after.t_s - before.t_s)
                    age_s = min(t_s - before.t_s, after.t_s - t_s)
                    guesses.append(_Guess(history, before, after, share, 0.0, age_s))
            elif before is not None:
                age_s = t_s - before.t_s
                guesses.append(_Guess(history, before, None, 0.0, min(age_s, EXTRAPOLATE_S), age_s))
            elif after is not None and after.t_s - t_s <= history.lead_s:
                age_s = after.t_s - t_s
                guesses.append(_Guess(history, after, None, 0.0, -min(age_s, EXTRAPOLATE_S), age_s))
        return (*made, *self._between([g for g in guesses if g.other is not None]),
                *self._beyond([g for g in guesses if g.other is None]))

    def _beyond(self, guesses: list[_Guess]) -> list[Figure]:
        """Figures past the first or last point: they cover the place seen and the place expected."""
        boxes = self.predicted([g.history for g in guesses], np.array([g.dt_s for g in guesses]))
        figures = []
        for guess, box in zip(guesses, boxes, strict=True):
            seen = guess.base
            uncertainty_m = _position_uncertainty_m(guess)
            if guess.dt_s == 0 or np.array_equal(box, seen.box):
                figures.append(_exact(guess.history, seen, guess.age_s, uncertainty_m))
                continue
            outline = joined(box, seen.outline, seen.box, seen.outline)
            head = seen.head + np.array([*(box[:2] - seen.box[:2]), 0.0])
            figures.append(Figure(guess.history.id, box, outline, head, seen.score, seen.t_s, guess.age_s,
                                  uncertainty_m))
        return figures

    def _between(self, guesses: list[_Guess]) -> list[Figure]:
        """Figures on the way from one point to the next."""
        if not guesses:
            return []
        steps = np.stack([g.other.centre_px - g.base.centre_px for g in guesses if g.other is not None])
        shares = np.array([g.share for g in guesses])
        centres = np.stack([g.base.box[:2] for g in guesses]) + shares[:, None] * steps
        ups = up_angle_deg(self._projection, self._mount, centres)
        return [_on_the_way(guess, centre, float(up))
                for guess, centre, up in zip(guesses, centres, ups, strict=True)]


def _box_near(point: TrackPoint, anchor: TrackPoint) -> Float64:
    """(5,) a point's box on the same side of a panorama's seam as another's."""
    box = point.box.copy()
    box[0] = anchor.box[0] + point.x_px - anchor.x_px
    return box


def _tell_stationary(neighbours: list[tuple[TrackHistory, TrackPoint | None, TrackPoint | None]]) -> None:
    """Work out, once for each pair of points, whether they overlap so much that both are covered in place."""
    new = [(history, a, b) for history, a, b in neighbours
           if a is not None and b is not None and a.t_s not in history.stationary]
    if not new:
        return
    overlaps = paired_iou(np.stack([a.box for _, a, _ in new]), np.stack([_box_near(b, a) for _, a, b in new]))
    for (history, a, _), overlap in zip(new, overlaps.tolist(), strict=True):
        history.stationary[a.t_s] = overlap > _STATIONARY_IOU


def glimpse_uncertainty_m(age_s: float, *, bracketed: bool = False) -> float:
    """How far somebody of whom only one moment is known, `age_s` away, may be: a walk in any direction.

    `bracketed`: another look shows where they are on the other side of the moment asked for.
    """
    return min(_MAX_UNCERTAINTY_M, _BETWEEN_M_S * age_s if bracketed else _UNKNOWN_M_S * age_s)


def _position_uncertainty_m(guess: _Guess) -> float:
    """How far somebody may be from where they were last (or will first be) seen and where they are expected."""
    free_m = _free_uncertainty_m(guess)
    looked = guess.dt_s < 0 or any(miss.looked for miss in guess.history.misses)
    return min(_MAX_LOOKED_M, _LOOKED_SHARE * free_m) if looked else free_m


def _free_uncertainty_m(guess: _Guess) -> float:
    """The same where nobody has looked since."""
    if len(guess.history.points) < 2:
        return glimpse_uncertainty_m(guess.age_s)
    speed_m_s = float(np.hypot(*guess.history.speeds(at_start=guess.dt_s < 0)[0]))
    if speed_m_s < _WALKING_FROM_M_S:
        uncertainty_m = _STANDING_M_S * guess.age_s
    else:
        expected_s = abs(guess.dt_s)
        uncertainty_m = _WALKING_ON_M_S * expected_s + _UNKNOWN_M_S * (guess.age_s - expected_s)
    return min(_MAX_UNCERTAINTY_M, uncertainty_m)


def _exact(history: TrackHistory, seen: TrackPoint, age_s: float, position_uncertainty_m: float = 0.0) -> Figure:
    return Figure(history.id, seen.box, seen.outline, seen.head, seen.score, seen.t_s, age_s, position_uncertainty_m)


def _stationary(history: TrackHistory, before: TrackPoint, after: TrackPoint, t_s: float) -> Figure:
    """Both points covered where they are."""
    outline = history.unions.get(before.t_s)
    if outline is None:
        other = to_local(before.box, to_pixels(_box_near(after, before), after.outline))
        outline = history.unions[before.t_s] = union(before.outline, other)
    share = (t_s - before.t_s) / (after.t_s - before.t_s)
    nearer = before if share < 0.5 else after
    return Figure(history.id, before.box, outline, _head(before, after, share), nearer.score, nearer.t_s,
                  abs(t_s - nearer.t_s), _STATIONARY_M_S * abs(t_s - nearer.t_s))


def _head(before: TrackPoint, after: TrackPoint, share: float) -> Float64:
    """(3,) the head on the way; if only one point has it, moved along with the box."""
    step = np.array([*(after.centre_px - before.centre_px), 0.0])
    from_after = after.head + np.array([before.box[0] - before.x_px + after.x_px - after.box[0], 0.0, 0.0])
    if np.isfinite(before.head[0]) and np.isfinite(after.head[0]):
        return np.asarray((1 - share) * before.head + share * from_after)
    if np.isfinite(before.head[0]):
        return np.asarray(before.head + share * step)
    return np.asarray(from_after - (1 - share) * step)


def _on_the_way(guess: _Guess, centre: Float64, up_deg: float) -> Figure:
    a, b = guess.base, guess.other
    assert b is not None
    share = guess.share
    lean = a.lean_deg + share * ((b.lean_deg - a.lean_deg + 180) % 360 - 180)
    size = np.maximum(a.box[2:4], b.box[2:4])
    box = np.array([*centre, *size, up_deg + lean])
    turns = [abs((own.box[4] - box[4] + 180) % 360 - 180) for own in (a, b)]
    if max(turns) > _TURNED_DEG:
        outline = both_here(box, a.box, a.outline, b.box, b.outline)
    else:
        cached = guess.history.unions.get(a.t_s)
        outline = union(a.outline * (a.box[2:4] / size), b.outline * (b.box[2:4] / size)) if cached is None else cached
        guess.history.unions[a.t_s] = outline
    nearer = a if share < 0.5 else b
    if a.t_s in guess.history.skipped:  # maybe two people: the one who was missed may stand where they were seen
        outline = joined(box, outline, _box_near(nearer, a), nearer.outline)
    return Figure(guess.history.id, box, outline, _head(a, b, share), nearer.score, nearer.t_s, guess.age_s,
                  min(_MAX_UNCERTAINTY_M, _BETWEEN_M_S * guess.age_s))
