"""The only composition root: settings in; guards, broker link and stream server out."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from aipg_plugin.detection.onnx import load_model
from aipg_plugin.errors import HostError
from aipg_plugin.frames import GuardedFrame
from aipg_plugin.guard.assembly import make_guard
from aipg_plugin.guard.guard import Guard
from aipg_plugin.guard.policy import State
from aipg_plugin.media.server import StreamServer
from aipg_plugin.mqtt.client import MqttLink
from aipg_plugin.mqtt.commands import Command
from aipg_plugin.mqtt.reports import TrackReport
from aipg_plugin.options import OutputKind, Settings
from aipg_plugin.settings.change import apply_change, changed_paths
from aipg_plugin.settings.loader import load
from aipg_plugin.settings.writer import save_changes
from aipg_plugin.tracking.track import Track
from aipg_plugin.version import __version__

_log = logging.getLogger(__name__)
_STATS_EVERY_S = 10.0
_SERVED = frozenset({OutputKind.HTTP, OutputKind.RTSP_SERVE})

Metadata = Callable[[str, str, dict[str, object]], None]


class App:
    """Everything that runs for one configuration. Threads of hosts call `guard(camera).process` and `publish`."""

    def __init__(self, settings: Settings, *, config_file: Path | None = None,
                 metadata: Metadata | None = None, host: str = "standalone") -> None:
        self._settings = settings
        self._host = host
        self._config_file = config_file
        self._metadata = metadata
        self._lock = threading.RLock()
        self._net = load_model(settings.models)
        self._guards: dict[str, Guard] = {}
        self._states: dict[tuple[str, str], tuple[str, str]] = {}
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self.server: StreamServer | None = None
        self.link = MqttLink(settings.mqtt, settings.cameras, version=__version__, apply=self._apply,
                             instance_id=settings.instance_id, language=settings.language)
        self.on_reload: Callable[[], None] | None = None

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._settings

    def start(self) -> None:
        """Start the stream server (if an output is served), the broker link and the statistics."""
        kinds = {output.kind for camera in self._settings.cameras for stream in camera.streams
                 for output in stream.outputs}
        if kinds & _SERVED:
            self.server = StreamServer(self._settings.web)
            self.server.start()
        self.link.start()
        self.link.status({"host": self._host, "model": self._net.name, "provider": self._net.provider})
        thread = threading.Thread(target=self._tell_stats, name="aipg-stats", daemon=True)
        thread.start()
        self._threads.append(thread)

    def guard(self, camera_id: str) -> Guard:
        """The guard of a camera, made on first use. Raises HostError for one the settings do not have."""
        with self._lock:
            if camera_id not in self._guards:
                camera = next((c for c in self._settings.cameras if c.id == camera_id and c.enabled), None)
                if camera is None:
                    raise HostError("{camera!r} is no enabled camera", path="cameras", camera=camera_id,
                                    cure="Name it there, or enable it")
                guard = make_guard(camera, self._net, live=True)
                guard.on_look = lambda t_s, tracks: self._tell_figures(camera_id, guard, t_s, tracks)
                self._guards[camera_id] = guard
            return self._guards[camera_id]

    def published(self, camera_id: str, guarded: GuardedFrame) -> None:
        """Tell the broker what became of a frame: a changed state, a snapshot that is due. Never waits."""
        state = guarded.state, guarded.reason
        if self._states.get((camera_id, guarded.stream)) != state:
            self._states[camera_id, guarded.stream] = state
            level = logging.WARNING if guarded.state in (State.FAILSAFE, State.LOST) else logging.INFO
            _log.log(level, "%s/%s: %s%s", camera_id, guarded.stream, guarded.state,
                     f" ({guarded.reason})" if guarded.reason else "")
            self.link.stream_state(camera_id, guarded.stream, guarded.state, guarded.reason)
        if self.link.wants_snapshot(camera_id, guarded.stream):
            self.link.snapshot(camera_id, guarded.stream, guarded)

    def configure(self, settings: Settings) -> None:
        """Put new settings in force between two frames. What needs a restart (model, web, mqtt) says so in the log."""
        with self._lock:
            old, self._settings = self._settings, settings
            for name in ("models", "web", "mqtt"):
                if getattr(old, name) != getattr(settings, name):
                    _log.warning("%s: changed settings take effect after a restart", name)
            for camera in settings.cameras:
                if camera.id in self._guards and camera.enabled:
                    self._guards[camera.id].configure(camera)
            kept = {camera.id for camera in settings.cameras if camera.enabled}
            for camera_id in self._guards.keys() - kept:
                self._guards.pop(camera_id).close()
        self.link.cameras_changed(settings.cameras)

    def states(self) -> dict[tuple[str, str], tuple[str, str]]:
        """State and reason of every stream that has delivered frames, by camera and stream."""
        return dict(self._states)

    def stats(self) -> dict[str, dict[str, dict[str, object]]]:
        """Figures by camera and stream."""
        with self._lock:
            guards = dict(self._guards)
        return {camera_id: {stream: stats.as_dict() for stream, stats in guard.stats().items()}
                for camera_id, guard in guards.items()}

    def close(self) -> None:
        """Stop everything; sinks belong to the host and are closed by it."""
        self._stop.set()
        for thread in self._threads:
            thread.join(2.0)
        with self._lock:
            for guard in self._guards.values():
                guard.close()
            self._guards.clear()
        self.link.stop()
        if self.server is not None:
            self.server.close()

    def _apply(self, command: Command) -> object:
        """One command from the broker. Raises SettingsError; returns the value in force."""
        if command.key == "reload":
            self._reload()
            return None
        with self._lock:
            change = (command.camera, command.stream, command.key, command.value)
            settings = apply_change(self._settings, *change)
            if command.persist and self._config_file is not None:
                save_changes(self._config_file, changed_paths(self._settings, *change))
            self.configure(settings)
        return command.value

    def _reload(self) -> None:
        if self.on_reload is not None:
            self.on_reload()
        elif self._config_file is not None:
            self.configure(load(self._config_file).settings)

    def _tell_figures(self, camera_id: str, guard: Guard, t_s: float, tracks: tuple[Track, ...]) -> None:
        size_wh = guard.picture_wh
        if size_wh is None:
            return
        reports = tuple(_report(track, size_wh) for track in tracks)
        self.link.figures(camera_id, t_s, reports)
        if self._metadata is not None:
            self._metadata(camera_id, "figures", {"t_s": t_s, "figures": [report.as_json() for report in reports]})

    def _tell_stats(self) -> None:
        while not self._stop.wait(_STATS_EVERY_S):
            self.link.stats({"t_s": round(time.time(), 3), "streams": self.stats()})


def _report(track: Track, size_wh: tuple[int, int]) -> TrackReport:
    w, h = size_wh
    cx, cy, bw, bh, angle_deg = (float(value) for value in track.box)
    floor = track.floor_xy_m
    return TrackReport(track.id, (cx / w, cy / h, bw / w, bh / h, angle_deg), float(track.score),
                       None if floor is None else (float(floor[0]), float(floor[1])), track.first_seen_s)
