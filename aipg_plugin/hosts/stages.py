"""Stages of a pipeline: an iterator that runs in a thread of its own, a bounded number of items ahead."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class _Stage(Generic[T]):
    """Runs `items` in a thread and hands them over in order; what they raise is raised by `__next__` in their place."""

    def __init__(self, items: Iterable[T], most: int, name: str) -> None:
        self._items = iter(items)
        self._most = most
        self._ready: deque[T] = deque()
        self._changed = threading.Condition()
        self._closed = self._over = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._over)
            if self._ready:
                item = self._ready.popleft()
                self._changed.notify_all()
                return item
            error, self._error = self._error, None
        if error is not None:
            raise error
        raise StopIteration

    def close(self) -> None:
        """Let the item in hand be the last one, and wait for it."""
        with self._changed:
            self._closed = True
            self._ready.clear()
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        try:
            for item in self._items:
                with self._changed:
                    self._changed.wait_for(lambda: len(self._ready) < self._most or self._closed)
                    if self._closed:
                        return
                    self._ready.append(item)
                    self._changed.notify_all()
                del item
        except BaseException as error:  # whatever it is, it is raised where the items are taken
            self._error = error
        finally:
            if isinstance(self._items, Generator):
                self._items.close()
            with self._changed:
                self._over = True
                self._changed.notify_all()


@contextmanager
def ahead(items: Iterable[T], most: int, name: str) -> Iterator[Iterator[T]]:
    """The items of an iterable that runs in a thread of its own, at most `most` items ahead; the thread ends with this.

    Stages are nested in each other, the first one outermost: on any error the last one ends first.
    """
    stage = _Stage(items, most, name)
    try:
        yield stage
    finally:
        stage.close()
