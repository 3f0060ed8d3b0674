"""Choosing among systems: on other scenes than the figures, at equal over-mask, with intervals."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.choice import SCORES, Counts, at_over_mask, cross_validated, intervals


def system(name: str, head_leaks: dict[str, int], over: float = 0.05) -> Counts:
    """Four pictures a scene with ten heads each; leaks and over-mask fall evenly as scores rise and fall."""
    share = np.linspace(1, 0, len(SCORES))
    scenes, rows = [], []
    for scene, leaks in head_leaks.items():
        for _ in range(4):
            scenes.append(scene)
            rows.append([[10, 10, 10, 10, leaks, 0, 10, 10, over * s, 1] for s in share])
    return Counts(name, np.array(scenes), np.array(rows, float), 1.0)


@pytest.mark.parametrize("over_mask", [0.025, 0.0313, 0.0487])
def test_systems_compare_at_exactly_the_same_over_mask(over_mask: float) -> None:
    score, rates = at_over_mask(system("a", {"hall": 1, "shop": 3}), over_mask)
    assert rates["over_mask"] == pytest.approx(over_mask)
    assert rates["head_leak"] == pytest.approx(0.2)
    share = np.linspace(1, 0, len(SCORES))
    inside = np.interp(-over_mask / 0.05, -share, np.arange(len(SCORES)))
    assert SCORES[int(inside)] <= score <= SCORES[int(inside) + 1]


def test_a_finer_grid_of_scores_is_no_advantage() -> None:
    """Over-mask that falls in one large step: the figures lie on the line between the scores beside it."""
    one = system("one", {"hall": 0, "shop": 0})
    coarse = one.table.copy()
    half = len(SCORES) // 2
    coarse[:, :half, 8], coarse[:, half:, 8] = 0.05, 0.03
    coarse[:, :half, 4], coarse[:, half:, 4] = 1, 3
    _, rates = at_over_mask(Counts("coarse", one.scene, coarse, 1.0), 0.04)
    assert rates["over_mask"] == pytest.approx(0.04)
    assert rates["head_leak"] == pytest.approx(0.2)


@pytest.mark.parametrize(("over_mask", "at"), [(0.06, 0), (-0.01, len(SCORES) - 1)])
def test_an_over_mask_that_no_score_reaches_takes_the_nearest(over_mask: float, at: int) -> None:
    assert at_over_mask(system("a", {"hall": 1}), over_mask)[0] == pytest.approx(SCORES[at])


def test_a_system_that_is_good_on_one_scene_alone_is_not_reported_there() -> None:
    lucky = system("lucky", {"hall": 0, "shop": 4, "lab": 4})
    steady = system("steady", {"hall": 2, "shop": 2, "lab": 2})
    chosen = cross_validated([lucky, steady], 0.03)
    assert chosen.systems["hall"] == "steady"
    assert chosen.systems["shop"] == chosen.systems["lab"]
    assert chosen.rates["head_leak"] >= 0.2


def test_intervals_hold_the_difference_and_none_where_nothing_differs() -> None:
    one, other = system("one", {"hall": 1, "shop": 1}), system("other", {"hall": 3, "shop": 3})
    low, high = intervals(one, other, 0.03, draws=50)["head_leak"]
    assert low == pytest.approx(-0.2)
    assert high == pytest.approx(-0.2)
    assert intervals(one, one, 0.03, draws=50)["head_leak"] == (0.0, 0.0)
    assert intervals(other, None, 0.03, draws=50)["head_leak"] == pytest.approx((0.3, 0.3))
