"""Home Assistant discovery: what is announced, per device (2024.12 and later) or per entity (before).

Field names as Home Assistant's MQTT integration documents them. `default_entity_id` names entities since 2025.10,
`object_id` did before; both are sent, each version ignores the other's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aipg_plugin.mqtt import topics
from aipg_plugin.mqtt.commands import CHOICES
from aipg_plugin.mqtt.topics import Topics, slug
from aipg_plugin.options import Camera, Stream
from aipg_plugin.resources import translations

STATES = ("off", "starting", "guarding", "degraded", "failsafe", "lost")
Component = dict[str, Any]


def entity_name(key: str, language: str) -> str:
    """Name of an entity in a language: `mqtt.entities.<key>` of the translations, English where it lacks one."""
    for code in (language, "en"):
        names = translations(code).get("mqtt", {}).get("entities", {})
        if key in names:
            return str(names[key])
    return key.replace("_", " ").capitalize()


@dataclass(frozen=True)
class Announcer:
    """Makes discovery payloads. `instance_id` keeps several of us on one broker apart."""

    topics: Topics
    version: str
    instance_id: str = "aipg"
    language: str = "en"
    prefix: str = "homeassistant"
    per_device: bool = True

    @property
    def node(self) -> str:
        return slug(f"aipg_{self.instance_id}" if self.instance_id != "aipg" else "aipg")

    @property
    def own_filter(self) -> str:
        """Matches everything we ever announced, in either format."""
        return f"{self.prefix}/+/{self.node}/+/config"

    @property
    def status_topic(self) -> str:
        """Where Home Assistant says that it is back."""
        return f"{self.prefix}/status"

    def payloads(self, cameras: tuple[Camera, ...]) -> dict[str, bytes]:
        """Discovery topic → retained payload, for the hub and every stream of every camera."""
        found = self._device("hub", self._hub_device(), self._hub_components())
        for camera in cameras:
            for index, stream in enumerate(camera.streams):
                parts = _StreamParts(self, camera, stream)
                found |= self._device(parts.id, parts.device(), parts.components(first=index == 0))
        return found

    def _device(self, device_id: str, device: dict[str, Any], components: dict[str, Component]) -> dict[str, bytes]:
        origin = {"name": "AI Privacy Guard", "sw_version": self.version}
        if self.per_device:
            payload = {"device": device, "origin": origin, "components": components, "qos": 1}
            return {f"{self.prefix}/device/{self.node}/{device_id}/config": _dump(payload)}
        found = {}
        for key, component in components.items():
            platform = component["platform"]
            payload = {k: v for k, v in component.items() if k != "platform"} | {"device": device, "origin": origin}
            found[f"{self.prefix}/{platform}/{self.node}/{device_id}_{key}/config"] = _dump(payload)
        return found

    def _hub_device(self) -> dict[str, Any]:
        return {"identifiers": [self.node], "name": self.text("hub"), "manufacturer": "AI Privacy Guard",
                "model": "AI Privacy Guard", "sw_version": self.version}

    def _hub_components(self) -> dict[str, Component]:
        entity = EntityMaker(self, self.node, [])
        return {
            "connection": entity("binary_sensor", "connection", device_class="connectivity",
                                 entity_category="diagnostic", state_topic=self.topics.available,
                                 payload_on="online", payload_off="offline"),
            "reload": entity("button", "reload", available=True, command_topic=self.topics.reload,
                             payload_press="PRESS", entity_category="config"),
        }

    def text(self, key: str) -> str:
        return entity_name(key, self.language)


@dataclass(frozen=True)
class EntityMaker:
    """Fills what every entity needs: name, ids, availability."""

    announcer: Announcer
    id: str
    stream_available: list[str]

    def __call__(self, platform: str, key: str, *, name: str | None = None, available: bool = False,
                 streaming: bool = False, **fields: Any) -> Component:
        unique = f"{self.id}_{slug(key)}"
        component: Component = {
            "platform": platform, "name": name or self.announcer.text(key), "unique_id": unique,
            "default_entity_id": f"{platform}.{unique.lower()}", "object_id": unique.lower(), **fields}
        needed = ([self.announcer.topics.available] if available or streaming else []) + (
            self.stream_available if streaming else [])
        if needed:
            component["availability"] = [{"topic": topic} for topic in needed]
            component["availability_mode"] = "all"
        return component


@dataclass(frozen=True)
class _StreamParts:
    """One stream's device and entities; the camera's own figures sit on its first stream."""

    announcer: Announcer
    camera: Camera
    stream: Stream

    @property
    def id(self) -> str:
        return f"{slug(self.camera.id)}_{slug(self.stream.id)}"

    def device(self) -> dict[str, Any]:
        name = self.camera.name or self.camera.id
        return {"identifiers": [f"{self.announcer.node}_{self.id}"], "via_device": self.announcer.node,
                "name": f"{name} {self.stream.id}", "manufacturer": "AI Privacy Guard",
                "model": self.stream.capture_mode.value, "sw_version": self.announcer.version}

    def components(self, *, first: bool) -> dict[str, Component]:
        t = self.announcer.topics
        entity = EntityMaker(self.announcer, f"{self.announcer.node}_{self.id}",
                             [t.stream(self.camera.id, self.stream.id, "available")])
        found = self._switches(entity) | self._choices(entity) | self._health(entity)
        if first:
            found |= self._figures(entity) | self._triggers()
        return found

    def _topics(self, key: str) -> dict[str, Any]:
        t = self.announcer.topics
        return {"state_topic": t.state(self.camera.id, self.stream.id, key),
                "command_topic": t.command(self.camera.id, self.stream.id, key)}

    def _switches(self, entity: EntityMaker) -> dict[str, Component]:
        found = {key: entity("switch", key, available=True, **self._topics(key))
                 for key in (topics.GUARD, topics.CIRCUMFERENTIAL)}
        for area in self.camera.privacy_guard.prohibited_areas:
            name = f"{self.announcer.text('area')} {area.number}" + (f" {area.name}" if area.name else "")
            found[f"area_{area.number}"] = entity("switch", f"area_{area.number}", name=name, available=True,
                                                  entity_category="config",
                                                  **self._topics(topics.area_key(area.number)))
        return found

    def _choices(self, entity: EntityMaker) -> dict[str, Component]:
        found = {key: entity("select", key, available=True, entity_category="config",
                             options=[choice.value for choice in choices], **self._topics(key))
                 for key, choices in CHOICES.items()}
        found[topics.CAMERA_HEIGHT] = entity(
            "number", topics.CAMERA_HEIGHT, available=True, entity_category="config", min=2.5, max=5.0, step=0.1,
            unit_of_measurement="m", mode="box", **self._topics(topics.CAMERA_HEIGHT))
        return found

    def _health(self, entity: EntityMaker) -> dict[str, Component]:
        t = self.announcer.topics
        state_topic = t.stream(self.camera.id, self.stream.id, "state")
        snapshot = t.stream(self.camera.id, self.stream.id, topics.SNAPSHOT)
        return {
            "state": entity("sensor", "state", available=True, device_class="enum", options=list(STATES),
                            state_topic=state_topic, value_template="{{ value_json.state }}",
                            json_attributes_topic=state_topic),
            "evidence_age": self._stat(entity, "evidence_age", "evidence_age_s", unit_of_measurement="s",
                                       device_class="duration", suggested_display_precision=2),
            "fps": self._stat(entity, "fps", "fps_out", unit_of_measurement="fps", suggested_display_precision=1),
            "masked_share": self._stat(entity, "masked_share", "masked_share", scale="* 100 ",
                                       unit_of_measurement="%", suggested_display_precision=1),
            "snapshot": entity("image", "snapshot", streaming=True, image_topic=snapshot, content_type="image/jpeg"),
            "take_snapshot": entity("button", "take_snapshot", streaming=True, payload_press="PRESS",
                                    command_topic=t.command(self.camera.id, self.stream.id, topics.SNAPSHOT)),
        }

    def _stat(self, entity: EntityMaker, key: str, field: str, scale: str = "", **fields: Any) -> Component:
        where = "value_json" + "".join(f".get({_quoted(name)}, {{}})" for name in
                                       ("streams", self.camera.id, self.stream.id)) + f".get('{field}')"
        return entity("sensor", key, streaming=True, state_topic=self.announcer.topics.stats,
                      state_class="measurement", entity_category="diagnostic",
                      value_template=f"{{% set v = {where} %}}{{{{ v {scale}if v is number else 'None' }}}}",
                      **fields)

    def _figures(self, entity: EntityMaker) -> dict[str, Component]:
        t, camera = self.announcer.topics, self.camera.id
        mine = f"value_json.after.camera == {_quoted(camera)}"
        event = ("{% if " + mine + " and value_json.type in ('new', 'end') %}"
                 "{{ {'event_type': 'person_entered' if value_json.type == 'new' else 'person_left',"
                 " 'id': value_json.after.id, 'dwell_s': value_json.after.dwell_s} | to_json }}{% endif %}")
        return {
            "people": entity("sensor", "people", available=True, state_topic=t.camera(camera, "person"),
                             state_class="measurement", icon="mdi:account-group"),
            "occupancy": entity("binary_sensor", "occupancy", available=True, device_class="occupancy",
                                state_topic=t.camera(camera, "occupancy")),
            "problem": entity("binary_sensor", "problem", available=True, device_class="problem",
                              state_topic=t.camera(camera, "problem")),
            "person": entity("event", "person", available=True, state_topic=t.events, value_template=event,
                             event_types=["person_entered", "person_left"]),
        }

    def _triggers(self) -> dict[str, Component]:
        camera = self.camera.id
        found = {}
        for name, kind in (("person_entered", "new"), ("person_left", "end")):
            found[name] = {
                "platform": "device_automation", "automation_type": "trigger", "type": name,
                "subtype": self.camera.name or camera, "topic": self.announcer.topics.events, "payload": "yes",
                "value_template": f"{{{{ 'yes' if value_json.type == '{kind}'"
                                  f" and value_json.after.camera == {_quoted(camera)} else 'no' }}}}"}
        return found


def _quoted(text: str) -> str:
    """`text` as a Jinja string."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _dump(payload: dict[str, Any]) -> bytes:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def with_tombstones(new: dict[str, bytes], old: dict[str, bytes]) -> dict[str, bytes]:
    """`new` device payloads, naming components that `old` had and `new` lacks, so that Home Assistant removes them."""
    found = dict(new)
    for topic, payload in old.items():
        if topic not in new or "/device/" not in topic:
            continue
        before, now = json.loads(payload)["components"], json.loads(new[topic])
        gone = {key: {"platform": c["platform"]} for key, c in before.items() if key not in now["components"]}
        if gone:
            now["components"] |= gone
            found[topic] = _dump(now)
    return found


def topics_named(payload: bytes, accept: Callable[[str], bool]) -> set[str]:
    """Every text in an announced payload that `accept` takes: the topics a camera no longer configured has left."""
    found: set[str] = set()
    try:
        waiting: list[Any] = [json.loads(payload)]
    except (ValueError, RecursionError):
        return found
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, str) and accept(value):
            found.add(value)
    return found
