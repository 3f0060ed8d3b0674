"""A real mosquitto on a free loopback port, and a client that remembers what it saw."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho

from tests.needs import need


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mosquitto:
    """One broker process; `extra` goes into its configuration as it is."""

    def __init__(self, folder: Path, extra: str = "allow_anonymous true") -> None:
        self.port = free_port()
        self._config = folder / f"mosquitto-{self.port}.conf"
        self._config.write_text(f"listener {self.port} 127.0.0.1\nuser root\n"
                                f"max_queued_messages 10000\n{extra}\n")
        self._log = (folder / f"mosquitto-{self.port}.log").open("ab")
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen([need("mosquitto"), "-c", str(self._config)],
                                        stdout=self._log, stderr=self._log)
        wait_for(self._listens, 5.0)

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.5):
            return True
        return False

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(5)

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait(5)
        self._log.close()


def wait_for(condition: Callable[[], Any], timeout_s: float = 5.0, what: str = "") -> Any:
    """The first true value of `condition`; AssertionError after `timeout_s`."""
    end_s = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end_s:
            raise AssertionError(f"timed out after {timeout_s} s: {what or condition}")
        time.sleep(0.01)


class Watcher:
    """Subscribes to a filter; `last` is the newest payload per topic, `seen` every message in order."""

    version = 5

    def __init__(self, port: int, pattern: str = "#", wait_s: float = 5.0, **tls: Any) -> None:
        self.last: dict[str, bytes] = {}
        self.seen: list[tuple[str, bytes, bool]] = []
        self._ready = threading.Event()
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=self.version)
        if "username" in tls:
            self.client.username_pw_set(tls.pop("username"), tls.pop("password"))
        if tls:
            self.client.tls_set(**tls)
        self.client.on_connect = lambda *_: self.client.subscribe(pattern, qos=1)
        self.client.on_subscribe = lambda *_: self._ready.set()
        self.client.on_message = self._got
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        if not self._ready.wait(wait_s):
            self.close()
            raise AssertionError(f"not subscribed on port {port}")

    def _got(self, _client: Any, _userdata: Any, message: paho.MQTTMessage) -> None:
        self.last[message.topic] = message.payload
        self.seen.append((message.topic, message.payload, message.retain))

    def publish(self, topic: str, payload: str | bytes = b"", *, retain: bool = False, qos: int = 1) -> None:
        self.client.publish(topic, payload, qos=qos, retain=retain)

    def payloads(self, topic: str) -> list[bytes]:
        return [payload for seen, payload, _ in self.seen if seen == topic]

    def expect(self, topic: str, payload: bytes | str, timeout_s: float = 5.0) -> None:
        wanted = payload.encode() if isinstance(payload, str) else payload
        with contextlib.suppress(AssertionError):
            wait_for(lambda: self.last.get(topic) == wanted, timeout_s)
        assert self.last.get(topic) == wanted, f"{topic}: {self.last.get(topic)!r}, wanted {wanted!r}"

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
