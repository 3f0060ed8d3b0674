"""The five automations of docs/automations.md, run as they stand there against a real broker."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from aipg_plugin.mqtt import TrackReport
from aipg_plugin.states import State
from tests.mqtt.broker import wait_for
from tests.mqtt.conftest import guarded_frame, make_camera
from tests.mqtt.test_discovery import HA_PYTHON
from tests.needs import CHECKOUT, need

TOKEN = "sesame"
DOCUMENT = (CHECKOUT / "docs" / "automations.md").read_text(encoding="utf-8")
SECTIONS = {int(part[0]): part for part in DOCUMENT.split("\n## ")[1:]}


class _Loader(yaml.SafeLoader):
    """YAML with Home Assistant's !secret."""


_Loader.add_constructor("!secret", lambda _loader, _node: json.dumps({"value": "OFF", "token": TOKEN}))


def block(number: int, language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", SECTIONS[number], re.DOTALL)
    return str(found)


def automations(number: int) -> list[dict[str, Any]]:
    return list(yaml.load(block(number, "yaml"), _Loader))


def publishes(automation: dict[str, Any]) -> list[tuple[str, str]]:
    return [(action["data"]["topic"], action["data"]["payload"]) for action in automation["action"]
            if action.get("service") == "mqtt.publish"]


@pytest.fixture
def shell(broker, tmp_path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts a shell script whose mosquitto clients talk to the test's broker."""
    need("mosquitto_pub")
    for program in ("mosquitto_pub", "mosquitto_sub"):
        (tmp_path / program).write_text(f"-h 127.0.0.1\n-p {broker.port}\n")
    started: list[subprocess.Popen[bytes]] = []

    def run(script: str, path: str = "") -> subprocess.Popen[bytes]:
        env = os.environ | {"XDG_CONFIG_HOME": str(tmp_path), "GUARD_TOKEN": TOKEN,
                            "PATH": f"{path}:{os.environ['PATH']}"}
        started.append(subprocess.Popen(["sh", "-c", script], cwd=tmp_path, env=env, start_new_session=True))
        return started[-1]

    yield run
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(5)


def somebody(track: int = 1) -> tuple[TrackReport, ...]:
    return (TrackReport(track, (0.5, 0.5, 0.1, 0.2, 0.0), 0.9, (1.0, 1.0), 0.0),)


def test_guard_on_and_never_off_without_a_token(link, watcher, shell):
    link((make_camera(off_token=TOKEN),))
    on, off_bare, off_with_token = block(1, "sh").strip().splitlines()
    assert shell(on).wait(5) == 0
    watcher.expect("aipg/lobby/1/guard/state", "ON")
    assert shell(off_bare).wait(5) == 0
    assert b"token" in wait_for(lambda: watcher.last.get("aipg/errors"))
    assert watcher.last["aipg/lobby/1/guard/state"] == b"ON"
    assert shell(off_with_token).wait(5) == 0
    watcher.expect("aipg/lobby/1/guard/state", "OFF")
    for automation, state in zip(automations(1), ("ON", "OFF"), strict=True):
        for topic, payload in publishes(automation):
            watcher.publish(topic, payload)
        watcher.expect("aipg/lobby/1/guard/state", state)
    assert automations(1)[0]["trigger"][1] == {"platform": "mqtt", "topic": "aipg/available",
                                               "payload": watcher.last["aipg/available"].decode()}


def test_filling_while_occupied(link, app, watcher, shell):
    made = link()
    shell(block(2, "sh"))
    watcher.expect("aipg/lobby/1/masking_method/set", "blurring")      # the retained state: empty
    made.figures("lobby", 1.0, somebody())
    watcher.expect("aipg/lobby/1/masking_method/state", "filling")
    made.figures("lobby", 2.0, ())
    watcher.expect("aipg/lobby/1/masking_method/state", "blurring")
    for automation in automations(2):
        (trigger,) = automation["trigger"]
        assert trigger["payload"].encode() in watcher.payloads(trigger["topic"])
        ((topic, payload),) = publishes(automation)
        watcher.publish(topic, payload)
        watcher.expect("aipg/lobby/1/masking_method/state", payload)
    assert all(c.key == "masking_method" for c in app.commands)


def test_alarm_on_failsafe(link, watcher, shell):
    made = link()
    made.statuses.report("lobby", "1", State.GUARDING)
    made.statuses.report("lobby", "2", State.FAILSAFE, "no evidence for 3 s")
    shell(block(3, "sh"))
    alarm = wait_for(lambda: watcher.last.get("alarm/guard")).decode()
    assert alarm.startswith("aipg/lobby/2/state ")
    assert "no evidence for 3 s" in alarm
    made.statuses.report("lobby", "1", State.FAILSAFE, "dark")
    wait_for(lambda: b"dark" in watcher.last["alarm/guard"])
    assert len(watcher.payloads("alarm/guard")) == 2
    (trigger,) = automations(3)[0]["trigger"]
    matching = [json.loads(p) for t, p, _ in watcher.seen if re.fullmatch(trigger["topic"].replace("+", "[^/]+"), t)]
    assert [m["reason"] for m in matching if m["state"] == trigger["payload"]] == ["no evidence for 3 s", "dark"]


def test_area_3(link, app, watcher, shell):
    link()
    for line, automation, state in zip(block(4, "sh").strip().splitlines(), automations(4), ("ON", "OFF"), strict=True):
        ((topic, payload),) = publishes(automation)
        assert shell(line).wait(5) == 0
        watcher.expect("aipg/lobby/1/area/3/state", state)
        done = len(app.commands)
        watcher.publish(topic, payload)
        wait_for(lambda done=done: len(app.commands) == done + 1)
        watcher.expect("aipg/lobby/1/area/3/state", state)
        watcher.expect("aipg/lobby/1/area/1/state", "OFF")
    assert [command.value for command in app.commands] == [True, True, False, False]


@pytest.mark.parametrize(("hour", "sent"), [("23", True), ("03", True), ("12", False)])
def test_snapshot_after_hours(link, watcher, shell, tmp_path, hour, sent):
    made = link()
    fake = tmp_path / "bin" / "date"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\necho {hour}\n")
    fake.chmod(0o755)
    shell(block(5, "sh"), str(fake.parent))
    stop = threading.Event()

    def frames() -> None:
        while not stop.wait(0.02):
            if made.wants_snapshot("lobby", "1"):
                made.snapshot("lobby", "1", guarded_frame(grey=100))

    camera = threading.Thread(target=frames)
    camera.start()
    try:
        stop.wait(0.3)      # the shell's subscriber connects
        made.figures("lobby", 1.0, somebody())
        wait_for(lambda: watcher.last.get("aipg/lobby/1/snapshot"))
        if sent:
            jpeg = wait_for(lambda: watcher.last.get("phone/snapshot"))
            picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
            assert float(picture.std()) < 2
        else:
            stop.wait(0.5)
            assert "phone/snapshot" not in watcher.last
    finally:
        stop.set()
        camera.join()
    (trigger,) = automations(5)[0]["trigger"]
    event = json.loads(watcher.last[trigger["topic"]])
    assert f"{event['type']} {event['after']['camera']}" == trigger["payload"]


def test_home_assistant_accepts_the_automations():
    if not Path(HA_PYTHON).is_file():
        pytest.skip(f"Home Assistant is not there: no {HA_PYTHON} (AIPG_HA_PYTHON)")
    every = [automation for number in SECTIONS for automation in automations(number)]
    assert len(every) == 8
    broken = {"id": "broken", "alias": "x", "trigger": [{"platform": "mqtt"}], "action": []}
    work = {"entities": [], "templates": [], "automations": [*every, broken]}
    done = subprocess.run([HA_PYTHON, str(Path(__file__).parent / "ha_check.py")], input=json.dumps(work), text=True,
                          capture_output=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert [name for _, name, _ in json.loads(done.stdout)["errors"]] == ["broken"], done.stdout
