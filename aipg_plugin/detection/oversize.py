"""Scores of boxes that are larger than people are."""

from __future__ import annotations

import numpy as np

from aipg_plugin.geometry.arrays import Float64
from aipg_plugin.geometry.figure import pixels_per_metre
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.thresholds import LARGEST_M2


def lowered_oversize(projection: Projection, mount: Mount, boxes: Float64, scores: Float64) -> Float64:
    """Scores (N,) in 0-1 of gravity-aligned boxes (N, 5); the odds of a box that is n times `LARGEST_M2` (square metres
    at a person's distance) are divided by n².

    Sure finds stay sure. Doubtful ones of this size are furniture and whole rooms, and mask most for nothing.
    """
    if not len(boxes):
        return scores
    per_metre = pixels_per_metre(projection, mount, boxes[:, :2])
    area_m2 = boxes[:, 2] * boxes[:, 3] / per_metre ** 2
    times = np.maximum(area_m2 / LARGEST_M2, 1.0)
    odds = times ** -2
    return np.asarray(scores * odds / (scores * odds + (1 - scores)), np.float64)
