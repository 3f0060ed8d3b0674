"""An archive on a real cluster: a node is killed, then the run itself, and every file is done once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from aipg_plugin.fleet.archive import STORE
from tests.fleet.cluster import LONG_S, Cluster
from tests.hosts.walk import clear_share, frames_of, picture, walker_net, write_walk
from tests.servers import Process, wait_for

pytestmark = pytest.mark.timeout(240)
VIDEOS, FRAMES, CLEAR = 5, 6, 0.02


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    cluster = Cluster(cores=1)
    cluster.add_node()
    cluster.wait_for_head()
    yield cluster
    cluster.close()


def redact(cluster: Cluster, folder: Path) -> Process:
    return cluster.start("redact", str(folder / "in"), str(folder / "out"), "--fleet", cluster.address, "--json",
                         "--quiet", "--fast", "--config", str(folder / "guard.yaml"), "--preset", "ultrafast")


def journal(folder: Path) -> list[str]:
    """The names of the files written down as done, in order."""
    path = folder / "out" / STORE / "done.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [Path(json.loads(line)["source"]).name for line in lines]


def test_every_file_is_done_once_though_a_node_and_the_run_are_killed(cluster: Cluster, tmp_path: Path) -> None:
    net = walker_net(tmp_path / "walker.onnx")
    (tmp_path / "guard.yaml").write_text(json.dumps({
        "cameras": {"lobby": {"streams": {"1": {"source": "unused.mp4"}}}},
        "models": {"threads": 1, "custom": {"file": str(net), "layout": "yolox", "classes": 1}}}))
    (tmp_path / "in").mkdir()
    for number in range(VIDEOS):
        write_walk(tmp_path / "in" / f"{number}.mp4", FRAMES)
    cv2.imwrite(str(tmp_path / "in" / "still.png"), picture(0))
    (tmp_path / "in" / "notes.txt").write_text("no video")

    with redact(cluster, tmp_path) as first:
        wait_for(lambda: len(journal(tmp_path)) >= 1 or not first.running, LONG_S, "a first file")
        assert first.running, first.output()
        cluster.kill_node(cluster.nodes[0])
        wait_for(lambda: len(journal(tmp_path)) >= 3 or not first.running, LONG_S, "files after the loss of a node")
        first.kill()
    done = journal(tmp_path)
    written = {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in done}

    with redact(cluster, tmp_path) as second:
        wait_for(lambda: not second.running, LONG_S, "the rest")
        report = json.loads(second.output()[second.output().index("[\n"):second.output().rindex("]") + 1])
    assert sorted(journal(tmp_path)) == [*(f"{number}.mp4" for number in range(VIDEOS)), "still.png"], "each once"
    assert {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in done} == written, "not done again"
    reasons = {Path(row["source"]).name: row.get("error", "") for row in report}
    assert [name for name, reason in reasons.items() if reason] == ["notes.txt"]
    for number in range(VIDEOS):
        frames = frames_of(tmp_path / "out" / f"{number}.mp4")
        assert len(frames) == FRAMES
        assert max(clear_share(frame) for frame in frames) < CLEAR
    assert sorted(path.name for path in (tmp_path / "out" / STORE).iterdir()) == ["done.jsonl", "lock"]


def test_without_a_fleet_the_cure_is_named(cluster: Cluster, tmp_path: Path) -> None:
    write_walk(tmp_path / "walk.mp4", 5)
    command = ["redact", str(tmp_path), str(tmp_path / "out"), "--fleet", "127.0.0.1:9999"]
    with cluster.start(*command) as none:
        wait_for(lambda: not none.running, LONG_S, "the end")
        assert "no fleet answers at 127.0.0.1:9999. Start one: aipg fleet CONFIG" in none.output()
