"""Cameras on a real Ray cluster of three nodes, one of which is killed: what a viewer, a broker and a spy see."""

from __future__ import annotations

import itertools
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import psutil
import pytest
import yaml

from tests import needs
from tests.fleet.cluster import LONG_S, Cluster, overview, served
from tests.hosts.walk import clear_share, walker_net, write_walk
from tests.mqtt.broker import Mosquitto, Watcher
from tests.servers import SilentServer, free_port, wait_for

pytestmark = pytest.mark.timeout(240)
CLEAR = 0.02  # a few hard edges are the still's caption
SECRET = "hunter2-of-the-camera"


class Viewer(threading.Thread):
    """Watches one address without a break: the size, clearness and time of every picture."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = url
        self.seen: list[tuple[float, float]] = []  # when, how clear the walker is
        self.ended = False
        self.start()

    def run(self) -> None:
        try:
            with av.open(self._url, timeout=(LONG_S, LONG_S)) as box:
                for picture in box.decode(video=0):
                    bgr: Any = picture.reformat(width=480, height=480).to_ndarray(format="bgr24")
                    self.seen.append((time.monotonic(), clear_share(bgr)))
        finally:
            self.ended = True

    def longest_gap_s(self) -> float:
        times = [t_s for t_s, _ in self.seen]
        return max(b - a for a, b in itertools.pairwise(times))


class House:
    """A fleet that guards two walks and a camera that says nothing; the guard of `lobby` is off at first."""

    def __init__(self, folder: Path) -> None:
        needs.need("mosquitto")
        self.broker, self.silent, self.port = Mosquitto(folder), SilentServer(), free_port()
        self.watcher = Watcher(self.broker.port)
        clip, net = write_walk(folder / "walk.mp4"), walker_net(folder / "walker.onnx")
        walk = {"url": str(clip), "loop": True}
        quick = {"enabled": True, "target_streams": "all", "detect_hz": 1}
        self.config = folder / "guard.yaml"
        self.config.write_text(yaml.safe_dump({
            "cameras": {
                "lobby": {"streams": {"1": {"source": walk, "outputs": ["http", "rtsp_serve"]}},
                          "privacy_guard": {**quick, "enabled": False}},
                "yard": {"streams": {"1": {"source": walk, "outputs": ["http"]}}, "privacy_guard": quick},
                "mute": {"streams": {"1": {"source": f"rtsp://admin:{SECRET}@127.0.0.1:{self.silent.port}/a",
                                           "outputs": ["http"]}}, "privacy_guard": quick}},
            "web": {"port": self.port, "rtsp_port": free_port()}, "mqtt": {"broker": "127.0.0.1",
                                                                          "port": self.broker.port},
            "models": {"threads": 1, "custom": {"file": str(net), "layout": "yolox", "classes": 1}}}))
        self.cluster = Cluster(str(self.config))

    def camera(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = overview(self.port).get("cameras", {}).get(name, {})
        return found

    def state(self, name: str) -> str:
        return str(self.camera(name).get("streams", {}).get("1", {}).get("state"))

    def nodes(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = overview(self.port).get("nodes", [])
        return found

    def close(self) -> None:
        self.cluster.close()
        self.watcher.close()
        self.broker.stop()
        self.silent.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(tmp_path_factory.mktemp("fleet"))
    yield house
    house.close()


def test_a_killed_nodes_camera_comes_back_elsewhere_and_nobody_is_ever_clear(house: House) -> None:
    """Its guard was switched on over MQTT only: the next node has that too. The viewer's connection holds."""
    first = house.cluster.add_node()
    wait_for(lambda: house.state("lobby") == "off" or not first.running, LONG_S, "the lobby, unguarded as configured")
    assert first.running, first.output()
    house.cluster.add_node(cores=16)  # room enough, however busy this machine is
    wait_for(lambda: len(house.nodes()) == 2 and all(node["ready"] for node in house.nodes()), LONG_S, "a second node")
    viewer = Viewer(f"http://127.0.0.1:{house.port}/streams/lobby/1.ts")
    wait_for(lambda: viewer.seen and viewer.seen[-1][1] > 0.3, LONG_S, "a picture of the lobby, clear as configured")

    house.watcher.publish("aipg/lobby/1/guard/set", "ON")
    house.watcher.expect("aipg/lobby/1/guard/state", "ON")
    told_s = time.monotonic()
    wait_for(lambda: viewer.seen[-1][0] > told_s + 3, LONG_S, "three seconds of pictures")
    from_s = time.monotonic()

    killed_s = time.monotonic()
    house.cluster.kill_node(first)
    wait_for(lambda: house.state("lobby") == "lost", 20, "the loss")
    house.watcher.expect("aipg/lobby/1/available", "offline")
    wait_for(lambda: house.state("lobby") in ("starting", "guarding", "degraded", "failsafe"), LONG_S, "the return")
    back_s = time.monotonic() - killed_s
    house.watcher.expect("aipg/lobby/1/available", "online")
    wait_for(lambda: len(viewer.seen) and viewer.seen[-1][0] > killed_s + back_s + 3, LONG_S, "pictures from there")
    assert not viewer.ended, "the viewer was cut off"
    print(f"back after {back_s:.1f} s, longest gap of pictures {viewer.longest_gap_s():.1f} s")
    assert max(clear for t_s, clear in viewer.seen if t_s >= from_s) < CLEAR
    house.watcher.publish("aipg/lobby/1/snapshot/set")
    wait_for(lambda: "aipg/lobby/1/snapshot" in house.watcher.last, 20, "a snapshot")
    snapshot = cv2.imdecode(np.frombuffer(house.watcher.last["aipg/lobby/1/snapshot"], np.uint8), cv2.IMREAD_COLOR)
    assert clear_share(np.asarray(snapshot, np.uint8)) < CLEAR
    document = json.loads(house.watcher.last["aipg/fleet"])
    assert document["cameras"]["lobby"]["streams"]["1"]["addresses"] == [
        f"http://127.0.0.1:{house.port}/streams/lobby/1.ts", next(
            url for url in overview(house.port)["cameras"]["lobby"]["streams"]["1"]["addresses"] if "rtsp" in url)]


def test_a_frozen_nodes_cameras_are_lost_and_it_ends_them_by_itself_before_it_takes_any_again(house: House) -> None:
    """As by a switch that hangs: the node goes on where it was, when others may have its cameras already."""
    (node,) = [each for each in house.cluster.nodes if each.running]
    frozen = house.cluster.tree(node)
    carriers = [each for each in frozen if "Carrier" in " ".join(each.cmdline())]
    assert len(carriers) == 1
    viewer = Viewer(f"http://127.0.0.1:{house.port}/streams/lobby/1.ts")
    wait_for(lambda: viewer.seen, LONG_S, "a picture")
    for each in frozen:
        each.suspend()
    frozen_s = time.monotonic()
    wait_for(lambda: house.state("lobby") == "lost", 15, "the loss")
    lost_s = time.monotonic()
    wait_for(lambda: viewer.seen[-1][0] > lost_s + 1, 15, "the still")
    for each in frozen:
        each.resume()
    wait_for(lambda: not carriers[0].is_running() or carriers[0].status() == psutil.STATUS_ZOMBIE, 15,
             "the end of its carrier")
    wait_for(lambda: house.state("lobby") in ("starting", "guarding", "degraded", "failsafe"), LONG_S, "the return")
    print(f"lost after {lost_s - frozen_s:.1f} s")
    assert not viewer.ended
    assert max(clear for _, clear in viewer.seen) < CLEAR


def test_a_reload_takes_a_camera_away_and_brings_another(house: House) -> None:
    document = yaml.safe_load(house.config.read_text())
    document["cameras"]["gate"] = document["cameras"].pop("yard")
    house.config.write_text(yaml.safe_dump(document))
    house.cluster.head.hang_up()
    wait_for(lambda: house.state("gate") in ("starting", "guarding", "degraded", "failsafe"), LONG_S, "the new camera")
    wait_for(lambda: served(house.port, "gate/1"), LONG_S, "its pictures")
    assert house.camera("yard") == {}
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"http://127.0.0.1:{house.port}/streams/yard/1.jpg", timeout=5)
    house.watcher.expect("aipg/yard/1/available", b"")


def test_no_secret_of_a_camera_is_written_or_shown(house: House) -> None:
    wait_for(lambda: house.state("mute") == "lost", LONG_S, "the silent camera being known")
    shown = json.dumps(overview(house.port)) + house.cluster.head.output() + "".join(
        node.output() for node in house.cluster.nodes if node.running)
    for process in house.cluster.processes():
        try:
            shown += " ".join([*process.cmdline(), *process.environ().values()])
        except psutil.Error:
            continue
    assert SECRET not in shown
    files = [path for path in house.cluster.folder.rglob("*") if path.is_file()]
    assert len(files) > 10, "Ray's logs"
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
    assert [path for path in files if path.stat().st_mode & 0o077] == [], "readable by others"
