"""When a snapshot of a stream is due: a person appeared, the button was pressed, or the interval is over."""

from __future__ import annotations

import time
from collections.abc import Collection

from aipg_plugin.options import Camera
from aipg_plugin.states import StreamKey


class SnapshotSchedule:
    """Which streams owe a snapshot. Thread-safe; `interval_s` 0 means only when asked for."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._due_s: dict[StreamKey, float] = {}
        self._last_s: dict[StreamKey, float] = {}

    def is_due(self, key: StreamKey) -> bool:
        """Whether the next frame of a stream should be published. Cheap: called for every frame."""
        now_s, due_s = time.monotonic(), self._due_s.get(key)
        if due_s is not None and now_s >= due_s:
            return True
        return self._interval_s > 0 and now_s - self._last_s.get(key, float("-inf")) >= self._interval_s

    def request(self, key: StreamKey) -> None:
        """A snapshot now."""
        self._due_s[key] = time.monotonic()

    def person_appeared(self, camera: Camera) -> None:
        """A snapshot of each stream once the person is in the guarded picture, `lookahead_s` behind the detector."""
        due_s = time.monotonic() + camera.privacy_guard.lookahead_s
        for stream in camera.streams:
            self._due_s.setdefault((camera.id, stream.id), due_s)

    def taken(self, key: StreamKey) -> None:
        """A snapshot was taken."""
        self._due_s.pop(key, None)
        self._last_s[key] = time.monotonic()

    def keep(self, keys: Collection[StreamKey]) -> None:
        """Forget all other streams."""
        for gone in (self._due_s.keys() | self._last_s.keys()).difference(keys):
            self._due_s.pop(gone, None)
            self._last_s.pop(gone, None)
