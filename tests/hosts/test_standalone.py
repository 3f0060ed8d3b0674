"""The standalone host when things fail: a camera that is off, a fault of ours, a camera that is removed."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from aipg_plugin.frames import Frame, GuardedFrame
from aipg_plugin.guard.guard import Guard
from aipg_plugin.hooks import Plugin
from aipg_plugin.hosts.standalone import StandaloneHost
from aipg_plugin.mqtt.client import MqttLink
from aipg_plugin.options import (
    Camera,
    CustomModel,
    Models,
    Mqtt,
    Output,
    OutputKind,
    PrivacyGuard,
    Settings,
    Source,
    Stream,
    Web,
)
from tests.hosts.guarding import recorded_frames
from tests.hosts.walk import walker_net, write_walk
from tests.media.clips import read_clip
from tests.media.test_polling import Camera as SnapshotCamera
from tests.mqtt.broker import Mosquitto, Watcher
from tests.servers import Process, SilentServer, free_port, wait_for

FILE = Output(OutputKind.FILE, preset="ultrafast")


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return walker_net(tmp_path_factory.mktemp("net") / "walker.onnx")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_walk(tmp_path_factory.mktemp("clip") / "walk.mp4", frames=60)


def camera(name: str, url: str, *outputs: Output, loop: bool = True) -> Camera:
    stream = Stream("1", Source(url, loop=loop, reconnect_max_s=1.0, stall_timeout_s=30.0), outputs=outputs)
    return Camera(name, streams=(stream,), privacy_guard=PrivacyGuard(enabled=True, target_streams=("1",),
                                                                      lookahead_s=0.1))


def settings(net: Path, *cameras: Camera, **more: Any) -> Settings:
    return Settings(cameras=cameras, models=Models(threads=1, custom=CustomModel(str(net), classes=1)),
                    web=Web(port=free_port(), rtsp_port=free_port()), **more)


@pytest.fixture
def run() -> Iterator[Callable[[Settings], StandaloneHost]]:
    started: list[StandaloneHost] = []

    def make(chosen: Settings) -> StandaloneHost:
        started.append(StandaloneHost(chosen))
        started[-1].start()
        return started[-1]

    yield make
    for host in started:
        host.stop()
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("aipg-lobby")] == []


def problems(plugin: Plugin) -> str:
    return json.dumps(plugin.health().details["problems"])


def state_of(plugin: Plugin, name: str) -> str:
    streams: Any = plugin.health().details["streams"]
    return str(streams.get(name, {}).get("1", {}).get("state"))


def health(port: int) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as reply:
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_a_camera_that_is_off_is_lost_within_five_seconds(net: Path, tmp_path: Path,
                                                          run: Callable[[Settings], StandaloneHost]) -> None:
    """One refuses, one accepts and says nothing: state, health and MQTT tell the truth, with the reason."""
    silent = SilentServer()
    broker = Mosquitto(tmp_path)
    watcher = Watcher(broker.port)
    try:
        off = camera("off", f"rtsp://127.0.0.1:{free_port()}/a", Output(OutputKind.HTTP))
        mute = camera("mute", f"rtsp://127.0.0.1:{silent.port}/a")
        chosen = settings(net, off, mute, mqtt=Mqtt(broker="127.0.0.1", port=broker.port, discovery=False))
        host = run(chosen)
        wait_for(lambda: problems(host.plugin).count(": \"lost (") == 2, 5, "both being lost")
        assert "lost (Connection refused)" in problems(host.plugin)
        assert "lost (no answer from the source yet)" in problems(host.plugin)
        assert not host.plugin.health().ok
        status, body = health(chosen.web.port)
        assert (status, body["status"]) == (503, "problem")
        for name in ("off", "mute"):
            watcher.expect(f"aipg/{name}/1/available", "offline")
            watcher.expect(f"aipg/{name}/problem", "ON")
            assert json.loads(watcher.last[f"aipg/{name}/1/state"])["state"] == "lost"
        started_s = time.monotonic()
        host.stop()
        assert time.monotonic() - started_s < 8, "nobody waits for a camera that says nothing"
    finally:
        watcher.close()
        broker.stop()
        silent.close()


def test_a_fault_of_ours_is_a_problem_and_tried_again(net: Path, clip: Path, tmp_path: Path,
                                                      run: Callable[[Settings], StandaloneHost],
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    """While it lasts no state says guarding; afterwards the same recording goes on."""
    broken = threading.Event()
    process = Guard.process

    def faulty(self: Guard, frame: Frame) -> list[GuardedFrame]:
        if broken.is_set():
            raise ZeroDivisionError("a fault of ours")
        return process(self, frame)

    monkeypatch.setattr(Guard, "process", faulty)
    target = tmp_path / "out.mkv"
    host = run(settings(net, camera("lobby", str(clip), replace(FILE, target=str(target)))))
    wait_for(lambda: host.plugin.health().ok, 60, "guarding")
    broken.set()
    wait_for(lambda: "ZeroDivisionError" in problems(host.plugin), 10, "the problem")
    assert host.running()
    assert state_of(host.plugin, "lobby") == "lost"
    broken.clear()
    wait_for(lambda: host.plugin.health().ok, 60, "guarding again")
    before = recorded_frames(target)
    wait_for(lambda: recorded_frames(target) > max(20, before), 60, "what follows in the recording")
    host.stop()
    assert [path.name for path in tmp_path.iterdir()] == ["out.mkv"]
    assert len(read_clip(target)[0]) > 20


def test_who_is_told_may_fail_and_the_stream_goes_on(net: Path, clip: Path, run: Callable[[Settings], StandaloneHost],
                                                     monkeypatch: pytest.MonkeyPatch,
                                                     caplog: pytest.LogCaptureFixture) -> None:
    failed = threading.Event()

    def failing(*_: object) -> bool:
        failed.set()
        raise RuntimeError("a fault of the broker link")

    monkeypatch.setattr(MqttLink, "wants_snapshot", failing)
    host = run(settings(net, camera("lobby", str(clip))))
    wait_for(failed.is_set, 60, "the first frame")
    wait_for(lambda: host.plugin.health().ok, 60, "guarding all the same")
    assert caplog.text.count("snapshots could not be told") <= 3


def test_a_removed_camera_goes_quietly(net: Path, clip: Path, tmp_path: Path,
                                       run: Callable[[Settings], StandaloneHost],
                                       caplog: pytest.LogCaptureFixture) -> None:
    """Its recording is whole, its problem is forgotten, the other camera goes on, and nothing is thrown."""
    caplog.set_level(logging.INFO)
    stays = camera("stays", str(clip))
    goes = camera("lobby", str(clip), replace(FILE, target=str(tmp_path / "goes.mkv")))
    off = camera("off", f"rtsp://127.0.0.1:{free_port()}/a")
    chosen = settings(net, stays, goes, off)
    host = run(chosen)
    wait_for(lambda: "off/1\": \"lost" in problems(host.plugin), 10, "the loss")
    wait_for(lambda: recorded_frames(tmp_path / "goes.mkv") > 3, 60, "frames in the recording")
    recorded = recorded_frames(tmp_path / "goes.mkv")
    left = replace(chosen, cameras=(stays,))
    host.plugin.on_settings(left)
    time.sleep(0.3)  # frames of the removed cameras go on coming for a moment
    host.settings_changed(left)
    wait_for(lambda: host.plugin.health().ok, 60, "health without the removed camera")
    streams = host.plugin.health().details["streams"]
    assert isinstance(streams, dict)
    assert list(streams) == ["stays"]
    assert len(read_clip(tmp_path / "goes.mkv")[0]) >= recorded
    assert "Traceback" not in caplog.text
    assert "fault" not in caplog.text
    host.plugin.on_settings(chosen)
    host.settings_changed(chosen)
    wait_for(lambda: "off/1\": \"lost" in problems(host.plugin), 10, "the camera's return")


def test_a_file_that_ends_does_not_stay_guarding(net: Path, clip: Path,
                                                 run: Callable[[Settings], StandaloneHost]) -> None:
    host = run(settings(net, camera("lobby", str(clip), loop=False)))
    wait_for(lambda: not host.running(), 60, "the end")
    assert state_of(host.plugin, "lobby") == "lost"
    assert "the stream has ended" in problems(host.plugin)


def test_the_program_ends_cleanly_though_a_library_waits_for_a_network(net: Path, tmp_path: Path) -> None:
    """A picture that is fetched again and again, and a camera that accepts and says nothing: exit code 0, no abort."""
    silent, snapshots = SilentServer(), SnapshotCamera()
    config = tmp_path / "guard.yaml"
    config.write_text(yaml.safe_dump({
        "cameras": {name: {"streams": {"1": {"source": {"url": url, "stall_timeout_s": 60, "poll_s": 0.1},
                                             "outputs": ["http"]}},
                           "privacy_guard": {"enabled": True, "target_streams": "all"}}
                    for name, url in (("mute", f"rtsp://127.0.0.1:{silent.port}/a"),
                                      ("still", f"http://{snapshots.host}/snap.jpg"))},
        "web": {"port": free_port(), "rtsp_port": free_port()},
        "models": {"threads": 1, "custom": {"file": str(net), "classes": 1}}}))
    try:
        for _ in range(3):
            told = _told_until_it_is_ended(config, snapshots)
            assert "mute/1: lost" in told
            assert "Traceback" not in told
    finally:
        silent.close()
        snapshots.close()


def _told_until_it_is_ended(config: Path, snapshots: SnapshotCamera) -> str:
    """What `aipg run` says; it is ended once it has fetched pictures and given up on the camera that says nothing."""
    fetched = len(snapshots.paths)
    with Process([sys.executable, "-m", "aipg_plugin", "run", str(config)]) as guard:
        wait_for(lambda: len(snapshots.paths) > fetched + 3 or not guard.running, 60, "pictures")
        wait_for(lambda: "mute/1: lost" in guard.output() or not guard.running, 60, "the loss")
        os.kill(guard.pid, signal.SIGTERM)
        wait_for(lambda: not guard.running, 60, "the end")
        assert guard.code == 0, guard.output()
        return guard.output()
