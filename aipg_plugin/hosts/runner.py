"""One stream of the standalone host: its source opened again and again, guarded, and handed to its outputs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from aipg_plugin.errors import HostError, MediaError
from aipg_plugin.frames import Frame, GuardedFrame
from aipg_plugin.hooks import Outputs, Plugin
from aipg_plugin.media.live import LOST_TICK_S, Backoff, Lost, short_reason
from aipg_plugin.media.source import VideoSource, open_source
from aipg_plugin.options import Audio, Stream, stream_keys

_log = logging.getLogger(__name__)
_PATIENCE_S = 3.0  # a source that takes longer to open counts as lost
_PROVEN_S = 10.0   # a stream that ran this long is tried again soon when it breaks off
_NO_ANSWER = "no answer from the source yet"
Open = Callable[[threading.Event], VideoSource]


class StreamRunner(threading.Thread):
    """Runs until the source ends, `stop` is set, or the settings have the stream no more.

    A source that cannot be opened, and a fault of our own, are told as state `lost` with the reason, and tried again
    with growing pauses. The outputs stay open meanwhile.
    """

    def __init__(self, plugin: Plugin, camera: str, stream: Stream) -> None:
        super().__init__(name=f"aipg-{camera}-{stream.id}", daemon=True)
        self._plugin = plugin
        self._camera = camera
        self._stream = stream
        self._label = f"{camera}/{stream.id}"
        self._outputs: Outputs | None = None
        self.stop = threading.Event()

    def serves(self, stream: Stream) -> bool:
        """Whether this runner does what these settings of the stream ask for."""
        return self._stream.source == stream.source and self._stream.outputs == stream.outputs

    def run(self) -> None:
        """Until the source ends or `stop` is set."""
        try:
            self._try_again_and_again()
        finally:
            if self._outputs is not None:
                self._outputs.close()

    def _try_again_and_again(self) -> None:
        backoff = Backoff(self._stream.source.reconnect_max_s)
        started = False
        while not self.stop.is_set() and (self._camera, self._stream.id) in stream_keys(self._plugin.settings.cameras):
            try:
                if not started:
                    self._plugin.on_stream_start(self._camera, self._stream.id)
                    started = True
                source = self._open()
                if source is not None:
                    with source:
                        self._pass(source, backoff)
                return
            except (MediaError, HostError) as error:
                reason = short_reason(error)
                _log.error("%s: %s", self._label, error)
            except Exception as error:
                if self.stop.is_set():
                    return
                reason = f"fault of aipg: {type(error).__name__}"
                _log.exception("%s: the stream broke off by a fault", self._label)
            wait_s = backoff.next()
            _log.info("%s: trying again in %.1f s", self._label, wait_s)
            self._wait(wait_s, reason)

    def _open(self) -> VideoSource | None:
        """The source, opened in a thread of its own, since that may take long; None if stopped meanwhile."""
        opening = _Opening(self._stream, self.stop)
        opening.start()
        overdue_s = time.monotonic() + _PATIENCE_S
        while not opening.done.wait(LOST_TICK_S):
            if self.stop.is_set():
                opening.abandon()
                return None
            if time.monotonic() > overdue_s:
                self._lost(_NO_ANSWER)
        return opening.result()

    def _pass(self, source: VideoSource, backoff: Backoff) -> None:
        """Everything that comes from a source, guarded, to the outputs."""
        if self._outputs is None:
            self._outputs = self._plugin.open_outputs(self._camera, self._stream.id, source.info)
        if any(output.audio is Audio.PASS for output in self._stream.outputs):
            source.on_audio = self._outputs.write_audio
        opened_s = time.monotonic()
        for item in source:
            if isinstance(item, Frame):
                self._write(self._plugin.on_frame(self._camera, item))
                if time.monotonic() - opened_s > _PROVEN_S:
                    backoff.reset()
            elif isinstance(item, Lost):
                self._lost(item.reason)
        self._write(self._plugin.on_stream_stop(self._camera, self._stream.id))

    def _wait(self, wait_s: float, reason: str) -> None:
        end_s = time.monotonic() + wait_s
        while not self.stop.is_set() and (left_s := end_s - time.monotonic()) > 0:
            self._lost(reason)
            self.stop.wait(min(LOST_TICK_S, left_s))

    def _lost(self, reason: str) -> None:
        """Tell that no frames come, and keep the outputs alive. Total."""
        try:
            self._write(self._plugin.on_stream_lost(self._camera, self._stream.id, reason))
        except Exception:
            _log.exception("%s: the loss could not be told", self._label)

    def _write(self, frames: list[GuardedFrame]) -> None:
        for guarded in frames:
            if self._outputs is not None:
                self._outputs.write(guarded)


class _Opening(threading.Thread):
    """Opens a source; who has no more use for it abandons it, and it is closed as soon as it is open."""

    def __init__(self, stream: Stream, stop: threading.Event) -> None:
        super().__init__(name=f"aipg-open-{stream.id}", daemon=True)
        self._stream = stream
        self._stop_event = stop
        self._source: VideoSource | None = None
        self._error: BaseException | None = None
        self._abandoned = False
        self._lock = threading.Lock()
        self.done = threading.Event()

    def run(self) -> None:
        try:
            source = open_source(self._stream.source, self._stream.id, stop=self._stop_event, live=True)
            with self._lock:
                self._source = source
                if self._abandoned:
                    source.close()
        except BaseException as error:
            self._error = error
        finally:
            self.done.set()

    def abandon(self) -> None:
        """Close the source now, or as soon as it is open."""
        with self._lock:
            self._abandoned = True
            if self._source is not None:
                self._source.close()

    def result(self) -> VideoSource | None:
        """The source. Raises what opening it raised."""
        error, self._error = self._error, None
        if error is not None:
            raise error
        return self._source
