"""The tracker on walks whose truth is known."""

import itertools
import time
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aipg_plugin.geometry import Mount, make_projection, to_pixels
from aipg_plugin.options import CaptureMode
from aipg_plugin.tracking import Track, Tracker
from tests.strategies import numbers
from tests.tracking.walkers import CAMERA, CEILING, OVAL, at, covered, painted, seen


def tracker(**more: object) -> Tracker:
    return Tracker(CAMERA, CEILING, **{"hold_s": 3.0, "on_score": 0.3, "keep_score": 0.15, **more})  # type: ignore[arg-type]


def test_empty_start() -> None:
    t = tracker()
    assert t.figures(0.0) == () == t.tracks
    t.update(seen(np.zeros((0, 5))), 0.0)
    t.update(seen(np.zeros((0, 5))), 0.2, lambda _: True)
    assert t.figures(0.1) == () == t.tracks
    t.prune(5.0)
    t.reset()


def test_one_confident_sighting_masks_and_weak_ones_do_not() -> None:
    t = tracker()
    t.update(seen(at([[2, 2], [-3, 0]]), [0.31, 0.29]), 1.0)
    assert [(k.id, k.score) for k in t.tracks] == [(1, pytest.approx(0.31))]
    assert len(t.figures(1.0)) == 1


def test_weak_sightings_keep_a_track_alive() -> None:
    t = tracker(hold_s=0.5)
    for k in range(20):
        t.update(seen(at([[2 + 0.1 * k, 1]]), 0.9 if k == 0 else 0.16), k * 0.2)
    assert [k.id for k in t.tracks] == [1]
    t.update(seen(at([[4, 1]]), 0.1), 4.6)
    assert t.tracks == ()


def test_crossing_people_keep_their_ids() -> None:
    t = tracker()
    ids: dict[str, set[int]] = {"a": set(), "b": set()}
    for k in range(31):
        s = -3 + 0.2 * k
        places = {"a": (s, 2.5 + 0.5 * s / 3), "b": (-s, 2.5 + 0.4 * s / 3)}
        t.update(seen(at(list(places.values()))), k / 5)
        for name, place in places.items():
            near = min(t.tracks, key=lambda k, p=place: np.hypot(*(k.floor_xy_m - p)))  # type: ignore[misc]
            if abs(s) > 0.5:
                ids[name].add(near.id)
    assert len(ids["a"]) == len(ids["b"]) == 1
    assert ids["a"] != ids["b"]


def test_a_person_right_below_the_camera_keeps_the_id_and_stays_covered() -> None:
    t = tracker()
    for k in range(21):
        t.update(seen(at([[-2 + 0.2 * k, 0.05]])), k / 5)
    assert [k.id for k in t.tracks] == [1]
    for s in np.linspace(0, 4, 81):
        assert covered(t.figures(s), at([[-2 + s, 0.05]])[0]) > 0.97, s


def test_gaps_are_bridged_with_the_person_covered() -> None:
    t = tracker(history_s=60.0)
    for k in range(26):
        lost = 8 <= k <= 12
        t.update(seen(at(np.zeros((0, 2)) if lost else [[-2.5 + 0.2 * k, 2.0]])), k / 5)
    assert [k.id for k in t.tracks] == [1]
    for s in np.linspace(0, 5, 51):
        figures = t.figures(s)
        assert len(figures) == 1
        assert covered(figures, at([[-2.5 + s, 2.0]])[0]) > 0.9, s
    ages = [t.figures(s)[0].age_s for s in (1.4, 1.9, 2.0)]
    assert ages[0] == 0
    assert ages[2] == pytest.approx(0.6)


def test_back_fill_covers_the_first_place_and_where_the_person_came_from() -> None:
    t = tracker(backfill_s=0.5)
    for k in range(5):
        t.update(seen(at([[1.2 * k / 5, 3.0]])), 10 + k / 5)
    for ago in (0.1, 0.3, 0.5):
        figures = t.figures(10 - ago)
        assert len(figures) == 1
        assert figures[0].age_s == pytest.approx(ago)
        assert covered(figures, at([[0, 3.0]])[0]) > 0.99
        assert covered(figures, at([[-1.2 * ago * 0.6, 3.0]])[0]) > 0.95
    assert t.figures(9.4) == ()


def test_after_the_last_sighting_both_the_last_place_and_the_expected_one_are_covered() -> None:
    t = tracker()
    for k in range(6):
        t.update(seen(at([[1.5 * k / 5, 3.0]])), k / 5)
    for ahead in (0.1, 0.3, 2.0):
        figures = t.figures(1 + ahead)
        assert covered(figures, at([[1.5, 3.0]])[0]) > 0.99
        assert covered(figures, at([[1.5 + 1.0 * min(ahead, 0.4), 3.0]])[0]) > 0.95
        assert figures[0].age_s == pytest.approx(ahead)


def test_who_walks_may_be_farther_along_than_aside() -> None:
    """0.4 s after the last look: masked as far as a run ahead, and hardly wider than at the start to the sides."""
    t = tracker()
    for k in range(8):
        t.update(seen(at([[1.2 * k / 5, 3.0]])), k / 5)
    figure, = t.figures(1.4 + 0.4)
    here, = t.figures(1.4)
    last_m = 1.2 * 1.4
    for ahead_m in (0.0, 0.25, 0.45):
        assert covered((figure,), at([[last_m + ahead_m, 3.0]])[0] * (1, 1, 0.9, 0.9, 1)) > 0.98
    assert figure.position_uncertainty_m <= 0.1
    assert painted((figure,)).sum() < 2.2 * painted((here,)).sum()


def hold(answer: bool | None, seconds: float) -> bool:
    """Whether a track lives on after being unseen for so long, its place looking empty, taken or unknown."""
    t = tracker(hold_s=1.0)
    t.update(seen(at([[1, 2]])), 0.0)
    for k in range(1, round(seconds / 0.2) + 1):
        t.update(seen(np.zeros((0, 5))), k * 0.2, lambda _: answer)
    return bool(t.tracks) and bool(t.figures(seconds))


def test_a_track_ends_when_its_place_is_empty_and_lives_on_while_it_is_not() -> None:
    assert hold(None, 0.8)
    assert not hold(None, 1.4)
    assert hold(True, 0.2)
    assert not hold(True, 0.4)
    assert hold(False, 10.0)
    assert not hold(False, 61.0)


def test_ended_tracks_still_answer_for_the_past() -> None:
    t = tracker(hold_s=0.5)
    t.update(seen(at([[1, 2]])), 0.0)
    t.update(seen(np.zeros((0, 5))), 1.0)
    assert t.tracks == ()
    assert len(t.figures(0.3)) == 1
    assert t.figures(1.1) == ()
    t.prune(2.0)
    assert t.figures(0.3) == ()


def test_a_second_box_on_the_same_person_is_no_second_person_but_covered() -> None:
    t = tracker()
    one = at([[2, 2]])[0]
    other = one * (1, 1, 1.1, 1.05, 1) + (3, 2, 0, 0, 0)
    t.update(seen(np.array([one, other]), [0.9, 0.8]), 0.0)
    assert len(t.tracks) == 1
    assert covered(t.figures(0.0), one) > 0.99
    assert covered(t.figures(0.0), other) > 0.99


def test_a_weak_sighting_of_a_part_does_not_shrink_the_mask_at_once() -> None:
    t = tracker()
    whole = at([[2, 2]])[0]
    t.update(seen(whole), 0.0)
    t.update(seen(whole * (1, 1, 0.6, 0.6, 1), 0.2), 0.2)
    assert t.tracks[0].last_seen_s == pytest.approx(0.2)
    assert np.all(t.figures(0.2)[0].box[2:4] > 0.8 * whole[2:4])


@pytest.mark.parametrize("dt_s", [0.13, 0.3])
def test_of_who_goes_behind_a_door_the_part_not_found_stays_covered(dt_s: float) -> None:
    """The detector finds the legs alone, less sure than before but sure enough to be somebody; the head still shows."""
    t = tracker()
    whole = at([[2, 2]])[0]
    t.update(seen(whole), 0.0)
    t.update(seen(whole), 0.2)
    legs = np.array([*to_pixels(whole, [[0, 0.5]])[0], 0.9 * whole[2], 0.5 * whole[3], whole[4]])
    t.update(seen(legs, 0.35), 0.2 + dt_s)
    for t_s in (0.2 + dt_s / 2, 0.2 + dt_s):
        assert covered(t.figures(t_s), whole) > 0.95


@pytest.mark.parametrize("shown_well", [True, False])
def test_of_who_is_cut_off_by_the_edge_of_what_was_looked_at_the_rest_stays_covered(shown_well: bool) -> None:
    """Sure as it is, a sighting in a tile that ends within them shows a part; in any other they have bent down."""
    t = tracker()
    whole = at([[2, 2]])[0]
    t.update(seen(whole), 0.0)
    t.update(seen(whole), 0.2)
    legs = np.array([*to_pixels(whole, [[0, 0.4]])[0], whole[2], 0.6 * whole[3], whole[4]])
    t.update(seen(legs), 0.4, looked=lambda px: np.full(len(px), shown_well))
    assert (covered(t.figures(0.4), whole) > 0.95) != shown_well


def test_a_less_sure_and_smaller_sighting_keeps_the_head_it_leaves_out() -> None:
    t = tracker()
    whole = at([[2, 2]])[0]
    for t_s in (0.0, 0.2):
        t.update(seen(whole), t_s)
    legs = np.array([*to_pixels(whole, [[0, 0.5]])[0], 0.9 * whole[2], 0.5 * whole[3], whole[4]])
    t.update(seen(legs, 0.5), 0.4)
    assert covered(t.figures(0.4), part_of(whole, -0.6)) > 0.95


def test_a_sighting_long_after_the_last_is_no_part_of_who_was_seen_then() -> None:
    """Somebody walks, is missed for a second, and is found smaller and farther on: nothing in between is masked."""
    t = tracker()
    for k in range(4):
        t.update(seen(at([[0.2 * k, 2.5]])), 0.2 * k)
    there = at([[1.6, 2.5]])[0] * (1, 1, 0.8, 0.8, 1)
    t.update(seen(there, 0.2), 1.9)
    (figure,) = t.figures(1.9)
    assert painted((figure,)).sum() < 1.5 * painted((replace(figure, box=there, outline=OVAL),)).sum()


@pytest.mark.parametrize("gap_s", [0.2, 0.5, 0.8])
def test_who_turns_round_between_two_looks_far_apart_stays_covered(gap_s: float) -> None:
    """Seen at one place twice, they may have walked off and come back at 3 m/s²: half-way they are off it."""
    t = tracker()
    for time_s in (0.0, gap_s):
        t.update(seen(at([[2.0, 2.0]])), time_s)
    turned = t.figures(gap_s / 2)[0].position_uncertainty_m
    assert turned >= 1.5 * (gap_s / 2) ** 2 or gap_s <= 0.35
    assert turned < 0.05 or gap_s > 0.35
    assert t.figures(gap_s / 2, hindsight=True)[0].position_uncertainty_m < 0.05


def test_a_walker_who_stops_unseen_is_held_where_they_stopped() -> None:
    t = tracker(hold_s=1.0)
    for k in range(6):
        t.update(seen(at([[0.3 * k, 3.0]])), k / 5)
    stopped = at([[1.5, 3.0]])[0]
    for k in range(6, 16):
        t.update(seen(np.zeros((0, 5))), k / 5, lambda track: bool(np.hypot(*(track.box - stopped)[:2]) > 3))
    assert covered(t.figures(3.0), stopped) > 0.99


@pytest.mark.parametrize(("gone", "score", "speed_m_s", "held"), [
    (None, 0.9, 1.0, False), (False, 0.9, 1.0, True), (None, 0.2, 1.0, True), (None, 0.9, 0.1, True)],
    ids=["background unknown", "occupied", "hardly seen before", "stood"])
def test_who_walked_on_is_looked_for_but_masked_no_longer(gone: bool | None, score: float, speed_m_s: float,
                                                          held: bool) -> None:
    t = tracker()
    for k in range(6):
        t.update(seen(at([[speed_m_s * k / 5, 2]]), 0.9 if k == 0 else score), k / 5)
    for k in range(6, 14):
        t.update(seen(np.zeros((0, 5))), k / 5, lambda _: gone)
        assert len(t.figures(k / 5)) == 1
        assert len(t.figures(k / 5, walked_on=False)) == (held or k <= 10)
    t.update(seen(at([[speed_m_s * 1.4, 2]])), 2.8)  # found again
    assert [figure.id for figure in t.figures(2.8, walked_on=False)] == [1]


def test_a_track_that_another_has_taken_over_ends_before_the_hold() -> None:
    t = tracker(hold_s=5.0)
    whole = at([[2, 2]])[0]
    t.update(seen(np.array([whole, whole * (1, 1, 0.8, 0.7, 1)])), 0.0)
    assert len(t.tracks) == 2
    for k in range(1, 8):
        t.update(seen(whole), k / 5)
    assert len(t.tracks) == 1
    assert covered(t.figures(1.4), whole) > 0.99


def test_pruning_keeps_what_the_moments_after_it_need() -> None:
    t = tracker(history_s=60.0)
    for k in range(8):
        t.update(seen(at([[0.8 * k - 3, 2.0]])), k * 0.8)
    kept = [t.figures(s) for s in np.arange(3.0, 6.0, 0.1)]
    t.prune(3.0)
    for s, before in zip(np.arange(3.0, 6.0, 0.1), kept, strict=True):
        np.testing.assert_allclose(t.figures(s)[0].box, before[0].box)
    assert len(t._histories[0].points) < 8


UPPER = np.array([(-1, -1), (1, -1), (1, 0), (-1, 0)], np.float32)
LOWER = np.array([(-1, 0), (1, 0), (1, 1), (-1, 1)], np.float32)


@pytest.mark.parametrize("step_m", [0.0, 1.2])
def test_between_two_sightings_all_of_both_outlines_but_a_rim_is_covered(step_m: float) -> None:
    t = tracker()
    for k, shape in enumerate((UPPER, LOWER)):
        look = seen(at([[2, 1 + step_m * k]]))
        look.outlines = (shape,)
        t.update(look, 0.4 * k)
    between = at([[2, 1 + step_m / 2]])[0]
    for half in (-0.5, 0.5):
        assert covered(t.figures(0.2), part_of(between, half)) == 1.0
    assert covered(t.figures(0.2), between) > 0.8


def part_of(box: np.ndarray, along: float) -> np.ndarray:
    """The box of half the size in the middle of a half of a person, the upper or the lower."""
    middle = to_pixels(box, np.array([[0.0, along]]))[0]
    return np.array([*middle, box[2] / 2, box[3] / 4, box[4]])


def test_outlines_go_out_at_once_and_come_in_slowly() -> None:
    """Half a person is seen: the rest shrinks away once the other sightings are two seconds old, and comes
    back at once.
    """
    t = tracker()
    place = at([[2, 1]])[0]
    areas = []
    for k in range(18):
        look = seen(place[None])
        look.outlines = ((LOWER if 3 <= k < 14 else OVAL).astype(np.float32),)
        t.update(look, 0.2 * k)
        areas.append(painted(t.figures(0.2 * k)).sum())
        assert covered(t.figures(0.2 * k), part_of(place, 0.5)) == 1.0
    assert areas[13] < 0.75 * areas[2]
    assert 0.75 * areas[2] < areas[3]
    assert covered(t.figures(14 * 0.2), place) > 0.98


def test_the_area_between_sightings_is_calm() -> None:
    """Outlines that differ from look to look by a few per cent: the mask does not breathe with them."""
    rng = np.random.default_rng(3)
    t = tracker(history_s=60.0)
    for k in range(20):
        look = seen(at([[2, 1 + 0.1 * k]]))
        look.outlines = ((OVAL * (1 + rng.normal(0, 0.06, (len(OVAL), 1)))).astype(np.float32),)
        t.update(look, 0.2 * k)
    areas = np.array([painted(t.figures(s)).sum() for s in np.linspace(0.4, 3.4, 61)], float)
    change = np.abs(np.diff(areas)) / areas[1:]
    assert np.median(change) < 0.02
    assert change.max() < 0.08


def test_right_below_the_camera_outlines_are_not_turned_with_up() -> None:
    """Up flips from left to right between the two: each half seen must stay on its own side."""
    t = tracker()
    for k in (0, 1):
        look = seen(at([[-0.35 + 0.7 * k, 0.02]]))
        look.outlines = (UPPER,)
        t.update(look, 0.4 * k)
    assert len(t.tracks) == 1
    assert covered(t.figures(0.2), at([[0.0, 0.02]])[0]) > 0.75


def test_the_views_of_a_quad_are_places_apart() -> None:
    quad = make_projection(CaptureMode.QUAD_PTZ, law=CAMERA.law, circle=None, mount=CEILING, size_wh=(800, 600))
    t = Tracker(quad, CEILING, hold_s=3.0, on_score=0.3, keep_score=0.15)
    t.update(seen(np.array([[395.0, 150, 30, 60, 0]])), 0.0)
    t.update(seen(np.array([[405.0, 150, 30, 60, 0]])), 0.2)
    assert len(t.tracks) == 2


def test_the_seam_of_a_panorama() -> None:
    strip = make_projection(CaptureMode.PANORAMA, law=CAMERA.law, circle=None, mount=CEILING, size_wh=(1440, 360))
    t = Tracker(strip, CEILING, hold_s=3.0, on_score=0.3, keep_score=0.15)
    for k in range(16):                                    # behind the camera, from right to left
        t.update(seen(at([[1.5 - 0.2 * k, -3.0]], strip)), k / 5)
    assert [k.id for k in t.tracks] == [1]
    for s in np.linspace(0, 3, 31):
        box = t.figures(s)[0].box
        truth = at([[1.5 - s, -3.0]], strip)[0]
        off = (box[0] - truth[0] + 720) % 1440 - 720
        assert abs(off) < 12
        assert abs(box[1] - truth[1]) < 6


def test_turning_round_the_fisheye_where_angles_wrap() -> None:
    t = tracker()
    for k in range(60):
        a = np.radians(k * 12)
        t.update(seen(at([[3 * np.cos(a), 3 * np.sin(a)]])), k / 5)
        assert covered(t.figures(max(0, k / 5 - 0.1)), at([[3 * np.cos(a - .105), 3 * np.sin(a - .105)]])[0]) > (
            0.93 if k else 0.5)
    assert [k.id for k in t.tracks] == [1]


def test_speed_and_place_are_told_in_metres() -> None:
    t = tracker()
    for k in range(8):
        t.update(seen(at([[-0.5 + 0.24 * k, 2.0]])), k / 5)
    (track,) = t.tracks
    assert isinstance(track, Track)
    assert track.floor_xy_m == pytest.approx((1.18, 2.0), abs=0.25)
    assert track.velocity_m_s == pytest.approx((1.0, 0), abs=0.25)
    assert (track.first_seen_s, track.last_seen_s) == (0, pytest.approx(1.4))


def test_wall_cameras_work_without_a_floor() -> None:
    wall = Mount("wall", 2.5)
    t = Tracker(CAMERA, wall, hold_s=1.0, on_score=0.3, keep_score=0.15)
    for k in range(20):
        t.update(seen(at([[-4 + 0.3 * k, 15.0]], CAMERA, wall)), k / 5)
    assert [k.id for k in t.tracks] == [1]
    assert len(t.figures(2.05)) == 1


def test_a_hundred_people_take_milliseconds_and_memory_stays_bounded() -> None:
    rng = np.random.default_rng(0)
    places, step = rng.uniform(-7, 7, (100, 2)), rng.normal(0, 0.1, (100, 2))
    t = tracker()
    frames = [seen(at(places + step * k)) for k in range(12)]
    spent = []
    for k, frame in enumerate(frames):
        started = time.process_time()
        t.update(frame, k / 5)
        spent.append(time.process_time() - started)
    looked = []
    for s in np.linspace(0.5, 2.4, 20):
        started = time.process_time()
        assert len(t.figures(s)) >= 95
        looked.append(time.process_time() - started)
    assert np.median(spent) < 0.1
    assert np.median(looked) < 0.03
    print(f"100 people: update {np.median(spent) * 1e3:.1f} ms, figures {np.median(looked) * 1e3:.1f} ms")
    few = tracker()
    for k in range(600):
        few.update(seen(at([[1, 1], [2, -2]])), k / 5)
    assert max(len(h.points) for h in few._histories) < 60
    assert len(few._histories) == 2


def test_times_that_stand_still_or_go_back_do_no_harm() -> None:
    t = tracker()
    for s in (1.0, 1.0, 0.5, 1.2):
        t.update(seen(at([[1, 1]])), s)
    assert [k.id for k in t.tracks] == [1]
    assert len(t.figures(1.1)) == 1


@st.composite
def sightings(draw: st.DrawFn) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """Any sequence of looks: times rising, people anywhere with any score."""
    t_s, looks = 0.0, []
    for _ in range(draw(st.integers(1, 6))):
        t_s += draw(numbers(0.03, 2.5))
        places = draw(st.lists(st.tuples(numbers(-6, 6), numbers(-6, 6)), max_size=5))
        scores = draw(st.lists(numbers(0.05, 1), min_size=len(places), max_size=len(places)))
        looks.append((t_s, at(np.array(places).reshape(-1, 2)), np.array(scores)))
    return looks


@given(sightings(), st.booleans())
@settings(deadline=None, max_examples=40)
def test_every_confident_detection_is_covered_at_its_own_time(looks: list, offline: bool) -> None:
    t = tracker(history_s=1e6 if offline else 10.0)
    for t_s, boxes, scores in looks:
        t.update(seen(boxes, scores), t_s, lambda _: True)
        assert len({track.id for track in t.tracks}) == len(t.tracks)
    for t_s, boxes, scores in looks:
        if not offline and t_s < looks[-1][0] - 9:
            continue
        figures = t.figures(t_s)
        assert all(np.isfinite(f.box).all() and np.isfinite(f.outline).all() for f in figures)
        for box, score in zip(boxes, scores, strict=True):
            if score >= 0.3:
                assert covered(figures, box) > 0.98
    between = [(a[0] + b[0]) / 2 for a, b in itertools.pairwise(looks)]
    for t_s in between:
        assert all(np.isfinite(f.outline).all() and f.age_s >= 0 for f in t.figures(t_s))


def test_painted_is_not_simply_everything() -> None:
    t = tracker()
    t.update(seen(at([[2, 2]])), 0.0)
    assert 0.001 < painted(t.figures(0.0)).mean() < 0.03


def nowhere(px: np.ndarray) -> np.ndarray:
    return np.zeros(len(px), bool)


def everywhere(px: np.ndarray, *_since_s: np.ndarray) -> np.ndarray:
    return np.ones(len(px), bool)


def sits(t: Tracker, seconds: float, start_s: float = 0.4) -> None:
    """Nobody looks, and nothing changes."""
    for k in range(1, round(seconds * 5) + 1):
        t.update(seen(np.zeros((0, 5))), start_s + k / 5, None, nowhere, everywhere)


def test_who_is_held_where_nothing_changes_is_the_same_figure_at_all_moments() -> None:
    """Each look made another outline of them, and of all looks before."""
    t = tracker()
    for k in range(3):
        t.update(seen(at([[2.0 + 0.02 * k, 1.0]])), k / 5)
    sits(t, 8.0)
    before, after = t.figures(1.0)[0], t.figures(7.93)[0]
    assert before.outline is after.outline
    assert before.box is after.box
    assert after.position_uncertainty_m == 0
    assert covered(t.figures(5.0), at([[2.04, 1.0]])[0]) > 0.97
    assert t.tracks[0].last_seen_s == pytest.approx(8.4)
    assert np.allclose(t.tracks[0].velocity_m_s, 0)


def test_who_is_held_for_longer_than_anything_is_remembered_stays_covered() -> None:
    t = tracker(history_s=10.0)
    for k in range(3):
        t.update(seen(at([[2.0 + 0.02 * k, 1.0]])), k / 5)
    sits(t, 60.0)
    for now_s in (55.0, 60.35, 60.5):
        assert covered(t.figures(now_s), at([[2.04, 1.0]])[0]) > 0.97, now_s
    t.update(seen(at([[2.1, 1.0]])), 60.6)
    for before_s in (0.0, 50.0, 60.0, 61.2):
        t.prune(before_s)
        for now_s in (60.45, 60.5, 60.6, 61.0):
            assert covered(t.figures(now_s), at([[2.07, 1.0]])[0]) > 0.9, now_s


def test_who_sat_still_and_is_seen_smaller_keeps_the_place_they_had() -> None:
    t = tracker()
    t.update(seen(at([[2.0, 1.0]])), 0.4)
    sits(t, 4.0)
    small = at([[2.0, 1.0]]) * (1, 1, 0.8, 0.8, 1)
    t.update(seen(small), 4.6)
    assert covered(t.figures(4.6), at([[2.0, 1.0]])[0]) > 0.9
    assert len(t.tracks) == 1


def test_who_walks_on_after_sitting_is_followed_from_there() -> None:
    t = tracker()
    t.update(seen(at([[-2.0, 1.5]])), 0.4)
    sits(t, 10.0)
    for k in range(15):
        t.update(seen(at([[-2.0 + 0.2 * k, 1.5]])), 10.6 + k / 5)
    assert [k.id for k in t.tracks] == [1]
    for s in np.linspace(9.5, 13.3, 39):
        assert covered(t.figures(s), at([[-2.0 + max(0.0, s - 10.6), 1.5]])[0]) > 0.95, s


def test_what_few_people_leave_behind_takes_little_memory() -> None:
    """Three people, two of whom sit, asked for at ten frames a second, with a look-ahead."""
    t, rng = tracker(history_s=10.0), np.random.default_rng(0)
    tracemalloc.start()
    try:
        for k in range(150):
            t_s = k / 5
            places = np.array([[2, 2], [-3, 0], [0.15 * (k % 40), -2]]) + rng.normal(0, 0.01, (3, 2))
            t.figures(t_s, walked_on=True)
            t.update(seen(at(places)), t_s)
            for late_s in (0.4, 0.3):
                assert k < 5 or len(t.figures(t_s - late_s)) >= 3
            t.prune(t_s - 10.0)
        assert tracemalloc.get_traced_memory()[0] < 8_000_000
    finally:
        tracemalloc.stop()
