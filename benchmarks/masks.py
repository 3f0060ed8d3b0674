"""The mask the product would paint over detections in a still picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.detection.detections import Detections
from aipg_plugin.geometry import boxes as box_math
from aipg_plugin.options import Sensitivity
from benchmarks.dev_pictures import DevPicture

# Share of the figure's smaller side by which its outline is widened; the guard's margin at rest.
MARGIN_SHARE = {Sensitivity.LOW: 0.04, Sensitivity.MEDIUM: 0.07, Sensitivity.HIGH: 0.10}


def mask_of(found: Detections, _truth: DevPicture, size_wh: tuple[int, int], level: Sensitivity) -> NDArray[np.uint8]:
    """(H, W) uint8, 1 where the figures' outlines, widened by the margin, lie."""
    mask = np.zeros((size_wh[1], size_wh[0]), np.uint8)
    for box, shape in zip(found.boxes, found.outlines, strict=True):
        polygon = np.round(box_math.to_pixels(box, shape)).astype(np.int32)
        cv2.fillPoly(mask, [polygon], 1)
        margin = MARGIN_SHARE[level] * float(min(box[2], box[3]))
        cv2.polylines(mask, [polygon], True, 1, max(1, round(2 * margin)))
    return mask
