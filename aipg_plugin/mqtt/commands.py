"""Commands: parse and authorise a payload at the border, then apply it on a worker thread, newest value first.

What does not parse or lacks its token never enters the queue, so it cannot displace a good command.
"""

from __future__ import annotations

import hmac
import json
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aipg_plugin.errors import MqttError
from aipg_plugin.mqtt import topics
from aipg_plugin.mqtt.topics import TopicAddress
from aipg_plugin.mqtt.worker import Worker
from aipg_plugin.options import Camera
from aipg_plugin.settings import controls
from aipg_plugin.settings.controls import Kind, Scope

_log = logging.getLogger(__name__)

MAX_COMMAND_BYTES = 4096
Value = bool | float | str | None

_WRONG_TOKENS_ALLOWED = 5
_LOCK_OUT_S = 30.0


@dataclass(frozen=True)
class Command:
    """One change asked for: `value` is a bool for switches, a number, one of a select's choices, else None.

    `camera` and `stream` are empty for `reload`. `persist` says that the change should be written to the settings.
    """

    camera: str
    stream: str
    key: str
    value: Value
    token: str | None = None
    persist: bool = False

    def __repr__(self) -> str:
        return f"Command({self.camera}/{self.stream} {self.key}={self.value!r})"


def parse_payload(key: str, payload: bytes) -> tuple[Value, str | None]:
    """Value and token of a command's payload, plain (`ON`) or JSON (`{"value": "OFF", "token": "…"}`).

    Raises MqttError when it is too long, not UTF-8, or of the wrong type for `key`; the payload itself is not
    quoted, since it may hold a token.
    """
    if len(payload) > MAX_COMMAND_BYTES:
        raise MqttError("a command of {size} bytes is too long", size=len(payload),
                        cure="Send at most 4096 bytes")
    try:
        text = payload.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise MqttError("a command must be UTF-8 text", cure="Send ON, OFF, a choice or a number") from None
    raw: Any = text
    token: Any = None
    if text.startswith("{"):
        try:
            loaded = json.loads(text)
        except (ValueError, RecursionError):
            raise MqttError("a command is not valid JSON", cure='Send {{"value": …, "token": …}}') from None
        if not isinstance(loaded, dict) or "value" not in loaded or not set(loaded) <= {"value", "token"}:
            raise MqttError("a command in JSON has value and, if needed, token, nothing else",
                            cure='Send {{"value": …, "token": …}}')
        raw, token = loaded["value"], loaded.get("token")
        if not isinstance(token, str | None):
            raise MqttError("the token must be a text", cure='Send {{"value": …, "token": "…"}}')
    return _typed(key, raw), token


def _typed(key: str, raw: Any) -> Value:
    """A value of the control's kind; whether it is in range is for the schema to say, when the command is applied."""
    found = controls.find(key)
    if found is None:                       # snapshot and reload carry no value
        return None
    control, _ = found
    if control.kind is Kind.SELECT:
        if isinstance(raw, str) and raw.lower() in control.choices:
            return raw.lower()
        raise MqttError("{key} must be one of {choices}", key=key, choices=", ".join(control.choices))
    if control.kind is Kind.NUMBER:
        return _number(key, raw)
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, str) and raw.upper() in ("ON", "OFF"):
        return raw.upper() == "ON"
    raise MqttError("{key} must be ON or OFF", key=key)


def _number(key: str, raw: Any) -> float:
    try:
        if isinstance(raw, bool) or not isinstance(raw, str | int | float):
            raise ValueError
        number = float(raw)
        if not math.isfinite(number):
            raise ValueError
    except (ValueError, OverflowError):
        raise MqttError("{key} must be a number", key=key) from None
    return number


class CommandGate:
    """Decides whether a command may be applied: known camera, stream and area, and a token for guard OFF."""

    def __init__(self, cameras: tuple[Camera, ...] = ()) -> None:
        self._cameras = {camera.id: camera for camera in cameras}
        self._wrong: dict[str, tuple[int, float]] = {}   # camera: wrong tokens in a row, when the last came

    def cameras_changed(self, cameras: tuple[Camera, ...]) -> None:
        self._cameras = {camera.id: camera for camera in cameras}

    def check_address(self, address: TopicAddress) -> None:
        """Raises MqttError when nothing of ours is addressed."""
        if address.key == topics.RELOAD:
            return
        camera = self._cameras.get(address.camera)
        if camera is None or address.stream not in {stream.id for stream in camera.streams}:
            raise MqttError("there is no stream {stream} of a camera {camera}", camera=address.camera[:64],
                            stream=address.stream[:64], cure="Use an id from the settings")
        found = controls.find(address.key)
        if found is not None and found[0].scope is Scope.AREA and found[1] not in found[0].places(camera):
            raise MqttError("camera {camera} has no {key}", camera=address.camera, key=address.key,
                            cure="Draw it first, on the area page or in the settings")

    def check_token(self, command: Command) -> None:
        """Raises MqttError when guard OFF lacks the camera's token. Compares in constant time."""
        if command.key != topics.GUARD or command.value is not False:
            return
        camera = self._cameras.get(command.camera)
        wanted = camera.privacy_guard.off_token if camera else None
        if wanted is None:
            return
        wrong, last_s = self._wrong.get(command.camera, (0, 0.0))
        now_s = time.monotonic()
        if wrong >= _WRONG_TOKENS_ALLOWED and now_s - last_s < _LOCK_OUT_S:
            raise MqttError("too many wrong tokens", cure="Wait half a minute")
        if command.token is None:
            raise MqttError("switching the guard off needs the token",
                            cure='Send {{"value": "OFF", "token": "…"}}')
        if not hmac.compare_digest(command.token.encode("utf-8", "surrogatepass"), wanted.encode()):
            self._wrong[command.camera] = (wrong + 1, now_s)
            raise MqttError("the token is wrong", cure="Use privacy_guard.off_token of this camera")
        self._wrong.pop(command.camera, None)


class CommandWorker(Worker):
    """Applies commands one after the other on its own thread; a newer one for the same address replaces the waiting."""

    def __init__(self, apply: Callable[[Command], None]) -> None:
        super().__init__("aipg-mqtt-commands")
        self._apply = apply
        self._waiting: dict[tuple[str, str, str], Command] = {}

    def put(self, command: Command) -> None:
        """Queue a command; never blocks."""
        with self._changed:
            key = (command.camera, command.stream, command.key)
            self._waiting[key] = command     # in the place of the older one, so that a flooded topic cannot starve
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._wait(lambda: bool(self._waiting)):
                    return
                command = self._waiting.pop(next(iter(self._waiting)))
            try:
                self._apply(command)
            except Exception:
                _log.exception("%r failed", command)
