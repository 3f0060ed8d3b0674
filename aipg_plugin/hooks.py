"""The contract between a host NVR and the plugin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from aipg_plugin.frames import Frame, GuardedFrame
from aipg_plugin.options import Settings


@dataclass(frozen=True)
class Health:
    """How a plugin is: `ok` only while every enabled stream is guarded."""

    ok: bool
    state: str
    details: dict[str, object]


class Host(Protocol):
    """What the plugin may ask of a host."""

    name: str

    def metadata(self, camera: str, kind: str, payload: dict[str, object]) -> None:
        """Take a person event or count; never holds a pixel."""
        ...


class Plugin(Protocol):
    """The hooks a host calls. One thread per stream may call them at once.

    `on_frame` borrows the frame for the call: the host may reuse its memory afterwards. What it returns, and only
    that, may be shown, stored or sent.
    """

    def on_stream_start(self, camera: str, stream: str) -> None:
        """A stream is about to deliver frames. Raises HostError for one the settings do not name."""
        ...

    def on_frame(self, camera: str, frame: Frame) -> list[GuardedFrame]:
        """Guard one frame; returns those whose look-ahead is over. Never raises for a started stream."""
        ...

    def on_stream_stop(self, camera: str, stream: str) -> list[GuardedFrame]:
        """The stream ended; returns the frames still waiting, guarded."""
        ...

    def on_settings(self, settings: Settings) -> None:
        """Put new settings in force between two frames."""
        ...

    def health(self) -> Health:
        """State of all guards."""
        ...

    def close(self) -> None:
        """Stop everything the plugin started."""
        ...
