"""A change asked for by a page: checked as a whole, compared with what is in force, and told in words."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from aipg_plugin.credentials import Address
from aipg_plugin.errors import Problem, SettingsError
from aipg_plugin.facade.secrets import hidden, restored
from aipg_plugin.options import Camera, Settings
from aipg_plugin.passwords import hashed, is_hash
from aipg_plugin.settings import controls
from aipg_plugin.settings.build import to_dict
from aipg_plugin.settings.loader import validate
from aipg_plugin.settings.rules import SHORTEST_PASSWORD
from aipg_plugin.settings.writer import set_in

_RESTART = ("mqtt", "web", "models", "instance_id", "language")


@dataclass(frozen=True)
class SettingEdit:
    """One setting to be changed: its dotted path, the new value (None: back to the default or away), and what the page
    showed before (`seen` False: it did not say)."""

    path: str
    value: Any
    before: Any = None
    seen: bool = False


@dataclass(frozen=True)
class Difference:
    """One value that a change alters, secrets hidden. `weakens`: people are protected less by it."""

    path: str
    before: Any
    after: Any
    weakens: bool = False
    restart: bool = False


class ConflictError(SettingsError):
    """A setting was changed elsewhere meanwhile."""


def revision(settings: Settings) -> str:
    """A short name of exactly these settings."""
    return hashlib.sha256(json.dumps(to_dict(settings), sort_keys=True).encode()).hexdigest()[:16]


def edit(settings: Settings, changes: Sequence[SettingEdit]) -> tuple[Settings, dict[str, Any]]:
    """New settings, and what to write at which dotted paths of the file.

    Raises ConflictError if a value is no longer what the page saw, SettingsError with every problem at its path.
    """
    document = to_dict(settings)
    _refuse_stale(document, changes)
    paths: dict[str, Any] = {}
    for change in changes:
        keys = change.path.split(".")
        known = read_setting(document, keys)
        value = _passwords_hashed(restored(change.value, known, change.path), change.path)
        paths |= _fewest_paths(known, value, change.path)
        set_in(document, keys, copy.deepcopy(value), change.path)
    new = validate(document, environ={})
    return new, _as_written(paths, to_dict(new))


def _passwords_hashed(value: Any, path: str) -> Any:
    """Passwords of page users are kept as hashes, also when they are sent as plain text."""
    if isinstance(value, dict) and path.startswith("web"):
        return {key: _passwords_hashed(item, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, str) and path.startswith("web.users.") and path.endswith(".password") and not is_hash(value):
        if len(value) < SHORTEST_PASSWORD:
            raise SettingsError("the password is shorter than {length} characters", path=path,
                                length=SHORTEST_PASSWORD, cure="Use a longer one")
        return hashed(value)
    return value


def differences(old: Settings, new: Settings) -> list[Difference]:
    """Everything that differs, in the order of the schema."""
    before, after = to_dict(old), to_dict(new)
    weaker = set(weakened(old, new))
    return [Difference(path, hidden(was, path.rpartition(".")[2]), hidden(now, path.rpartition(".")[2]),
                       weakens=any(path == each or path.startswith(each + ".") or each.startswith(path + ".")
                                   for each in weaker),
                       restart=path.split(".")[0] in _RESTART)
            for path, was, now in _differing(before, after, "")]


def _refuse_stale(document: dict[str, Any], changes: Sequence[SettingEdit]) -> None:
    shown = hidden(document)
    message, cure = "was changed elsewhere meanwhile", "Look at the new value, then save again"
    stale = [Problem(message, path=change.path, cure=cure) for change in changes
             if change.seen and _unlike(read_setting(shown, change.path.split(".")), change.before)]
    if stale:
        raise ConflictError(message, problems=stale)


def _unlike(one: Any, other: Any) -> bool:
    if isinstance(one, Address) and isinstance(other, Address):
        return one != other  # by all of it: two addresses may differ in their secrets alone
    return json.dumps(_whole(one), sort_keys=True) != json.dumps(_whole(other), sort_keys=True)


def _whole(tree: Any) -> Any:
    """A tree with 3.0 as 3, as browsers write it."""
    if isinstance(tree, dict):
        return {key: _whole(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_whole(value) for value in tree]
    return int(tree) if isinstance(tree, float) and tree.is_integer() else tree


def _as_written(paths: dict[str, Any], checked: dict[str, Any]) -> dict[str, Any]:
    """The paths with single values as the schema understood them."""
    return {path: value if isinstance(value, dict | list) or value is None
            else _plain(read_setting(checked, path.split("."))) for path, value in paths.items()}


def _plain(value: Any) -> Any:
    """A checked value as YAML holds it: an address with its login."""
    return value.revealed().replace("${", "$${") if isinstance(value, Address) else value


def read_setting(tree: Any, keys: Sequence[str]) -> Any:
    """The value below `keys` (list places as digits); None where there is none."""
    for key in keys:
        if isinstance(tree, dict):
            tree = tree.get(key)
        elif isinstance(tree, list) and key.isdecimal() and int(key) < len(tree):
            tree = tree[int(key)]
        else:
            return None
    return tree


def _fewest_paths(old: Any, new: Any, path: str) -> dict[str, Any]:
    """The fewest paths that turn one tree into another, so that comments and variables of the rest stay in the file."""
    if isinstance(old, dict) and isinstance(new, dict):
        paths: dict[str, Any] = {}
        for key in {**old, **new}:
            paths |= _fewest_paths(old.get(key), new.get(key), f"{path}.{key}")
        return paths
    if isinstance(old, list) and isinstance(new, list) and all(isinstance(item, dict) for item in [*old, *new]):
        return _list_paths(old, new, path)
    return {path: new} if _unlike(old, new) else {}


def _list_paths(old: list[dict[str, Any]], new: list[dict[str, Any]], path: str) -> dict[str, Any]:
    """Items are known by their number where they have one (areas), else by their place."""
    if not old:
        return {path: new} if new else {}
    numbers = [item.get("number", index) for index, item in enumerate(new)]
    kept = [item for index, item in enumerate(old) if item.get("number", index) in numbers]
    if [item.get("number", index) for index, item in enumerate(kept)] != numbers[:len(kept)]:
        return {path: new}
    gone = [index for index, item in enumerate(old) if item.get("number", index) not in numbers]
    paths: dict[str, Any] = {f"{path}.{index}": None for index in reversed(gone)}
    for index, item in enumerate(new):
        paths |= _fewest_paths(kept[index], item, f"{path}.{index}") if index < len(kept) else {f"{path}.{index}": item}
    return paths


def _differing(one: Any, other: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in {**one, **other}:
            yield from _differing(one.get(key), other.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(one, list) and isinstance(other, list) and any(isinstance(item, dict) for item in [*one, *other]):
        for index in range(max(len(one), len(other))):
            yield from _differing(one[index] if index < len(one) else None,
                                  other[index] if index < len(other) else None, f"{path}.{index}")
    elif _unlike(one, other):
        yield path, one, other


def weakened(old: Settings, new: Settings) -> list[str]:
    """Dotted paths of settings whose new value protects people less than the old one."""
    before = {camera.id: camera for camera in old.cameras}
    found: list[str] = []
    for camera in new.cameras:
        if camera.id in before:
            found += [f"cameras.{camera.id}.{path}" for path in _weaker(before[camera.id], camera)]
        elif _shows_people(camera):
            found.append(f"cameras.{camera.id}")
    return found


def _weaker(old: Camera, new: Camera) -> Iterator[str]:
    for control, place, was in controls.in_force(old):
        if place not in control.places(new):
            if control.id == "always_mask_area" and was:
                yield "privacy_guard.always_mask_areas"
            continue
        if control.weakens(was, control.read(new, place)):
            yield control.setting.partition(".<n>")[0]
    yield from _weaker_details(old, new)
    if new.enabled and not old.enabled and _shows_people(new):
        yield "enabled"
    shown = {stream.id: stream.outputs for stream in old.streams}
    for stream in new.streams:
        if not new.privacy_guard.guards(stream.id) and stream.outputs and stream.outputs != shown.get(stream.id):
            yield f"streams.{stream.id}.outputs"


def _weaker_details(old: Camera, new: Camera) -> Iterator[str]:
    """Settings without a control, and where areas lie."""
    was_guard, guard = old.privacy_guard, new.privacy_guard
    for key in ("hold_s", "lookahead_s"):
        if getattr(guard, key) < getattr(was_guard, key):
            yield f"privacy_guard.{key}"
    if guard.circumferential_mosaic and guard.circumferential_width < was_guard.circumferential_width:
        yield "privacy_guard.circumferential_width"
    if was_guard.off_token and not guard.off_token:
        yield "privacy_guard.off_token"
    known = {area.number: area for area in was_guard.prohibited_areas}
    if any(area.enabled and (area.number not in known or known[area.number].points != area.points)
           for area in guard.prohibited_areas):
        yield "privacy_guard.prohibited_areas"
    always = {area.number: area for area in guard.always_mask_areas}
    if any(area.enabled and area.number in always and always[area.number].points != area.points
           for area in was_guard.always_mask_areas):
        yield "privacy_guard.always_mask_areas"


def _shows_people(camera: Camera) -> bool:
    return camera.enabled and any(stream.outputs and not camera.privacy_guard.guards(stream.id)
                                  for stream in camera.streams)
