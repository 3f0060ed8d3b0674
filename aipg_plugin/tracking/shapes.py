"""Outlines put together so that nothing either of them covers is uncovered."""

from __future__ import annotations

import cv2
import numpy as np

from aipg_plugin.geometry import to_local, to_pixels
from aipg_plugin.geometry.arrays import Float64


def hull(points: Float64) -> Float64:
    """(K, 2) convex hull of (N, 2) points."""
    return np.asarray(cv2.convexHull(points.astype(np.float32)).reshape(-1, 2), dtype=np.float64)


def joined(box: Float64, outline: Float64, other_box: Float64, other_outline: Float64) -> Float64:
    """(K, 2) convex outline, local to `box`, around both outlines where they lie in the picture."""
    return hull(np.concatenate([outline, to_local(box, to_pixels(other_box, other_outline))]))
