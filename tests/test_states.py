"""The registry of stream status: one place, told in order, and what is gone is forgotten."""

from __future__ import annotations

import threading

import pytest

from aipg_plugin.states import FULL_MOSAIC, PROBLEMS, State, StatusRegistry, StreamStatus

KEYS = (("lobby", "1"), ("lobby", "2"))


def watched(registry: StatusRegistry) -> list[tuple[str, str, str]]:
    told: list[tuple[str, str, str]] = []
    registry.watch(lambda camera, stream, status: told.append((camera, stream, status.text)))
    return told


def test_nothing_is_known_of_a_stream_that_was_not_started() -> None:
    registry = StatusRegistry(KEYS)
    assert registry.all() == {}
    assert registry.get("lobby", "1") is None
    registry.started("lobby", "1")
    assert registry.all() == {("lobby", "1"): registry.get("lobby", "1")}
    assert registry.get("lobby", "1").state is State.STARTING  # type: ignore[union-attr]


def test_only_changes_are_told() -> None:
    registry = StatusRegistry(KEYS)
    told = watched(registry)
    registry.started("lobby", "1")
    for _ in range(3):
        registry.report("lobby", "1", State.GUARDING, "figures are masked")
    registry.report("lobby", "1", State.FAILSAFE, "frozen")
    registry.started("lobby", "1")
    assert [text for *_, text in told] == ["starting", "guarding (figures are masked)", "failsafe (frozen)"]


def test_outputs_stand_beside_the_state() -> None:
    registry = StatusRegistry(KEYS)
    told = watched(registry)
    registry.report("lobby", "1", State.GUARDING)
    assert not registry.get("lobby", "1").problem  # type: ignore[union-attr]
    registry.report_outputs("lobby", "1", {"segments rec": "disk full"})
    registry.report_outputs("lobby", "1", {"segments rec": "disk full"})
    registry.report("lobby", "1", State.DEGRADED)
    status = registry.get("lobby", "1")
    assert status is not None
    assert status.problem
    assert status.text == "degraded; segments rec: disk full"
    registry.report_outputs("lobby", "1", {})
    assert not registry.get("lobby", "1").problem  # type: ignore[union-attr]
    assert len(told) == 4


def test_a_removed_stream_is_forgotten_and_its_late_reports_ignored() -> None:
    registry = StatusRegistry(KEYS)
    registry.report("lobby", "1", State.FAILSAFE, "dark")
    registry.report("lobby", "2", State.GUARDING)
    registry.keep([("lobby", "2")])
    told = watched(registry)
    registry.report("lobby", "1", State.FAILSAFE, "late")
    registry.report_outputs("lobby", "1", {"out.mp4": "late"})
    assert told == []
    assert list(registry.all()) == [("lobby", "2")]
    registry.keep(KEYS)
    registry.started("lobby", "1")
    assert registry.get("lobby", "1").state is State.STARTING  # type: ignore[union-attr]


def test_reports_of_many_threads_are_told_one_by_one() -> None:
    registry = StatusRegistry(KEYS)
    inside, most, seen = 0, 0, []

    def watcher(_camera: str, _stream: str, status: StreamStatus) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        seen.append(status)
        inside -= 1

    registry.watch(watcher)
    registry.report("lobby", "1", State.GUARDING)
    threads = [threading.Thread(target=lambda n=n: [registry.report_outputs("lobby", "1", {f"{n}": f"{i}"})
                                                    for i in range(200)]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert len(seen) == 801
    assert registry.get("lobby", "1") is seen[-1]


def test_a_watcher_that_fails_is_its_own_trouble(caplog: pytest.LogCaptureFixture) -> None:
    registry = StatusRegistry(KEYS)
    registry.watch(lambda *_: 1 / 0)  # type: ignore[func-returns-value, arg-type]
    told = watched(registry)
    registry.report("lobby", "1", State.GUARDING)
    assert len(told) == 1
    assert "could not be told" in caplog.text


def test_what_counts_as_a_problem() -> None:
    assert PROBLEMS < FULL_MOSAIC
    assert {state for state in State if StreamStatus(state).problem} == {State.FAILSAFE, State.LOST}


class Clock:
    """Time that tests move."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def flapping(states: list[tuple[State, str]], seconds: float, fps: float = 15.0) -> tuple[list[str], StatusRegistry]:
    """What is told of a stream whose frames have these states, over and over."""
    clock = Clock()
    registry = StatusRegistry(KEYS, clock=clock)
    told = watched(registry)
    for index in range(int(seconds * fps)):
        clock.now_s = 100 + index / fps
        registry.report("lobby", "1", *states[index % len(states)])
    return [text for *_, text in told], registry


def test_states_that_flap_are_told_once() -> None:
    told, registry = flapping([(State.GUARDING, ""), (State.DEGRADED, "old"), (State.GUARDING, "")], 10)
    assert told == ["guarding", "degraded (old)"]
    told, registry = flapping([(State.FAILSAFE, "late"), (State.FAILSAFE, "other"), (State.DEGRADED, "old")], 10)
    assert len(told) <= 6
    assert registry.get("lobby", "1").problem  # type: ignore[union-attr]


def test_a_better_state_counts_once_it_has_lasted() -> None:
    clock = Clock()
    registry = StatusRegistry(KEYS, clock=clock)
    told = watched(registry)
    for second, state in enumerate([State.FAILSAFE, State.GUARDING, State.DEGRADED, State.GUARDING, State.GUARDING,
                                    State.GUARDING, State.GUARDING]):
        clock.now_s = 100.0 + second
        registry.report("lobby", "1", state)
    assert [text for *_, text in told] == ["failsafe", "degraded", "guarding"]


def test_a_worse_state_and_what_the_owner_switches_count_at_once() -> None:
    registry = StatusRegistry(KEYS, clock=Clock())
    told = watched(registry)
    for state in (State.STARTING, State.GUARDING, State.DEGRADED, State.FAILSAFE, State.OFF, State.GUARDING, State.LOST,
                  State.STARTING, State.GUARDING):
        registry.report("lobby", "1", state)
    assert [text for *_, text in told] == ["starting", "guarding", "degraded", "failsafe", "off", "guarding", "lost",
                                           "starting", "guarding"]
