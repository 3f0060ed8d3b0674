"""Covers what nobody has looked at: where a frame differs from the pictures looked at and no mask explains it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.masking.plan import FigureRegion
from aipg_plugin.scene.grid import drawn

Bools = NDArray[np.bool_]
Shares = NDArray[np.float32]

_FINE = 4              # masks are drawn at this many times the thumbnail's size
_EXPLAINED_SHARE = 0.3  # of a thumbnail pixel under a mask: its change is that of the masked person
_SHOWN_SHARE = 0.3    # of a thumbnail pixel that was masked in a look: it shows somebody
_FIRST_KEY = -1000     # keys of covers; people have positive ones, foreground regions small negative ones
MOST_UNEXPLAINED = 0.08  # share of the picture; more than this and all of it is masked


def masked_share(regions: Iterable[FigureRegion], shape: tuple[int, ...], size_wh: tuple[int, int],
                 asked: Bools | None = None) -> Shares:
    """(h, w) float32: how much of each pixel of a thumbnail lies under masks of the picture of `size_wh`.

    `asked` (h, w): only there does it matter (not given: everywhere).
    """
    h, w = shape
    if asked is not None:
        regions = [region for region in regions if _reaches(region, asked, (w / size_wh[0], h / size_wh[1]))]
        if not regions:
            return np.zeros((h, w), np.float32)
    scale = _FINE * (w / size_wh[0] + h / size_wh[1]) / 2
    polygons = [(polygon, max(1, round(2 * region.margin_px * scale)))
                for region in regions for polygon in region.polygons_px]
    fine = drawn([polygon for polygon, _ in polygons], (h * _FINE, w * _FINE), size_wh, [rim for _, rim in polygons])
    return np.asarray(cv2.resize(fine * np.uint8(255), (w, h), interpolation=cv2.INTER_AREA) / np.float32(255),
                      np.float32)


def _reaches(region: FigureRegion, places: Bools, scale_wh: tuple[float, float]) -> bool:
    """Whether a region's mask may lie over a set pixel of a thumbnail `scale_wh` times the picture's size."""
    for polygon in region.polygons_px:
        if len(polygon) == 0:
            continue
        low, high = polygon.min(axis=0) - region.margin_px, polygon.max(axis=0) + region.margin_px
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            return True
        x0, y0 = np.maximum(np.floor(low * scale_wh) - 1, 0).astype(int).tolist()
        x1, y1 = (np.ceil(high * scale_wh) + 1).astype(int).tolist()
        if x1 > 0 and y1 > 0 and places[y0:y1, x0:x1].any():
            return True
    return False


def unexplained(different: Bools, masked: Shares) -> Bools:
    """(h, w) bool: the changed pixels of a thumbnail that no mask lies over."""
    return np.asarray(different & (masked < _EXPLAINED_SHARE), bool)


def places_of(different: Bools, size_wh: tuple[int, int]) -> NDArray[np.float64]:
    """(N, 2) the set pixels of a thumbnail (h, w) in pixels of the picture of `size_wh`."""
    h, w = different.shape
    rows, columns = np.nonzero(different)
    return np.stack([(columns + 0.5) * size_wh[0] / w, (rows + 0.5) * size_wh[1] / h], axis=-1)


def unmasked(changes: Sequence[tuple[Bools, Callable[[], Shares]]], masked: Shares) -> Bools:
    """(h, w) bool: what a frame wrongly leaves clear, by the looks it rests on.

    `changes` has for each look where the frame differs from it, and what was masked of the picture looked at. A place
    that differs from every look has not been looked at. One that differs from one look and is as it was in another
    shows whom that one saw there, if there was a mask.
    """
    different = [change for change, _ in changes]
    some = np.logical_or.reduce(different)
    found = unexplained(np.logical_and.reduce(different), masked)
    for change, masked_then in changes:
        as_then = unexplained(some & ~change, masked)
        if as_then.any():
            found |= as_then & (masked_then() > _SHOWN_SHARE)
    return np.asarray(found, bool)


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
