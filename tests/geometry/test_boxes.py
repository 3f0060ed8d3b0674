"""Rotated boxes: overlap against counting, suppression, local coordinates."""


import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aipg_plugin.geometry import (
    contains,
    corners,
    intersection,
    iou,
    paired_iou,
    share_inside,
    to_local,
    to_pixels,
)
from tests.strategies import boxes


def counted_iou(a: np.ndarray, b: np.ndarray) -> float:
    """Overlap by counting: points spread evenly over `a` that lie in `b` too. (OpenCV's own rotated intersection is
    wrong for rectangles that share a corner or an edge.)"""
    steps = (np.arange(160) + 0.5) / 160 - 0.5
    across, along = (grid.ravel() for grid in np.meshgrid(steps * a[2], steps * a[3]))
    turn = np.radians(a[4] - b[4])
    shift = np.radians(-b[4])
    dx, dy = a[0] - b[0], a[1] - b[1]
    x = across * np.cos(turn) - along * np.sin(turn) + dx * np.cos(shift) - dy * np.sin(shift)
    y = across * np.sin(turn) + along * np.cos(turn) + dx * np.sin(shift) + dy * np.cos(shift)
    common = float(((np.abs(x) <= b[2] / 2) & (np.abs(y) <= b[3] / 2)).mean()) * a[2] * a[3]
    return common / (a[2] * a[3] + b[2] * b[3] - common)


@given(boxes(), boxes())
@settings(deadline=None)
def test_iou_agrees_with_counting(a: np.ndarray, b: np.ndarray) -> None:
    mine = iou(a, b)
    assert mine.shape == (len(a), len(b))
    theirs = np.array([[counted_iou(x, y) for y in b] for x in a]).reshape(mine.shape)
    np.testing.assert_allclose(mine, theirs, atol=0.03)
    assert np.all((mine >= 0) & (mine <= 1 + 1e-9))
    np.testing.assert_allclose(mine, iou(b, a).T, atol=1e-6)
    n = min(len(a), len(b))
    np.testing.assert_allclose(paired_iou(a[:n], b[:n]), np.diag(mine[:n, :n]), atol=1e-9)


def test_iou_of_known_boxes() -> None:
    square = [10, 10, 10, 10, 0]
    turned = iou([square], [[10, 10, 10, 10, 45]])[0, 0]
    octagon = 100 * 2 * (np.sqrt(2) - 1)
    assert turned == pytest.approx(octagon / (200 - octagon))
    others = [square, [10, 10, 10, 10, 90], [15, 10, 10, 10, 0], [10, 10, 5, 5, 30], [20, 10, 10, 10, 0],
              [10, 10, 0, 10, 0], [np.nan] * 5]
    np.testing.assert_allclose(iou([square], others)[0], [1, 1, 1 / 3, 0.25, 0, 0, 0], atol=1e-9)


def test_share_inside_is_of_the_first_box() -> None:
    large, half_out = [0, 0, 10, 10, 30], [0, 0, 5, 20, 30]
    assert share_inside([large, half_out], [large, half_out]) == pytest.approx(np.array([[1, 0.5], [0.5, 1]]))
    assert share_inside([large], [[50, 0, 1, 1, 0]]).tolist() == [[0]]
    assert share_inside(np.zeros((0, 5)), [large]).shape == (0, 1)


@given(boxes(), st.floats(0, 360), st.floats(-1e5, 1e5))
def test_iou_does_not_depend_on_where_and_how_the_picture_is_turned(b: np.ndarray, turn: float, far: float) -> None:
    angle = np.radians(turn)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = b.copy()
    moved[:, :2] = b[:, :2] @ matrix.T + far
    moved[:, 4] += turn
    np.testing.assert_allclose(iou(moved, moved), iou(b, b), atol=1e-5)


@given(boxes())
def test_corners_local_and_contains_agree(b: np.ndarray) -> None:
    c = corners(b)
    assert c.shape == (len(b), 4, 2)
    for box, four in zip(b, c, strict=True):
        np.testing.assert_allclose(to_local(box, four), [[-1, -1], [1, -1], [1, 1], [-1, 1]], atol=1e-7)
        np.testing.assert_allclose(to_pixels(box, to_local(box, four)), four, atol=1e-7)
        inner = to_pixels(box, [[0, 0], [0.99, -0.99], [1.5, 0], [0, -1.5]])
        assert contains(box, inner)[0].tolist() == [True, True, False, False]


def test_angles_turn_clockwise_and_up_is_minus_y() -> None:
    head = to_pixels([100, 100, 20, 60, 90], [[0, -1]])
    np.testing.assert_allclose(head, [[130, 100]], atol=1e-9)


def test_empty_arrays() -> None:
    none, one = np.zeros((0, 5)), np.array([[1.0, 2, 3, 4, 5]])
    assert iou(none, one).shape == (0, 1)
    assert intersection(one, none).shape == (1, 0)
    assert corners(none).shape == (0, 4, 2)
    assert contains(none, np.zeros((0, 2))).shape == (0, 0)
    assert to_local(one, np.zeros((0, 2))).shape == (0, 2)
    assert to_pixels(one, []).shape == (0, 2)
