"""Reads and writes YAML text, with the line of every setting. Broken or hostile text raises SettingsError."""

from __future__ import annotations

import io
import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.composer import Composer
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from aipg_plugin.errors import SettingsError
from aipg_plugin.settings.problems import Path

LARGEST_BYTES = 256 * 1024       # the YAML reader needs seconds for more, and quadratic time for some
MOST_NODES = 20_000
DEEPEST = 32
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})


@dataclass(frozen=True)
class Parsed:
    """A YAML text: as ruamel's document (for writing back), as plain values, and where each path stands."""

    document: Any
    plain: Any
    lines: dict[Path, int]


def read_text(path: FilePath) -> str:
    """The text of a settings file (UTF-8). Raises SettingsError when it cannot be read or is no text."""
    try:
        raw = _read_regular(path)
    except OSError as error:
        raise SettingsError("cannot be read: {why}", path=str(path), cure="Check the path and its permissions",
                            why=error.strerror or str(error)) from error
    if len(raw) > LARGEST_BYTES:
        raise SettingsError("is larger than {most} bytes", path=str(path), most=LARGEST_BYTES,
                            cure="Settings are a small YAML file; is this the right one?")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsError("is not UTF-8 text (byte {position})", path=str(path), position=error.start,
                            line=raw[:error.start].count(b"\n") + 1, cure="Save it as UTF-8") from error


def _read_regular(path: FilePath) -> bytes:
    """The first bytes of a regular file. Raises OSError, and SettingsError for a pipe, a device or a folder."""
    # without O_NONBLOCK, opening a named pipe waits for a writer
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise SettingsError("is not a regular file", path=str(path),
                                cure="Name a YAML file, not a folder, pipe or device")
        return file.read(LARGEST_BYTES + 1)


def parse(text: str, name: str) -> Parsed:
    """Read YAML text; `name` says in errors where it is from. Raises SettingsError."""
    _refuse_deep_brackets(text, name)
    try:
        document = _yaml().load(text)
        walk = _Walk(name)
        return Parsed(document, walk.plain(document, ()), walk.lines)
    except SettingsError:
        raise
    except _TooManyError:
        raise _too_many(name) from None
    except DuplicateKeyError as error:
        named = re.search(r'duplicate key "([A-Za-z0-9_-]{1,64})"', str(error.problem))
        raise SettingsError("the setting {key} is there twice", path=name, line=_line(error),
                            key=named[1] if named else "here", cure="Keep one of them") from None
    except MarkedYAMLError as error:
        raise SettingsError("is not valid YAML: {what}", path=name, line=_line(error),
                            what=_without_values(error.problem), cure=_yaml_cure(text, error)) from None
    except RecursionError as error:
        raise SettingsError("is nested too deeply", path=name, cure="Settings are at most {deepest} levels deep",
                            deepest=DEEPEST) from error
    except Exception as error:  # ruamel lets errors of its own parts through: ValueError, AttributeError, …
        raise SettingsError("is not valid YAML: {what}", path=name, what=type(error).__name__,
                            cure="Check it with a YAML checker") from None


def _refuse_deep_brackets(text: str, name: str) -> None:
    """The YAML reader takes seconds to give up on thousands of open brackets; this takes none."""
    depth = 0
    for bracket in re.findall(r"[\[\]{}]", text):
        depth = depth + 1 if bracket in "[{" else max(0, depth - 1)
        if depth > 8 * DEEPEST:
            raise SettingsError("is nested too deeply", path=name, deepest=DEEPEST,
                                cure="Settings are at most {deepest} levels deep")


def dump(document: Any, like: str) -> str:
    """A document as text, comments and order kept, indented as the text `like` is."""
    mapping, offset = _indents(like)
    yaml = _yaml()
    yaml.indent(mapping=mapping, sequence=offset + 2, offset=offset)
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def splice(text: str, keys: list[str], value: Any) -> str | None:
    """`text` with the value under `keys` replaced and every other character kept; None where that cannot be done."""
    node = YAML(typ="safe", pure=True).compose(text)
    for key in keys:
        if isinstance(node, MappingNode):
            node = next((below for name, below in node.value if name.value == key), None)
        elif isinstance(node, SequenceNode) and key.isdecimal() and int(key) < len(node.value):
            node = node.value[int(key)]
        else:
            return None
    flow = isinstance(node, ScalarNode) or (isinstance(node, SequenceNode) and node.flow_style)
    written = _flow(value)
    if node is None or not flow or written is None or node.start_mark.index == node.end_mark.index:
        return None
    return str(text[:node.start_mark.index] + written + text[node.end_mark.index:])


def _flow(value: Any) -> str | None:
    """A scalar, or a list of scalars, on one line."""
    if isinstance(value, list):
        items = [_flow(item) for item in value]
        return None if None in items else "[" + ", ".join(str(item) for item in items) + "]"
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) and value.lower() not in _WORDS else json.dumps(value)
    return json.dumps(value) if isinstance(value, bool | int | float) else None


def _indents(text: str) -> tuple[int, int]:
    """How far tables (2 if there are none) and list dashes (0) are indented below their key."""
    mapping = offset = None
    above: int | None = None
    for line in text.split("\n"):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        deep = len(line) - len(line.lstrip(" "))
        dash = bare.startswith("- ")
        if above is not None:
            if dash and offset is None:
                offset = max(0, deep - above)
            elif not dash and mapping is None and deep > above:
                mapping = deep - above
        above = deep if re.search(r":\s*(&\S+\s*)?(#.*)?$", bare) and not dash else None
    return mapping or 2, offset or 0


def _yaml() -> YAML:
    yaml = YAML(typ="rt", pure=True)
    yaml.Composer = _Counted
    yaml.preserve_quotes = True
    yaml.width = 10_000
    return yaml


def _line(error: MarkedYAMLError) -> int | None:
    mark = error.problem_mark or error.context_mark
    return None if mark is None else int(mark.line) + 1


def _yaml_cure(text: str, error: MarkedYAMLError) -> str:
    number = _line(error) or 1
    lines = text.splitlines()  # like YAML, this also ends lines at U+0085 and U+2028
    line = lines[number - 1] if number <= len(lines) else ""
    if "\t" in line[:len(line) - len(line.lstrip())]:
        return "Indent with spaces, never tabs"
    if "${" in line and "{" in line.replace("${", ""):
        return 'Inside braces put "${{VARIABLE}}" in quotes'
    return "Check indentation, colons, quotes and brackets there"


def _without_values(problem: object) -> str:
    """What the YAML reader says, without what it quotes from the file: that may be a part of a password."""
    first = str(problem or "").strip().split("\n")[0]
    return re.sub(r"""(['"]).{2,}\1""", "…", first)[:200]


class _TooManyError(Exception):
    """More nodes than settings have."""


class _Counted(Composer):
    """Gives up at the first node too many, before values are made of them."""

    nodes = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.nodes += 1
        if self.nodes > MOST_NODES:
            raise _TooManyError
        return super().compose_node(parent, index)


def _too_many(name: str) -> SettingsError:
    return SettingsError("unfolds to more than {most} values", path=name, most=MOST_NODES,
                         cure="Remove anchors that repeat each other")


class _Walk:
    """Makes plain values of a document; counts nodes, so that aliases of aliases cannot fill the memory."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.nodes = 0
        self.lines: dict[Path, int] = {}

    def plain(self, node: Any, path: Path) -> Any:
        self.nodes += 1
        if self.nodes > MOST_NODES:
            raise _too_many(self.name)
        if len(path) > DEEPEST:
            raise SettingsError("is nested too deeply", path=self.name, deepest=DEEPEST,
                                cure="Settings are at most {deepest} levels deep")
        if isinstance(node, Mapping):
            return self._mapping(node, path)
        if isinstance(node, list | tuple):
            return self._sequence(node, path)
        return self._scalar(node, path)

    def _mapping(self, node: Mapping[Any, Any], path: Path) -> dict[Any, Any]:
        where = (node.lc.data or {}) if isinstance(node, CommentedMap) else {}
        out: dict[Any, Any] = {}
        for key, value in node.items():
            below = (*path, str(key))
            if key in where:
                self.lines[below] = where[key][0] + 1
            out[self._key(key, below)] = self.plain(value, below)
        return out

    def _key(self, key: Any, path: Path) -> Any:
        return self._scalar(key, path) if isinstance(key, str | int | float | bool) or key is None else str(key)

    def _sequence(self, node: Any, path: Path) -> list[Any]:
        where = (node.lc.data or {}) if isinstance(node, CommentedSeq) else {}
        for index in range(len(node)):
            if index in where:
                self.lines[(*path, str(index))] = where[index][0] + 1
        return [self.plain(item, (*path, str(index))) for index, item in enumerate(node)]

    def _scalar(self, node: Any, path: Path) -> Any:
        for kind in (bool, int, float, str):
            if isinstance(node, kind):
                return kind(node)
        if node is None:
            return None
        if type(node).__name__ == "ScalarBoolean":
            return bool(node)
        if hasattr(node, "isoformat"):
            return node.isoformat()
        raise SettingsError("has a YAML tag, which settings do not use", path=".".join(path) or self.name,
                            line=self.lines.get(path), cure="Write the plain value")
