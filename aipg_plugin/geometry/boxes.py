"""Gravity-aligned boxes `(cx, cy, w, h, angle_deg)`: corners, overlap, local coordinates."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from aipg_plugin.geometry.arrays import Bools, Float64, rows

_UNIT_CORNERS = np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])


def _axes(boxes: Float64) -> tuple[Float64, Float64]:
    """(N,) cosines and sines of the boxes' angles."""
    angle = np.radians(boxes[:, 4])
    return np.cos(angle), np.sin(angle)


def corners(boxes: ArrayLike) -> Float64:
    """(N, 4, 2) corners: top left, top right, bottom right, bottom left, as a figure standing in the box sees it."""
    b = rows(boxes, 5)
    cos, sin = _axes(b)
    half = _UNIT_CORNERS[None] * b[:, None, 2:4] / 2
    x = half[..., 0] * cos[:, None] - half[..., 1] * sin[:, None]
    y = half[..., 0] * sin[:, None] + half[..., 1] * cos[:, None]
    return np.stack([x, y], axis=-1) + b[:, None, :2]


def to_pixels(box: ArrayLike, local: ArrayLike) -> Float64:
    """(K, 2) pixels of local coordinates: ±1 is the box's edge, −y is up."""
    b, p = rows(box, 5), rows(local, 2)
    cos, sin = _axes(b)
    half = p * b[0, 2:4] / 2
    return np.stack([half[:, 0] * cos - half[:, 1] * sin, half[:, 0] * sin + half[:, 1] * cos], 1) + b[0, :2]


def to_local(box: ArrayLike, px: ArrayLike) -> Float64:
    """(K, 2) local coordinates of pixels; a side of 0 counts as 1e-9 px."""
    b, p = rows(box, 5), rows(px, 2)
    cos, sin = _axes(b)
    d = p - b[0, :2]
    turned = np.stack([d[:, 0] * cos + d[:, 1] * sin, d[:, 1] * cos - d[:, 0] * sin], axis=1)
    return np.asarray(turned / np.maximum(b[0, 2:4] / 2, 1e-9))


def contains(boxes: ArrayLike, px: ArrayLike) -> Bools:
    """(N, M) bool: pixel m lies in box n (edges count)."""
    b, p = rows(boxes, 5), rows(px, 2)
    cos, sin = _axes(b)
    d = p[None] - b[:, None, :2]
    across = np.abs(d[..., 0] * cos[:, None] + d[..., 1] * sin[:, None])
    along = np.abs(d[..., 1] * cos[:, None] - d[..., 0] * sin[:, None])
    slack = 1e-9
    return np.asarray((across <= b[:, 2:3] / 2 + slack) & (along <= b[:, 3:4] / 2 + slack))


def _clip_half_plane(polygons: Float64, depth: Float64) -> Float64:
    """(K, P + 2, 2) convex polygons (K, P, 2) clipped to where `depth` (K, P) ≥ 0; spare slots repeat a corner."""
    following, depth_next = np.roll(polygons, -1, axis=1), np.roll(depth, -1, axis=1)
    inside = depth >= 0
    crosses = inside != (depth_next >= 0)
    t = np.where(crosses, depth / np.where(crosses, depth - depth_next, 1.0), 0.0)
    crossing = polygons + t[..., None] * (following - polygons)
    slots = np.stack([polygons, crossing], axis=2).reshape(len(polygons), 2 * polygons.shape[1], 2)
    use = np.stack([inside, crosses], axis=2).reshape(len(polygons), 2 * polygons.shape[1])
    order = np.argsort(~use, axis=1, kind="stable")[:, :polygons.shape[1] + 2]
    use = np.take_along_axis(use, order, axis=1)
    kept = np.take_along_axis(slots, order[..., None], axis=1)
    return np.where(use[..., None], kept, np.where(use[:, :1, None], kept[:, :1], 0.0))


def _intersection(a: Float64, b: Float64) -> Float64:
    """(K,) common area of K pairs of boxes: a clipped to b's sides (Sutherland and Hodgman 1974) in b's own frame."""
    shifted = a.copy()
    shifted[:, :2] -= b[:, :2]
    c = corners(shifted)
    cos, sin = (v[:, None] for v in _axes(b))
    polygon = np.stack([c[..., 0] * cos + c[..., 1] * sin, c[..., 1] * cos - c[..., 0] * sin], axis=-1)
    half = b[:, 2:4] / 2
    for axis in (0, 1):
        polygon = _clip_half_plane(polygon, half[:, axis, None] - polygon[..., axis])
        polygon = _clip_half_plane(polygon, half[:, axis, None] + polygon[..., axis])
    following = np.roll(polygon, -1, axis=1)
    twice = (polygon[..., 0] * following[..., 1] - polygon[..., 1] * following[..., 0]).sum(axis=1)
    return np.asarray(np.abs(twice) / 2)


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
