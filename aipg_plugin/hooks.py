"""The contract between a host NVR and the plugin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from aipg_plugin.frames import Frame, GuardedFrame
from aipg_plugin.media.info import AudioPacket, StreamInfo
from aipg_plugin.options import Settings


@dataclass(frozen=True)
class Health:
    """How a plugin is: `ok` only while every started stream is guarded and its outputs work."""

    ok: bool
    state: str
    details: dict[str, object]


class Host(Protocol):
    """What the plugin may ask of a host."""

    name: str

    def metadata(self, camera: str, kind: str, payload: dict[str, object]) -> None:
        """Take a person event or count; never holds a pixel."""
        ...


@runtime_checkable
class ReconfigurableHost(Protocol):
    """A host that starts and stops streams as the settings say has this method too."""

    def settings_changed(self, settings: Settings) -> None:
        """New settings are in force, by a page, MQTT or `reload`. Any thread; not called for `on_settings`."""
        ...


class Outputs(Protocol):
    """Where the guarded frames of one stream go. Nothing waits, and a broken output is told by `health`."""

    def write(self, frame: GuardedFrame) -> None:
        """Hand a frame to every output. Raises GuardError for anything but a GuardedFrame."""
        ...

    def write_audio(self, packet: AudioPacket) -> None:
        """Hand an audio packet to every output. Any thread."""
        ...

    def close(self) -> None:
        """Finish every output."""
        ...


class Plugin(Protocol):
    """The hooks a host calls. One thread per stream may call them at once.

    `on_frame` borrows the frame for the call: the host may reuse its memory afterwards. What it returns, and only
    that, may be shown, stored or sent. The hooks of a started stream never raise; once the settings have it no more,
    they return nothing.
    """

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        ...

    def on_stream_start(self, camera: str, stream: str) -> None:
        """A stream is about to deliver frames. Raises HostError or GuardError for one the settings do not name."""
        ...

    def on_frame(self, camera: str, frame: Frame) -> list[GuardedFrame]:
        """Guard one frame; returns those whose look-ahead is over."""
        ...

    def on_stream_lost(self, camera: str, stream: str, reason: str) -> list[GuardedFrame]:
        """No frames come, and why: what waited, and a masked picture to keep the guarded stream alive.

        Call it again, a few times a second, while this lasts. There is no picture before the first frame.
        """
        ...

    def on_stream_stop(self, camera: str, stream: str) -> list[GuardedFrame]:
        """The stream ended; returns the frames still waiting, guarded."""
        ...

    def on_settings(self, settings: Settings) -> None:
        """Put new settings in force between two frames."""
        ...

    def open_outputs(self, camera: str, stream: str, info: StreamInfo) -> Outputs:
        """Open the outputs that the settings give a stream. Raises HostError for one they do not name."""
        ...

    def reload(self) -> None:
        """Read the configuration file again and put it in force. Raises SettingsError; then nothing has changed."""
        ...

    def health(self) -> Health:
        """State of all streams."""
        ...

    def close(self) -> None:
        """Stop everything the plugin started."""
        ...
