"""What we have announced to Home Assistant, kept true: repeated when it comes back, removed when a camera goes."""

from __future__ import annotations

import contextlib
import threading
import time

from aipg_plugin.mqtt.discovery import Announcer, topics_named, with_tombstones
from aipg_plugin.mqtt.entities import Of, retained
from aipg_plugin.mqtt.payloads import Throttle
from aipg_plugin.mqtt.publisher import Outbox
from aipg_plugin.options import Camera

_MAX_BYTES = 256 * 1024
_REPEAT_EVERY_S = 2.0
_NOT_RETAINED = ("/set", "/snapshot", "/analytics")


class Announcements:
    """Discovery payloads as retained states of the outbox.

    Announcements of an earlier run come back as retained messages; those whose camera or area is no longer configured
    are cleared, together with the state topics they named. With `enabled` False everything announced is cleared.
    """

    def __init__(self, announcer: Announcer, outbox: Outbox, *, enabled: bool) -> None:
        self._announcer = announcer
        self._outbox = outbox
        self._enabled = enabled
        self._announced: dict[str, bytes] = {}
        self._streams: set[tuple[str, str]] = set()
        self._cameras: set[str] = set()
        self._repeated_s = float("-inf")
        self._corrections = Throttle(_REPEAT_EVERY_S)
        self._lock = threading.Lock()

    def filters(self) -> tuple[str, ...]:
        return self._announcer.own_filter, self._announcer.status_topic

    def announce(self, cameras: tuple[Camera, ...]) -> None:
        """Announce these cameras and withdraw the others."""
        with self._lock:
            self._cameras = {camera.id for camera in cameras}
            self._streams = {(camera.id, stream.id) for camera in cameras for stream in camera.streams}
            new = self._announcer.payloads(cameras) if self._enabled else {}
            gone = self._announced.keys() - new.keys()
            self._announced = with_tombstones(new, self._announced)
            for topic in gone:
                self._outbox.state(topic, b"")
            for topic, payload in self._announced.items():
                self._outbox.state(topic, payload)

    def received(self, topic: str, payload: bytes, retained: bool) -> bool:
        """Take a message if it concerns announcements; whether it did."""
        if topic == self._announcer.status_topic:
            if payload == b"online" and time.monotonic() - self._repeated_s >= _REPEAT_EVERY_S:
                self._repeated_s = time.monotonic()
                self._outbox.restate()
            return True
        prefix = f"{self._announcer.prefix}/"
        if not (topic.startswith(prefix) and topic.endswith("/config")):
            return False
        if retained and payload and len(payload) <= _MAX_BYTES:
            self._left_over(topic, payload)
        return True

    def _left_over(self, topic: str, payload: bytes) -> None:
        """An announcement that an earlier run (or we, before a reconnect) left on the broker."""
        with self._lock:
            mine = self._announced.get(topic)
            if mine is None:
                self._outbox.state(topic, b"", again=True)
            elif mine != payload:
                with contextlib.suppress(ValueError, LookupError, TypeError, AttributeError, RecursionError):
                    self._announced |= with_tombstones({topic: mine}, {topic: payload})
                # two of us under one id would answer each other for ever, hence the throttle
                self._outbox.state(topic, self._announced[topic], again=self._corrections.allows(topic))
            for stale in topics_named(payload, self._is_stale):
                self._outbox.state(stale, b"", again=True)

    def _is_stale(self, text: str) -> bool:
        """Whether a text is a retained topic of ours about a camera or stream that is no longer configured."""
        prefix = f"{self._announcer.topics.prefix}/"
        if not text.startswith(prefix) or text.endswith(_NOT_RETAINED) or any(c in text for c in "+#\0"):
            return False
        parts = text[len(prefix):].split("/")
        if len(parts) == 2:
            return parts[0] not in self._cameras and parts[1] in retained(Of.CAMERA)
        return len(parts) >= 3 and (parts[0], parts[1]) not in self._streams and parts[-1] in retained(Of.STREAM)
