"""What pages draw over a guarded picture: the lens circle, people of the expected size, areas of other streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from aipg_plugin.geometry.boxes import corners
from aipg_plugin.geometry.camera import FisheyeCamera
from aipg_plugin.geometry.figure import standing_boxes
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.geometry.transfer import remap_area
from aipg_plugin.options import MountKind

DISTANCES_M = (1.5, 3.5, 6.0)
_HEADINGS_DEG = {MountKind.CEILING: (20.0, 140.0, 260.0), MountKind.WALL: (-25.0, 0.0, 25.0)}


def circle_json(projection: Projection) -> list[float] | None:
    """(cx, cy, radius) by width, height, width; None for a dewarped view."""
    if not isinstance(projection, FisheyeCamera):
        return None
    (w, h), circle = projection.size_wh, projection.circle
    return [circle.cx_px / w, circle.cy_px / h, circle.radius_px / w]


def expected_figures(projection: Projection, mount: Mount, kind: MountKind) -> list[dict[str, Any]]:
    """Where somebody of 1.75 m would be at three distances: normalised corners (4, 2) of the box, and the distance."""
    found = []
    for distance_m, heading_deg in zip(DISTANCES_M, _HEADINGS_DEG[kind], strict=True):
        heading = np.radians(heading_deg)
        if kind is MountKind.WALL:   # floor frame of a wall camera: y is straight ahead
            place = (distance_m * np.sin(heading), distance_m * np.cos(heading))
        else:
            place = (distance_m * np.cos(heading), distance_m * np.sin(heading))
        box = standing_boxes(projection, mount, [place])
        if np.isfinite(box).all():
            points = corners(box)[0] / projection.size_wh
            found.append({"distance_m": distance_m, "points": np.round(points, 4).tolist()})
    return found


def upright_boxes(boxes: Sequence[Sequence[float]], size_wh: tuple[int, int]) -> list[list[float]]:
    """Normalised x1, y1, x2, y2 around turned boxes (cx, cy, w, h as shares of the picture, degrees clockwise)."""
    turned = np.asarray(boxes, np.float64).reshape(-1, 5) * (*size_wh, *size_wh, 1)
    outlines = np.clip(corners(turned) / size_wh, 0, 1)
    found: list[list[float]] = np.round(np.concatenate([outlines.min(axis=1), outlines.max(axis=1)], 1), 4).tolist()
    return found


def area_elsewhere(source: Projection, target: Projection,
                   points: Sequence[Sequence[float]]) -> list[list[list[float]]]:
    """An area drawn on one stream (normalised points) as polygons (normalised) in another."""
    outline = np.asarray(points, np.float64).reshape(-1, 2) * source.size_wh
    return [np.round(polygon / target.size_wh, 4).tolist() for polygon, _ in remap_area(source, target, outline)]
