"""Who is found for sure was there when looks were less sure of them."""

import numpy as np
import pytest

from aipg_plugin.tracking import Tracker
from tests.tracking.walkers import CAMERA, CEILING, at, covered, seen

NOBODY = np.zeros((0, 2))


def tracker() -> Tracker:
    return Tracker(CAMERA, CEILING, hold_s=3.0, on_score=0.3, keep_score=0.15)


@pytest.mark.parametrize("hindsight", [False, True])
@pytest.mark.parametrize("speed_m_s", [0.0, 0.8])
def test_who_is_found_for_sure_was_there_at_weaker_sightings_before(speed_m_s: float, *, hindsight: bool) -> None:
    t = tracker()
    for k in range(9):
        t.update(seen(at([[2 + 0.2 * speed_m_s * k, 1]]), 0.35 if k == 8 else 0.2), k * 0.2)
    for moment_s in np.linspace(0.0, 1.6, 17):
        person = at([[2 + speed_m_s * moment_s, 1]])[0]
        assert covered(t.figures(moment_s, hindsight=hindsight), person) > 0.97, moment_s
    assert t.tracks[0].first_seen_s == 0.0


def test_nobody_is_masked_before_a_sure_sighting_elsewhere() -> None:
    t = tracker()
    for k in range(9):
        t.update(seen(at([[2, 1]]), 0.2) if k < 8 else seen(at([[-2, 1]]), 0.9), k * 0.2)
    assert t.figures(0.6, hindsight=True) == ()


def test_weak_sightings_long_ago_are_of_no_one() -> None:
    t = tracker()
    t.update(seen(at([[2, 1]]), 0.2), 0.0)
    for k in range(1, 8):
        t.update(seen(at(NOBODY)), k * 0.2)
    t.update(seen(at([[2, 1]]), 0.9), 1.6)
    assert t.figures(0.0, hindsight=True) == ()
    assert t.tracks[0].first_seen_s == 1.6


def test_a_place_not_looked_at_in_between_shows_them_all_the_same() -> None:
    t = tracker()
    t.update(seen(at([[2, 1]]), 0.2), 0.0)
    for k in range(1, 4):
        t.update(seen(at(NOBODY)), k * 0.2, None, lambda px: np.zeros(len(px), bool))
    t.update(seen(at([[2, 1]]), 0.9), 0.8)
    for moment_s in (0.0, 0.3, 0.6):
        assert covered(t.figures(moment_s, hindsight=True), at([[2, 1]])[0]) > 0.97


def test_a_part_of_somebody_seen_is_not_the_beginning_of_another() -> None:
    t = tracker()
    whole = at([[2, 1]])[0]
    part = whole * (1, 1, 0.7, 0.5, 1)
    for k in range(5):
        t.update(seen(np.stack([whole, part]), [0.9, 0.2]), k * 0.2)
    t.update(seen(np.stack([whole, part]), [0.9, 0.4]), 1.0)
    assert sorted(track.first_seen_s for track in t.tracks) == [0.0, 1.0]


def test_another_scene_begins_without_the_sightings_of_the_one_before() -> None:
    t = tracker()
    t.update(seen(at([[2, 1]]), 0.2), 0.0)
    t.new_segment(0.1)
    t.update(seen(at([[2, 1]]), 0.9), 0.2)
    assert t.tracks[0].first_seen_s == 0.2
