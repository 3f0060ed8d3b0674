"""Gravity-aligned boxes `(cx, cy, w, h, angle_deg)`: corners, overlap, suppression, local coordinates."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from aipg_plugin.geometry.arrays import Bools, Floats, Ints, rows

_UNIT_CORNERS = np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])


def _axes(boxes: Floats) -> tuple[Floats, Floats]:
    """(N,) cosines and sines of the boxes' angles."""
    angle = np.radians(boxes[:, 4])
    return np.cos(angle), np.sin(angle)


def corners(boxes: ArrayLike) -> Floats:
    """(N, 4, 2) corners: top left, top right, bottom right, bottom left, as a figure standing in the box sees it."""
    b = rows(boxes, 5)
    cos, sin = _axes(b)
    half = _UNIT_CORNERS[None] * b[:, None, 2:4] / 2
    x = half[..., 0] * cos[:, None] - half[..., 1] * sin[:, None]
    y = half[..., 0] * sin[:, None] + half[..., 1] * cos[:, None]
    return np.stack([x, y], axis=-1) + b[:, None, :2]


def to_pixels(box: ArrayLike, local: ArrayLike) -> Floats:
    """(K, 2) pixels of local coordinates: ±1 is the box's edge, −y is up."""
    b, p = rows(box, 5), rows(local, 2)
    cos, sin = _axes(b)
    half = p * b[0, 2:4] / 2
    return np.stack([half[:, 0] * cos - half[:, 1] * sin, half[:, 0] * sin + half[:, 1] * cos], 1) + b[0, :2]


def to_local(box: ArrayLike, px: ArrayLike) -> Floats:
    """(K, 2) local coordinates of pixels; a side of 0 counts as a hair."""
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


def _cross(a: Floats, b: Floats) -> Floats:
    return np.asarray(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])


def _inside(points: Floats, box: Floats) -> Bools:
    """(K, P) bool: points (K, P, 2) in their row's box (K, 5), with a hair of slack."""
    cos, sin = _axes(box)
    d = points - box[:, None, :2]
    across = np.abs(d[..., 0] * cos[:, None] + d[..., 1] * sin[:, None])
    along = np.abs(d[..., 1] * cos[:, None] - d[..., 0] * sin[:, None])
    slack = 1e-9 * (1 + box[:, 2:4].max(axis=1, keepdims=True))
    return np.asarray((across <= box[:, 2:3] / 2 + slack) & (along <= box[:, 3:4] / 2 + slack))


def _intersection(a: Floats, b: Floats) -> Floats:
    """(K,) common area of K pairs of boxes.

    The common polygon's corners are the corners of each inside the other and the crossings of their edges;
    sorted around their mean, their shoelace sum is its area.
    """
    shift = a[:, :2].copy()
    a, b = a.copy(), b.copy()
    a[:, :2] -= shift
    b[:, :2] -= shift
    ca, cb = corners(a), corners(b)
    ea, eb = np.roll(ca, -1, axis=1) - ca, np.roll(cb, -1, axis=1) - cb
    denominator = _cross(ea[:, :, None], eb[:, None])
    gap = cb[:, None] - ca[:, :, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        t = _cross(gap, eb[:, None]) / denominator
        u = _cross(gap, ea[:, :, None]) / denominator
        crossing = ca[:, :, None] + t[..., None] * ea[:, :, None]
    crosses = (t >= 0) & (t <= 1) & (u >= 0) & (u <= 1)
    points = np.concatenate([ca, cb, crossing.reshape(-1, 16, 2)], axis=1)
    use = np.concatenate([_inside(ca, b), _inside(cb, a), crosses.reshape(-1, 16)], axis=1)
    points = np.where(use[..., None], points, 0.0)
    count = np.maximum(use.sum(axis=1), 1)
    middle = points.sum(axis=1) / count[:, None]
    points = np.where(use[..., None], points - middle[:, None], 0.0)
    order = np.argsort(np.where(use, np.arctan2(points[..., 1], points[..., 0]), np.inf), axis=1)
    ring = np.take_along_axis(points, order[..., None], axis=1)
    # Unused slots repeat the first corner, which adds nothing to the sum.
    used = np.arange(24)[None] < use.sum(axis=1)[:, None]
    ring = np.where(used[..., None], ring, ring[:, :1])
    return np.asarray(np.abs(_cross(ring, np.roll(ring, -1, axis=1)).sum(axis=1)) / 2)


def _near(a: Floats, b: Floats) -> Bools:
    """(N, M) bool: the circles around the boxes meet."""
    reach_a, reach_b = np.hypot(a[:, 2], a[:, 3]) / 2, np.hypot(b[:, 2], b[:, 3]) / 2
    gap2 = (a[:, None, 0] - b[None, :, 0]) ** 2 + (a[:, None, 1] - b[None, :, 1]) ** 2
    return np.asarray(gap2 < (reach_a[:, None] + reach_b[None]) ** 2)


def intersection(a: ArrayLike, b: ArrayLike) -> Floats:
    """(N, M) exact common area in px² of boxes a (N, 5) and b (M, 5); 0 where either holds a NaN."""
    first, second = rows(a, 5), rows(b, 5)
    area = np.zeros((len(first), len(second)))
    i, j = np.nonzero(_near(first, second))
    if i.size:
        area[i, j] = _intersection(first[i], second[j])
    return area


def iou(a: ArrayLike, b: ArrayLike) -> Floats:
    """(N, M) exact intersection over union of boxes a (N, 5) and b (M, 5); 0 where either is empty or NaN."""
    first, second = rows(a, 5), rows(b, 5)
    common = intersection(first, second)
    total = (first[:, 2] * first[:, 3])[:, None] + (second[:, 2] * second[:, 3])[None] - common
    return np.where(common > 0, common / np.maximum(total, 1e-12), 0.0)


def nms(boxes: ArrayLike, scores: ArrayLike, iou_limit: float) -> Ints:
    """Indices of the boxes to keep, best score first: none overlaps a better one by more than `iou_limit`."""
    b = rows(boxes, 5)
    order = np.argsort(-np.asarray(scores, dtype=np.float64).reshape(-1), kind="stable")
    kept: list[int] = []
    while order.size:
        best, order = int(order[0]), order[1:]
        kept.append(best)
        order = order[iou(b[best:best + 1], b[order])[0] <= iou_limit]
    return np.array(kept, dtype=np.intp)
