"""People who walk about below a camera, and what a perfect detector would say of them."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np

from aipg_plugin.geometry import (
    Figure,
    FisheyeCamera,
    ImageCircle,
    LensLaw,
    Mount,
    Projection,
    standing_boxes,
    to_pixels,
)

CEILING = Mount("ceiling", 3.0)
CAMERA = FisheyeCamera(LensLaw("equidistant", 180), ImageCircle(480, 480, 480), (960, 960))
OVAL = np.array([(np.cos(a), np.sin(a)) for a in np.linspace(0, 2 * np.pi, 24, endpoint=False)])


def seen(boxes: np.ndarray, scores: object = 0.9) -> SimpleNamespace:
    """Detections of boxes (N, 5); one score or (N,)."""
    b = np.asarray(boxes, np.float32).reshape(-1, 5)
    heads = np.full((len(b), 3), np.nan, np.float32)
    for k, box in enumerate(b):
        heads[k] = (*to_pixels(box, [[0, -0.8]])[0], 0.15 * box[2])
    return SimpleNamespace(boxes=b, scores=np.broadcast_to(np.asarray(scores, np.float32), (len(b),)), heads=heads,
                           outlines=tuple(OVAL.astype(np.float32) for _ in b))


def at(places_m: object, projection: Projection = CAMERA, mount: Mount = CEILING) -> np.ndarray:
    """(N, 5) boxes of people standing at places (N, 2) metres."""
    return standing_boxes(projection, mount, places_m)


def painted(figures: tuple[Figure, ...], size_wh: tuple[int, int] = CAMERA.size_wh) -> np.ndarray:
    """(H, W) bool: what the figures' outlines cover, grown by a pixel."""
    mask = np.zeros(size_wh[::-1], np.uint8)
    for figure in figures:
        polygon = np.round((to_pixels(figure.box, figure.outline) - 0.5) * 16).astype(np.int32)
        cv2.fillPoly(mask, [polygon], 1, shift=4)
    return cv2.dilate(mask, np.ones((3, 3), np.uint8)).astype(bool)


def covered(figures: tuple[Figure, ...], box: np.ndarray, size_wh: tuple[int, int] = CAMERA.size_wh) -> float:
    """Share of a person's oval that the figures cover."""
    own = painted((Figure(0, np.asarray(box, float), OVAL * 0.98, np.full(3, np.nan), 1, 0),), size_wh)
    own = cv2.erode(own.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    return 1.0 if not own.any() else float(painted(figures, size_wh)[own].mean())
