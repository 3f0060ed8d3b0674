"""One setting changed by a command, checked by the same schema as the file."""

from __future__ import annotations

from typing import Any

from aipg_plugin.errors import SettingsError
from aipg_plugin.options import Settings
from aipg_plugin.settings.build import to_dict
from aipg_plugin.settings.loader import validate
from aipg_plugin.settings.problems import Bad, near_miss, one_of, show
from aipg_plugin.settings.validators import Flag

GUARD_KEYS = ("enabled", "masking_method", "sensitivity", "blur_intensity", "circumferential_mosaic")
AREA_KEYS = {"area": "prohibited_areas", "always_mask_area": "always_mask_areas"}
KEYS = ("guard", "camera_height", *GUARD_KEYS, *(f"{key}/<number>" for key in AREA_KEYS))


def apply_change(settings: Settings, camera: str, stream: str, key: str, value: object) -> Settings:
    """Settings with one command applied; `settings` itself stays as it is.

    `key` is one of KEYS: `guard` switches the guard of `stream` (the camera's guard goes on with the first and off
    with the last), `area/3` the status of prohibited area 3, `always_mask_area/3` of that always-mask area; the
    others belong to the whole camera. Raises SettingsError, naming the setting, when anything is not as it must be.
    """
    return validate(_changed(settings, camera, stream, key, value)[0], environ={})


def changed_paths(settings: Settings, camera: str, stream: str, key: str, value: object) -> dict[str, Any]:
    """The dotted paths in the file that `apply_change` changes, with their new values: for `save_changes`."""
    document, paths = _changed(settings, camera, stream, key, value)
    checked = to_dict(validate(document, environ={}))
    return {path: _at(checked, path.split(".")) for path in paths}


def _at(tree: Any, keys: list[str]) -> Any:
    for key in keys:
        tree = tree[int(key)] if isinstance(tree, list) else tree[key]
    return tree


def _changed(settings: Settings, camera: str, stream: str, key: str,
             value: object) -> tuple[dict[str, Any], list[str]]:
    document = to_dict(settings)
    cameras = document["cameras"]
    if camera not in cameras:
        raise _unknown("cameras", camera, list(cameras))
    if stream not in cameras[camera]["streams"]:
        raise _unknown(f"cameras.{camera}.streams", stream, list(cameras[camera]["streams"]))
    guard = cameras[camera]["privacy_guard"]
    below, number = f"cameras.{camera}.privacy_guard", key.partition("/")[2]
    if key == "guard":
        return document, _switch_guard(guard, stream, value, below)
    if key == "camera_height":
        cameras[camera][key] = value
        return document, [f"cameras.{camera}.{key}"]
    if key in GUARD_KEYS:
        guard[key] = value
        return document, [f"{below}.{key}"]
    if number and key.partition("/")[0] in AREA_KEYS:
        return document, _switch_area(guard, key, number, value, below)
    raise _unknown(below, key, list(KEYS))


def _switch_guard(guard: dict[str, Any], stream: str, value: object, below: str) -> list[str]:
    on = _flag(value, f"{below}.enabled")
    targets = [] if guard["target_streams"] == "off" else list(guard["target_streams"])
    first = targets[:1]
    if on and not guard["enabled"]:
        targets = []  # the others were not guarded so far: this command is for one stream
    others = [name for name in targets if name != stream]
    targets = [*others, stream] if on else others
    pinned = _pin_areas(guard, first[0], below) if first and targets[:1] != first else []
    guard.update(enabled=bool(targets), target_streams=targets or "off")
    return [f"{below}.target_streams", f"{below}.enabled", *pinned]


def _pin_areas(guard: dict[str, Any], first: str, below: str) -> list[str]:
    """Areas that name no stream lie on the first target: they stay there when another becomes the first."""
    pinned = []
    for list_name in AREA_KEYS.values():
        for index, area in enumerate(guard[list_name]):
            if not area.get("stream"):
                area["stream"] = first
                pinned.append(f"{below}.{list_name}.{index}.stream")
    return pinned


def _switch_area(guard: dict[str, Any], key: str, number: str, value: object, below: str) -> list[str]:
    list_name = AREA_KEYS[key.partition("/")[0]]
    for index, area in enumerate(guard[list_name]):
        if str(area["number"]) == number:
            area["status"] = _flag(value, f"{below}.{list_name}.{index}.status")
            return [f"{below}.{list_name}.{index}.status"]
    raise SettingsError("there is no area {number}", path=f"{below}.{list_name}", number=show(number),
                        cure="Draw it first, or use the number of another")


def _flag(value: object, path: str) -> bool:
    word = value.strip().lower() if isinstance(value, str) else value
    try:
        return Flag()(word)
    except Bad as error:
        raise SettingsError("{value} is neither on nor off", path=path, value=show(value),
                            cure="Write on or off") from error


def _unknown(path: str, name: str, known: list[str]) -> SettingsError:
    meant = near_miss(name, known)
    cure = "Did you mean {meant}?" if meant else "Known here: {known}"
    return SettingsError("{value} is unknown", path=path, cure=cure, value=show(name), meant=meant,
                         known=one_of(known or ["nothing"]))
