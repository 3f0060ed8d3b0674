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
    # A limit of 0 is not asked where cores are piped to a program (apport keeps them), one of 1 byte is: do_coredump() in
    # Linux's fs/coredump.c. Files start with a page, so that there are none of them either.
    least = 1 if sys.platform == "linux" and most != 0 else 0
    resource.setrlimit(resource.RLIMIT_CORE, (least, most))
