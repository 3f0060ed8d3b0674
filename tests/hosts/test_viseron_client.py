"""The component for Viseron's own image, in the double of Viseron, beside a real `aipg run`."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import voluptuous
import yaml

from aipg_plugin.cli.main import main
from tests import needs
from tests.hosts.viseron_double import Camera, Viseron, installed
from tests.hosts.walk import SIDE_PX, walker_net, write_walk
from tests.servers import Process, free_port, wait_for

LOGIN = {"username": "view", "password": "a long password"}
CLIENT = needs.CHECKOUT / "aipg_plugin" / "hosts" / "viseron" / "client"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The settings of a running guard whose pages ask for a log-in."""
    folder = tmp_path_factory.mktemp("guard")
    file = folder / "guard.yaml"
    file.write_text(yaml.safe_dump({
        "cameras": {"lobby": {
            "streams": {"1": {"source": {"url": str(write_walk(folder / "walk.mp4", 60)), "loop": True},
                              "outputs": ["rtsp_serve", "http"]}},
            "privacy_guard": {"enabled": True, "target_streams": "all"}}},
        "web": {"port": free_port(), "rtsp_port": free_port(), **LOGIN},
        "models": {"threads": 1, "custom": {"file": str(walker_net(folder / "walker.onnx")), "layout": "yolox",
                                            "classes": 1}}}))
    with Process([sys.executable, "-m", "aipg_plugin", "run", str(file)]) as guard:
        wait_for(lambda: ": guarding" in guard.output() or not guard.running, 40, "the guard")
        assert guard.running, guard.output()
        yield file


@pytest.fixture
def theirs(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Viseron's configuration as the command prints it; the component lies in tmp_path/aipg."""
    assert main(["nvr", "viseron", str(config), "--component", str(tmp_path)]) == 0
    printed: dict[str, Any] = yaml.safe_load(capsys.readouterr().out)
    return printed


@pytest.fixture
def vis(theirs: dict[str, Any], tmp_path: Path) -> Iterator[Viseron]:
    with installed():
        from viseron import components

        components.__path__.append(str(tmp_path))
        running = Viseron(cameras={"lobby_1": Camera("lobby_1", (SIDE_PX, SIDE_PX))})
        yield running
        running.shutdown()


def test_people_of_the_guard_are_viserons_detections(vis: Viseron, theirs: dict[str, Any]) -> None:
    assert vis.start(theirs)
    detector = vis.domains["object_detector", "lobby_1"]
    wait_for(lambda: detector.return_objects(None), 20, "somebody seen")
    found = [thing for _ in range(5) for thing in detector.return_objects(None)]
    assert {thing.label for thing in found} == {"person"}
    assert any(x1 < 140 / SIDE_PX + 0.3 and y1 < 370 / SIDE_PX < y2 and 0 <= x1 < x2 <= 1
               for x1, y1, x2, y2 in (thing.box for thing in found)), found


def test_only_the_guarded_streams_are_started(vis: Viseron, theirs: dict[str, Any]) -> None:
    assert vis.start(theirs)
    vis.reload(theirs)
    assert vis.cameras["lobby_1"].recording
    camera = theirs["ffmpeg"]["camera"]["lobby_1"]
    for change in ({"host": "192.0.2.10"}, {"path": "/raw"}, {"raw_command": "ffmpeg -i rtsp://192.0.2.10/1 pipe:1"},
                   {"substream": {"path": "/raw", "port": 554}}, {"still_image": {"url": "http://192.0.2.10/s.jpg"}}):
        vis.reload({**theirs, "ffmpeg": {"camera": {"lobby_1": {**camera, **change}}}})
        assert "lobby_1" not in vis.cameras, change
    vis.reload(theirs)
    vis.reload({**theirs, "ffmpeg": {"camera": {}}, "go2rtc": {"streams": {"lobby_1": "rtsp://192.0.2.10/1"}}})
    assert "go2rtc" not in vis.data


def test_a_raw_camera_at_the_start_asks_viseron_to_shut_down(vis: Viseron, theirs: dict[str, Any],
                                                             monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr("os.kill", lambda _pid, signum: asked.append(signum))
    theirs["ffmpeg"]["camera"]["lobby_1"]["host"] = "192.0.2.10"
    assert not vis.start(theirs)
    assert len(asked) == 1


def test_an_unreachable_guard_gives_no_people_and_no_delay(vis: Viseron, theirs: dict[str, Any]) -> None:
    theirs["aipg"]["url"] = f"http://127.0.0.1:{free_port()}"
    assert vis.start(theirs)
    detector = vis.domains["object_detector", "lobby_1"]
    assert [detector.return_objects(None) for _ in range(50)] == [[]] * 50


@pytest.mark.parametrize("file", sorted(CLIENT.glob("*.py")), ids=lambda file: file.name)
def test_it_is_python_3_10_and_needs_nothing_installed(file: Path) -> None:
    tree = ast.parse(file.read_text(), feature_version=(3, 10))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 0}
    foreign = {name.split(".")[0] for name in names} - set(sys.stdlib_module_names)
    assert foreign <= {"viseron", "voluptuous"}
    assert "tomllib" not in names


def test_a_real_python_3_10_runs_it(theirs: dict[str, Any], tmp_path: Path) -> None:
    found = next(map(str, Path.home().glob(".pyenv/versions/3.10*/bin/python")), None) or shutil.which("python3.10")
    if found is None:
        pytest.skip("needs Python 3.10")
    shutil.copytree(Path(voluptuous.__file__).parent, tmp_path / "voluptuous")
    code = ("import json, sys, time\nsys.path.insert(0, sys.argv[1])\nimport aipg\n"
            "ours = aipg.CONFIG_SCHEMA(json.loads(sys.argv[2]))\ncomponent = aipg.GuardedCameras(ours['aipg'])\n"
            "until_s = time.monotonic() + 20\n"
            "while not component.people('lobby_1') and time.monotonic() < until_s: time.sleep(0.1)\n"
            "print(sys.version_info[:2], component.people('lobby_1') != [])\n")
    done = subprocess.run([found, "-c", code, str(tmp_path), json.dumps(theirs)], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.stdout == "(3, 10) True\n", done.stderr
