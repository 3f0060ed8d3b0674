"""The only composition root: settings in; guards, broker link and stream server out."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from aipg_plugin.detection.onnx import PersonNet, load_model
from aipg_plugin.errors import HostError, SettingsError
from aipg_plugin.frames import GuardedFrame
from aipg_plugin.guard.assembly import make_guard
from aipg_plugin.guard.guard import Guard
from aipg_plugin.guard.policy import under_load
from aipg_plugin.guard.remote import AnyGuard, GuardProcesses
from aipg_plugin.guard.service import DetectionService, Load, spare_threads, usable_cores
from aipg_plugin.guard.turns import Turns
from aipg_plugin.hooks import Health
from aipg_plugin.media.info import StreamInfo
from aipg_plugin.media.preset import with_presets
from aipg_plugin.media.server import Extend, StreamServer
from aipg_plugin.media.sinkset import SinkSet
from aipg_plugin.mqtt.client import MqttLink
from aipg_plugin.mqtt.commands import Command
from aipg_plugin.mqtt.reports import TrackReport
from aipg_plugin.options import SERVED_KINDS, Camera, Settings, Web, stream_keys
from aipg_plugin.settings.change import apply_change, changed_paths, kept_running
from aipg_plugin.settings.changes import Change, changes
from aipg_plugin.settings.installation import installation_id
from aipg_plugin.settings.keeper import SettingsKeeper
from aipg_plugin.settings.loader import load
from aipg_plugin.states import ENDED, FULL_MOSAIC, State, StatusRegistry, StreamStatus
from aipg_plugin.tracking.track import Track
from aipg_plugin.version import __version__

_log = logging.getLogger(__name__)
_STATS_EVERY_S = 10.0
_COMPLAIN_EVERY_S = 10.0
_LOOK_ENDS_S = 2.0
_MANY_CAMERAS = 2  # from so many on, guards run in processes of their own

Metadata = Callable[[str, str, dict[str, object]], None]
Edit = Callable[[Settings], tuple[Settings, dict[str, Any]]]


class Watcher(Protocol):
    """Is told what happens, on the thread where it happens: must not block and must not raise."""

    def guarded(self, camera_id: str, frame: GuardedFrame) -> None:
        """A guarded frame leaves; its planes may be reused after the call."""

    def figures(self, camera_id: str, t_s: float, reports: tuple[TrackReport, ...]) -> None:
        """Who is tracked at `t_s`."""

    def changed(self, origin: str, before: Settings, after: Settings) -> None:
        """New settings are in force; `origin` is page, mqtt, file or host."""


class App:
    """Everything that runs for one configuration. Threads of hosts call `guard(camera).process` and `publish`.

    `pages` makes the pages of the stream server; with it the server runs whether or not a stream is served.
    """

    def __init__(self, settings: Settings, *, config_file: Path | None = None, metadata: Metadata | None = None,
                 changed: Callable[[Settings], None] = lambda _: None, host: str = "standalone",
                 pages: Callable[[App], Extend] | None = None) -> None:
        self._settings = settings
        self._in_file = settings        # what the configuration file says, as far as we know
        self._host = host
        self._config_file = config_file
        self._keeper = None if config_file is None else SettingsKeeper(
            config_file, saved=self._kept, failed=self._not_kept)
        self._metadata = metadata
        self._lock = threading.RLock()
        # The service's threads each run the net by themselves: a look that is spread over threads costs more.
        self._net = load_model(replace(settings.models, threads=1))
        threads = settings.models.threads or spare_threads()
        self._processes = GuardProcesses(replace(settings.models, threads=1), usable_cores(), threads,
                                         _enabled(settings))
        self._looks = DetectionService(threads)
        self._turns = Turns(usable_cores() // 2)
        self._guards: dict[str, AnyGuard] = {}
        self.statuses = StatusRegistry(stream_keys(settings.cameras))
        self.statuses.watch(_log_status)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._drops: dict[tuple[str, str], int] = {}
        self._complained_s: dict[str, float] = {}
        self.server: StreamServer | None = None
        self.link = MqttLink(settings.mqtt, settings.cameras, version=__version__, apply=self._apply,
                             instance_id=settings.instance_id, installation=installation_id(config_file),
                             language=settings.language, statuses=self.statuses,
                             pages_url=_pages_url(settings.web) if pages is not None else "")
        self.weakened = 0       # changes after which people were protected less, since the start
        self._changed = changed
        self.watchers: list[Watcher] = []
        self._pages = pages

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._settings

    @property
    def config_file(self) -> Path | None:
        """The file the settings came from and are kept in."""
        return self._config_file

    @property
    def net(self) -> PersonNet:
        """The detector in use."""
        return self._net

    @property
    def load(self) -> Load:
        """How much of the looking that is wanted gets done."""
        return self._processes.load(self._looks.load())

    def start(self) -> None:
        """Start the stream server (if an output is served or there are pages), the broker link and the statistics."""
        kinds = {output.kind for camera in self._settings.cameras for stream in camera.streams
                 for output in stream.outputs}
        if kinds & SERVED_KINDS or self._pages is not None:
            self.server = StreamServer(self._settings.web, extend=self._pages(self) if self._pages else None,
                                       health=self._health_word)
            self.server.start()
        if self._many():
            self._processes.start()
        self.link.start()
        self.link.status({"host": self._host, "model": self._net.name, "provider": self._net.provider})
        thread = threading.Thread(target=self._tell_stats, name="aipg-stats", daemon=True)
        thread.start()
        self._threads.append(thread)

    def guard(self, camera_id: str) -> AnyGuard:
        """The guard of a camera, made on first use. Raises HostError for one the settings do not have."""
        with self._lock:
            if camera_id not in self._guards:
                camera = next((c for c in self._settings.cameras if c.id == camera_id and c.enabled), None)
                if camera is None:
                    raise HostError("{camera!r} is no enabled camera", path="cameras", camera=camera_id,
                                    cure="Name it there, or enable it")
                guard = self._processes.guard(camera, self._guard_here) if self._many() else self._guard_here(camera)
                guard.on_look = lambda t_s, tracks: self._tell_figures(camera_id, guard, t_s, tracks)
                self._guards[camera_id] = guard
            return self._guards[camera_id]

    def _guard_here(self, camera: Camera) -> Guard:
        """A guard in this process."""
        return make_guard(camera, self._net, live=True, make_worker=self._looks.worker, turns=self._turns)

    def _many(self) -> bool:
        """Whether there are so many cameras that their frames would hold up each other in one process."""
        return _enabled(self._settings) >= _MANY_CAMERAS and self._processes.possible()

    def published(self, camera_id: str, guarded: GuardedFrame) -> None:
        """Tell what became of a frame: a changed state, a snapshot that is due. Never waits, never raises."""
        state, reason = under_load(guarded.state, guarded.reason, self._overload)
        self.statuses.report(camera_id, guarded.stream, state, reason)
        self._tell("snapshots", partial(self._tell_snapshot, camera_id, guarded))
        for watcher in self.watchers:
            self._tell("pages", partial(watcher.guarded, camera_id, guarded))

    @property
    def _overload(self) -> str:
        return self._looks.overload or self._processes.overload

    def _tell_snapshot(self, camera_id: str, guarded: GuardedFrame) -> None:
        if self.link.wants_snapshot(camera_id, guarded.stream):
            self.link.snapshot(camera_id, guarded.stream, guarded)
            if guarded.clear and self._settings.guards(camera_id, guarded.stream):  # since it left
                self.link.forget_pictures()

    def _tell(self, what: str, step: Callable[[], None]) -> None:
        """Tell somebody something. Their failure is logged, at most every 10 s, and goes no further."""
        try:
            step()
        except Exception:
            now_s = time.monotonic()
            if now_s - self._complained_s.get(what, -float("inf")) > _COMPLAIN_EVERY_S:
                self._complained_s[what] = now_s
                _log.exception("%s could not be told", what)

    def change(self, edit: Edit, *, origin: str, wait: bool = True) -> tuple[Settings, SettingsError | None]:
        """Put a change in force, then write it down.

        `edit` takes the settings in force and gives the new ones and the dotted paths that change in the file. Returns
        the new settings and why they could not be written (they are in force none the less); without `wait` they are
        written on another thread, and a failure is only told. Raises what `edit` raises.
        """
        with self._lock:
            settings, paths = edit(self._settings)
            self.configure(settings, origin=origin)
        self._changed(settings)
        if self._keeper is None or not paths:
            return settings, None
        if wait:
            return settings, self._keeper.now(paths)
        self._keeper.later(paths)
        return settings, None

    def _kept(self, settings: Settings) -> None:
        self._in_file = settings

    def _not_kept(self, error: SettingsError) -> None:
        _log.error("changed settings are in force but could not be written: %s", error)
        self.link.complain(f"changed settings are in force, but will be lost at the next start: {error}")

    def configure(self, settings: Settings, *, origin: str = "host") -> None:
        """Put new settings in force between two frames. What needs a restart (model, web, mqtt) says so in the log."""
        with self._lock:
            old, self._settings = self._settings, settings
            self.statuses.keep(stream_keys(settings.cameras))
            for name in ("models", "web", "mqtt", "instance_id"):
                if getattr(old, name) != getattr(settings, name):
                    _log.warning("%s: changed settings take effect after a restart", name)
            for camera in settings.cameras:
                guard = self._guards.get(camera.id)
                if guard is not None and camera.enabled and camera != guard.camera:
                    guard.configure(camera)  # the others may be waiting for a process that hangs
            kept = {camera.id for camera in settings.cameras if camera.enabled}
            for camera_id in self._guards.keys() - kept:
                self._guards.pop(camera_id).close()
        if self.server is not None:
            self.server.forget_clear()
        self._tell("the broker", partial(self.link.cameras_changed, settings.cameras))
        self._tell("changes", partial(self._tell_changes, origin, changes(old, settings)))
        for watcher in self.watchers:
            self._tell("pages", partial(watcher.changed, origin, old, settings))

    def _tell_changes(self, origin: str, made: list[Change]) -> None:
        for change in made:
            if change.weakens:
                self.weakened += 1
                _log.warning("protection weakened (%s): %s", origin, change.text)
            else:
                _log.info("changed (%s): %s", origin, change.text)
            self.link.changed(origin, change)

    def stats(self) -> dict[str, dict[str, dict[str, object]]]:
        """State and numbers by camera and stream."""
        with self._lock:
            guards = dict(self._guards)
        return {camera_id: {stream: {**_state_of(self.statuses.get(camera_id, stream)), **stats.as_dict(),
                                     "drops": self._drops.get((camera_id, stream), 0)}
                            for stream, stats in guard.stats().items()}
                for camera_id, guard in guards.items()}

    def dropped(self, camera_id: str, stream: str, frames: int) -> None:
        """Count frames that were dropped before they reached the guard."""
        self._drops[camera_id, stream] = self._drops.get((camera_id, stream), 0) + frames

    def health(self) -> Health:
        """Ok while every started stream is guarded and its outputs work; each problem with its stream."""
        statuses = self.statuses.all()
        bad = {f"{camera}/{stream}": status.text for (camera, stream), status in statuses.items()
               if status.state in FULL_MOSAIC or status.problem}
        problem = any(status.problem for status in statuses.values())
        state = "problem" if problem else str(State.STARTING if bad or not statuses else State.GUARDING)
        return Health(bool(statuses) and not bad, state, {"problems": bad, "streams": self.stats()})

    def _health_word(self) -> tuple[bool, str]:
        health = self.health()
        return health.ok or not stream_keys(self._settings.cameras), health.state

    def open_outputs(self, camera_id: str, stream_id: str, info: StreamInfo) -> SinkSet:
        """The outputs of a stream, opened. Raises HostError for a stream the settings do not have."""
        for camera in self._settings.cameras:
            for stream in camera.streams:
                if (camera.id, stream.id) == (camera_id, stream_id):
                    return SinkSet(with_presets(stream, info, self._settings.cameras, usable_cores()), info,
                                   name=f"{camera_id}/{stream_id}", server=self.server,
                                   told=partial(self.statuses.report_outputs, camera_id, stream_id))
        raise HostError("the settings have no stream {camera}/{stream}", camera=camera_id, stream=stream_id,
                        cure="Name it under cameras")

    def close(self) -> None:
        """Stop everything; sinks belong to the host and are closed by it."""
        self._stop.set()
        if self._keeper is not None:
            self._keeper.close()
        for thread in self._threads:
            thread.join(2.0)
        with self._lock:
            for guard in self._guards.values():
                guard.close()
            self._guards.clear()
        self._looks.close(_LOOK_ENDS_S)
        self._processes.close()
        self.link.stop()
        if self.server is not None:
            self.server.close()

    def _apply(self, command: Command) -> object:
        """One command from the broker. Raises SettingsError; returns the value in force."""
        if command.key == "reload":
            self.reload()
            return None
        change = (command.camera, command.stream, command.key, command.value)

        def edit(settings: Settings) -> tuple[Settings, dict[str, Any]]:
            paths = changed_paths(settings, *change) if command.persist else {}
            return apply_change(settings, *change), paths

        self.change(edit, origin="mqtt", wait=False)
        return command.value

    def reload(self) -> None:
        """Put what the configuration file says now in force. Raises SettingsError; then nothing has changed."""
        if self._config_file is None:
            return
        loaded = load(self._config_file)
        for warning in loaded.warnings:
            _log.warning("%s", warning.text())
        with self._lock:
            settings = kept_running(self._in_file, self._settings, loaded.settings)
            self._in_file = loaded.settings
            self.configure(settings, origin="file")
        _log.info("configuration taken over from %s", self._config_file)
        for change in changes(loaded.settings, settings):
            _log.log(logging.WARNING if change.weakens else logging.INFO, "kept, as changed while running: %s",
                     change.text)
        self._changed(settings)

    def _tell_figures(self, camera_id: str, guard: AnyGuard, t_s: float, tracks: tuple[Track, ...]) -> None:
        size_wh = guard.picture_wh
        if size_wh is None:
            return
        reports = tuple(TrackReport.of(track, size_wh) for track in tracks)
        self.link.figures(camera_id, t_s, reports)
        for watcher in self.watchers:
            self._tell("pages", partial(watcher.figures, camera_id, t_s, reports))
        if self._metadata is not None:
            self._metadata(camera_id, "figures", {
                "t_s": t_s, "size_wh": size_wh, "figures": [report.as_json() for report in reports]})

    def _tell_stats(self) -> None:
        while not self._stop.wait(_STATS_EVERY_S):
            self._tell("statistics", lambda: self.link.stats(
                {"t_s": round(time.time(), 3), "streams": self.stats(), "detector": asdict(self.load),
                 "weakened": self.weakened}))


def _enabled(settings: Settings) -> int:
    """How many cameras are enabled."""
    return sum(camera.enabled for camera in settings.cameras)


def _log_status(camera: str, stream: str, status: StreamStatus) -> None:
    alarming = status.problem and status.reason != ENDED
    _log.log(logging.WARNING if alarming else logging.INFO, "%s/%s: %s", camera, stream, status.text)


def _pages_url(web: Web) -> str:
    """Where a browser finds the pages: by this machine's name when they listen on every address."""
    host = socket.gethostname() if web.host in ("0.0.0.0", "::") else web.host
    return f"http://[{host}]:{web.port}/" if ":" in host else f"http://{host}:{web.port}/"


def _state_of(status: StreamStatus | None) -> dict[str, object]:
    if status is None:
        return {"state": State.STARTING, "reason": ""}
    return {"state": status.state, "reason": status.reason}
