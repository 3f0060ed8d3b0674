"""Between checked dicts and frozen options, both ways."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import Enum, EnumType
from typing import Any, get_type_hints

from aipg_plugin import options
from aipg_plugin.credentials import Address
from aipg_plugin.settings.areas import as_rectangle, colour_of
from aipg_plugin.settings.installation import AUTO

Checked = Mapping[str, Any]


def build(checked: Checked, installation: str) -> options.Settings:
    """Settings out of what the schema returned; names that are `auto` are made from the installation's id."""
    instance_id = installation if checked["instance_id"] == AUTO else checked["instance_id"]
    mqtt = dict(checked["mqtt"])
    mqtt["client_id"] = f"aipg-{instance_id}"[:64] if mqtt["client_id"] == AUTO else mqtt["client_id"]
    models = dict(checked["models"])
    models["providers"] = tuple(models["providers"])
    models["custom"] = options.CustomModel(**models["custom"]) if models["custom"] else None
    return options.Settings(
        cameras=tuple(build_camera(name, camera) for name, camera in checked["cameras"].items()),
        mqtt=options.Mqtt(**mqtt), web=_web(checked["web"]), models=options.Models(**models),
        instance_id=instance_id, language=checked["language"])


def _web(checked: Checked) -> options.Web:
    users = tuple(options.WebUser(name, **user) for name, user in checked["users"].items())
    lists = {key: tuple(checked[key]) for key in ("allowed_hosts", "frame_ancestors", "trusted_proxies")}
    return options.Web(**{**checked, **lists, "users": users})


def build_camera(name: str, checked: Checked) -> options.Camera:
    """One camera."""
    streams = tuple(_stream(key, stream) for key, stream in checked["streams"].items())
    lens = checked["lens"]
    return options.Camera(
        id=name, streams=streams, name=checked["name"], enabled=checked["enabled"],
        lens=options.Lens(options.LensModelName(lens["model"]), lens["fov_deg"], lens["circle"],
                          tuple(lens["coefficients"])),
        mount=options.MountKind(checked["mount"]), camera_height_m=checked["camera_height"],
        privacy_guard=_guard(checked["privacy_guard"], tuple(stream.id for stream in streams)))


def _stream(name: str, checked: Checked) -> options.Stream:
    return options.Stream(
        id=name, source=options.Source(**checked["source"]), capture_mode=options.CaptureMode(checked["capture_mode"]),
        view=options.View(**checked["view"]), views=tuple(options.View(**view) for view in checked["views"]),
        outputs=tuple(_output(output) for output in checked["outputs"]))


def _output(checked: Checked) -> options.Output:
    return options.Output(**_typed(options.Output, checked))


def _guard(checked: Checked, streams: tuple[str, ...]) -> options.PrivacyGuard:
    targets = checked["target_streams"]
    return options.PrivacyGuard(**_typed(options.PrivacyGuard, checked) | {
        "target_streams": streams if targets == "all" else tuple(targets or ()),
        "prohibited_areas": _areas(checked["prohibited_areas"]),
        "always_mask_areas": _areas(checked["always_mask_areas"]),
    })


def _typed(owner: type[Any], checked: Checked) -> dict[str, Any]:
    """The values of a table, those of fields that are enumerations as members."""
    types = get_type_hints(owner)
    return {key: types[key](value) if isinstance(types[key], EnumType) else value for key, value in checked.items()}


def _areas(checked: list[dict[str, Any]]) -> tuple[options.Area, ...]:
    return tuple(_area(index, area) for index, area in enumerate(checked, 1))


def _area(position: int, checked: Checked) -> options.Area:
    number = checked["number"] or position
    return options.Area(number=number, points=tuple(checked["points"]), enabled=checked["status"],
                        colour=checked["colour"] or colour_of(number), name=checked["name"], stream=checked["stream"])


def to_dict(settings: options.Settings) -> dict[str, Any]:
    """Settings as `validate` takes them, every setting written out; `validate(to_dict(s)) == s`."""
    return {
        "cameras": {camera.id: _camera_dict(camera) for camera in settings.cameras},
        "mqtt": _dict(settings.mqtt), "web": _web_dict(settings.web), "models": _dict(settings.models),
        "instance_id": settings.instance_id, "language": settings.language,
    }


def _web_dict(web: options.Web) -> dict[str, Any]:
    users = {user.name: {"password": _escaped(user.password), "role": user.role} for user in web.users}
    plain = {key: value for key, value in _dict(web).items() if key != "users"}
    return {**plain, "users": users} if users else plain


def _camera_dict(camera: options.Camera) -> dict[str, Any]:
    guard = _dict(camera.privacy_guard)
    guard["target_streams"] = guard["target_streams"] or "off"
    for key in ("prohibited_areas", "always_mask_areas"):
        guard[key] = [_area_dict(area) for area in getattr(camera.privacy_guard, key)]
    lens = _dict(camera.lens)
    lens.setdefault("circle", "auto")
    streams = {stream.id: {key: value for key, value in _dict(stream).items() if key != "id"}
               for stream in camera.streams}
    return {"name": _escaped(camera.name), "enabled": camera.enabled, "lens": lens, "mount": camera.mount.value,
            "camera_height": camera.camera_height_m, "streams": streams, "privacy_guard": guard}


def _area_dict(area: options.Area) -> dict[str, Any]:
    out = _dict(area)
    out["status"] = out.pop("enabled")
    rectangle = as_rectangle(area.points)
    if rectangle is not None:
        out["rectangle"] = rectangle
        del out["points"]
    return out


def _dict(value: Any) -> dict[str, Any]:
    """A dataclass as a dict of plain YAML values; what is None is left out."""
    plain: dict[str, Any] = {}
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        if item is not None:
            plain[field.name] = _value(item)
    return plain


def _value(item: Any) -> Any:
    if isinstance(item, Enum):
        return item.value
    if isinstance(item, tuple):
        return [_value(part) for part in item]
    if dataclasses.is_dataclass(item):
        return _dict(item)
    return _escaped(item) if isinstance(item, str) and not isinstance(item, Address) else item


def _escaped(text: str) -> str:
    return text.replace("${", "$${")
