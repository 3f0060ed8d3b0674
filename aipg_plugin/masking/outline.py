"""Outlines of what a figure's mask covers, for metadata and overlays."""

from __future__ import annotations

import cv2
import numpy as np

from aipg_plugin.geometry.arrays import Float64
from aipg_plugin.masking.plan import FigureRegion
from aipg_plugin.masking.region import figure_patches


def outline_of(figure: FigureRegion, size_wh: tuple[int, int]) -> tuple[Float64, ...]:
    """Polygons (K, 2) in px around the masked blocks of one figure. Raises DoubtfulPolygonError."""
    blocks_wh = ((size_wh[0] + 1) // 2, (size_wh[1] + 1) // 2)
    polygons = []
    for patch in figure_patches(figure, blocks_wh):
        found, _ = cv2.findContours(np.ascontiguousarray(patch.bits), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        for contour in found:
            points = contour.reshape(-1, 2).astype(np.float64) + np.array([patch.rect.x0, patch.rect.y0])
            polygons.append(2.0 * points + 1.0)  # block centres to pixels
    return tuple(polygons)
