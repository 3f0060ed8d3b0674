"""Live time: by the source's timestamps, near arrival, whatever the network and the timestamps do."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.guard.clock import BOUND_S, LiveClock, Tick
from tests.guard.scenes import frame

ONE = frame(0, size_wh=(8, 8))
SLEW = 0.2


def ticks(stamps: list[float | None], arrivals: list[float], clock: LiveClock | None = None) -> list[Tick]:
    clock = clock or LiveClock()
    return [clock.tick(replace(ONE, pts_s=pts_s, wall_time_s=arrival_s))
            for pts_s, arrival_s in zip(stamps, arrivals, strict=True)]


def in_bursts(captured: np.ndarray, every_s: float, late_s: float) -> np.ndarray:
    """Arrival times where the last `late_s` of every `every_s` arrive together."""
    within = captured % every_s
    return np.where(within < every_s - late_s, captured, captured - within + every_s) + 1e-4 * np.arange(len(captured))


@pytest.mark.parametrize("late_s", [0.5, 1.0, 1.5, 2.0])
def test_frames_that_arrive_together_keep_their_distances(late_s: float) -> None:
    captured = np.arange(600) / 25
    told = ticks(list(captured + 7000), list(1000 + in_bursts(captured, 4.0, late_s)))
    times = np.array([tick.t_s for tick in told])
    assert not any(tick.jumped for tick in told)
    assert np.abs(np.diff(times) - 1 / 25).max() < SLEW / 25 + 1e-3
    assert max(tick.uncertainty_s for tick in told) < 0.05


@pytest.mark.parametrize("late_s", [0.5, 1.5, 2.0])
def test_a_burst_at_the_start_is_corrected_slowly(late_s: float) -> None:
    captured = np.arange(500) / 25
    arrivals = np.maximum(captured, late_s) + 1e-4 * np.arange(500)
    clock = LiveClock()
    told = ticks(list(captured), list(1000 + arrivals), clock)
    times = np.array([tick.t_s for tick in told]) - 1000
    assert not any(tick.jumped for tick in told)
    assert np.diff(times).min() > (1 - SLEW) / 25 - 1e-3
    assert times[20] - captured[20] > 0.6 * late_s
    assert abs(times[-1] - arrivals[-1]) < 0.06
    assert clock.lead_s < 0.06


def test_streams_that_connect_with_different_bursts_come_together() -> None:
    captured = np.arange(500) / 25
    clocks = [LiveClock(), LiveClock()]
    for clock, late_s, epoch_s in zip(clocks, (0.3, 1.5), (0.0, 5000.0), strict=True):
        ticks(list(captured[:60] + epoch_s), list(1000 + np.maximum(captured[:60], late_s)), clock)
    assert abs(clocks[0].lead_s - clocks[1].lead_s) > 0.5  # told, so that masks can be widened by it
    last = [ticks(list(captured[60:] + epoch_s), list(1000 + captured[60:]), clock)[-1].t_s
            for clock, epoch_s in zip(clocks, (0.0, 5000.0), strict=True)]
    assert abs(last[0] - last[1]) < 0.05
    assert abs(clocks[0].lead_s - clocks[1].lead_s) < 0.05


@given(st.lists(st.tuples(st.floats(0.01, 0.3), st.floats(0, 1.9)), min_size=2, max_size=60), st.floats(-1e6, 1e6))
def test_delays_of_any_kind_never_move_frames_against_each_other(
        steps: list[tuple[float, float]], epoch_s: float) -> None:
    """Capture times and delays are arbitrary; frames arrive in order. Time runs at the source's pace within 20 %."""
    captured = np.cumsum([step for step, _ in steps])
    arrivals = np.maximum.accumulate(captured + np.array([delay for _, delay in steps]))
    told = ticks(list(captured + epoch_s), list(1e9 + arrivals))
    for (one, two), (before, after) in zip(pairwise(told), pairwise(captured), strict=True):
        if not two.jumped:
            assert abs((two.t_s - one.t_s) - (after - before)) <= SLEW * (after - before) + 2e-3


@given(st.lists(st.tuples(st.one_of(st.none(), st.floats()), st.floats(-10, 10)), min_size=2, max_size=60))
def test_time_grows_and_stays_near_arrival_whatever_the_timestamps(steps: list[tuple[float | None, float]]) -> None:
    clock, wall_s, newest_s = LiveClock(), 1e6, -np.inf
    put_back_s = 0.0
    for pts_s, step_s in steps:
        wall_s += step_s
        put_back_s += max(0.0, -step_s)
        tick = clock.tick(replace(ONE, pts_s=pts_s, wall_time_s=wall_s))
        assert np.isfinite(tick.t_s)
        assert tick.t_s > newest_s
        newest_s = tick.t_s
        assert abs(tick.t_s - wall_s) <= put_back_s + BOUND_S * (len(steps) + 1)


def test_timestamps_that_say_half_of_the_time_are_found_out() -> None:
    """A camera that stamps 25 frames a second and sends 12.5: ages would count half."""
    told = ticks(list(np.arange(600) / 25), list(1000 + np.arange(600) / 12.5))
    pace = np.diff([tick.t_s for tick in told])
    trusted = [not tick.jumped and tick.uncertainty_s < 0.35 for tick in told[1:]]
    wrong = [index for index, right in enumerate(pace > 0.9 / 12.5) if trusted[index] and not right]
    assert max(wrong) < 250  # 20 s: three breaks, and arrival counts from then on
    assert len(wrong) < 150


def test_frames_without_timestamps_are_uncertain_when_they_arrive_together() -> None:
    captured = np.arange(600) / 25
    arrivals = in_bursts(captured, 4.0, 1.0)
    told = ticks([None] * 600, list(1000 + arrivals))
    late_s = arrivals - captured
    for tick, late in zip(told[100:], late_s[100:], strict=True):
        assert tick.uncertainty_s > late - 0.25
    steady = ticks([None] * 600, list(1000 + captured + np.random.default_rng(1).uniform(0, 0.01, 600)))
    assert max(tick.uncertainty_s for tick in steady[50:]) < 0.1


def test_a_lost_source_comes_back_with_a_jump_and_on_time() -> None:
    clock = LiveClock()
    ticks(list(np.arange(50) / 25), list(1000 + np.arange(50) / 25), clock)
    clock.restart()
    again = ticks(list(100 + np.arange(50) / 25), list(1012 + np.arange(50) / 25), clock)
    assert [tick.jumped for tick in again] == [True] + [False] * 49
    assert again[-1].t_s == pytest.approx(1012 + 49 / 25, abs=0.05)
