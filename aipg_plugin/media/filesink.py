"""A guarded stream as one video file that survives a crash."""

from __future__ import annotations

import errno
import io
import logging
from collections import deque
from pathlib import Path
from typing import Any, cast

import av

from aipg_plugin.errors import GuardError, MediaError, SinkError
from aipg_plugin.frames import GuardedFrame
from aipg_plugin.media.encoder import Encoder, EncoderSpec, pick_encoder
from aipg_plugin.media.info import AudioInfo, AudioPacket, StreamInfo
from aipg_plugin.media.pictures import even, letterboxed, squeezed, to_picture
from aipg_plugin.media.storage import cannot_write
from aipg_plugin.media.timeline import Timeline
from aipg_plugin.media.urls import for_ffmpeg, local_path
from aipg_plugin.options import Audio, Output

_log = logging.getLogger(__name__)
FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".3gp": "3gp", ".3g2": "3g2", ".mkv": "matroska",
           ".ts": "mpegts", ".m2ts": "mpegts", ".mts": "mpegts", ".avi": "avi", ".flv": "flv"}
_CRASH_SAFE = {
    "mp4": {"movflags": "hybrid_fragmented+frag_keyframe+delay_moov", "flush_packets": "1"},
    "mov": {"movflags": "hybrid_fragmented+frag_keyframe+delay_moov", "flush_packets": "1"},
    "matroska": {"cluster_time_limit": "1000", "flush_packets": "1"},
}
_NOT_CARRIED = frozenset({errno.EINVAL, errno.ENOSYS})  # what FFmpeg says of tracks that a container does not take


def require_guarded(frame: object) -> GuardedFrame:
    """The gate of every sink. Raises GuardError for anything the guard did not make."""
    if not isinstance(frame, GuardedFrame):
        raise GuardError("a sink takes guarded frames only, not {kind}", kind=type(frame).__name__)
    return cast(GuardedFrame, frame)


class AudioHold:
    """Holds audio back until the picture of the same moment has been written, then releases it in order."""

    def __init__(self, limit: int = 4000) -> None:
        self._held: deque[AudioPacket] = deque(maxlen=limit)

    @property
    def first_s(self) -> float:
        """Source time of the oldest packet held; infinite if there is none."""
        return self._held[0].pts_s if self._held else float("inf")

    def add(self, packet: AudioPacket) -> None:
        """Hold one more packet; the oldest goes if pictures never come."""
        self._held.append(packet)

    def due(self, source_pts_s: float) -> list[AudioPacket]:
        """The packets up to a source time, removed."""
        out = []
        while self._held and self._held[0].pts_s <= source_pts_s:
            out.append(self._held.popleft())
        return out


def add_audio_stream(container: Any, audio: AudioInfo) -> Any:
    """Add a track that carries `audio` unchanged."""
    with av.open(io.BytesIO(audio.header)) as box:
        return container.add_stream_from_template(box.streams.audio[0])


class VideoFile:
    """One container file being written: encoder, picture track, audio track."""

    def __init__(self, path: Path, output: Output, info: StreamInfo, spec: EncoderSpec, encoder: str) -> None:
        self.path = path
        container_format = FORMATS.get(path.suffix.lower())
        if container_format is None:
            raise MediaError("{target} is no video file that can be written", path="output.target", target=str(path),
                             cure="Let the name end in " + ", ".join(FORMATS))
        self._audio: Any = None
        self._last_sound_s = -1.0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._box: Any = av.open(for_ffmpeg(path), "w", format=container_format,
                                     options=_CRASH_SAFE.get(container_format, {}))
            self.encoder = Encoder(output, spec, self._add_stream, encoder)
            if container_format == "avi":
                self.encoder.context.max_b_frames = 0  # AVI has no times for frames out of order
            if output.audio is Audio.PASS and info.audio is not None:
                self._audio = self._add_audio(info.audio, required=not info.live)
            self._box.start_encoding()
        except (av.FFmpegError, OSError) as error:
            if self._audio is not None and info.audio is not None and error.errno in _NOT_CARRIED:
                raise self._cannot_carry(info.audio) from None
            raise cannot_write(str(path), error) from None

    def _add_stream(self, name: str) -> Any:
        self._video = self._box.add_stream(name)
        return self._video.codec_context

    def _add_audio(self, audio: AudioInfo, *, required: bool) -> Any:
        try:
            if self.path.suffix.lower() == ".avi":
                raise ValueError("AVI keeps no times; sound would not stay with the picture")
            return add_audio_stream(self._box, audio)
        except (av.FFmpegError, ValueError):
            if required:
                raise self._cannot_carry(audio) from None
            _log.warning("%s cannot carry %s audio; written without", self.path.suffix, audio.codec)
            return None

    def _cannot_carry(self, audio: AudioInfo) -> MediaError:
        return MediaError("{suffix} files cannot carry {codec} audio", path="output.audio", suffix=self.path.suffix,
                          codec=audio.codec, cure="Let the name end in .mkv or .mp4, or drop the audio")

    def write(self, picture: Any, time_s: float) -> None:
        try:
            for packet in self.encoder.encode(picture, time_s):
                packet.stream = self._video
                self._box.mux(packet)
        except (av.FFmpegError, OSError) as error:
            raise cannot_write(str(self.path), error) from None

    def write_audio(self, packet: AudioPacket, time_s: float) -> None:
        if self._audio is None or time_s <= self._last_sound_s:
            return  # containers take rising times only
        self._last_sound_s = time_s
        out = av.Packet(packet.data)
        out.time_base = self._audio.time_base
        out.pts = out.dts = round(time_s / out.time_base)
        out.duration = round(packet.duration_s / out.time_base)
        out.stream = self._audio
        try:
            self._box.mux(out)
        except (av.FFmpegError, OSError) as error:
            raise cannot_write(str(self.path), error) from None

    def close(self) -> None:
        """Write what is still inside and the end of the file; the file is closed in any case."""
        try:
            try:
                for packet in self.encoder.flush():
                    packet.stream = self._video
                    self._box.mux(packet)
            finally:
                self._box.close()
        except (av.FFmpegError, OSError) as error:
            raise cannot_write(str(self.path), error) from None


class FileSink:
    """One video file, which starts at 0. As many frames come out as go in, as far apart as they came.

    A picture of another size is scaled into the first size with black bars; `encoded_size_wh` has even sides, so an
    odd picture gains a copy of its last row or column. Pixels of a file that are not square stay so: the output has the
    size and sample aspect ratio of the upright source. MP4 is written in fragments and becomes a plain file on
    `close`; MKV is flushed every second: what a crash leaves plays.
    """

    def __init__(self, output: Output, info: StreamInfo) -> None:
        self._info = info
        spec = EncoderSpec.of(info, live=False, keep_aspect=not info.live)
        self.encoder = pick_encoder(output, spec)
        self.encoded_size_wh = spec.size_wh
        self._shown_wh = even(info.size_wh)
        self.frames = 0
        self._timeline = Timeline(frame_s=1 / spec.fps, tick_s=max(float(spec.time_base), 1e-3), live=info.live)
        self._audio = AudioHold()
        self._start_s: float | None = None
        self._file: VideoFile | None = VideoFile(local_path(output.target), output, info, spec, self.encoder)

    def write(self, frame: GuardedFrame) -> None:
        """Encode and write one frame. Raises GuardError for a clear frame, MediaError if the file cannot grow."""
        guarded = require_guarded(frame)
        if self._file is None:
            raise SinkError("the file is closed")
        time_s = self._timeline.next(guarded.pts_s, guarded.wall_time_s)
        if self._start_s is None:
            self._start_s = time_s if self._info.live else min(time_s, self._audio.first_s)
        picture = squeezed(letterboxed(to_picture(guarded), self._shown_wh), self.encoded_size_wh)
        self._file.write(picture, time_s - self._start_s)
        self.frames += 1
        self._write_audio(self._file, time_s - self._timeline.offset_s)

    def _write_audio(self, file: VideoFile, until_s: float) -> None:
        shift_s = self._timeline.offset_s - (self._start_s or 0.0)
        for packet in self._audio.due(until_s):
            if packet.pts_s + shift_s >= 0 or not self._info.live:
                file.write_audio(packet, packet.pts_s + shift_s)

    def write_audio(self, packet: AudioPacket) -> None:
        """Take an audio packet; it is written once the picture of its moment is."""
        self._audio.add(packet)

    def problems(self) -> dict[str, str]:
        """A file has no parts that fail alone."""
        return {}

    def close(self) -> None:
        """Finish the file. Safe to call twice."""
        file, self._file = self._file, None
        if file is not None:
            self._write_audio(file, float("inf"))
            file.close()
