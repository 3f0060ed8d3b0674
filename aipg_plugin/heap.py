"""Keeps the process's memory bounded while it allocates and frees whole pictures."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # names and numbers of glibc's malloc.h
_KEPT = 32 << 20         # bytes: the largest threshold that glibc takes
_NEVER_TRIMMED = 1 << 30
_FOR_LOOKS = 16 << 20    # of each arena, at its top


def bound_heap() -> None:
    """Ask glibc to give pictures back when they are freed (it would keep them in fragments), to keep what looks take
    and free five times a second (new pages for it cost 1 ms a frame), and to use few arenas.

    Does nothing on other systems.
    """
    _tell({_M_MMAP_THRESHOLD: 1 << 20, _M_TRIM_THRESHOLD: _FOR_LOOKS, _M_ARENA_MAX: 2})


def reuse_heap() -> None:
    """Ask glibc to keep freed pictures for the next ones: in a file they are all alike, and new pages cost a tenth of
    the CPU time.
    """
    _tell({_M_MMAP_THRESHOLD: _KEPT, _M_TRIM_THRESHOLD: _NEVER_TRIMMED})


def trim_heap() -> None:
    """Give back what is free: the next file's pictures may have another size."""
    libc = _libc()
    if libc is not None:
        libc.malloc_trim(0)


def _tell(parameters: dict[int, int]) -> None:
    libc = _libc()
    if libc is not None:
        for name, value in parameters.items():
            libc.mallopt(name, value)


def _libc() -> ctypes.CDLL | None:
    """The C library where it is glibc."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        libc = ctypes.CDLL(None)
        return libc if libc.mallopt and libc.malloc_trim else None
    except (OSError, AttributeError):  # another libc
        return None
