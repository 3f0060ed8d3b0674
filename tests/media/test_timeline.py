"""Timestamps only go up, and good ones are left alone."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.media.timeline import Timeline

TIMES = st.one_of(st.none(), st.floats(-1e6, 1e6), st.just(math.nan), st.just(math.inf))


@given(st.lists(TIMES, max_size=40), st.booleans())
def test_always_strictly_rising_and_finite(times_s: list[float | None], live: bool) -> None:
    timeline = Timeline(frame_s=0.04, tick_s=1e-3, live=live)
    out = [timeline.next(pts_s, 1.7e9 + 0.04 * number) for number, pts_s in enumerate(times_s)]
    assert all(map(math.isfinite, out))
    assert all(later > earlier for earlier, later in pairwise(out))


@given(st.floats(0, 1e5), st.lists(st.floats(0.005, 1.0), max_size=40), st.booleans())
def test_good_times_pass_unchanged(start_s: float, steps_s: list[float], live: bool) -> None:
    timeline = Timeline(frame_s=0.04, tick_s=1e-3, live=live)
    now_s = start_s
    assert timeline.next(now_s, now_s) == now_s
    for step_s in steps_s:
        now_s += step_s
        assert timeline.next(now_s, now_s) == now_s


def test_a_repeat_moves_one_tick_and_shifts_nothing() -> None:
    timeline = Timeline(frame_s=0.04, tick_s=1e-3, live=False)
    assert [timeline.next(t, 0.0) for t in (0.0, 0.04, 0.04, 0.08)] == [0.0, 0.04, pytest.approx(0.041), 0.08]


def test_a_file_that_starts_again_goes_on_after_its_end() -> None:
    timeline = Timeline(frame_s=0.04, tick_s=1e-3, live=False)
    assert [timeline.next(t, 0.0) for t in (0.0, 5.0, 0.0, 0.04)] == pytest.approx([0.0, 5.0, 5.04, 5.08])


def test_a_gap_in_a_file_stays_a_gap() -> None:
    timeline = Timeline(frame_s=0.04, tick_s=1e-3, live=False)
    assert [timeline.next(t, 0.0) for t in (0.0, 100.0)] == [0.0, 100.0]


def test_a_live_leap_the_clock_did_not_see_is_taken_out() -> None:
    timeline = Timeline(frame_s=0.04, tick_s=1e-3, live=True)
    assert [timeline.next(t, w) for t, w in ((0.0, 50.0), (3600.0, 50.04), (3600.04, 50.08))] == pytest.approx(
        [0.0, 0.04, 0.08])


def test_a_live_gap_the_clock_saw_stays() -> None:
    timeline = Timeline(frame_s=0.04, tick_s=1e-3, live=True)
    assert [timeline.next(t, w) for t, w in ((0.0, 50.0), (30.0, 80.0))] == [0.0, 30.0]
