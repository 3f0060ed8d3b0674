"""The way of a command: topic and payload in, checked, applied on a worker thread; refused ones are reported."""

from __future__ import annotations

import logging
from collections.abc import Callable

from aipg_plugin.errors import AipgError, MqttError
from aipg_plugin.mqtt import topics as t
from aipg_plugin.mqtt.commands import MAX_COMMAND_BYTES, Command, CommandGate, CommandWorker, parse_payload
from aipg_plugin.mqtt.payloads import Throttle
from aipg_plugin.mqtt.publisher import Outbox
from aipg_plugin.mqtt.topics import TopicAddress, Topics
from aipg_plugin.options import Camera

_log = logging.getLogger(__name__)

_COMPLAIN_EVERY_S = 1.0
_LOG_EVERY_S = 10.0


class CommandReceiver:
    """Takes commands from the network thread (`received` never blocks) and applies them on its own.

    `apply(command)` returns the value now in force or raises SettingsError; `applied(command, value)` is called after
    it, `complain(message, **where)` for what was refused, `snapshot(camera, stream)` when one is asked for.
    """

    def __init__(self, topics: Topics, outbox: Outbox, *, persist: bool, apply: Callable[[Command], object],
                 applied: Callable[[Command, object], None], complain: Callable[..., None],
                 snapshot: Callable[[str, str], None]) -> None:
        self._topics = topics
        self._outbox = outbox
        self._persist = persist
        self._apply = apply
        self._applied = applied
        self._complain = complain
        self._snapshot = snapshot
        self._gate = CommandGate()
        self._worker = CommandWorker(self._run)
        self._complaints = Throttle(_COMPLAIN_EVERY_S)
        self._logged = Throttle(_LOG_EVERY_S)

    def start(self) -> None:
        """Start applying."""
        self._worker.start()

    def stop(self) -> None:
        """Stop after the command that is being applied; those still waiting are dropped."""
        self._worker.stop()

    def cameras_changed(self, cameras: tuple[Camera, ...]) -> None:
        """Take commands for these cameras."""
        self._gate.cameras_changed(cameras)

    def received(self, topic: str, payload: bytes, retained: bool) -> None:
        """One message on a command topic."""
        address = self._topics.parse_command(topic)
        known = None
        try:
            if address is None:
                raise MqttError("this is no command topic", cure="See the topic tree in docs/mqtt.md")
            self._gate.check_address(address)
            known = address
            if retained and not payload:
                return              # a retained command is being cleared
            command = self._command(address, payload, retained)
            self._gate.check_token(command)
        except MqttError as error:
            self._refuse(topic, known, str(error))
            return
        if command.key == t.SNAPSHOT:
            self._snapshot(command.camera, command.stream)
        else:
            self._worker.put(command)

    def _command(self, address: TopicAddress, payload: bytes, retained: bool) -> Command:
        if retained:
            raise MqttError("a retained command is ignored", cure="Publish it without the retain flag, and clear "
                            "the retained one")
        if len(payload) > MAX_COMMAND_BYTES:
            raise MqttError("a command of {size} bytes is too long", size=len(payload), cure="Send at most 4096 bytes")
        value, token = parse_payload(address.key, payload)
        return Command(address.camera, address.stream, address.key, value, token, self._persist)

    def _run(self, command: Command) -> None:
        address = TopicAddress(command.camera, command.stream, command.key)
        topic = self._topics.reload if command.key == t.RELOAD else self._topics.command(
            command.camera, command.stream, command.key)
        try:
            value = self._apply(command)
        except AipgError as error:
            self._refuse(topic, address, str(error))
            return
        except Exception:
            _log.exception("%r could not be applied", command)
            self._refuse(topic, address, "the change could not be made; the log says why")
            return
        if command.key != t.RELOAD and value is not None:
            self._applied(command, value)

    def _refuse(self, topic: str, address: TopicAddress | None, message: str) -> None:
        """Report what was wrong, at most once a second each, and publish the state in force again."""
        kind = (address, message)
        if self._logged.allows(kind):
            _log.warning("refused a command on %s: %s", topic[:200], message)
        if not self._complaints.allows(kind):
            return
        where = {"camera": address.camera, "stream": address.stream, "key": address.key} if address else {}
        if address is not None and address.key not in (t.RELOAD, t.SNAPSHOT):
            state_topic = self._topics.state(address.camera, address.stream, address.key)
            old = self._outbox.known(state_topic)
            if old is not None:
                self._outbox.state(state_topic, old, again=True)
        self._complain(message, topic=topic[:200], **where)
