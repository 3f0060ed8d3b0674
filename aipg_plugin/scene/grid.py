"""Polygons and boxes of a picture drawn into a coarse grid over it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.geometry import boxes as box_math
from aipg_plugin.geometry.arrays import Bools, Float64, UInt8


def drawn(polygons_px: Iterable[NDArray[np.floating]], shape: Sequence[int], picture_wh: tuple[int, int],
          rims: Iterable[int] | None = None) -> UInt8:
    """(h, w) 0 or 1: the cells of a grid of `shape` whose middles lie in polygons (K, 2) of a picture of `picture_wh`.

    `rims`: each polygon's outline is drawn so many cells wide too. A polygon that is not finite is left out.
    """
    h, w = shape[:2]
    grid = np.zeros((h, w), np.uint8)
    scale = np.array([w, h]) / picture_wh
    polygons = list(polygons_px)
    for polygon, rim in zip(polygons, [0] * len(polygons) if rims is None else rims, strict=True):
        points = np.asarray(polygon, np.float64) * scale - 0.5
        if len(points) and np.isfinite(points).all():
            whole = [np.round(points).astype(np.int32)]
            cv2.fillPoly(grid, whole, 1)
            if rim:
                cv2.polylines(grid, whole, True, 1, rim)
    return grid


def box_cells(box: Float64, shape: Sequence[int], picture_wh: tuple[int, int]) -> tuple[tuple[slice, slice], Bools]:
    """The part of a grid of `shape` around a box (5,) of a picture of `picture_wh`, and (h, w) bool which of its cells
    lie in the box; an empty part for a box that is not finite or outside.
    """
    h, w = shape[:2]
    if not np.isfinite(box).all():
        return (slice(0), slice(0)), np.zeros((0, 0), bool)
    corners = np.round(box_math.corners(box[None])[0] * (np.array([w, h]) / picture_wh) - 0.5).astype(np.int32)
    left, top = np.clip(corners.min(0), 0, (w, h)).tolist()
    right, bottom = np.clip(corners.max(0) + 1, 0, (w, h)).tolist()
    mask = np.zeros((bottom - top, right - left), np.uint8)
    if mask.size:
        cv2.fillConvexPoly(mask, corners - np.array([left, top], np.int32), 1)
    return (slice(top, bottom), slice(left, right)), np.asarray(mask > 0, bool)
