"""Commands against the real app and a settings file: protection first, bookkeeping after."""

from __future__ import annotations

import errno
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aipg_plugin.app import App as RealApp
from aipg_plugin.settings import load
from tests.mqtt.broker import Mosquitto, wait_for
from tests.servers import in_real_time

TEXT = """\
cameras:
  lobby:
    streams: {1: {source: clip.mp4, outputs: [http]}}
    privacy_guard:
      enabled: off          # until the opening
      target_streams: all
      prohibited_areas: [{rectangle: [0, 0, 0.5, 0.5]}]
"""


@pytest.fixture
def start(broker: Mosquitto, tmp_path: Path) -> Iterator[Callable[..., RealApp]]:
    """Starts apps on `aipg.yaml`: `start(text)`."""
    apps: list[RealApp] = []

    def make(text: str = TEXT, *, persist: bool = True) -> RealApp:
        file = tmp_path / "aipg.yaml"
        file.write_text(f"{text}web: {{port: 0, rtsp_port: 0}}\n"
                        f"mqtt: {{broker: 127.0.0.1, port: {broker.port}, persist_commands: {str(persist).lower()}}}\n")
        apps.append(RealApp(load(file).settings, config_file=file))
        apps[-1].start()
        assert apps[-1].link.wait_connected(10)
        return apps[-1]

    yield make
    for app in apps:
        app.close()


def guarded(app: RealApp) -> bool:
    return app.settings.cameras[0].privacy_guard.enabled


def test_a_command_is_in_force_and_in_the_file(start, watcher, tmp_path):
    app = start()
    watcher.expect("aipg/lobby/1/guard/state", "OFF")
    watcher.publish("aipg/lobby/1/guard/set", "ON")
    watcher.expect("aipg/lobby/1/guard/state", "ON")
    assert guarded(app)
    wait_for(lambda: load(tmp_path / "aipg.yaml").settings == app.settings)
    assert "# until the opening" in (tmp_path / "aipg.yaml").read_text()
    assert "aipg/errors" not in watcher.last


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EROFS, errno.EIO, None])
def test_on_is_in_force_though_it_cannot_be_kept(start, watcher, tmp_path, monkeypatch, reason):
    app = start()
    watcher.expect("aipg/lobby/1/guard/state", "OFF")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(reason, os.strerror(reason)) if reason else RuntimeError("a fault of the file system")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    monkeypatch.setattr(os, "pwrite", refuse)
    before = (tmp_path / "aipg.yaml").read_text()
    watcher.publish("aipg/lobby/1/guard/set", "ON")
    watcher.expect("aipg/lobby/1/guard/state", "ON")
    error = json.loads(wait_for(lambda: watcher.last.get("aipg/errors")))
    assert "in force" in error["message"]
    assert guarded(app)
    assert watcher.last["aipg/lobby/1/guard/state"] == b"ON"
    assert (tmp_path / "aipg.yaml").read_text() == before


def test_a_disk_that_hangs_holds_up_no_command(start, watcher, tmp_path, monkeypatch):
    app = start()
    watcher.expect("aipg/lobby/1/guard/state", "OFF")
    real, go = os.fsync, threading.Event()
    monkeypatch.setattr(os, "fsync", lambda handle: (go.wait(20), real(handle))[1])
    watcher.publish("aipg/lobby/1/sensitivity/set", "low")
    watcher.expect("aipg/lobby/1/sensitivity/state", "low")
    watcher.publish("aipg/lobby/1/guard/set", "ON")
    watcher.expect("aipg/lobby/1/guard/state", "ON")
    watcher.publish("aipg/lobby/1/sensitivity/set", "high")
    watcher.expect("aipg/lobby/1/sensitivity/state", "high")
    assert guarded(app)
    go.set()
    wait_for(lambda: load(tmp_path / "aipg.yaml").settings == app.settings)


def test_a_file_that_was_broken_meanwhile_tells_no_secret(start, watcher, tmp_path):
    app = start()
    watcher.expect("aipg/lobby/1/guard/state", "OFF")
    with (tmp_path / "aipg.yaml").open("a") as file:
        file.write("instance_id: kite-harbour-41\ninstance_id: lamp-harbour-42\n")
    watcher.publish("aipg/lobby/1/guard/set", "ON")
    error = wait_for(lambda: watcher.last.get("aipg/errors"))
    assert b"harbour" not in error
    assert b"instance_id is there twice" in error
    assert guarded(app)


def test_weakening_is_told_and_counted_whichever_way_it_comes(start, watcher, caplog, tmp_path):
    app = start(TEXT.replace("off ", "on "))
    watcher.expect("aipg/lobby/1/guard/state", "ON")
    watcher.publish("aipg/lobby/1/guard/set", "OFF")
    told = json.loads(wait_for(lambda: watcher.last.pop("aipg/changes", None)))
    assert {key: told[key] for key in ("origin", "camera", "stream", "key", "before", "after", "weakens")} == {
        "origin": "mqtt", "camera": "lobby", "stream": "1", "key": "guard", "before": True, "after": False,
        "weakens": True}
    watcher.publish("aipg/lobby/1/guard/set", "ON")
    assert json.loads(wait_for(lambda: watcher.last.pop("aipg/changes", None)))["weakens"] is False
    file = tmp_path / "aipg.yaml"
    wait_for(lambda: load(file).settings == app.settings)
    file.write_text(file.read_text().replace("prohibited_areas: [{", "prohibited_areas: [{status: on, "))
    watcher.publish("aipg/reload/set", "PRESS")
    told = json.loads(wait_for(lambda: watcher.last.pop("aipg/changes", None)))
    assert (told["origin"], told["key"], told["weakens"]) == ("file", "area/1", True)
    assert app.weakened == 2
    assert "protection weakened (mqtt): lobby/1 guard: on → off" in caplog.text
    assert "protection weakened (file): lobby area/1: off → on" in caplog.text


def test_a_reload_keeps_what_was_changed_while_running(start, watcher, caplog, tmp_path):
    caplog.set_level(logging.INFO)
    app = start(persist=False)
    watcher.publish("aipg/lobby/1/guard/set", "ON")
    watcher.expect("aipg/lobby/1/guard/state", "ON")
    file = tmp_path / "aipg.yaml"
    file.write_text(file.read_text().replace("target_streams: all", "target_streams: all\n      hold_s: 7"))
    watcher.publish("aipg/reload/set", "PRESS")
    wait_for(lambda: app.settings.cameras[0].privacy_guard.hold_s == 7.0)
    assert guarded(app)
    assert watcher.last["aipg/lobby/1/guard/state"] == b"ON"
    wait_for(lambda: "kept, as changed while running: lobby/1 guard: off → on" in caplog.text)
    file.write_text(file.read_text().replace("enabled: off", "enabled: on"))
    watcher.publish("aipg/reload/set", "PRESS")
    in_real_time(0.3, "nothing may change")
    assert guarded(app)
    file.write_text(file.read_text().replace("enabled: on", "enabled: off"))
    watcher.publish("aipg/reload/set", "PRESS")
    watcher.expect("aipg/lobby/1/guard/state", "OFF")
