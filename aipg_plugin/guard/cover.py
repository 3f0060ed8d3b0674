"""Covers what nobody has looked at: where a frame differs from the pictures looked at and no mask explains it."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.masking.plan import FigureRegion

Bools = NDArray[np.bool_]

_FINE = 4              # masks are drawn at this many times the thumbnail's size
_EXPLAINED_SHARE = 0.1  # of a thumbnail pixel under a mask: its change is that of whoever is masked
_FIRST_KEY = -1000     # keys of covers; people have positive ones, foreground regions small negative ones
MOST_UNEXPLAINED = 0.08  # share of the picture; more than this and all of it is masked


def unexplained(different: Bools, regions: Iterable[FigureRegion], size_wh: tuple[int, int]) -> Bools:
    """(h, w) bool: the changed pixels of a thumbnail that no mask of the picture of `size_wh` lies over."""
    if not different.any():
        return different
    h, w = different.shape
    drawn = np.zeros((h * _FINE, w * _FINE), np.uint8)
    scale = np.array([w * _FINE / size_wh[0], h * _FINE / size_wh[1]])
    for region in regions:
        reach = max(1, round(2 * region.margin_px * float(scale.mean())))
        for polygon in region.polygons_px:
            points = np.asarray(polygon, np.float64) * scale - 0.5
            if np.isfinite(points).all():
                whole = [np.round(points).astype(np.int32)]
                cv2.fillPoly(drawn, whole, 255)
                cv2.polylines(drawn, whole, True, 255, reach)
    masked = cv2.resize(drawn, (w, h), interpolation=cv2.INTER_AREA)
    return np.asarray(different & (masked < _EXPLAINED_SHARE * 255), bool)


def covers(places: Bools, size_wh: tuple[int, int], cell_px: int) -> tuple[FigureRegion, ...]:
    """Regions of the picture of `size_wh` over the set pixels of a thumbnail (h, w) and those next to them."""
    if not places.any():
        return ()
    h, w = places.shape
    grown = cv2.dilate(places.astype(np.uint8), np.ones((3, 3), np.uint8))
    contours, _ = cv2.findContours(grown, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    scale = np.array([size_wh[0] / w, size_wh[1] / h])
    return tuple(
        FigureRegion(key=_FIRST_KEY - index, margin_px=float(scale.max()) / 2, cell_px=cell_px,
                     polygons_px=(((np.asarray(contour, np.float64).reshape(-1, 2) + 0.5) * scale).astype(np.float32),))
        for index, contour in enumerate(contours))
