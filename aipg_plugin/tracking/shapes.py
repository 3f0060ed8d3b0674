"""Outlines put together so that nothing either of them covers is uncovered."""

from __future__ import annotations

import cv2
import numpy as np

from aipg_plugin.geometry import to_local, to_pixels
from aipg_plugin.geometry.arrays import Float64

_CANVAS_PX = 192


def hull(points: Float64) -> Float64:
    """(K, 2) convex hull of (N, 2) points."""
    return np.asarray(cv2.convexHull(points.astype(np.float32)).reshape(-1, 2), dtype=np.float64)


def joined(box: Float64, outline: Float64, other_box: Float64, other_outline: Float64) -> Float64:
    """(K, 2) convex outline, local to `box`, around both outlines where they lie in the picture."""
    return hull(np.concatenate([outline, to_local(box, to_pixels(other_box, other_outline))]))


def united(box: Float64, outline: Float64, other_box: Float64, other_outline: Float64) -> Float64:
    """(K, 2) outline, local to `box`, around both outlines and nothing beside them, to a hundredth of their extent."""
    both = [outline, to_local(box, to_pixels(other_box, other_outline))]
    corners = np.concatenate(both)
    low = corners.min(axis=0)
    scale = (_CANVAS_PX - 5) / np.maximum(np.ptp(corners, axis=0), 1e-9)
    canvas = np.zeros((_CANVAS_PX, _CANVAS_PX), np.uint8)
    for one in both:
        drawn = [np.round((one - low) * scale + 2).astype(np.int32)]
        cv2.fillPoly(canvas, drawn, 1)
        cv2.polylines(canvas, drawn, True, 1, 2)
    contours, _ = cv2.findContours(canvas, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    parts = [cv2.approxPolyDP(contour, 0.5, True).reshape(-1, 2).astype(np.float64) for contour in contours]
    points = parts[0]
    for part in parts[1:]:
        points = seamed(points, part)
    return np.asarray((points - 2) / scale + low, np.float64)


def seamed(outline: Float64, part: Float64) -> Float64:
    """One outline (K + N + 2, 2) around two that lie apart, there and back along the shortest way."""
    gaps = np.linalg.norm(outline[:, None] - part[None], axis=2)
    here, there = np.unravel_index(int(gaps.argmin()), gaps.shape)
    around = np.roll(part, -int(there), axis=0)
    return np.concatenate([outline[:here + 1], around, around[:1], outline[here:]])
