"""Guarded streams kept on a disk while they run: one file, or a folder of segments."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from aipg_plugin.frames import GuardedFrame
from aipg_plugin.media.encoder import EncoderSpec, pick_encoder
from aipg_plugin.media.filesink import FORMATS, AudioHold, FileSink, VideoFile, require_guarded
from aipg_plugin.media.info import AudioPacket, StreamInfo
from aipg_plugin.media.pictures import even, to_picture
from aipg_plugin.media.storage import Archive, Recording, at_time, has_time
from aipg_plugin.media.timeline import Timeline
from aipg_plugin.media.urls import local_path
from aipg_plugin.options import Output

_SEGMENT_NAME = "%Y%m%dT%H%M%S.%LZ"
_CLEAN_EVERY_S = 30.0


class FileRecorder:
    """One file from now to `close`, never in the place of another: see `storage.Recording`, `storage.at_time`."""

    def __init__(self, output: Output, info: StreamInfo) -> None:
        path = Path(at_time(str(local_path(output.target)), time.time()))
        self._recording = Recording(path, int(output.recording_mode, 8), part=False)
        try:
            self._sink = FileSink(replace(output, target=str(self._recording.path)), info)
        except BaseException:
            self._recording.finish()
            raise
        self.encoder = self._sink.encoder
        self.encoded_size_wh = self._sink.encoded_size_wh

    @property
    def path(self) -> Path:
        """The file being written."""
        return self._recording.path

    @property
    def frames(self) -> int:
        """Frames written."""
        return self._sink.frames

    def write(self, frame: GuardedFrame) -> None:
        """See `Sink`."""
        self._sink.write(frame)

    def write_audio(self, packet: AudioPacket) -> None:
        """See `Sink`."""
        self._sink.write_audio(packet)

    def problems(self) -> dict[str, str]:
        """A file has no parts that fail alone."""
        return {}

    def close(self) -> None:
        """Finish the file; one without a picture is removed. Safe to call twice."""
        try:
            self._sink.close()
        finally:
            self._recording.finish()


class SegmentRecorder:
    """A folder of MKV or MP4 files, cut at a key frame every `segment_s`, named by UTC time.

    The target is a folder (MKV), `folder/*.mp4`, or a path with directives of strftime in it. A picture of another size
    starts a new file. A segment has the suffix `.part` inserted until it is finished, so that programs that collect
    segments take whole ones only. What a crash left is finished first; old segments are deleted as `keep_days` and
    `min_free_gb` say.
    """

    def __init__(self, output: Output, info: StreamInfo) -> None:
        self._output, self._info = output, info
        self._archive = Archive(segment_template(local_path(output.target)))
        self._mode = int(output.recording_mode, 8)
        spec = EncoderSpec.of(info, live=False)
        self.encoder = pick_encoder(output, spec)
        self.encoded_size_wh = spec.size_wh
        self.frames = 0
        self.segments: list[Path] = []
        self._timeline = Timeline(frame_s=1 / spec.fps, tick_s=1e-3, live=info.live)
        self._audio = AudioHold()
        self._file: VideoFile | None = None
        self._recording: Recording | None = None
        self._started_s = 0.0
        self._cleaned_s = -float("inf")
        self._trouble = ""
        self._archive.recover()
        self._clean()

    def write(self, frame: GuardedFrame) -> None:
        """Encode and write one frame, into a new file if it is time. Raises GuardError, SinkError."""
        guarded = require_guarded(frame)
        time_s = self._timeline.next(guarded.pts_s, guarded.wall_time_s)
        if self._file is None or time_s - self._started_s >= self._output.segment_s or \
                even(guarded.size_wh) != self.encoded_size_wh:
            self._new_segment(guarded, time_s)
        if self._file is not None:
            self._file.write(to_picture(guarded), time_s - self._started_s)
            for packet in self._audio.due(time_s - self._timeline.offset_s):
                at_s = packet.pts_s + self._timeline.offset_s - self._started_s
                if at_s >= 0:
                    self._file.write_audio(packet, at_s)
        self.frames += 1

    def write_audio(self, packet: AudioPacket) -> None:
        """Take an audio packet; it is written once the picture of its moment is."""
        self._audio.add(packet)

    def _new_segment(self, guarded: GuardedFrame, time_s: float) -> None:
        self.close()
        self._clean()
        info = replace(self._info, size_wh=guarded.size_wh, format=guarded.format)
        spec = EncoderSpec.of(info, live=False)
        self.encoded_size_wh, self._started_s = spec.size_wh, time_s
        path = Path(at_time(self._archive.template, guarded.wall_time_s))
        self._recording = Recording(path, self._mode, part=True)
        self._file = VideoFile(self._recording.path, self._output, info, spec, self.encoder)

    def _clean(self) -> None:
        if time.monotonic() - self._cleaned_s >= _CLEAN_EVERY_S:
            self._cleaned_s = time.monotonic()
            self._trouble = self._archive.clean(keep_days=self._output.keep_days, min_free_gb=self._output.min_free_gb)

    def problems(self) -> dict[str, str]:
        """A disk that stays too full."""
        return {self._output.label: self._trouble} if self._trouble else {}

    def close(self) -> None:
        """Finish the current segment. Safe to call twice."""
        file, self._file = self._file, None
        recording, self._recording = self._recording, None
        try:
            if file is not None:
                file.close()
        finally:
            lasting = recording.finish() if recording is not None else None
            if lasting is not None:
                self.segments.append(lasting)


def segment_template(target: Path) -> str:
    """The name template, an absolute path, that the target of a segments output means."""
    if target.name.startswith("*."):
        return str((target.parent / (_SEGMENT_NAME + target.suffix)).absolute())
    if has_time(target.name) and target.suffix.lower() in FORMATS:
        return str(target.absolute())
    return str((target / (_SEGMENT_NAME + ".mkv")).absolute())
