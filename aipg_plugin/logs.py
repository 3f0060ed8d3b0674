"""Keeping a log readable, and small, when one thing happens again and again."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable

_MOST_KEYS = 1000


class RateLimit(logging.Filter):
    """Lets `most` records of one message about one thing through in `per_s`, and tells later how many it left out.

    For a logger or a handler. What a message is about is its first argument: `"%s: lost"` counts for each stream.
    """

    def __init__(self, most: int = 10, per_s: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._most, self._per_s, self._clock = most, per_s, clock
        self._windows: OrderedDict[tuple[str, str, str], tuple[float, int]] = OrderedDict()  # start, records

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is to be written."""
        about = str(record.args[0])[:100] if isinstance(record.args, tuple) and record.args else ""
        key = record.name, str(record.msg)[:500], about
        now_s = self._clock()
        start_s, count = self._windows.pop(key, (now_s, 0))
        if now_s - start_s >= self._per_s:
            left_out = max(0, count - self._most)
            if left_out:
                record.msg = f"{record.getMessage()} ({left_out} more in the last {now_s - start_s:.0f} s)"
                record.args = ()
            start_s, count = now_s, 0
        self._windows[key] = start_s, count + 1
        while len(self._windows) > _MOST_KEYS:
            self._windows.popitem(last=False)
        return count < self._most
