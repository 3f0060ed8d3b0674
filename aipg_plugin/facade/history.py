"""The last hour in numbers, and where people were, in memory only."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from aipg_plugin.mqtt.analytics import CameraAnalytics
from aipg_plugin.mqtt.reports import TrackReport
from aipg_plugin.options import Settings

EVERY_S = 5.0
_POINTS = 720   # one hour
SERIES = ("fps_in", "fps_out", "latency_s", "evidence_age_s", "people", "masked_share", "full_mosaic_s")


@dataclass
class _Stream:
    points: deque[tuple[float, tuple[float, ...]]] = field(default_factory=lambda: deque(maxlen=_POINTS))
    frames_out: int = 0
    full_frames: int = 0
    latency_s: float = 0.0


class History:
    """Samples of every stream's statistics, and floor analytics of every camera. Any thread."""

    def __init__(self, settings: Settings) -> None:
        self._streams: dict[tuple[str, str], _Stream] = {}
        self._analytics: dict[str, CameraAnalytics] = {}
        self._people: dict[str, tuple[float, tuple[TrackReport, ...]]] = {}
        self._lock = threading.Lock()
        self.settings_changed(settings)

    def settings_changed(self, settings: Settings) -> None:
        """Follow cameras and areas; counts of those that stay are kept."""
        with self._lock:
            for camera in settings.cameras:
                areas = (*camera.privacy_guard.prohibited_areas, *camera.privacy_guard.always_mask_areas)
                if camera.id in self._analytics:
                    self._analytics[camera.id].areas_changed(areas)
                else:
                    self._analytics[camera.id] = CameraAnalytics(areas)
            kept = {camera.id for camera in settings.cameras}
            self._analytics = {name: value for name, value in self._analytics.items() if name in kept}
            self._people = {name: value for name, value in self._people.items() if name in kept}
            self._streams = {key: value for key, value in self._streams.items() if key[0] in kept}

    def left(self, camera: str, stream: str, came_s: float) -> None:
        """A frame that came at `came_s` (epoch) leaves now."""
        kept = self._streams.get((camera, stream))
        if kept is not None:
            kept.latency_s = max(0.0, time.time() - came_s)

    def figures(self, camera: str, t_s: float, reports: tuple[TrackReport, ...]) -> None:
        """Who is there at `t_s`."""
        with self._lock:
            analytics = self._analytics.get(camera)
            if analytics is not None:
                self._people[camera] = time.monotonic(), reports
                analytics.update(t_s, reports)

    def people(self, camera: str) -> tuple[float, tuple[TrackReport, ...]]:
        """Age in seconds of the newest look at a camera (infinite before the first), and who was tracked."""
        with self._lock:
            told_s, reports = self._people.get(camera, (-float("inf"), ()))
        return time.monotonic() - told_s, reports

    def sample(self, stats: dict[str, dict[str, dict[str, Any]]], now_s: float) -> None:
        """Note one point for every stream."""
        with self._lock:
            for camera, streams in stats.items():
                for stream, figures in streams.items():
                    self._note(self._streams.setdefault((camera, stream), _Stream()), figures, now_s)

    def _note(self, kept: _Stream, figures: dict[str, Any], now_s: float) -> None:
        out = max(0, figures["frames_out"] - kept.frames_out)
        full = max(0, figures["full_mosaic_frames"] - kept.full_frames)
        kept.frames_out, kept.full_frames = figures["frames_out"], figures["full_mosaic_frames"]
        age_s = figures["evidence_age_s"]
        kept.points.append((now_s, (
            round(figures["fps_in"], 2), round(figures["fps_out"], 2), round(kept.latency_s, 3),
            round(min(age_s, 60.0), 3), figures["people"], figures["masked_share"],
            round(EVERY_S * full / out, 2) if out else 0.0)))

    def as_json(self, camera: str, stream: str) -> dict[str, Any]:
        """`t_s` (epoch) and one list of numbers per name of SERIES."""
        with self._lock:
            kept = self._streams.get((camera, stream))
            points = list(kept.points) if kept else []
        columns = {name: [values[index] for _, values in points] for index, name in enumerate(SERIES)}
        return {"every_s": EVERY_S, "t_s": [round(t_s, 1) for t_s, _ in points], **columns}

    def floor_json(self, camera: str) -> dict[str, Any]:
        """Heat map, areas and lines of a camera; empty for an unknown one."""
        with self._lock:
            analytics = self._analytics.get(camera)
            return dict(analytics.as_json()) if analytics is not None else {}
