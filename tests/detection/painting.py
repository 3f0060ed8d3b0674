"""Pictures with red figures at known places."""

from __future__ import annotations

import cv2
import numpy as np

from aipg_plugin.geometry.boxes import corners

RED, FLOOR = (0, 0, 255), (90, 90, 90)


def picture_of(size_wh: tuple[int, int], boxes: np.ndarray) -> np.ndarray:
    """(H, W, 3) grey floor with a red rectangle for each gravity-aligned box."""
    picture = np.full((size_wh[1], size_wh[0], 3), FLOOR, np.uint8)
    for polygon in corners(np.asarray(boxes, np.float64).reshape(-1, 5)):
        cv2.fillConvexPoly(picture, np.round(polygon * 16 - 8).astype(np.int32), RED, shift=4)
    return picture
