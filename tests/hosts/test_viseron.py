"""Our component in a double of Viseron (`viseron_double`, which says what was read): it is not run in the real one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import voluptuous as vol
import yaml

from aipg_plugin.cli.main import main
from aipg_plugin.errors import HostError
from aipg_plugin.hosts import viseron
from aipg_plugin.hosts.viseron import component
from aipg_plugin.hosts.viseron.safety import COMPONENT, refuse_unsafe
from tests.hosts.viseron_double import Camera, SharedFrames, Viseron, installed
from tests.hosts.walk import SIDE_PX, clear_share, picture, walker_net
from tests.servers import wait_for

GUARDED = "rtsp://guard:8554/lobby/1"
RAW_SUB = {"path": "/stream2", "port": 554}


def ours(net: Path | None = None, **guard: object) -> dict[str, Any]:
    """The key `aipg` of a safe configuration."""
    models = {"threads": 1} | ({"custom": {"file": str(net), "classes": 1}} if net else {})
    settings = {"enabled": True, "target_streams": "all", "masking_method": "filling", "lookahead_s": 0, **guard}
    return {"cameras": {"lobby": {"streams": {"1": {"source": "viseron"}}, "privacy_guard": settings}},
            "models": models, "guarded_sources": [GUARDED], "object_detector": {"cameras": {"lobby": None}}}


def config(main: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Viseron's configuration: the guarded restream recorded, the raw sub-stream only decoded."""
    camera = {"host": "guard", "port": 8554, "path": "/lobby/1", "substream": None, **(main or {})}
    return {"ffmpeg": {"camera": {"lobby": camera}}, "aipg": ours(), **more}


def nv12(bgr: np.ndarray) -> bytes:
    h, w = bgr.shape[:2]
    i420 = cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420)
    chroma = i420[h:].reshape(2, -1)
    return i420[:h].tobytes() + np.ascontiguousarray(chroma.T).tobytes() if w % 2 == 0 else b""


def bgr_of(stored: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(stored, cv2.COLOR_YUV2BGR_NV12)


@pytest.fixture
def vis(tmp_path: Path) -> Iterator[Viseron]:
    created = SharedFrames.create
    with installed():
        viseron.install()
        viseron.install()
        running = Viseron(cameras={name: Camera(name, (SIDE_PX, SIDE_PX)) for name in ("lobby", "garden")})
        yield running
        running.shutdown()
    assert SharedFrames.create is created, "the gate is taken away"


@pytest.fixture
def started(vis: Viseron, tmp_path: Path) -> Viseron:
    whole = config({"host": "guard", "port": 8554, "path": "/lobby/1"})
    whole["aipg"] = ours(walker_net(tmp_path / "walker.onnx"))
    assert vis.start(whole)
    return vis


def shown(camera: Camera, index: int) -> np.ndarray:
    """What every user of the frame sees of frame `index`."""
    return bgr_of(camera.shared_frames.get_decoded_frame(camera.decoded(nv12(picture(index)))))


def test_what_others_see_is_guarded_from_the_first_frame(started: Viseron) -> None:
    lobby = started.cameras["lobby"]
    seen: list[np.ndarray] = []

    def room() -> bool:
        seen.append(shown(lobby, len(seen)))
        return len(seen) >= 30 and all(np.ptp(bgr.reshape(-1, 3), axis=0).max() > 60 for bgr in seen[-5:])

    wait_for(room, 30, "the room in five frames, one after the other")
    assert max(map(clear_share, seen)) < 0.02


def test_other_cameras_are_left_alone(started: Viseron) -> None:
    assert clear_share(shown(started.cameras["garden"], 5)) > 0.8


def test_a_frame_that_fails_is_blanked(started: Viseron) -> None:
    lobby = started.cameras["lobby"]
    data = nv12(picture(3))
    stored = lobby.shared_frames.get_decoded_frame(lobby.decoded(data, "p010"))
    assert (stored == 128).all()
    assert stored.size == len(data)


def test_the_detector_offers_our_people(started: Viseron) -> None:
    detector = started.domains["object_detector", "lobby"]
    until_s = time.monotonic() + 10
    found: list[Any] = []
    while not found and time.monotonic() < until_s:
        frame = shown(started.cameras["lobby"], 40)
        time.sleep(0.05)
        found = detector.return_objects(detector.preprocess(frame))
    assert {thing.label for thing in found} == {"person"}
    x = (120 + 32) / SIDE_PX + 20 / SIDE_PX
    assert any(x1 < x < x2 and y1 < 370 / SIDE_PX < y2 for x1, y1, x2, y2 in (thing.box for thing in found))


def test_look_ahead_only_delays(vis: Viseron, tmp_path: Path) -> None:
    whole = config()
    whole["aipg"] = ours(walker_net(tmp_path / "walker.onnx"), lookahead_s=0.2)
    assert vis.start(whole)
    lobby = vis.cameras["lobby"]
    first = lobby.shared_frames.get_decoded_frame(lobby.decoded(nv12(picture(0))))
    assert (first == 128).all()
    for index in range(20):
        assert clear_share(shown(lobby, index)) < 0.02
        time.sleep(0.03)


def test_what_left_clear_is_shown_no_more_once_the_guard_is_on(vis: Viseron, tmp_path: Path) -> None:
    whole = config()
    whole["aipg"] = ours(walker_net(tmp_path / "walker.onnx"), lookahead_s=0.4, enabled=False)
    assert vis.start(whole)
    lobby, plugin = vis.cameras["lobby"], vis.data[COMPONENT].plugin
    wait_for(lambda: clear_share(shown(lobby, 20)) > 0.5, 20, "the walker")
    settings = plugin.settings
    (camera,) = settings.cameras
    plugin.on_settings(replace(settings, cameras=(
        replace(camera, privacy_guard=replace(camera.privacy_guard, enabled=True)),)))
    for _ in range(3):  # at once: no look is over yet
        assert clear_share(shown(lobby, 20)) < 0.02


RAW = {"host": "192.0.2.10", "port": 554, "path": "/stream1"}


@pytest.mark.parametrize(("whole", "where"), [
    (config(), ""),
    (config({"substream": {"path": "/lobby/2", "port": 8554}}), ""),
    (config(RAW), "ffmpeg.camera.lobby"),
    (config({"raw_command": "ffmpeg -i rtsp://192.0.2.10/stream1 pipe:1"}), "ffmpeg.camera.lobby.raw_command"),
    (config({"still_image": {"url": "http://192.0.2.10/still.jpg"}}), "ffmpeg.camera.lobby.still_image.url"),
    (config(go2rtc={"streams": {"lobby": ["rtsp://192.0.2.10/stream1"]}}), "go2rtc.streams.lobby.0"),
    ({"gstreamer": {"camera": {"lobby": RAW}}, "aipg": ours()}, "gstreamer.camera.lobby"),
    ({"ffmpeg": {"camera": {}}, "aipg": ours()}, "aipg.cameras"),
])
def test_it_refuses_a_recorder_that_copies_a_raw_source(whole: dict[str, Any], where: str) -> None:
    if not where:
        assert refuse_unsafe(whole).settings.cameras[0].id == "lobby"
        return
    with pytest.raises(HostError) as caught:
        refuse_unsafe(whole)
    assert [problem.path for problem in caught.value.problems] == [where]
    assert caught.value.problems[0].cure


def test_a_raw_source_under_another_name_is_found() -> None:
    raw_sub = config({"host": "192.0.2.10", "path": "/lobby/1"})
    with pytest.raises(HostError):
        refuse_unsafe(raw_sub)
    whole = config({"host": "192.0.2.10", "port": 8554, "path": "/lobby/1", "substream": RAW_SUB})
    whole["aipg"]["guarded_sources"] = ["rtsp://192.0.2.10:8554/lobby/1"]
    assert refuse_unsafe(whole)
    whole["ffmpeg"]["camera"]["again"] = RAW
    with pytest.raises(HostError) as caught:
        refuse_unsafe(whole)
    assert [problem.path for problem in caught.value.problems] == ["ffmpeg.camera.again"]


def test_the_command_judges_the_layout_with_our_component_in_it(tmp_path: Path) -> None:
    raw_sub = config({"substream": {**RAW_SUB, "host": "192.0.2.10"}})
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(raw_sub))
    assert main(["nvr", "viseron", "--verify", str(file)]) == 0
    file.write_text(yaml.safe_dump(config(RAW)))
    assert main(["nvr", "viseron", "--verify", str(file)]) == 7


def test_a_reload_that_names_the_raw_camera_is_refused(started: Viseron, caplog: pytest.LogCaptureFixture) -> None:
    started.reload(config())
    assert started.cameras["lobby"].recording
    started.reload(config(RAW))
    assert "lobby" not in started.cameras
    assert "rtsp://192.0.2.10:554/stream1" in caplog.text
    started.reload(config())
    assert started.cameras["lobby"].recording, "a safe one is set up again"


@pytest.mark.parametrize("change", [
    {"raw_command": "ffmpeg -i rtsp://192.0.2.10/stream1 pipe:1"}, {"still_image": {"url": "http://192.0.2.10/s.jpg"}},
    {"path": "/lobby/2"}])
def test_every_source_is_looked_at_after_a_reload(started: Viseron, change: dict[str, Any]) -> None:
    started.reload(config(change))
    assert "lobby" not in started.cameras


def test_a_camera_that_is_started_again_is_looked_at_again(started: Viseron) -> None:
    started.reload(config())
    lobby = started.cameras["lobby"]
    lobby.stop_camera()
    lobby.config.update(RAW)
    lobby.start_camera()
    assert not lobby.recording


def test_a_raw_host_that_becomes_known_stops_who_records_it(vis: Viseron) -> None:
    """Viseron's sub-streams are on the host of the main stream: here the guard runs on the camera itself."""
    place = {"host": "192.0.2.10", "port": 8554}
    whole = config(place)
    whole["aipg"]["guarded_sources"] = ["rtsp://192.0.2.10:8554/lobby/1"]
    assert vis.start(whole)
    whole["ffmpeg"]["camera"]["again"] = RAW
    vis.reload(whole)
    assert vis.cameras["again"].recording, "a camera of its own, as far as is known"
    again = vis.cameras["again"]
    vis.reload(config({**place, "substream": RAW_SUB}))
    assert vis.cameras["lobby"].recording
    assert not again.recording


def test_go2rtc_is_not_reloaded_with_a_raw_stream(started: Viseron) -> None:
    started.reload(config(go2rtc={"streams": {"lobby": [GUARDED]}}))
    assert started.data["go2rtc"].config["go2rtc"]["streams"] == {"lobby": [GUARDED]}
    started.reload(config(go2rtc={"streams": {"lobby": ["rtsp://192.0.2.10/stream1"]}}))
    assert started.data["go2rtc"].config["go2rtc"]["streams"] == {"lobby": [GUARDED]}


def test_an_unsafe_component_asks_viseron_to_shut_down(vis: Viseron, monkeypatch: pytest.MonkeyPatch,
                                                       caplog: pytest.LogCaptureFixture) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(component.os, "kill", lambda pid, signum: asked.append((pid, signum)))
    assert not vis.start(config(RAW))
    assert asked == [(os.getpid(), signal.SIGTERM)]
    assert "Put the guarded address" in caplog.text


@pytest.mark.parametrize("change", [
    {"cameras": {"lobby": {"streams": {}}}}, {"camera": {}}, {"guarded_sources": "rtsp://x"},
    {"models": {"tier": "x"}}])
def test_the_key_has_our_schema(vis: Viseron, change: dict[str, Any]) -> None:
    whole = config()
    whole["aipg"] = {**whole["aipg"], **change}
    with pytest.raises(vol.Invalid, match=next(iter(change))):
        vis.start(whole)


def test_the_launcher_checks_before_viseron_starts(tmp_path: Path) -> None:
    """A stand-in `viseron` that says it runs: not reached while the configuration is unsafe."""
    (tmp_path / "viseron" / "components").mkdir(parents=True)
    (tmp_path / "viseron" / "__init__.py").write_text("")
    (tmp_path / "viseron" / "components" / "__init__.py").write_text("")
    (tmp_path / "viseron" / "__main__.py").write_text(
        "from viseron import components\nprint('runs', any('hosts' in folder for folder in components.__path__))\n")
    file = tmp_path / "config.yaml"
    environ = {**os.environ, "VISERON_CONFIG_DIR": str(tmp_path), "PYTHONPATH": f"{tmp_path}:{Path.cwd()}"}

    def launched(whole: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        file.write_text(yaml.safe_dump(whole))
        return subprocess.run([sys.executable, "-m", "aipg_plugin.hosts.viseron"], env=environ, capture_output=True,
                              text=True, timeout=60, check=False)

    done = launched(config())
    assert (done.returncode, done.stdout) == (0, "runs True\n"), done.stderr
    done = launched(config(RAW))
    assert done.returncode == 7
    assert "runs" not in done.stdout
    assert "ffmpeg.camera.lobby: rtsp://192.0.2.10:554/stream1" in done.stderr
