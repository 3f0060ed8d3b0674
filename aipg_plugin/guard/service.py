"""One detection service for a process: all cameras' looks compete for a few threads, the most urgent first."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from aipg_plugin.guard.evidence import Evidence
from aipg_plugin.guard.looks import Shown, Urgency
from aipg_plugin.scene.observation import Glance
from aipg_plugin.scene.picture import LookPicture

_log = logging.getLogger(__name__)

NICE = 5                   # of looks where there are many cameras: frames come first, looks take what is left
LOOK_S = 0.08              # of the detector's time: the most a look gets when there is too much work …
_LEAST_SHARE = 0.15        # … and this share of it the least, beside what keeps every tile in time
_LATE, _EARLY = 0.5, 0.25  # of a look period that looks wait: above it they get less time, below it more
_LESS, _MORE = 0.9, 1.05   # factors on that time after each look …
_MOST_STEPS = 3.0          # … the first several times at once where looks wait very long
_OVERDUE_S = 0.4           # since its last look: a camera's turn comes before the others' urgency, lest it fall stale
_SMOOTHING = 0.2           # share of the newest look in the averages
_HUNG_S = 5.0              # a look that takes longer gets its thread replaced, so that other cameras go on
_OVERLOADED = (0.5, 0.7)   # shares of the wanted time and rate; below either there is too much work
_TOLD_AFTER_S, _CALM_AFTER_S = 3.0, 10.0  # how long that must have been so, or not so, to be told
_WINDOW_S = 5.0            # that looks are counted over
_TEXT_S = 60.0             # that the figures in the state's reason stand
_GONE_S = 2.0              # a camera that has not asked for so long wants no looks
_NEVER_S = 10.0            # the age that counts before the first look


@dataclass(frozen=True)
class Load:
    """How much of the looking that is wanted gets done.

    `looks_hz` of `wanted_hz` a second over all cameras; `look_s` and `wait_s`: how long a look takes and has waited;
    `time_share` of the detector's time that a look would take, 1 while there is enough.
    """

    threads: int
    cameras: int
    looks_hz: float
    wanted_hz: float
    look_s: float
    wait_s: float
    time_share: float
    overloaded: bool

    @property
    def text(self) -> str:
        """The overload in a few words, with figures; "" if there is none."""
        if not self.overloaded:
            return ""
        return (f"overloaded: {self.looks_hz:.0f} of {self.wanted_hz:.0f} looks a second, "
                f"with {100 * self.time_share:.0f} % of their time")


@dataclass(frozen=True, eq=False)
class _Waiting:
    """A picture to be looked at, and its evidence's epoch; `since_s`: when its camera first asked for this look."""

    picture: LookPicture
    t_s: float
    shown: Shown
    epoch: int
    since_s: float
    glanced: Glance | None = None

    @property
    def first(self) -> bool:
        """Whether a glance may do, which takes a twentieth of a look's time."""
        return self.shown.urgency is Urgency.ROUTINE and self.glanced is None

    @property
    def urgency(self) -> Urgency:
        """What it shows."""
        return Urgency.MOVING if self.glanced is Glance.NEWS else self.shown.urgency


class DetectionService:
    """Threads that look for all cameras. A camera has one picture waiting at most, its newest, and one in hand.

    A picture that looks as the last one did is glanced at first: where nothing has changed and no tile is due, that is
    all. Taken next of the others is the picture whose camera was looked at longest ago, in periods, times the weight of
    what it shows (`looks.Urgency`), and before all these, the oldest first, those whose last look or glance is 0.4 s
    ago: under load every camera's rate falls and none waits for ever. When looks wait, they also get less of the
    detector's time: first they leave out what is looked at twice, then places that have changed, which are covered
    (`detection.schedule`). So a look takes no longer for being rare. Any thread may call.

    `threads` is their number while no look hangs. `ends_alone`: closes when the last camera leaves. `yields`: its
    threads leave the processor to others, where the system lets threads differ (Linux).
    """

    def __init__(self, threads: int, *, ends_alone: bool = False, yields: bool = False,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self.threads = max(1, threads)
        self._yields = yields
        self.now_s = clock
        self._ends_alone = ends_alone
        self._lock = threading.Lock()
        self._asked = threading.Condition(self._lock)
        self._answered = threading.Condition(self._lock)
        self._seats: list[CameraWorker] = []
        self._pool: dict[threading.Thread, float | None] = {}  # each thread, and since when it has been looking
        self._stop = False
        self._share = 1.0
        self._late = self._look_s = self._wait_s = 0.0
        self._done: deque[float] = deque(maxlen=4096)
        self._overloaded = False
        self._otherwise_since_s: float | None = None
        self._overload, self._overload_s = "", -float("inf")

    def worker(self, evidence: Evidence, name: str) -> CameraWorker:
        """A camera joins; it leaves by closing what it gets here."""
        seat = CameraWorker(self, evidence, name)
        with self._lock:
            self._seats.append(seat)
        return seat

    def load(self) -> Load:
        """How it goes."""
        now_s = self.now_s()
        with self._lock:
            wanted_hz = sum(1 / seat.evidence.period_s for seat in self._seats if now_s - seat.asked_s < _GONE_S)
            done = sum(at_s > now_s - _WINDOW_S for at_s in self._done)
            return Load(self.threads, len(self._seats), round(done / _WINDOW_S, 1), round(wanted_hz, 1),
                        round(self._look_s, 4), round(self._wait_s, 4), round(self._share, 2), self._overloaded)

    @property
    def overload(self) -> str:
        """The overload in a few words, whose figures stand for a minute; "" while there is none."""
        if not self._overloaded:
            self._overload = ""
        elif not self._overload or self.now_s() - self._overload_s > _TEXT_S:
            self._overload, self._overload_s = self.load().text, self.now_s()
        return self._overload

    @property
    def budget_s(self) -> float:
        """The detector's time that a look gets now."""
        return LOOK_S * self._share

    def offer(self, seat: CameraWorker, waiting: _Waiting) -> None:
        """A camera's picture; it takes the place of the one that waits."""
        with self._lock:
            if seat.closed or self._stop:
                return
            if (before := seat.waiting) is not None:
                shown = replace(waiting.shown, new_scene=waiting.shown.new_scene or before.shown.new_scene,
                                urgency=max(waiting.shown.urgency, before.shown.urgency))
                waiting = replace(waiting, shown=shown, since_s=before.since_s)
            seat.waiting = waiting
            self._staff()
            self._asked.notify()

    def leave(self, seat: CameraWorker, timeout_s: float) -> None:
        """A camera leaves: what waits is dropped, the look in hand awaited for `timeout_s`."""
        with self._lock:
            seat.closed, seat.waiting = True, None
            if seat in self._seats:
                self._seats.remove(seat)
            if self._ends_alone and not self._seats:
                self._stop = True
                self._asked.notify_all()
            if timeout_s > 0:
                self._answered.wait_for(lambda: not seat.in_hand, timeout_s)
            ended = self._stop
        if ended:
            self._join(timeout_s)

    def close(self, timeout_s: float = 0.0) -> None:
        """Look no more. Waits `timeout_s` for the looks in hand; the threads are daemons."""
        with self._lock:
            self._stop = True
            self._asked.notify_all()
        self._join(timeout_s)

    def _join(self, timeout_s: float) -> None:
        """Wait for the threads: one that still ran while Python ends would abort the process."""
        end_s = time.monotonic() + timeout_s
        for thread in list(self._pool):
            if thread is not threading.current_thread() and timeout_s > 0:
                thread.join(max(0.0, end_s - time.monotonic()))

    def _run(self) -> None:
        me = threading.current_thread()
        if self._yields and sys.platform == "linux":
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        while True:
            with self._lock:
                while self._serves(me) and (taken := self._take()) is None:
                    self._asked.wait()
                if not self._serves(me):
                    return
                assert taken is not None
                seat, waiting = taken
                start_s = self._pool[me] = self.now_s()
                budget_s = self.budget_s
            glance = None
            try:
                glance = self._look(seat, waiting, budget_s)
            except Exception:  # one camera's fault is its own
                _log.exception("camera %s: a look failed", seat.name)
            with self._lock:
                if me in self._pool:
                    self._pool[me] = None
                self._finish(seat, waiting, start_s, glance)
            del waiting, taken

    @staticmethod
    def _look(seat: CameraWorker, waiting: _Waiting, budget_s: float) -> Glance | None:
        """Glance at a picture, or look at it where that does not do."""
        if waiting.first:
            return seat.evidence.glance(waiting.picture, waiting.t_s, waiting.shown, waiting.epoch)
        seat.evidence.look(waiting.picture, waiting.t_s, waiting.shown, budget_s=budget_s, epoch=waiting.epoch)
        return None

    def _serves(self, thread: threading.Thread) -> bool:
        return not self._stop and thread in self._pool

    def _staff(self) -> None:
        """See that there are as many threads as there should be and none of them hangs."""
        now_s = self.now_s()
        for thread in [one for one, since_s in self._pool.items() if since_s is not None and now_s - since_s > _HUNG_S]:
            _log.warning("a look has taken more than %.0f s; another thread goes on with the other cameras", _HUNG_S)
            del self._pool[thread]  # it ends when its look does
        while len(self._pool) < min(self.threads, len(self._seats)):
            thread = threading.Thread(target=self._run, name=f"aipg-look-{len(self._pool)}", daemon=True)
            self._pool[thread] = None
            thread.start()

    def _take(self) -> tuple[CameraWorker, _Waiting] | None:
        """The most urgent picture, which is now in hand; None while none waits."""
        now_s = self.now_s()
        ready = [(seat, seat.waiting) for seat in self._seats if seat.waiting is not None and not seat.in_hand]
        if not ready:
            return None
        seat, waiting = max(ready, key=lambda one: one[0].rank(now_s, one[1]))
        seat.waiting, seat.in_hand = None, True
        if not waiting.first:
            self._measure(now_s - max(waiting.since_s, seat.glanced_s), seat.evidence.period_s, now_s)
            seat.begun_s = now_s
        return seat, waiting

    def _finish(self, seat: CameraWorker, waiting: _Waiting, start_s: float, glance: Glance | None) -> None:
        """A look, or a `glance`, is over; where that does not do the picture waits to be looked at."""
        now_s = self.now_s()
        seat.in_hand = False
        if glance is None:
            took_s = now_s - start_s
            self._look_s += _SMOOTHING * (took_s - self._look_s) if self._done else took_s
        elif glance is not Glance.NEWS:
            seat.glanced_s = now_s
        if glance in (Glance.NEWS, Glance.DUE) and not seat.closed and not self._stop:
            if seat.waiting is None:  # else a newer one came meanwhile, which is compared with the same
                seat.waiting = replace(waiting, glanced=glance)
            self._asked.notify()
        else:
            self._done.append(now_s)
        self._answered.notify_all()

    def _measure(self, wait_s: float, period_s: float, now_s: float) -> None:
        """Give late looks less time and others more, and tell an overload that lasts."""
        self._wait_s += _SMOOTHING * (wait_s - self._wait_s)
        self._late += _SMOOTHING * (wait_s / period_s - self._late)
        if self._late > _LATE:
            self._share = max(_LEAST_SHARE, self._share * _LESS ** min(self._late / _LATE, _MOST_STEPS))
        elif self._late < _EARLY:
            self._share = min(1.0, self._share * _MORE)
        too_much = self._share < _OVERLOADED[0] or 1 / (1 + self._late) < _OVERLOADED[1]
        if too_much == self._overloaded:
            self._otherwise_since_s = None
        elif self._otherwise_since_s is None:
            self._otherwise_since_s = now_s
        elif now_s - self._otherwise_since_s > (_TOLD_AFTER_S if too_much else _CALM_AFTER_S):
            self._overloaded, self._otherwise_since_s = too_much, None
            if too_much:
                _log.warning("there are more cameras or people than the processor can look at: looks are rarer and "
                             "sweeps take longer. Give some cameras a smaller stream, set models.tier to small, lower "
                             "detect_hz, or use another machine")


class CameraWorker:
    """One camera's place in the service (`observer.LookWorker`)."""

    def __init__(self, service: DetectionService, evidence: Evidence, name: str) -> None:
        self._service, self.evidence, self.name = service, evidence, name
        self.waiting: _Waiting | None = None
        self.in_hand = self.closed = False
        self.begun_s = self.glanced_s = self.asked_s = -float("inf")  # its last look, last glance, last question

    def wants(self, t_s: float, *, urgent: bool = False) -> bool:
        """Whether to `offer` a picture of this time: if one is due or urgent and none in hand.

        Where one waits already, another is wanted once that one is a period old.
        """
        self.asked_s = self._service.now_s()
        if self.in_hand or self.closed:
            return False
        waiting = self.waiting
        if waiting is None:
            return urgent or self.evidence.due(t_s)
        return (urgent and not waiting.shown.new_scene) or t_s - waiting.t_s >= self.evidence.period_s

    def offer(self, picture: LookPicture, t_s: float, shown: Shown) -> None:
        """Hand over a picture that the service may keep."""
        self._service.offer(self, _Waiting(picture, t_s, shown, self.evidence.epoch,
                                            self._service.now_s()))

    def close(self, timeout_s: float = 0.0) -> None:
        """Leave the service."""
        self._service.leave(self, timeout_s)

    def rank(self, now_s: float, waiting: _Waiting) -> tuple[bool, float, float]:
        """What decides whose turn it is, the largest first: whether a glance may do, how long overdue, and periods
        since the last look times urgency.
        """
        age_s = min(now_s - self.begun_s, _NEVER_S)
        stale_s = min(age_s, now_s - self.glanced_s)
        overdue_s = stale_s if waiting.first or stale_s > _OVERDUE_S else 0.0
        return waiting.first, overdue_s, age_s / self.evidence.period_s * waiting.urgency


def alone(evidence: Evidence, name: str) -> CameraWorker:
    """A service of one thread for one camera."""
    return DetectionService(1, ends_alone=True).worker(evidence, name)


def usable_cores() -> int:
    """The processor's cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def spare_threads() -> int:
    """How many threads may look beside the video: one for each core but one."""
    return max(1, usable_cores() - 1)
