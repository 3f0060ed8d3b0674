"""A small RTSP 1.0 server (RFC 2326) for guarded H.264 streams: RTP inside the TCP connection.

Track 0 is the video. At an address that ends in `served.METADATA` there is track 1 beside it: ONVIF metadata.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from aipg_plugin.media.admission import Admission, listen
from aipg_plugin.media.auth import Authenticator
from aipg_plugin.media.encoded import EncodedStream, nal_units
from aipg_plugin.media.fanout import Chunk, Subscription, set_from_thread
from aipg_plugin.media.rtp import RtpTrack, session_description
from aipg_plugin.media.rtspmessages import (
    MAX_HEAD,
    MalformedRequestError,
    Reply,
    RtspRequest,
    parse_head,
    stream_name,
)

_log = logging.getLogger(__name__)
_METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, SET_PARAMETER, TEARDOWN"
_IDLE_S, _SEND_S, _REPORT_S, _PARAMETERS_S = 60.0, 10.0, 5.0, 8.0
_REQUEST_S = 10.0  # for a request to be complete, and for a new connection to log in
_MOST_FAILURES = 3  # wrong passwords on one connection

FindStream = Callable[[str], EncodedStream | None]


class RtspServer:
    """Serves the streams that `find` knows to the clients that `admission` lets in, who all share one encode.

    `metadata`: streams have a second address, with their metadata.
    """

    def __init__(self, find: FindStream, authenticator: Authenticator | None, admission: Admission, *,
                 metadata: bool = False) -> None:
        self._find = find
        self._metadata = metadata
        self._authenticator = authenticator
        self._admission = admission
        self._listeners: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, host: str, port: int) -> int:
        """Listen, in the running loop; returns the port (of use when `port` is 0). Raises OSError."""
        self._listeners = listen(host, port)
        for listener in self._listeners:
            task = asyncio.ensure_future(self._admission.accept(listener, self._protocol))
            self._tasks.add(task)
        return int(self._listeners[0].getsockname()[1])

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(limit=MAX_HEAD), self._serve)

    def _find_for(self, request: RtspRequest) -> EncodedStream | None:
        return None if request.metadata and not self._metadata else self._find(request.path)

    async def stop(self) -> None:
        """Stop listening and cut every connection."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for listener in self._listeners:
            listener.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        connection = _Connection(reader, writer, self._find_for, self._authenticator)
        try:
            await connection.run()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, ValueError):
            _log.debug("an RTSP client went away")
        finally:
            await connection.close()
            if task is not None:
                self._tasks.discard(task)


@dataclass
class _Track:
    """What a client gets on a pair of channels inside the connection."""

    channels: tuple[int, int]
    rtp: RtpTrack = field(default_factory=RtpTrack.of_client)
    report_s: float = 0.0

    def packets(self, number: int, chunk: Chunk) -> bytes:
        """A chunk as interleaved packets, and a report now and then."""
        packets = (self.rtp.document(chunk.data, chunk.pts) if number else
                   self.rtp.packets(nal_units(chunk.data), chunk.pts))
        parts = [_framed(self.channels[0], packet) for packet in packets]
        if time.monotonic() - self.report_s > _REPORT_S:
            self.report_s = time.monotonic()
            parts.append(_framed(self.channels[1], self.rtp.sender_report()))
        return b"".join(parts)


def _framed(channel: int, packet: bytes) -> bytes:
    return struct.pack("!cBH", b"$", channel, len(packet)) + packet


class _Connection:
    """One client's connection: its requests, and the task that sends pictures once it plays."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
                 find: Callable[[RtspRequest], EncodedStream | None], authenticator: Authenticator | None) -> None:
        self._reader, self._writer = reader, writer
        self._find = find
        peer = writer.get_extra_info("peername") or ("",)
        self._login = authenticator.connection(str(peer[0])) if authenticator is not None else None
        self._admitted = False
        self._log_in_until_s = 0.0
        self._session = ""
        self._stream: EncodedStream | None = None
        self._tracks: dict[int, _Track] = {}
        self._sender: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Answer requests until the client leaves, falls silent before playing, or is too slow."""
        self._log_in_until_s = time.monotonic() + _REQUEST_S
        while True:
            try:
                request = await self._next_request()
            except MalformedRequestError:
                self._send_reply(None, Reply(400))
                return
            if request is None:
                return
            reply = await self._answer(request)
            self._send_reply(request, reply)
            await asyncio.wait_for(self._writer.drain(), _SEND_S)
            if request.method == "TEARDOWN" or reply.status == 403:
                return
            if request.method == "PLAY" and reply.status == 200 and self._sender is None:
                self._sender = asyncio.create_task(self._send_pictures())

    async def _next_request(self) -> RtspRequest | None:
        """The next request; RTCP that clients send inside the connection is read over."""
        while True:
            first = await asyncio.wait_for(self._reader.read(1), self._patience_s())
            if not first:
                return None
            if first in b"\r\n":
                continue
            async with asyncio.timeout(_REQUEST_S):
                if first == b"$":
                    _, length = struct.unpack("!BH", await self._reader.readexactly(3))
                    await self._reader.readexactly(length)
                    continue
                try:
                    request, length = parse_head(first + await self._reader.readuntil(b"\r\n\r\n"))
                except asyncio.LimitOverrunError:
                    raise MalformedRequestError("head too long") from None
                await self._reader.readexactly(length)
            return request

    def _patience_s(self) -> float | None:
        """How long to wait for the next request: without end while playing, and not long before a log-in."""
        if self._sender is not None:
            return None
        if self._admitted:
            return _IDLE_S
        return max(0.0, self._log_in_until_s - time.monotonic())

    def _send_reply(self, request: RtspRequest | None, reply: Reply) -> None:
        sequence = request.headers.get("cseq", "0") if request is not None else "0"
        self._writer.write(reply.encoded(sequence, self._session))

    async def _answer(self, request: RtspRequest) -> Reply:
        if request.method != "OPTIONS":
            refused = self._refused(request)
            if refused is not None:
                return refused
            self._admitted = True
        match request.method:
            case "OPTIONS":
                reply = Reply(headers=(("Public", _METHODS),))
            case "DESCRIBE":
                reply = await self._describe(request)
            case "SETUP":
                reply = self._setup(request)
            case "PLAY":
                reply = self._play(request)
            case "GET_PARAMETER" | "SET_PARAMETER" | "TEARDOWN":
                reply = Reply()
            case _:
                reply = Reply(501)
        return reply

    def _refused(self, request: RtspRequest) -> Reply | None:
        """The answer to a request that may not be; None if it may."""
        login, given = self._login, request.headers.get("authorization", "")
        if login is None:
            return None
        if given and (wait_s := login.wait_s()) > 0:
            return Reply(403, (("Retry-After", str(int(wait_s) + 1)),))
        if login.ok(given, request.method, lambda uri: stream_name(uri) == request.path):
            return None
        if login.failures >= _MOST_FAILURES:
            return Reply(403)
        return Reply(401, tuple(("WWW-Authenticate", value) for value in login.challenges()))

    async def _describe(self, request: RtspRequest) -> Reply:
        stream = self._find(request)
        if stream is None:
            return Reply(404)
        stream.show_interest(_PARAMETERS_S + 5.0)
        deadline_s = time.monotonic() + _PARAMETERS_S
        while not stream.parameter_sets and time.monotonic() < deadline_s:
            await asyncio.sleep(0.02)
        if not stream.parameter_sets:
            return Reply(503)
        address = self._writer.get_extra_info("sockname")[0]
        body = session_description(stream.parameter_sets, name=stream.name, address=address,
                                   metadata=request.metadata)
        return Reply(headers=(("Content-Base", request.url.rstrip("/") + "/"),), body=body)

    def _setup(self, request: RtspRequest) -> Reply:
        stream = self._find(request)
        if stream is None:
            return Reply(404)
        if self._sender is not None or self._stream not in (None, stream):
            return Reply(455)
        if request.track and not request.metadata:
            return Reply(404)
        for offer in request.headers.get("transport", "").split(","):
            fields = offer.strip().split(";")
            if fields[0].upper() != "RTP/AVP/TCP":
                continue
            pair = next((field[12:] for field in fields if field.startswith("interleaved=")), "0-1")
            channels = re.fullmatch(r"(\d{1,3})(?:-(\d{1,3}))?", pair, re.ASCII)
            if channels is None:
                return Reply(400)
            low = int(channels[1])
            track = _Track((low & 0xFF, int(channels[2] or low + 1) & 0xFF))
            self._tracks[request.track] = track
            self._stream = stream
            self._session = self._session or secrets.token_hex(8)
            return Reply(headers=(("Transport", f"RTP/AVP/TCP;unicast;interleaved={track.channels[0]}-"
                                                f"{track.channels[1]};ssrc={track.rtp.ssrc:08X}"),))
        return Reply(461)

    def _play(self, request: RtspRequest) -> Reply:
        if self._stream is None:
            return Reply(455)
        if request.headers.get("session", "").partition(";")[0] != self._session:
            return Reply(454)
        information = ",".join(f"url={request.url.rstrip('/')}/trackID={number};seq={track.rtp.seq}"
                               for number, track in sorted(self._tracks.items()))
        return Reply(headers=(("Range", "npt=now-"), ("RTP-Info", information)))

    async def _send_pictures(self) -> None:
        """Send access units and documents as they come; a client that does not keep up is cut off."""
        stream, loop, event = self._stream, asyncio.get_running_loop(), asyncio.Event()
        if stream is None:
            return
        fanouts = {number: stream.metadata if number else stream.packets for number in self._tracks}
        subscriptions = {number: stream.subscribe(fanout, lambda: set_from_thread(loop, event))
                         for number, fanout in fanouts.items()}
        try:
            await self._pump(subscriptions, event)
        except (OSError, TimeoutError):
            _log.info("%s: an RTSP client was too slow or went away", stream.name)
        finally:
            for number, subscription in subscriptions.items():
                fanouts[number].remove(subscription)
            self._writer.close()

    async def _pump(self, subscriptions: dict[int, Subscription], event: asyncio.Event) -> None:
        while not any(subscription.closed for subscription in subscriptions.values()):
            await event.wait()
            event.clear()
            for number, subscription in subscriptions.items():
                for chunk in subscription.take():
                    self._writer.write(self._tracks[number].packets(number, chunk))
                    await asyncio.wait_for(self._writer.drain(), _SEND_S)

    async def close(self) -> None:
        """End the sender and the connection."""
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
        self._writer.close()
