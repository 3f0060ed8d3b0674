"""Live sources: a reader thread, the newest frame, and a way back after every loss."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from aipg_plugin.credentials import redacted_url
from aipg_plugin.errors import AipgError
from aipg_plugin.frames import Frame
from aipg_plugin.media.info import AudioHandler, AudioPacket, StreamInfo
from aipg_plugin.media.intake import Intake
from aipg_plugin.media.session import Picture, Session
from aipg_plugin.media.timeline import Timeline
from aipg_plugin.options import Source

_log = logging.getLogger(__name__)
LOST_TICK_S = 0.2
_GRACE_S = 5.0
_CLOSE_S = 0.5
_MOST_WAITING = 4  # frames between the reader and the guard: more cameras' turns than that, and the oldest is dropped


@dataclass(frozen=True)
class Lost:
    """No frames come. `first` marks the first of a loss; `since_s` counts from the last frame."""

    stream: str
    reason: str
    since_s: float
    wall_time_s: float
    first: bool


@dataclass(frozen=True)
class Returned:
    """Frames come again after a loss that took `lost_s`; `info` is what comes now."""

    stream: str
    lost_s: float
    wall_time_s: float
    info: StreamInfo


class Backoff:
    """Waiting times that double from `first_s` to `max_s`, each spread by a random half to avoid a stampede."""

    def __init__(self, max_s: float, first_s: float = 0.5) -> None:
        self._first_s = min(first_s, max_s)
        self._max_s = max_s
        self._next_s = self._first_s

    def reset(self) -> None:
        """Start small again."""
        self._next_s = self._first_s

    def next(self) -> float:
        """Seconds to wait now."""
        wait_s = self._next_s
        self._next_s = min(2 * wait_s, self._max_s)
        return wait_s * random.uniform(0.5, 1.0)


def short_reason(error: AipgError) -> str:
    """Why a source or output fails, in a few words without addresses: `connection refused`."""
    return redacted_url(str(error.problems[0].params.get("why", error)))


class LiveSource:
    """Frames of a stream that may stall, break and come back; see `VideoSource`.

    A reader thread decodes into an `Intake`; timestamps rise through every reconnect. A reader stuck beyond its
    own time-out is given up and replaced. Without `reopen`, the end of the stream is the end.
    """

    def __init__(self, session: Session, stream_id: str, source: Source, stop: threading.Event, *,
                 reopen: Callable[[], Session] | None, paced: bool = False) -> None:
        self.info = session.info
        self.on_audio: AudioHandler | None = None
        self._stream_id = stream_id
        self._source = source
        self._stop = stop
        self._closed = threading.Event()
        self._reopen = reopen
        self._paced = paced
        self._intake: Intake[Frame] = Intake(_MOST_WAITING)
        frame_s = 1 / session.info.fps if session.info.fps else 0.04
        self._timeline = Timeline(frame_s=frame_s, tick_s=1e-3, live=not paced)
        self._first_session: Session | None = session
        self._seq = 0
        self._generation = 0
        self._reason = ""
        self._activity_s = time.monotonic()
        self._lock = threading.Lock()
        self._reader: threading.Thread | None = None

    @property
    def dropped(self) -> int:
        """Frames replaced by newer ones before they were taken."""
        return self._intake.dropped

    def __enter__(self) -> LiveSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the iteration; the reader, awaited for a moment, closes its connection as soon as its read returns."""
        self._closed.set()
        self._intake.close()
        reader = self._reader
        if reader is not None and reader is not threading.current_thread():
            reader.join(_CLOSE_S)
        if self._first_session is not None:
            self._first_session.close()
            self._first_session = None

    def _done(self) -> bool:
        return self._closed.is_set() or self._stop.is_set()

    def __iter__(self) -> Iterator[Frame | Lost | Returned]:
        self._start_reader()
        last_frame_s, told = time.monotonic(), False
        while not self._done():
            frame = self._intake.get(LOST_TICK_S)
            now_s = time.monotonic()
            if frame is not None:
                if told:
                    told = False
                    yield Returned(self._stream_id, now_s - last_frame_s, time.time(), self.info)
                last_frame_s = now_s
                yield frame
            elif self._intake.closed:
                break
            else:
                reason = self._reason or self._watch(now_s, last_frame_s)
                if reason:
                    yield Lost(self._stream_id, reason, now_s - last_frame_s, time.time(), not told)
                    told = True
        self.close()

    def _watch(self, now_s: float, last_frame_s: float) -> str:
        """The stall's reason, or nothing; replaces a reader that has been stuck for too long."""
        limit_s = self._source.stall_timeout_s
        if now_s - self._activity_s > limit_s + _GRACE_S and self._reopen is not None:
            _log.warning("%s: reader stuck, starting another", self._stream_id)
            self._start_reader()
        return f"no picture for more than {limit_s:.0f} s" if now_s - last_frame_s > limit_s else ""

    def _start_reader(self) -> None:
        with self._lock:
            self._generation += 1
            generation = self._generation
            self._activity_s = time.monotonic()
            session, self._first_session = self._first_session, None
            self._reader = threading.Thread(target=self._read, args=(generation, session), daemon=True,
                                            name=f"aipg-read-{self._stream_id}")
            self._reader.start()

    def _current(self, generation: int) -> bool:
        return generation == self._generation and not self._done()

    def _read(self, generation: int, session: Session | None) -> None:
        backoff = Backoff(self._source.reconnect_max_s)
        while self._current(generation):
            try:
                if session is None:
                    session = self._connect(generation)
                    if session is None:
                        return
                if self._pump(generation, session):
                    backoff.reset()
                reason = "" if self._paced else "the stream ended"
            except AipgError as error:
                reason = short_reason(error)
            except Exception as error:  # a decoder's surprise must not end the stream for good
                reason = type(error).__name__
            finally:
                if session is not None:
                    session.close()
                    session = None
            if self._reopen is None:
                if reason:
                    _log.warning("%s: ended early: %s", self._stream_id, reason)
                break
            if self._current(generation):
                self._reason = reason
                self._pause(generation, backoff.next() if reason else 0.0, reason)
        if generation == self._generation:
            self._intake.close()

    def _connect(self, generation: int) -> Session | None:
        if self._reopen is None:
            return None
        session = self._reopen()
        if not self._current(generation):
            session.close()
            return None
        self.info = session.info
        return session

    def _pause(self, generation: int, wait_s: float, reason: str) -> None:
        if reason:
            _log.warning("%s: lost (%s); trying again in %.1f s", self._stream_id, reason, wait_s)
        until_s = time.monotonic() + wait_s
        while self._current(generation) and time.monotonic() < until_s:
            self._activity_s = time.monotonic()
            self._stop.wait(min(0.1, max(0.0, until_s - time.monotonic())))

    def _pump(self, generation: int, session: Session) -> bool:
        """Move pictures into the intake until the session ends; True if any came."""
        any_came = False
        start_s: float | None = None
        frame_s = 1 / session.info.fps if session.info.fps else 0.04
        for picture in session.pictures(self._pass_audio if self.on_audio else None):
            if not self._current(generation):
                break
            now_s = time.monotonic()
            if self._paced:
                start_s = now_s - (picture.pts_s or 0.0) if start_s is None else start_s
                due_s = start_s + (picture.pts_s if picture.pts_s is not None else now_s - start_s + frame_s)
                while (wait_s := due_s - time.monotonic()) > 0 and self._current(generation):
                    self._activity_s = time.monotonic()
                    self._stop.wait(min(wait_s, 0.2))
            any_came = True
            self._reason = ""
            self._activity_s = time.monotonic()
            self._intake.put(self._frame(picture))
        return any_came

    def _frame(self, picture: Picture) -> Frame:
        wall_s = time.time()
        frame = Frame(self._stream_id, self._seq, self._timeline.next(picture.pts_s, wall_s), wall_s,
                      picture.format, picture.size_wh, picture.planes)
        self._seq += 1
        return frame

    def _pass_audio(self, packet: AudioPacket) -> None:
        if self.on_audio is not None:
            self.on_audio(AudioPacket(packet.data, packet.pts_s + self._timeline.offset_s, packet.duration_s))
