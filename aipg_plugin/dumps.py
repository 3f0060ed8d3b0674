"""Keeps pictures out of core dumps: the memory of a process that crashes holds frames that nobody has masked yet."""

from __future__ import annotations

import sys


def forbid_core_dumps() -> None:
    """Ask the system to write no core file when the process crashes. Does nothing on Windows."""
    if sys.platform == "win32":
        return
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))
