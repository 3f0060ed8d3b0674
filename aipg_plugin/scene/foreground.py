"""Human-sized regions of a mask, as gravity-aligned boxes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.geometry import boxes as box_math
from aipg_plugin.geometry.arrays import Bools, Float32, Float64
from aipg_plugin.geometry.figure import pixels_per_metre
from aipg_plugin.geometry.gravity import up_angle_deg
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection

# Limits of what can be a person, set on painted rooms with known truth (tests/scene/test_background.py).
_MIN_AREA_M2 = 0.06           # a head and shoulders, half hidden
_MIN_SIDE_M = 0.22            # the longer side of a child's head and shoulders
_CLOSE_M = 0.25               # gaps in one person, where clothes are like the floor
_MIN_FILL = 0.22              # share of its box a region fills; streaks of light fill less
_GRID = 32                    # cells of the map of pixels per metre, each way
_MAX_SHARE = 0.35             # of the picture: no person


@dataclass(frozen=True, eq=False)
class ForegroundRegions:
    """`boxes` (N, 5) gravity-aligned px; `outlines` N arrays (K, 2) local, as a Figure's."""

    boxes: Float64
    outlines: tuple[Float32, ...]

    @cached_property
    def each(self) -> tuple[tuple[Float64, Float64], ...]:
        """Box (5,) and outline (K, 2) of each; the same arrays whenever they are asked for, so that masks are kept."""
        return tuple((np.array(box), outline.astype(np.float64))
                     for box, outline in zip(self.boxes, self.outlines, strict=True))

    def __len__(self) -> int:
        return len(self.boxes)


NO_FOREGROUND = ForegroundRegions(np.zeros((0, 5)), ())


def regions_over(cells: Bools, size_wh: tuple[int, int]) -> ForegroundRegions:
    """Regions of the picture of `size_wh` over the set cells of a grid (h, w), and half a cell around them."""
    if not cells.any():
        return NO_FOREGROUND
    grown = cv2.dilate(cells.astype(np.uint8), np.ones((3, 3), np.uint8))
    contours, _ = cv2.findContours(grown, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    scale = np.array(size_wh) / np.array(cells.shape[::-1])
    boxes, outlines = [], []
    for contour in contours:
        px = (np.asarray(contour, np.float64).reshape(-1, 2) + 0.5) * scale
        low, high = px.min(0), px.max(0)
        box = np.array([*(low + high) / 2, *np.maximum(high - low, 1.0), 0.0])
        boxes.append(box)
        outlines.append(np.asarray(box_math.to_local(box, px), np.float32))
    return ForegroundRegions(np.array(boxes), tuple(outlines))


class ForegroundFinder:
    """Finds human-sized regions in masks of `mask_wh`, which show `projection`'s picture at another size."""

    def __init__(self, projection: Projection, mount: Mount, mask_wh: tuple[int, int]) -> None:
        self._projection, self._mount, self._mask_wh = projection, mount, mask_wh
        self._scale = np.array(projection.size_wh, np.float64) / np.array(mask_wh)
        w, h = projection.size_wh
        steps = (np.arange(_GRID) + 0.5) / _GRID
        grid = np.stack(np.meshgrid(steps * w, steps * h), -1).reshape(-1, 2)
        self._per_metre = pixels_per_metre(projection, mount, grid).reshape(_GRID, _GRID)
        # Kernel side in mask pixels that spans `_CLOSE_M` at a typical place.
        usual = float(np.median(self._per_metre)) / float(self._scale.mean())
        self._close_px = int(np.clip(round(_CLOSE_M * usual), 3, 15)) | 1

    def _per_metre_at(self, px: Float64) -> Float64:
        """(N,) pixels per metre at pixels, from a coarse map: asking the geometry at each look costs too much."""
        cell = np.clip((px / self._projection.size_wh * _GRID).astype(np.intp), 0, _GRID - 1)
        return np.asarray(self._per_metre[cell[:, 1], cell[:, 0]], np.float64)

    def centres(self, mask: NDArray[np.bool_], min_px: int = 6) -> Float64:
        """(K, 2) centres of connected regions of at least `min_px` mask pixels, in picture pixels."""
        if not mask.any():
            return np.zeros((0, 2))
        there = mask.view(np.uint8)
        x, y, w, h = cv2.boundingRect(there)  # what moves beside people is little of the picture
        _, _, stats, centres = cv2.connectedComponentsWithStats(there[y:y + h, x:x + w], connectivity=8)
        large = np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= min_px) + 1
        return np.asarray((centres[large] + (x + 0.5, y + 0.5)) * self._scale, np.float64)

    def find(self, mask: NDArray[np.bool_]) -> ForegroundRegions:
        """The human-sized regions of a mask (h, w)."""
        if not mask.any():
            return NO_FOREGROUND
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (self._close_px, self._close_px))
        opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
        closed = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, kernel)
        contours, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        largest = _MAX_SHARE * mask.size
        chosen = [c for c in contours if len(c) >= 3 and 8 <= cv2.contourArea(c) <= largest]
        if not chosen:
            return NO_FOREGROUND
        middles = np.array([_middle(np.asarray(c)) for c in chosen]) * self._scale
        angles = up_angle_deg(self._projection, self._mount, middles)
        per_metre = self._per_metre_at(middles)
        boxes, outlines = [], []
        for contour, angle, ppm in zip(chosen, angles, per_metre, strict=True):
            points = (np.asarray(contour, np.float64).reshape(-1, 2) + 0.5) * self._scale
            box = _box_around(points, float(angle))
            area = float(cv2.contourArea(contour)) * float(self._scale.prod())
            if self._human(box, area, float(ppm)):
                boxes.append(box)
                outlines.append(_outline(box, points))
        return ForegroundRegions(np.array(boxes, np.float64).reshape(-1, 5), tuple(outlines))

    @staticmethod
    def _human(box: Float64, area_px: float, per_metre: float) -> bool:
        if not np.isfinite(per_metre) or per_metre <= 0:
            return True
        long_enough = max(box[2], box[3]) / per_metre >= _MIN_SIDE_M
        return bool(long_enough and area_px / per_metre ** 2 >= _MIN_AREA_M2
                    and area_px / (box[2] * box[3]) >= _MIN_FILL)


def _middle(contour: NDArray[np.generic]) -> tuple[float, float]:
    moments = cv2.moments(np.asarray(contour, np.int32))
    return moments["m10"] / moments["m00"] + 0.5, moments["m01"] / moments["m00"] + 0.5


def _box_around(points: Float64, angle_deg: float) -> Float64:
    """The box (5,) at this angle around points (K, 2)."""
    local = box_math.to_local(np.array([0.0, 0.0, 2.0, 2.0, angle_deg]), points)
    low, high = local.min(0), local.max(0)
    centre = box_math.to_pixels(np.array([0.0, 0.0, 2.0, 2.0, angle_deg]), ((low + high) / 2)[None])[0]
    size = np.maximum(high - low, 1.0)
    return np.array([centre[0], centre[1], size[0], size[1], angle_deg])


def _outline(box: Float64, points: Float64) -> Float32:
    """The region's border in local coordinates, simplified; closing has already filled the gaps between limbs."""
    simple = cv2.approxPolyDP(points.astype(np.float32), 0.015 * float(max(box[2], box[3])), True).reshape(-1, 2)
    shape = simple if len(simple) >= 3 else points
    return np.asarray(box_math.to_local(box, shape.astype(np.float64)), np.float32)
