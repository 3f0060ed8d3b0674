"""Keeps pictures out of core dumps: the memory of a process that crashes holds frames that nobody has masked yet."""

from __future__ import annotations

import sys


def forbid_core_dumps() -> None:
    """Ask the system to write no core file when the process crashes, and Linux to hand none to a crash reporter.

    Does nothing on Windows.
    """
    if sys.platform == "win32":
        return
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    # Where cores are piped to a program (apport keeps them) Linux heeds no limit but that of 1 byte (do_coredump() in
    # fs/coredump.c), which is too little for a file too.
    least = 1 if sys.platform == "linux" and most != 0 else 0
    resource.setrlimit(resource.RLIMIT_CORE, (least, most))
