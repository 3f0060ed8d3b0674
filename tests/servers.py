"""Real servers for tests: started on free loopback ports, stopped by their process id."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests import needs

HERE = Path(__file__).resolve().parent


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], object], seconds: float = 10.0, what: str = "condition") -> None:
    """Poll until `condition` holds; fails the test if it does not within `seconds`."""
    until_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until_s, f"{what} did not come true in {seconds} s"
        time.sleep(0.02)


def in_real_time(seconds: float, why: str) -> None:
    """Wait where no condition can be waited for: nothing may happen, or nothing tells that it did. `why` says which."""
    assert why
    time.sleep(seconds)


def listening(port: int) -> bool:
    """Whether somebody accepts connections on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Process:
    """A program started for a test. `with` stops it; `output()` is what it has printed so far."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  closed by stop
        self._popen = subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                       env=env)

    @property
    def running(self) -> bool:
        return self._popen.poll() is None

    @property
    def code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._popen.poll()

    @property
    def pid(self) -> int:
        return self._popen.pid

    def output(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def pause(self) -> None:
        """Freeze it: its connections stay open and say nothing."""
        os.kill(self._popen.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self._popen.pid, signal.SIGCONT)

    def hang_up(self) -> None:
        """SIGHUP: for services, to read their settings again."""
        os.kill(self._popen.pid, signal.SIGHUP)

    def kill(self) -> None:
        """End it without a goodbye."""
        self._popen.kill()
        self._popen.wait(10)

    def stop(self) -> None:
        """End it politely, or not, and wait."""
        if self.running:
            self._popen.terminate()
            self._popen.send_signal(signal.SIGCONT)
            try:
                self._popen.wait(5)
            except subprocess.TimeoutExpired:
                self.kill()
        self._log.close()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _started(command: Sequence[str], port: int) -> Process:
    process = Process(command)
    try:
        wait_for(lambda: listening(port) or not process.running, 15, f"{command[0]} listening")
        assert process.running, process.output()
    except BaseException:
        process.stop()
        raise
    return process


def rtsp_player(clip: Path, port: int, *more: str) -> Process:
    """An RTSP server that plays an H.264 MP4 at rtsp://127.0.0.1:port/camera, each client from its start.

    `more` may be `"--digest", user, password` or `"--basic", …`, here and below.
    """
    return _started([needs.need_gst_rtsp(), str(HERE / "gst_rtsp_server.py"), str(port), str(clip), "--play",
                     *more], port)


def rtsp_recorder(recording: Path, port: int, *more: str) -> Process:
    """An RTSP server that writes what is published to rtsp://127.0.0.1:port/camera as MPEG-TS."""
    return _started([needs.need_gst_rtsp(), str(HERE / "gst_rtsp_server.py"), str(port), str(recording), *more],
                    port)


def mosquitto(port: int, folder: Path, lines: Sequence[str] = ("allow_anonymous true",)) -> Process:
    """A mosquitto broker on the loopback; `lines` are more of its configuration."""
    config = folder / f"mosquitto-{port}.conf"
    config.write_text("\n".join((f"listener {port} 127.0.0.1", *lines)) + "\n")
    return _started([needs.need("mosquitto"), "-c", str(config)], port)


class SilentServer:
    """Accepts TCP connections on `port` and never says a word: what a hung camera looks like."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._held: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        try:
            while True:
                self._held.append(self._socket.accept()[0])
        except OSError:
            return

    def close(self) -> None:
        self._socket.close()
        for connection in self._held:
            connection.close()
