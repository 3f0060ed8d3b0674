"""Turns: frames of many cameras are worked on one after the other, not all at once."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

_PATIENCE_S = 0.5  # a turn that does not come by then is not waited for: what hangs holds up nobody else for long


class Turns:
    """Lets `at_once` threads work at the same time, in the order in which they ask. Any thread may ask.

    Python runs one thread at a time. Where eight work on a frame each, they take its lock from each other a hundred
    times a frame, and each time wait for a processor: all eight are late. One after the other, none is.
    """

    def __init__(self, at_once: int, *, patience_s: float = _PATIENCE_S) -> None:
        self._free = max(1, at_once)
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """A piece of work; it begins when it is its turn, or after `patience_s` in any case."""
        ours = self._take()
        try:
            yield
        finally:
            if ours:
                self._give()

    def _take(self) -> bool:
        with self._lock:
            if self._free > 0:
                self._free -= 1
                return True
            called = threading.Lock()
            called.acquire()
            self._waiting.append(called)
        if called.acquire(timeout=self._patience_s):
            return True
        with self._lock:
            if called in self._waiting:
                self._waiting.remove(called)
                return False
        return True  # called just now

    def _give(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1
