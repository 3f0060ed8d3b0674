"""Every entity that Home Assistant is shown, one declaration each; discovery payloads are made from these.

How to add a sensor:

- a number of `aipg/stats` (what the guard counts per stream): a line with `_number`;
- a state of its own: a line with `_told`, and `MqttLink.tell` (or the outbox) wherever the value comes from.

Its name goes into `translations/*.json`, `mqtt.entities.<key>`. Controls are entities too: they are not listed here,
but in `settings/controls.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from aipg_plugin.mqtt.payloads import to_json
from aipg_plugin.mqtt.topics import RELOAD, SNAPSHOT, Topics
from aipg_plugin.options import Camera
from aipg_plugin.settings import controls
from aipg_plugin.settings.controls import Control, Kind, Scope
from aipg_plugin.states import State

Fields = dict[str, Any]


class Of(StrEnum):
    """The device that carries an entity; a camera's own entities are on the device of its first stream."""

    HUB = "hub"
    CAMERA = "camera"
    STREAM = "stream"


class Needs(StrEnum):
    """When an entity is available."""

    NOTHING = "nothing"        # always
    PLUGIN = "plugin"          # while we are connected
    STREAM = "stream"          # and the stream delivers frames


@dataclass(frozen=True)
class Place:
    """What an entity is about; camera and stream are empty for the hub."""

    topics: Topics
    camera: str = ""
    stream: str = ""
    camera_name: str = ""
    instance_id: str = "aipg"


@dataclass(frozen=True)
class Entity:
    """One entity: `fields` gives the platform's own fields (topics, class, unit) for a place.

    `retained` is the last part of the topic that holds its state, when that is a retained one of the camera or
    stream; `first` is its payload before any other is known.
    """

    platform: str
    key: str
    of: Of
    fields: Callable[[Place], Fields]
    needs: Needs = Needs.PLUGIN
    retained: str = ""
    first: bytes = b""

    def topic(self, place: Place) -> str:
        """The retained topic at a place."""
        if self.of is Of.CAMERA:
            return place.topics.camera(place.camera, self.retained)
        return place.topics.stream(place.camera, place.stream, self.retained)


def _told(platform: str, key: str, of: Of, retained: str, first: bytes, **fields: Any) -> Entity:
    """An entity that reads a retained topic of its own."""
    def make(place: Place) -> Fields:
        return {"state_topic": entity.topic(place), **fields}

    entity = Entity(platform, key, of, make, retained=retained, first=first)
    return entity


def _number(key: str, field: str, scale: str = "", **fields: Any) -> Entity:
    """A number of one stream in `aipg/stats`; `scale` is Jinja behind it.

    Stats without the camera are another installation's: an empty text leaves the number as it is.
    """
    def make(place: Place) -> Fields:
        camera = f"{{% set c = value_json.get('streams', {{}}).get({_quoted(place.camera)}) %}}"
        value = f"{{% set v = (c or {{}}).get({_quoted(place.stream)}, {{}}).get('{field}') %}}"
        return {"state_topic": place.topics.stats, "state_class": "measurement", "entity_category": "diagnostic",
                "value_template": f"{camera}{value}{{{{ '' if c is none else v {scale}if v is number else 'None' }}}}",
                **fields}

    return Entity("sensor", key, Of.STREAM, make, Needs.STREAM)


def _trigger(key: str, event_type: str) -> Entity:
    """A device trigger on an event of the camera."""
    def make(place: Place) -> Fields:
        return {"automation_type": "trigger", "type": key, "subtype": place.camera_name or place.camera,
                "topic": place.topics.events, "payload": "yes",
                "value_template": f"{{{{ 'yes' if value_json.type == '{event_type}'"
                                  f" and value_json.after.camera == {_quoted(place.camera)} else 'no' }}}}"}

    return Entity("device_automation", key, Of.CAMERA, make)


def _state(place: Place) -> Fields:
    topic = place.topics.stream(place.camera, place.stream, "state")
    return {"device_class": "enum", "options": list(State), "state_topic": topic,
            "value_template": "{{ value_json.state }}", "json_attributes_topic": topic}


def _overloaded(place: Place) -> Fields:
    """Whether the detector has more to look at than time for, with its figures as attributes."""
    mine = f"value_json.get('instance_id') == {_quoted(place.instance_id)}"
    return {"state_topic": place.topics.stats, "device_class": "problem", "entity_category": "diagnostic",
            "value_template": f"{{{{ ('ON' if value_json.get('detector', {{}}).get('overloaded') else 'OFF') if {mine}"
                              " else '' }}",
            "json_attributes_topic": place.topics.stats,
            "json_attributes_template": "{{ value_json.get('detector', {}) | to_json }}"}


def _person(place: Place) -> Fields:
    mine = f"value_json.after.camera == {_quoted(place.camera)}"
    return {"state_topic": place.topics.events, "event_types": ["person_entered", "person_left"],
            "value_template": "{% if " + mine + " and value_json.type in ('new', 'end') %}"
                              "{{ {'event_type': 'person_entered' if value_json.type == 'new' else 'person_left',"
                              " 'id': value_json.after.id, 'dwell_s': value_json.after.dwell_s} | to_json }}"
                              "{% endif %}"}


def _quoted(text: str) -> str:
    """`text` as a Jinja string."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


ENTITIES: tuple[Entity, ...] = (
    Entity("binary_sensor", "connection", Of.HUB, lambda place: {
        "device_class": "connectivity", "entity_category": "diagnostic", "state_topic": place.topics.available,
        "payload_on": "online", "payload_off": "offline"}, Needs.NOTHING),
    Entity("button", RELOAD, Of.HUB, lambda place: {
        "command_topic": place.topics.reload, "payload_press": "PRESS", "entity_category": "config"}),
    Entity("sensor", "weakened", Of.HUB, lambda place: {
        "state_topic": place.topics.stats, "state_class": "total_increasing", "entity_category": "diagnostic",
        "icon": "mdi:shield-alert", "value_template":
            f"{{{{ value_json.get('weakened', 0) if value_json.get('instance_id') == {_quoted(place.instance_id)}"
            " else '' }}"}),
    Entity("binary_sensor", "overloaded", Of.HUB, _overloaded),
    Entity("sensor", "state", Of.STREAM, _state, retained="state",
           first=to_json({"state": "starting", "reason": ""})),
    _number("evidence_age", "evidence_age_s", unit_of_measurement="s", device_class="duration",
            suggested_display_precision=2),
    _number("fps", "fps_out", unit_of_measurement="fps", suggested_display_precision=1),
    _number("masked_share", "masked_share", scale="* 100 ", unit_of_measurement="%", suggested_display_precision=1),
    Entity("image", SNAPSHOT, Of.STREAM, lambda place: {
        "image_topic": place.topics.stream(place.camera, place.stream, SNAPSHOT), "content_type": "image/jpeg"},
           Needs.STREAM),
    Entity("button", "take_snapshot", Of.STREAM, lambda place: {
        "command_topic": place.topics.command(place.camera, place.stream, SNAPSHOT), "payload_press": "PRESS"},
           Needs.STREAM),
    _told("sensor", "people", Of.CAMERA, "person", b"0", state_class="measurement", icon="mdi:account-group"),
    _told("binary_sensor", "occupancy", Of.CAMERA, "occupancy", b"OFF", device_class="occupancy"),
    _told("binary_sensor", "problem", Of.CAMERA, "problem", b"OFF", device_class="problem"),
    Entity("event", "person", Of.CAMERA, _person),
    _trigger("person_entered", "new"),
    _trigger("person_left", "end"),
)


def retained(of: Of) -> dict[str, bytes]:
    """Last part → first payload of every retained topic that a camera or a stream has besides its controls."""
    found = {entity.retained: entity.first for entity in ENTITIES if entity.retained and entity.of is of}
    return found | ({"available": b"online"} if of is Of.STREAM else {})


def told_controls(camera: Camera) -> Iterator[tuple[str, Control, str, controls.Value]]:
    """(stream, control, place, value) of everything with a topic; what the streams share is told under each."""
    for control, place, value in controls.in_force(camera):
        if control.mqtt:
            for stream in (place,) if control.scope is Scope.STREAM else (stream.id for stream in camera.streams):
                yield stream, control, place, value


def of_control(control: Control, place: str) -> Entity:
    """The entity of a control."""
    def make(at: Place) -> Fields:
        key = control.key(place)
        fields: Fields = {"state_topic": at.topics.state(at.camera, at.stream, key),
                          "command_topic": at.topics.command(at.camera, at.stream, key)}
        if not control.main:
            fields["entity_category"] = "config"
        if control.kind is Kind.SELECT:
            fields["options"] = list(control.choices)
        if control.range is not None:
            fields |= {"min": control.range.low, "max": control.range.high, "step": control.range.step,
                       "unit_of_measurement": control.range.unit, "mode": "box"}
        return fields

    return Entity(control.kind.value, control.key(place).replace("/", "_"), Of.STREAM, make)
