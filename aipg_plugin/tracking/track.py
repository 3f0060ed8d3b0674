"""One person's history: points, and what they say about any moment."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field, replace

import numpy as np

from aipg_plugin.geometry.arrays import Float64
from aipg_plugin.tracking.motion import Walk, speed

_SPEED_WINDOW_S = 0.7    # about a step: shorter windows measure the sway of the body


@dataclass(frozen=True, slots=True)
class Track:
    """A person now: `box` (5,) px, `floor_xy_m` and `velocity_m_s` (2,) or None where the floor is not known."""

    id: int
    first_seen_s: float
    last_seen_s: float
    box: Float64
    score: float
    floor_xy_m: Float64 | None
    velocity_m_s: Float64 | None


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a person's own frame lies in the picture: origin px (x unrolled over a seam), turn, px to the metre."""

    x_px: float
    y_px: float
    angle_deg: float
    per_metre: float

    def at(self, place_px: Float64) -> Pose:
        """The same at another place."""
        return replace(self, x_px=float(place_px[0]), y_px=float(place_px[1]))

    def towards(self, other: Pose, share: float) -> Pose:
        """The pose at `share` of the way to another."""
        turn = (other.angle_deg - self.angle_deg + 180) % 360 - 180
        return Pose(self.x_px + share * (other.x_px - self.x_px), self.y_px + share * (other.y_px - self.y_px),
                    self.angle_deg + share * turn, self.per_metre + share * (other.per_metre - self.per_metre))


@dataclass(frozen=True, slots=True, eq=False)
class TrackPoint:
    """What one detection said.

    `lean_deg` is how far its angle is from "up" at its centre, `x_px` its centre's x unrolled over a panorama's
    seam, `place_m` (2,) its centre on the waist plane or NaN, `floor_m` (2,) its feet or NaN. `pose` is the person's
    own frame, placed where the filter (`walk`) has them. `held`: nobody was detected, but nothing has changed at the
    place since they were, in so many looks (`holds`); the detection is `sighting`.
    """

    t_s: float
    box: Float64
    outline: Float64
    head: Float64
    score: float
    lean_deg: float
    place_m: Float64
    floor_m: Float64
    x_px: float
    pose: Pose
    walk: Walk
    held: TrackPoint | None = None
    holds: int = 0

    @property
    def sighting(self) -> TrackPoint:
        """The detection that it repeats, or is."""
        return self.held or self

    @property
    def centre_px(self) -> Float64:
        """(2,) the box's centre, unrolled."""
        return np.array([self.x_px, self.box[1]])


@dataclass(frozen=True, slots=True)
class Miss:
    """A look at `t_s` that did not find a track.

    `looked`: its place was looked at; `empty`: whether the place looked as it does with nobody there, None if unknown.
    """

    t_s: float
    looked: bool
    empty: bool | None


@dataclass(slots=True, eq=False)
class Cells:
    """How fine the fields of a track's silhouettes are: cells of `size_m` metres, large enough for those `fitted`."""

    size_m: float = 0.01
    fitted: set[TrackPoint] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class TrackHistory:
    """A track's points in order of time; `end_s` is set once it is over.

    It has figures from `unsure_lead_s` before the first point on, in hindsight from `lead_s`; `misses` are the looks
    since the last one. `skipped` has the times of points after which a look at the place found nobody, before the next
    point was found. `sightings` counts the detections among its points, the last at `sighted_s`; the rest are places
    that had not changed since. Tracks of different segments (scenes) are never of one person.
    """

    id: int
    first_seen_s: float
    points: list[TrackPoint]
    lead_s: float
    unsure_lead_s: float
    segment: int = 0
    end_s: float | None = None
    misses: list[Miss] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    skipped: set[float] = field(default_factory=set)
    sightings: int = 1
    sighted_s: float = -float("inf")
    cells: Cells = field(default_factory=Cells)
    _speeds: dict[bool, tuple[Float64, Float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.times = [point.t_s for point in self.points]
        self.sighted_s = max(self.sighted_s, self.times[-1])

    @property
    def last(self) -> TrackPoint:
        """The newest point."""
        return self.points[-1]

    def hold(self, t_s: float) -> None:
        """At this moment the place is as it was when the person was detected there last.

        However long that goes on, a track has two points of it: the detection and the end.
        """
        last = self.last
        held = replace(last, t_s=t_s, walk=last.walk.seen(t_s, last.centre_px), held=last.sighting,
                       holds=last.holds + 1)
        if last.held is None:
            self._append(held)
        else:
            self.points[-1], self.times[-1] = held, t_s
            self.misses.clear()

    def add(self, point: TrackPoint) -> None:
        """Append a detection newer than all points before."""
        self._append(point)
        self.sightings += 1
        self.sighted_s = point.t_s

    def _append(self, point: TrackPoint) -> None:
        if any(miss.looked for miss in self.misses):
            self.skipped.add(self.last.t_s)
        self.points.append(point)
        self.times.append(point.t_s)
        self.misses.clear()
        self._speeds.clear()

    def replace_last(self, point: TrackPoint) -> None:
        """Put another point of the same moment in place of the newest."""
        self.points[-1] = point
        self._speeds.clear()

    def around(self, t_s: float) -> tuple[TrackPoint | None, TrackPoint | None]:
        """The last point at or before a moment and the first after it."""
        index = bisect_right(self.times, t_s)
        before = self.points[index - 1] if index else None
        return before, self.points[index] if index < len(self.points) else None

    def near(self, t_s: float, window_s: float) -> list[TrackPoint]:
        """The points less than a time away from a moment, but always the last one before and the first one after."""
        first, after = bisect_left(self.times, t_s), bisect_right(self.times, t_s)
        start = min(bisect_left(self.times, t_s - window_s), max(first - 1, 0))
        return self.points[start:max(bisect_right(self.times, t_s + window_s), after + 1)]

    def speeds(self, *, at_start: bool = False) -> tuple[Float64, Float64]:
        """(2,) metres and (2,) pixels per second around the last (or first) point; metres NaN where not known."""
        if not at_start and self.last.held is not None:
            return np.where(np.isfinite(self.last.place_m), 0.0, np.nan), np.zeros(2)
        if at_start not in self._speeds:
            edge = self.times[0] if at_start else self.times[-1]
            window = [s for s in (self.points[:8] if at_start else self.points[-8:])
                      if abs(s.t_s - edge) <= _SPEED_WINDOW_S]
            self._speeds[at_start] = _speeds(window)
        return self._speeds[at_start]

    def prune(self, before_s: float) -> None:
        """Forget points that no moment from `before_s` on needs."""
        keep = max(0, bisect_right(self.times, before_s - _SPEED_WINDOW_S) - 1)
        if keep:
            self.cells.fitted.difference_update(self.points[:keep])
            for t_s in self.times[:keep]:
                self.skipped.discard(t_s)
            del self.points[:keep], self.times[:keep]
            self._speeds.clear()


def _speeds(window: list[TrackPoint]) -> tuple[Float64, Float64]:
    first, last = window[0], window[-1]
    span_s = last.t_s - first.t_s
    metres = np.full(2, np.nan)
    if span_s > 0 and np.isfinite(first.place_m[0]) and np.isfinite(last.place_m[0]):
        metres = speed(first.place_m, last.place_m, span_s)
    fastest_px = 4.0 * float(np.sqrt(last.box[2] * last.box[3]))
    return metres, speed(first.centre_px, last.centre_px, span_s, fastest_px)
