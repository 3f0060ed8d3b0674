from collections.abc import Callable
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from aipg_plugin.detection.schedule import SweepSchedule
from aipg_plugin.detection.tiles import LIVE, make_tiles
from aipg_plugin.geometry import FisheyeCamera, ImageCircle, LensLaw, Mount
from aipg_plugin.options import LensModelName, MountKind
from tests.strategies import numbers

CAMERA = FisheyeCamera(LensLaw(LensModelName.EQUIDISTANT, 180.0), ImageCircle(320, 320, 320), (640, 640))
SIZE_WH = CAMERA.size_wh
TILES = make_tiles(CAMERA, Mount(MountKind.CEILING, 3.0), LIVE)


def run(schedule: SweepSchedule, seconds: float, *, hz: float = 5.0, cost_s: float = 0.015,
        motion: object = (),
        changes: Callable[[float], np.ndarray] | None = None) -> list[tuple[float, tuple[int, ...]]]:
    log = []
    for i in range(int(seconds * hz)):
        if changes is not None:
            cells = changes(i / hz)
            schedule.changed(cells, i / hz)
        chosen = schedule.next(i / hz, motion_px=motion)  # type: ignore[arg-type]
        schedule.done(chosen, i / hz, cost_s * len(chosen))
        log.append((i / hz, chosen))
    return log


def nowhere(schedule: SweepSchedule) -> np.ndarray:
    return np.zeros(schedule.coverage.grid_wh[::-1], bool)


def test_starts_with_a_full_sweep_and_again_after_restart() -> None:
    schedule = SweepSchedule(TILES, SIZE_WH, budget_s=0.03)
    assert not schedule.complete
    log = run(schedule, 2)
    assert len(log[0][1]) == len(TILES)
    assert schedule.complete
    assert len(log[1][1]) < len(TILES)
    schedule.restart()
    assert len(schedule.next(3.0)) == len(TILES)


@given(hz=numbers(0.4, 15), budget=numbers(0.0, 0.2), cost=numbers(0.001, 0.2))
def test_no_place_waits_longer_than_promised(hz: float, budget: float, cost: float) -> None:
    schedule = SweepSchedule(TILES, SIZE_WH, budget_s=budget, max_age_s=2.0)
    shown = schedule.coverage.shown > 0
    last, tile_last = np.full(shown.shape[1], -np.inf), np.full(len(TILES), -np.inf)
    last[~shown.any(0)] = np.inf
    for t_s, chosen in run(schedule, 25, hz=hz, cost_s=cost):
        last[shown[list(chosen)].any(0)] = t_s
        tile_last[list(chosen)] = t_s
        assert t_s - last.min() <= max(3.0, 1 / hz) + 1e-6
        assert shown[:, t_s - last > max(2.0, 1 / hz) + 1e-6].sum(1).max() < 4  # less than a head
        assert t_s - tile_last.min() <= max(10.0, 1 / hz) + 1e-6


@given(angle=numbers(0, 360), radius=numbers(0.1, 0.85))
def test_what_changes_far_from_all_who_are_known_is_looked_at_twice_as_soon(angle: float, radius: float) -> None:
    """Somebody may be coming in. All the rest changes too, so that something else is always due."""
    place = 320 + 320 * radius * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    schedule = SweepSchedule(TILES, SIZE_WH, budget_s=0.08, max_age_s=0.8)
    cell = (place / SIZE_WH * schedule.coverage.grid_wh).astype(int)
    unexplained = nowhere(schedule)
    unexplained[cell[1], cell[0]] = True
    looked = [0.0]
    for i in range(60):
        t_s = i / 10
        schedule.changed(~nowhere(schedule), t_s, unexplained)
        chosen = schedule.next(t_s)
        schedule.done(chosen, t_s, 0.015 * len(chosen))
        if schedule.shown_by(chosen)[cell[1], cell[0]]:
            looked.append(t_s)
    assert max(b - a for a, b in pairwise(looked)) <= 0.4 + 1e-6


def test_where_nothing_changes_only_the_routine_sweep_looks() -> None:
    schedule = SweepSchedule(TILES, SIZE_WH, max_age_s=1.0, sweep_s=10.0)
    log = run(schedule, 45, changes=lambda _t_s: nowhere(schedule))
    settled = [(t_s, chosen) for t_s, chosen in log if 10 <= t_s < 40]
    assert sum(len(chosen) for _, chosen in settled) <= 3 * len(TILES) + 6
    seen = {tile: [t_s for t_s, chosen in log if tile in chosen] for tile in range(len(TILES))}
    assert max(np.diff(times).max() for times in seen.values()) <= 10.0 + 1e-6


@given(angle=numbers(0, 2 * np.pi), radius=numbers(0, 0.95), cells_wide=st.sampled_from([1, 3]))
def test_a_place_that_changes_once_is_looked_at_twice(angle: float, radius: float, cells_wide: int) -> None:
    """In time; one smaller than a head may wait a little longer, for what changes beside it."""
    schedule = SweepSchedule(TILES, SIZE_WH, max_age_s=1.0, sweep_s=1000.0)
    w, h = schedule.coverage.grid_wh
    place = 0.5 + 0.5 * radius * np.array([np.cos(angle), np.sin(angle)])
    x, y = (place * (w, h)).astype(int)

    def changes(t_s: float) -> np.ndarray:
        cells = nowhere(schedule)
        reach = cells_wide // 2
        cells[max(0, y - reach):y + reach + 1, max(0, x - reach):x + reach + 1] = t_s == 12.0
        return cells

    log = run(schedule, 25, changes=changes)
    shown = [t_s for t_s, chosen in log if t_s >= 12.0 and schedule.coverage.shown[list(chosen), y * w + x].any()]
    limit_s = 1.0 if cells_wide > 1 else 1.5
    assert shown[0] <= 12.0 + limit_s
    assert shown[1] <= shown[0] + limit_s
    assert len(shown) == 2 or cells_wide > 1  # a tile for the places beside it may show it once more
    assert len(shown) <= 4


@given(cost=numbers(0.002, 0.05))
def test_keeps_to_the_budget_where_fairness_allows(cost: float) -> None:
    schedule = SweepSchedule(TILES, SIZE_WH, budget_s=0.06)
    late = [len(chosen) for t_s, chosen in run(schedule, 12, cost_s=cost) if t_s > 6]
    assert np.mean(late) * cost <= max(0.06, cost * len(TILES) / 5) + cost


@given(angle=numbers(0, 2 * np.pi), radius=numbers(0, 0.99))
def test_motion_is_looked_at_in_the_next_decision(angle: float, radius: float) -> None:
    schedule = SweepSchedule(TILES, SIZE_WH, budget_s=0.02)
    run(schedule, 4)
    place = np.array([[320 + 320 * radius * np.cos(angle), 320 + 320 * radius * np.sin(angle)]])
    chosen = schedule.next(4.0, motion_px=place)
    shown = []
    for i in chosen:
        local = TILES[i].to_tile(place)[0]
        shown.append(((local >= 0) & (local <= TILES[i].input_px)).all())
    assert any(shown)


@given(angle=numbers(0, 2 * np.pi), radius=numbers(0, 0.99), late=st.integers(5, 12), first=st.integers(0, 22))
def test_late_places_do_not_crowd_out_what_moves(angle: float, radius: float, late: int, first: int) -> None:
    schedule = SweepSchedule(TILES, SIZE_WH, budget_s=0.06, max_age_s=1.5)
    turned = [(first + k) % len(TILES) for k in range(len(TILES))]
    schedule.done(turned[:late], 0.2, 0.015 * late)
    schedule.done(turned[late:], 1.4, 0.015 * (len(TILES) - late))
    place = np.array([[320 + 320 * radius * np.cos(angle), 320 + 320 * radius * np.sin(angle)]])
    chosen = schedule.next(1.6, motion_px=place)
    shown = schedule.coverage.shown > 0
    only_late = shown[turned[:late]].any(0) & ~shown[turned[late:]].any(0)
    assert shown[list(chosen)][:, only_late].any(0).all()
    assert schedule.serves(chosen, place).all()
    assert not schedule.serves((), place).any()


@given(st.integers(0, 3))
def test_no_budget_means_everything(count: int) -> None:
    schedule = SweepSchedule(TILES, SIZE_WH, budget_s=None)
    run(schedule, count)
    assert schedule.next(9.0) == tuple(range(len(TILES)))


def test_nothing_to_look_at() -> None:
    schedule = SweepSchedule((), SIZE_WH)
    assert schedule.next(0.0, motion_px=[[1.0, 2.0]]) == ()
    schedule.done((), 0.0, 0.0)
    assert schedule.complete


@given(budget=numbers(0.001, 0.1), hz=numbers(0.5, 10), cost=numbers(0.001, 0.2), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_with_a_budget_every_place_that_changed_is_looked_at_in_time_or_left_to_be_covered(
        budget: float, hz: float, cost: float, seed: int) -> None:
    schedule, rng = SweepSchedule(TILES, SIZE_WH, max_age_s=0.8), np.random.default_rng(seed)
    shown = schedule.coverage.shown > 0
    somewhere = shown.any(0)
    since_s = np.where(somewhere, 0.0, np.inf)  # when what has not been looked at began to change
    unseen = np.zeros(len(somewhere), bool)
    for i in range(int(8 * hz)):
        cells = nowhere(schedule)
        y, x = rng.integers(0, 56, 2)
        cells[y:y + rng.integers(1, 30), x:x + rng.integers(1, 30)] = rng.random() < 0.8
        cells[20:24, 30:34] = True  # somewhere it never ends
        schedule.changed(cells, i / hz)
        since_s[cells.ravel() & ~unseen & somewhere] = i / hz
        unseen |= cells.ravel() & somewhere
        was_complete = schedule.complete
        chosen = list(schedule.next(i / hz, motion_px=[(320.0, 100.0)] * 9, budget_s=budget))
        schedule.done(chosen, i / hz, cost * len(chosen))
        unseen[shown[chosen].any(0)] = False
        left = schedule.left.ravel()
        assert not (left & ~unseen).any()
        if was_complete:
            late = unseen & (i / hz - since_s > max(1.2, 1 / hz) + 1e-6)
            assert not (late & ~left).any()
            assert len(chosen) <= max(1, 2.5 * budget / min(cost, 0.015))


@given(budget=numbers(0.001, 0.02), angle=numbers(0, 2 * np.pi), radius=numbers(0, 0.95))
@settings(max_examples=20, deadline=None)
def test_a_small_budget_lets_no_place_wait_for_ever(budget: float, angle: float, radius: float) -> None:
    """Everything changes all the time, and somewhere somebody new moves: still each place has its turn."""
    schedule = SweepSchedule(TILES, SIZE_WH, max_age_s=0.8)
    w, h = schedule.coverage.grid_wh
    x, y = ((0.5 + 0.5 * radius * np.array([np.cos(angle), np.sin(angle)])) * (w, h)).astype(int)
    seen_s = [0.0]
    for i in range(250):
        schedule.changed(~nowhere(schedule), i / 5)
        chosen = list(schedule.next(i / 5, motion_px=[(320.0, 100.0)] * 9, budget_s=budget))
        schedule.done(chosen, i / 5, 0.03 * len(chosen))
        if schedule.coverage.shown[chosen, y * w + x].any():
            seen_s.append(i / 5)
    assert max(np.diff([*seen_s, 50.0])) < 20


def test_the_first_sweep_is_spread_over_looks_where_there_is_little_time() -> None:
    schedule, seen = SweepSchedule(TILES, SIZE_WH), set[int]()
    for i in range(len(TILES)):
        assert schedule.complete == (len(seen) == len(TILES))
        if schedule.complete:
            break
        chosen = schedule.next(i / 5, budget_s=0.012)
        assert len(chosen) <= 6
        assert not seen & set(chosen)
        schedule.done(chosen, i / 5, 0.015 * len(chosen))
        seen |= set(chosen)
    assert schedule.complete


def test_a_smaller_budget_leaves_out_urgent_tiles_beside_the_late_ones() -> None:
    def looked_at(budget_s: float | None) -> int:
        schedule, count = SweepSchedule(TILES, SIZE_WH, max_age_s=1.5), 0
        for i in range(20):
            around = [(320 + 200 * np.cos(turn), 320 + 200 * np.sin(turn)) for turn in np.linspace(0, 6, 8)]
            chosen = schedule.next(i / 5, motion_px=around, budget_s=budget_s)
            schedule.done(chosen, i / 5, 0.012 * len(chosen))
            count += len(chosen)
        return count

    assert looked_at(0.02) < looked_at(None)


@given(cost=numbers(0.04, 0.14))
def test_on_a_slow_machine_with_one_camera_there_is_time_for_newcomers(cost: float) -> None:
    """As many tiles as newcomers need, in 0.3 s at most; where other cameras wait, the budget holds."""
    schedule = SweepSchedule(TILES, SIZE_WH)
    for i in range(40):
        around = [(320 + 200 * np.cos(turn), 320 + 200 * np.sin(turn)) for turn in np.linspace(0, 6, 8)]
        chosen = schedule.next(i / 2, motion_px=around, budget_s=0.08)
        assert not schedule.hurried
        if i > 20:
            assert len(chosen) >= 2
            assert len(chosen) * cost <= 0.4 + cost
        schedule.done(chosen, i / 2, cost * len(chosen))
    schedule.next(20.0, budget_s=0.04)
    assert schedule.hurried


def test_where_time_is_short_a_still_place_is_looked_at_twice_and_swept_half_as_often() -> None:
    looks = {}
    for budget_s in (None, 0.02):
        schedule = SweepSchedule(TILES, SIZE_WH, max_age_s=1.0, sweep_s=10.0, first_cost_s=0.015)
        still = np.zeros(schedule.coverage.grid_wh[::-1], bool)
        counts = list[int]()
        for look in range(600):
            schedule.changed(still, look / 5)
            tiles = schedule.next(look / 5, budget_s=budget_s)
            schedule.done(tiles, look / 5, 0.015 * len(tiles))
            counts.append(len(tiles))
        assert schedule.complete
        looks[budget_s] = sum(counts[:100]), sum(counts[300:])
    assert looks[0.02][0] < 0.6 * looks[None][0]
    assert looks[0.02][1] <= 0.6 * looks[None][1]
    assert looks[0.02][1] >= 60 / 20 * 0.9 * len(TILES)


def test_a_rest_is_over_and_one_that_is_none_changes_nothing() -> None:
    schedule, other = (SweepSchedule(TILES, SIZE_WH, max_age_s=1.0, sweep_s=10.0) for _ in range(2))
    still, rests = np.zeros(schedule.coverage.grid_wh[::-1], bool), 0
    for look in range(300):
        for one in (schedule, other):
            one.changed(still, look / 5)
        rested = schedule.rests(look / 5)
        tiles = other.next(look / 5)
        assert rested == (look > 0 and not tiles)
        if not rested:
            assert schedule.next(look / 5) == tiles
            schedule.done(tiles, look / 5, 0.02)
        other.done(tiles, look / 5, 0.02)
        rests += rested
    assert rests > 150


def changed_schedule(at: tuple[int, int]) -> tuple[SweepSchedule, np.ndarray]:
    """A calm schedule after its looks at the start, with little time, and the cells around a place where it changes."""
    schedule = SweepSchedule(TILES, SIZE_WH, max_age_s=0.8)
    for look in range(200):
        schedule.changed(nowhere(schedule), look / 5)
        chosen = schedule.next(look / 5, budget_s=0.012)
        schedule.done(chosen, look / 5, 0.015 * len(chosen))
    cells = nowhere(schedule)
    cells[at[1] - 2:at[1] + 2, at[0] - 2:at[0] + 2] = True
    return schedule, cells


@given(angle=numbers(0, 2 * np.pi), radius=numbers(0.2, 0.8))
@settings(max_examples=15, deadline=None)
def test_where_time_is_short_who_may_be_coming_in_is_covered_until_two_looks_have_shown_them(
        angle: float, radius: float) -> None:
    """Frames leave before a place is late: one that nobody has looked at, or one look alone, is not known."""
    w, h = SweepSchedule(TILES, SIZE_WH).coverage.grid_wh
    x, y = ((0.5 + 0.5 * radius * np.array([np.cos(angle), np.sin(angle)])) * (w, h)).astype(int).tolist()
    schedule, cells = changed_schedule((x, y))
    looks = 0
    for look in range(200, 230):
        new = cells if look == 200 else nowhere(schedule)
        schedule.changed(new, look / 5, new, new)
        chosen = list(schedule.next(look / 5, budget_s=0.012))
        schedule.done(chosen, look / 5, 0.015 * len(chosen))
        looks += bool(schedule.coverage.shown[chosen, y * w + x].any())
        assert schedule.left[y, x] or looks >= 2
    assert not schedule.left.any()


def test_where_time_is_short_what_changes_beside_somebody_is_covered_until_it_is_looked_at() -> None:
    schedule, cells = changed_schedule((20, 30))
    looks = 0
    for look in range(200, 230):
        new = cells if look == 200 else nowhere(schedule)
        schedule.changed(new, look / 5, nowhere(schedule), new)
        chosen = list(schedule.next(look / 5, budget_s=0.012))
        schedule.done(chosen, look / 5, 0.015 * len(chosen))
        looks += bool(schedule.coverage.shown[chosen, 30 * schedule.coverage.grid_wh[0] + 20].any())
        assert schedule.left[30, 20] or looks
    assert not schedule.left.any()


def test_where_time_is_short_a_change_of_light_is_covered_until_one_look_has_shown_it() -> None:
    schedule, _ = changed_schedule((20, 30))
    lit = ~nowhere(schedule)
    shown = nowhere(schedule)
    for look in range(200, 215):
        new = lit if look == 200 else nowhere(schedule)
        schedule.changed(new, look / 5, new, new)
        chosen = list(schedule.next(look / 5, budget_s=0.012))
        schedule.done(chosen, look / 5, 0.015 * len(chosen))
        shown |= (schedule.coverage.shown[chosen] > 0).any(0).reshape(shown.shape)
        waiting = (schedule.coverage.shown > 0).any(0).reshape(shown.shape) & ~shown
        if waiting.mean() > 0.1:
            np.testing.assert_array_equal(schedule.left, waiting)


def test_where_time_is_short_what_little_changes_beside_a_newcomer_is_covered_with_them() -> None:
    """A far head is smaller than what counts by itself; the same change elsewhere is none of anybody's."""
    schedule, cells = changed_schedule((20, 30))
    little = cells.copy()
    little[26:28, 20] = little[50, 40] = True
    schedule.changed(little, 40.0, cells, cells)
    chosen = list(schedule.next(40.0, motion_px=[(500.0, 320.0)], budget_s=0.012))
    shown = (schedule.coverage.shown[chosen] > 0).any(0).reshape(little.shape)
    assert not shown[26:32, 18:22].any()
    assert schedule.left[26:28, 20].all()
    assert not schedule.left[50, 40]
