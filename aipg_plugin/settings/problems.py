"""From what a validator says to what a person reads: one Problem each, with path, value and cure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

import voluptuous as vol

from aipg_plugin.credentials import redacted
from aipg_plugin.errors import Problem

Path = tuple[str, ...]
Lines = Mapping[Path, int]

_SHOWN_CHARS = 60


class Bad(vol.Invalid):
    """A value refused: an English template, its cure and what fills them. `path` is where, below the validator."""

    def __init__(self, template: str, *, cure: str = "", path: Sequence[object] = (), **params: object) -> None:
        super().__init__(template, path=[str(part) for part in path])
        self.template = template
        self.cure = cure
        self.params = params


def show(value: object) -> str:
    """A value as errors quote it: short, on one line, without credentials."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, str):
        text = redacted(value)
        text = text if text.isprintable() and text == text.strip() and text else repr(text)
    elif isinstance(value, int) and abs(value) >= 10**18:
        text = f"a number of {value.bit_length()} bits"
    elif isinstance(value, Sequence):
        text = "[" + ", ".join(show(item) for item in value[:6]) + (", …]" if len(value) > 6 else "]")
    else:
        text = str(value)
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS - 1] + "…"


def near_miss(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was probably meant to be, if any."""
    known = list(known)
    folded = name.strip().lower().replace("-", "_").replace(" ", "_")
    if folded in known:
        return folded
    found = difflib.get_close_matches(folded, known, n=1, cutoff=0.6)
    return found[0] if found else None


def kind_of(value: object) -> str:
    """What sort of thing stands where a table should: the value itself may be a misplaced password."""
    if isinstance(value, list | tuple):
        return "a list"
    return "a number" if isinstance(value, int | float) and not isinstance(value, bool) else "a single value"


def one_of(names: Iterable[str]) -> str:
    """`a, b, c`, as cures list choices in every language."""
    return ", ".join(names)


def line_of(path: Path, lines: Lines) -> int | None:
    """The line where `path`, or the nearest thing around it, stands in the file."""
    for end in range(len(path), 0, -1):
        if path[:end] in lines:
            return lines[path[:end]]
    return None


def problem(error: vol.Invalid, lines: Lines) -> Problem:
    """One voluptuous error as a Problem."""
    path = tuple(str(part) for part in error.path)
    if isinstance(error, Bad):
        message, cure, params = error.template, error.cure, error.params
    elif isinstance(error, vol.RequiredFieldInvalid):
        message, cure, params = "is missing", "Add it", {}
    else:
        message, cure, params = "{why}", "", {"why": error.error_message}
    return Problem(message, path=".".join(path), cure=cure, line=line_of(path, lines), params=params)


def flattened(error: vol.Invalid) -> list[vol.Invalid]:
    """Every single error inside a possibly nested one."""
    if isinstance(error, vol.MultipleInvalid):
        return [single for inner in error.errors for single in flattened(inner)]
    return [error]
