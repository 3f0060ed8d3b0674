"""One connection to a file, server or device: decoded pictures until it ends or breaks."""

from __future__ import annotations

import gc
import logging
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import Any, Protocol

import av
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.sidedata.sidedata import SideData

from aipg_plugin.credentials import redacted_url, revealed
from aipg_plugin.errors import MediaError, SourceError
from aipg_plugin.frames import PixelFormat, Planes
from aipg_plugin.media.info import AudioHandler, AudioPacket, StreamInfo
from aipg_plugin.media.pictures import colour_of, planes_of
from aipg_plugin.media.sound import sound_of
from aipg_plugin.media.tracks import choose_tracks
from aipg_plugin.media.upright import Shape
from aipg_plugin.media.urls import SourceKind, for_ffmpeg, local_path, source_kind
from aipg_plugin.options import Source

_log = logging.getLogger(__name__)
_DEVICE_FILES = {"cuda": "/dev/nvidiactl", "vaapi": "/dev/dri/renderD128", "qsv": "/dev/dri/renderD128"}
_QUICK_START = {"analyzeduration": "1500000"}  # the defaults look at five seconds first


@dataclass(frozen=True)
class Picture:
    """A decoded picture as shown: source time in seconds (None if unknown), layout, size and read-only planes."""

    pts_s: float | None
    format: PixelFormat
    size_wh: tuple[int, int]
    planes: Planes


class Session(Protocol):
    """One connection. `pictures` ends at the end of the stream and raises MediaError when it breaks."""

    info: StreamInfo

    def pictures(self, on_audio: AudioHandler | None = None) -> Iterator[Picture]: ...

    def close(self) -> None: ...


def cannot_open(url: str, why: str) -> SourceError:
    """The error for a source that cannot be opened; credentials are taken out of `url` and `why`."""
    kind = source_kind(url)
    if kind in {SourceKind.RTSP, SourceKind.NETWORK}:
        cure = "Check the address, the port, the user name and password, and that the camera is on"
    elif kind is SourceKind.WEBCAM:
        cure = "Check that the device exists and that this user may read it (group video)"
    else:
        cure = ("Give the path of a picture, a folder of pictures or a video file; one that is damaged has to be "
                "copied again from where it came")
    if url.startswith("file://"):  # a file of its own, not a setting: as it is written on the disk
        return SourceError("cannot open {url}: {why}", cure=cure, url=str(local_path(url)), why=why)
    return SourceError("cannot open {url}: {why}", path="source.url", cure=cure, url=redacted_url(url),
                       why=redacted_url(why))


def reason_of(error: Exception) -> str:
    """A short reason without addresses: the library's own words for its error code."""
    if isinstance(error, av.error.ExitError):
        return "no data in time"
    text = getattr(error, "strerror", None) or str(error)
    return redacted_url(str(text)).strip().rstrip(".")


def _empty(url: str) -> str:
    """The reason why a file without content cannot be opened; "" for everything else."""
    if source_kind(url) not in {SourceKind.RTSP, SourceKind.NETWORK, SourceKind.WEBCAM}:
        with suppress(OSError):
            return "" if os.path.getsize(local_path(url)) else "the file is empty"
    return ""


class AvSession:
    """A session on anything FFmpeg reads. The first picture is decoded at once, so `info` is what really comes.

    `decode_errors` counts the pieces that could not be decoded and were passed over.
    """

    def __init__(self, source: Source, *, live: bool) -> None:
        self._source = source
        self._live = live
        self._container: Any = None
        self._device = _hardware_device(source.hardware_decode)
        try:
            self._connect()
        except MediaError:
            if self._device is None:
                raise
            _log.warning("decoding on %s does not work here; decoding in software", self._device)
            self._device = None
            self._connect()

    @property
    def one_picture(self) -> bool:
        """Whether this is a single picture (JPEG, PNG, …) and not a video."""
        name = str(self._container.format.name)
        return name == "image2" or name.endswith("_pipe")

    def _connect(self) -> None:
        self.decode_errors = 0
        self._known_shape: tuple[object, Shape] | None = None
        self._audio_handler: AudioHandler | None = None
        self._held_audio: list[av.Packet[Any]] = []
        try:
            self._container = self._open()
        except (av.FFmpegError, OSError, ValueError, RuntimeError) as error:
            raise cannot_open(self._source.url, _empty(self._source.url) or reason_of(error)) from None
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def _open(self) -> Any:
        kind = source_kind(self._source.url)
        url, options = revealed(self._source.url), {}
        limit_s = self._source.stall_timeout_s
        timeout: tuple[float, float] | None = (limit_s, limit_s)
        if kind is SourceKind.RTSP:
            options = {"rtsp_transport": self._source.transport, "allowed_media_types": "video+audio",
                       "timeout": str(int(limit_s * 1e6)), "max_delay": "500000", **_QUICK_START}
        elif kind is SourceKind.NETWORK:
            options = {"rw_timeout": str(int(limit_s * 1e6)), **_QUICK_START}
        else:
            url, timeout = for_ffmpeg(local_path(url)), None
        hwaccel = HWAccel(self._device, allow_software_fallback=True) if self._device else None
        return av.open(url, "r", options=options, timeout=timeout, hwaccel=hwaccel)

    def _prepare(self) -> None:
        tracks = choose_tracks(self._container)
        if tracks.video is None:
            raise cannot_open(self._source.url, "it has no video")
        self._video, self._audio = tracks.video, tracks.audio
        self._sound = sound_of(tracks.audio)
        self._video.thread_type = "SLICE" if self._live else "AUTO"
        self._packets = self._container.demux(*filter(None, (self._video, self._audio)))
        self._decoded = self._decode()
        try:
            self._first = next(self._decoded, None)
            if self._first is None:
                raise cannot_open(self._source.url, "no picture in it can be decoded")
            pixel_format, _ = planes_of(self._first)
        except (av.FFmpegError, OSError) as error:
            raise cannot_open(self._source.url, reason_of(error)) from None
        self._aspects = self._video.sample_aspect_ratio, self._video.codec_context.sample_aspect_ratio
        self._only_dts = self._container.format.name == "avi" and self._video.codec_context.has_b_frames
        self.info = self._describe(self._first, pixel_format, tracks.left_out)
        if self._live and tracks.left_out:
            _log.info("%s: not used: %s", redacted_url(self._source.url), ", ".join(tracks.left_out))

    def _describe(self, first: av.VideoFrame, pixel_format: PixelFormat, left_out: tuple[str, ...]) -> StreamInfo:
        video, context = self._video, self._video.codec_context
        duration_s = None
        if video.duration is not None and video.time_base:
            duration_s = float(video.duration * video.time_base)
        elif self._container.duration:
            duration_s = self._container.duration / av.time_base
        rate = video.average_rate or video.guessed_rate
        decoder = context.codec.name + (f" ({self._device})" if self._device and context.is_hwaccel else "")
        shape = self._shape(first)
        return StreamInfo(size_wh=shape.shown_wh((first.width, first.height)), aspect=shape.shown_aspect,
                          format=pixel_format,
                          fps=float(rate) if rate else None, codec=context.codec.canonical_name, decoder=decoder,
                          time_base=video.time_base or Fraction(1, 90000), colour=colour_of(first),
                          audio=self._sound.info if self._sound else None, duration_s=duration_s,
                          frame_count=video.frames or None, live=self._live, left_out=left_out)

    def _shape(self, frame: av.VideoFrame) -> Shape:
        """How a picture is to be shown. The container's aspect holds until the coded stream changes its own."""
        shown, coded = self._aspects
        now = self._video.codec_context.sample_aspect_ratio
        aspect = shown if now == coded else now
        key = (aspect, frame.rotation, frame.width, frame.height)
        if self._known_shape is None or self._known_shape[0] != key:
            # Only when something changed: a frame whose side data was read is part of a reference cycle (PyAV 18), so
            # that its picture stays in memory until the garbage collector finds it.
            matrix = frame.side_data.get("DISPLAYMATRIX")
            self._known_shape = key, Shape.of(aspect, bytes(matrix) if isinstance(matrix, SideData) else None)
        return self._known_shape[1]

    def _decode(self) -> Iterator[av.VideoFrame]:
        last_picture_s = time.monotonic()
        for packet in self._packets:
            if packet.stream is not self._video:
                self._take_audio(packet)
                continue
            try:
                pictures = packet.decode()
            except av.error.EOFError:
                return
            except av.error.InvalidDataError:
                self.decode_errors += 1
                pictures = []
            now_s = time.monotonic()
            if pictures:
                last_picture_s = now_s
            elif self._live and now_s - last_picture_s > self._source.stall_timeout_s:
                raise SourceError("no picture for {seconds:.0f} s", seconds=now_s - last_picture_s)
            yield from pictures

    def _take_audio(self, packet: av.Packet[Any]) -> None:
        """Hand audio on; what came before the first picture was asked for waits for its taker."""
        if packet.pts is None or not packet.size or self._sound is None:
            return
        if self._audio_handler is None:
            self._held_audio = [*self._held_audio[-200:], packet]
        elif self._audio_handler is not _unheard:
            for sound in self._sound.packets(packet):
                self._audio_handler(sound)

    def pictures(self, on_audio: AudioHandler | None = None) -> Iterator[Picture]:
        """Pictures in order of time; audio packets go to `on_audio` as they come. Raises MediaError on a break."""
        self._audio_handler = on_audio or _unheard
        held, self._held_audio = self._held_audio, []
        for packet in held:
            self._take_audio(packet)
        first, self._first = self._first, None
        frames = chain(() if first is None else (first,), self._decoded)
        del first
        try:
            for frame in frames:
                yield self._picture(frame)
        except (av.FFmpegError, OSError) as error:
            raise SourceError("{url} broke off: {why}", path="source.url", url=redacted_url(self._source.url),
                             why=reason_of(error)) from None
        if self._sound is not None and on_audio is not None:
            for sound in self._sound.rest():
                on_audio(sound)

    def _picture(self, frame: av.VideoFrame) -> Picture:
        pixel_format, planes = planes_of(frame)
        stamp = frame.dts if self._only_dts else frame.pts  # AVI has no times of its own for frames out of order
        pts_s = None if stamp is None or frame.time_base is None else float(stamp * frame.time_base)
        shape, stored_wh = self._shape(frame), (frame.width, frame.height)
        return Picture(pts_s, pixel_format, shape.shown_wh(stored_wh), shape.shown(pixel_format, stored_wh, planes))

    def close(self) -> None:
        """Close the connection; safe to call twice, from the thread that reads.

        What is being read refers to this session and is let go, or the decoder's pictures stayed in memory until the
        garbage collector finds both. A picture whose side data was read is part of a cycle that cannot be broken
        (PyAV 18), and so few objects hold so much that the collector does not come by itself.
        """
        self._container.close()
        self._first = None
        self._decoded, self._packets = iter(()), iter(())
        gc.collect()


def _unheard(_packet: AudioPacket) -> None:
    """Discard a packet: no output wants the audio."""


def _hardware_device(wanted: str) -> str | None:
    """Decoding device to try: the one named, or with "auto" the first whose driver is there."""
    if wanted == "none":
        return None
    built_in = hwdevices_available()
    if wanted != "auto":
        if wanted in built_in:
            return wanted
        _log.warning("decoding on %s is not possible with this FFmpeg (it has %s); decoding in software",
                     wanted, ", ".join(built_in) or "none")
        return None
    if "videotoolbox" in built_in:
        return "videotoolbox"
    return next((name for name, path in _DEVICE_FILES.items() if name in built_in and os.path.exists(path)), None)
