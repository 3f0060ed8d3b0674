"""Several installations on one broker: nobody throws another off or takes away what another announced."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aipg_plugin.mqtt import MqttLink
from aipg_plugin.mqtt.discovery import Announcer
from aipg_plugin.mqtt.topics import Topics
from aipg_plugin.options import Mqtt
from tests.mqtt.broker import Mosquitto, Watcher, wait_for
from tests.mqtt.conftest import App, make_camera
from tests.servers import in_real_time

HUB = "homeassistant/device/aipg{}/hub/config"


@pytest.fixture
def install(broker: Mosquitto) -> Iterator[Callable[..., MqttLink]]:
    """Starts the link of an installation: `install("a", camera, anything of options.Mqtt)`."""
    started: list[MqttLink] = []

    def make(name: str, camera: str = "lobby", *, instance: str = "", connect: bool = True, areas: tuple[int, ...] = (),
             **options: Any) -> MqttLink:
        instance = instance or name
        mqtt = dataclasses.replace(Mqtt(broker="127.0.0.1", port=broker.port, client_id=f"aipg-{instance}"), **options)
        made = MqttLink(mqtt, (make_camera(camera, streams=("1",), areas=areas),), version="1", apply=App().apply,
                        instance_id=instance, installation=name)
        made.start()
        started.append(made)
        assert not connect or made.wait_connected(10)
        return made

    yield make
    for made in started:
        made.stop()


def announced(watcher: Watcher) -> set[str]:
    return {topic for topic, payload in watcher.last.items() if topic.endswith("/config") and payload}


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_two_installations_leave_each_other_alone(install, watcher, protocol):
    a = install("a", "hall", protocol=protocol)
    wait_for(lambda: HUB.format("_a") in announced(watcher))
    b = install("b", "yard", protocol=protocol)
    both = {HUB.format("_a"), HUB.format("_b"), "homeassistant/device/aipg_a/hall_1/config",
            "homeassistant/device/aipg_b/yard_1/config"}
    wait_for(lambda: announced(watcher) == both)
    b.stop()
    install("b", "yard", protocol=protocol)
    in_real_time(1.5, "nothing may be withdrawn; this is longer than anybody waits before withdrawing")
    assert announced(watcher) == both
    assert not [topic for topic, payload, _ in watcher.seen if topic.endswith("/config") and not payload]
    assert a._connection.reconnects == 0
    assert "aipg/errors" not in watcher.last


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_an_id_that_is_taken_is_named_and_both_stay(install, watcher, protocol, caplog, monkeypatch):
    monkeypatch.setattr("aipg_plugin.mqtt.connection._FIRST_WAIT_S", 0.1)
    links = [install(name, name, client_id="guard", protocol=protocol) for name in ("a", "b")]
    error = json.loads(wait_for(lambda: watcher.last.get("aipg/errors"), 20))
    assert "client id guard" in error["message"]
    assert "mqtt.client_id" in caplog.text
    wait_for(lambda: all(link.connected for link in links), 10)
    before = [link._connection.reconnects for link in links]
    in_real_time(2, "nobody may be thrown off again")
    assert [link._connection.reconnects for link in links] == before
    watcher.publish("aipg/a/1/guard/set", "ON")
    watcher.expect("aipg/a/1/guard/state", "ON")
    watcher.publish("aipg/b/1/guard/set", "ON")
    watcher.expect("aipg/b/1/guard/state", "ON")


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_one_that_leaves_does_not_make_the_other_unavailable(install, watcher, protocol):
    install("a", "hall", protocol=protocol)
    install("b", "yard", protocol=protocol).stop()
    wait_for(lambda: b"offline" in watcher.payloads("aipg/available"))
    watcher.expect("aipg/available", "online")


def test_a_command_for_another_installation_is_not_refused(install, watcher):
    install("a", "hall")
    install("b", "yard")
    wait_for(lambda: len([topic for topic in watcher.last if topic.startswith("aipg/announced/")]) == 2)
    watcher.publish("aipg/yard/1/guard/set", "ON")
    watcher.expect("aipg/yard/1/guard/state", "ON")
    watcher.publish("aipg/attic/1/guard/set", "ON")
    error = json.loads(wait_for(lambda: watcher.last.get("aipg/errors")))
    assert "attic" in error["message"]
    assert not [payload for payload in watcher.payloads("aipg/errors") if b"yard" in payload]


def test_the_same_camera_in_two_installations_is_named(install, watcher):
    install("a", "lobby")
    wait_for(lambda: "aipg/announced/a" in watcher.last)
    install("b", "lobby")
    error = json.loads(wait_for(lambda: watcher.last.get("aipg/errors")))
    assert "camera lobby too" in error["message"]


def test_the_same_name_for_two_installations_is_named(install, watcher, monkeypatch):
    monkeypatch.setattr("aipg_plugin.mqtt.announcements._REPEAT_EVERY_S", 0.05)
    install("a", "hall", instance="shop", client_id="a")
    wait_for(lambda: HUB.format("_shop") in announced(watcher))
    topic = "homeassistant/device/aipg_shop/hall_1/config"
    wait_for(lambda: topic in announced(watcher))
    ours = watcher.last[topic]
    for n in range(30):
        if any(b"instance_id of its own" in payload for payload in watcher.payloads("aipg/errors")):
            break
        watcher.publish(topic, json.dumps({"components": {}, "n": n}), retain=True)
        wait_for(lambda: watcher.last.get(topic) == ours, 5)
        time.sleep(0.1)
    assert any(b"as shop" in payload for payload in watcher.payloads("aipg/errors"))


def test_a_new_name_withdraws_the_former_ones_announcements(install, watcher):
    made = install("a", "hall", instance="ground")
    wait_for(lambda: len(announced(watcher)) == 2)
    made.stop()
    install("a", "hall", instance="first", discovery_prefix="ha")
    wait_for(lambda: announced(watcher) == {"ha/device/aipg_first/hub/config", "ha/device/aipg_first/hall_1/config"})


@pytest.mark.parametrize(("before", "after"), [("device", "entity"), ("entity", "device")])
def test_another_format_is_announced_when_the_old_one_is_withdrawn(install, watcher, before, after):
    """Home Assistant ignores an entity whose unique_id it has, and drops it with the old announcement."""
    made = install("a", "hall", areas=(1,), discovery_format=before)
    old, new = (set(Announcer(Topics(), "1", "a", per_device=kind == "device").payloads(
        (make_camera("hall", streams=("1",), areas=(1,)),))) for kind in (before, after))
    wait_for(lambda: announced(watcher) == old)
    made.stop()
    watcher.seen.clear()
    install("a", "hall", areas=(1,), discovery_format=after)
    wait_for(lambda: announced(watcher) == new, 10)
    configs = [(topic in old, bool(payload)) for topic, payload, _ in watcher.seen if topic.endswith("/config")]
    assert configs == sorted(configs, key=lambda each: each[1])
    assert configs[:len(old)] == [(True, False)] * len(old)


@pytest.mark.parametrize("payload", [
    b"", b"[]", b"{", b'{"topics": 5}', b'{"topics": [5, null, {}]}', b'{"topics": ["#", "aipg/+/state", "other/x"]}',
    b'{"topics": ["aipg/available", "aipg/status", "homeassistant/switch/lamp/config", "$SYS/x"]}',
    b'{"topics": ' + b"[" * 5000, b'{"topics": ["' + b"x" * 300_000 + b'"]}'])
def test_a_strange_list_withdraws_nothing_of_others(install, watcher, payload):
    watcher.publish("homeassistant/switch/lamp/config", "{}", retain=True)
    watcher.publish("other/x", "1", retain=True)
    watcher.publish("aipg/announced/a", payload, retain=True)
    watcher.publish("aipg/announced/strange", payload, retain=True)
    wait_for(lambda: watcher.last.get("other/x") == b"1")
    install("a", "hall")
    wait_for(lambda: HUB.format("_a") in announced(watcher))
    assert watcher.last["homeassistant/switch/lamp/config"] == b"{}"
    assert watcher.last["other/x"] == b"1"
    assert watcher.last["aipg/available"] == b"online"
    assert b"version" in watcher.last["aipg/status"]
