"""One encode of a guarded stream, shared by everybody who watches it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import av

from aipg_plugin.errors import SinkError
from aipg_plugin.frames import GuardedFrame
from aipg_plugin.media.encoder import Encoder, EncoderSpec, pick_encoder
from aipg_plugin.media.fanout import Chunk, Fanout, Subscription
from aipg_plugin.media.filesink import AudioHold, require_guarded
from aipg_plugin.media.info import AudioPacket, StreamInfo
from aipg_plugin.media.jpeg import JpegCache
from aipg_plugin.media.pictures import even, to_picture
from aipg_plugin.media.session import reason_of
from aipg_plugin.media.timeline import Timeline
from aipg_plugin.media.tsmux import TsMux
from aipg_plugin.options import Audio, Output

CLOCK_HZ = 90_000
_SNAPSHOT_EVERY_S = 1.0
_KEY_EVERY_S = 0.5


class EncodedStream:
    """A sink that encodes each guarded frame once and fans the packets out.

    `packets` carries H.264 access units (Annex B), `ts` the same as MPEG-TS, `metadata` XML documents about the
    pictures, which others put there. Nothing is encoded while nobody listens. A new reader gets a key frame with the
    next picture. A picture of another size reopens the encoder: parameter sets are in the stream, so readers follow. A
    picture is a view of the guarded frame's buffer, which is not used again before the encoder lets go of it.
    """

    def __init__(self, output: Output, info: StreamInfo, *, name: str) -> None:
        self.name = name
        self.info = info
        self._output = output
        spec = EncoderSpec.of(info, live=True)
        self.encoder = pick_encoder(output, spec)
        self.codec = output.codec
        self.encoded_size_wh = spec.size_wh
        self.frames = 0
        self.encoded = 0
        self.packets, self.ts, self.metadata = Fanout(), Fanout(), Fanout()
        self.parameter_sets: tuple[bytes, ...] = ()
        self._spec = spec
        self._encoder: Encoder | None = None
        self._mux: TsMux | None = None
        self._timeline = Timeline(frame_s=1 / spec.fps, tick_s=1e-3, live=True)
        self._start_s: float | None = None
        self._audio = AudioHold()
        self._picture: Any = None
        self._picture_s = 0.0
        self._clear = False
        self._jpegs = JpegCache()
        self._new_picture = threading.Condition()
        self._key_wanted = threading.Event()
        self._last_key_s = 0.0
        self._interest_until_s = 0.0
        self._snapshots_until_s = 0.0
        self._closed = False

    @property
    def clients(self) -> int:
        """How many readers there are."""
        return len(self.packets) + len(self.ts)

    @property
    def wanted(self) -> bool:
        """Whether anybody reads, or is about to."""
        return bool(self.packets or self.ts) or (time.monotonic() < self._interest_until_s and not self.parameter_sets)

    def subscribe(self, fanout: Fanout, wake: Callable[[], None], **limits: Any) -> Subscription:
        """Add a reader to one of the three; see `Subscription` for `limits`."""
        subscription = Subscription(wake, **limits)
        fanout.add(subscription)
        self._key_wanted.set()
        if self._closed:
            fanout.remove(subscription)
        return subscription

    def want_key_frame(self) -> None:
        """Make the next picture a key frame (not more often than every half second)."""
        self._key_wanted.set()

    def show_interest(self, seconds: float = 5.0) -> None:
        """Encode before the first client, until `parameter_sets` are known."""
        self._interest_until_s = time.monotonic() + seconds
        self._key_wanted.set()

    def write(self, frame: GuardedFrame) -> None:
        """Encode one frame for all clients. Raises GuardError for a clear frame, SinkError if encoding fails."""
        guarded = require_guarded(frame)
        if self._closed:
            raise SinkError("the stream is closed")
        self.frames += 1
        now_s = time.monotonic()
        time_s = self._timeline.next(guarded.pts_s, guarded.wall_time_s)
        wanted, clear = self.wanted, guarded.clear
        if (not wanted and now_s - self._picture_s < _SNAPSHOT_EVERY_S and now_s > self._snapshots_until_s
                and (clear or not self._clear)):  # a clear one makes way for the first that is not
            return
        if self._clear and not clear:
            self._drop_waiting()
        picture = to_picture(guarded)
        picture.color_range = 2 if self._spec.colour.full_range else 1
        with self._new_picture:
            self._picture, self._picture_s, self._clear = picture, now_s, clear
            self._new_picture.notify_all()
        if wanted:
            self._encode(picture, guarded, time_s, now_s)

    def _encode(self, picture: Any, guarded: GuardedFrame, time_s: float, now_s: float) -> None:
        if self._encoder is None or even(guarded.size_wh) != self._spec.size_wh:
            self._reopen(guarded)
        if self._encoder is None:
            return
        if self._start_s is None:
            self._start_s = time_s
        key = self._key_wanted.is_set() and now_s - self._last_key_s > _KEY_EVERY_S
        if key:
            self._key_wanted.clear()
            self._last_key_s = now_s
        try:
            for packet in self._encoder.encode(picture, time_s - self._start_s, key=key):
                self._send(bytes(packet), round(packet.pts * packet.time_base * CLOCK_HZ), bool(packet.is_keyframe))
            self._send_audio(time_s)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise SinkError("encoder {name} failed: {why}", path="output.encoder", name=self.encoder,
                             cure="Set encoder to libx264", why=reason_of(error)) from None
        self.encoded += 1

    def _reopen(self, guarded: GuardedFrame) -> None:
        info = replace(self.info, size_wh=guarded.size_wh, format=guarded.format)
        self._spec = EncoderSpec.of(info, live=True)
        self.encoded_size_wh = self._spec.size_wh
        self._encoder = Encoder(self._output, self._spec, name=self.encoder)
        self.parameter_sets = ()

    def _send(self, data: bytes, pts: int, key: bool) -> None:
        if key:
            self.parameter_sets = parameter_sets(data, self.codec) or self.parameter_sets
        self.packets.send(Chunk(data, pts, key))
        if not self.ts:
            self._drop_mux()
            return
        if self._mux is None:
            sound = self.info.audio if self._output.audio is Audio.PASS else None
            self._mux = TsMux(self.codec, self.encoded_size_wh, sound)
        muxed = self._mux.video(data, pts, Fraction(1, CLOCK_HZ), key=key)
        if muxed:
            self.ts.send(Chunk(muxed, pts, key))

    def _send_audio(self, time_s: float) -> None:
        for sound in self._audio.due(time_s - self._timeline.offset_s):
            at_s = sound.pts_s + self._timeline.offset_s - (self._start_s or 0.0)
            muxed = self._mux.audio(sound, at_s) if self._mux is not None and at_s >= 0 else b""
            if muxed:
                self.ts.send(Chunk(muxed, round(at_s * CLOCK_HZ), False))

    def write_audio(self, packet: AudioPacket) -> None:
        """Take an audio packet; it leaves with the picture of its moment, if the output passes audio."""
        if self._output.audio is Audio.PASS:
            self._audio.add(packet)

    def jpeg(self, width_px: int = 0) -> bytes | None:
        """The newest guarded picture as JPEG, at most a second old; None before the first. Any thread."""
        with self._new_picture:
            picture, picture_s = self._picture, self._picture_s
        return self._jpegs.encode(picture, picture_s, width_px)

    def next_jpeg(self, after_s: float, width_px: int = 0, timeout_s: float = 1.0) -> tuple[float, bytes | None]:
        """Wait for a picture newer than `after_s` (monotonic); its time and JPEG, shared by all who ask for it.

        None when none comes in time. Each call keeps new pictures coming for some seconds. Any thread.
        """
        self._snapshots_until_s = time.monotonic() + 3.0
        with self._new_picture:
            self._new_picture.wait_for(lambda: self._picture_s > after_s or self._closed, timeout_s)
            picture, picture_s = self._picture, self._picture_s
        return (picture_s, self._jpegs.encode(picture, picture_s, width_px)) if picture_s > after_s else (after_s, None)

    def forget_clear(self) -> None:
        """Keep nothing that left while the guard was off: it is on now. Any thread."""
        with self._new_picture:
            clear = self._clear
            if clear:
                self._picture, self._picture_s = None, 0.0
        if clear:
            self._drop_waiting()

    def _drop_waiting(self) -> None:
        """Send nobody what they were too slow for; they go on with a key frame."""
        if self.packets.drop_waiting() + self.ts.drop_waiting():
            self._last_key_s = 0.0
            self._key_wanted.set()

    def _drop_mux(self) -> None:
        mux, self._mux = self._mux, None
        if mux is not None:
            mux.close()

    def close(self) -> None:
        """Send every reader away. Safe to call twice."""
        self._closed = True
        self.packets.close()
        self.ts.close()
        self.metadata.close()
        self._drop_mux()
        self._encoder = None
        with self._new_picture:
            self._picture = None
            self._new_picture.notify_all()


def nal_units(data: bytes) -> list[bytes]:
    """Split Annex B bytes at their start codes (ITU-T H.264 annex B.1)."""
    units = []
    start = data.find(b"\x00\x00\x01")
    while start >= 0:
        following = data.find(b"\x00\x00\x01", start + 3)
        unit = data[start + 3:following if following >= 0 else len(data)]
        unit = unit.rstrip(b"\x00") if following >= 0 else unit
        if unit:
            units.append(unit)
        start = following
    return units


def parameter_sets(data: bytes, codec: str) -> tuple[bytes, ...]:
    """SPS and PPS (VPS too for HEVC) of an access unit, in order."""
    if codec == "h264":
        return tuple(unit for unit in nal_units(data) if unit[0] & 0x1F in (7, 8))
    return tuple(unit for unit in nal_units(data) if unit[0] >> 1 & 0x3F in (32, 33, 34))
