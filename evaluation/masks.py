"""The mask the product paints over detections in a still picture: its own margins, its own rasteriser."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.detection.detections import Detections
from aipg_plugin.geometry.figure import Figure
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.guard.planner import MaskPlanner
from aipg_plugin.masking.region import RegionMap
from aipg_plugin.options import PrivacyGuard, Sensitivity


def mask_of(found: Detections, projection: Projection, mount: Mount, level: Sensitivity) -> NDArray[np.uint8]:
    """(H, W) uint8, 1 where the product would mask these detections, seen this moment, at a sensitivity."""
    figures = tuple(
        Figure(id=i, box=box.astype(np.float64), outline=shape.astype(np.float64), head=head.astype(np.float64),
               score=float(score), seen_s=0.0)
        for i, (box, shape, head, score) in enumerate(
            zip(found.boxes, found.outlines, found.heads, found.scores, strict=True)))
    scene = MaskPlanner(projection=projection, source=projection, mount=mount, same=True)
    regions = RegionMap(projection.size_wh)
    regions.compose(scene.plan(figures, PrivacyGuard(sensitivity=level), full=False), {})
    w, h = projection.size_wh
    blocks = (regions.level > 0).astype(np.uint8)
    return np.asarray(cv2.resize(blocks, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)[:h, :w], np.uint8)
