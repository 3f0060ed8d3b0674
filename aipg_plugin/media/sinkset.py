"""All outputs of a stream, each in a thread of its own, so that none holds up or ends another."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from aipg_plugin.errors import AipgError
from aipg_plugin.frames import GuardedFrame
from aipg_plugin.media.filesink import require_guarded
from aipg_plugin.media.info import AudioPacket, StreamInfo
from aipg_plugin.media.live import Backoff
from aipg_plugin.media.session import reason_of
from aipg_plugin.media.sink import Server, Sink, sink_plans
from aipg_plugin.options import Output

_log = logging.getLogger(__name__)
_QUEUE_BYTES = 32_000_000  # six pictures of 1920 x 1920
_QUEUE_ITEMS = 100         # four seconds at 25 fps, for small pictures
_FIRST_RETRY_S = 1.0
_LAST_RETRY_S = 60.0
_PROVEN_S = 5.0            # an output that failed counts as well again after this long without a failure
_STUCK_S = 10.0
_LOOK_S = 1.0
Item = GuardedFrame | AudioPacket


@dataclass(frozen=True)
class SinkStats:
    """Counts of one output since its start; `problem` is "" while all goes well."""

    written: int
    lost: int
    failures: int
    problem: str


class SinkWorker:
    """One output: a bounded queue and a thread before a sink, which is opened again after a failure.

    `put` never waits: the oldest frame is dropped when the queue is full, and everything while the output is broken.
    The pause before each new try doubles, from 1 s to 60 s. `told` is called after every change of `problems`, on any
    thread.
    """

    def __init__(self, label: str, make: Callable[[], Sink], *, stream: str, told: Callable[[], None],
                 first_retry_s: float = _FIRST_RETRY_S) -> None:
        self.label = label
        self._make = make
        self._stream = stream
        self._told = told
        self._sink: Sink | None = None
        self._backoff = Backoff(_LAST_RETRY_S, first_retry_s)
        self._items: deque[Item] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._closing = False
        self._problem = ""
        self._inside: Mapping[str, str] = {}
        self._retry_s = self._failed_s = self._looked_s = -float("inf")
        self._busy_since_s: float | None = None
        self._written = self._lost = self._failures = 0
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"aipg-out-{stream}")
        self._thread.start()

    @property
    def problems(self) -> dict[str, str]:
        """What is wrong now, by output; empty while all goes well."""
        return {self.label: self._problem} if self._problem else dict(self._inside)

    def stats(self) -> SinkStats:
        """The counts now."""
        return SinkStats(self._written, self._lost, self._failures, self._problem)

    def put(self, item: Item) -> None:
        """Hand one frame or audio packet over. Any thread."""
        now_s = time.monotonic()
        stuck = False
        with self._changed:
            if self._closing or now_s < self._retry_s:
                self._lost += isinstance(item, GuardedFrame)
                return
            if not (isinstance(item, AudioPacket) or _left_clear(item)):
                self._drop_clear()
            self._items.append(item)
            self._bytes += _size(item)
            while len(self._items) > 1 and (self._bytes > _QUEUE_BYTES or len(self._items) > _QUEUE_ITEMS):
                self._bytes -= _size(oldest := self._items.popleft())
                self._lost += isinstance(oldest, GuardedFrame)
            stuck = self._busy_since_s is not None and now_s - self._busy_since_s > _STUCK_S
            self._changed.notify()
        if stuck and not self._problem:
            self._set_problem(f"nothing could be written for {_STUCK_S:.0f} s")

    def _drop_clear(self) -> None:
        """Drop what left the guard while it was off and still waits: it is on now."""
        before = len(self._items)
        self._items = deque(one for one in self._items if not _left_clear(one))
        if len(self._items) < before:
            self._lost += before - len(self._items)
            self._bytes = sum(map(_size, self._items))

    def stop(self) -> None:
        """Take nothing more; what waits is still written."""
        with self._changed:
            self._closing = True
            self._changed.notify()

    def join(self, timeout_s: float) -> bool:
        """Wait until the output is closed; False if it is not in time (a disk or device that hangs)."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        self._guarded(self._open)
        while (item := self._next()) is not None:
            if item and not self._guarded(partial(self._pass, item[0])):
                with self._changed:
                    self._lost += isinstance(item[0], GuardedFrame)
            self._look_inside()
        self._guarded(self._close)

    def _next(self) -> tuple[Item, ...] | None:
        """The next item in a tuple, () if none came for a while, None at the end."""
        with self._changed:
            self._busy_since_s = None
            self._changed.wait_for(lambda: self._items or self._closing, _LOOK_S)
            if not self._items:
                return None if self._closing else ()
            self._bytes -= _size(item := self._items.popleft())
            self._busy_since_s = time.monotonic()
            return (item,)

    def _guarded(self, step: Callable[[], None]) -> bool:
        """One step with the sink, and whether it went well; a failure closes it and sets the time of the next try."""
        try:
            step()
            return True
        except Exception as error:
            if not isinstance(error, AipgError):
                _log.exception("%s: output %s failed", self._stream, self.label)
            self._fail(error)
            return False

    def _open(self) -> None:
        if self._sink is None:
            self._sink = self._make()

    def _pass(self, item: Item) -> None:
        self._open()
        if self._sink is None:
            return
        if isinstance(item, AudioPacket):
            self._sink.write_audio(item)
            return
        self._sink.write(item)
        self._written += 1
        if self._problem and time.monotonic() - self._failed_s > _PROVEN_S:
            self._backoff.reset()
            self._set_problem("")

    def _close(self) -> None:
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.close()

    def _fail(self, error: Exception) -> None:
        with contextlib.suppress(Exception):  # what could not be written cannot be finished either
            self._close()
        self._failures += 1
        wait_s = self._backoff.next()
        with self._changed:
            self._lost += sum(isinstance(item, GuardedFrame) for item in self._items)
            self._items.clear()
            self._bytes = 0
            self._failed_s = time.monotonic()
            self._retry_s = self._failed_s + wait_s
        _log.info("%s: output %s: trying again in %.1f s", self._stream, self.label, wait_s)
        self._set_problem(_why(error))

    def _look_inside(self) -> None:
        """Ask the sink itself how its publishers are, once a second."""
        now_s = time.monotonic()
        if self._sink is None or now_s - self._looked_s < _LOOK_S:
            return
        self._looked_s = now_s
        inside = self._sink.problems()
        if inside != self._inside:
            self._inside = inside
            self._told()

    def _set_problem(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            self._told()


class SinkSet:
    """The outputs of one stream. `write` and `write_audio` never wait, and never fail because of an output.

    `told(problems)` is called after every change, with each failing output and the reason, on any thread. Outputs are
    opened by their own threads; one that cannot be opened is tried again like one that broke.
    """

    def __init__(self, outputs: tuple[Output, ...], info: StreamInfo, *, name: str, server: Server | None = None,
                 told: Callable[[Mapping[str, str]], None] = lambda _: None,
                 first_retry_s: float = _FIRST_RETRY_S) -> None:
        self._name = name
        self._report = told
        self._lock = threading.Lock()
        self._workers: tuple[SinkWorker, ...] = ()
        self._workers = tuple(
            SinkWorker(plan.label, plan.opener(info, name=name, server=server), stream=name, told=self._tell,
                       first_retry_s=first_retry_s) for plan in sink_plans(outputs))
        self._tell()

    def write(self, frame: GuardedFrame) -> None:
        """Hand a frame to every output. Raises GuardError for anything but a GuardedFrame."""
        guarded = require_guarded(frame)
        for worker in self._workers:
            worker.put(guarded)

    def write_audio(self, packet: AudioPacket) -> None:
        """Hand an audio packet to every output. Any thread."""
        for worker in self._workers:
            worker.put(packet)

    def problems(self) -> dict[str, str]:
        """The outputs that fail and why."""
        found: dict[str, str] = {}
        for worker in self._workers:
            found |= worker.problems
        return found

    def stats(self) -> dict[str, SinkStats]:
        """The counts of every output, by its label."""
        return {worker.label: worker.stats() for worker in self._workers}

    def close(self, timeout_s: float = 10.0) -> None:
        """Finish every output, whatever becomes of the others. Waits `timeout_s` in all for those that hang."""
        end_s = time.monotonic() + timeout_s
        for worker in self._workers:
            worker.stop()
        for worker in self._workers:
            if not worker.join(max(0.1, end_s - time.monotonic())):
                _log.error("%s: output %s hangs and was left open", self._name, worker.label)

    def _tell(self) -> None:
        with self._lock:
            self._report(self.problems())


def _left_clear(item: Item) -> bool:
    """Whether it is a frame that left while the guard was off."""
    return not isinstance(item, AudioPacket) and item.clear


def _size(item: Item) -> int:
    if isinstance(item, AudioPacket):
        return len(item.data)
    return sum(plane.nbytes for plane in item.planes)


def _why(error: Exception) -> str:
    """The error as one short reason, without what to do about it."""
    if isinstance(error, AipgError):
        problem = error.problems[0]
        return problem.message.format(**problem.params)
    return f"{type(error).__name__}: {reason_of(error)}"
