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


def test_the_score_keeps_the_over_mask() -> None:
    score, rates = at_over_mask(system("a", {"hall": 1, "shop": 3}), 0.025)
    assert rates["over_mask"] <= 0.025
    assert score == pytest.approx(SCORES[np.flatnonzero(0.05 * np.linspace(1, 0, len(SCORES)) <= 0.025)[0]])
    assert rates["head_leak"] == pytest.approx(0.2)


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
