"""Where guarded frames go: `open_sink` for one output, `open_sinks` for all of a stream."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Protocol

from aipg_plugin.credentials import redacted_url
from aipg_plugin.errors import MediaError
from aipg_plugin.frames import GuardedFrame
from aipg_plugin.media.encoded import EncodedStream
from aipg_plugin.media.filesink import SegmentSink, open_file_sink
from aipg_plugin.media.info import AudioPacket, StreamInfo
from aipg_plugin.media.publish import RtspPublisher
from aipg_plugin.media.urls import SourceKind, source_kind
from aipg_plugin.options import Audio, Output, OutputKind

_log = logging.getLogger(__name__)
_SERVED = frozenset({OutputKind.HTTP, OutputKind.RTSP_SERVE})


class Server(Protocol):
    """What a sink needs of a stream server."""

    def publish(self, stream: EncodedStream, *, http: bool, rtsp: bool) -> None: ...

    def withdraw(self, stream: EncodedStream) -> None: ...


class Sink(Protocol):
    """Takes guarded frames of one stream, from one thread.

    `write` raises GuardError for anything else than a GuardedFrame and MediaError when the output is broken; served
    and published outputs never wait for the network. `encoder` is the one really used; `encoded_size_wh` has even
    sides. `write_audio` may be called from another thread.
    """

    @property
    def encoder(self) -> str: ...

    @property
    def encoded_size_wh(self) -> tuple[int, int]: ...

    @property
    def frames(self) -> int: ...

    def write(self, frame: GuardedFrame) -> None: ...

    def write_audio(self, packet: AudioPacket) -> None: ...

    def close(self) -> None: ...


class LiveSink:
    """The live outputs of a stream that share one encode: served over HTTP and RTSP, published to servers."""

    def __init__(self, outputs: tuple[Output, ...], info: StreamInfo, *, name: str, server: Server | None) -> None:
        kinds = {output.kind for output in outputs}
        if kinds & _SERVED and server is None:
            raise MediaError("output {kind} needs the stream server", path="output.kind", kind=outputs[0].kind.value,
                             cure="Give open_sink a StreamServer")
        if outputs[0].codec != "h264" and kinds & {OutputKind.RTSP_SERVE, OutputKind.RTSP_PUBLISH}:
            raise MediaError("RTSP carries H.264 only, not {codec}", path="output.codec", codec=outputs[0].codec,
                             cure="Set codec to h264, or use http for this output")
        for output in outputs:
            if output.kind is OutputKind.RTSP_PUBLISH and source_kind(output.target) is not SourceKind.RTSP:
                raise MediaError("{target} is no RTSP address", path="output.target",
                                 target=redacted_url(output.target), cure="Give an address such as rtsp://server:8554/lobby")
        if outputs[0].audio is Audio.PASS and kinds != {OutputKind.HTTP}:
            _log.warning("%s: RTSP carries the picture only; audio goes out in files and MPEG-TS", name)
        self.stream = EncodedStream(outputs[0], info, name=name)
        self._server = server if kinds & _SERVED else None
        if self._server is not None:
            self._server.publish(self.stream, http=OutputKind.HTTP in kinds, rtsp=OutputKind.RTSP_SERVE in kinds)
        self.publishers = tuple(RtspPublisher(self.stream, output.target) for output in outputs
                                if output.kind is OutputKind.RTSP_PUBLISH)

    @property
    def encoder(self) -> str:
        """Encoder in use."""
        return self.stream.encoder

    @property
    def encoded_size_wh(self) -> tuple[int, int]:
        """Size the encoder works at now."""
        return self.stream.encoded_size_wh

    @property
    def frames(self) -> int:
        """Frames taken."""
        return self.stream.frames

    def write(self, frame: GuardedFrame) -> None:
        """Encode once, hand to all; see `Sink`."""
        self.stream.write(frame)

    def write_audio(self, packet: AudioPacket) -> None:
        """See `Sink`."""
        self.stream.write_audio(packet)

    def close(self) -> None:
        """Stop publishing and serving."""
        for publisher in self.publishers:
            publisher.close()
        if self._server is not None:
            self._server.withdraw(self.stream)
        self.stream.close()


def open_sink(output: Output, info: StreamInfo, *, name: str, server: Server | None = None) -> Sink:
    """Open one output of the stream `name` (`camera/stream`). Raises MediaError naming value and cure."""
    return open_sinks((output,), info, name=name, server=server)[0]


def open_sinks(outputs: tuple[Output, ...], info: StreamInfo, *, name: str,
               server: Server | None = None) -> tuple[Sink, ...]:
    """Open all outputs of a stream; live ones with the same encoder settings share one sink and one encode.

    If one cannot be opened, those already open are closed and MediaError is raised.
    """
    sinks: list[Sink] = []
    live: dict[Output, list[Output]] = {}
    try:
        for output in outputs:
            if output.kind is OutputKind.FILE:
                sinks.append(open_file_sink(output, info))
            elif output.kind is OutputKind.SEGMENTS:
                sinks.append(SegmentSink(output, info))
            else:
                settings = replace(output, kind=OutputKind.HTTP, target="", segment_s=0.0)
                live.setdefault(settings, []).append(output)
        for group in live.values():
            sinks.append(LiveSink(tuple(group), info, name=name, server=server))
    except BaseException:
        for sink in sinks:
            sink.close()
        raise
    return tuple(sinks)
