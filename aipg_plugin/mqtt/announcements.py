"""Announcements to Home Assistant: repeated when it restarts, withdrawn when they no longer apply.

Several installations may share a broker. Each keeps a list of the retained topics it has made, retained on
`aipg/announced/<installation>`, and withdraws what its own list names and nothing else.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable
from typing import Any

from aipg_plugin.mqtt.discovery import Announcer, with_tombstones
from aipg_plugin.mqtt.later import Later
from aipg_plugin.mqtt.payloads import Throttle, to_json
from aipg_plugin.mqtt.publisher import Outbox
from aipg_plugin.options import Camera

_MAX_BYTES = 256 * 1024
_REPEAT_EVERY_S = 2.0
_LIST_WITHIN_S = 1.0      # after the subscription stands, the broker sends the list of an earlier run at once
_WITHDRAWN_FIRST_S = 2.0  # Home Assistant ignores a new entity while one with the same unique_id is there
_CONFLICT_AFTER = 3       # corrections of one topic after which another installation must be announcing it


class Announcements:
    """Discovery payloads as retained states of the outbox; with `enabled` False everything announced is withdrawn.

    They wait until the list of an earlier run has come: what that run announced and this one does not is withdrawn
    first, and Home Assistant given time to forget it. `conflict(message)` is called when another installation uses
    our name or a camera of ours; `sent()` when something waits to be sent.
    """

    def __init__(self, announcer: Announcer, outbox: Outbox, *, enabled: bool, installation: str,
                 conflict: Callable[[str], None], sent: Callable[[], None]) -> None:
        self._announcer = announcer
        self._outbox = outbox
        self._enabled = enabled
        self._installation = installation
        self._conflict = conflict
        self._sent = sent
        self._announced: dict[str, bytes] = {}
        self._cameras: frozenset[str] = frozenset()
        self._others: dict[str, frozenset[str]] = {}      # other installations: their cameras
        self._stale: set[str] = set()     # states of an earlier run, cleared after their entities
        self._released = False
        self._later = Later("aipg-mqtt-announce", self._release)
        self._repeated_s = float("-inf")
        self._corrections = Throttle(_REPEAT_EVERY_S)
        self._corrected: dict[str, int] = {}
        self._lock = threading.RLock()

    @property
    def topic(self) -> str:
        """Where our list is."""
        return self._announcer.topics.announced(self._installation)

    def filters(self) -> tuple[str, ...]:
        return self._announcer.own_filter, self._announcer.status_topic, self._announcer.topics.announced("+")

    def announce(self, cameras: tuple[Camera, ...]) -> None:
        """Announce these cameras and withdraw the others; call it when their states are in the outbox."""
        with self._lock:
            self._cameras = frozenset(camera.id for camera in cameras)
            new = self._announcer.payloads(cameras) if self._enabled else {}
            gone = self._announced.keys() - new.keys()
            self._announced = with_tombstones(new, self._announced)
            if self._released:
                self._withdraw(gone)
                self._send()

    def connected(self) -> None:
        """The subscriptions stand: wait for the list of an earlier run, then announce."""
        with self._lock:
            if not self._released and not self._later.waiting:
                self._later.start(_LIST_WITHIN_S)

    def stop(self) -> None:
        """Announce nothing any more."""
        self._later.stop()

    def is_anothers(self, camera: str) -> bool:
        """Whether another installation under this prefix has a camera of this id."""
        return any(camera in cameras for cameras in self._others.values())

    def received(self, topic: str, payload: bytes, retained: bool) -> bool:
        """Take a message if it concerns announcements; whether it did."""
        lists, _, installation = topic.rpartition("/")
        if f"{lists}/+" == self._announcer.topics.announced("+"):
            if installation == self._installation:
                self._earlier(payload)
            else:
                self._other(installation, payload)
            return True
        if topic == self._announcer.status_topic:
            if payload == b"online" and time.monotonic() - self._repeated_s >= _REPEAT_EVERY_S:
                self._repeated_s = time.monotonic()
                self._outbox.restate()
            return True
        if not (topic.startswith(f"{self._announcer.prefix}/") and topic.endswith("/config")):
            return False
        if retained and payload and len(payload) <= _MAX_BYTES:
            self._correct(topic, payload)
        return True

    def _release(self) -> None:
        with self._lock:
            self._released = True
            self._withdraw(self._stale)
            self._stale = set()
            self._send()
        self._sent()

    def _send(self) -> None:
        topics = self._announced.keys() | self._outbox.topics(f"{self._announcer.topics.prefix}/")
        self._outbox.state(self.topic, to_json({"instance_id": self._announcer.instance_id, "topics": sorted(topics)}))
        for topic, payload in self._announced.items():
            self._outbox.state(topic, payload)

    def _withdraw(self, topics: set[str]) -> None:
        for topic in sorted(topics):
            self._outbox.state(topic, b"", again=True)

    def _earlier(self, payload: bytes) -> None:
        """The list that an earlier run left: withdraw what is over."""
        with self._lock:
            if self._released or not self._later.waiting:
                return
            ours = self._announced.keys() | self._outbox.topics(f"{self._announcer.topics.prefix}/")
            gone = {topic for topic in _topics_in(payload) if self._may_be_ours(topic)} - ours
            announced = {topic for topic in gone if topic.endswith("/config")}
            self._withdraw(announced)
            self._stale = gone - announced
            self._later.start(_WITHDRAWN_FIRST_S if announced else 0.0)
        self._sent()

    def _may_be_ours(self, topic: str) -> bool:
        """Whether a listed topic is one we make: anybody with access to the broker could have written the list."""
        below = topic.startswith(f"{self._announcer.topics.prefix}/") and topic.endswith(("/state", "/available",
                                                                                        "/person", "/occupancy",
                                                                                        "/problem"))
        return below or (topic.endswith("/config") and "/aipg" in topic)

    def _other(self, installation: str, payload: bytes) -> None:
        """The list of another installation under our prefix; an empty one takes it away."""
        cameras = cameras_listed(payload, self._announcer.topics.prefix)
        before = self._others.pop(installation, frozenset())
        if cameras and len(self._others) < 100:
            self._others[installation] = cameras
        both = (cameras - before) & self._cameras
        if both:
            self._conflict(f"installation {installation} has camera {min(both)} too: give each installation a "
                           "mqtt.prefix or its cameras names of their own")

    def _correct(self, topic: str, payload: bytes) -> None:
        """The broker holds another payload: an earlier run's, or one of another installation with our name."""
        with self._lock:
            mine = self._announced.get(topic)
            if mine is None or mine == payload:
                return
            with contextlib.suppress(ValueError, LookupError, TypeError, AttributeError, RecursionError):
                self._announced |= with_tombstones({topic: mine}, {topic: payload})
            if not self._released:
                return
            # two installations with one name would correct each other endlessly without the throttle
            allowed = self._corrections.allows(topic)
            self._outbox.state(topic, self._announced[topic], again=allowed)
            self._corrected[topic] = self._corrected.get(topic, 0) + allowed
            conflict = allowed and self._corrected[topic] == _CONFLICT_AFTER
        if conflict:
            self._conflict(f"another installation announces to Home Assistant as {self._announcer.instance_id}: give "
                           "each an instance_id of its own")


def cameras_listed(payload: bytes, prefix: str) -> frozenset[str]:
    """The cameras whose topics under a prefix are in a list."""
    below = f"{prefix}/"
    return frozenset(topic[len(below):].split("/")[0] for topic in _topics_in(payload)
                     if topic.startswith(below) and topic.count("/") > below.count("/"))


def _topics_in(payload: bytes) -> set[str]:
    """The topics in a list; none in anything else."""
    if len(payload) > _MAX_BYTES:
        return set()
    try:
        found: Any = json.loads(payload)["topics"]
        return {topic for topic in found if isinstance(topic, str) and not set(topic) & set("+#\0")}
    except (ValueError, LookupError, TypeError, RecursionError):
        return set()
