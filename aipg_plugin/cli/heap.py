"""Keeps the process's memory bounded while it allocates and frees whole pictures."""

from __future__ import annotations

import ctypes
import sys

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # names and numbers of glibc's malloc.h


def bound_heap() -> None:
    """Ask glibc to give pictures back when they are freed (it would keep them in fragments) and to use few arenas.

    Does nothing on other systems.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another libc
        return
    mallopt(_M_MMAP_THRESHOLD, 1 << 20)
    mallopt(_M_ARENA_MAX, 2)
