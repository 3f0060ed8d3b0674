"""Scores straight below the camera, where the net is less sure of people than it should be."""

from __future__ import annotations

import numpy as np

from aipg_plugin.geometry.arrays import Float64
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.thresholds import BELOW_DEG, BELOW_FADE_DEG, BELOW_LOGIT


def raised_below(projection: Projection, mount: Mount, boxes: Float64, scores: Float64) -> Float64:
    """Scores (N,) of gravity-aligned boxes (N, 5), those nearly straight below raised by `BELOW_LOGIT` of their logit.

    A score then means the same everywhere: of finds with a score of 0.14 to 0.29 a third are people there, elsewhere
    one in ten (`BELOW_LOGIT` in thresholds.py).
    """
    if not len(boxes):
        return scores
    rays = projection.pixel_to_ray(projection.clamp_to_valid(boxes[:, :2]))
    from_below_deg = np.degrees(np.arccos(np.clip(-(rays @ mount.up), -1, 1)))
    share = np.clip((BELOW_DEG - from_below_deg) / BELOW_FADE_DEG + 0.5, 0, 1)
    odds = np.exp(BELOW_LOGIT * share)
    return np.asarray(scores * odds / (1 + scores * (odds - 1)), np.float64)
