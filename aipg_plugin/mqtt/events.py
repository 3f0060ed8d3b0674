"""Events out of track reports: new, update and end, each with the figure before and after, under stable ids."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from aipg_plugin.mqtt.analytics import CameraAnalytics
from aipg_plugin.mqtt.reports import TrackReport

_UPDATE_EVERY_S = 1.0
_MOVED = 0.01                 # share of the picture
_MOVED_M = 0.25


class EventType(StrEnum):
    NEW = "new"
    UPDATE = "update"
    END = "end"


@dataclass(frozen=True)
class Event:
    """One event, ready for JSON; `before` is None for new ones."""

    type: EventType
    before: dict[str, Any] | None
    after: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        return {"type": self.type.value, "before": self.before, "after": self.after}


@dataclass
class _Told:
    """What was last told about a track."""

    report: TrackReport
    t_s: float
    json: dict[str, Any]


class CameraEvents:
    """Turns each set of reports of one camera into events; not thread-safe.

    An id is `<camera>-<run>-<track>`: stable for a track's life and, through the random run, unique across restarts.
    """

    def __init__(self, camera: str, analytics: CameraAnalytics, run: str | None = None) -> None:
        self._camera = camera
        self._analytics = analytics
        self._run = run or secrets.token_hex(3)
        self._told: dict[int, _Told] = {}
        self._latest: dict[int, tuple[float, TrackReport]] = {}

    @property
    def count(self) -> int:
        return len(self._told)

    def update(self, t_s: float, reports: tuple[TrackReport, ...]) -> list[Event]:
        """The events between the last reports and these; the analytics are updated on the way."""
        present = {report.id: report for report in reports}
        ended = []
        for track in [track for track in self._told if track not in present]:
            told = self._told.pop(track)
            seen_s, last = self._latest.pop(track)
            after = self._json(last, seen_s) | {"end_s": round(t_s, 3)}
            ended.append(Event(EventType.END, told.json, after))
        self._analytics.update(t_s, tuple(present.values()))
        events = []
        for track, report in present.items():
            self._latest[track] = (t_s, report)
            before = self._told.get(track)
            if before is not None and not self._worth_telling(before, report, t_s):
                continue
            after = self._json(report, t_s)
            self._told[track] = _Told(report, t_s, after)
            events.append(Event(EventType.UPDATE, before.json, after) if before else Event(EventType.NEW, None, after))
        return ended + events

    def _worth_telling(self, told: _Told, report: TrackReport, t_s: float) -> bool:
        if list(self._analytics.areas_of(report.id)) != told.json["areas"]:
            return True
        if t_s - told.t_s < _UPDATE_EVERY_S:
            return False
        if math.dist(told.report.box[:2], report.box[:2]) > _MOVED:
            return True
        a, b = told.report.floor_xy_m, report.floor_xy_m
        return a is not None and b is not None and math.dist(a, b) > _MOVED_M

    def _json(self, report: TrackReport, t_s: float) -> dict[str, Any]:
        motion = self._analytics.motion(report.id)
        return {
            "id": f"{self._camera}-{self._run}-{report.id}",
            "camera": self._camera,
            "label": "person",
            **report.as_json(),
            "t_s": round(t_s, 3),
            "dwell_s": round(max(0.0, t_s - report.first_seen_s), 2),
            "speed_m_s": motion.speed_m_s,
            "direction_deg": motion.direction_deg,
            "areas": list(self._analytics.areas_of(report.id)),
        }
