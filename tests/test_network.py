"""Nothing is told to anyone who was not configured: the product under strace, every address it talks to read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import cv2
import psutil
import pytest
import yaml

from tests import needs
from tests.hosts.walk import picture, walker_net, write_walk
from tests.mqtt.broker import Mosquitto
from tests.servers import Process, free_port, wait_for

WATCHED_S = 25.0  # ONNX Runtime sends its first report within this time of the start; in real time, for it is its clock
ADDRESS = re.compile(r'sin6?_port=htons\((\d+)\).*?(?:inet_addr\("|inet_pton\(AF_INET6, ")([^"]+)"')
SENT = re.compile(r"\b(?:connect|sendto|sendmsg|sendmmsg)\(")
OWN = re.compile(r"\bgetsockname\(")


class Traced:
    """A command under strace, with a home of its own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._log, self._home = folder / "strace.log", folder / "home"
        self._home.mkdir()
        self.command = [
            needs.need("strace"), "-f", "-qq", "-s", "256", "-o", str(self._log),
            "-e", "trace=connect,sendto,sendmsg,sendmmsg,getsockname,openat",
            "env", "-u", "ORT_DISABLE_TELEMETRY", f"HOME={self._home}", f"XDG_CACHE_HOME={self._home}/.cache",
            sys.executable, "-m", "aipg_plugin", *arguments]

    def addresses(self) -> set[tuple[str, int]]:
        """(IP address, port) of everybody a packet or connection was sent to, but for its own sockets.

        (Paho wakes its thread through a connection to itself.)
        """
        return self._found(SENT) - self._found(OWN)

    def names_asked(self) -> list[str]:
        """Traces of the resolver, which no configuration of numeric addresses needs."""
        return [line for line in self._lines() if "resolv.conf" in line or "nscd" in line or "htons(53)" in line]

    def left_behind(self) -> list[str]:
        """Files in the home directory."""
        return sorted(str(path.relative_to(self._home)) for path in self._home.rglob("*") if path.is_file())

    def _found(self, call: re.Pattern[str]) -> set[tuple[str, int]]:
        return {(found[2], int(found[1])) for line in self._lines() if call.search(line)
                for found in [ADDRESS.search(line)] if found}

    def _lines(self) -> list[str]:
        return self._log.read_text(errors="replace").splitlines()


def test_the_trace_sees_what_it_should(tmp_path: Path) -> None:
    """The method itself: a child that connects to an address and asks for a name is found out."""
    code = ("import socket\nfor address in [('127.0.0.1', 9), ('192.0.2.1', 7)]:\n"
            "    with socket.socket() as s: s.settimeout(0.1); s.connect_ex(address)\n"
            "try: socket.getaddrinfo('telemetry.invalid', 443)\nexcept OSError: pass\n")
    traced = Traced(tmp_path)
    subprocess.run([*traced.command[:-2], "-c", code], check=True, timeout=60)
    assert {("127.0.0.1", 9), ("192.0.2.1", 7)} <= traced.addresses()
    assert traced.names_asked()


def test_run_talks_to_configured_addresses_only(tmp_path: Path) -> None:
    needs.need("mosquitto")
    broker, port = Mosquitto(tmp_path), free_port()
    config = tmp_path / "guard.yaml"
    net = walker_net(tmp_path / "walker.onnx")
    clip = str(write_walk(tmp_path / "walk.mp4", 40))
    config.write_text(yaml.safe_dump({
        "cameras": {camera: {  # two, so that there are guard processes
            "streams": {"1": {"source": {"url": clip, "loop": True}, "outputs": ["http", "rtsp_serve"]}},
            "privacy_guard": {"enabled": True, "target_streams": "all"}} for camera in ("lobby", "yard")},
        "web": {"port": port, "rtsp_port": free_port()}, "mqtt": {"broker": "127.0.0.1", "port": broker.port},
        "models": {"threads": 1, "custom": {"file": str(net), "layout": "yolox", "classes": 1}}}))
    traced = Traced(tmp_path, "run", str(config))
    try:
        with Process(traced.command) as guard:
            until_s = time.monotonic() + WATCHED_S
            wait_for(lambda: _served(port) or not guard.running, 60, "a guarded picture")
            wait_for(lambda: time.monotonic() > until_s or not guard.running, 60, "the time watched")
            assert guard.running, guard.output()
            programs = [" ".join(one.cmdline()) for one in psutil.Process(guard.pid).children(recursive=True)]
            assert any("guard.worker" in program for program in programs)
            for traced_process in psutil.Process(guard.pid).children():  # strace, told to end, would leave it running
                traced_process.terminate()
            wait_for(lambda: not guard.running, 30, "the end of the product")
    finally:
        broker.stop()
    assert traced.addresses() == {("127.0.0.1", broker.port)}
    assert traced.names_asked() == []
    assert traced.left_behind() == []


@pytest.mark.parametrize("command", ["redact", "detect"])
def test_commands_on_files_talk_to_nobody(command: str, tmp_path: Path) -> None:
    image = tmp_path / "in.png"
    cv2.imwrite(str(image), picture(0))
    traced = Traced(tmp_path, command, str(image), *([str(tmp_path / "out.png")] if command == "redact" else []))
    done = subprocess.run(traced.command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert traced.addresses() == set()
    assert traced.names_asked() == []
    assert traced.left_behind() == []


def test_a_host_that_imported_onnx_runtime_first_is_told() -> None:
    code = ("import sys, types; sys.modules['onnxruntime'] = types.SimpleNamespace("
            "disable_telemetry_events=lambda: print('asked to send no more')); import aipg_plugin")
    environment = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=needs.CHECKOUT, capture_output=True,
                          text=True, timeout=60, check=True)
    assert "ORT_DISABLE_TELEMETRY=1" in done.stderr
    assert done.stdout == "asked to send no more\n"


def _served(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/streams/lobby/1.jpg", timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False
