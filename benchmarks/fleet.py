"""What a second machine brings, and how soon a dead one's cameras are back: `python -m benchmarks.fleet`.

A real Ray cluster on the loopback; each node is bound to a core of its own, the coordinator to none. Cameras: the
sample clip in a loop, at `--side` px and `--fps`. Carried: every frame out and none masked whole, for ten seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import psutil

from aipg_plugin.fleet import engine
from aipg_plugin.fleet.coordinator import Coordinator
from aipg_plugin.options import Camera, Models, Output, OutputKind, PrivacyGuard, Settings, Source, Stream, Web
from aipg_plugin.resources import resource_path
from aipg_plugin.states import FULL_MOSAIC, State

_WINDOW_S, _PATIENCE_S = 10.0, 90.0
_STILL_S = 20.0  # no camera placed for so long: the nodes are full
Counts = dict[str, tuple[float, float]]


def write_clip(path: Path, side_px: int, fps: int) -> Path:
    """The sample clip at another size and rate."""
    with av.open(str(resource_path("samples", "lobby.mp4"))) as source, av.open(str(path), "w") as box:
        every = float(source.streams.video[0].average_rate or 15) / fps
        video: Any = box.add_stream("libx264", rate=fps)
        video.width = video.height = side_px
        video.pix_fmt = "yuv420p"
        count = 0
        for index, picture in enumerate(source.decode(video=0)):
            if index >= count * every:
                small = picture.reformat(side_px, side_px, format="yuv420p")
                small.pts, small.time_base = count, Fraction(1, fps)
                box.mux(video.encode(small))
                count += 1
        box.mux(video.encode(None))
    return path


def settings_of(clip: Path, cameras: int) -> Settings:
    """So many cameras that are guarded and served."""
    guard = PrivacyGuard(enabled=True, target_streams=("1",))
    stream = Stream("1", Source(str(clip), loop=True), outputs=(Output(OutputKind.HTTP),))
    return Settings(cameras=tuple(Camera(f"cam{i:02}", (stream,), privacy_guard=guard) for i in range(cameras)),
                    web=Web(port=0, rtsp_port=0), models=Models(threads=1))


class Fleet:
    """A coordinator in this process and nodes as processes, each on one core."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._log = (folder / "nodes.log").open("ab")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._head = engine.Endpoint("127.0.0.1", probe.getsockname()[1])
        self._engine = engine.start_head(self._head, 0)
        self.nodes: list[subprocess.Popen[bytes]] = []
        self.coordinator = Coordinator(self._engine, settings)
        self.coordinator.start()

    def add_node(self, cores: int = 1) -> None:
        """A node on the next core; `cores` is what it says it has, for room however busy the machine is."""
        core = sorted(os.sched_getaffinity(0))[len(self.nodes) % len(os.sched_getaffinity(0))]
        command = [sys.executable, "-m", "aipg_plugin", "fleet", "--join", str(self._head), "--cores", str(cores)]
        self.nodes.append(subprocess.Popen(["taskset", "-c", str(core), *command], stdout=self._log,
                                           stderr=subprocess.STDOUT))

    def kill(self, node: subprocess.Popen[bytes]) -> None:
        """All its processes at once."""
        own = psutil.Process(node.pid)
        for each in [*own.children(recursive=True), own]:
            each.kill()
        node.wait()

    def homes(self) -> dict[str, str]:
        """The node (by id) of each camera that has one."""
        return {camera: link.node.id for link in self.coordinator.links() for camera in link.cameras}

    def counts(self) -> Counts:
        """Frames out and frames masked whole, of each camera."""
        return {camera: (float(str(numbers["frames_out"])), float(str(numbers["full_mosaic_frames"])))
                for camera, streams in self.coordinator.app.stats().items() for numbers in streams.values()}

    def carried(self, fps: int, window_s: float = _WINDOW_S) -> tuple[int, int, int]:
        """Cameras placed, those of which every frame came out, and those never masked whole meanwhile."""
        before, start_s = self.counts(), time.monotonic()
        time.sleep(window_s)
        after, took_s = self.counts(), time.monotonic() - start_s
        flowing = [camera for camera, (frames, _) in after.items()
                   if frames - before.get(camera, (0.0, 0.0))[0] >= 0.95 * fps * took_s]
        return len(self.homes()), len(flowing), sum(after[each][1] == before[each][1] for each in flowing)

    def settle(self) -> None:
        """Until no further camera finds room."""
        known, since_s, until_s = -1, time.monotonic(), time.monotonic() + _PATIENCE_S
        while time.monotonic() < until_s and (known < 1 or time.monotonic() - since_s < _STILL_S):
            if len(self.homes()) != known:
                known, since_s = len(self.homes()), time.monotonic()
            time.sleep(0.5)

    def close(self) -> None:
        """End everything."""
        self.coordinator.stop()
        for node in self.nodes:
            if node.poll() is None:
                node.send_signal(signal.SIGTERM)
        for node in self.nodes:
            node.wait(60)
        self._engine.close()
        self._log.close()


def doubling(clip: Path, cameras: int, fps: int, folder: Path) -> dict[str, object]:
    """More cameras than two nodes carry: how many are carried by one node, and by two."""
    fleet = Fleet(settings_of(clip, cameras), folder)
    try:
        fleet.add_node()
        fleet.settle()
        one = fleet.carried(fps)
        fleet.add_node()
        fleet.settle()
        two = fleet.carried(fps)
    finally:
        fleet.close()
    return {"one_node": one, "two_nodes": two, "ratio_placed": round(two[0] / max(1, one[0]), 2),
            "ratio_carried": round(two[2] / max(1, one[2]), 2)}


def recovery(clip: Path, cameras: int, folder: Path) -> dict[str, object]:
    """Both nodes carry cameras and have room: seconds from the death of one until pictures of all its cameras flow."""
    fleet = Fleet(settings_of(clip, cameras), folder)
    try:
        fleet.add_node(16)
        _until(lambda: len(fleet.counts()) >= 1)
        fleet.add_node(16)
        _until(lambda: len(fleet.coordinator.links()) == 2 and len(fleet.counts()) == cameras)
        homes = fleet.homes()
        before = fleet.counts()
        fleet.kill(fleet.nodes[0])
        start_s = time.monotonic()
        _until(lambda: len(fleet.coordinator.links()) == 1)
        found_s = time.monotonic() - start_s
        (left,) = {link.node.id for link in fleet.coordinator.links()}
        lost = [camera for camera, node in homes.items() if node != left]
        _until(lambda: all(_leave(fleet, camera) for camera in lost))
        again_s = time.monotonic() - start_s
        guarding = _until(lambda: all(_is_guarding(fleet, camera) for camera in lost), 30.0)
        return {"cameras_lost": len(lost), "of": len(before), "found_s": round(found_s, 2),
                "pictures_again_s": round(again_s, 2),
                "all_guarding_s": round(time.monotonic() - start_s, 2) if guarding else None}
    finally:
        fleet.close()


def _leave(fleet: Fleet, camera: str) -> bool:
    """Whether pictures of a camera leave its (new) node."""
    status = fleet.coordinator.app.statuses.get(camera, "1")
    return status is not None and status.state is not State.LOST and fleet.counts().get(camera, (0.0, 0.0))[0] > 0


def _is_guarding(fleet: Fleet, camera: str) -> bool:
    status = fleet.coordinator.app.statuses.get(camera, "1")
    return status is not None and status.state not in FULL_MOSAIC


def _until(condition: Any, seconds: float | None = None) -> bool:
    """Wait for it; without `seconds` it must come true in time."""
    until_s = time.monotonic() + (seconds or _PATIENCE_S)
    while not condition():
        if time.monotonic() > until_s:
            if seconds is None:
                raise SystemExit("gave up waiting: the machine is too busy")
            return False
        time.sleep(0.02)
    return True


def main() -> int:
    """Command line; prints JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument("--cameras", type=int, default=20, help="more than two nodes can carry")
    parser.add_argument("--side", type=int, default=480)
    parser.add_argument("--fps", type=int, default=5)
    parser.add_argument("--only", choices=("doubling", "recovery"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="aipg-fleet-", dir="/tmp") as name:
        folder = Path(name)
        os.environ.update(RAY_TMPDIR=f"{name}/ray", HOME=name)
        clip = write_clip(folder / "clip.mp4", arguments.side, arguments.fps)
        result: dict[str, object] = {"load_before": os.getloadavg()[0]}
        if arguments.only != "doubling":
            result["recovery"] = recovery(clip, 4, folder)
        if arguments.only != "recovery":
            result["doubling"] = doubling(clip, arguments.cameras, arguments.fps, folder)
        result["load_after"] = os.getloadavg()[0]
        print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
