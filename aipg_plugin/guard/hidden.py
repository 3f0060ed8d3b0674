"""What a stream shows and the pictures of its camera that are looked at do not: nobody is ever found there."""

from __future__ import annotations

import cv2
import numpy as np

from aipg_plugin.geometry.arrays import Bools, Float64
from aipg_plugin.geometry.projection import Projection

_LEAST_PX = 3  # pixels of a thumbnail: a narrower strip is the rim of two image circles that were found apart


def middles_in(own: Projection, source: Projection, shape: tuple[int, ...]) -> Float64:
    """(h * w, 2) px of `source`, off its edges too, that the pixels of a thumbnail (h, w) of `own` show.

    NaN where `source` cannot show them.
    """
    h, w = shape
    xs, ys = np.meshgrid(np.arange(w) + 0.5, np.arange(h) + 0.5)
    rays = own.pixel_to_ray(np.stack([xs.ravel(), ys.ravel()], axis=-1) * own.size_wh / (w, h))
    there = np.isfinite(rays).all(1)
    px = np.full((h * w, 2), np.nan)
    px[there] = source.ray_to_pixel(rays[there])
    return px


def hidden_places(own: Projection, source: Projection, valid: Bools) -> Bools:
    """(h, w) bool: the pixels of a thumbnail of `own` that pictures of `source` do not show.

    `valid` (h, w) bool is where the lens of `own` shows something.
    """
    px = middles_in(own, source, valid.shape)
    seen = ((px >= 0) & (px <= source.size_wh)).all(1)  # NaN is not
    unseen = valid & ~seen.reshape(valid.shape)
    padded = np.pad(unseen.astype(np.uint8), _LEAST_PX, mode="edge")
    opened = cv2.morphologyEx(padded, cv2.MORPH_OPEN, np.ones((_LEAST_PX, _LEAST_PX), np.uint8))
    return np.asarray(opened[_LEAST_PX:-_LEAST_PX, _LEAST_PX:-_LEAST_PX] > 0, bool)
