"""Items waiting for their look-ahead, and the pooled buffers that frames wait in."""

from __future__ import annotations

import math
import sys
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from aipg_plugin.frames import OVERREAD, PixelFormat, Planes, plane_shapes
from aipg_plugin.geometry.arrays import UInt8


def _references(buffers: list[NDArray[np.uint8]]) -> list[int]:
    return [sys.getrefcount(buffer) for buffer in buffers]


# What an idle buffer shows; counted, since Python versions differ in the references they take while counting.
(_IDLE_REFERENCES,) = _references([np.empty(1, np.uint8)])


_COPIES = 128  # some ten seconds: what none of so many copies needed is let go


def planes_in(buffer: UInt8, pixel_format: PixelFormat, size_wh: tuple[int, int]) -> Planes:
    """The planes of a picture that lie in a buffer, one after the other."""
    views, start = [], 0
    for shape in plane_shapes(pixel_format, size_wh):
        size = math.prod(shape)
        views.append(buffer[start:start + size].reshape(shape))
        start += size
    return tuple(views)


def buffer_bytes(pixel_format: PixelFormat, size_wh: tuple[int, int]) -> int:
    """How large a buffer is that holds a picture, and what may be read past its end."""
    return sum(math.prod(shape) for shape in plane_shapes(pixel_format, size_wh)) + OVERREAD


class BufferPool:
    """Plane buffers of one picture layout, used again once no frame refers to them any more.

    It keeps as many as were in use at once of late, `keep` at most.
    """

    def __init__(self, pixel_format: PixelFormat, size_wh: tuple[int, int], keep: int = 256) -> None:
        self.format, self.size_wh = pixel_format, size_wh
        self._bytes = buffer_bytes(pixel_format, size_wh)
        self._keep = keep
        self._buffers: list[NDArray[np.uint8]] = []
        self._copies = self._needed = 0

    def __len__(self) -> int:
        return len(self._buffers)

    def copy(self, planes: Planes) -> Planes:
        """A writable copy of `planes` in a pooled buffer."""
        copies = planes_in(self._idle(), self.format, self.size_wh)
        for copy, plane in zip(copies, planes, strict=True):
            np.copyto(copy, plane)
        return copies

    def _idle(self) -> NDArray[np.uint8]:
        idle = [index for index, count in enumerate(_references(self._buffers)) if count <= _IDLE_REFERENCES]
        self._needed = max(self._needed, len(self._buffers) - len(idle) + 1)
        self._copies += 1
        if self._copies == _COPIES:
            surplus = max(0, len(self._buffers) - self._needed)
            for index in idle[:0:-1][:surplus]:
                del self._buffers[index]
            self._copies = self._needed = 0
        if idle:
            return self._buffers[idle[0]]
        buffer = self.make(self._bytes)
        if len(self._buffers) < self._keep:
            self._buffers.append(buffer)
        return buffer

    def make(self, size: int) -> UInt8:
        """A new buffer of so many bytes."""
        return np.empty(size, np.uint8)


class Timed(Protocol):
    """Anything with a time of its own and a time of arrival, in seconds, on different clocks."""

    @property
    def t_s(self) -> float: ...

    @property
    def arrived_s(self) -> float: ...


T = TypeVar("T", bound=Timed)
MOST_WAITING = 120  # frames: more than a long look-ahead at a high rate

_STALL_S = 0.15    # an item this late had nothing come in its place that could be looked at
_PATIENCE_S = 1.0  # beyond a look-ahead an item waits at most to be explained


def _explained(_item: object) -> bool:
    return True


class Ring(Generic[T]):
    """First in, first out after `lookahead_s` on both clocks; at most `max_items` wait.

    By their own time alone, items that arrive together would leave at once, before anybody could look at them. A time
    in which nothing arrives counts for nobody: those before it would leave before anybody looked at what came after.
    An item that is not yet explained (nobody has looked at what came after it) waits for 1 s more at most.
    """

    def __init__(self, lookahead_s: float, max_items: int = MOST_WAITING) -> None:
        self.lookahead_s = lookahead_s
        self._max_items = max_items
        self._waiting: deque[tuple[T, float]] = deque()  # with the stalls up to each
        self._stalled_s = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[T]:
        return (item for item, _ in self._waiting)

    def push(self, item: T) -> None:
        """Add the newest item."""
        if self._waiting:
            before, _ = self._waiting[-1]
            late_s = (item.arrived_s - before.arrived_s) - (item.t_s - before.t_s)
            self._stalled_s += late_s if late_s > _STALL_S else 0.0
        self._waiting.append((item, self._stalled_s))

    def due(self, explained: Callable[[T], bool] = _explained) -> list[T]:
        """The items whose time has come by that of the newest, oldest first."""
        due = []
        longest_s = self.lookahead_s + (_PATIENCE_S if self.lookahead_s > 0 else 0.0)
        while self._waiting:
            waited_s, item = self._waited_s(), self._waiting[0][0]
            waits = waited_s < self.lookahead_s or (waited_s < longest_s and not explained(item))
            if waits and len(self._waiting) <= self._max_items:
                break
            due.append(self._waiting.popleft()[0])
        return due

    def _waited_s(self) -> float:
        """How long the oldest item has waited, by the clock that says less, stalls taken out."""
        (oldest, before_s), (newest, now_s) = self._waiting[0], self._waiting[-1]
        return min(newest.t_s - oldest.t_s, newest.arrived_s - oldest.arrived_s - (now_s - before_s))

    def drain(self) -> list[T]:
        """All items still waiting, oldest first."""
        due = list(self)
        self._waiting.clear()
        return due
