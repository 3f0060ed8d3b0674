"""The link to a broker: states, events, figures and guarded snapshots out; commands in. No method blocks its caller."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from aipg_plugin.errors import GuardError, MqttError
from aipg_plugin.frames import GuardedFrame
from aipg_plugin.mqtt import topics as t
from aipg_plugin.mqtt.analytics import Line
from aipg_plugin.mqtt.announcements import Announcements
from aipg_plugin.mqtt.commands import Command
from aipg_plugin.mqtt.connection import Connection
from aipg_plugin.mqtt.discovery import Announcer
from aipg_plugin.mqtt.embedded import HOST, EmbeddedBroker
from aipg_plugin.mqtt.entities import Of, retained, told_controls
from aipg_plugin.mqtt.figures import FiguresWorker
from aipg_plugin.mqtt.frigate import FrigateFollower
from aipg_plugin.mqtt.later import Later
from aipg_plugin.mqtt.payloads import setting_text, switch, to_json
from aipg_plugin.mqtt.publisher import Message, Outbox
from aipg_plugin.mqtt.receiver import CommandReceiver
from aipg_plugin.mqtt.reports import TrackReport
from aipg_plugin.mqtt.snapshots import SnapshotSchedule
from aipg_plugin.mqtt.topics import Topics
from aipg_plugin.options import Camera, Mqtt, stream_keys
from aipg_plugin.settings import controls
from aipg_plugin.settings.changes import Change
from aipg_plugin.settings.controls import Scope
from aipg_plugin.states import State, StatusRegistry, StreamStatus

_log = logging.getLogger(__name__)

_NOT_STARTED = StreamStatus(State.STARTING)
_SNAPSHOT_SIDE_PX = 1280
_TIDY_AFTER_S = 2.0       # Home Assistant complains of empty states of entities that it has not yet removed


class MqttLink:
    """One connection for the whole plugin. With `broker: off` every method does nothing.

    `apply(command)` runs on a worker thread and returns the value now in force, or raises SettingsError; for `reload`
    its return value is ignored. Raises MqttError on ids that cannot be topics and (in `start`) on missing TLS files.
    """

    def __init__(self, options: Mqtt, cameras: tuple[Camera, ...], *, version: str,
                 apply: Callable[[Command], object], instance_id: str = "aipg", installation: str = "",
                 language: str = "en",
                 lines: Mapping[str, tuple[Line, ...]] | None = None,
                 statuses: StatusRegistry | None = None, pages_url: str = "") -> None:
        self._options = options
        self._cameras = cameras
        self._off = options.broker == "off"
        self._topics = Topics(options.prefix)
        self._outbox = Outbox()
        self._announcements = Announcements(
            Announcer(self._topics, version, instance_id, language, options.discovery_prefix,
                      options.discovery_format == "device", pages_url), self._outbox, enabled=options.discovery,
            installation=installation or instance_id, conflict=self._conflict, sent=self._wake)
        self._frigate = FrigateFollower() if options.follow_frigate else None
        self._commands = CommandReceiver(
            self._topics, self._outbox, persist=options.persist_commands, apply=apply, applied=self._applied,
            complain=self.complain, snapshot=lambda camera, stream: self._snapshots.request((camera, stream)))
        self._figures = FiguresWorker(self._topics, self._outbox, lines=lines or {}, on_new=self._person_appeared,
                                      sent=self._wake)
        self.statuses = statuses if statuses is not None else StatusRegistry(stream_keys(cameras))
        self._status: dict[str, object] = {"version": version, "instance_id": instance_id}
        self._snapshots = SnapshotSchedule(options.snapshot_interval_s)
        self.address = (options.broker, options.port)
        self._stopping = False
        self._tidying = Later("aipg-mqtt-tidy", self._tidy)
        self._broker: EmbeddedBroker | None = None
        self._connection: Connection | None = None
        self.cameras_changed(cameras)
        self.statuses.watch(self._stream_changed)

    # -- life ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the threads and connect in the background."""
        if self._off or self._connection is not None:
            return
        options = self._options
        if options.broker == "embedded":
            self._broker = EmbeddedBroker(options)
            options = replace(options, broker=HOST, port=self._broker.start(), protocol="3.1.1", tls=False)
        connection = Connection(options, self._outbox, will_topic=self._topics.available, filters=self._filters,
                                on_up=self._up, on_message=self._received, on_conflict=self._conflict,
                                # amqtt stops delivering when two acknowledgements come close together
                                subscribe_qos=0 if self._broker is not None else 1)
        self.address = (options.broker, options.port)   # where an embedded broker really listens
        try:
            connection.start()
        except MqttError:
            if self._broker is not None:
                self._broker.stop()
            raise
        self._connection, self._stopping = connection, False
        self._outbox.state(self._topics.available, b"online")
        self._figures.start()
        self._commands.start()

    def stop(self) -> None:
        """Publish `offline`, send what waits, disconnect and end every thread."""
        if self._connection is None:
            return
        self._stopping = True
        self._commands.stop()
        self._figures.stop()
        self._announcements.stop()
        self._tidying.stop()
        self._tidy()
        for camera in self._cameras:
            for stream in camera.streams:
                self._outbox.state(self._topics.stream(camera.id, stream.id, "available"), b"offline")
        self._outbox.state(self._topics.available, b"offline")
        self._wake()
        self._connection.stop()
        self._connection = None
        if self._broker is not None:
            self._broker.stop()
            self._broker = None

    @property
    def connected(self) -> bool:
        return self._connection is not None and self._connection.connected

    def wait_connected(self, timeout_s: float) -> bool:
        """Wait until connected; False after `timeout_s`, or with `broker: off`."""
        return self._connection is not None and self._connection.wait_connected(timeout_s)

    def cameras_changed(self, cameras: tuple[Camera, ...]) -> None:
        """Take the cameras (and their settings) now in force; what is gone disappears from the broker too."""
        self._cameras = cameras
        self.forget_pictures()  # they may have left before a guard was switched on
        self._commands.cameras_changed(cameras)
        self._figures.cameras_changed(cameras)
        self._snapshots.keep(stream_keys(cameras))
        for camera in cameras:
            for stream_id, control, place, value in told_controls(camera):
                self._set(camera.id, stream_id, control.key(place), value)
            self._publish_initial(camera)
        self._announcements.announce(cameras)
        if self._outbox.topics(f"{self._options.prefix}/") - self._topics_of(cameras):
            self._tidying.start(_TIDY_AFTER_S if self._connection is not None else 0.0)
        self._publish_status()
        self._wake()

    def _tidy(self) -> None:
        """Clear the states of what is no longer configured."""
        if self._outbox.keep_only(f"{self._options.prefix}/", self._topics_of(self._cameras)):
            self._wake()

    def _topics_of(self, cameras: tuple[Camera, ...]) -> set[str]:
        """Every retained topic that belongs to these cameras, and our own."""
        wanted = {self._topics.available, self._topics.status, self._topics.fleet, self._announcements.topic}
        for camera in cameras:
            wanted |= {self._topics.camera(camera.id, what) for what in retained(Of.CAMERA)}
            for stream in camera.streams:
                wanted |= {self._topics.stream(camera.id, stream.id, what) for what in retained(Of.STREAM)}
            wanted |= {self._topics.state(camera.id, stream, control.key(place))
                       for stream, control, place, _ in told_controls(camera)}
        return wanted

    def _publish_initial(self, camera: Camera) -> None:
        """The states of a camera before the guard has reported any."""
        for what, payload in retained(Of.CAMERA).items():
            topic = self._topics.camera(camera.id, what)
            if self._outbox.known(topic) is None:
                self._outbox.state(topic, payload)
        for stream in camera.streams:
            self._tell_status(camera.id, stream.id, self.statuses.get(camera.id, stream.id) or _NOT_STARTED)
        self._tell_problem(camera.id)

    # -- out -----------------------------------------------------------------------------------------

    def state(self, camera: str, stream: str, key: str, value: object) -> None:
        """A setting now in force (`guard`, `sensitivity`, …, `area/3`); camera-wide ones are told on every stream."""
        found = controls.find(key)
        one = found is None or found[0].scope is Scope.STREAM
        for each in (stream,) if one else self._streams_of(camera):
            self._set(camera, each, key, value)
        self._wake()

    def _set(self, camera: str, stream: str, key: str, value: object, *, again: bool = False) -> None:
        self._outbox.state(self._topics.state(camera, stream, key), setting_text(value), again=again)

    def _stream_changed(self, camera: str, stream: str, status: StreamStatus) -> None:
        """Tell what the registry says of a stream now."""
        if stream in self._streams_of(camera):
            self._tell_status(camera, stream, status)
            self._tell_problem(camera)
            self._wake()

    def _tell_status(self, camera: str, stream: str, status: StreamStatus) -> None:
        payload: dict[str, object] = {"state": status.state, "reason": status.reason}
        if status.outputs:
            payload["outputs"] = status.outputs
        self._outbox.state(self._topics.stream(camera, stream, "state"), to_json(payload))
        self._outbox.state(self._topics.stream(camera, stream, "available"),
                           b"offline" if status.state is State.LOST else b"online")

    def _tell_problem(self, camera: str) -> None:
        problem = any(status.problem for (of, _), status in self.statuses.all().items() if of == camera)
        self._outbox.state(self._topics.camera(camera, "problem"), switch(problem))

    def tell(self, camera: str, what: str, payload: bytes) -> None:
        """A retained state of a camera, declared in `entities.py`."""
        self._outbox.state(self._topics.camera(camera, what), payload)
        self._wake()

    def figures(self, camera: str, t_s: float, reports: tuple[TrackReport, ...]) -> None:
        """Everybody seen by a camera at `t_s` (seconds of any clock that runs on); call at every detector tick."""
        if self._connection is not None:
            self._figures.put(camera, t_s, reports)

    def stats(self, numbers: Mapping[str, object]) -> None:
        """Publish `aipg/stats`; `streams[camera][stream]` holds fps_in, fps_out, evidence_age_s, masked_share (0–1)."""
        if self._off:
            return
        extra: dict[str, object] = {"instance_id": self._status["instance_id"], "mqtt": {
            "dropped": self._outbox.dropped, "reconnects": max(0, self._connection.reconnects)
            if self._connection else 0}}
        if self._frigate is not None:
            extra["frigate"] = self._frigate.as_json()
        self._outbox.telemetry(Message(self._topics.stats, to_json({**numbers, **extra})))
        self._wake()

    def changed(self, origin: str, change: Change) -> None:
        """Publish a change of settings on `aipg/changes`; `origin` is page, mqtt, file or host."""
        if self._off:
            return
        self._outbox.telemetry(Message(self._topics.changes, to_json({
            "t_s": round(time.time(), 3), "origin": origin, "camera": change.camera, "stream": change.stream,
            "key": change.key, "before": change.before, "after": change.after, "weakens": change.weakens}), qos=1))
        self._wake()

    def complain(self, message: str, **where: str) -> None:
        """Publish something that went wrong on `aipg/errors`; `where` may name topic, camera, stream and key."""
        if self._off:
            return
        self._outbox.telemetry(Message(self._topics.errors, to_json(
            {"t_s": round(time.time(), 3), "message": message, **where}), qos=1))
        self._wake()

    def status(self, fields: Mapping[str, object]) -> None:
        """Add to `aipg/status` (retained): host, model, provider …"""
        self._status |= dict(fields)
        self._publish_status()
        self._wake()

    def fleet(self, overview: Mapping[str, object]) -> None:
        """Publish the nodes of a fleet and where its cameras are served (retained)."""
        if not self._off and self._outbox.state(self._topics.fleet, to_json(overview)):
            self._wake()

    def _publish_status(self) -> None:
        frigate = {"frigate": self._frigate.available} if self._frigate is not None else {}
        self._outbox.state(self._topics.status, to_json(self._status | frigate))

    def wants_snapshot(self, camera: str, stream: str) -> bool:
        """Whether a picture is due: a person appeared, the button was pressed, the interval is over. Cheap."""
        return self._connection is not None and self._snapshots.is_due((camera, stream))

    def snapshot(self, camera: str, stream: str, guarded: GuardedFrame) -> None:
        """Publish a guarded picture as JPEG. Raises GuardError for anything but a GuardedFrame.

        The picture is copied here, before the frame's pooled buffer can be used again, and encoded on the worker.
        """
        if not isinstance(guarded, GuardedFrame):
            raise GuardError("a snapshot must be a GuardedFrame, not {kind}", kind=type(guarded).__name__,
                             cure="Pass what the guard returned")
        topic = self._topics.stream(camera, stream, t.SNAPSHOT)
        if self._connection is None or stream not in self._streams_of(camera):
            return
        w, h = guarded.size_wh
        scale = min(1.0, _SNAPSHOT_SIDE_PX / max(w, h))
        to_wh = None if scale == 1.0 else (max(1, round(w * scale)), max(1, round(h * scale)))
        self._snapshots.taken((camera, stream))
        self._figures.picture(topic, guarded.to_bgr(to_wh))

    def forget_pictures(self) -> None:
        """Publish no picture that was handed over before."""
        self._figures.forget_pictures()

    def snapshot_relayed(self, camera: str, stream: str, jpeg: bytes) -> None:
        """Publish a JPEG that the server of a fleet's node made of a guarded picture."""
        if self._connection is not None and stream in self._streams_of(camera):
            self._snapshots.taken((camera, stream))
            self._outbox.picture(self._topics.stream(camera, stream, t.SNAPSHOT), jpeg)
            self._wake()

    def _person_appeared(self, camera_id: str) -> None:
        for camera in self._cameras:
            if camera.id == camera_id:
                self._snapshots.person_appeared(camera)

    # -- in (paho's thread: decide and hand over, never work) ------------------------------------------

    def _filters(self) -> tuple[str, ...]:
        return (*self._topics.subscriptions(), self._topics.available, *self._announcements.filters(),
                *(self._frigate.filters() if self._frigate is not None else ()))

    def _up(self) -> None:
        """The subscriptions stand."""
        self._outbox.restate()
        self._announcements.connected()

    def _conflict(self, message: str) -> None:
        """Another client or installation is in our way."""
        _log.error("MQTT: %s", message)
        self.complain(message)

    def _received(self, topic: str, payload: bytes, retained: bool) -> None:
        if topic == self._topics.available:
            if payload != b"online" and not self._stopping:    # another installation's, or a late last will of ours
                self._outbox.state(topic, b"online", again=True)
                self._wake()
        elif self._announcements.received(topic, payload, retained):
            self._wake()
        elif self._frigate is not None and topic in self._frigate.filters():
            if self._frigate.received(topic, payload, {camera.id for camera in self._cameras}):
                self._publish_status()
                self._wake()
        elif not self._is_anothers(topic):
            self._commands.received(topic, payload, retained)

    def _is_anothers(self, topic: str) -> bool:
        """Whether a command is meant for another installation under this prefix."""
        address = self._topics.parse_command(topic)
        return (address is not None and self._announcements.is_anothers(address.camera)
                and not self._streams_of(address.camera))

    def _applied(self, command: Command, value: object) -> None:
        """Publish the value a command has put in force, even if it is the same as before."""
        self._set(command.camera, command.stream, command.key, value, again=True)
        self.state(command.camera, command.stream, command.key, value)

    # -- small things --------------------------------------------------------------------------------

    def _streams_of(self, camera_id: str) -> tuple[str, ...]:
        return next((tuple(stream.id for stream in camera.streams) for camera in self._cameras
                     if camera.id == camera_id), ())

    def _wake(self) -> None:
        if self._connection is not None:
            self._connection.wake()


