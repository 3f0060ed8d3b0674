"""The topic tree: one place that knows how topics are spelt, and what a command topic addresses."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aipg_plugin.errors import MqttError
from aipg_plugin.settings import controls

GUARD = "guard"
SNAPSHOT = "snapshot"
RELOAD = "reload"

_SLUG = re.compile(r"[^a-zA-Z0-9_-]")


def topic_level(name: str) -> str:
    """`name` if it can be one level of a topic. Raises MqttError when it cannot (empty, `/`, `+`, `#`, NUL)."""
    if not name or any(c in "/+#\0" for c in name) or name.startswith("$"):
        raise MqttError("{name!r} cannot be part of an MQTT topic", name=name,
                        cure="Use letters, digits, - and _ in camera and stream ids")
    return name


def slug(name: str) -> str:
    """`name` as Home Assistant takes it in ids: others than A-Z a-z 0-9 _ - become their code point."""
    return _SLUG.sub(lambda match: f"_{ord(match[0]):x}_", name)


@dataclass(frozen=True)
class TopicAddress:
    """What a command topic addresses; `camera` and `stream` are empty for the whole plugin."""

    camera: str
    stream: str
    key: str


@dataclass(frozen=True)
class Topics:
    """Topics under one prefix (which may have several levels)."""

    prefix: str = "aipg"

    def __post_init__(self) -> None:
        for level in self.prefix.split("/"):
            topic_level(level)

    @property
    def available(self) -> str:
        return f"{self.prefix}/available"

    @property
    def status(self) -> str:
        return f"{self.prefix}/status"

    @property
    def stats(self) -> str:
        return f"{self.prefix}/stats"

    @property
    def events(self) -> str:
        return f"{self.prefix}/events"

    @property
    def errors(self) -> str:
        return f"{self.prefix}/errors"

    @property
    def changes(self) -> str:
        return f"{self.prefix}/changes"

    @property
    def fleet(self) -> str:
        """The nodes of a fleet, and the cameras with their addresses."""
        return f"{self.prefix}/fleet"

    def announced(self, installation: str) -> str:
        """The list of what an installation has announced."""
        return f"{self.prefix}/announced/{installation}"

    @property
    def reload(self) -> str:
        return f"{self.prefix}/{RELOAD}/set"

    def camera(self, camera: str, what: str) -> str:
        """`what` of a camera: person, occupancy, problem, analytics."""
        return f"{self.prefix}/{topic_level(camera)}/{what}"

    def stream(self, camera: str, stream: str, what: str) -> str:
        """`what` of a stream: available, state, snapshot."""
        return f"{self.prefix}/{topic_level(camera)}/{topic_level(stream)}/{what}"

    def state(self, camera: str, stream: str, key: str) -> str:
        return self.stream(camera, stream, f"{key}/state")

    def command(self, camera: str, stream: str, key: str) -> str:
        return self.stream(camera, stream, f"{key}/set")

    def subscriptions(self) -> tuple[str, ...]:
        """Filters that match every command topic."""
        return self.reload, f"{self.prefix}/+/+/+/set", f"{self.prefix}/+/+/area/+/set"

    def parse_command(self, topic: str) -> TopicAddress | None:
        """What a command topic addresses, None if it is none of ours."""
        if topic == self.reload:
            return TopicAddress("", "", RELOAD)
        head, tail = f"{self.prefix}/", "/set"
        if not (topic.startswith(head) and topic.endswith(tail)):
            return None
        parts = topic[len(head):-len(tail)].split("/", 2)
        if len(parts) != 3 or not all(parts):
            return None
        camera, stream, key = parts
        found = controls.find(key)
        if key == SNAPSHOT or (found is not None and found[0].mqtt):
            return TopicAddress(camera, stream, key)
        return None
