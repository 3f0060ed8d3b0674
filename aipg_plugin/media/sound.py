"""Sound on its way through: passed on as it is, or made AAC where containers would not take it."""

from __future__ import annotations

import io
import logging
from fractions import Fraction
from typing import Any

import av

from aipg_plugin.media.info import AudioInfo, AudioPacket

_log = logging.getLogger(__name__)
_PASSED = frozenset({"aac", "mp3", "opus"})  # MP4, Matroska and MPEG-TS carry these from their first byte on
_LEAST_MP3_HZ = 16000  # MP4 has no MP3 below
_BITRATE_PER_CHANNEL = 64_000
_AAC_RATES_HZ = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)


class SoundTrack:
    """One audio track of a source: `info` for sinks, and its packets as they leave.

    G.711 and other codecs that not every container takes (`_PASSED` are the ones they do) become AAC, as does AAC
    without the parameters that MP4 and Matroska ask for. Raises ValueError or FFmpegError where neither is possible.
    """

    def __init__(self, track: Any) -> None:
        context = track.codec_context
        self._encoder: Any = None
        self._start_s: float | None = None
        template = track
        codec = context.codec.canonical_name
        bare = codec == "aac" and not context.extradata  # ADTS, as MPEG-TS carries it
        slow = codec == "mp3" and context.sample_rate < _LEAST_MP3_HZ
        if codec not in _PASSED or bare or slow:
            rate_hz = min(_AAC_RATES_HZ, key=lambda rate: abs(rate - context.sample_rate))
            self._encoder = av.CodecContext.create("aac", "w")
            self._encoder.sample_rate, self._encoder.format = rate_hz, "fltp"
            self._encoder.layout = "mono" if context.channels == 1 else "stereo"
            self._encoder.bit_rate = _BITRATE_PER_CHANNEL * min(context.channels, 2)
            self._encoder.time_base = Fraction(1, rate_hz)
            self._encoder.flags |= av.codec.context.Flags.global_header
            self._encoder.open()
            self._resampler = av.AudioResampler("fltp", self._encoder.layout, rate_hz, self._encoder.frame_size)
            context, template = self._encoder, None
        self.info = AudioInfo(context.codec.canonical_name, context.sample_rate, context.channels,
                              _header(template, context))

    def packets(self, packet: Any) -> list[AudioPacket]:
        """What leaves for one packet of the source: itself, or none or several of AAC."""
        if self._encoder is None:
            return [_leaving(packet)]
        if self._start_s is None:
            self._start_s = float(packet.pts * packet.time_base)
        try:
            return self._encoded([piece for frame in packet.decode() for piece in self._resampler.resample(frame)])
        except av.FFmpegError as error:
            _log.debug("a piece of sound could not be converted: %s", error)
            return []

    def rest(self) -> list[AudioPacket]:
        """What is still inside at the end of the track; afterwards this is of no more use."""
        if self._encoder is None:
            return []
        try:
            return self._encoded([*self._resampler.resample(None), None])
        except (av.FFmpegError, ValueError):  # the track had no sound at all
            return []

    def _encoded(self, frames: list[Any]) -> list[AudioPacket]:
        """What the encoder makes of these; its first packet, silence from before the sound began, is left out."""
        out = [_leaving(packet) for frame in frames for packet in self._encoder.encode(frame)]
        return [packet for packet in out if self._start_s is None or packet.pts_s >= self._start_s - 1e-3]


def sound_of(track: Any) -> SoundTrack | None:
    """The sound of a track; None where there is none or it cannot be passed on (which is logged)."""
    if track is None:
        return None
    try:
        return SoundTrack(track)
    except (av.FFmpegError, ValueError):
        _log.warning("audio of codec %s cannot be passed on", track.codec_context.name)
        return None


def _leaving(packet: Any) -> AudioPacket:
    base = packet.time_base
    return AudioPacket(bytes(packet), float(packet.pts * base), float((packet.duration or 0) * base))


def _header(template: Any, context: Any) -> bytes:
    """A tiny Matroska file that carries the track's parameters; without its one packet it cannot be opened."""
    header = io.BytesIO()
    with av.open(header, "w", format="matroska") as box:
        if template is not None:
            track = box.add_stream_from_template(template)
        else:
            track = box.add_stream("aac", rate=context.sample_rate, layout=context.layout)
            track.codec_context.extradata = context.extradata
        silent = av.Packet(bytes(16))
        silent.stream, silent.pts, silent.dts, silent.time_base = track, 0, 0, Fraction(1, 1000)
        box.mux(silent)
    return header.getvalue()
