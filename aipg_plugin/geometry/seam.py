"""The seam of a picture that shows a full turn: the same place appears again one period further in x.

`period_px` is the width of a full turn in pixels; 0 stands for a picture without a seam, which every function leaves
as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from aipg_plugin.geometry import boxes
from aipg_plugin.geometry.arrays import Float64, rows
from aipg_plugin.geometry.parts import Part


def period_of(parts: Sequence[Part]) -> float:
    """Period in pixels of a picture that is one strip; 0 for all others (the borders between parts are not seams)."""
    return parts[0].period_px if len(parts) == 1 else 0.0


def borders_meet(part: Part) -> bool:
    """Whether the left and right borders of a part show the same direction (it is exactly a full turn wide)."""
    x0, _, x1, _ = part.rect
    return part.period_px > 0 and abs(part.period_px - (x1 - x0)) < 0.5


def shortest_dx(dx_px: Float64, period_px: float) -> Float64:
    """Differences in x, any shape, by the shorter way around: within half a period of 0."""
    return np.asarray(dx_px - np.round(dx_px / period_px) * period_px) if period_px else dx_px


def unwrap_near(values: Float64, near_px: float | Float64, period_px: float) -> Float64:
    """Points, boxes or discs (..., D ≥ 1; x first) moved by whole periods to where x is nearest `near_px`.

    `near_px` is one x for all, or (..., 1).
    """
    if not period_px:
        return values
    moved = values.copy()
    moved[..., :1] += np.round((near_px - values[..., :1]) / period_px) * period_px
    return np.asarray(moved)


def unrolled(x_px: Float64, period_px: float) -> tuple[Float64, int]:
    """(K,) x of a closed curve without jumps over the seam, and how many times it winds around (clockwise > 0)."""
    turns = np.round(np.diff(x_px, append=x_px[0]) / period_px)
    return x_px - np.concatenate([[0.0], np.cumsum(turns)[:-1]]) * period_px, int(-turns.sum())


def shifts_into(low_px: float, high_px: float, x0: float, x1: float, period_px: float) -> list[float]:
    """Every shift by whole periods after which something from `low_px` to `high_px` may reach into x0..x1."""
    first, last = int(np.floor((x0 - high_px) / period_px)), int(np.ceil((x1 - low_px) / period_px))
    return [k * period_px for k in range(first, last + 1)]


def intersection(a: ArrayLike, b: ArrayLike, period_px: float) -> Float64:
    """(N, M) common area in px² of boxes a (N, 5) and b (M, 5), up to one period apart."""
    shared = boxes.intersection(a, b)
    for turn in (-period_px, period_px) if period_px else ():
        shared = np.maximum(shared, boxes.intersection(a, rows(b, 5) + np.array([turn, 0, 0, 0, 0])))
    return shared


def iou(a: ArrayLike, b: ArrayLike, period_px: float) -> Float64:
    """(N, M) intersection over union of boxes a (N, 5) and b (M, 5), up to one period apart."""
    overlap = boxes.iou(a, b)
    for turn in (-period_px, period_px) if period_px else ():
        overlap = np.maximum(overlap, boxes.iou(a, rows(b, 5) + np.array([turn, 0, 0, 0, 0])))
    return overlap
