"""Validators of values with a form of their own: circle, stream names, addresses, hosts, tables with a short form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aipg_plugin.credentials import Address, redacted
from aipg_plugin.errors import SettingsError
from aipg_plugin.settings.problems import Bad, one_of, show
from aipg_plugin.settings.shapes import ListOf, Table
from aipg_plugin.settings.validators import Name, Number, Text

SCHEMES = ("rtsp", "rtsps", "http", "https", "file")
RESERVED_STREAMS = frozenset({"all", "off", "on", "person", "problem", "available"})


@dataclass(frozen=True)
class Circle:
    """The image circle: `auto`, or [cx, cy, radius]."""

    kind: str = "circle"
    limits: str = "auto, or [cx, cy, radius] as shares of width, height, width"

    def __call__(self, value: object) -> tuple[float, ...] | None:
        if value is None or (isinstance(value, str) and value.lower() == "auto"):
            return None
        if not isinstance(value, list | tuple):
            raise Bad("{value} is not an image circle", cure="Write auto or [cx, cy, radius]", value=show(value))
        cx, cy, radius = ListOf(Number(-1, 2), 3, 3)(value)
        if radius < 0.05:
            raise Bad("{value} is too small a radius", cure="Give it as a share of the width, such as 0.5",
                      path=["2"], value=show(value[2]))
        return cx, cy, radius


@dataclass(frozen=True)
class StreamSet:
    """Stream names, `all` or `off`; None (not given) stays None so that a rule can tell."""

    kind: str = "stream names"
    limits: str = 'off, all, or a list such as ["1", "2"]'

    def __call__(self, value: object) -> list[str] | str | None:
        if value is None:
            return None
        if value is False or (isinstance(value, str) and value.lower() == "off"):
            return []
        if isinstance(value, str) and value.lower() == "all":
            return "all"
        one = isinstance(value, str | int) and not isinstance(value, bool)
        names: list[str] = ListOf(Name(RESERVED_STREAMS))([value] if one else value)
        return sorted(set(names), key=names.index)


@dataclass(frozen=True)
class SourceUrl:
    """A file, folder, device or address that can be read from."""

    kind: str = "address"
    limits: str = "a file, a folder, rtsp://…, http://…, /dev/videoN or the number of a webcam"

    def __call__(self, value: object) -> str:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 256:
            return str(value)
        url = Text(longest=4096)(value)
        scheme, found, rest = url.partition("://")
        if found and (scheme.lower() not in SCHEMES or not rest):
            raise Bad("{value} is not an address that can be read", cure="Use {schemes}, or a file's path",
                      value=redacted(url), schemes=one_of(f"{name}://" for name in SCHEMES))
        return _address(url)


@dataclass(frozen=True)
class Target:
    """A file, folder or address that can be written to."""

    kind: str = "text"
    limits: str = ""

    def __call__(self, value: object) -> Address:
        return _address(Text(empty=True, longest=4096)(value))


def _address(text: str) -> Address:
    try:
        return Address(text)
    except SettingsError as error:
        (problem,) = error.problems
        raise Bad(problem.message, cure=problem.cure, value=problem.params["value"]) from None


@dataclass(frozen=True)
class HostName:
    """A host name or address; `words` are accepted beside it."""

    words: tuple[str, ...] = ()
    kind: str = "host"

    @property
    def limits(self) -> str:
        """`off, embedded or a host name`."""
        return f"{', '.join(self.words)} or a host name or address" if self.words else "a host name or address"

    def __call__(self, value: object) -> str:
        if value is False and "off" in self.words:
            return "off"
        text = Text(longest=253)(value)
        if text.lower() in self.words:
            return text.lower()
        host, colon, port = text.rpartition(":")
        if "://" in text or (colon and ":" not in host and port.isdigit()):
            raise Bad("{value} is more than a host name", cure="Give the host alone; the port has a setting of its own",
                      value=redacted(text))
        return str(Text(r"[A-Za-z0-9_.:%-]+", self.limits)(text))


@dataclass(frozen=True)
class Shorthand:
    """A table that may be written as the value of its main setting alone."""

    table: Table
    key: str

    def __call__(self, value: object) -> Any:
        return self.table({self.key: value} if isinstance(value, str | int) else value)


@dataclass(frozen=True)
class GuardTable:
    """The guard's table: switched on, it must say for which streams."""

    table: Table

    def __call__(self, value: object) -> dict[str, Any]:
        guard = self.table(value)
        if guard["enabled"] and guard["target_streams"] is None:
            raise Bad("is missing while the guard is on", path=["target_streams"],
                      cure='Write all, a list such as ["1"], or off to let every stream pass unguarded')
        return guard
