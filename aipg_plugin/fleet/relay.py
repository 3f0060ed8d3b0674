"""A camera's stable address: what its node serves is passed on; while it has none, a masked still is shown."""

from __future__ import annotations

import base64
import contextlib
import logging
import threading
import time
import urllib.request
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import av

from aipg_plugin.errors import AipgError
from aipg_plugin.frames import GuardedFrame
from aipg_plugin.media import served
from aipg_plugin.media.encoded import CLOCK_HZ, EncodedStream
from aipg_plugin.media.info import StreamInfo
from aipg_plugin.media.session import reason_of
from aipg_plugin.options import Output

_log = logging.getLogger(__name__)
_STILL_EVERY_S = 0.2
_WATCH_EVERY_S = 0.05
_OPEN_S, _READ_S = 5.0, 3.0
_JPEG_S = 3.0
_NOBODY_S = 5.0   # the node's stream is left this long after the last reader
_PAUSE_S = 0.3


@dataclass(frozen=True)
class Feed:
    """Where the node of a camera serves: its address, and the password that only this coordinator knows."""

    host: str
    port: int
    username: str
    password: str

    @property
    def login(self) -> str:
        """The header that logs in."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


class RelayedStream(EncodedStream):
    """A served stream of which one part is encoded on a node and passed on as it comes.

    What is passed on was encoded from guarded frames by the server of a node of this fleet. `write` encodes the still,
    made by a guard of this process. Readers see one stream, with times that rise.
    """

    def __init__(self, output: Output, info: StreamInfo, *, name: str) -> None:
        super().__init__(output, info, name=name)
        self.feed: Feed | None = None
        self._live = False

    def pass_on(self, data: bytes, pts_s: float, *, key: bool, size_wh: tuple[int, int]) -> None:
        """Hand one access unit (Annex B) of the node's stream to the readers; nothing before its first key frame."""
        if not self._live and not key:
            return
        if not self._live:
            self._live = True
            self._encoder = None  # the still is encoded anew the next time
            self.parameter_sets = ()
            self.encoded_size_wh = size_wh
            self._drop_mux()
        time_s = self._timeline.next(pts_s, time.time())
        if self._start_s is None:
            self._start_s = time_s
        self.frames += 1
        self._send(data, round((time_s - self._start_s) * CLOCK_HZ), key)

    def write(self, frame: GuardedFrame) -> None:
        """The still; see `EncodedStream.write`."""
        if self._live:
            self._live = False
            self._key_wanted.set()
            self._last_key_s = 0.0
        super().write(frame)

    def forget_clear(self) -> None:
        """See `EncodedStream.forget_clear`; what came from a node may be clear or not."""
        super().forget_clear()
        self._drop_waiting()

    def jpeg(self, width_px: int = 0) -> bytes | None:
        """The node's newest picture, or the still. Any thread; may wait for the node."""
        feed = self.feed
        return (fetched(feed, self.name, width_px) if feed is not None else None) or super().jpeg(width_px)

    def next_jpeg(self, after_s: float, width_px: int = 0, timeout_s: float = 1.0) -> tuple[float, bytes | None]:
        """See `EncodedStream.next_jpeg`: while a node has the camera, a picture a second."""
        feed = self.feed
        if feed is None:
            return super().next_jpeg(after_s, width_px, timeout_s)
        wait_s = after_s + timeout_s - time.monotonic()
        if 0 < wait_s <= timeout_s:
            time.sleep(wait_s)
        data = fetched(feed, self.name, width_px)
        return time.monotonic(), data


def fetched(feed: Feed, name: str, width_px: int = 0) -> bytes | None:
    """A guarded JPEG of a stream from its node; None if it gives none."""
    url = served.http_url(feed.host, feed.port, name, "jpg") + (f"?width={width_px}" if width_px else "")
    request = urllib.request.Request(url, headers={"Authorization": feed.login})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_JPEG_S) as reply:
            return bytes(reply.read())
    except OSError:
        return None


class Relay(threading.Thread):
    """Keeps one stream going: pulls from the node while somebody reads, writes the still while there is no node.

    `still(reason)` makes a masked picture; `reason` says why no node serves the stream. Set `feed` (None: no node).
    """

    def __init__(self, stream: RelayedStream, still: Callable[[str], GuardedFrame | None]) -> None:
        super().__init__(name=f"aipg-relay-{stream.name}", daemon=True)
        self._stream = stream
        self._still = still
        self._ending = threading.Event()
        self.reason = "starting"

    @property
    def stream(self) -> RelayedStream:
        """What is served."""
        return self._stream

    def serve(self, feed: Feed | None, reason: str = "") -> None:
        """From now on pass on this, or show the still with the reason. Any thread."""
        self.reason = reason
        self._stream.feed = feed

    def stop(self) -> None:
        """End soon."""
        self._ending.set()

    def run(self) -> None:
        """Until `stop`."""
        while not self._ending.is_set():
            feed = self._stream.feed
            if feed is None:
                self._show_still(self.reason)
            elif self._stream.wanted:
                self._pull(feed)
            else:
                self._ending.wait(_WATCH_EVERY_S)
        self._stream.close()

    def _show_still(self, reason: str) -> None:
        try:
            frame = self._still(reason)
            if frame is not None:
                self._stream.write(frame)
        except AipgError as error:
            _log.error("%s: no still: %s", self._stream.name, error)
        self._ending.wait(_STILL_EVERY_S)

    def _pull(self, feed: Feed) -> None:
        """Pass the node's stream on until it breaks, the camera moves or nobody reads any more."""
        try:
            with contextlib.closing(packets_of(feed, self._stream.name)) as packets:
                left_s = time.monotonic()
                for data, pts_s, key, size_wh in packets:
                    if self._ending.is_set() or self._stream.feed != feed:
                        return
                    if self._stream.wanted:
                        left_s = time.monotonic()
                    elif time.monotonic() - left_s > _NOBODY_S:
                        return
                    self._stream.pass_on(data, pts_s, key=key, size_wh=size_wh)
            why = "the node ended it"
        except (av.FFmpegError, OSError, ValueError) as error:
            why = reason_of(error)
        _log.info("%s: the stream of the node broke off (%s)", self._stream.name, why)
        until_s = time.monotonic() + _PAUSE_S
        while time.monotonic() < until_s and not self._ending.is_set():
            self._show_still(self.reason or why)


def packets_of(feed: Feed, name: str) -> Generator[tuple[bytes, float, bool, tuple[int, int]]]:
    """The access units that a node serves: bytes, time (s), whether a key frame, size. Raises av.FFmpegError."""
    options = {"headers": f"Authorization: {feed.login}\r\n", "http_proxy": "", "analyzeduration": "500000",
               "fpsprobesize": "0", "fflags": "nobuffer"}
    with av.open(served.http_url(feed.host, feed.port, name, "ts"), options=options, timeout=(_OPEN_S, _READ_S)) as box:
        video: Any = box.streams.video[0]
        for packet in box.demux(video):
            if packet.pts is not None and packet.size:
                size_wh = video.codec_context.width, video.codec_context.height
                yield bytes(packet), float(packet.pts * packet.time_base), bool(packet.is_keyframe), size_wh
