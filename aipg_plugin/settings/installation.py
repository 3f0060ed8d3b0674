"""Who we are among other installations: an id that stays the same, differs between machines, and tells nothing."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path

AUTO = "auto"
"""What stands in the settings for a name made from the id."""

_MACHINE_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))


def installation_id(file: str | os.PathLike[str] | None = None) -> str:
    """Eight hexadecimal digits, from the machine's id and the path of the settings file.

    The machine's id is kept secret, as machine-id(5) asks for: only a hash with our name leaves. Where there is none
    (containers), the host name takes its place: give the container a `hostname`, or set `instance_id`.
    """
    place = os.path.realpath(file) if file is not None else ""
    return hashlib.sha256(f"aipg\0{_machine()}\0{place}".encode()).hexdigest()[:8]


def _machine() -> str:
    for path in _MACHINE_IDS:
        try:
            found = path.read_text(encoding="ascii", errors="replace").strip()
        except OSError:
            continue
        if found and found != "uninitialized":
            return found
    return socket.gethostname()
