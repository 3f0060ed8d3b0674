"""The one table of controls: settings that can be changed while the guard runs.

From `CONTROLS` come MQTT topics and commands, Home Assistant discovery, options of `aipg redact` and `aipg detect`,
and the forms of the pages. Range and choices are those of the schema; nothing is repeated here.

How to add a control:

1. `options.py`: a field with its default;
2. `settings/schema.py`: its line in the schema, with range or choices;
3. here: its line in `CONTROLS`.

Its texts go into `translations/*.json`: the name under `mqtt.entities.<id>`, the help under `settings.<table>.<key>`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from aipg_plugin.options import Area, Camera
from aipg_plugin.resources import SOURCE_LANGUAGE, text
from aipg_plugin.settings.schema import validator_at
from aipg_plugin.settings.validators import Choice, Flag, Number

Value = bool | float | str
Document = dict[str, Any]
"""A camera as YAML has it, every setting written out: what `build.to_dict` makes."""

_ORDER = ("low", "medium", "middle", "high")


class Scope(StrEnum):
    """What a control has one value for."""

    CAMERA = "camera"
    STREAM = "stream"
    AREA = "area"


class Kind(StrEnum):
    """How a control is shown."""

    SWITCH = "switch"
    SELECT = "select"
    NUMBER = "number"


@dataclass(frozen=True)
class Control:
    """One setting that can be changed while running.

    A *place* says which value of a camera is meant: "" for the camera's own, a stream's id, or an area's number as
    text. `setting` is the dotted path of the value below the camera in YAML (`<n>`: an item of a list); `key` of the
    control at a place is its part of MQTT topics and commands (`sensitivity`, `area/3`).
    """

    id: str
    scope: Scope
    setting: str
    read: Callable[[Camera, str], Value]
    """The value in force; raises KeyError for a place that the camera does not have."""
    write: Callable[[Document, str, Value], list[str]]
    """Puts a checked value into the document; returns the dotted paths below the camera that it changed."""
    weakens: Callable[[Value, Value], bool]
    """Whether going from the first value to the second protects less."""
    takes: Flag | Choice | Number
    """The schema's validator of a value."""
    main: bool = False
    """Belongs to daily use, not to installation: Home Assistant shows it on the device, not under configuration."""
    mqtt: bool = True
    """Whether it has a topic."""
    option: str = ""
    """Its option of `aipg redact` and `aipg detect`, if it has one: `--method`."""
    finds: bool = False
    """Whether it changes who is found, and so is an option of `aipg detect`."""

    @property
    def kind(self) -> Kind:
        """Switch, select or number, by the schema."""
        if isinstance(self.takes, Flag):
            return Kind.SWITCH
        return Kind.SELECT if isinstance(self.takes, Choice) else Kind.NUMBER

    @property
    def choices(self) -> tuple[str, ...]:
        """What a select offers; empty for others."""
        return self.takes.choices if isinstance(self.takes, Choice) else ()

    @property
    def range(self) -> Number | None:
        """`low`, `high`, `step` and `unit` of a number; None for others."""
        return self.takes if isinstance(self.takes, Number) else None

    def checked(self, value: object) -> Value:
        """A value as the schema takes it (text too: "ON", "3.2"). Raises voluptuous.Invalid."""
        return self.takes(value.strip().lower() if isinstance(value, str) else value)

    def places(self, camera: Camera) -> tuple[str, ...]:
        """Where a camera has this control."""
        if self.scope is Scope.CAMERA:
            return ("",)
        if self.scope is Scope.STREAM:
            return tuple(stream.id for stream in camera.streams)
        return tuple(str(area.number) for area in _areas(camera, self.setting))

    def key(self, place: str) -> str:
        """`sensitivity`; of an area `area/3`."""
        return f"{self.id}/{place}" if self.scope is Scope.AREA else self.id

    def name(self, language: str = SOURCE_LANGUAGE) -> str:
        """The name a person reads."""
        return text(f"mqtt.entities.{self.id}", language)


def _areas(camera: Camera, setting: str) -> tuple[Area, ...]:
    areas: tuple[Area, ...] = getattr(camera.privacy_guard, setting.split(".")[1])
    return areas


def _camera_height(camera: Camera, _place: str) -> Value:
    return camera.camera_height_m


def _guarded(camera: Camera, stream: str) -> Value:
    if stream not in {each.id for each in camera.streams}:
        raise KeyError(stream)
    return camera.privacy_guard.guards(stream)


def _switch_guard(document: Document, stream: str, on: Value) -> list[str]:
    """The camera's guard goes on with its first guarded stream and off with the last, which stays named as it is."""
    guard = document["privacy_guard"]
    targets = [] if guard["target_streams"] == "off" else list(guard["target_streams"])
    if targets == [stream]:
        guard["enabled"] = bool(on)
        return ["privacy_guard.enabled"]
    first = targets[:1]
    if on and not guard["enabled"]:
        targets = []  # the others were not guarded so far: this command is for one stream
    others = [name for name in targets if name != stream]
    targets = [*others, stream] if on else others
    pinned = _pin_areas(guard, first[0]) if first and targets[:1] != first else []
    guard.update(enabled=bool(targets), target_streams=targets or "off")
    return ["privacy_guard.target_streams", "privacy_guard.enabled", *pinned]


def _pin_areas(guard: Document, first: str) -> list[str]:
    """Areas that name no stream lie on the first target: they stay there when another becomes the first."""
    pinned = []
    for name in ("prohibited_areas", "always_mask_areas"):
        for index, area in enumerate(guard[name]):
            if not area.get("stream"):
                area["stream"] = first
                pinned.append(f"privacy_guard.{name}.{index}.stream")
    return pinned


def _set(setting: str) -> Callable[[Document, str, Value], list[str]]:
    *tables, key = setting.split(".")

    def write(document: Document, _place: str, value: Value) -> list[str]:
        for table in tables:
            document = document[table]
        document[key] = value
        return [setting]

    return write


def _lowered(before: Value, after: Value) -> bool:
    if isinstance(before, str) and isinstance(after, str):
        return _ORDER.index(after) < _ORDER.index(before)
    return float(after) < float(before)


def _raised(before: Value, after: Value) -> bool:
    return _lowered(after, before)


def _never(_before: Value, _after: Value) -> bool:
    return False


def _of_guard(key: str, weakens: Callable[[Value, Value], bool], *, id_: str = "", **more: Any) -> Control:
    """A setting of the camera's guard under its own name."""
    def read(camera: Camera, _place: str) -> Value:
        value: Value = getattr(camera.privacy_guard, key)
        return str(value) if isinstance(value, str) else value

    setting = f"privacy_guard.{key}"
    return Control(id_ or key, Scope.CAMERA, setting, read, _set(setting), weakens, validator_at(setting), **more)


def _of_areas(id_: str, areas: str, weakens: Callable[[Value, Value], bool], **more: Any) -> Control:
    """The switch of each area in a list of the guard."""
    setting = f"privacy_guard.{areas}.<n>.status"

    def read(camera: Camera, place: str) -> Value:
        for area in _areas(camera, setting):
            if str(area.number) == place:
                return area.enabled
        raise KeyError(place)

    def write(document: Document, place: str, value: Value) -> list[str]:
        for index, area in enumerate(document["privacy_guard"][areas]):
            if str(area["number"]) == place:
                area["status"] = value
                return [f"privacy_guard.{areas}.{index}.status"]
        raise KeyError(place)

    return Control(id_, Scope.AREA, setting, read, write, weakens, validator_at(setting), **more)


CONTROLS: tuple[Control, ...] = (
    Control("guard", Scope.STREAM, "privacy_guard.target_streams", _guarded, _switch_guard, _lowered, Flag(),
            main=True),
    _of_guard("enabled", _lowered, mqtt=False),
    _of_guard("circumferential_mosaic", _lowered, main=True),
    _of_guard("masking_method", _never, option="--method"),
    _of_guard("fill_outline", _never, option="--fill-outline"),
    _of_guard("sensitivity", _lowered, option="--sensitivity", finds=True),
    _of_guard("blur_intensity", _lowered, option="--intensity"),
    Control("camera_height", Scope.CAMERA, "camera_height", _camera_height, _set("camera_height"), _lowered,
            validator_at("camera_height"), option="--height", finds=True),
    _of_areas("area", "prohibited_areas", _raised),
    _of_areas("always_mask_area", "always_mask_areas", _lowered, mqtt=False),
)


def find(key: str) -> tuple[Control, str] | None:
    """The control of a key and, of an area's, its number as text: `area/3` → (area, "3"). None for unknown keys."""
    id_, slash, number = key.partition("/")
    for control in CONTROLS:
        of_area = control.scope is Scope.AREA
        if control.id == id_ and bool(slash) == of_area and (not of_area or _is_number(number)):
            return control, number
    return None


def _is_number(number: str) -> bool:
    return number.isascii() and number.isdecimal() and len(number) <= 4 and (number == "0" or number[0] != "0")


def in_force(camera: Camera) -> Iterator[tuple[Control, str, Value]]:
    """Every control of a camera with its place and value."""
    for control in CONTROLS:
        for place in control.places(camera):
            yield control, place, control.read(camera, place)
