"""One setting changed by a command, checked by the same schema as the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aipg_plugin.errors import Problem, SettingsError
from aipg_plugin.options import Camera, Settings
from aipg_plugin.settings import controls
from aipg_plugin.settings.build import build_camera, to_dict
from aipg_plugin.settings.controls import Control, Scope, Value
from aipg_plugin.settings.loader import validate
from aipg_plugin.settings.problems import Bad, near_miss, one_of, show
from aipg_plugin.settings.schema import CAMERA


def apply_change(settings: Settings, camera: str, stream: str, key: str, value: object) -> Settings:
    """Settings with one command applied; `settings` itself stays as it is.

    `key` is a control's (`controls.find`): `guard` switches the guard of `stream`, `area/3` prohibited area 3,
    `always_mask_area/3` that always-mask area; the others belong to the whole camera. Raises SettingsError, naming
    the setting, when anything is not as it must be.
    """
    return validate(_changed(settings, camera, stream, key, value)[0], environ={})


def changed_paths(settings: Settings, camera: str, stream: str, key: str, value: object) -> dict[str, Any]:
    """The dotted paths in the file that `apply_change` changes, with their new values: for `save_changes`."""
    document, paths = _changed(settings, camera, stream, key, value)
    checked = to_dict(validate(document, environ={}))
    return {path: _at(checked, path.split(".")) for path in paths}


def with_controls(camera: Camera, values: Mapping[Control, Value]) -> Camera:
    """A camera with controls of its own set to checked values."""
    document = to_dict(Settings(cameras=(camera,)))["cameras"][camera.id]
    for control, value in values.items():
        control.write(document, "", value)
    return build_camera(camera.id, CAMERA(document)) if values else camera


def kept_running(before: Settings, running: Settings, after: Settings) -> Settings:
    """`after`, a file read anew, with the controls that were changed while running and that the file leaves alone.

    `before` is what the file said when it was last read or written. What the file itself
    changed wins; where the two do not go together, the file stands alone.
    """
    old, now = ({camera.id: camera for camera in settings.cameras} for settings in (before, running))
    document, kept = to_dict(after), False
    for camera in after.cameras:
        if camera.id not in old or camera.id not in now:
            continue
        for control, place, value in controls.in_force(camera):
            try:
                said, current = control.read(old[camera.id], place), control.read(now[camera.id], place)
            except KeyError:
                continue
            if control.id != "enabled" and value == said != current:      # the guard of each stream says the same
                control.write(document["cameras"][camera.id], place, current)
                kept = True
    try:
        return validate(document, environ={}) if kept else after
    except SettingsError:
        return after


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
    below = f"cameras.{camera}"
    found = controls.find(key)
    if found is None:
        known = [control.key("<number>") for control in controls.CONTROLS]
        raise _unknown(f"{below}.privacy_guard", key, known)
    control, number = found
    try:
        checked = control.checked(value)
        paths = control.write(cameras[camera], stream if control.scope is Scope.STREAM else number, checked)
    except Bad as error:
        problem = Problem(error.template, path=f"{below}.{control.setting}", cure=error.cure, params=error.params)
        raise SettingsError(error.template, problems=[problem]) from error
    except KeyError as error:
        raise SettingsError("there is no area {number}", path=f"{below}.{control.setting.partition('.<n>')[0]}",
                            number=show(number), cure="Draw it first, or use the number of another") from error
    return document, [f"{below}.{path}" for path in paths]


def _unknown(path: str, name: str, known: list[str]) -> SettingsError:
    meant = near_miss(name, known)
    cure = "Did you mean {meant}?" if meant else "Known here: {known}"
    return SettingsError("{value} is unknown", path=path, cure=cure, value=show(name), meant=meant,
                         known=one_of(known or ["nothing"]))
