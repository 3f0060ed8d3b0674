"""One declaration is all that a new control or sensor needs: topics, commands and announcements follow."""

from __future__ import annotations

import json

import pytest

from aipg_plugin.mqtt import entities
from aipg_plugin.mqtt.commands import parse_payload
from aipg_plugin.mqtt.discovery import Announcer
from aipg_plugin.mqtt.entities import ENTITIES, Of
from aipg_plugin.mqtt.topics import TopicAddress, Topics
from aipg_plugin.settings import controls
from aipg_plugin.settings.controls import CONTROLS, Control, Scope
from aipg_plugin.settings.schema import validator_at
from tests.mqtt.broker import wait_for
from tests.mqtt.conftest import make_camera

HOLD = "privacy_guard.hold_s"
FAKE = Control("hold", Scope.CAMERA, HOLD, lambda camera, _: camera.privacy_guard.hold_s, controls._set(HOLD),
               controls._lowered, validator_at(HOLD))


@pytest.fixture
def with_fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controls, "CONTROLS", (*CONTROLS, FAKE))
    monkeypatch.setattr(entities, "ENTITIES", (
        *ENTITIES, entities._told("sensor", "queue", Of.CAMERA, "queue", b"0"), entities._number("lag", "lag_s")))


def components(topic: str) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = json.loads(Announcer(Topics(), "1").payloads((make_camera(),))[topic])[
        "components"]
    return found


@pytest.mark.usefixtures("with_fakes")
def test_a_control_has_topics_and_is_announced():
    assert Topics().parse_command("aipg/lobby/1/hold/set") == TopicAddress("lobby", "1", "hold")
    assert parse_payload("hold", b"7.5") == (7.5, None)
    announced = components("homeassistant/device/aipg/lobby_2/config")["hold"]
    assert announced.items() >= {
        "platform": "number", "min": 0.5, "max": 60, "unit_of_measurement": "s", "name": "Hold",
        "command_topic": "aipg/lobby/2/hold/set", "state_topic": "aipg/lobby/2/hold/state"}.items()


@pytest.mark.usefixtures("with_fakes")
def test_sensors_are_announced():
    first, second = (components(f"homeassistant/device/aipg/lobby_{n}/config") for n in (1, 2))
    assert first["queue"]["state_topic"] == "aipg/lobby/queue"
    assert "queue" not in second
    assert ".get('lag_s')" in str(second["lag"]["value_template"])


@pytest.mark.usefixtures("with_fakes")
def test_they_work_on_a_broker(link, app, watcher):
    made = link()
    watcher.expect("aipg/lobby/2/hold/state", "3")
    watcher.expect("aipg/lobby/queue", "0")
    watcher.publish("aipg/lobby/1/hold/set", "8")
    watcher.expect("aipg/lobby/2/hold/state", "8")
    made.tell("lobby", "queue", b"4")
    watcher.expect("aipg/lobby/queue", "4")
    made.cameras_changed((make_camera("yard"),))
    for gone in ("aipg/lobby/queue", "aipg/lobby/1/hold/state"):
        watcher.expect(gone, "")
    assert wait_for(lambda: app.commands)[0].value == 8.0


def test_what_is_not_for_mqtt_has_no_topic():
    for control in CONTROLS:
        if not control.mqtt:
            key = control.key("1")
            assert Topics().parse_command(f"aipg/lobby/1/{key}/set") is None
            assert key.replace("/", "_") not in components("homeassistant/device/aipg/lobby_1/config")
