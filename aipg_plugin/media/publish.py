"""Pushing a guarded stream to an RTSP server (ANNOUNCE/RECORD over TCP)."""

from __future__ import annotations

import logging
import threading
import time
from fractions import Fraction
from typing import Any

import av

from aipg_plugin.media.encoded import CLOCK_HZ, EncodedStream
from aipg_plugin.media.fanout import Chunk
from aipg_plugin.media.live import Backoff
from aipg_plugin.media.session import reason_of
from aipg_plugin.media.urls import redacted_url

_LOG = logging.getLogger(__name__)
_STUCK_S = 15.0


class RtspPublisher:
    """Feeds one RTSP server from an EncodedStream, for ever: the server may go and come back at any time.

    It works in a thread of its own; the guard never waits for it. `connected` and `reason` say how it stands.
    A thread stuck in a write for longer than any network hiccup is given up and replaced.
    """

    def __init__(self, stream: EncodedStream, url: str, *, reconnect_max_s: float = 30.0,
                 open_timeout_s: float = 10.0) -> None:
        self.url = url
        self.connected = False
        self.connects = 0
        self.reason = "not connected yet"
        self._stream = stream
        self._reconnect_max_s = reconnect_max_s
        self._open_timeout_s = open_timeout_s
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._subscription = stream.subscribe(stream.packets, self._wake.set, skip=True)
        self._generation = 0
        self._activity_s = time.monotonic()
        self._start()

    def _start(self) -> None:
        self._generation += 1
        self._activity_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, args=(self._generation,), daemon=True,
                                        name=f"aipg-publish-{self._stream.name}")
        self._thread.start()

    def check(self) -> None:
        """Replace a thread that is stuck; called now and then by whoever owns the publisher."""
        if not self._closed.is_set() and time.monotonic() - self._activity_s > _STUCK_S + self._open_timeout_s:
            _LOG.warning("publishing to %s is stuck; starting again", redacted_url(self.url))
            self._start()

    def _current(self, generation: int) -> bool:
        return generation == self._generation and not self._closed.is_set()

    def _run(self, generation: int) -> None:
        backoff = Backoff(self._reconnect_max_s)
        while self._current(generation):
            try:
                self._publish(generation, backoff)
            except (av.FFmpegError, OSError, ValueError) as error:
                if self._current(generation):
                    self.connected, self.reason = False, redacted_url(reason_of(error))
            if self._current(generation):
                self._activity_s = time.monotonic()
                wait_s = backoff.next()
                _LOG.warning("publishing to %s: %s; trying again in %.1f s",
                             redacted_url(self.url), self.reason, wait_s)
                self._closed.wait(wait_s)

    def _publish(self, generation: int, backoff: Backoff) -> None:
        """One connection, from a key frame until it breaks, the size changes, or we close."""
        self._subscription.restart()
        self._stream.show_interest()
        size_wh, box, video = None, None, None
        try:
            while self._current(generation):
                self._wake.wait(0.5)
                self._wake.clear()
                self._activity_s = time.monotonic()
                for chunk in self._subscription.take():
                    if not self._current(generation):
                        return
                    if box is None:
                        if not chunk.key:
                            continue
                        size_wh = self._stream.encoded_size_wh
                        box = av.open(self.url, "w", format="rtsp", options={"rtsp_transport": "tcp"},
                                      timeout=(self._open_timeout_s, self._open_timeout_s))
                        video = box.add_mux_stream("h264" if self._stream.codec == "h264" else "hevc",
                                                   width=size_wh[0], height=size_wh[1])
                    elif chunk.key and size_wh != self._stream.encoded_size_wh:
                        self.reason = "the picture's size changed"
                        return
                    self._mux(box, video, chunk)
                    if not self.connected:
                        self.connected, self.reason = True, ""
                        self.connects += 1
                        backoff.reset()
        finally:
            if generation == self._generation:
                self.connected = False
            if box is not None:
                _close_quietly(box)

    def _mux(self, box: Any, video: Any, chunk: Chunk) -> None:
        packet = av.Packet(chunk.data)
        packet.stream, packet.time_base = video, Fraction(1, CLOCK_HZ)
        packet.pts = packet.dts = chunk.pts
        packet.is_keyframe = chunk.key
        box.mux(packet)
        self._activity_s = time.monotonic()

    def close(self, timeout_s: float = 3.0) -> None:
        """Stop publishing; waits a little for the goodbye to the server."""
        self._closed.set()
        self._wake.set()
        self._stream.packets.remove(self._subscription)
        self._thread.join(timeout_s)


def _close_quietly(box: Any) -> None:
    try:
        box.close()
    except (av.FFmpegError, OSError):
        _LOG.debug("the server was gone before the goodbye")
