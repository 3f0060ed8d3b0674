import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.detection.schedule import SweepSchedule
from aipg_plugin.detection.tiles import LIVE, make_tiles
from aipg_plugin.geometry import FisheyeCamera, ImageCircle, LensLaw, Mount
from aipg_plugin.options import LensModelName, MountKind
from tests.strategies import numbers

CAMERA = FisheyeCamera(LensLaw(LensModelName.EQUIDISTANT, 180.0), ImageCircle(320, 320, 320), (640, 640))
TILES = make_tiles(CAMERA, Mount(MountKind.CEILING, 3.0), LIVE)


def run(schedule: SweepSchedule, seconds: float, *, hz: float = 5.0, cost_s: float = 0.015,
        motion: object = ()) -> list[tuple[float, tuple[int, ...]]]:
    log = []
    for i in range(int(seconds * hz)):
        chosen = schedule.next(i / hz, motion_px=motion)  # type: ignore[arg-type]
        schedule.done(chosen, i / hz, cost_s * len(chosen))
        log.append((i / hz, chosen))
    return log


def test_starts_with_a_full_sweep_and_again_after_restart() -> None:
    schedule = SweepSchedule(TILES, budget_s=0.03)
    assert not schedule.complete
    log = run(schedule, 2)
    assert len(log[0][1]) == len(TILES)
    assert schedule.complete
    assert len(log[1][1]) < len(TILES)
    schedule.restart()
    assert len(schedule.next(3.0)) == len(TILES)


@given(hz=numbers(0.4, 15), budget=numbers(0.0, 0.2), cost=numbers(0.001, 0.2))
def test_no_tile_waits_longer_than_promised(hz: float, budget: float, cost: float) -> None:
    schedule = SweepSchedule(TILES, budget_s=budget, max_age_s=2.0)
    last = np.full(len(TILES), -np.inf)
    for t_s, chosen in run(schedule, 12, hz=hz, cost_s=cost):
        last[list(chosen)] = t_s
        assert t_s - last.min() <= max(2.0, 1 / hz) + 1e-6


@given(cost=numbers(0.002, 0.05))
def test_keeps_to_the_budget_where_fairness_allows(cost: float) -> None:
    schedule = SweepSchedule(TILES, budget_s=0.06)
    late = [len(chosen) for t_s, chosen in run(schedule, 12, cost_s=cost) if t_s > 6]
    assert np.mean(late) * cost <= max(0.06, cost * len(TILES) / 5) + cost


@given(angle=numbers(0, 2 * np.pi), radius=numbers(0, 0.99))
def test_motion_is_looked_at_in_the_next_decision(angle: float, radius: float) -> None:
    schedule = SweepSchedule(TILES, budget_s=0.02)
    run(schedule, 4)
    place = np.array([[320 + 320 * radius * np.cos(angle), 320 + 320 * radius * np.sin(angle)]])
    chosen = schedule.next(4.0, motion_px=place)
    shown = []
    for i in chosen:
        local = TILES[i].to_tile(place)[0]
        shown.append(((local >= 0) & (local <= TILES[i].input_px)).all())
    assert any(shown)


@given(angle=numbers(0, 2 * np.pi), radius=numbers(0, 0.99), late=st.integers(5, 12), first=st.integers(0, 22))
def test_late_tiles_do_not_crowd_out_the_one_that_shows_best_what_moves(angle: float, radius: float, late: int,
                                                                        first: int) -> None:
    schedule = SweepSchedule(TILES, budget_s=0.06, max_age_s=1.5)
    turned = [(first + k) % len(TILES) for k in range(len(TILES))]
    schedule.done(turned[:late], 0.2, 0.015 * late)
    schedule.done(turned[late:], 1.4, 0.015 * (len(TILES) - late))
    place = np.array([[320 + 320 * radius * np.cos(angle), 320 + 320 * radius * np.sin(angle)]])
    chosen = schedule.next(1.6, motion_px=place)
    assert set(turned[:late]) <= set(chosen)
    assert len(chosen) <= late + 1
    assert schedule.serves(chosen, place).all()
    assert not schedule.serves((), place).any()


@given(st.integers(0, 3))
def test_no_budget_means_everything(count: int) -> None:
    schedule = SweepSchedule(TILES, budget_s=None)
    run(schedule, count)
    assert schedule.next(9.0) == tuple(range(len(TILES)))


def test_nothing_to_look_at() -> None:
    schedule = SweepSchedule(())
    assert schedule.next(0.0, motion_px=[[1.0, 2.0]]) == ()
    schedule.done((), 0.0, 0.0)
    assert schedule.complete


@given(budget=numbers(0.001, 0.3), hz=numbers(0.5, 10))
def test_a_given_budget_is_kept_but_for_one_tile_and_every_tile_has_its_turn(budget: float, hz: float) -> None:
    schedule = SweepSchedule(TILES, max_age_s=1.5)
    schedule.done(schedule.next(0.0), 0.0, 0.015 * len(TILES))
    seen = set[int]()
    for i in range(1, 3 * len(TILES)):
        chosen = schedule.next(i / hz, motion_px=[(320.0, 100.0)], budget_s=budget)
        assert len(chosen) <= max(1, int(budget / 0.015) + 1)
        schedule.done(chosen, i / hz, 0.015 * len(chosen))
        seen |= set(chosen)
    assert seen == set(range(len(TILES)))
