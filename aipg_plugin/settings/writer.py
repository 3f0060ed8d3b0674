"""Writing one setting back into its YAML file: comments and order stay, and a bad change changes nothing."""

from __future__ import annotations

import contextlib
import copy
import errno
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from aipg_plugin.errors import SettingsError
from aipg_plugin.settings.build import to_dict
from aipg_plugin.settings.loader import Loaded, loaded_from
from aipg_plugin.settings.yaml_text import dump, parse, read_text, splice

_log = logging.getLogger(__name__)

_one_writer = threading.Lock()
_IN_PLACE = frozenset({errno.EBUSY, errno.EXDEV, errno.EROFS, errno.EACCES, errno.EPERM})
"""Errors of renaming over a file that may still be writable itself."""


def last_good_path(path: str | os.PathLike[str]) -> FilePath:
    """Where the last file known to be good is kept: `<file>.last-good`."""
    return FilePath(f"{os.fspath(path)}.last-good")


def save_changes(path: str | os.PathLike[str], changes: Mapping[str, Any], *,
                 environ: Mapping[str, str] | None = None) -> Loaded:
    """Set settings in the file (None removes one), all of them or none, and return the file as loaded again.

    Dotted paths are as in errors: `cameras.lobby.privacy_guard.prohibited_areas.0.status`; a number one past a list's
    end appends. Raises SettingsError, the file untouched, when the result would not be valid.
    """
    file = FilePath(os.path.realpath(path))
    with _one_writer:
        before = read_text(file)
        after = _edited(before, _needed(before, changes, file, environ), str(file))
        loaded = loaded_from(after, file, environ)
        _keep_last_good(file, environ)
        write_atomically(file, after)
    return loaded


def _needed(before: str, changes: Mapping[str, Any], file: FilePath,
            environ: Mapping[str, str] | None) -> dict[str, Any]:
    """The changes without those that the file says already in its own words, such as `all` or a `${VARIABLE}`."""
    try:
        in_force = to_dict(loaded_from(before, file, environ).settings)
        written = parse(before, "").plain
    except SettingsError:
        return dict(changes)
    return {path: value for path, value in changes.items()
            if value is None or _at(in_force, path) != value or _at(written, path) is None}


def _at(tree: Any, path: str) -> Any:
    """The value at a dotted path; None where there is none."""
    for key in path.split("."):
        if isinstance(tree, dict):
            tree = next((below for own, below in tree.items() if str(own) == key), None)
        else:
            tree = tree[int(key)] if isinstance(tree, list) and key.isdecimal() and int(key) < len(tree) else None
    return tree


def _edited(before: str, changes: Mapping[str, Any], name: str) -> str:
    """The text with every change in it; other settings are proven to be what they were."""
    parsed = parse(before, name)
    wanted = {} if parsed.plain is None else copy.deepcopy(parsed.plain)
    spliced: str | None = before
    for dotted_path, value in changes.items():
        keys = dotted_path.split(".")
        set_in(wanted, keys, value, dotted_path)
        spliced = None if spliced is None else splice(spliced, keys, value)
    if spliced is not None and _reads_as(spliced, wanted):
        return spliced
    document = CommentedMap() if parsed.document is None else parsed.document
    for dotted_path, value in changes.items():
        set_in(document, dotted_path.split("."), value, dotted_path)
    after = dump(document, before)
    if not _reads_as(after, wanted):
        raise SettingsError("cannot be changed: its place in the file is shared by a YAML anchor",
                            path=", ".join(changes), cure="Write the setting out at its own place first")
    return after


def _reads_as(text: str, wanted: Any) -> bool:
    try:
        return bool(parse(text, "").plain == wanted)
    except SettingsError:
        return False


def write_atomically(file: FilePath, text: str) -> None:
    """Replace a file's text: a reader, or a loss of power, finds all of the old or all of the new.

    A file that cannot be renamed over (mounted by itself, in a folder that is read-only) is written in place.
    Raises SettingsError when it cannot be written.
    """
    try:
        _replace(file, text)
    except OSError as error:
        if error.errno not in _IN_PLACE or not file.is_file():
            raise _not_written(file, error) from error
        _write_in_place(file, text.encode("utf-8"))


def _replace(file: FilePath, text: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        if file.exists():
            _copy_owner(file, temporary)
        os.replace(temporary, file)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    with contextlib.suppress(OSError):      # the file is written; some file systems cannot sync a folder
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _write_in_place(file: FilePath, data: bytes) -> None:
    """Overwrite with one write, filled up with line ends to the old length, so that a reader never sees a mixture.

    The old text is put back when the new one does not fit.
    """
    try:
        with file.open("r+b", buffering=0) as out:
            before = out.read()
            try:
                _overwrite(out.fileno(), data, len(before))
            except OSError:
                with contextlib.suppress(OSError):
                    _overwrite(out.fileno(), before, len(before))
                raise
    except OSError as error:
        raise _not_written(file, error) from error


def _overwrite(handle: int, data: bytes, length: int) -> None:
    padded = data.ljust(length, b"\n")
    if os.pwrite(handle, padded, 0) < len(padded):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(handle)
    os.ftruncate(handle, len(data))
    os.fsync(handle)


def _not_written(file: FilePath, error: OSError) -> SettingsError:
    return SettingsError("cannot be written: {why}", path=str(file), why=error.strerror or str(error),
                         cure="Check permissions and free space")


def _copy_owner(file: FilePath, temporary: str) -> None:
    shutil.copymode(file, temporary)
    status = file.stat()
    with contextlib.suppress(PermissionError):
        os.chown(temporary, status.st_uid, status.st_gid)


def _keep_last_good(file: FilePath, environ: Mapping[str, str] | None) -> None:
    """Keep a copy of the file if it is valid; that there is no room for a copy is no reason not to write."""
    kept = last_good_path(file)
    try:
        text = read_text(file)
        loaded_from(text, file, environ)
    except SettingsError:
        return
    try:
        if not kept.exists():
            kept.touch(mode=0o600)
        write_atomically(kept, text)
    except (OSError, SettingsError) as error:
        _log.warning("no copy of the last good settings could be kept: %s", error)


def set_in(root: Any, keys: list[str], value: Any, dotted_path: str) -> None:
    """Set one value in a tree of tables and lists, in place; None removes it. Raises SettingsError for a wrong path."""
    node = root
    for position, key in enumerate(keys[:-1]):
        node = _descend(node, key, ".".join(keys[:position + 1]), create=value is not None)
        if node is None:
            return
    last = _own_key(node, keys[-1], dotted_path)
    if value is None:
        if isinstance(node, dict):
            node.pop(last, None)
        elif last < len(node):
            del node[last]
    elif isinstance(node, list) and last == len(node):
        node.append(copy.deepcopy(value))
    else:
        node[last] = copy.deepcopy(value)


def _descend(node: Any, key: str, dotted_path: str, *, create: bool) -> Any:
    own = _own_key(node, key, dotted_path)
    below = node[own] if (own in node if isinstance(node, dict) else own < len(node)) else None
    main = "url" if key == "source" else "kind" if isinstance(node, list) else ""
    if main and isinstance(below, str | int):  # a table that was written as its main setting alone
        below = node[own] = (CommentedMap if isinstance(node, CommentedMap | CommentedSeq) else dict)({main: below})
    if below is None:
        if not create:
            return None
        below = CommentedMap() if isinstance(node, CommentedMap | CommentedSeq) else {}
        if isinstance(node, list) and own == len(node):
            node.append(below)
        else:
            node[own] = below
    if not isinstance(below, dict | list):
        raise SettingsError("is not a table, so nothing can be set in it", path=dotted_path, cure="Write it as a table")
    return _unshared(node, own, below)


def _unshared(node: Any, key: Any, below: Any) -> Any:
    """`below`, or when an anchor shares it with other places, a copy of its own in its place."""
    anchored = isinstance(below, CommentedMap | CommentedSeq) and below.yaml_anchor() is not None
    merged = isinstance(node, CommentedMap) and key not in (node.lc.data or {}) and key in node
    if anchored or merged:
        below = copy.deepcopy(below)
        below.yaml_set_anchor(None, always_dump=False)
        node[key] = below
    return below


def _own_key(node: Any, key: str, dotted_path: str) -> Any:
    """The key as `node` has it: `1:` and `"1":` are one name; list places are numbers."""
    if isinstance(node, dict):
        return next((own for own in node if str(own) == key), key)
    if key.isdecimal() and int(key) <= len(node):
        return int(key)
    raise SettingsError("{value} is not a place in a list of {count}", path=dotted_path, value=key, count=len(node),
                        cure="Count from 0")
