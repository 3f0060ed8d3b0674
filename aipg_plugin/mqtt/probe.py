"""A look at the broker for `aipg check`: can we connect, and who else is under our prefix. Publishes nothing."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, replace

from aipg_plugin.errors import MqttError
from aipg_plugin.mqtt.announcements import cameras_listed
from aipg_plugin.mqtt.connection import Connection
from aipg_plugin.mqtt.publisher import Outbox
from aipg_plugin.mqtt.topics import Topics
from aipg_plugin.options import Mqtt

_LISTS_WITHIN_S = 0.5     # a broker sends retained messages as soon as the subscription stands


@dataclass(frozen=True)
class Neighbours:
    """Other installations under the same prefix, each with its cameras."""

    cameras: dict[str, frozenset[str]]

    def with_camera(self, camera: str) -> list[str]:
        """Those that have a camera of this id."""
        return sorted(name for name, cameras in self.cameras.items() if camera in cameras)


def probe(options: Mqtt, installation: str, *, timeout_s: float = 5.0) -> Neighbours:
    """Connect, look, and leave. Raises MqttError saying why when the broker cannot be reached or refuses us."""
    topics = Topics(options.prefix)
    found: dict[str, frozenset[str]] = {}
    waited = threading.Event()

    def received(topic: str, payload: bytes, _retained: bool) -> None:
        name = topic.rpartition("/")[2]
        if name != installation and (cameras := cameras_listed(payload, options.prefix)):
            found[name] = cameras

    options = replace(options, client_id=f"{options.client_id[:52]}-check-{secrets.token_hex(2)}")
    connection = Connection(options, Outbox(), will_topic="", filters=lambda: (topics.announced("+"),),
                            on_up=lambda: None, on_message=received)
    connection.start()
    try:
        if not connection.wait_connected(timeout_s):
            raise MqttError("{broker}:{port} does not let us in: {why}", path="mqtt.broker", broker=options.broker,
                            port=options.port, why=connection.problem or "no answer",
                            cure="Check address, port, user and password, and TLS")
        waited.wait(_LISTS_WITHIN_S)
        return Neighbours(dict(found))
    finally:
        connection.stop()
