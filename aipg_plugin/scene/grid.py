"""Polygons of a picture drawn into a coarse grid over it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.geometry.arrays import UInt8


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
