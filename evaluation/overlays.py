"""Overlay sheets: truth, detections and mask on the picture, to be looked at."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.detection.detections import Detections
from aipg_plugin.geometry import boxes as box_math
from evaluation import metrics
from evaluation.pictures import LabelledPicture

GREEN, RED, YELLOW, GREY, CYAN = (80, 220, 80), (40, 40, 255), (0, 220, 255), (160, 160, 160), (255, 220, 0)


def draw(picture: NDArray[np.uint8], found: Detections, truth: LabelledPicture, mask: NDArray[np.uint8],
         longest_px: int = 1400) -> NDArray[np.uint8]:
    """A new BGR sheet. Truth: green found, red missed, grey difficult. Detections: yellow right, cyan wrong.

    The mask is tinted; leaked heads are filled red.
    """
    sheet = picture.copy()
    sheet[mask > 0] = (0.65 * sheet[mask > 0] + 0.35 * np.array([200, 60, 160])).astype(np.uint8)
    at_3 = metrics.match(found, truth, 0.3)
    width = max(1, round(max(picture.shape[:2]) / 700))
    for i, corners in enumerate(box_math.corners(truth.boxes)):
        colour = GREY if truth.difficult[i] else GREEN if at_3.found[i] else RED
        cv2.polylines(sheet, [np.round(corners).astype(np.int32)], True, colour, width)
    for head in truth.heads[metrics.leaked_heads(mask, truth)]:
        x, y, r = head
        cv2.circle(sheet, (round(x), round(y)), round(r), RED, -1)
    for k, corners in enumerate(box_math.corners(found.boxes)):
        colour = YELLOW if at_3.right[k] else GREY if at_3.neutral[k] else CYAN
        cv2.polylines(sheet, [np.round(corners).astype(np.int32)], True, colour, width)
        x, y = found.boxes[k, :2]
        cv2.putText(sheet, f"{100 * found.scores[k]:.0f}", (int(x), int(y)), cv2.FONT_HERSHEY_SIMPLEX,
                    0.45 * width, colour, width)
    factor = min(1.0, longest_px / max(sheet.shape[:2]))
    small = cv2.resize(sheet, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) if factor < 1 else sheet
    return np.asarray(small, np.uint8)
