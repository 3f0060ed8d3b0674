"""The state table, exhaustively."""

from itertools import product

import pytest

from aipg_plugin.guard.policy import Age, Facts, age_of, decide, under_load
from aipg_plugin.states import FULL_MOSAIC, State

EVERY = [Facts(enabled, frames, doubt, swept, age) for enabled, frames, doubt, swept, age in
         product((True, False), (True, False), ("", "too dark"), (True, False), Age)]


@pytest.mark.parametrize("facts", EVERY, ids=str)
def test_every_combination_has_one_state(facts: Facts) -> None:
    state, reason = decide(facts)
    if not facts.enabled:
        assert state is State.OFF
    elif not facts.frames:
        assert state is State.LOST
    elif facts.doubt:
        assert (state, reason) == (State.FAILSAFE, facts.doubt)
    elif not facts.swept:
        assert state is State.STARTING
    else:
        assert state is {Age.FRESH: State.GUARDING, Age.OLD: State.DEGRADED, Age.STALE: State.FAILSAFE}[facts.age]
    assert reason or state is State.GUARDING


def test_figures_alone_are_masked_only_on_complete_recent_evidence() -> None:
    for facts in EVERY:
        state, _ = decide(facts)
        if state not in FULL_MOSAIC and state is not State.OFF:
            assert facts.swept
            assert facts.frames
            assert not facts.doubt
            assert facts.age is not Age.STALE


def test_age_classes_follow_the_detector_period() -> None:
    assert age_of(0.1, 0.2) is Age.FRESH
    assert age_of(0.5, 0.2) is Age.OLD
    assert age_of(1.1, 0.2) is Age.STALE
    assert age_of(1.1, 2.0) is Age.STALE  # looking seldom makes evidence no better
    assert age_of(0.9, 2.0) is Age.FRESH
    assert age_of(float("inf"), 0.2) is Age.STALE


def test_who_came_and_went_in_a_long_gap_was_not_seen() -> None:
    assert age_of(0.1, 0.2, gap_s=0.45) is Age.FRESH
    assert age_of(0.1, 0.2, gap_s=0.6) is Age.OLD
    assert age_of(0.1, 0.2, gap_s=0.9) is Age.OLD
    assert age_of(0.05, 0.2, gap_s=float("inf"), lookahead_s=0.4) is Age.STALE  # the next look is late
    assert age_of(0.6, 0.2, gap_s=1.15, lookahead_s=0.4) is Age.OLD
    assert age_of(0.1, 0.2, gap_s=1.4, lookahead_s=0.4) is Age.STALE  # who came in since is not painted back so far
    assert age_of(0.9, 2.0, gap_s=2.0, lookahead_s=0.4) is Age.FRESH  # as rarely as the settings say
    assert age_of(0.3, 0.2, gap_s=float("inf"), lookahead_s=0.0) is Age.FRESH  # it could not have come yet


def test_looks_short_of_time_make_evidence_worse() -> None:
    assert age_of(0.1, 0.2, gap_s=0.2, lookahead_s=0.4, short=True) is Age.OLD
    assert age_of(0.1, 0.2, gap_s=0.9, lookahead_s=0.4, short=True) is Age.OLD
    assert age_of(0.05, 0.2, gap_s=float("inf"), lookahead_s=0.4, short=True) is Age.STALE
    assert age_of(0.05, 0.2, gap_s=float("inf"), lookahead_s=0.0, short=True) is Age.OLD  # it could not have come yet


def test_an_overload_is_told_of_streams_that_are_masked_by_figures_and_of_no_other() -> None:
    told = "overloaded: 19 of 40 looks a second"
    assert under_load(State.GUARDING, "figures are masked", told) == (State.DEGRADED, told)
    assert under_load(State.DEGRADED, "evidence is old", told) == (State.DEGRADED, told)
    for state in (*FULL_MOSAIC, State.OFF):
        assert under_load(state, "why", told) == (state, "why")
    for state in State:
        assert under_load(state, "why", "") == (state, "why")
