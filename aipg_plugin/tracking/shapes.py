"""Outlines put together so that nothing either of them covers is uncovered."""

from __future__ import annotations

import cv2
import numpy as np

from aipg_plugin.geometry import to_local, to_pixels
from aipg_plugin.geometry.arrays import Float64

_CANVAS_PX = 96          # side of the raster on which two outlines are joined


def union(a: Float64, b: Float64) -> Float64:
    """(K, 2) one outline around two in the same local coordinates; convex where they lie apart."""
    if a is b or (a.shape == b.shape and np.array_equal(a, b)):
        return a
    both = np.concatenate([a, b])
    low, high = both.min(axis=0), both.max(axis=0)
    scale = (_CANVAS_PX - 8) / max(float((high - low).max()), 1e-6)
    canvas = np.zeros((_CANVAS_PX, _CANVAS_PX), np.uint8)
    for outline in (a, b):
        cv2.fillPoly(canvas, [np.round((outline - low) * scale + 4).astype(np.int32)], 1)
    # One pixel more on all sides makes up for the rounding.
    canvas = np.asarray(cv2.dilate(canvas, np.ones((3, 3), np.uint8)), dtype=np.uint8)
    contours, _ = cv2.findContours(canvas, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if len(contours) != 1 or len(contours[0]) < 3:
        return hull(both)
    return np.asarray((contours[0].reshape(-1, 2).astype(np.float64) - 4) / scale + low)


def hull(points: Float64) -> Float64:
    """(K, 2) convex hull of (N, 2) points."""
    return np.asarray(cv2.convexHull(points.astype(np.float32)).reshape(-1, 2), dtype=np.float64)


def joined(box: Float64, outline: Float64, other_box: Float64, other_outline: Float64) -> Float64:
    """(K, 2) convex outline, local to `box`, around both outlines where they lie in the picture."""
    return hull(np.concatenate([outline, to_local(box, to_pixels(other_box, other_outline))]))


def both_here(box: Float64, a_box: Float64, a: Float64, b_box: Float64, b: Float64) -> Float64:
    """(K, 2) convex outline, local to `box`, around two outlines moved to its centre without being turned."""
    moved = []
    for own, outline in ((a_box, a), (b_box, b)):
        shifted = own.copy()
        shifted[:2] = box[:2]
        moved.append(to_local(box, to_pixels(shifted, outline)))
    return hull(np.concatenate(moved))
