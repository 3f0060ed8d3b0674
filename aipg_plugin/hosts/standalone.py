"""The standalone host: raw sources in, guarded streams out, one thread per stream."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from aipg_plugin.app import App
from aipg_plugin.errors import AipgError, MediaError
from aipg_plugin.frames import Frame, GuardedFrame
from aipg_plugin.media.info import AudioPacket
from aipg_plugin.media.live import Backoff, Lost
from aipg_plugin.media.server import Extend
from aipg_plugin.media.sink import Sink, open_sinks
from aipg_plugin.media.source import VideoSource, open_source
from aipg_plugin.options import Audio, Camera, Settings, Stream
from aipg_plugin.plugin import GuardPlugin, create_plugin
from aipg_plugin.settings.loader import load

_log = logging.getLogger(__name__)


class StandaloneHost:
    """Pulls every stream of the settings, guards it, and feeds its outputs until stopped."""

    name = "standalone"

    def __init__(self, settings: Settings, *, config_file: Path | None = None,
                 pages: Callable[[App], Extend] | None = None) -> None:
        self._config_file = config_file
        self._has_pages = pages is not None
        self._plugin: GuardPlugin = create_plugin(
            self, config_file if config_file is not None else settings, pages=pages)
        self._plugin.app.on_reload = self.reload
        self._plugin.app.on_change = self._reconcile
        self._reconciling = threading.Lock()
        self._runners: dict[tuple[str, str], _Runner] = {}

    @property
    def plugin(self) -> GuardPlugin:
        """The plugin this host drives."""
        return self._plugin

    def metadata(self, camera: str, kind: str, payload: dict[str, object]) -> None:
        """Metadata goes out over MQTT already."""

    def start(self) -> None:
        """Start a thread for every stream of every enabled camera."""
        self._reconcile(self._plugin.app.settings)

    def running(self) -> bool:
        """Whether any stream still runs (streams of files end), or pages wait for a first camera."""
        if not self._runners:
            return self._has_pages
        return any(runner.is_alive() for runner in list(self._runners.values()))

    def reload(self) -> None:
        """Read the configuration again; a bad one is reported whole and changes nothing."""
        if self._config_file is None:
            return
        try:
            loaded = load(self._config_file)
        except AipgError as error:
            _log.error("the configuration was not taken over, the last good one stays in force:\n%s", error)
            return
        for warning in loaded.warnings:
            _log.warning("%s", warning.text())
        self._plugin.on_settings(loaded.settings)
        self._reconcile(loaded.settings)
        _log.info("configuration taken over from %s", self._config_file)

    def stop(self) -> None:
        """Stop all streams and close their outputs properly."""
        for runner in self._runners.values():
            runner.stop.set()
        for runner in self._runners.values():
            runner.join(10.0)
        self._plugin.close()

    def _reconcile(self, settings: Settings) -> None:
        """Let a thread run for every stream of these settings, and no other. Any thread."""
        with self._reconciling:
            self._match_runners(settings)

    def _match_runners(self, settings: Settings) -> None:
        wanted = {(camera.id, stream.id): (camera, stream) for camera in settings.cameras if camera.enabled
                  for stream in camera.streams}
        for key, runner in list(self._runners.items()):
            if key not in wanted or not runner.serves(wanted[key][1]):
                runner.stop.set()
                runner.join(10.0)
                del self._runners[key]
        for key, (camera, stream) in wanted.items():
            if key not in self._runners:
                self._runners[key] = _Runner(self._plugin, camera, stream)
                self._runners[key].start()


class _Runner(threading.Thread):
    """One stream: source, guard, outputs. Opens the source again and again until it comes."""

    def __init__(self, plugin: GuardPlugin, camera: Camera, stream: Stream) -> None:
        super().__init__(name=f"aipg-{camera.id}-{stream.id}", daemon=True)
        self._plugin = plugin
        self._camera_id = camera.id
        self._stream = stream
        self._sinks: tuple[Sink, ...] = ()
        self.stop = threading.Event()

    def serves(self, stream: Stream) -> bool:
        """Whether this runner does what these settings of the stream ask for."""
        return self._stream.source == stream.source and self._stream.outputs == stream.outputs

    def run(self) -> None:
        """Until the source ends or `stop` is set."""
        backoff = Backoff(self._stream.source.reconnect_max_s)
        label = f"{self._camera_id}/{self._stream.id}"
        while not self.stop.is_set():
            try:
                with open_source(self._stream.source, self._stream.id, stop=self.stop, live=True) as source:
                    self._run(source)
                return
            except MediaError as error:
                wait_s = backoff.next()
                _log.error("%s: %s; trying again in %.0f s", label, error, wait_s)
                self.stop.wait(wait_s)
            except Exception:
                _log.exception("%s: the stream ended by a fault", label)
                return

    def _run(self, source: VideoSource) -> None:
        self._plugin.on_stream_start(self._camera_id, self._stream.id)
        self._sinks = open_sinks(self._stream.outputs, source.info, name=f"{self._camera_id}/{self._stream.id}",
                                 server=self._plugin.app.server)
        if any(output.audio is Audio.PASS for output in self._stream.outputs):
            source.on_audio = self._write_audio
        try:
            for item in source:
                if isinstance(item, Frame):
                    self._write(self._plugin.on_frame(self._camera_id, item))
                elif isinstance(item, Lost):
                    self._write(self._plugin.on_stream_lost(self._camera_id, self._stream.id, item.reason))
            self._write(self._plugin.on_stream_stop(self._camera_id, self._stream.id))
        finally:
            for sink in self._sinks:
                sink.close()

    def _write_audio(self, packet: AudioPacket) -> None:
        for sink in self._sinks:
            sink.write_audio(packet)

    def _write(self, frames: list[GuardedFrame]) -> None:
        for guarded in frames:
            for sink in self._sinks:
                sink.write(guarded)


def run_until(host: StandaloneHost, stop: threading.Event, *, seconds: float | None = None) -> None:
    """Run a host until `stop` is set, its streams have ended, or `seconds` are over; then close it."""
    end_s = time.monotonic() + seconds if seconds is not None else None
    host.start()
    try:
        while not stop.wait(0.2) and host.running() and (end_s is None or time.monotonic() < end_s):
            pass
    finally:
        host.stop()
