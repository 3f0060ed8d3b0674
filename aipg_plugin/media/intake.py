"""A bounded queue between the thread that reads and the thread that guards; when full it drops the oldest."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Intake(Generic[T]):
    """A bounded queue that drops its oldest item when full and counts the dropped.

    One thread puts and never waits; another gets. After `close` nothing more is taken in, and `get` returns what
    is left and then None at once.
    """

    def __init__(self, capacity: int = 2) -> None:
        self._items: deque[T] = deque()
        self._capacity = max(1, capacity)
        self._changed = threading.Condition()
        self._dropped = 0
        self._closed = False

    @property
    def dropped(self) -> int:
        """How many items were replaced by newer ones before anybody took them."""
        return self._dropped

    @property
    def closed(self) -> bool:
        """True once nothing more can come out."""
        with self._changed:
            return self._closed and not self._items

    def put(self, item: T) -> bool:
        """Add an item; False if another was dropped for it, or the intake is closed."""
        with self._changed:
            if self._closed:
                return False
            full = len(self._items) >= self._capacity
            if full:
                self._items.popleft()
                self._dropped += 1
            self._items.append(item)
            self._changed.notify()
            return not full

    def get(self, timeout_s: float | None = None) -> T | None:
        """The oldest item kept, waiting up to `timeout_s` (None: for ever); None if there is none."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed, timeout_s)
            return self._items.popleft() if self._items else None

    def clear(self) -> None:
        """Remove all items without counting them as dropped."""
        with self._changed:
            self._items.clear()

    def close(self) -> None:
        """Take nothing more in and wake the waiting threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
