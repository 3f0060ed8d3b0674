"""MPEG-TS in pieces that can be handed to any number of readers."""

from __future__ import annotations

from typing import Any

import av

from aipg_plugin.media.filesink import add_audio_stream
from aipg_plugin.media.info import AudioInfo, AudioPacket

_TS_AUDIO = frozenset({"aac", "mp3", "mp2", "ac3", "opus"})


class _Collector:
    """The file the muxer writes to."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


class TsMux:
    """Muxes video packets (and audio) into MPEG-TS; tables are repeated at every picture, so any key frame starts."""

    def __init__(self, codec: str, size_wh: tuple[int, int], audio: AudioInfo | None) -> None:
        self._file = _Collector()
        self._box: Any = av.open(self._file, "w", format="mpegts", options={
            "mpegts_flags": "pat_pmt_at_frames", "flush_packets": "1", "max_interleave_delta": "200000"})
        self._video = self._box.add_mux_stream(codec, width=size_wh[0], height=size_wh[1])
        self._audio = None
        self._last_sound_s = -1.0
        if audio is not None and audio.codec in _TS_AUDIO:
            self._audio = add_audio_stream(self._box, audio)

    def video(self, data: bytes, pts: int, time_base: Any, *, key: bool) -> bytes:
        """The TS packets that carry one video packet."""
        packet = av.Packet(data)
        packet.stream, packet.time_base = self._video, time_base
        packet.pts = packet.dts = pts
        packet.is_keyframe = key
        self._box.mux(packet)
        return self._file.taken()

    def audio(self, sound: AudioPacket, time_s: float) -> bytes:
        """The TS packets that carry one audio packet; nothing if TS cannot carry its codec."""
        if self._audio is None or time_s <= self._last_sound_s:
            return b""  # the muxer takes rising times only; a source that starts again may repeat some
        self._last_sound_s = time_s
        packet = av.Packet(sound.data)
        packet.time_base = self._audio.time_base
        packet.pts = packet.dts = round(time_s / packet.time_base)
        packet.stream = self._audio
        self._box.mux(packet)
        return self._file.taken()

    def close(self) -> None:
        """Free the muxer."""
        self._box.close()
