"""Statistics of tracks: occupancy by area, dwell, direction, heat map, line crossing.

Positions are floor metres (`floor_xy_m`) or normalised picture coordinates; times are the caller's seconds.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aipg_plugin.mqtt.reports import TrackReport
from aipg_plugin.options import Area, Point

_HEADING_WINDOW_S = 1.0
_STANDING_M_S = 0.15          # slower than this is standing: no direction
_CELL_M = 0.5
_HALF_CELLS = 40              # the heat map reaches 20 m from the camera's foot
_LONGEST_STEP_S = 2.0         # a longer gap between two reports says nothing about where people were


def inside(points: tuple[Point, ...], at: Point) -> bool:
    """Whether a point lies in a polygon (even-odd rule; the left and top border belong to it)."""
    x, y = at
    odd = False
    for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
            odd = not odd
    return odd


@dataclass(frozen=True)
class Line:
    """A line on the floor from `a_xy_m` to `b_xy_m`; crossing from its left to its right counts as in."""

    name: str
    a_xy_m: Point
    b_xy_m: Point

    def crossed(self, before: Point, now: Point) -> int:
        """+1 crossed inwards (left to right, looking from a to b), −1 outwards, 0 not crossed."""
        was_left, is_left = (_turn(self.a_xy_m, self.b_xy_m, at) > 0 for at in (before, now))
        if was_left == is_left:
            return 0
        if (_turn(before, now, self.a_xy_m) > 0) == (_turn(before, now, self.b_xy_m) > 0):
            return 0
        return 1 if was_left else -1


def _turn(a: Point, b: Point, c: Point) -> float:
    """Twice the signed area of a triangle: positive when c lies left of the way from a to b (x right, y up)."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


class HeatMap:
    """Person-seconds per floor cell of half a metre."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[int, int], float] = {}

    def add(self, at: Point, seconds: float) -> None:
        column, row = math.floor(at[0] / _CELL_M), math.floor(at[1] / _CELL_M)
        if -_HALF_CELLS <= column < _HALF_CELLS and -_HALF_CELLS <= row < _HALF_CELLS:
            self._seconds[column, row] = self._seconds.get((column, row), 0.0) + seconds

    def as_json(self) -> dict[str, Any] | None:
        """`origin_xy_m` is the low corner of the first cell; `seconds` rows along y, columns along x. None if empty."""
        if not self._seconds:
            return None
        columns, rows = [c for c, _ in self._seconds], [r for _, r in self._seconds]
        c0, r0 = min(columns), min(rows)
        return {
            "cell_m": _CELL_M,
            "origin_xy_m": [c0 * _CELL_M, r0 * _CELL_M],
            "seconds": [[round(self._seconds.get((c, r), 0.0), 1) for c in range(c0, max(columns) + 1)]
                        for r in range(r0, max(rows) + 1)],
        }


@dataclass
class _AreaCount:
    people: int = 0
    entered: int = 0
    left: int = 0
    visits_s: list[float] = field(default_factory=lambda: [0.0, 0.0])   # total of finished visits, longest


@dataclass
class _Path:
    """What is remembered of one track."""

    places: deque[tuple[float, Point]] = field(default_factory=deque)
    last_xy_m: Point | None = None
    areas_since_s: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Motion:
    """Speed and direction of a track; the direction runs from +x towards +y, None while standing."""

    speed_m_s: float | None = None
    direction_deg: float | None = None


class CameraAnalytics:
    """Counts of one camera. `update` with every set of reports; not thread-safe."""

    def __init__(self, areas: tuple[Area, ...] = (), lines: tuple[Line, ...] = ()) -> None:
        self.since_s: float | None = None
        self._last_s: float | None = None
        self._paths: dict[int, _Path] = {}
        self._heat = HeatMap()
        self._lines = {line: [0, 0] for line in lines}
        self._areas: dict[int, Area] = {}
        self._counts: dict[int, _AreaCount] = {}
        self.areas_changed(areas)

    def areas_changed(self, areas: Iterable[Area]) -> None:
        """Take new areas; counts of those that stay are kept."""
        self._areas = {area.number: area for area in areas if len(area.points) >= 3}
        self._counts = {number: self._counts.get(number, _AreaCount()) for number in self._areas}
        for path in self._paths.values():
            path.areas_since_s = {n: s for n, s in path.areas_since_s.items() if n in self._areas}

    def update(self, t_s: float, reports: tuple[TrackReport, ...]) -> None:
        """Take the figures present at `t_s`; a clock that jumps back (a file that loops) adds no time."""
        step_s = 0.0 if self._last_s is None else min(max(0.0, t_s - self._last_s), _LONGEST_STEP_S)
        self.since_s = t_s if self.since_s is None else self.since_s
        self._last_s = t_s
        present = {report.id for report in reports}
        for gone in [track for track in self._paths if track not in present]:
            self._leave(self._paths.pop(gone), t_s, set())
        for report in reports:
            self._move(report, t_s, step_s)
        for number, count in self._counts.items():
            count.people = sum(number in path.areas_since_s for path in self._paths.values())

    def _move(self, report: TrackReport, t_s: float, step_s: float) -> None:
        path = self._paths.setdefault(report.id, _Path())
        now = {number for number, area in self._areas.items() if inside(area.points, report.box[:2])}
        self._leave(path, t_s, now)
        for number in now - path.areas_since_s.keys():
            path.areas_since_s[number] = t_s
            self._counts[number].entered += 1
        at = report.floor_xy_m
        if at is None:
            return
        self._heat.add(at, step_s)
        if path.last_xy_m is not None:
            for line, counts in self._lines.items():
                crossed = line.crossed(path.last_xy_m, at)
                if crossed:
                    counts[0 if crossed > 0 else 1] += 1
        path.last_xy_m = at
        path.places.append((t_s, at))
        while len(path.places) > 2 and t_s - path.places[1][0] >= _HEADING_WINDOW_S:
            path.places.popleft()

    def _leave(self, path: _Path, t_s: float, stays: set[int]) -> None:
        for number in path.areas_since_s.keys() - stays:
            visit_s = max(0.0, t_s - path.areas_since_s.pop(number))
            count = self._counts[number]
            count.left += 1
            count.visits_s = [count.visits_s[0] + visit_s, max(count.visits_s[1], visit_s)]

    def motion(self, track: int) -> Motion:
        """Speed and direction over the last second."""
        path = self._paths.get(track)
        if path is None or len(path.places) < 2:
            return Motion()
        (t0, (x0, y0)), (t1, (x1, y1)) = path.places[0], path.places[-1]
        if t1 - t0 < 0.1:
            return Motion()
        speed = math.hypot(x1 - x0, y1 - y0) / (t1 - t0)
        if speed < _STANDING_M_S:
            return Motion(round(speed, 2))
        return Motion(round(speed, 2), round(math.degrees(math.atan2(y1 - y0, x1 - x0)) % 360, 1))

    def areas_of(self, track: int) -> tuple[int, ...]:
        """Numbers of the areas a track stands in."""
        path = self._paths.get(track)
        return tuple(sorted(path.areas_since_s)) if path else ()

    def as_json(self) -> Mapping[str, Any]:
        """Everything counted so far, ready for JSON."""
        return {
            "since_s": self.since_s,
            "t_s": self._last_s,
            "people": len(self._paths),
            "areas": {str(number): self._area_json(number) for number in sorted(self._areas)},
            "lines": {line.name: {"in": counts[0], "out": counts[1]} for line, counts in self._lines.items()},
            "heat_map": self._heat.as_json(),
        }

    def _area_json(self, number: int) -> dict[str, Any]:
        count, now_s = self._counts[number], self._last_s or 0.0
        staying = [now_s - path.areas_since_s[number] for path in self._paths.values() if number in path.areas_since_s]
        return {
            "name": self._areas[number].name,
            "people": count.people,
            "entered": count.entered,
            "left": count.left,
            "dwell_mean_s": round(count.visits_s[0] / count.left, 1) if count.left else None,
            "dwell_longest_s": round(max([count.visits_s[1], *staying]), 1),
        }
