"""Pushing a guarded stream to an RTSP server, for as long as it takes."""

from __future__ import annotations

import logging
import threading

from aipg_plugin.credentials import redacted_url
from aipg_plugin.errors import MediaError
from aipg_plugin.media.encoded import EncodedStream
from aipg_plugin.media.live import Backoff
from aipg_plugin.media.rtspclient import RtspRecording
from aipg_plugin.media.session import reason_of
from aipg_plugin.options import Output

_log = logging.getLogger(__name__)


class RtspPublisher:
    """Feeds one RTSP server from an EncodedStream: the server may go and come back at any time.

    It works in a thread of its own; the guard never waits for it. `connected` and `reason` say how it stands, and
    `connects` counts the connections so far. After a break it goes on at a key frame.
    """

    def __init__(self, stream: EncodedStream, output: Output, *, reconnect_max_s: float = 30.0,
                 timeout_s: float = 10.0) -> None:
        self.output = output
        self.url = output.target
        self.connected = False
        self.connects = 0
        self._failed = False
        self.reason = "not connected yet"
        self._stream = stream
        self._timeout_s = timeout_s
        self._backoff = Backoff(reconnect_max_s)
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._subscription = stream.subscribe(stream.packets, self._wake.set, skip=True)
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"aipg-publish-{stream.name}")
        self._thread.start()

    @property
    def problem(self) -> str:
        """Why the server gets nothing, after a first failure; "" before and while it does."""
        return "" if self.connected or not self._failed else self.reason

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self._publish()
            except (MediaError, OSError, ValueError) as error:
                self.reason = redacted_url(str(error) if isinstance(error, MediaError) else reason_of(error))
            self.connected = False
            self._failed = True
            if not self._closed.is_set():
                wait_s = self._backoff.next()
                _log.warning("publishing to %s: %s; trying again in %.1f s",
                             redacted_url(self.url), self.reason, wait_s)
                self._closed.wait(wait_s)

    def _publish(self) -> None:
        """One connection, from a key frame until it breaks, the size changes, or we close."""
        self._subscription.restart()
        self._stream.want_key_frame()
        recording: RtspRecording | None = None
        size_wh = (0, 0)
        try:
            while not self._closed.is_set():
                self._wake.wait(0.5)
                self._wake.clear()
                for chunk in self._subscription.take():
                    if recording is None:
                        size_wh = self._stream.encoded_size_wh
                        recording = RtspRecording(self.url, self._stream.parameter_sets, name=self._stream.name,
                                                  timeout_s=self._timeout_s)
                        self._subscription.restart()  # connecting took time: begin with what is new
                        self._stream.want_key_frame()
                        break
                    if chunk.key and size_wh != self._stream.encoded_size_wh:
                        self.reason = "the picture's size changed"
                        return
                    recording.send(chunk)
                    if not self.connected:
                        self.connected, self._failed, self.reason = True, False, ""
                        self.connects += 1
                        self._backoff.reset()
        finally:
            if recording is not None:
                recording.close()

    def close(self, timeout_s: float = 3.0) -> None:
        """Stop publishing; waits a little for the goodbye to the server."""
        self._closed.set()
        self._wake.set()
        self._stream.packets.remove(self._subscription)
        self._thread.join(timeout_s)
