"""Strangers on the ports of `aipg run`: recording goes on, the log stays small, guessing is slow."""

from __future__ import annotations

import socket
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from tests.hosts.walk import walker_net, write_walk
from tests.servers import Process, free_port, wait_for

DESCRIPTORS = 200
LOGIN = {"username": "view", "password": "a long password"}


class Besieged(Process):
    """`aipg run` with few descriptors, a clip that loops, and one-second segments."""

    def __init__(self, folder: Path) -> None:
        self.port, self.rtsp_port, self.recordings = free_port(), free_port(), folder / "recordings"
        config = folder / "guard.yaml"
        net = walker_net(folder / "walker.onnx")
        config.write_text(yaml.safe_dump({
            "cameras": {"lobby": {
                "streams": {"1": {
                    "source": {"url": str(write_walk(folder / "walk.mp4", 20)), "loop": True},
                    "outputs": [{"kind": "segments", "target": str(self.recordings), "segment_s": 1, "gop_s": 0.5},
                                "http", "rtsp_serve"]}},
                "privacy_guard": {"enabled": True, "target_streams": "all"}}},
            "web": {"port": self.port, "rtsp_port": self.rtsp_port, **LOGIN},
            "models": {"threads": 1, "custom": {"file": str(net), "layout": "yolox", "classes": 1}}}))
        super().__init__(["sh", "-c", f'ulimit -n {DESCRIPTORS}; exec "$0" "$@"', sys.executable, "-m", "aipg_plugin",
                          "run", str(config)])
        wait_for(lambda: self.segments() > 1 or not self.running, 60, "segments")
        assert self.running, self.output()

    def segments(self) -> int:
        return len(list(self.recordings.rglob("*.mkv"))) if self.recordings.exists() else 0

    def ask(self, password: str, path: str = "/streams/lobby/1.jpg") -> int:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}")
        request.add_header("Authorization", "Basic " + b64encode(f"view:{password}".encode()).decode())
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                return int(reply.status)
        except urllib.error.HTTPError as error:
            return error.code


@pytest.fixture(scope="module")
def guard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Besieged]:
    with Besieged(tmp_path_factory.mktemp("besieged")) as running:
        yield running


def test_idle_connections_stop_nothing(guard: Besieged) -> None:
    told, recorded = len(guard.output()), guard.segments()
    with ExitStack() as held:
        for number in range(260):
            stranger = held.enter_context(socket.socket())
            stranger.bind((f"127.0.0.{2 + number % 13}", 0))
            stranger.settimeout(5)
            stranger.connect(("127.0.0.1", guard.port if number % 2 else guard.rtsp_port))
        wait_for(lambda: guard.segments() >= recorded + 5, 60, "five more segments")
        assert guard.running
        assert len(guard.output()) - told < 20_000
        # In real time: idle connections are hung up on after 20 s, and then there is room again.
        wait_for(lambda: _answers(guard), 60, "an answer to who may see the pictures")
    assert "Too many open files" not in guard.output()
    assert "Traceback" not in guard.output()


def test_guessing_is_slow_and_told(guard: Besieged) -> None:
    begun_s = time.monotonic()
    codes = [guard.ask(f"guess {number}") for number in range(40)]
    assert codes[0] == 401
    assert codes.count(401) <= 11 + (time.monotonic() - begun_s) / 6
    assert codes[-1] == 429
    assert "a log-in with a wrong name or password" in guard.output()
    assert guard.ask("", "/health") in (200, 503), "open to all: 503 while a busy machine masks whole pictures"


@pytest.mark.parametrize("junk", [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET / HTTP/9.9\r\n\r\n", b"G\xc3\xa4T /\xff HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost\r\n\r\n", b"GET / HTTP/1.1\r\nA: " + b"x" * 20_000, b"GET http://[ HTTP/1.1\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: nan\r\n\r\n", b"GET / HTTP/1.1\r\nTransfer-Encoding: x\r\n\r\n",
    b"GET /streams/%ff%00 HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n" * 5000])
def test_junk_leaves_no_traceback(guard: Besieged, junk: bytes) -> None:
    for port in (guard.port, guard.rtsp_port):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
            line.sendall(junk)
            line.shutdown(socket.SHUT_WR)
            line.settimeout(15)
            try:
                reply = line.recv(4096)
            except ConnectionError:
                reply = b""
        assert not reply or reply.split(b" ")[1][:1] == b"4", reply
    assert "Traceback" not in guard.output()
    assert guard.running


@pytest.mark.parametrize("query", [
    "width=nan", "width=inf", "width=-1", "fps=nan", "width=%C2%B2", "width=%ff", "fps=x"])
def test_numbers_that_are_none_are_4xx(guard: Besieged, query: str) -> None:
    wait_for(lambda: guard.ask(LOGIN["password"]) == 200, 60, "the end of the wait for who guessed")
    assert guard.ask(LOGIN["password"], f"/streams/lobby/1.mjpeg?{query}") == 400
    assert "Traceback" not in guard.output()


def _answers(guard: Besieged) -> bool:
    try:
        return guard.ask(LOGIN["password"]) == 200
    except OSError:
        return False
