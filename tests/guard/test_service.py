"""Cameras that share a few threads: who is looked at next, how fairly, and what happens when there is too much work."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aipg_plugin.guard.looks import Shown, Urgency
from aipg_plugin.guard.service import LOOK_S, DetectionService, _Waiting
from aipg_plugin.options import Sensitivity
from aipg_plugin.scene.observation import Glance
from aipg_plugin.scene.picture import LookPicture
from aipg_plugin.states import FULL_MOSAIC, State
from benchmarks.simulated import DetectorClock, SimulatedService
from tests.guard.scenes import camera, clear_share, frame, guard

PICTURE = LookPicture.of_bgr(np.zeros((4, 4, 3), np.uint8))
WAIT_S = 20.0


@dataclass
class Looks:
    """Evidence that notes its looks; `hold` lets none of them end before it is set."""

    name: str
    told: Callable[[str, float | None], None]
    hold: threading.Event | None = None
    period_s: float = 0.2
    epoch: int = 0
    says: Glance = Glance.NEWS
    glances: int = 0

    def glance(self, _picture: object, _t_s: float, _shown: Shown, _epoch: int) -> Glance:
        self.glances += 1
        return self.says

    def due(self, _t_s: float) -> bool:
        return True

    def look(self, _picture: object, _t_s: float, shown: Shown, *, budget_s: float | None = None,
             epoch: int | None = None) -> None:
        if epoch != self.epoch:
            return
        self.told(self.name, budget_s)
        if self.hold is not None:
            self.hold.wait(WAIT_S)


@dataclass
class Told:
    """What was looked at, in order."""

    names: list[str] = field(default_factory=list)
    budgets: list[float | None] = field(default_factory=list)
    came: threading.Condition = field(default_factory=threading.Condition)

    def __call__(self, name: str, budget_s: float | None) -> None:
        with self.came:
            self.names.append(name)
            self.budgets.append(budget_s)
            self.came.notify_all()

    def wait(self, count: int) -> list[str]:
        with self.came:
            assert self.came.wait_for(lambda: len(self.names) >= count, WAIT_S), self.names
            return list(self.names)


def until(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.005)


def looking_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("aipg-look")]


@pytest.mark.parametrize("threads", [1, 3])
def test_twenty_cameras_are_looked_at_by_as_many_threads_as_there_may_be(threads: int) -> None:
    before, told = len(looking_threads()), Told()
    service = DetectionService(threads)
    seats = [service.worker(Looks(str(i), told), str(i)) for i in range(20)]  # type: ignore[arg-type]
    for _ in range(5):
        for seat in seats:
            seat.offer(PICTURE, 0.0, Shown())
        assert len(looking_threads()) - before <= threads
    told.wait(20)
    service.close(WAIT_S)
    assert len(looking_threads()) == before


class Virtual:
    """A service without threads, in a time of its own: `step` is one look that takes as long as its camera's does."""

    def __init__(self, costs_s: list[float], urgencies: list[Urgency], *, by_budget: bool = False) -> None:
        self.now_s, self.by_budget = 0.0, by_budget
        self.service = DetectionService(1, clock=lambda: self.now_s)
        self.looked: list[tuple[float, str]] = []
        self.budgets: list[float | None] = []
        self.seats = [self.service.worker(Looks(str(i), lambda *_: None), str(i))  # type: ignore[arg-type]
                      for i in range(len(costs_s))]
        self.costs_s, self.urgencies = costs_s, urgencies
        self.due_s = [0.0] * len(costs_s)

    def step(self) -> None:
        with self.service._lock:
            for index, seat in enumerate(self.seats):
                if self.now_s >= self.due_s[index] and seat.waiting is None:
                    seat.waiting = waits(self.now_s, self.urgencies[index])
            taken = self.service._take()
            if taken is None:
                self.now_s += 0.01
                return
            (seat, waiting), start_s = taken, self.now_s
            index = int(seat.name)
            self.due_s[index] = start_s + 0.2
            share = self.service._share if self.by_budget else 1.0
            self.budgets.append(None if share >= 1 else share * LOOK_S)
            self.now_s += self.costs_s[index] * share
            self.looked.append((self.now_s, seat.name))
            self.service._finish(seat, waiting, start_s, None)

    def run(self, seconds: float) -> Counter[str]:
        while self.now_s < seconds:
            self.step()
        return Counter(name for _, name in self.looked)

    def longest_wait_s(self, name: str) -> float:
        times = [0.0, *(at_s for at_s, one in self.looked if one == name)]
        return float(np.diff(times).max())


def waits(now_s: float, urgency: Urgency) -> _Waiting:
    """A picture at which a glance does not do."""
    return _Waiting(PICTURE, now_s, Shown(urgency=urgency), 0, now_s, Glance.DUE)


def test_under_load_every_camera_gets_its_share() -> None:
    counts = Virtual([0.1] * 8, [Urgency.ROUTINE] * 8).run(30)
    assert max(counts.values()) - min(counts.values()) <= 1


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.floats(0.01, 0.3), st.sampled_from(list(Urgency))), min_size=2, max_size=8))
def test_no_camera_waits_for_ever_whatever_the_others_show(cameras: list[tuple[float, Urgency]]) -> None:
    """A camera is outranked at most until its age times its weight is that of the most urgent ones."""
    service = Virtual([cost for cost, _ in cameras], [urgency for _, urgency in cameras])
    service.run(40)
    round_s = sum(cost for cost, _ in cameras)
    for index, (_, urgency) in enumerate(cameras):
        assert service.longest_wait_s(str(index)) <= (max(Urgency) / urgency + 2) * (round_s + 0.2)


def test_who_walks_in_is_looked_at_before_the_routine_of_others() -> None:
    told, hold = Told(), threading.Event()
    service = DetectionService(1)
    first = service.worker(Looks("first", told, hold), "first")  # type: ignore[arg-type]
    first.offer(PICTURE, 0.0, Shown())
    told.wait(1)
    others = {name: service.worker(Looks(name, told), name) for name in ("a", "b", "newcomer", "c")}  # type: ignore[arg-type]
    for name, seat in others.items():
        seat.offer(PICTURE, 0.0, Shown(urgency=Urgency.NEWCOMER if name == "newcomer" else Urgency.ROUTINE))
    hold.set()
    assert told.wait(5)[:2] == ["first", "newcomer"]
    service.close(WAIT_S)


def test_what_shows_the_same_is_glanced_at_however_busy_the_others_are() -> None:
    """A glance takes no time; a camera of which something is due keeps its turn meanwhile."""
    told, hold = Told(), threading.Event()
    service = DetectionService(1)
    busy = service.worker(Looks("busy", told, hold), "busy")  # type: ignore[arg-type]
    busy.offer(PICTURE, 0.0, Shown(urgency=Urgency.NEWCOMER))
    told.wait(1)
    calm, due = Looks("calm", told, says=Glance.SAME), Looks("due", told, says=Glance.DUE)
    calm_seat, due_seat = (service.worker(one, one.name) for one in (calm, due))  # type: ignore[arg-type]
    for seat in (due_seat, calm_seat, busy):
        seat.offer(PICTURE, 0.2, Shown(urgency=Urgency.NEWCOMER if seat is busy else Urgency.ROUTINE))
    hold.set()
    assert told.wait(3)[1:] in (["busy", "due"], ["due", "busy"])
    until(lambda: not any(seat.in_hand for seat in (busy, calm_seat, due_seat)))
    assert (calm.glances, due.glances) == (1, 1)
    assert calm_seat.waiting is None
    assert calm_seat.wants(0.4)
    service.close(WAIT_S)


def test_more_work_than_time_shortens_looks_first_and_is_told_with_figures() -> None:
    service = Virtual([0.1] * 4, [Urgency.ROUTINE] * 4, by_budget=True)  # twice as much as there is time for
    service.run(30)
    assert service.budgets[0] is None
    settled = [budget for budget in service.budgets[-40:] if budget is not None]
    assert len(settled) == 40
    assert 0.1 * LOOK_S < min(settled) <= max(settled) < LOOK_S
    counts = Counter(name for at_s, name in service.looked if at_s > 20)
    assert min(counts.values()) >= 10 * 5 * 0.5  # and no less than half as often as they would
    service = Virtual([0.2] * 16, [Urgency.ROUTINE] * 16, by_budget=True)
    service.run(30)
    load = service.service.load()
    assert load.overloaded
    assert "overloaded" in load.text
    assert load.looks_hz > 0
    calm = Virtual([0.01] * 4, [Urgency.ROUTINE] * 4)
    calm.run(30)
    assert not calm.service.load().overloaded
    assert calm.service.load().text == ""


def test_a_camera_whose_look_hangs_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aipg_plugin.guard.service._HUNG_S", 0.05)
    told, hold = Told(), threading.Event()
    service = DetectionService(1)
    hung = service.worker(Looks("hung", told, hold), "hung")  # type: ignore[arg-type]
    other = service.worker(Looks("other", told), "other")  # type: ignore[arg-type]
    hung.offer(PICTURE, 0.0, Shown())
    told.wait(1)

    def others_go_on() -> bool:
        other.offer(PICTURE, 0.0, Shown())
        return "other" in told.names

    until(others_go_on)
    assert not hung.wants(9.0, urgent=True)
    hold.set()
    until(lambda: not hung.in_hand)
    service.close(WAIT_S)


def test_a_camera_that_leaves_is_looked_at_no_more_and_its_look_is_awaited() -> None:
    told, hold = Told(), threading.Event()
    service = DetectionService(1)
    seat = service.worker(Looks("left", told, hold), "left")  # type: ignore[arg-type]
    seat.offer(PICTURE, 0.0, Shown())
    told.wait(1)
    threading.Timer(0.05, hold.set).start()
    seat.close(WAIT_S)
    assert not seat.in_hand
    seat.offer(PICTURE, 1.0, Shown())
    assert not seat.wants(1.0, urgent=True)
    service.close(WAIT_S)
    assert told.names == ["left"]


def test_what_waits_from_before_a_break_is_never_looked_at() -> None:
    told, hold = Told(), threading.Event()
    service = DetectionService(1)
    busy = service.worker(Looks("busy", told, hold), "busy")  # type: ignore[arg-type]
    busy.offer(PICTURE, 0.0, Shown())
    told.wait(1)
    evidence = Looks("broke", told)
    seat = service.worker(evidence, "broke")  # type: ignore[arg-type]
    seat.offer(PICTURE, 0.0, Shown())
    evidence.epoch += 1
    hold.set()
    until(lambda: seat.waiting is None and not seat.in_hand)
    service.close(WAIT_S)
    assert told.names == ["busy"]


def test_a_waiting_picture_gives_way_to_a_newer_one_but_not_its_urgency() -> None:
    service = Virtual([0.1], [Urgency.ROUTINE])
    seat = service.seats[0]
    seat.in_hand = True  # so that nothing is taken
    seat.waiting = waits(0.0, Urgency.SCENE)
    seat.waiting = replace(seat.waiting, shown=Shown(new_scene=True, urgency=Urgency.SCENE))
    seat.offer(PICTURE, 0.3, Shown())
    assert seat.waiting is not None
    assert (seat.waiting.t_s, seat.waiting.shown.new_scene) == (0.3, True)
    assert seat.waiting.shown.urgency is Urgency.SCENE
    service.service.close()


@pytest.mark.parametrize("says", [Glance.NEWS, Glance.DUE])
def test_a_newer_picture_that_came_during_a_glance_is_not_lost(says: Glance) -> None:
    service = DetectionService(1)
    looked, newer = list[float](), Shown(new_scene=True, urgency=Urgency.SCENE)

    class Comes(Looks):
        def glance(self, _picture: object, _t_s: float, _shown: Shown, _epoch: int) -> Glance:
            seat.offer(PICTURE, 0.3, newer)  # asked for before the glance began
            return says

        def look(self, _picture: object, t_s: float, shown: Shown, *, budget_s: float | None = None,
                 epoch: int | None = None) -> None:
            assert shown is newer
            looked.append(t_s)

    seat = service.worker(Comes("one", Told()), "one")  # type: ignore[arg-type]
    seat.offer(PICTURE, 0.0, Shown())
    until(lambda: bool(looked) and seat.waiting is None and not seat.in_hand)
    service.close(WAIT_S)
    assert looked == [0.3]


@pytest.mark.parametrize("look_s", [0.02, 0.12, 0.2])
def test_four_cameras_of_one_slow_detector_leave_nobody_clear(look_s: float) -> None:
    """Looks take up to four times as long as there is time for: a known scene is not masked whole, nobody is clear."""
    service = SimulatedService(DetectorClock(), 1000.0, beside_s=look_s)
    guards = [guard(camera(sensitivity=Sensitivity.HIGH, lookahead_s=0.2), live=True, make_worker=service.worker)
              for _ in range(4)]
    states, clear = Counter[State](), list[str]()
    for index in range(70):
        for subject in guards:
            service.advance(1000 + index / 10)
            for guarded in subject.process(frame(index, wall_time_s=1000 + index / 10)):
                if index > 30:
                    states[guarded.state] += 1
                if clear_share(guarded, frame(guarded.seq)) > 0.15:
                    clear.append(f"{guarded.seq} {guarded.state}")
    for subject in guards:
        subject.close()
    assert not clear
    assert not any(states[state] for state in FULL_MOSAIC), states


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a priority of their own on Linux alone")
@pytest.mark.parametrize("yields", [False, True])
def test_looks_of_many_cameras_leave_the_processor_to_frames(yields: bool) -> None:
    ranks: list[int] = []
    told = Told()

    def note(name: str, budget_s: float | None) -> None:
        ranks.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        told(name, budget_s)

    service = DetectionService(1, yields=yields)
    seat = service.worker(Looks("one", note), "one")  # type: ignore[arg-type]
    seat.offer(PICTURE, 0.0, Shown())
    told.wait(1)
    service.close(WAIT_S)
    assert (ranks[0] > os.getpriority(os.PRIO_PROCESS, 0)) == yields
