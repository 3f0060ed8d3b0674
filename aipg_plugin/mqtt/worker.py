"""A thread that works off what other threads queue for it."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable


class Worker(ABC):
    """Starts and stops one daemon thread. What is queued is guarded by `_changed`; code that adds to it notifies."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._changed = threading.Condition()   # held for moments only: who adds must not wait
        self._running = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._running = True
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """End the thread after what it is doing now; what still waits stays undone."""
        with self._changed:
            self._running = False
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(timeout_s)
            self._thread = None

    def _wait(self, ready: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """With `_changed` held: wait until `ready` or the time is up; False when the thread is to end."""
        self._changed.wait_for(lambda: ready() or not self._running, timeout_s)
        return self._running

    @abstractmethod
    def _run(self) -> None:
        """What the thread does, until `_wait` says False."""
