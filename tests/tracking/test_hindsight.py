"""What the end of a recording says of its tracks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aipg_plugin.geometry import Figure, seam, to_pixels
from aipg_plugin.tracking import Tracker
from aipg_plugin.tracking.hindsight import revised
from tests.tracking.walkers import CAMERA, CEILING, at, covered, seen

NOBODY = np.zeros((0, 5))


def tracker() -> Tracker:
    return Tracker(CAMERA, CEILING, hold_s=3.0, on_score=0.3, keep_score=0.15, history_s=60.0)


def told(t: Tracker, t_s: float) -> tuple[Figure, ...]:
    return t.figures(t_s, hindsight=True)


def everywhere(px: np.ndarray) -> np.ndarray:
    return np.ones(len(px), bool)


def nowhere(px: np.ndarray) -> np.ndarray:
    return np.zeros(len(px), bool)


def test_whose_place_was_seen_empty_is_not_held_in_a_file() -> None:
    t = tracker()
    t.update(seen(at([[2, 1]])), 0.0)
    for k in range(1, 15):
        t.update(seen(NOBODY), k / 5, lambda _, k=k: bool(k % 2), everywhere)  # type: ignore[misc]
    assert len(t.figures(1.0)) == 1
    assert len(told(t, 0.1)) == 1
    assert told(t, 0.5) == ()


@pytest.mark.parametrize(("gone", "looked"), [(False, everywhere), (None, everywhere), (None, nowhere)],
                         ids=["occupied", "background unknown", "not looked at"])
def test_who_may_still_be_there_is_held(gone: bool | None, looked: object) -> None:
    t = tracker()
    t.update(seen(at([[2, 1]])), 0.0)
    for k in range(1, 15):
        t.update(seen(NOBODY), k / 5, lambda _: gone, looked)  # type: ignore[arg-type]
    assert len(told(t, 2.5)) == 1


@pytest.mark.parametrize(("gone", "score", "speed_m_s", "held"), [
    (None, 0.9, 1.0, False), (False, 0.9, 1.0, True), (None, 0.2, 1.0, True), (None, 0.9, 0.1, True)],
    ids=["background unknown", "occupied", "hardly seen before", "stood"])
def test_who_walked_and_is_missed_by_look_after_look_has_walked_on(gone: bool | None, score: float, speed_m_s: float,
                                                                   held: bool) -> None:
    t = tracker()
    for k in range(6):
        t.update(seen(at([[speed_m_s * k / 5, 2]]), 0.9 if k == 0 else score), k / 5)
    for k in range(6, 20):
        t.update(seen(NOBODY), k / 5, lambda _: gone, everywhere)
    assert len(told(t, 1.5)) == 1
    assert len(told(t, 2.5)) == held


@pytest.mark.parametrize("back", [True, False])
def test_who_stands_by_somebody_stays_covered_while_looks_find_the_other_alone(back: bool) -> None:
    """Two people in one box, then one of them alone, twice, then both again, or not for longer than is bridged."""
    t = tracker()
    both = at([[2, 1]])[0] * (1, 1, 1.2, 1.6, 1)
    head_end, legs_end = (np.array([*to_pixels(both, [[0, y]])[0], 0.8 * both[2], 0.5 * both[3], both[4]])
                          for y in (-0.5, 0.5))
    for k, box in enumerate([both, both, head_end, head_end, both if back else head_end]):
        t.update(seen(box), k / 5, None, everywhere)
    for t_s in (0.4, 0.5, 0.6):
        assert covered(told(t, t_s), head_end) > 0.95
        assert (covered(told(t, t_s), legs_end) > 0.9) == back


def test_fragments_of_one_walk_become_one_track_and_the_gap_is_covered() -> None:
    t = tracker()
    for k in range(31):
        found = at([[-2 + 0.15 * k, 2]]) if not 10 <= k < 21 else NOBODY
        if k == 11:
            t._active()[0].end_s = k / 5  # lost, as where the place looked empty
        t.update(seen(found), k / 5, lambda _: None, everywhere)
    assert len({figure.id for s in np.arange(0, 6, 0.2) for figure in t.figures(s)}) == 2
    assert {figure.id for s in np.arange(0, 6, 0.2) for figure in told(t, s)} == {1}
    for k in range(10, 21):
        assert covered(told(t, k / 5), at([[-2 + 0.15 * k, 2]])[0]) > 0.7


def test_another_scene_or_a_far_place_is_somebody_else() -> None:
    for cut, place in ((True, (2.2, 1.0)), (False, (-3.0, -3.0))):
        t = tracker()
        t.update(seen(at([[2, 1]])), 0.0)
        t._active()[0].end_s = 0.2
        if cut:
            t.new_segment(0.2)
        t.update(seen(at([place])), 0.4)
        assert {f.id for f in told(t, 0.0)} | {f.id for f in told(t, 0.4)} == {1, 2}


@settings(max_examples=40)
@given(st.lists(st.lists(st.tuples(st.floats(-4, 4), st.floats(-4, 4)), max_size=3), min_size=1, max_size=8),
       st.sampled_from([True, False, None]))
def test_every_confident_detection_stays_covered_at_its_own_time(looks: list, gone: bool | None) -> None:
    t = tracker()
    for k, places in enumerate(looks):
        t.update(seen(at(np.reshape(places, (-1, 2)))), k / 5, lambda _: gone, everywhere)
    for k, places in enumerate(looks):
        for box in at(np.reshape(places, (-1, 2))):
            assert covered(told(t, k / 5), box) > 0.95


def test_a_place_looked_at_just_before_is_not_back_filled_for_longer() -> None:
    t = tracker()
    t.update(seen(NOBODY), 0.0, None, everywhere)
    t.update(seen(at([[2, 1]])), 0.2, None, everywhere)
    assert told(t, -0.1) == ()
    assert len(told(t, 0.05)) == 1
    assert len(t.figures(-0.5)) == 1  # live, a look may have missed who was just coming in
    t.update(seen(at([[2, 1], [-2, 1]])), 0.4, None, everywhere)
    assert len(t.figures(0.05)) == 2
    assert len(t.figures(-0.05)) == 1
    unseen = tracker()
    unseen.update(seen(NOBODY), 0.0, None, nowhere)
    unseen.update(seen(at([[2, 1]])), 0.2, None, everywhere)
    assert len(unseen.figures(-0.5)) == 1


def test_a_track_that_finds_nothing_takes_no_detection_from_another() -> None:
    """Two stand side by side; one is not found, and something small beside the other is."""
    t = tracker()
    left, right = at([[2.0, 1.0]])[0], at([[2.9, 1.0]])[0]
    for k in range(3):
        t.update(seen(np.stack([left, right])), k / 5)
    part = right.copy()
    part[2:4] *= 0.35
    part[:2] += 0.35 * right[2]
    t.update(seen(np.stack([right, part])), 0.6)
    by_id = {figure.id: figure for figure in told(t, 0.6)}
    first, second = told(t, 0.0)
    assert np.hypot(*(by_id[second.id].box[:2] - right[:2])) < 2
    assert np.hypot(*(by_id[first.id].box[:2] - left[:2])) < 0.5 * left[2]


@given(st.floats(-500, 1500), st.floats(0, 1000), st.floats(50, 900))
def test_unwrapping_moves_by_whole_turns_to_the_nearest(x: float, near: float, period: float) -> None:
    moved = seam.unwrap_near(np.array([[x, 7.0]]), near, period)[0]
    assert moved[1] == 7.0
    assert abs(moved[0] - near) <= period / 2 + 1e-6
    assert abs((moved[0] - x) / period - round((moved[0] - x) / period)) < 1e-6
    assert seam.unwrap_near(np.array([[x, 7.0]]), near, 0.0)[0, 0] == x


def test_who_was_missed_between_two_places_is_covered_where_they_stood() -> None:
    """A look that found nobody, then somebody a little further: perhaps another person, and the first still stands."""
    t = tracker()
    for k in range(4):
        t.update(seen(at([[2, 1]])), k / 5, lambda _: False, everywhere)
    t.update(seen(NOBODY), 0.8, lambda _: None, everywhere)
    t.update(seen(at([[2.9, 1.4]])), 1.0, lambda _: False, everywhere)
    for t_s in (0.65, 0.7, 0.75):
        assert covered(told(t, t_s), at([[2, 1]])[0]) > 0.97, t_s
    for t_s in (0.85, 0.9, 0.95):
        assert covered(told(t, t_s), at([[2.9, 1.4]])[0]) > 0.97, t_s


def test_fragments_that_are_joined_end_at_the_pace_of_the_last_and_keep_who_was_missed() -> None:
    """They had the pace of the first one's end, and forgot where somebody else may have been missed."""
    stands, walks = tracker(), tracker()
    for k in range(6):
        stands.update(seen(at([[-1.0, 2.0]])), k / 5)
    for k in range(8, 16):
        walks.update(seen(at([[-1.0 + 0.2 * (k - 8), 2.0]] if k != 11 else np.zeros((0, 2)))), k / 5)
    before, = stands._histories
    after, = walks._histories
    standing = before.speeds()
    joined, = revised([before, after])
    assert joined.first_seen_s == 0.0
    assert np.allclose(joined.speeds()[0], after.speeds()[0])
    assert np.hypot(*joined.speeds()[0]) > 0.4
    assert np.array_equal(before.speeds()[0], standing[0])
    assert joined.skipped == after.skipped != set()
