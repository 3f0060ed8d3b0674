"""Memory for frames that two processes share, without a name that others could open it by."""

from __future__ import annotations

import mmap
import os
import weakref

import numpy as np

from aipg_plugin.frames import PixelFormat
from aipg_plugin.geometry.arrays import UInt8
from aipg_plugin.guard.ring import BufferPool


class SharedMemory:
    """Buffers in one piece of memory that grows; each is known to the other process by where it lies.

    What nobody refers to here is given back to the system, and its place taken again. `fd` is to be handed to the
    other process.
    """

    def __init__(self) -> None:
        self.fd = os.memfd_create("aipg-frames")
        self.close = weakref.finalize(self, os.close, self.fd)  # no more buffers; those there are stay while in use
        self._end = 0
        self._free: dict[int, list[int]] = {}  # places by length
        self._places: dict[int, int] = {}  # of buffers, by their identity

    def make(self, size: int) -> UInt8:
        """A new buffer (size,)."""
        length = _length(size)
        places = self._free.get(length)
        if places:
            place = places.pop()
        else:
            place = self._end
            os.ftruncate(self.fd, place + length)
            self._end += length
        mapped = mmap.mmap(self.fd, length, offset=place)
        buffer = np.frombuffer(mapped, np.uint8, size)
        self._places[id(buffer)] = place
        weakref.finalize(buffer, self._given_back, id(buffer), mapped)
        return buffer

    def place_of(self, buffer: UInt8) -> int:
        """Where a buffer of ours lies, in bytes."""
        return self._places[id(buffer)]

    def _given_back(self, buffer_id: int, mapped: mmap.mmap) -> None:
        """Nobody refers to a buffer any more."""
        mapped.madvise(mmap.MADV_REMOVE)
        self._free.setdefault(len(mapped), []).append(self._places.pop(buffer_id))


class SharedPool(BufferPool):
    """Plane buffers of one picture layout in shared memory."""

    def __init__(self, memory: SharedMemory, pixel_format: PixelFormat, size_wh: tuple[int, int]) -> None:
        super().__init__(pixel_format, size_wh)
        self._memory = memory

    def make(self, size: int) -> UInt8:
        """A new buffer in the shared memory."""
        return self._memory.make(size)


class SharedViews:
    """The other process's buffers, seen from here."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._views: dict[tuple[int, int], UInt8] = {}
        self._places: dict[int, int] = {}

    def view(self, place: int, size: int) -> UInt8:
        """The buffer (size,) that lies at a place; the same array each time."""
        view = self._views.get((place, size))
        if view is None:
            mapped = mmap.mmap(self._fd, _length(size), offset=place)
            view = self._views[place, size] = np.frombuffer(mapped, np.uint8, size)
            self._places[id(view)] = place
        return view

    def place_of(self, buffer: object) -> int | None:
        """Where a view of ours lies; None for anything else."""
        return self._places.get(id(buffer))


def _length(size: int) -> int:
    """Of what is mapped for a buffer of so many bytes: places begin at whole pages."""
    return -(-size // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
