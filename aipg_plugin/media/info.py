"""What is known of a stream before its first frame is used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from aipg_plugin.frames import PixelFormat


@dataclass(frozen=True)
class Colour:
    """Colour description as ISO/IEC 23091-2 numbers; 2 is "unspecified"."""

    full_range: bool = False
    matrix: int = 2
    primaries: int = 2
    transfer: int = 2


@dataclass(frozen=True)
class AudioInfo:
    """An audio track that can be passed on. `header` is a tiny Matroska file that carries its parameters."""

    codec: str
    sample_rate_hz: int
    channels: int
    header: bytes


@dataclass(frozen=True)
class AudioPacket:
    """One encoded audio packet; `pts_s` on the same clock as the frames of its stream."""

    data: bytes
    pts_s: float
    duration_s: float


AudioHandler = Callable[[AudioPacket], None]


@dataclass(frozen=True)
class StreamInfo:
    """Properties of a source, for sinks and for people.

    `size_wh` is that of the pictures as shown: upright, with square pixels. `aspect` is the width by height that the
    source's pixels have where they lie in the shown picture: files are written with the same. `left_out` says in words
    which tracks of the source are not used.
    `fps` is the nominal rate (None if unknown), `frame_count` and `duration_s` are None where the container does
    not say. `decoder` names the decoder really used, with its device if there is one. `live` sources are paced by
    the wall clock and may be lost and return.
    """

    size_wh: tuple[int, int]
    format: PixelFormat = PixelFormat.I420
    fps: float | None = None
    codec: str = ""
    decoder: str = ""
    time_base: Fraction = Fraction(1, 90000)
    colour: Colour = Colour()
    audio: AudioInfo | None = None
    duration_s: float | None = None
    frame_count: int | None = None
    live: bool = False
    left_out: tuple[str, ...] = ()
    aspect: Fraction = Fraction(1)

    @property
    def stored_wh(self) -> tuple[int, int]:
        """Size of the upright picture with pixels of `aspect`."""
        w, h = self.size_wh
        return (round(w / self.aspect), h) if self.aspect > 1 else (w, round(h * self.aspect))
