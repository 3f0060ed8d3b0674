"""Gravity-aligned boxes `(cx, cy, w, h, angle_deg)`: corners, overlap, local coordinates."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from aipg_plugin.geometry.arrays import Bools, Float64, rows

_UNIT_CORNERS = np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])
_UNIT_SIDES = np.roll(_UNIT_CORNERS, -1, axis=0) - _UNIT_CORNERS  # from each corner to the next
_LARGER = 1e-9


def _axes(boxes: Float64) -> tuple[Float64, Float64]:
    """(N,) cosines and sines of the boxes' angles."""
    angle = np.radians(boxes[:, 4])
    return np.cos(angle), np.sin(angle)


def corners(boxes: ArrayLike) -> Float64:
    """(N, 4, 2) corners: top left, top right, bottom right, bottom left, as a figure standing in the box sees it."""
    b = rows(boxes, 5)
    cos, sin = _axes(b)
    half = _UNIT_CORNERS[None] * b[:, None, 2:4] / 2
    result = np.empty_like(half)
    result[..., 0] = half[..., 0] * cos[:, None] - half[..., 1] * sin[:, None]
    result[..., 1] = half[..., 0] * sin[:, None] + half[..., 1] * cos[:, None]
    result += b[:, None, :2]
    return result


def _one(box: ArrayLike) -> tuple[float, float, float, float, float, float]:
    """A box's centre, half its width and height, cosine and sine of its angle; plain numbers are fastest for one."""
    cx, cy, w, h, angle_deg = np.asarray(box, np.float64).ravel().tolist()
    angle = math.radians(angle_deg) if math.isfinite(angle_deg) else math.nan
    return cx, cy, w / 2, h / 2, math.cos(angle), math.sin(angle)


def to_pixels(box: ArrayLike, local: ArrayLike) -> Float64:
    """(K, 2) pixels of local coordinates: ±1 is the box's edge, −y is up."""
    cx, cy, half_w, half_h, cos, sin = _one(box)
    turn = np.array([[cos * half_w, sin * half_w], [-sin * half_h, cos * half_h]])
    return np.asarray(rows(local, 2) @ turn + (cx, cy), np.float64)


def to_local(box: ArrayLike, px: ArrayLike) -> Float64:
    """(K, 2) local coordinates of pixels; a side of 0 counts as 1e-9 px."""
    cx, cy, half_w, half_h, cos, sin = _one(box)
    turn = np.array([[cos, -sin], [sin, cos]]) / (max(half_w, 1e-9), max(half_h, 1e-9))
    return np.asarray((rows(px, 2) - (cx, cy)) @ turn, np.float64)


def contains(boxes: ArrayLike, px: ArrayLike) -> Bools:
    """(N, M) bool: pixel m lies in box n (edges count)."""
    b, p = rows(boxes, 5), rows(px, 2)
    cos, sin = _axes(b)
    d = p[None] - b[:, None, :2]
    across = np.abs(d[..., 0] * cos[:, None] + d[..., 1] * sin[:, None])
    along = np.abs(d[..., 1] * cos[:, None] - d[..., 0] * sin[:, None])
    slack = 1e-9
    return np.asarray((across <= b[:, 2:3] / 2 + slack) & (along <= b[:, 3:4] / 2 + slack))


def _turned(x: Float64, y: Float64, cos: Float64, sin: Float64) -> tuple[Float64, Float64]:
    return x * cos - y * sin, x * sin + y * cos


def _inside(p: tuple[Float64, Float64], d: tuple[Float64, Float64], half: Float64) -> Float64:
    """(K, 4) share of edges p + t d, t in 0-1, that lies inside boxes of `half` sizes (K, 2) around the origin."""
    first, last = np.zeros_like(p[0]), np.ones_like(p[0])
    for axis in (0, 1):
        reach = half[:, axis, None]
        step = np.where(d[axis] == 0, 1e-300, d[axis])  # along a side: inside all the way, or not at all
        one, other = (-reach - p[axis]) / step, (reach - p[axis]) / step
        first = np.maximum(first, np.minimum(one, other))
        last = np.minimum(last, np.maximum(one, other))
    return np.maximum(last - first, 0.0)


def _intersection(a: Float64, b: Float64) -> Float64:
    """(K,) common area of K pairs of boxes, by Green's theorem: around it run the pieces of each box's sides that lie
    inside the other, each worth half its length times its distance from the middle of b.

    b counts as larger by a billionth, so that sides which coincide are inside one box alone.
    """
    angle = np.radians(a[:, 4:5] - b[:, 4:5])
    cos, sin = np.cos(angle), np.sin(angle)
    cos_b, sin_b = _axes(b)
    # In b's frame, its middle the origin: a's middle, and both boxes' corners and sides.
    away = a[:, :2] - b[:, :2]
    middle_x, middle_y = (v[:, None] for v in _turned(away[:, 0], away[:, 1], cos_b, -sin_b))
    half_a, half_b = a[:, 2:4] / 2, b[:, 2:4] / 2 * (1 + _LARGER)
    start, along = _UNIT_CORNERS.T[:, None], _UNIT_SIDES.T[:, None]
    own_a = [(half_a[:, axis, None] * start[axis], half_a[:, axis, None] * along[axis]) for axis in (0, 1)]
    px, py = _turned(own_a[0][0], own_a[1][0], cos, sin)
    px, py = px + middle_x, py + middle_y
    dx, dy = _turned(own_a[0][1], own_a[1][1], cos, sin)
    twice = (_inside((px, py), (dx, dy), half_b) * (px * dy - py * dx)).sum(axis=1)
    # In a's frame: b's sides.
    qx, qy = half_b[:, 0, None] * start[0], half_b[:, 1, None] * start[1]
    ex, ey = half_b[:, 0, None] * along[0], half_b[:, 1, None] * along[1]
    there = _inside(_turned(qx - middle_x, qy - middle_y, cos, -sin), _turned(ex, ey, cos, -sin), half_a)
    twice += (there * (qx * ey - qy * ex)).sum(axis=1)
    return np.asarray(np.maximum(twice, 0.0) / 2)


def _near(a: Float64, b: Float64) -> Bools:
    """(N, M) bool: the circles around the boxes meet."""
    reach_a, reach_b = np.hypot(a[:, 2], a[:, 3]) / 2, np.hypot(b[:, 2], b[:, 3]) / 2
    gap2 = (a[:, None, 0] - b[None, :, 0]) ** 2 + (a[:, None, 1] - b[None, :, 1]) ** 2
    return np.asarray(gap2 < (reach_a[:, None] + reach_b[None]) ** 2)


def intersection(a: ArrayLike, b: ArrayLike) -> Float64:
    """(N, M) exact common area in px² of boxes a (N, 5) and b (M, 5); 0 where either holds a NaN."""
    first, second = rows(a, 5), rows(b, 5)
    area = np.zeros((len(first), len(second)))
    i, j = np.nonzero(_near(first, second))
    if i.size:
        area[i, j] = _intersection(first[i], second[j])
    return area


def iou(a: ArrayLike, b: ArrayLike) -> Float64:
    """(N, M) exact intersection over union of boxes a (N, 5) and b (M, 5); 0 where either is empty or NaN."""
    first, second = rows(a, 5), rows(b, 5)
    common = intersection(first, second)
    total = (first[:, 2] * first[:, 3])[:, None] + (second[:, 2] * second[:, 3])[None] - common
    return np.where(common > 0, common / np.maximum(total, 1e-12), 0.0)


def share_inside(a: ArrayLike, b: ArrayLike) -> Float64:
    """(N, M) share of each box of a (N, 5) inside each of b (M, 5); 0 where either is empty, NaN where a holds one."""
    first = rows(a, 5)
    return intersection(first, b) / np.maximum(first[:, 2] * first[:, 3], 1e-9)[:, None]


def paired_iou(a: ArrayLike, b: ArrayLike) -> Float64:
    """(N,) exact intersection over union of each box of a (N, 5) with its counterpart in b (N, 5)."""
    first, second = rows(a, 5), rows(b, 5)
    common = _intersection(first, second)
    total = first[:, 2] * first[:, 3] + second[:, 2] * second[:, 3] - common
    return np.asarray(np.where(common > 0, common / np.maximum(total, 1e-12), 0.0))
