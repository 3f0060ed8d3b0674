from __future__ import annotations

import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.errors import MqttError
from aipg_plugin.mqtt.commands import Command, CommandGate, CommandWorker, parse_payload
from aipg_plugin.mqtt.topics import TopicAddress
from tests.mqtt.broker import wait_for
from tests.mqtt.conftest import make_camera

KEYS = st.sampled_from(["guard", "area/1", "masking_method", "sensitivity", "blur_intensity", "camera_height",
                        "snapshot", "reload"])


@pytest.mark.parametrize(("key", "payload", "value"), [
    ("guard", b"ON", True), ("guard", b"off", False), ("guard", b" ON\n", True), ("area/3", b"ON", True),
    ("guard", b'{"value": "OFF", "token": "x"}', False), ("guard", b'{"value": true}', True),
    ("masking_method", b"filling", "filling"), ("masking_method", b"Blurring", "blurring"),
    ("sensitivity", b'{"value":"low"}', "low"), ("blur_intensity", b"high", "high"),
    ("camera_height", b"3.2", 3.2), ("camera_height", b'{"value": 4}', 4.0), ("reload", b"PRESS", None),
    ("snapshot", b"", None),
])
def test_good_payloads(key, payload, value):
    got = parse_payload(key, payload)[0]
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(("key", "payload"), [
    ("guard", b""), ("guard", b"1"), ("guard", b"true"), ("guard", b'{"value": 1}'), ("guard", b'{"value": null}'),
    ("guard", b"[1]"), ("guard", b'{"value": "ON", "more": 1}'), ("guard", b'{"token": "x"}'), ("guard", b"{"),
    ("guard", b'{"value": "OFF", "token": 5}'), ("guard", b"\xff\xfe"), ("guard", b"O" * 5000),
    ("guard", b'{"value":' + b"[" * 4000), ("masking_method", b"gaussian"),
    ("masking_method", b'{"value": ["filling"]}'),
    ("camera_height", b"nan"), ("camera_height", b"inf"), ("camera_height", b"1e999"), ("camera_height", b"high"),
    ("camera_height", b'{"value": true}'), ("camera_height", b'{"value": 1' + b"0" * 400 + b"}"),
])
def test_bad_payloads(key, payload):
    with pytest.raises(MqttError):
        parse_payload(key, payload)


@given(KEYS, st.binary(max_size=200))
def test_any_bytes_either_parse_or_are_refused(key, payload):
    try:
        value, token = parse_payload(key, payload)
    except MqttError:
        return
    assert value is None or isinstance(value, bool | float | str)
    assert token is None or isinstance(token, str)


@given(KEYS, st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda s: st.lists(s) | st.dictionaries(
    st.text(), s), max_leaves=5))
def test_any_json_either_parses_or_is_refused(key, value):
    try:
        got, _ = parse_payload(key, json.dumps({"value": value, "token": None}).encode())
    except MqttError:
        return
    assert got is None or isinstance(got, bool | float | str)


def test_an_error_never_quotes_the_payload():
    with pytest.raises(MqttError) as caught:
        parse_payload("guard", b'{"value": "MAYBE", "token": "sesame"}')
    assert "sesame" not in str(caught.value)
    assert "sesame" not in repr(Command("lobby", "1", "guard", False, "sesame"))


class TestCommandGate:
    keeper = CommandGate((make_camera(off_token="sesame"), make_camera("yard")))

    @pytest.mark.parametrize("address", [
        TopicAddress("lobby", "3", "guard"), TopicAddress("cellar", "1", "guard"),
        TopicAddress("lobby", "1", "area/2")])
    def test_unknown_addresses(self, address):
        with pytest.raises(MqttError):
            self.keeper.check_address(address)

    @pytest.mark.parametrize("token", [None, "", "sesam", "sesame ", "SESAME", "\udc80"])
    def test_off_needs_the_token(self, token):
        keeper = CommandGate((make_camera(off_token="sesame"),))
        with pytest.raises(MqttError, match="token"):
            keeper.check_token(Command("lobby", "1", "guard", False, token))

    def test_on_and_the_right_token_pass(self):
        self.keeper.check_token(Command("lobby", "1", "guard", True))
        self.keeper.check_token(Command("lobby", "1", "guard", False, "sesame"))
        self.keeper.check_token(Command("yard", "1", "guard", False))

    def test_guessing_is_locked_out(self):
        keeper = CommandGate((make_camera(off_token="sesame"),))
        for guess in range(5):
            with pytest.raises(MqttError, match="is wrong"):
                keeper.check_token(Command("lobby", "1", "guard", False, str(guess)))
        with pytest.raises(MqttError, match="too many"):
            keeper.check_token(Command("lobby", "1", "guard", False, "sesame"))


def test_worker_keeps_the_newest_of_each_address_and_survives_errors():
    applied, go, busy = [], threading.Event(), threading.Event()

    def apply(command):
        busy.set()
        go.wait(5)
        applied.append((command.key, command.value))
        if command.value == 0:
            raise RuntimeError("boom")

    worker = CommandWorker(apply)
    worker.start()
    worker.put(Command("c", "1", "camera_height", 0))
    assert busy.wait(5)
    for n in range(100):
        worker.put(Command("c", "1", "camera_height", n))
        worker.put(Command("c", "1", "guard", n % 2 == 0))
    go.set()
    wait_for(lambda: len(applied) == 3)
    worker.stop()
    assert applied == [("camera_height", 0), ("camera_height", 99), ("guard", False)]
