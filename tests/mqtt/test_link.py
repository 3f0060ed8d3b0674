"""The link against a real mosquitto."""

from __future__ import annotations

import json
import threading
import time

import cv2
import numpy as np
import pytest

from aipg_plugin.errors import GuardError, MqttError
from aipg_plugin.mqtt import MqttLink, TrackReport, figures
from aipg_plugin.options import Mqtt
from aipg_plugin.states import State
from tests.mqtt.broker import Watcher, wait_for
from tests.mqtt.conftest import guarded_frame, make_camera
from tests.servers import free_port, in_real_time


def person(track: int = 1, x: float = 0.5) -> TrackReport:
    return TrackReport(track, (x, 0.5, 0.1, 0.2, 0.0), 0.9, (1.0, 2.0), 0.0)


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_everything_is_announced_and_retained(link, broker, watcher, protocol):
    link(protocol=protocol)
    watcher.expect("aipg/available", "online")
    late = Watcher(broker.port)
    for topic, payload in {
        "aipg/available": b"online", "aipg/lobby/1/guard/state": b"OFF", "aipg/lobby/2/area/3/state": b"OFF",
        "aipg/lobby/1/masking_method/state": b"blurring", "aipg/lobby/1/sensitivity/state": b"high",
        "aipg/lobby/1/blur_intensity/state": b"middle", "aipg/lobby/1/camera_height/state": b"3",
        "aipg/lobby/1/circumferential_mosaic/state": b"OFF", "aipg/lobby/person": b"0",
        "aipg/lobby/occupancy": b"OFF", "aipg/lobby/problem": b"OFF", "aipg/lobby/1/available": b"online",
    }.items():
        late.expect(topic, payload)
    assert json.loads(late.last["aipg/status"])["version"] == "1.2.3"
    assert json.loads(late.last["aipg/lobby/1/state"]) == {"state": "starting", "reason": ""}
    wait_for(lambda: "homeassistant/device/aipg/lobby_1/config" in late.last)
    late.close()


def test_an_echo_comes_only_when_the_change_is_in_force(link, app, watcher):
    link(persist_commands=True)
    watcher.expect("aipg/lobby/1/guard/state", "OFF")
    app.delay.clear()
    watcher.publish("aipg/lobby/1/guard/set", "ON")
    in_real_time(0.2, "no echo may come")
    assert watcher.last["aipg/lobby/1/guard/state"] == b"OFF"
    app.delay.set()
    watcher.expect("aipg/lobby/1/guard/state", "ON")
    assert app.commands[0].value is True
    assert app.commands[0].persist
    assert app.threads == {"aipg-mqtt-commands"}
    assert watcher.last["aipg/lobby/2/guard/state"] == b"OFF"


def test_what_the_app_answers_is_what_is_echoed(link, app, watcher):
    app.on_apply = lambda command: round(command.value, 1)
    link()
    watcher.publish("aipg/lobby/1/camera_height/set", "3.4499")
    watcher.expect("aipg/lobby/1/camera_height/state", "3.4")
    watcher.expect("aipg/lobby/2/camera_height/state", "3.4")      # the camera's height, so both streams tell it


def test_the_same_value_again_is_echoed_again(link, watcher):
    link()
    watcher.expect("aipg/lobby/1/area/3/state", "OFF")
    before = len(watcher.payloads("aipg/lobby/1/area/3/state"))
    watcher.publish("aipg/lobby/1/area/3/set", "OFF")
    wait_for(lambda: len(watcher.payloads("aipg/lobby/1/area/3/state")) > before)


@pytest.mark.parametrize(("key", "payload", "state"), [
    ("camera_height", "9", b"3"), ("camera_height", "tall", b"3"), ("masking_method", "gaussian", b"blurring"),
    ("guard", "maybe", b"OFF"), ("sensitivity", b"\xff\x00", b"high")])
def test_a_bad_value_changes_nothing_and_says_so(
        link, app, watcher, key, payload, state):
    link()
    topic = f"aipg/lobby/1/{key}/state"
    watcher.expect(topic, state)
    before = len(watcher.payloads(topic))
    watcher.publish(f"aipg/lobby/1/{key}/set", payload)
    wait_for(lambda: len(watcher.payloads(topic)) > before)
    error = json.loads(wait_for(lambda: watcher.last.get("aipg/errors")))
    assert error["camera"] == "lobby"
    assert error["key"] == key
    assert error["message"]
    assert watcher.last[topic] == state
    assert app.commands == []


def test_an_app_that_breaks_is_reported_and_the_next_command_works(link, app, watcher):
    def broken(_command):
        raise RuntimeError("secret detail")

    app.on_apply = broken
    link()
    watcher.publish("aipg/lobby/1/guard/set", "ON")
    error = json.loads(wait_for(lambda: watcher.last.get("aipg/errors")))
    assert "secret" not in error["message"]
    app.on_apply = None
    watcher.publish("aipg/lobby/1/guard/set", "ON")
    watcher.expect("aipg/lobby/1/guard/state", "ON")


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_a_retained_command_is_ignored(link, app, watcher, protocol):
    watcher.publish("aipg/lobby/1/guard/set", "ON", retain=True)
    watcher.expect("aipg/lobby/1/guard/set", "ON")
    link(protocol=protocol)
    error = json.loads(wait_for(lambda: watcher.last.get("aipg/errors")))
    assert "retained" in error["message"]
    watcher.publish("aipg/lobby/1/area/1/set", "ON")
    watcher.expect("aipg/lobby/1/area/1/state", "ON")
    assert [c.key for c in app.commands] == ["area/1"]
    assert watcher.last["aipg/lobby/1/guard/state"] == b"OFF"


def test_off_needs_the_token_and_on_does_not(link, app, watcher):
    link((make_camera(off_token="sesame", enabled=True),))
    watcher.expect("aipg/lobby/1/guard/state", "ON")
    for payload in ("OFF", '{"value":"OFF","token":"simsim"}'):
        watcher.last.pop("aipg/errors", None)
        watcher.publish("aipg/lobby/1/guard/set", payload)
        error = wait_for(lambda: watcher.last.get("aipg/errors"))
        assert b"token" in error
        assert b"simsim" not in error
        assert b"sesame" not in error
        assert app.commands == []
    watcher.publish("aipg/lobby/1/guard/set", '{"value":"OFF","token":"sesame"}')
    watcher.expect("aipg/lobby/1/guard/state", "OFF")
    watcher.publish("aipg/lobby/1/guard/set", "ON")
    watcher.expect("aipg/lobby/1/guard/state", "ON")
    assert not [p for t, p, _ in watcher.seen if b"sesame" in p and not t.endswith("/set")]


def test_a_bad_command_cannot_displace_a_good_one(link, app, watcher):
    link((make_camera(off_token="sesame"),))
    app.delay.clear()
    watcher.publish("aipg/lobby/1/area/1/set", "ON")        # keeps the worker busy
    in_real_time(0.1, "nothing tells that the worker has begun")
    watcher.publish("aipg/lobby/1/guard/set", "ON")
    watcher.publish("aipg/lobby/1/guard/set", "OFF")
    watcher.publish("aipg/lobby/1/guard/set", b"\0\1")
    wait_for(lambda: watcher.payloads("aipg/errors"))
    app.delay.set()
    watcher.expect("aipg/lobby/1/guard/state", "ON")


def test_a_hundred_commands_a_second(link, app, watcher):
    app.on_apply = lambda command: (time.sleep(0.02), command.value)[1]
    link()
    watcher.expect("aipg/lobby/1/camera_height/state", "3")
    begin = time.monotonic()
    for n in range(100):
        watcher.publish("aipg/lobby/1/camera_height/set", f"{2.5 + (n % 26) / 10:.1f}")
        watcher.publish("aipg/lobby/1/guard/set", "ON" if n % 2 else "OFF")
        time.sleep(0.01)
    watcher.publish("aipg/lobby/1/camera_height/set", "4.9")
    watcher.expect("aipg/lobby/1/camera_height/state", "4.9")
    watcher.expect("aipg/lobby/1/guard/state", "ON")
    assert time.monotonic() - begin < 6
    assert len(app.commands) <= 201


def test_figures_become_counts_and_events(link, watcher):
    made = link()
    made.figures("lobby", 10.0, (person(4), person(5, 0.3)))
    watcher.expect("aipg/lobby/person", "2")
    watcher.expect("aipg/lobby/occupancy", "ON")
    made.figures("lobby", 12.0, (person(4, 0.6),))
    watcher.expect("aipg/lobby/person", "1")
    made.figures("lobby", 13.0, ())
    watcher.expect("aipg/lobby/occupancy", "OFF")
    wait_for(lambda: len(watcher.payloads("aipg/events")) >= 5)
    events = [json.loads(p) for p in watcher.payloads("aipg/events")]
    assert [e["type"] for e in events] == ["new", "new", "end", "update", "end"]
    assert events[0]["after"]["id"] == events[3]["after"]["id"] == events[4]["before"]["id"]
    assert events[0]["after"]["floor_xy_m"] == [1.0, 2.0]
    analytics = json.loads(wait_for(lambda: watcher.last.get("aipg/lobby/analytics")))
    assert analytics["people"] == 2
    made.figures("nobody", 13.0, (person(),))       # an unknown camera is nothing to tell


def test_stats_take_what_numpy_and_arithmetic_leave(link, watcher):
    made = link()
    made.stats({"streams": {"lobby": {"1": {"fps_out": np.float32(14.5), "evidence_age_s": float("nan")}}}})
    stats = json.loads(wait_for(lambda: watcher.last.get("aipg/stats")))
    assert stats["streams"]["lobby"]["1"] == {"fps_out": 14.5, "evidence_age_s": None}
    assert stats["mqtt"] == {"dropped": 0, "reconnects": 0}
    made.status({"host": "standalone", "model": "standard"})
    wait_for(lambda: json.loads(watcher.last.get("aipg/status", b"{}")).get("host") == "standalone")


def test_state_problem_and_availability(link, watcher):
    made = link()
    made.statuses.report("lobby", "1", State.GUARDING)
    made.statuses.report("lobby", "2", State.FAILSAFE, "no evidence for 3 s")
    watcher.expect("aipg/lobby/2/state", '{"state":"failsafe","reason":"no evidence for 3 s"}')
    watcher.expect("aipg/lobby/problem", "ON")
    made.statuses.report("lobby", "2", State.LOST, "no frames")
    watcher.expect("aipg/lobby/2/available", "offline")
    made.statuses.report("lobby", "2", State.GUARDING)
    watcher.expect("aipg/lobby/problem", "OFF")
    watcher.expect("aipg/lobby/2/available", "online")


def test_an_output_that_fails_is_a_problem_beside_the_state(link, watcher):
    made = link()
    made.statuses.report("lobby", "1", State.GUARDING)
    watcher.expect("aipg/lobby/problem", "OFF")
    made.statuses.report_outputs("lobby", "1", {"segments /rec": "cannot write /rec: No space left on device"})
    watcher.expect("aipg/lobby/problem", "ON")
    wait_for(lambda: b"outputs" in watcher.last["aipg/lobby/1/state"])
    assert json.loads(watcher.last["aipg/lobby/1/state"]) == {
        "state": "guarding", "reason": "", "outputs": {"segments /rec": "cannot write /rec: No space left on device"}}
    assert watcher.last["aipg/lobby/1/available"] == b"online"
    made.statuses.report_outputs("lobby", "1", {})
    watcher.expect("aipg/lobby/problem", "OFF")


def test_a_snapshot_is_the_guarded_picture(link, watcher):
    made = link()
    made.snapshot("lobby", "1", guarded_frame(size_wh=(2000, 1001), grey=90))
    jpeg = wait_for(lambda: watcher.last.get("aipg/lobby/1/snapshot"))
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (641, 1280, 3)
    assert abs(float(picture.mean()) - (90 - 16) * 255 / 219) < 3
    assert not [retain for topic, _, retain in watcher.seen if topic.endswith("snapshot") and retain]
    made.snapshot("lobby", "9", guarded_frame())        # a stream that is not ours


def test_a_snapshot_from_before_a_change_does_not_wait_for_the_broker(link):
    """The guard may be on since."""
    made = link(port=free_port(), connect=False)
    made.snapshot("lobby", "1", guarded_frame())
    wait_for(lambda: made._outbox._pictures)
    made.cameras_changed((make_camera(),))
    topics = [message.topic for _ in range(300) if (message := made._outbox.take()) is not None]
    assert topics
    assert not [topic for topic in topics if topic.endswith("/snapshot")]


@pytest.mark.parametrize("clear", [np.zeros((4, 4, 3), np.uint8), None, b"jpeg", object()])
def test_nothing_but_a_guarded_frame_is_published(link, watcher, clear):
    made = link()
    with pytest.raises(GuardError, match="GuardedFrame"):
        made.snapshot("lobby", "1", clear)
    with pytest.raises(GuardError):
        MqttLink(Mqtt(), (make_camera(),), version="1", apply=print).snapshot("lobby", "1", clear)
    assert "aipg/lobby/1/snapshot" not in watcher.last


def test_a_snapshot_that_is_being_encoded_during_a_change_is_not_published(link, watcher, monkeypatch):
    made = link()
    encode, begun, go_on = figures.cv2.imencode, threading.Event(), threading.Event()

    def slow(*arguments):
        begun.set()
        assert go_on.wait(10)
        return encode(*arguments)

    monkeypatch.setattr(figures.cv2, "imencode", slow)
    made.snapshot("lobby", "1", guarded_frame(size_wh=(640, 640)))
    assert begun.wait(10)
    made.cameras_changed((make_camera(),))
    monkeypatch.setattr(figures.cv2, "imencode", encode)
    go_on.set()
    made.snapshot("lobby", "1", guarded_frame(size_wh=(64, 64)))
    wait_for(lambda: watcher.last.get("aipg/lobby/1/snapshot"))
    first = next(payload for topic, payload, _ in watcher.seen if topic.endswith("/snapshot"))
    assert cv2.imdecode(np.frombuffer(first, np.uint8), cv2.IMREAD_COLOR).shape == (64, 64, 3)


def test_when_a_snapshot_is_wanted(link, watcher):
    made = link()
    assert not made.wants_snapshot("lobby", "1")
    made.figures("lobby", 1.0, (person(),))
    wait_for(lambda: made.wants_snapshot("lobby", "1"))
    made.snapshot("lobby", "1", guarded_frame())
    assert not made.wants_snapshot("lobby", "1")
    watcher.publish("aipg/lobby/1/snapshot/set", "PRESS")
    wait_for(lambda: made.wants_snapshot("lobby", "1"))
    assert link(snapshot_interval_s=60.0).wants_snapshot("lobby", "1")


def test_reload_reaches_the_app(link, app, watcher):
    link()
    watcher.publish("aipg/reload/set", "PRESS")
    wait_for(lambda: app.commands)
    assert (app.commands[0].camera, app.commands[0].key) == ("", "reload")


def test_a_removed_camera_leaves_nothing_behind(link, broker, watcher):
    lobby, yard = make_camera(), make_camera("yard", name="Yard")
    made = link((lobby, yard))
    made.state("yard", "1", "guard", True)
    watcher.expect("aipg/yard/1/guard/state", "ON")
    for device in ("yard_1", "lobby_2"):
        wait_for(lambda device=device: watcher.last.get(f"homeassistant/device/aipg/{device}/config"))
    made.cameras_changed((make_camera(streams=("1",), areas=(1,)),))
    watcher.expect("aipg/yard/1/guard/state", "")
    watcher.expect("homeassistant/device/aipg/yard_1/config", "")
    watcher.expect("homeassistant/device/aipg/lobby_2/config", "")
    watcher.expect("aipg/lobby/1/area/3/state", "")
    in_real_time(0.2, "nothing more may be retained")
    late = Watcher(broker.port)
    late.expect("aipg/lobby/1/area/1/state", "OFF")
    assert not [t for t in late.last if "yard" in t or t.startswith("aipg/lobby/2") or "area/3" in t]
    tomb = json.loads(late.last["homeassistant/device/aipg/lobby_1/config"])["components"]["area_3"]
    assert tomb == {"platform": "switch"}
    late.close()
    watcher.publish("aipg/yard/1/guard/set", "ON")
    error = json.loads(wait_for(lambda: watcher.last.get("aipg/errors")))
    assert "yard" in error["message"]


def test_what_an_earlier_run_left_is_cleared(link, watcher):
    first = link((make_camera(), make_camera("yard")))
    wait_for(lambda: watcher.last.get("homeassistant/device/aipg/yard_2/config"))
    first.stop()
    link((make_camera(areas=(1,)),))
    for topic in ("homeassistant/device/aipg/yard_1/config", "homeassistant/device/aipg/yard_2/config",
                  "aipg/yard/1/guard/state", "aipg/yard/2/area/3/state", "aipg/yard/1/available", "aipg/yard/person",
                  "aipg/yard/1/state"):
        watcher.expect(topic, "")
    wait_for(lambda: json.loads(watcher.last["homeassistant/device/aipg/lobby_1/config"])["components"].get(
        "area_3") == {"platform": "switch"})
    watcher.expect("aipg/lobby/1/guard/state", "OFF")


def test_switching_discovery_off_withdraws_it(link, watcher):
    made = link()
    wait_for(lambda: watcher.last.get("homeassistant/device/aipg/lobby_1/config"))
    made.stop()
    link(discovery=False)
    watcher.expect("homeassistant/device/aipg/hub/config", "")
    watcher.expect("homeassistant/device/aipg/lobby_1/config", "")
    watcher.expect("aipg/lobby/1/guard/state", "OFF")


def test_home_assistant_coming_back_hears_everything_again(link, watcher):
    link()
    topic = "homeassistant/device/aipg/lobby_1/config"
    wait_for(lambda: topic in watcher.last)
    before = len(watcher.payloads(topic)), len(watcher.payloads("aipg/lobby/1/guard/state"))
    watcher.publish("homeassistant/status", "online")
    wait_for(lambda: (len(watcher.payloads(topic)), len(watcher.payloads("aipg/lobby/1/guard/state"))) > before)


def test_frigate_is_followed(link, watcher):
    made = link(follow_frigate=True)
    wait_for(lambda: "aipg/status" in watcher.last)
    watcher.publish("frigate/available", "online", retain=True)
    wait_for(lambda: json.loads(watcher.last.get("aipg/status", b"{}")).get("frigate") == "online")
    for payload in ('{"type":"new","after":{"label":"person","camera":"lobby"}}', "[]", "{", '{"type":"new","after":7}',
                    '{"type":"new","after":{"label":"person","camera":"elsewhere"}}'):
        watcher.publish("frigate/events", payload)
    watcher.publish("frigate/available", "offline")
    wait_for(lambda: json.loads(watcher.last.get("aipg/status", b"{}")).get("frigate") == "offline")
    made.stats({})
    stats = json.loads(wait_for(lambda: watcher.last.get("aipg/stats")))
    assert stats["frigate"]["person_events"] == 1


def test_stopping_says_offline(link, watcher):
    made = link()
    watcher.expect("aipg/available", "online")
    made.stop()
    watcher.expect("aipg/available", "offline")
    watcher.expect("aipg/lobby/1/available", "offline")
    made.stop()


def test_off_means_off(app):
    made = MqttLink(Mqtt(broker="off"), (make_camera(),), version="1", apply=app.apply)
    made.start()
    made.state("lobby", "1", "guard", True)
    made.statuses.report("lobby", "1", State.GUARDING)
    made.figures("lobby", 0.0, ())
    made.stats({})
    made.snapshot("lobby", "1", guarded_frame())
    assert not made.wants_snapshot("lobby", "1")
    assert not made.wait_connected(0)
    made.stop()


def test_ids_that_cannot_be_topics_stop_the_start():
    with pytest.raises(MqttError, match="MQTT topic"):
        MqttLink(Mqtt(broker="127.0.0.1"), (make_camera("a/b"),), version="1", apply=print)
