"""Home Assistant discovery: what is announced, per device (2024.12 and later) or per entity (before).

Field names as Home Assistant's MQTT integration documents them. `default_entity_id` names entities since 2025.10,
`object_id` did before; both are sent, each version ignores the other's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aipg_plugin.mqtt import entities
from aipg_plugin.mqtt.entities import Entity, Needs, Of, Place
from aipg_plugin.mqtt.topics import Topics, slug
from aipg_plugin.options import Area, Camera, Stream
from aipg_plugin.resources import translations
from aipg_plugin.settings.controls import Scope

Component = dict[str, Any]
_TRIGGER = "device_automation"


def entity_name(key: str, language: str) -> str:
    """Name of an entity in a language: `mqtt.entities.<key>` of the translations, English where it lacks one."""
    for code in (language, "en"):
        names = translations(code).get("mqtt", {}).get("entities", {})
        if key in names:
            return str(names[key])
    return key.replace("_", " ").capitalize()


@dataclass(frozen=True)
class Announcer:
    """Makes discovery payloads. `instance_id` keeps several installations on one broker apart."""

    topics: Topics
    version: str
    instance_id: str = "aipg"
    language: str = "en"
    prefix: str = "homeassistant"
    per_device: bool = True
    pages_url: str = ""

    @property
    def node(self) -> str:
        """The id of the hub, and the start of every other id."""
        return slug(f"aipg_{self.instance_id}" if self.instance_id != "aipg" else "aipg")

    @property
    def own_filter(self) -> str:
        """Matches everything we ever announced, in either format."""
        return f"{self.prefix}/+/{self.node}/+/config"

    @property
    def status_topic(self) -> str:
        """Where Home Assistant announces that it has started."""
        return f"{self.prefix}/status"

    def payloads(self, cameras: tuple[Camera, ...]) -> dict[str, bytes]:
        """Discovery topic → retained payload, for the hub and every stream of every camera."""
        place = Place(self.topics, instance_id=self.instance_id)
        hub = {entity.key: self._component(entity, "", place) for entity in entities.ENTITIES if entity.of is Of.HUB}
        found = self._device("hub", self._hub(), hub)
        for camera in cameras:
            for stream in camera.streams:
                id_ = f"{slug(camera.id)}_{slug(stream.id)}"
                found |= self._device(id_, self._stream(id_, camera, stream), self._components(id_, camera, stream))
        return found

    def _components(self, id_: str, camera: Camera, stream: Stream) -> dict[str, Component]:
        """Every entity on the device of a stream."""
        place = Place(self.topics, camera.id, stream.id, camera.name, self.instance_id)
        return {entity.key: self._component(entity, f"_{id_}", place, name)
                for entity, name in self._entities(camera, stream)}

    def _entities(self, camera: Camera, stream: Stream) -> Iterator[tuple[Entity, str]]:
        """What is on the device of a stream; with a name where the key's own does not do."""
        of = (Of.STREAM, Of.CAMERA) if stream is camera.streams[0] else (Of.STREAM,)
        for entity in entities.ENTITIES:
            if entity.of in of:
                yield entity, ""
        areas = {str(area.number): area for area in camera.privacy_guard.prohibited_areas}
        for on, control, place, _ in entities.told_controls(camera):
            if on == stream.id:
                area = areas.get(place) if control.scope is Scope.AREA else None
                yield entities.of_control(control, place), self._area_name(control.id, area) if area else ""

    def _area_name(self, key: str, area: Area) -> str:
        return f"{self.text(key)} {area.number}" + (f" {area.name}" if area.name else "")

    def _component(self, entity: Entity, device: str, place: Place, name: str = "") -> Component:
        """`device` is `_<camera>_<stream>`, empty for the hub. Entity ids are the same for every instance."""
        fields = entity.fields(place)
        if entity.platform == _TRIGGER:
            return {"platform": _TRIGGER, **fields}
        below = f"{device}_{slug(entity.key)}"
        object_id = f"aipg{below}".lower()
        component = {"platform": entity.platform, "name": name or self.text(entity.key),
                     "unique_id": f"{self.node}{below}", "default_entity_id": f"{entity.platform}.{object_id}",
                     "object_id": object_id, **fields}
        needed = []
        if entity.needs is not Needs.NOTHING:
            needed.append(self.topics.available)
        if entity.needs is Needs.STREAM:
            needed.append(self.topics.stream(place.camera, place.stream, "available"))
        if needed:
            component["availability"] = [{"topic": topic} for topic in needed]
            component["availability_mode"] = "all"
        return component

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

    def _hub(self) -> dict[str, Any]:
        return {"identifiers": [self.node], "name": self.text("hub"), "manufacturer": "AI Privacy Guard",
                "model": "AI Privacy Guard", "sw_version": self.version, **self._link("")}

    def _stream(self, id_: str, camera: Camera, stream: Stream) -> dict[str, Any]:
        return {"identifiers": [f"{self.node}_{id_}"], "via_device": self.node,
                "name": f"{camera.name or camera.id} {stream.id}", "manufacturer": "AI Privacy Guard",
                "model": stream.capture_mode.value, "sw_version": self.version, **self._link(f"#/guard/{camera.id}")}

    def _link(self, page: str) -> dict[str, str]:
        """Where Home Assistant's device page leads; nothing without pages."""
        return {"configuration_url": self.pages_url + page} if self.pages_url else {}

    def text(self, key: str) -> str:
        """A name in the announcer's language."""
        return entity_name(key, self.language)


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
