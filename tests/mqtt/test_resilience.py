"""Brokers that die, hang, refuse or lie; payloads meant to hurt."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aipg_plugin.errors import MqttError
from aipg_plugin.mqtt import MqttLink, TrackReport
from aipg_plugin.options import Mqtt
from tests.mqtt.broker import Watcher, free_port, wait_for
from tests.mqtt.conftest import App, make_camera
from tests.needs import need


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_states_heal_after_the_broker_was_killed(link, broker, protocol):
    made = link(protocol=protocol)
    stop, fed = threading.Event(), []

    def feed() -> None:
        while not stop.is_set():
            n = len(fed)
            made.state("lobby", "1", "camera_height", 2.5 + n % 20 / 10)
            made.figures("lobby", float(n), tuple(TrackReport(i, (0.5, 0.5, 0.1, 0.2, 0.0), 0.9, None, 0.0)
                                                  for i in range(n % 5)))
            fed.append(n)
            stop.wait(0.002)

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        for _ in range(2):
            count = len(fed)
            wait_for(lambda count=count: len(fed) > count + 50)
            broker.kill()
            wait_for(lambda: not made.connected, 10)
            broker.start()
            wait_for(lambda: made.connected, 10)
    finally:
        stop.set()
        feeder.join()
    made.state("lobby", "1", "camera_height", 4.9)
    made.state("lobby", "1", "guard", True)
    watcher = Watcher(broker.port)
    watcher.expect("aipg/lobby/1/camera_height/state", "4.9")
    watcher.expect("aipg/lobby/1/guard/state", "ON")
    watcher.expect("aipg/lobby/2/sensitivity/state", "high")
    watcher.expect("aipg/available", "online")
    assert "homeassistant/device/aipg/lobby_1/config" in watcher.last
    watcher.publish("aipg/lobby/1/guard/set", "OFF")
    watcher.expect("aipg/lobby/1/guard/state", "OFF")
    watcher.close()


def test_a_camera_removed_while_the_broker_was_away_is_cleared_on_its_return(link, own_broker, tmp_path):
    server = own_broker(f"allow_anonymous true\npersistence true\npersistence_location {tmp_path}/")
    made = link((make_camera(), make_camera("yard")), port=server.port)
    watcher = Watcher(server.port)
    watcher.expect("aipg/yard/1/guard/state", "OFF")
    watcher.close()
    server.process.terminate()
    server.process.wait(5)
    made.cameras_changed((make_camera(),))
    server.start()
    wait_for(lambda: made.connected, 10)
    watcher = Watcher(server.port)
    watcher.expect("aipg/lobby/1/guard/state", "OFF")
    wait_for(lambda: not [t for t, p in watcher.last.items() if p and "yard" in t])
    watcher.close()


def test_a_broker_that_is_not_there_blocks_nobody(link):
    port = free_port()
    made = link(port=port, connect=False)
    begin = time.perf_counter()
    for n in range(3000):
        made.state("lobby", "1", "camera_height", 2.5 + n % 20 / 10)
        made.figures("lobby", float(n), (TrackReport(n, (0.5, 0.5, 0.1, 0.2, 0.0), 0.9, None, 0.0),))
        made.stats({"n": n})
    assert time.perf_counter() - begin < 2.0
    assert not made.connected
    assert made._outbox.dropped > 0
    assert len(made._outbox) < 1200


def test_a_broker_that_hangs_blocks_nobody_and_states_arrive_afterwards(link, broker):
    made = link()
    os.kill(broker.process.pid, signal.SIGSTOP)
    try:
        slowest = 0.0
        for n in range(3000):
            begin = time.perf_counter()
            made.state("lobby", "1", "camera_height", 2.5 + n % 20 / 10)
            made.stats({"filler": "x" * 20000, "n": n})
            slowest = max(slowest, time.perf_counter() - begin)
        assert slowest < 0.25
        # Telemetry waits in our bounded queue, not in paho's endless one; the kernel may take some megabytes of it.
        wait_for(lambda: 500 < len(made._outbox) < 1200)
        made.state("lobby", "1", "camera_height", 4.8)
    finally:
        os.kill(broker.process.pid, signal.SIGCONT)
    watcher = Watcher(broker.port)
    watcher.expect("aipg/lobby/1/camera_height/state", "4.8", 10)
    watcher.close()


CHILD = """
import sys, time
from aipg_plugin.mqtt import MqttLink
from aipg_plugin.options import Mqtt
from tests.mqtt.conftest import make_camera
link = MqttLink(Mqtt(broker="127.0.0.1", port=int(sys.argv[1]), protocol=sys.argv[2]), (make_camera(),), version="1",
                apply=lambda command: command.value)
link.start()
time.sleep(60)
"""


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_the_last_will_tells_that_we_were_killed(broker, watcher, protocol):
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(broker.port), protocol])
    try:
        watcher.expect("aipg/available", "online", 20)
    finally:
        child.kill()
        child.wait(5)
    watcher.expect("aipg/available", "offline")
    late = Watcher(broker.port)
    late.expect("aipg/available", "offline")
    late.close()


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_hostile_payloads(link, app, watcher, protocol):
    made = link(protocol=protocol, follow_frigate=True)
    watcher.expect("aipg/lobby/1/guard/state", "OFF")
    huge = bytes(10 * 1024 * 1024)
    for topic in ("aipg/lobby/1/guard/set", "aipg/reload/set", "frigate/events", "homeassistant/status",
                  "homeassistant/device/aipg/lobby_1/config"):
        watcher.publish(topic, huge)
    for payload in (b"", b"\0", b"\xff" * 100, b"[" * 4000, b'{"value":' * 400, b'{"value": {"value": "ON"}}', b"null",
                    b"NaN", b'{"value": 1e400}', b"ON\0", b'{"value": "\\ud800"}', b'{"value":"OFF","token":"\\ud800"}',
                    "ÖN".encode(), b"ON" * 2000):
        for key in ("guard", "masking_method", "camera_height", "area/3"):
            watcher.publish(f"aipg/lobby/1/{key}/set", payload)
    for topic in ("aipg/elsewhere/1/guard/set", "aipg/lobby/9/guard/set", "aipg/lobby/1/area/7/set",
                  "aipg/lobby/1/nonsense/set", "aipg/lobby/1/area/99999999999999999999/set",
                  "aipg/\U0001f600/1/guard/set", "aipg/" + "x" * 5000 + "/1/guard/set",
                  "aipg/%s%n/{0.__class__}/guard/set"):
        watcher.publish(topic, "ON")
    for payload in (b"{", b"[]", b'{"components": 5}', b'{"components": {"x": 5}}', b'"aipg/lobby/1/guard/state"',
                    b'{"a": ["aipg/lobby/1/guard/state", "aipg/available", "other/person", "aipg/+/state"]}'):
        watcher.publish("homeassistant/device/aipg/lobby_1/config", payload, retain=True)
        watcher.publish("homeassistant/device/aipg/strange/config", payload, retain=True)
    wait_for(lambda: payload in watcher.payloads("homeassistant/device/aipg/strange/config"), 15)
    made.stop()
    link(protocol=protocol)
    watcher.publish("aipg/lobby/2/guard/set", "ON")
    watcher.expect("aipg/lobby/2/guard/state", "ON", 10)
    assert watcher.last["homeassistant/device/aipg/strange/config"] == payload     # we never announced it
    changed = [c for c in app.commands if c.key != "reload"]
    assert [(c.stream, c.key, c.value) for c in changed if c.value is not False] == [("2", "guard", True)]
    assert watcher.last["aipg/available"] == b"online"
    assert watcher.last["aipg/lobby/1/sensitivity/state"] == b"high"
    assert len(watcher.payloads("aipg/errors")) < 80
    wait_for(lambda: b'"guard"' in watcher.last["homeassistant/device/aipg/lobby_1/config"])


def test_complaints_do_not_flood(link, watcher, caplog):
    link()
    for _ in range(300):
        watcher.publish("aipg/lobby/1/guard/set", "nonsense")
    watcher.publish("aipg/lobby/2/guard/set", "ON")
    watcher.expect("aipg/lobby/2/guard/state", "ON")
    assert 1 <= len(watcher.payloads("aipg/errors")) <= 3
    assert sum("refused a command" in r.getMessage() for r in caplog.records) == 1


@pytest.fixture(scope="module")
def quiet_link():
    app = App()
    return MqttLink(Mqtt(broker="127.0.0.1", follow_frigate=True), (make_camera(off_token="sesame", enabled=True),),
                    version="1", apply=app.apply)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(topic=st.one_of(st.text(max_size=30), st.sampled_from(
    ["aipg/lobby/1/guard/set", "aipg/reload/set", "homeassistant/status", "frigate/events", "frigate/available",
     "homeassistant/device/aipg/lobby_1/config", "aipg/lobby/1/area/3/set"])),
    payload=st.binary(max_size=60), retained=st.booleans())
def test_no_message_whatever_raises_or_switches_the_guard_off(quiet_link, topic, payload, retained):
    quiet_link._received(topic, payload, retained)
    assert not any(c.key == "guard" and c.value is False for c in quiet_link._commands._worker._waiting.values())


# -- TLS, passwords ------------------------------------------------------------------------------------


def tls_listener(folder: Path, more: str = "") -> str:
    return (f"allow_anonymous true\ncafile {folder}/ca.pem\ncertfile {folder}/server.pem\n"
            f"keyfile {folder}/server.key\n{more}")


def tls_options(folder: Path, **more: object) -> dict[str, object]:
    return {"tls": True, "tls_ca": str(folder / "ca.pem"), **more}


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_tls(link, own_broker, certificates, protocol):
    server = own_broker(tls_listener(certificates))
    link(port=server.port, protocol=protocol, **tls_options(certificates))
    watcher = Watcher(server.port, ca_certs=str(certificates / "ca.pem"))
    watcher.expect("aipg/available", "online")
    watcher.publish("aipg/lobby/1/guard/set", "ON")
    watcher.expect("aipg/lobby/1/guard/state", "ON")
    watcher.close()


def test_a_broker_with_a_strange_certificate_is_not_trusted(link, own_broker, certificates):
    server = own_broker(tls_listener(certificates))
    made = link(port=server.port, connect=False, tls=True, tls_ca=str(certificates / "other_ca.pem"))
    assert not made.wait_connected(1.0)


def test_client_certificate(link, own_broker, certificates):
    server = own_broker(tls_listener(certificates, "require_certificate true"))
    without = link(port=server.port, connect=False, **tls_options(certificates))
    link(port=server.port, **tls_options(certificates, tls_cert=str(certificates / "client.pem"),
                                         tls_key=str(certificates / "client.key")))
    assert not without.connected


@pytest.mark.parametrize(("option", "file"), [
    ("tls_ca", "nowhere.pem"), ("tls_cert", "nowhere.pem"), ("tls_ca", "ext")])
def test_tls_files_are_checked_at_the_start(app, certificates, option, file):
    options = dataclasses.replace(Mqtt(broker="127.0.0.1", tls=True), **{option: str(certificates / file)})
    made = MqttLink(options, (make_camera(),), version="1", apply=app.apply)
    with pytest.raises(MqttError, match=r"mqtt\.tls"):
        made.start()
    made.stop()


def test_user_and_password(link, own_broker, tmp_path):
    passwords = tmp_path / "passwords"
    passwords.write_text("")
    passwords.chmod(0o600)
    subprocess.run([need("mosquitto_passwd"), "-b", str(passwords), "guard", "pa:ss wörd"], check=True,
                   capture_output=True)
    server = own_broker(f"allow_anonymous false\npassword_file {passwords}")
    wrong = link(port=server.port, connect=False, username="guard", password="wrong")
    link(port=server.port, username="guard", password="pa:ss wörd")
    assert not wrong.connected


# -- embedded ------------------------------------------------------------------------------------------


def embedded(app: App, **options: object) -> MqttLink:
    made = MqttLink(dataclasses.replace(Mqtt(broker="embedded"), **options), (make_camera(),), version="1",
                    apply=app.apply)
    made.start()
    return made


def test_embedded_broker_serves_strangers_on_loopback(app, caplog):
    import psutil
    made = embedded(app, port=free_port())
    try:
        assert made.wait_connected(10)
        watcher = Watcher311(made.address[1])
        watcher.expect("aipg/available", "online")
        watcher.expect("aipg/lobby/1/masking_method/state", "blurring")
        for method in ("filling", "background", "blurring"):
            watcher.publish("aipg/lobby/1/masking_method/set", method)
            watcher.expect("aipg/lobby/1/masking_method/state", method)
        watcher.close()
        listening = {c.laddr.ip for c in psutil.Process().net_connections("tcp")
                     if c.status == "LISTEN" and c.laddr.port == made.address[1]}
        assert listening == {"127.0.0.1"}
    finally:
        made.stop()
    assert not caplog.records or max(r.levelno for r in caplog.records) < 40


def test_embedded_broker_finds_another_port_when_its_own_is_taken(app, broker, caplog):
    made = embedded(app, port=broker.port)
    try:
        assert made.address[1] != broker.port
        assert made.wait_connected(10)
        assert str(broker.port) in caplog.text
    finally:
        made.stop()


def test_embedded_broker_with_a_password_lets_nobody_else_in(app):
    made = embedded(app, port=free_port(), username="guard", password="sesame")
    try:
        assert made.wait_connected(10)
        watcher = Watcher311(made.address[1], username="guard", password="sesame")
        watcher.expect("aipg/available", "online")
        watcher.close()
        for credentials in ({}, {"username": "guard", "password": "simsim"}):
            with pytest.raises((AssertionError, OSError)):
                Watcher311(made.address[1], wait_s=0.5, **credentials)
    finally:
        made.stop()


class Watcher311(Watcher):
    """A watcher that speaks MQTT 3.1.1, as the embedded broker does."""

    version = 4
