"""Values as they are written into payloads, and a throttle for complaints."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from enum import Enum
from typing import Any

_REMEMBERED = 200


def switch(on: bool) -> bytes:
    return b"ON" if on else b"OFF"


def setting_text(value: object) -> bytes:
    """A setting's value as its `/state` says it: ON/OFF, a choice, a number."""
    if isinstance(value, bool):
        return switch(value)
    if isinstance(value, Enum):
        return str(value.value).encode()
    if isinstance(value, int | float):
        return f"{value:g}".encode()
    return str(value).encode()


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: enums by value, numpy scalars and arrays as numbers and lists, NaN as null."""
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return plain(value.tolist()) if hasattr(value, "tolist") else str(value)


def to_json(value: Any) -> bytes:
    return json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode(
        "utf-8", "replace")


class Throttle:
    """Lets one complaint of a kind through every `every_s`; remembers only so many kinds."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._last_s: dict[object, float] = {}

    def allows(self, kind: object) -> bool:
        now_s = time.monotonic()
        if now_s - self._last_s.get(kind, -math.inf) < self._every_s:
            return False
        if len(self._last_s) >= _REMEMBERED:
            self._last_s.clear()
        self._last_s[kind] = now_s
        return True
