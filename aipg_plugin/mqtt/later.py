"""Something to be done once, a little later, on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Later:
    """Runs `action` after a delay; asking again moves it. Thread-safe, but for asking inside `action` itself."""

    def __init__(self, name: str, action: Callable[[], None]) -> None:
        self._name = name
        self._action = action
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    @property
    def waiting(self) -> bool:
        """Whether the action is still to come."""
        return self._timer is not None

    def start(self, delay_s: float) -> None:
        """Run the action in `delay_s` seconds."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(delay_s, self._run)
            self._timer.name, self._timer.daemon = self._name, True
            self._timer.start()

    def stop(self) -> None:
        """Don't run it any more; wait for one that runs now. Hold no lock that the action takes."""
        with self._lock:
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
            timer.join()

    def _run(self) -> None:
        with self._lock:
            if self._timer is not threading.current_thread():
                return
            self._timer = None
        self._action()
