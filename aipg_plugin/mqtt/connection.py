"""The broker connection: one thread that connects, sends, and reconnects with back-off and jitter.

Every attempt gets a fresh paho client: messages that paho still holds from before a loss cannot overtake a newer state.
"""

from __future__ import annotations

import contextlib
import logging
import random
import secrets
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from aipg_plugin.errors import MqttError
from aipg_plugin.mqtt.publisher import Message, Outbox
from aipg_plugin.options import Mqtt

_log = logging.getLogger(__name__)

MAX_PACKET_BYTES = 256 * 1024
_WINDOW = 64              # messages handed to paho and not yet gone
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0
_CONNECT_TIMEOUT_S = 5.0
_KEEPALIVE_S = 20
_SESSION_TAKEN_OVER = 0x8E  # MQTT 5, section 3.14.2.1
_SHORT_SESSIONS = 3       # in a row, after which another client probably uses our client id
_STEADY_S = 5.0           # a connection that held this long was a good one: the next wait is short again


class Connection:
    """Keeps one connection to a broker and sends what the outbox holds.

    `on_up` is called in paho's thread once the subscriptions stand, `on_message(topic, payload, retained)` for every
    message of `filters`, `on_conflict(message)` when another client uses our id; none may block. `start` raises
    MqttError when a certificate is missing or unreadable.
    """

    def __init__(self, options: Mqtt, outbox: Outbox, *, will_topic: str, filters: Callable[[], tuple[str, ...]],
                 on_up: Callable[[], None], on_message: Callable[[str, bytes, bool], None],
                 on_conflict: Callable[[str], None] = lambda message: None, subscribe_qos: int = 1) -> None:
        self._subscribe_qos = subscribe_qos
        self._options = options
        self._outbox = outbox
        self._will_topic = will_topic
        self._filters = filters
        self._on_up = on_up
        self._on_message = on_message
        self._on_conflict = on_conflict
        self._client_id = options.client_id
        self._short_sessions = 0
        self._v5 = options.protocol == "5"
        self._changed = threading.Condition()
        self._client: paho.Client | None = None
        self._up = False
        self._lost = False
        self._running = False
        self._in_flight: set[int] = set()
        self._early_acks: set[int] = set()
        self._thread: threading.Thread | None = None
        self.reconnects = -1
        self.problem = ""         # why the last attempt failed

    @property
    def connected(self) -> bool:
        return self._up

    def start(self) -> None:
        self._new_client()          # certificate errors show now, not in a thread
        self._running = True
        self._thread = threading.Thread(target=self._run, name="aipg-mqtt", daemon=True)
        self._thread.start()

    def stop(self, flush_s: float = 2.0) -> None:
        """Send what waits (for at most `flush_s`), disconnect cleanly, end the threads."""
        with self._changed:
            self._changed.wait_for(lambda: not self._up or (len(self._outbox) == 0 and not self._in_flight), flush_s)
            self._running = False
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_CONNECT_TIMEOUT_S + 2.0)
            self._thread = None

    def wake(self) -> None:
        """Something waits in the outbox."""
        with self._changed:
            self._changed.notify_all()

    def wait_connected(self, timeout_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._up, timeout_s)

    # -- the thread ----------------------------------------------------------------------------------

    def _run(self) -> None:
        wait_s = _FIRST_WAIT_S
        while self._running:
            begun_s = time.monotonic()
            try:
                was_up = self._session()
            except Exception:       # a certificate gone since the start, say: try again later
                _log.exception("the MQTT connection failed")
                was_up = False
            steady = time.monotonic() - begun_s > _STEADY_S
            if was_up and steady:
                wait_s = _FIRST_WAIT_S
            self._short_sessions = self._short_sessions + 1 if was_up and not steady else 0
            if self._running and self._short_sessions == _SHORT_SESSIONS:
                self._taken_over("perhaps another client uses")    # MQTT 3.1.1 says no reason
            with self._changed:
                self._changed.wait_for(lambda: not self._running, wait_s * random.uniform(0.5, 1.0))
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)

    def _taken_over(self, what: str) -> None:
        """Go on under an id of our own: with the same one, the broker would disconnect the two in turn."""
        before, self._client_id = self._client_id, f"{self._options.client_id[:58]}-{secrets.token_hex(2)}"
        self._short_sessions = 0
        self._on_conflict(f"{what} the client id {before}; going on as {self._client_id}. Give each client a "
                          "mqtt.client_id of its own")

    def _session(self) -> bool:
        """One connection from beginning to end; whether it ever came up."""
        client = self._new_client()
        with self._changed:
            self._client, self._up, self._lost = client, False, False
            self._in_flight.clear()
            self._early_acks.clear()
        was_up = False
        try:
            client.connect(self._options.broker, self._options.port, keepalive=_KEEPALIVE_S, **self._connect_extras())
            client.loop_start()
            with self._changed:
                self._changed.wait_for(lambda: self._up or self._lost or not self._running, _CONNECT_TIMEOUT_S)
                was_up = self._up
            if was_up:
                self._send_until_lost(client)
        except (OSError, ValueError) as error:
            self.problem = str(error)
            _log.warning("no connection to the MQTT broker %s:%d: %s", self._options.broker, self._options.port, error)
        finally:
            with self._changed:
                self._up, self._client = False, None
            client.disconnect()
            client.loop_stop()
        return was_up

    def _send_until_lost(self, client: paho.Client) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lost or not self._running or (
                    len(self._in_flight) < _WINDOW and len(self._outbox) > 0))
                if self._lost or not self._running:
                    return
            message = self._outbox.take()
            if message is None:
                continue
            self._send(client, message)

    def _send(self, client: paho.Client, message: Message) -> None:
        info = client.publish(message.topic, message.payload, message.qos, message.retain)
        if info.rc not in (paho.MQTT_ERR_SUCCESS, paho.MQTT_ERR_NO_CONN):
            _log.warning("could not send %s: %s", message.topic, paho.error_string(info.rc))
        if info.rc != paho.MQTT_ERR_SUCCESS:
            self._outbox.put_back(message)
            with self._changed:     # paho is about to tell us; do not spin until it does
                self._changed.wait_for(lambda: self._lost or not self._running, 1.0)
            return
        with self._changed:
            if info.mid in self._early_acks:
                self._early_acks.discard(info.mid)
            else:
                self._in_flight.add(info.mid)

    # -- paho ----------------------------------------------------------------------------------------

    def _new_client(self) -> paho.Client:
        options = self._options
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=self._client_id,
                             clean_session=None if self._v5 else True,
                             protocol=paho.MQTTv5 if self._v5 else paho.MQTTv311, reconnect_on_failure=False)
        client.connect_timeout = _CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(_WINDOW)
        client.suppress_exceptions = True
        if options.username is not None:
            client.username_pw_set(options.username, options.password)
        if options.tls:
            self._set_tls(client)
        if self._will_topic:
            client.will_set(self._will_topic, b"offline", qos=1, retain=True)
        client.on_socket_open = _send_at_once
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        client.on_disconnect = self._disconnected
        client.on_publish = self._published
        client.on_message = self._message
        return client

    def _set_tls(self, client: paho.Client) -> None:
        options = self._options
        for name, file in (("tls_ca", options.tls_ca), ("tls_cert", options.tls_cert), ("tls_key", options.tls_key)):
            if file is not None and not Path(file).is_file():
                raise MqttError("there is no file {file}", path=f"mqtt.{name}", file=file, cure="Correct the path")
        try:
            client.tls_set(ca_certs=options.tls_ca, certfile=options.tls_cert, keyfile=options.tls_key)
            client.tls_insecure_set(options.tls_insecure)
        except (OSError, ValueError) as error:
            raise MqttError("the TLS files do not load: {error}", path="mqtt.tls", error=error,
                            cure="Give PEM files that belong together") from error

    def _connect_extras(self) -> dict[str, Any]:
        if not self._v5:
            return {}
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.MaximumPacketSize = MAX_PACKET_BYTES
        return {"clean_start": True, "properties": properties}

    def _connected(self, client: paho.Client, _userdata: Any, _flags: Any, reason: ReasonCode,
                   _properties: Any) -> None:
        if reason.is_failure:
            self.problem = str(reason)
            _log.warning("the MQTT broker %s:%d refused us: %s", self._options.broker, self._options.port, reason)
            with self._changed:
                self._lost = True
                self._changed.notify_all()
            return
        filters = self._filters()
        if self._v5:
            options = SubscribeOptions(qos=self._subscribe_qos, noLocal=True, retainAsPublished=True)
            client.subscribe([(pattern, options) for pattern in filters])
        else:
            client.subscribe([(pattern, self._subscribe_qos) for pattern in filters])

    def _subscribed(self, client: paho.Client, _userdata: Any, _mid: int, reasons: list[ReasonCode],
                    _properties: Any) -> None:
        """`online` is published only now: a client that reads it may send commands, which we then receive."""
        for pattern, reason in zip(self._filters(), reasons, strict=False):
            if reason.is_failure:
                _log.warning("the MQTT broker does not let us subscribe to %s: %s", pattern, reason)
        self._on_up()
        with self._changed:
            if client is not self._client:
                return
            self._up = True
            self.reconnects += 1
            self._changed.notify_all()
        _log.info("connected to the MQTT broker %s:%d", self._options.broker, self._options.port)

    def _disconnected(self, client: paho.Client, _userdata: Any, _flags: Any, reason: ReasonCode,
                      _properties: Any) -> None:
        with self._changed:
            if client is not self._client:
                return
            taken_over = self._running and self._v5 and reason.value == _SESSION_TAKEN_OVER
            if self._running and not taken_over:
                _log.warning("lost the MQTT broker: %s", reason)
            self._up, self._lost = False, True
            self._in_flight.clear()
            self._changed.notify_all()
        if taken_over:
            self._taken_over("another client connected with")

    def _published(self, client: paho.Client, _userdata: Any, mid: int, _reason: Any, _properties: Any) -> None:
        with self._changed:
            if client is not self._client:
                return
            if mid in self._in_flight:
                self._in_flight.discard(mid)
            else:
                self._early_acks.add(mid)
            self._changed.notify_all()

    def _message(self, _client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        try:
            self._on_message(message.topic, bytes(message.payload), bool(message.retain))
        except Exception:           # nothing that arrives may end the network thread
            _log.exception("a message that arrived could not be taken")


def _send_at_once(_client: paho.Client, _userdata: Any, sock: Any) -> None:
    """Without this an echo may wait some 40 ms for the acknowledgement of the packet before it."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
