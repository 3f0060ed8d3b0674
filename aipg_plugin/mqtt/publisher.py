"""The queue of messages to send: states coalesce per topic and are never lost, telemetry drops its oldest."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

_TELEMETRY_LIMIT = 1000
_PICTURES_LIMIT = 16


@dataclass(frozen=True, slots=True)
class Message:
    """One message to publish; an empty retained one clears its topic. `picture`: what it holds is a picture."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    picture: bool = field(default=False, compare=False)


class Outbox:
    """Thread-safe queue between the threads that publish and the one that sends.

    `state` keeps the newest retained payload of each topic for as long as the topic lives, so that everything can
    be published again after a reconnect (`restate`). `telemetry` is bounded and drops its oldest; `picture` keeps the
    newest of each topic. No method blocks.
    """

    def __init__(self, telemetry_limit: int = _TELEMETRY_LIMIT) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, bytes] = {}          # topic: payload in force
        self._states: dict[str, bytes] = {}         # topic: payload to send
        self._cleared: dict[str, bytes] = {}        # topics cleared in this run; clearing twice does no harm
        self._pictures: dict[str, bytes] = {}
        self._telemetry: deque[Message] = deque()
        self._limit = telemetry_limit
        self.dropped = 0

    def state(self, topic: str, payload: bytes, *, again: bool = False) -> bool:
        """Set a retained state; False when it is already known (unless `again`), so nothing needs sending."""
        with self._lock:
            if not again and self._known.get(topic) == payload:
                return False
            self._set(topic, payload)
            return True

    def _set(self, topic: str, payload: bytes) -> None:
        if payload:
            self._known[topic] = payload
            self._cleared.pop(topic, None)
        else:
            self._known.pop(topic, None)
            self._cleared[topic] = b""
        self._states[topic] = payload

    def known(self, topic: str) -> bytes | None:
        """The state in force on a topic."""
        with self._lock:
            return self._known.get(topic)

    def topics(self, prefix: str) -> set[str]:
        """Every topic under `prefix` that has a state in force."""
        with self._lock:
            return {topic for topic in self._known if topic.startswith(prefix)}

    def keep_only(self, prefix: str, wanted: set[str]) -> list[str]:
        """Clear every retained state under `prefix` that is not wanted; returns the cleared topics."""
        with self._lock:
            gone = [topic for topic in self._known if topic.startswith(prefix) and topic not in wanted]
            for topic in gone:
                self._set(topic, b"")
        return gone

    def telemetry(self, message: Message) -> None:
        with self._lock:
            if len(self._telemetry) >= self._limit:
                self._telemetry.popleft()
                self.dropped += 1
            self._telemetry.append(message)

    def picture(self, topic: str, jpeg: bytes) -> None:
        with self._lock:
            if topic not in self._pictures and len(self._pictures) >= _PICTURES_LIMIT:
                del self._pictures[next(iter(self._pictures))]
                self.dropped += 1
            self._pictures[topic] = jpeg

    def forget_pictures(self) -> None:
        """Send none of the pictures that still wait, maybe for the broker's return."""
        with self._lock:
            self._pictures.clear()

    def restate(self) -> None:
        """Publish every state again (after a reconnect), and what was cleared."""
        with self._lock:
            self._states = self._cleared | self._known

    def take(self) -> Message | None:
        """The next message: states before telemetry before pictures; None when nothing waits."""
        with self._lock:
            if self._states:
                topic = next(iter(self._states))
                return Message(topic, self._states.pop(topic), qos=1, retain=True)
            if self._telemetry:
                return self._telemetry.popleft()
            if self._pictures:
                topic = next(iter(self._pictures))
                return Message(topic, self._pictures.pop(topic), picture=True)
            return None

    def put_back(self, message: Message) -> None:
        """Return what could not be handed over; a newer state or picture of the same topic wins."""
        with self._lock:
            if message.retain:
                self._states.setdefault(message.topic, message.payload)
            elif message.picture:
                self._pictures.setdefault(message.topic, message.payload)
            elif len(self._telemetry) < self._limit:
                self._telemetry.appendleft(message)
            else:
                self.dropped += 1

    def __len__(self) -> int:
        with self._lock:
            return len(self._states) + len(self._telemetry) + len(self._pictures)
