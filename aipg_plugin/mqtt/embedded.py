"""An MQTT broker on loopback inside this process, for a first run without another one."""

from __future__ import annotations

import asyncio
import hmac
import logging
import socket
import threading
from typing import Any

from aipg_plugin.errors import MqttError
from aipg_plugin.options import Mqtt

_log = logging.getLogger(__name__)

HOST = "127.0.0.1"
_START_TIMEOUT_S = 10.0


class EmbeddedBroker:
    """amqtt (MQTT 3.1.1) on 127.0.0.1 in a thread of its own.

    `start` returns the port, another one than configured when that is taken. With a user name configured only that
    user gets in. Raises MqttError when amqtt is missing or does not start.
    """

    def __init__(self, options: Mqtt) -> None:
        self._options = options
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self.port = 0

    def start(self) -> int:
        try:
            import amqtt.broker  # type: ignore[import-untyped]  # noqa: F401
        except ImportError as error:
            raise MqttError("the embedded broker needs the package amqtt", path="mqtt.broker",
                            cure="pip install amqtt, or name a broker") from error
        logging.getLogger("amqtt").setLevel(logging.ERROR)
        logging.getLogger("transitions").setLevel(logging.ERROR)
        self.port = _free_port(self._options.port)
        if self.port != self._options.port:
            _log.warning("port %d is taken; the embedded MQTT broker listens on %s:%d", self._options.port, HOST,
                        self.port)
        self._thread = threading.Thread(target=self._run, name="aipg-mqtt-broker", daemon=True)
        self._thread.start()
        if not self._ready.wait(_START_TIMEOUT_S) or self._error is not None:
            self.stop()
            raise MqttError("the embedded broker does not start: {error}", path="mqtt.broker",
                            error=self._error or "no answer", cure="Name a broker, or set broker: off")
        _log.info("embedded MQTT broker on %s:%d", HOST, self.port)
        return self.port

    def stop(self) -> None:
        if self._loop is not None and self._stop is not None and self._loop.is_running():
            self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread is not None:
            self._thread.join(_START_TIMEOUT_S)
            self._thread = None

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:      # it must reach the caller of start, whatever it is
            self._error = error
            _log.debug("embedded broker ended", exc_info=True)
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        from amqtt.broker import Broker
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        broker = Broker(self._config(), loop=self._loop)
        await broker.start()
        self._ready.set()
        try:
            await self._stop.wait()
        finally:
            await broker.shutdown()

    def _config(self) -> dict[str, Any]:
        if self._options.username is None:
            plugins: dict[str, Any] = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
        else:
            plugins = {f"{__package__}.embedded_auth.OneUser": {
                "username": self._options.username, "password": self._options.password or ""}}
        return {"listeners": {"default": {"type": "tcp", "bind": f"{HOST}:{self.port}"}}, "plugins": plugins}


def same(a: str, b: str) -> bool:
    """Compare two secrets in constant time."""
    return hmac.compare_digest(a.encode("utf-8", "surrogatepass"), b.encode("utf-8", "surrogatepass"))


def _free_port(wanted: int) -> int:
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise MqttError("no port is free on {host}", host=HOST, path="mqtt.port", cure="Free one")
