"""The worker that turns track reports into counts and events, and guarded pictures into JPEG, off the frame threads."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.mqtt.analytics import CameraAnalytics, Line
from aipg_plugin.mqtt.events import CameraEvents
from aipg_plugin.mqtt.payloads import switch, to_json
from aipg_plugin.mqtt.publisher import Message, Outbox
from aipg_plugin.mqtt.reports import TrackReport
from aipg_plugin.mqtt.topics import Topics
from aipg_plugin.mqtt.worker import Worker
from aipg_plugin.options import Camera

_log = logging.getLogger(__name__)

_TICK_S = 0.2
_ANALYTICS_EVERY_S = 10.0
_JPEG_QUALITY = 85
_Reports = tuple[float, tuple[TrackReport, ...]]


@dataclass
class _Watched:
    """What is kept of one camera."""

    analytics: CameraAnalytics
    events: CameraEvents
    ids: frozenset[int] = frozenset()
    analytics_due_s: float = 0.0


class FiguresWorker(Worker):
    """Takes the newest reports of each camera (`put`) and pictures (`picture`) without blocking; works on its thread.

    `on_new(camera)` is called in that thread when a new figure has appeared, `sent()` when something waits to be sent.
    """

    def __init__(self, topics: Topics, outbox: Outbox, *, lines: Mapping[str, tuple[Line, ...]],
                 on_new: Callable[[str], None], sent: Callable[[], None]) -> None:
        super().__init__("aipg-mqtt-figures")
        self._topics = topics
        self._outbox = outbox
        self._lines = lines
        self._on_new = on_new
        self._sent = sent
        self._watched: dict[str, _Watched] = {}
        self._reports: dict[str, _Reports] = {}
        self._pictures: dict[str, NDArray[np.uint8]] = {}
        self._forgotten = 0                 # times that pictures were forgotten
        self._counting = threading.Lock()   # held while counting: the worker, and a change of cameras
        self._urgent = False

    def cameras_changed(self, cameras: tuple[Camera, ...]) -> None:
        """Watch these cameras; counts of those that stay are kept."""
        with self._counting, self._changed:
            for gone in self._watched.keys() - {camera.id for camera in cameras}:
                del self._watched[gone]
                self._reports.pop(gone, None)
            for camera in cameras:
                guard = camera.privacy_guard
                areas = guard.prohibited_areas + guard.always_mask_areas
                watched = self._watched.get(camera.id)
                if watched is None:
                    analytics = CameraAnalytics(areas, self._lines.get(camera.id, ()))
                    self._watched[camera.id] = _Watched(analytics, CameraEvents(camera.id, analytics))
                else:
                    watched.analytics.areas_changed(areas)

    def put(self, camera: str, t_s: float, reports: tuple[TrackReport, ...]) -> None:
        """The figures of a camera now. Someone new or gone is told at once, the rest within a fifth of a second."""
        ids = frozenset(report.id for report in reports)
        with self._changed:
            watched = self._watched.get(camera)
            if watched is None:
                return
            self._reports[camera] = (t_s, reports)
            if ids != watched.ids:
                watched.ids = ids
                self._urgent = True
                self._changed.notify()

    def picture(self, topic: str, bgr: NDArray[np.uint8]) -> None:
        """A guarded picture to encode and publish; the newest of a topic wins."""
        with self._changed:
            self._pictures[topic] = bgr
            self._urgent = True
            self._changed.notify()

    def forget_pictures(self) -> None:
        """Publish no picture that was handed over before, also none that is being encoded or waits to be sent."""
        with self._changed:
            self._pictures.clear()
            self._forgotten += 1
            self._outbox.forget_pictures()

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._wait(lambda: self._urgent, _TICK_S):
                    return
                self._urgent = False
                reports, self._reports = self._reports, {}
                pictures, self._pictures = self._pictures, {}
                forgotten = self._forgotten
            try:
                for camera, (t_s, tracks) in reports.items():
                    self._tell(camera, t_s, tracks)
                for topic, bgr in pictures.items():
                    self._encode(topic, bgr, forgotten)
            except Exception:
                _log.exception("figures could not be told")
            if reports or pictures:
                self._sent()

    def _tell(self, camera: str, t_s: float, reports: tuple[TrackReport, ...]) -> None:
        with self._counting:
            watched = self._watched.get(camera)
            if watched is None:
                return
            events = watched.events.update(t_s, reports)
            count = watched.events.count
            due = time.monotonic() >= watched.analytics_due_s
            analytics = watched.analytics.as_json() if due else None
        self._outbox.state(self._topics.camera(camera, "person"), str(count).encode())
        self._outbox.state(self._topics.camera(camera, "occupancy"), switch(count > 0))
        for event in events:
            self._outbox.telemetry(Message(self._topics.events, to_json(event.as_json()), qos=1))
        if any(event.before is None for event in events):
            self._on_new(camera)
        if analytics is not None:
            watched.analytics_due_s = time.monotonic() + _ANALYTICS_EVERY_S
            self._outbox.telemetry(Message(self._topics.camera(camera, "analytics"), to_json(analytics)))

    def _encode(self, topic: str, bgr: NDArray[np.uint8], forgotten: int) -> None:
        """Encode and publish a picture, unless pictures have been forgotten since there were so many times."""
        done, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        with self._changed:
            if done and forgotten == self._forgotten:
                self._outbox.picture(topic, jpeg.tobytes())

