"""Which regions that differ from the empty scene are shadows of people who are known."""

from __future__ import annotations

import cv2
import numpy as np

from aipg_plugin.geometry import to_pixels
from aipg_plugin.geometry.arrays import Bools, Float32, UInt8
from aipg_plugin.scene.foreground import ForegroundRegions

# Set on rendered rooms with exact truth: of 587 people who are in front of a scene that is known, none has more than
# 0.48 of such pixels (0.81 of grey pictures), of the shadows beside people nine in ten have 0.9 and more.
_SHADOW_SHARE = 0.9           # of a region's pixels look like the empty scene in less light
_DARKEST, _BRIGHTEST = 0.4, 1.03  # light left in a shadow
_LEAST_LEVEL = 40             # grey levels: in the dark nobody can tell
_CHROMA_LEVELS = 6.0          # as far as the colour may be from that of the scene in less light
_ROUGH, _WINDOW_PX = 0.06, 5  # a shadow keeps the pattern of the floor: what is left of the light varies little nearby


def without_shadows(regions: ForegroundRegions, seen: UInt8, empty: Float32, known: Bools, people: Bools,
                    scale_xy: tuple[float, float]) -> ForegroundRegions:
    """The regions that are no shadows of the `people`.

    `seen` and `empty` (h, w, 3) YCrCb in the same light, `known` (h, w) where the empty scene is known, `people` (h, w)
    where somebody is known to be; `scale_xy` from the regions' pixels to these.
    """
    if not len(regions) or not people.any():
        return regions
    away_px = cv2.distanceTransform((~people).view(np.uint8), cv2.DIST_L2, 3)
    kept = [index for index, (box, outline) in enumerate(zip(regions.boxes, regions.outlines, strict=True))
            if not _is_shadow(to_pixels(box, np.asarray(outline, np.float64)) * scale_xy - 0.5, seen, empty, known,
                              np.asarray(away_px, np.float32))]
    return ForegroundRegions(regions.boxes[kept], tuple(regions.outlines[index] for index in kept))


def _is_shadow(polygon: np.ndarray, seen: UInt8, empty: Float32, known: Bools, away_px: Float32) -> bool:
    """Whether a region (K, 2) lies no farther from people than it is long, and shows the scene in less light."""
    h, w = known.shape
    low, high = np.floor(polygon.min(axis=0)), np.ceil(polygon.max(axis=0)) + 1
    x0, y0 = np.clip(low - _WINDOW_PX, 0, (w, h)).astype(int).tolist()
    x1, y1 = np.clip(high + _WINDOW_PX, 0, (w, h)).astype(int).tolist()
    if x0 >= x1 or y0 >= y1:
        return False
    here = np.s_[y0:y1, x0:x1]
    drawn = np.zeros((y1 - y0, x1 - x0), np.uint8)
    cv2.fillPoly(drawn, [np.round(polygon - (x0, y0)).astype(np.int32)], 1)
    inside = drawn.view(bool)
    if not inside.any() or away_px[here][inside].min() > (high - low).max():
        return False
    like = _darker(seen[here], empty[here]) & known[here]
    return float(like[inside].mean()) >= _SHADOW_SHARE


def _darker(seen: UInt8, empty: Float32) -> Bools:
    """(h, w) where a picture looks like the empty scene in less light."""
    light = seen[..., 0] / np.maximum(empty[..., 0], 1)
    colour = np.abs((seen[..., 1:] - np.float32(128)) - light[..., None] * (empty[..., 1:] - 128)).max(axis=2)
    rough = np.abs(light - cv2.blur(light, (_WINDOW_PX, _WINDOW_PX)))
    return np.asarray((empty[..., 0] >= _LEAST_LEVEL) & (light > _DARKEST) & (light < _BRIGHTEST)
                      & (colour <= _CHROMA_LEVELS) & (rough <= _ROUGH), bool)
