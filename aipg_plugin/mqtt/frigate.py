"""Follows Frigate: whether it is online, and how many person events it reports for our cameras."""

from __future__ import annotations

import json
import time
from typing import Any

AVAILABLE = "frigate/available"
EVENTS = "frigate/events"
_MAX_BYTES = 64 * 1024


class FrigateFollower:
    """Follows `frigate/available` and `frigate/events`; never raises on what arrives."""

    def __init__(self) -> None:
        self.available = "unknown"
        self._people = 0
        self._last_s: float | None = None

    def filters(self) -> tuple[str, ...]:
        return AVAILABLE, EVENTS

    def received(self, topic: str, payload: bytes, cameras: set[str]) -> bool:
        """Take a message; whether Frigate's availability changed."""
        if len(payload) > _MAX_BYTES:
            return False
        if topic == AVAILABLE:
            before, text = self.available, payload.decode("utf-8", "replace")
            if text in ("online", "offline"):
                self.available = text
            return self.available != before
        try:
            event: Any = json.loads(payload)
            after = event["after"]
            if event["type"] == "new" and after["label"] == "person" and after["camera"] in cameras:
                self._people += 1
                self._last_s = time.time()
        except (ValueError, LookupError, TypeError, RecursionError):
            pass
        return False

    def as_json(self) -> dict[str, object]:
        return {"available": self.available, "person_events": self._people, "last_person_event_s": self._last_s}
