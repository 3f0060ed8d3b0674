"""Where guarded frames go: the sink of one output, and which outputs share one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from aipg_plugin.credentials import redacted_url
from aipg_plugin.errors import MediaError
from aipg_plugin.frames import GuardedFrame
from aipg_plugin.media.encoded import EncodedStream
from aipg_plugin.media.info import AudioPacket, StreamInfo
from aipg_plugin.media.publish import RtspPublisher
from aipg_plugin.media.recorder import FileRecorder, SegmentRecorder
from aipg_plugin.media.urls import SourceKind, source_kind
from aipg_plugin.options import SERVED_KINDS, STORED_KINDS, Audio, Output, OutputKind

_log = logging.getLogger(__name__)


class Server(Protocol):
    """What a sink needs of a stream server."""

    def publish(self, stream: EncodedStream, *, http: bool, rtsp: bool) -> None: ...

    def withdraw(self, stream: EncodedStream) -> None: ...


class Sink(Protocol):
    """Takes guarded frames and audio of one stream, from one thread.

    `write` raises GuardError for anything else than a GuardedFrame and MediaError when the output is broken; served
    and published outputs never wait for the network. `encoder` is the one really used; `encoded_size_wh` has even
    sides. `problems` names the parts of an output that fail while it goes on as a whole.
    """

    @property
    def encoder(self) -> str: ...

    @property
    def encoded_size_wh(self) -> tuple[int, int]: ...

    @property
    def frames(self) -> int: ...

    def write(self, frame: GuardedFrame) -> None: ...

    def write_audio(self, packet: AudioPacket) -> None: ...

    def problems(self) -> Mapping[str, str]: ...

    def close(self) -> None: ...


class LiveSink:
    """The live outputs of a stream that share one encode: served over HTTP and RTSP, published to servers."""

    def __init__(self, outputs: tuple[Output, ...], info: StreamInfo, *, name: str, server: Server | None) -> None:
        kinds = {output.kind for output in outputs}
        if kinds & SERVED_KINDS and server is None:
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
        self._server = server if kinds & SERVED_KINDS else None
        if self._server is not None:
            self._server.publish(self.stream, http=OutputKind.HTTP in kinds, rtsp=OutputKind.RTSP_SERVE in kinds)
        self.publishers = tuple(RtspPublisher(self.stream, output) for output in outputs
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

    def problems(self) -> dict[str, str]:
        """Servers that cannot be published to, and why."""
        return {publisher.output.label: publisher.problem for publisher in self.publishers
                if publisher.problem}

    def close(self) -> None:
        """Stop publishing and serving."""
        for publisher in self.publishers:
            publisher.close()
        if self._server is not None:
            self._server.withdraw(self.stream)
        self.stream.close()


@dataclass(frozen=True)
class SinkPlan:
    """Outputs that share one sink: a file or folder alone, or live ones with the same encoder settings.

    `label` names them for people, without credentials.
    """

    outputs: tuple[Output, ...]

    @property
    def label(self) -> str:
        """Such as `file /rec/lobby.mp4` or `http, rtsp_serve`."""
        return ", ".join(output.label for output in self.outputs)

    def opener(self, info: StreamInfo, *, name: str, server: Server | None) -> Callable[[], Sink]:
        """What opens the sink for the stream `name` (`camera/stream`). It raises MediaError naming value and cure."""
        first = self.outputs[0]
        match first.kind:
            case OutputKind.FILE:
                return lambda: FileRecorder(first, info)
            case OutputKind.SEGMENTS:
                return lambda: SegmentRecorder(first, info)
            case _:
                return lambda: LiveSink(self.outputs, info, name=name, server=server)


def sink_plans(outputs: tuple[Output, ...]) -> list[SinkPlan]:
    """The sinks that a stream's outputs need, each file first."""
    files = [SinkPlan((output,)) for output in outputs if output.kind in STORED_KINDS]
    live: dict[Output, tuple[Output, ...]] = {}
    for output in outputs:
        if output.kind not in STORED_KINDS:
            encoder = replace(output, kind=OutputKind.HTTP, target="", segment_s=0.0, recording_mode="", keep_days=None,
                              min_free_gb=0.0)
            live[encoder] = (*live.get(encoder, ()), output)
    return [*files, *(SinkPlan(group) for group in live.values())]


def open_sink(output: Output, info: StreamInfo, *, name: str, server: Server | None = None) -> Sink:
    """Open one output of the stream `name` (`camera/stream`). Raises MediaError naming value and cure."""
    return SinkPlan((output,)).opener(info, name=name, server=server)()
