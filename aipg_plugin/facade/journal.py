"""The last events and changes: what, when, from where. Never a password, an address or a pixel."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

KEPT = 500


@dataclass(frozen=True)
class Entry:
    """One line of the journal. `kind` is state, change, login or error; `origin` page, mqtt, file, host or guard."""

    seq: int
    t_s: float
    kind: str
    origin: str
    who: str = ""
    camera: str = ""
    stream: str = ""
    state: str = ""
    text: str = ""
    path: str = ""
    before: Any = None
    after: Any = None
    weakens: bool = False

    def as_json(self) -> dict[str, Any]:
        """For the page."""
        return {name: value for name, value in asdict(self).items()
                if value not in ("", None) and not (name == "weakens" and not value)}


@dataclass
class Journal:
    """A ring of entries. Any thread."""

    _entries: deque[Entry] = field(default_factory=lambda: deque(maxlen=KEPT))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _seq: int = 0

    def add(self, kind: str, origin: str, **details: Any) -> Entry:
        """Note something now."""
        with self._lock:
            self._seq += 1
            entry = Entry(self._seq, round(time.time(), 3), kind, origin, **details)
            self._entries.append(entry)
        return entry

    def since(self, seq: int = 0) -> list[Entry]:
        """Entries after `seq`, oldest first."""
        with self._lock:
            return [entry for entry in self._entries if entry.seq > seq]
