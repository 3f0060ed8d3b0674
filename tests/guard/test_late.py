"""Plans made beside looks are made by the evidence as it was."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import pytest

from aipg_plugin.guard.late import LatePlans
from aipg_plugin.guard.planned import Planned, Waiting
from aipg_plugin.guard.release import Release
from aipg_plugin.scene.observation import Observation
from tests.guard.scenes import TruthAnalyzer, camera, frame, guard


class Plans:
    """Says what was known when each was planned, once it may."""

    def __init__(self) -> None:
        self.known, self.may = 0, threading.Event()

    def __call__(self, waiting: Iterable[Waiting]) -> list[Planned]:
        assert self.may.wait(10)
        return [cast(Planned, (one.t_s, self.known)) for one in waiting]


@pytest.fixture
def plans() -> Plans:
    return Plans()


@pytest.fixture
def late(plans: Plans) -> Iterator[LatePlans]:
    subject = LatePlans(plans)
    yield subject
    subject.close()


@dataclass(frozen=True)
class Moment:
    """Of a frame all that plans are made by here."""

    t_s: float


def frames(*moments: int) -> list[Waiting]:
    return [cast(Waiting, Moment(t_s)) for t_s in moments]


def test_what_waits_is_planned_before_anything_changes(late: LatePlans, plans: Plans) -> None:
    late.add(frames(1, 2))
    late.begin()
    late.add(frames(3))
    assert late.take() == []
    plans.may.set()
    late.end()
    plans.known = 1
    assert cast("list[object]", late.take()) == [(1, 0), (2, 0)]
    assert cast("list[object]", late.finish()) == [(3, 1)]
    assert late.finish() == []


def test_a_change_of_later_moments_waits_for_no_plan(late: LatePlans, plans: Plans) -> None:
    late.add(frames(1, 2))
    late.settle(from_s=3)
    plans.known = 1
    late.begin()
    assert late.take() == []  # nobody waited: it may not be planned yet
    plans.may.set()
    late.settle(from_s=3)
    assert cast("list[object]", late.take()) == [(1, 1), (2, 1)]
    late.add(frames(3))
    late.settle(from_s=3)
    plans.known = 2
    assert cast("list[object]", late.take()) == [(3, 1)]


def test_no_more_than_a_few_wait_where_nothing_is_looked_at(late: LatePlans, plans: Plans) -> None:
    plans.may.set()
    for number in range(100):
        late.add(frames(number))
    made = cast("list[object]", late.take())
    assert made == [(number, 0) for number in range(len(made))]
    assert len(made) > 80


def test_frames_are_planned_while_the_next_picture_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look waits until frames have been planned that were due when it began."""
    planned, real_plans, real_look = threading.Event(), Release.plans, TruthAnalyzer.look
    in_time: list[bool] = []

    def plans(self: Release, waiting: Iterable[Waiting], *, early: bool = False) -> list[Planned]:
        made = real_plans(self, waiting, early=early)
        if made:
            planned.set()
        return made

    def look(self: TruthAnalyzer, *args: Any, **more: Any) -> Observation:
        if args[1] > 1.5:
            planned.clear()
            in_time.append(planned.wait(5))
        return real_look(self, *args, **more)

    monkeypatch.setattr(Release, "plans", plans)
    monkeypatch.setattr(TruthAnalyzer, "look", look)
    stream = guard(camera(), hindsight_s=1.0).stream("1")
    with stream.planning_beside_looks():
        left = [one.frame.seq for index in range(40) for one in stream.plan(frame(index))]
        left += [one.frame.seq for one in stream.plan_rest()]
    assert all(in_time)
    assert left == list(range(40))
    assert "plan_0" not in {thread.name for thread in threading.enumerate()}
