"""A snippet merged into an NVR's YAML: comments, order and tags of its own stay, and nothing is lost."""

from __future__ import annotations

import copy
import difflib
import os
import shutil
import time
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from aipg_plugin.errors import HostError
from aipg_plugin.hosts.nvr_sources import parsed
from aipg_plugin.settings.writer import write_atomically
from aipg_plugin.settings.yaml_text import dump

_THEIRS = frozenset({"name", "enabled"})
"""Keys of a camera that stay as they are where they are set: a title, and what is switched off on purpose."""


def merged(text: str, snippet: str) -> str:
    """`text` with all that `snippet` says in it. Raises HostError for what cannot be merged.

    Tables are merged, lists and values are replaced; in a list of named tables (Home Assistant's cameras) those of the
    same name are.
    """
    if "\r\n" in text:
        return merged(text.replace("\r\n", "\n"), snippet).replace("\n", "\r\n")
    wanted = yaml.safe_load(snippet)
    plain = copy.deepcopy(parsed(text)) if text.strip() else {}
    document = _round_trip(text) if plain else CommentedMap()
    shared = _shared(document)
    _merge(document, wanted, "", shared)
    _merge(plain, wanted, "", frozenset())
    after = dump(document, text)
    if parsed(after) != plain:
        raise HostError("this file cannot be changed without changing more of it", cure="Paste the snippet by hand")
    return after


def _round_trip(text: str) -> Any:
    rt = YAML(typ="rt", pure=True)
    rt.preserve_quotes = True
    try:
        return rt.load(StringIO(text))
    except YAMLError as error:
        raise HostError("this is not YAML: {error}", error=str(error).splitlines()[0]) from error


def _merge(node: Any, wanted: dict[str, Any], path: str, shared: frozenset[int]) -> None:
    if id(node) in shared or getattr(node, "merge", None):
        raise HostError("is shared by a YAML anchor", path=path, cure="Write it out at its own place, or paste by hand")
    for key, value in wanted.items():
        below, own = f"{path}.{key}" if path else key, node.get(key)
        if own is None:
            node[key] = value
        elif isinstance(value, dict):
            if not isinstance(own, dict):
                raise HostError("is {kind} here and has to be a table", path=below, kind=_kind(own),
                                cure="Paste the snippet by hand")
            _merge(own, value, below, shared)
        elif isinstance(value, list):
            node[key] = _list(own, value, below, shared)
        elif not (key in _THEIRS and path.count(".") >= 1):
            node[key] = value


def _list(own: Any, wanted: list[Any], path: str, shared: frozenset[int]) -> Any:
    if not isinstance(own, list) or id(own) in shared:
        raise HostError("is {kind} here and has to be a list", path=path, kind=_kind(own),
                        cure="Paste the snippet by hand")
    if not all(isinstance(each, dict) and "name" in each for each in wanted):
        return own if own == wanted else wanted
    for each in wanted:
        at = next((index for index, known in enumerate(own)
                   if isinstance(known, dict) and known.get("name") == each["name"]), None)
        if at is None:
            own.append(each)
        elif own[at] != each:
            own[at] = each
    return own


def _shared(document: Any) -> frozenset[int]:
    """Tables and lists that stand at more than one place."""
    seen: set[int] = set()
    twice: set[int] = set()
    for container in _containers(document, set()):
        (twice if id(container) in seen else seen).add(id(container))
    return frozenset(twice)


def _containers(node: Any, inside: set[int]) -> Iterator[Any]:
    if isinstance(node, dict | list):
        yield node
        if id(node) not in inside:
            for below in node.values() if isinstance(node, dict) else node:
                yield from _containers(below, inside | {id(node)})


def _kind(value: Any) -> str:
    tag = str(getattr(value, "tag", "") or "")
    return tag if tag.startswith("!") else f"a {type(value).__name__.removeprefix('Commented').lower()}"


def difference(before: str, after: str, name: str) -> str:
    """A unified diff, for people."""
    return "".join(difflib.unified_diff(_lines(before), _lines(after), name, f"{name} (new)"))


def _lines(text: str) -> list[str]:
    return [f"{line}\n" for line in text.split("\n")][:None if not text.endswith("\n") else -1]


def replace(file: Path, before: str, after: str) -> Path:
    """Write `after` over a file that says `before`; returns the copy of the old one that is made first.

    Raises HostError when it says something else by now, OSError when the copy cannot be made, SettingsError when the
    file cannot be written.
    """
    file = Path(os.path.realpath(file))
    stamp, count = time.strftime("%Y%m%d-%H%M%S"), 0
    while True:
        backup = file.with_name(f"{file.name}.{stamp}{f'-{count}' if count else ''}.bak")
        try:
            with backup.open("x", encoding="utf-8", newline="") as out:
                shutil.copymode(file, backup)
                out.write(before)
                out.flush()
                os.fsync(out.fileno())
            break
        except FileExistsError:
            count += 1
    if read(file) != before:
        raise HostError("was changed by another program just now", path=str(file), cure="Try again")
    write_atomically(file, after)
    return backup


def read(file: Path) -> str:
    """Text of a file, its line ends as they are. Raises OSError or UnicodeDecodeError."""
    with file.open(encoding="utf-8", newline="") as given:
        return given.read()
