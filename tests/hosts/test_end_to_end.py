"""`aipg run` as its users run it: a child process, real clients that copy the stream, a real broker, signals."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests import needs
from tests.hosts.guarding import (
    FILL_BGR,
    MASKED,
    Guard,
    copy,
    decoding_errors,
    figures_alone,
    filled_px,
    recorded_frames,
)
from tests.hosts.truth import clear_shares
from tests.hosts.walk import FPS, clear_share, frames_of, picture, write_walk
from tests.mqtt.broker import Mosquitto, Watcher
from tests.samples import CLIP
from tests.servers import Process, free_port, rtsp_player, wait_for

SECONDS = int(os.environ.get("AIPG_TEST_SECONDS", "4"))  # 60 for the long run


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_walk(tmp_path_factory.mktemp("walk") / "walk.mp4")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    needs.need("mosquitto")
    running = Mosquitto(tmp_path_factory.mktemp("broker"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def guard(walk: Path, broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guard]:
    folder = tmp_path_factory.mktemp("guard")
    outputs: list[object] = ["rtsp_serve", "http", {"kind": "file", "target": str(folder / "out.mp4")}]
    with Guard(folder, {"url": str(walk), "loop": True}, outputs=outputs,
               mqtt={"broker": "127.0.0.1", "port": broker.port}) as running:
        yield running


def test_the_measure_sees_a_clear_walker(walk: Path) -> None:
    clear = frames_of(walk)[10]
    assert clear_share(clear) > 0.8
    half = clear.copy()
    half[370:] = FILL_BGR
    assert 0.3 < clear_share(half) < 0.7
    assert clear_share(np.full_like(clear, 128)) == 0
    assert clear_share(picture(100)) > 0.9


def test_clients_that_copy_the_stream_hold_nothing_clear(guard: Guard, tmp_path: Path) -> None:
    """Nobody in any recording; figures rather than whole pictures are masked, once the machine is not too busy."""
    best = 0.0
    for attempt in range(6):
        targets = {tmp_path / f"{attempt}-rtsp.mp4": guard.rtsp, tmp_path / f"{attempt}-http.mp4": guard.http + ".ts"}
        with ThreadPoolExecutor(2) as pool:
            told = list(pool.map(lambda item: copy(item[1], item[0], SECONDS), targets.items()))
        assert told == ["", ""]
        shares = []
        for target in targets:
            assert decoding_errors(target) == ""
            frames = frames_of(target)
            assert max(map(clear_share, frames)) < MASKED
            guarded = [frame for frame in frames if figures_alone(frame)]
            shares.append(len(guarded) / max(len(frames), int(SECONDS * FPS * 0.7)))
        best = max(best, min(shares))
        if best > 0.8:
            return
    pytest.fail(f"at best {best:.0%} of a recording's frames had masked figures")


def test_clients_that_ask_for_udp_first_take_tcp(guard: Guard) -> None:
    """FFmpeg and GStreamer as they are without options: they are refused UDP and go on."""
    ffmpeg = [needs.need("ffmpeg"), "-v", "error", "-i", guard.rtsp, "-frames:v", "3", "-f", "null", "-"]
    gstreamer = [needs.need("gst-launch-1.0"), "-q", "rtspsrc", f"location={guard.rtsp}", "!", "rtph264depay", "!",
                 "h264parse", "!", "identity", "eos-after=3", "!", "fakesink"]
    for command in (ffmpeg, gstreamer):
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr


def test_a_command_changes_the_picture_without_a_clear_frame(guard: Guard, broker: Mosquitto, tmp_path: Path) -> None:
    needs.need("ffmpeg")  # here, not in the thread that records: there a skip would be lost
    watcher = Watcher(broker.port)
    topic = "aipg/lobby/1"
    try:
        wait_for(lambda: watcher.last.get(f"{topic}/masking_method/state") == b"filling", 10, "the state")
        with ThreadPoolExecutor(1) as pool:
            recording = pool.submit(copy, guard.rtsp, tmp_path / "command.mp4", 3)
            wait_for((tmp_path / "command.mp4").exists, 10, "the recording's start")
            watcher.publish(f"{topic}/masking_method/set", "blurring")
            watcher.expect(f"{topic}/masking_method/state", "blurring")
            wait_for(lambda: filled_px(guard.picture()) < 100, 5, "another method in the picture")
            watcher.publish(f"{topic}/masking_method/set", "nonsense")
            watcher.publish(f"{topic}/masking_method/set", "filling")
            wait_for(lambda: filled_px(guard.picture()) > 1000, 5, "the first method again")
            assert recording.result(40) == ""
        assert "aipg/errors" in watcher.last
        frames = frames_of(tmp_path / "command.mp4")
        assert max(map(clear_share, frames)) < 0.25  # a mosaic has edges of its own
        assert decoding_errors(tmp_path / "command.mp4") == ""
    finally:
        watcher.close()


def test_a_bad_configuration_changes_nothing(guard: Guard) -> None:
    good = guard.config.read_text()
    guard.rewrite(good.replace("filling", "hiding"))
    guard.signal(signal.SIGHUP)
    wait_for(lambda: "not taken over" in guard.output(), 10, "the refusal")
    assert "hiding" in guard.output()
    assert filled_px(guard.picture()) > 1000
    guard.rewrite(good.replace("#20a040", "#a04020"))
    guard.signal(signal.SIGHUP)
    wait_for(lambda: filled_px(guard.picture(), (32, 64, 160)) > 1000, 10, "the new colour")
    assert clear_share(guard.picture()) < MASKED


def test_sigterm_closes_the_file(guard: Guard) -> None:
    """Last: it ends the guard the others shared."""
    target = guard.config.with_name("out.mp4")
    wait_for(lambda: recorded_frames(target) > 5 * FPS, 60, "five seconds in the file")
    guard.signal(signal.SIGTERM)
    wait_for(lambda: not guard.running, 20, "the end")
    assert guard.code == 0, guard.output()
    assert "Traceback" not in guard.output()
    assert decoding_errors(target) == ""
    frames = frames_of(target)
    assert len(frames) > 5 * FPS
    assert max(map(clear_share, frames)) < 0.25  # a mosaic in the middle, see above


def test_the_stream_outlives_its_source(walk: Path, tmp_path: Path) -> None:
    """The camera goes and comes back; the same client sees a still that is masked, then people that are."""
    port = free_port()
    source = {"url": f"rtsp://127.0.0.1:{port}/camera", "stall_timeout_s": 1, "reconnect_max_s": 1}
    camera = rtsp_player(walk, port)
    target = tmp_path / "lost.mkv"
    with Guard(tmp_path, source, outputs=["rtsp_serve", "http"]) as guard, Process(
            [needs.need("ffmpeg"), "-v", "error", "-rtsp_transport", "tcp", "-analyzeduration", "500000", "-i",
             guard.rtsp, "-c", "copy", "-flush_packets", "1", str(target)]) as client:
        wait_for(lambda: recorded_frames(target) > FPS, 40, "a second of recording")
        camera.kill()
        wait_for(lambda: ": lost" in guard.output(), 15, "the loss")
        lost = guard.output().index(": lost")
        with rtsp_player(walk, port):
            wait_for(lambda: ": guarding" in guard.output()[lost:], 25, "the return")
            count = recorded_frames(target)
            wait_for(lambda: recorded_frames(target) > count + 1.5 * FPS, 40, "what the camera shows again")
        assert client.running, client.output()
        os.kill(client.pid, signal.SIGINT)
        wait_for(lambda: not client.running, 10, "the client's end")
        assert client.output() == ""
        assert guard.running
    frames = frames_of(target)
    assert len(frames) > 25
    assert decoding_errors(target) == ""
    assert max(map(clear_share, frames)) < MASKED
    camera.stop()


def test_nothing_clear_of_the_samples_people_reaches_a_client(tmp_path: Path) -> None:
    """The shipped detector on the shipped clip, against its silhouettes; too busy a machine masks whole pictures."""
    with Guard(tmp_path, {"url": str(CLIP), "loop": True}, outputs=["rtsp_serve", "http"], net=None,
               masks=False) as guard:
        with contextlib.suppress(AssertionError):
            wait_for(lambda: filled_px(guard.picture()) > 1000, 60, "masks in the picture")
        assert guard.running, guard.output()
        assert copy(guard.rtsp, tmp_path / "lobby.mp4", frames=SECONDS * FPS) == ""
    shares = clear_shares(tmp_path / "lobby.mp4")
    assert len(shares) >= SECONDS * FPS // 4
    assert np.mean(shares) < 0.1, shares
