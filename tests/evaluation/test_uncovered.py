"""A leak is more than a quarter of a head or half of a body, and nobody's missing part leaks."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.uncovered import LeakCount, disc, uncovered


@pytest.mark.parametrize(("head", "body", "counts"), [
    (None, 0.5, (0, 0, 1, 0)), (None, 0.51, (0, 0, 1, 1)), (0.25, 0.0, (1, 0, 1, 0)), (0.26, 0.0, (1, 1, 1, 0)),
    (1.0, 1.0, (1, 1, 1, 1)),
])
def test_a_leak_is_more_than_the_limit(head: float | None, body: float, counts: tuple[int, ...]) -> None:
    count = LeakCount()
    assert count.add_person(head, body) is (counts[1] + counts[3] > 0)
    assert (count.heads, count.head_leaks, count.bodies, count.body_leaks) == counts


def test_only_the_part_itself_is_judged() -> None:
    part, hidden = np.zeros((8, 8), bool), np.zeros((8, 8), bool)
    assert uncovered(part, hidden) == 0.0
    part[2:6, 2:6] = True
    assert uncovered(part, hidden) == 1.0
    hidden[:, :3] = True
    assert uncovered(part, hidden) == 0.75


def test_a_head_of_no_size_is_still_a_place_and_one_outside_the_picture_none() -> None:
    assert disc((20, 20), (10.0, 10.0, 0.0))[10, 10]
    assert not disc((20, 20), (-30.0, 10.0, 5.0)).any()
