"""Masks of figures carried into a stream that shows something else than the pictures they were found in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.geometry.figure import pixels_per_metre
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.parts import Rect
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.geometry.transfer import pieces_of, remap_piece
from aipg_plugin.masking.cells import cell_px_for
from aipg_plugin.masking.plan import FigureRegion
from aipg_plugin.masking.region import rasterise
from aipg_plugin.options import BlurIntensity

_TOO_LARGE = 4       # an outline wider than so many pictures is doubtful
_STRAIGHT_PX = 0.5   # outlines are simplified by so much before they are carried; drawing them adds more than that


def carried(regions: Sequence[FigureRegion], source: Projection, target: Projection, mount: Mount,
            intensity: BlurIntensity) -> list[FigureRegion]:
    """The regions of `source`, widened there by their margins, as `target` shows them; those it does not are left out.

    A margin is as wide as the person is near: only where the figure was found is it the same to all sides.
    """
    polygons = [_outlines(region, source, target) for region in regions]
    places = [_middle(each) if each else (np.nan, np.nan) for each in polygons]
    densities = pixels_per_metre(target, mount, np.array(places, np.float64).reshape(-1, 2))
    return [replace(_region(region.key, found, float(density), intensity), head_px=_head(region, source, target))
            for region, found, density in zip(regions, polygons, densities, strict=True) if found]


def _outlines(region: FigureRegion, source: Projection, target: Projection) -> list[tuple[NDArray[np.float64], Rect]]:
    """Polygons (K, 2) in `target` and the view each lies in; what is doubtful is handed on: all will be masked."""
    most = _TOO_LARGE * max(source.size_wh)
    found: list[tuple[NDArray[np.float64], Rect]] = []
    for polygon in region.polygons_px:
        points = np.asarray(polygon, np.float64)
        if not np.isfinite([*points.ravel(), region.margin_px]).all() or (
                len(points) and np.ptp(points, axis=0).max() + region.margin_px > most):
            return [(np.full((3, 2), np.nan), target.parts[0].rect)]
        found += [each for piece, inside in pieces_of(source, points) for wide in widened(inside, region.margin_px)
                  for each in remap_piece(piece, target, wide)]
    return found


def _region(key: int, found: list[tuple[NDArray[np.float64], Rect]], per_metre: float,
            intensity: BlurIntensity) -> FigureRegion:
    if not np.isfinite(per_metre):
        per_metre = max(float(np.ptp(polygon, axis=0).min()) for polygon, _ in found) / 0.5
    return FigureRegion(key, tuple(np.asarray(polygon, np.float32) for polygon, _ in found), 0.0,
                        cell_px_for(intensity, per_metre), tuple(rect for _, rect in found))


def _head(region: FigureRegion, source: Projection, target: Projection) -> tuple[float, float, float] | None:
    if region.head_px is None:
        return None
    x, y, radius = region.head_px
    around = np.array([(x, y), (x + radius, y), (x - radius, y), (x, y + radius), (x, y - radius)])
    shown = target.ray_to_pixel(source.pixel_to_ray(around))
    away = np.sort(np.hypot(*(shown[1:] - shown[0]).T))  # the farthest may lie across a panorama's seam
    return (float(shown[0, 0]), float(shown[0, 1]), float(away[-2])) if np.isfinite(away).all() else None


def _middle(found: list[tuple[NDArray[np.float64], Rect]]) -> tuple[float, float]:
    """The middle of the largest polygon."""
    largest = max((polygon for polygon, _ in found), key=lambda polygon: float(np.ptp(polygon, axis=0).prod()))
    x, y = (largest.min(axis=0) + largest.max(axis=0)) / 2
    return float(x), float(y)


def widened(points: NDArray[np.float64], margin_px: float) -> list[NDArray[np.float64]]:
    """Outlines (K, 2) around a polygon (K, 2) and everything within `margin_px` of it."""
    if len(points) == 0:
        return []
    pad = max(margin_px, 0.0) + 8
    origin = np.floor((points.min(axis=0) - pad) / 2) * 2
    w, h = (np.ceil((np.ptp(points, axis=0) + 2 * pad) / 2) + 2).astype(int).tolist()
    patch = rasterise(points - origin, margin_px, (w, h))
    if patch is None:
        return []
    # Contours run through the middles of what is masked: those of pixels lie nearer to its border than those of blocks.
    pixels = np.repeat(np.repeat(patch.bits, 2, axis=0), 2, axis=1)
    contours, _ = cv2.findContours(pixels, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    offset = origin + 2.0 * np.array([patch.rect.x0, patch.rect.y0]) + 0.5
    return [cv2.approxPolyDP(contour, _STRAIGHT_PX, True).reshape(-1, 2) + offset for contour in contours]
