"""The standalone host: raw sources in, guarded streams out, one thread per stream."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from aipg_plugin.errors import AipgError
from aipg_plugin.hooks import Plugin
from aipg_plugin.hosts.runner import StreamRunner
from aipg_plugin.options import Settings
from aipg_plugin.plugin import Pages, create_plugin

_log = logging.getLogger(__name__)
_CLOSE_S = 15.0


class StandaloneHost:
    """Pulls every stream of the settings, guards it, and feeds its outputs until stopped."""

    name = "standalone"

    def __init__(self, settings: Settings, *, config_file: Path | None = None, pages: Pages | None = None) -> None:
        self._has_pages = pages is not None
        self._lock = threading.Lock()
        self._started = False
        self._runners: dict[tuple[str, str], StreamRunner] = {}
        self._plugin: Plugin = create_plugin(self, config_file if config_file is not None else settings, pages=pages)

    @property
    def plugin(self) -> Plugin:
        """The plugin this host drives."""
        return self._plugin

    def metadata(self, camera: str, kind: str, payload: dict[str, object]) -> None:
        """Metadata goes out over MQTT already."""

    def settings_changed(self, settings: Settings) -> None:
        """Start and stop streams as the new settings say. Any thread."""
        with self._lock:
            if self._started:
                self._reconcile(settings)

    def start(self) -> None:
        """Start a thread for every stream of every enabled camera."""
        with self._lock:
            self._started = True
            self._reconcile(self._plugin.settings)

    def running(self) -> bool:
        """Whether any stream still runs (streams of files end), or pages wait for a first camera."""
        if not self._runners:
            return self._has_pages
        return any(runner.is_alive() for runner in list(self._runners.values()))

    def reload(self) -> None:
        """Read the configuration again; a bad one is reported whole and changes nothing."""
        try:
            self._plugin.reload()
        except AipgError as error:
            _log.error("the configuration was not taken over, the last good one stays in force:\n%s", error)

    def stop(self) -> None:
        """Stop all streams and close their outputs properly."""
        with self._lock:
            self._started = False
            self._end(list(self._runners))
        self._plugin.close()

    def _reconcile(self, settings: Settings) -> None:
        """Let a thread run for every stream of these settings, and no other."""
        wanted = {(camera.id, stream.id): stream for camera in settings.cameras if camera.enabled
                  for stream in camera.streams}
        self._end([key for key, runner in self._runners.items()
                   if key not in wanted or not runner.serves(wanted[key])])
        for key, stream in wanted.items():
            if key not in self._runners:
                self._runners[key] = StreamRunner(self._plugin, key[0], stream)
                self._runners[key].start()

    def _end(self, keys: list[tuple[str, str]]) -> None:
        """Stop these streams, all at once, and wait for them a while."""
        end_s = time.monotonic() + _CLOSE_S
        ending = [self._runners.pop(key) for key in keys]
        for runner in ending:
            runner.stop.set()
        for runner in ending:
            runner.join(max(0.1, end_s - time.monotonic()))


def run_until(host: StandaloneHost, stop: threading.Event, *, seconds: float | None = None) -> None:
    """Run a host until `stop` is set, its streams have ended, or `seconds` are over; then close it."""
    end_s = time.monotonic() + seconds if seconds is not None else None
    host.start()
    try:
        while not stop.wait(0.2) and host.running() and (end_s is None or time.monotonic() < end_s):
            pass
    finally:
        host.stop()
