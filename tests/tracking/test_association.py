"""The assignment, against trying everything."""

from itertools import permutations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aipg_plugin.geometry import FisheyeCamera, ImageCircle, LensLaw, Mount, make_projection
from aipg_plugin.tracking.association import CONFIDENT, WEAK, _groups, _hungarian, match
from tests.strategies import boxes, numbers

CAMERA = FisheyeCamera(LensLaw("equidistant", 180), ImageCircle(320, 320, 320), (640, 640))


@given(st.tuples(st.integers(1, 5), st.integers(1, 5)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=numbers(-2, 9))))
def test_cheapest_of_all_assignments(cost: np.ndarray) -> None:
    pairs = _hungarian(cost)
    n, m = cost.shape
    assert len(pairs) == min(n, m) == len({r for r, _ in pairs}) == len({c for _, c in pairs})
    tall = cost if n <= m else cost.T
    best = min(sum(tall[row, column] for row, column in enumerate(chosen))
               for chosen in permutations(range(tall.shape[1]), tall.shape[0]))
    assert np.isclose(sum(cost[row, column] for row, column in pairs), best)


@given(arrays(np.bool_, (6, 7)))
def test_groups_part_the_allowed_pairs(allowed: np.ndarray) -> None:
    groups = _groups(allowed)
    rows = [row for group, _ in groups for row in group]
    columns = [column for _, group in groups for column in group]
    assert len(rows) == len(set(rows))
    assert len(columns) == len(set(columns))
    together = np.zeros_like(allowed)
    for group_rows, group_columns in groups:
        together[np.ix_(group_rows, group_columns)] = True
    assert not (allowed & ~together).any()


@given(boxes(), boxes())
def test_pairs_are_one_to_one_and_near(a: np.ndarray, b: np.ndarray) -> None:
    for gate in (CONFIDENT, WEAK):
        pairs = match(CAMERA, a, b, np.zeros(len(a)), gate)
        assert len({r for r, _ in pairs}) == len(pairs) == len({c for _, c in pairs})
        for row, column in pairs:
            assert np.hypot(*(a[row, :2] - b[column, :2])) < np.hypot(*(a[row, 2:4] + b[column, 2:4]))


def test_nobody_matches_nobody() -> None:
    assert match(CAMERA, np.zeros((0, 5)), np.ones((2, 5)), np.zeros(0), CONFIDENT) == []
    assert match(CAMERA, np.ones((2, 5)), np.zeros((0, 5)), np.zeros(2), CONFIDENT) == []


def test_people_over_a_panoramas_seam_are_near() -> None:
    strip = make_projection("panorama", law=CAMERA.law, circle=None, mount=Mount("ceiling", 3.0), size_wh=(720, 180))
    left, right = np.array([[4.0, 90, 20, 50, 0]]), np.array([[717.0, 90, 20, 50, 0]])
    assert match(strip, left, right, np.zeros(1), CONFIDENT) == [(0, 0)]
    assert match(CAMERA, left, right, np.zeros(1), CONFIDENT) == []


def test_of_two_near_tracks_the_one_seen_last_goes_first() -> None:
    tracks = np.array([[310.0, 100, 30, 60, 0], [330.0, 100, 30, 60, 0]])
    detection = np.array([[320.0, 100, 30, 60, 0]])
    assert match(CAMERA, tracks, detection, np.array([2.0, 0.2]), CONFIDENT) == [(1, 0)]
    assert match(CAMERA, tracks, detection, np.array([0.2, 2.0]), CONFIDENT) == [(0, 0)]
