"""Pictures with red figures at known places."""

from __future__ import annotations

import cv2
import numpy as np

from aipg_plugin.detection.tiles import Tile
from aipg_plugin.geometry import Mount, Projection
from aipg_plugin.geometry.boxes import corners, to_local, to_pixels
from aipg_plugin.geometry.gravity import up_angle_deg

RED, FLOOR = (0, 0, 255), (90, 90, 90)


def picture_of(size_wh: tuple[int, int], boxes: np.ndarray) -> np.ndarray:
    """(H, W, 3) grey floor with a red rectangle for each gravity-aligned box."""
    picture = np.full((size_wh[1], size_wh[0], 3), FLOOR, np.uint8)
    for polygon in corners(np.asarray(boxes, np.float64).reshape(-1, 5)):
        cv2.fillConvexPoly(picture, np.round(polygon * 16 - 8).astype(np.int32), RED, shift=4)
    return picture


def in_tile(tile: Tile, box: tuple[float, float, float, float]) -> np.ndarray:
    """(K, 2) picture pixels of the border of a tile's box `cx, cy, w, h`: what a net would call one figure."""
    steps = np.linspace(-0.5, 0.5, 17)[:-1]
    half = np.full_like(steps, 0.5)
    border = np.concatenate([np.stack(side, 1) for side in
                             ((steps, -half), (half, steps), (-steps, half), (-half, -steps))])
    return np.asarray(tile.to_picture(np.array(box[:2]) + border * box[2:]), np.float64)


def paint(picture: np.ndarray, polygon: np.ndarray) -> None:
    """A red figure (K, 2) in the picture."""
    cv2.fillPoly(picture, [np.round(polygon * 16 - 8).astype(np.int32)], RED, shift=4)


def around(projection: Projection, mount: Mount, polygon: np.ndarray) -> np.ndarray:
    """(5,) the gravity-aligned box around a figure (K, 2)."""
    middle = polygon.mean(0)
    frame = np.array([*middle, 2.0, 2.0, up_angle_deg(projection, mount, middle[None])[0]])
    local = np.asarray(to_local(frame, polygon))
    low, high = local.min(0), local.max(0)
    return np.array([*np.asarray(to_pixels(frame, ((low + high) / 2)[None]))[0], *(high - low), frame[4]])
