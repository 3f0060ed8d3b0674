"""The entry point for hosts: hooks on one side, the app on the other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from aipg_plugin.app import App, Metadata
from aipg_plugin.errors import GuardError, HostError
from aipg_plugin.frames import Frame, GuardedFrame
from aipg_plugin.guard.remote import AnyGuard
from aipg_plugin.hooks import Health, Host, ReconfigurableHost
from aipg_plugin.media.info import StreamInfo
from aipg_plugin.media.server import Extend
from aipg_plugin.media.sinkset import SinkSet
from aipg_plugin.options import Settings
from aipg_plugin.settings.loader import load, validate
from aipg_plugin.states import ENDED, State

_log = logging.getLogger(__name__)
Pages = Callable[[App], Extend]


class GuardPlugin:
    """The hooks of `hooks.Plugin`, on an App."""

    def __init__(self, host: Host, app: App) -> None:
        self._host = host
        self._app = app
        self._last_seq: dict[tuple[str, str], int | None] = {}
        app.start()

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._app.settings

    def on_stream_start(self, camera: str, stream: str) -> None:
        """A stream is about to deliver frames. Raises HostError or GuardError for one the settings do not name."""
        self._app.guard(camera).begin(stream)
        self._last_seq[camera, stream] = None
        self._app.statuses.started(camera, stream)

    def on_frame(self, camera: str, frame: Frame) -> list[GuardedFrame]:
        """Guard one frame; returns those whose look-ahead is over."""
        key = camera, frame.stream
        if key not in self._last_seq:
            raise HostError("stream {camera}/{stream} was not started", camera=camera, stream=frame.stream,
                            cure="Call on_stream_start first")
        last_seq, self._last_seq[key] = self._last_seq[key], frame.seq
        if last_seq is not None and frame.seq > last_seq + 1:
            self._app.dropped(camera, frame.stream, frame.seq - last_seq - 1)
        return self._guarded(camera, frame.stream, lambda guard: guard.process(frame))

    def on_stream_lost(self, camera: str, stream: str, reason: str) -> list[GuardedFrame]:
        """No frames come: what waited, and a masked picture to keep the guarded stream alive."""
        def step(guard: AnyGuard) -> list[GuardedFrame]:
            waiting, picture = guard.flush(stream), guard.lost(stream, reason)
            return waiting + ([picture] if picture is not None else [])

        told = self._guarded(camera, stream, step)
        self._app.statuses.report(camera, stream, State.LOST, reason)
        return told

    def on_stream_stop(self, camera: str, stream: str) -> list[GuardedFrame]:
        """The stream ended; returns the frames still waiting, guarded."""
        self._last_seq.pop((camera, stream), None)
        told = self._guarded(camera, stream, lambda guard: guard.flush(stream))
        self._app.statuses.report(camera, stream, State.LOST, ENDED)
        return told

    def on_settings(self, settings: Settings) -> None:
        """Put new settings in force between two frames."""
        self._app.configure(settings)

    def open_outputs(self, camera: str, stream: str, info: StreamInfo) -> SinkSet:
        """Open the outputs that the settings give a stream. Raises HostError for one they do not name."""
        return self._app.open_outputs(camera, stream, info)

    def reload(self) -> None:
        """Read the configuration file again and put it in force. Raises SettingsError; then nothing has changed."""
        self._app.reload()

    def health(self) -> Health:
        """Not ok while a stream that should be guarded shows whole mosaics or nothing, or an output fails."""
        return self._app.health()

    def close(self) -> None:
        """Stop everything the plugin started."""
        self._app.close()

    def _guarded(self, camera: str, stream: str, step: Callable[[AnyGuard], list[GuardedFrame]]) -> list[GuardedFrame]:
        """What a step with the guard releases, told; nothing for a stream that the settings have no more."""
        if not self._app.statuses.keeps(camera, stream):
            return []
        try:
            guarded = step(self._app.guard(camera))
        except (HostError, GuardError):
            if self._app.statuses.keeps(camera, stream):
                raise
            return []  # removed meanwhile
        for frame in guarded:
            self._app.published(camera, frame)
        return guarded


def create_plugin(host: Host, settings: Settings | Mapping[str, Any] | str | PathLike[str] | None = None, *,
                  pages: Pages | None = None) -> GuardPlugin:
    """Make the plugin for a host.

    `settings`: Settings, a dict shaped like the YAML, or a YAML file's path; `pages` makes the pages (see
    `web.make_pages`). Raises SettingsError or ModelError.
    """
    config_file: Path | None = None
    if isinstance(settings, Settings):
        checked = settings
    elif settings is None or isinstance(settings, Mapping):
        checked = validate(settings)
    else:
        config_file = Path(settings)
        checked = load(config_file).settings
    changed = host.settings_changed if isinstance(host, ReconfigurableHost) else lambda _: None
    return GuardPlugin(host, App(checked, config_file=config_file, metadata=_surviving(host), host=host.name,
                                 changed=changed, pages=pages))


def _surviving(host: Host) -> Metadata:
    """The host's `metadata`, made so that its faults cannot end the thread of the detector, which calls it."""
    def metadata(camera: str, kind: str, payload: dict[str, object]) -> None:
        try:
            host.metadata(camera, kind, payload)
        except Exception:
            _log.exception("host %s failed to take metadata of camera %s", host.name, camera)

    return metadata
