"""A tile in the making: a picture, what is known about it, and how pictures and people move into it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
Rng = np.random.Generator
MAX_PEOPLE = 60


@dataclass
class Canvas:
    """A tile in the making. `people` rows: cx, cy, w, h, head x, y, r, head seen, share visible."""

    image: U8  # (S, S, 3) BGR
    silhouette: U8  # (S, S) 0 background, 1 person, 2 unknown
    ignore: U8  # (S, S) 1 where people may be unlabelled
    people: F32 = field(default_factory=lambda: np.zeros((0, 9), np.float32))

    @staticmethod
    def blank(size_px: int, colour: F32) -> Canvas:
        image = np.empty((size_px, size_px, 3), np.uint8)
        image[:] = colour
        zero = np.zeros((size_px, size_px), np.uint8)
        return Canvas(image, zero, zero.copy())

    def cover(self, alpha: U8) -> None:
        """Account for something opaque (alpha 0/1) laid over the people so far."""
        for q in self.people:
            x0, y0 = np.maximum(q[:2] - q[2:4] / 2, 0).astype(int)
            x1, y1 = np.maximum(q[:2] + q[2:4] / 2, 0).astype(int) + 1
            part = alpha[y0:y1, x0:x1]
            if part.size:
                q[8] *= 1 - float(part.mean())
            hx, hy = np.nan_to_num(q[4:6], nan=-1).astype(int)
            if 0 <= hx < alpha.shape[1] and 0 <= hy < alpha.shape[0] and alpha[hy, hx]:
                q[7] = 0.0

    def add(self, rows: F32) -> None:
        self.people = np.concatenate([self.people, rows])[-200:]


def log_uniform(rng: Rng, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def placement(
    rng: Rng, *, scale: float, source_xy: NDArray[Any], source_h_px: float,
    target_xy: tuple[float, float], roll_deg: float,
) -> NDArray[np.float64]:
    """(3, 3) source to tile: keystone and squash (a steep view from above), mirror, turn, place."""
    steep = rng.random() < 0.4
    squash = rng.uniform(0.6, 0.95) if steep else rng.uniform(0.92, 1.08)
    keystone = rng.uniform(0.1, 0.7) / source_h_px if steep else 0.0
    flip = -1.0 if rng.random() < 0.5 else 1.0
    a = np.radians(roll_deg)
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    m = np.eye(3)
    m[:2, :2], m[:2, 2] = turn @ np.diag([flip * scale, scale * squash]), target_xy
    away, centre = np.eye(3), np.eye(3)
    away[2, 1], centre[:2, 2] = keystone, -source_xy
    return np.asarray(m @ away @ centre)


def project(points: F32, m: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., 2) points through a (3, 3) homography."""
    q = points @ m[:, :2].T + m[:, 2]
    return np.asarray(q[..., :2] / q[..., 2:])


def move_people(boxes: F32, heads: F32, m: NDArray[np.float64]) -> F32:
    """(P, 9) rows after `m`; sizes stay in the person's own upright frame."""
    low, high = boxes[:, :2], boxes[:, 2:]
    mid = (low + high) / 2
    top, bottom = (project(np.stack([mid[:, 0], y], 1), m) for y in (low[:, 1], high[:, 1]))
    left, right = (project(np.stack([x, mid[:, 1]], 1), m) for x in (low[:, 0], high[:, 0]))
    rows = np.ones((len(boxes), 9), np.float32)
    rows[:, :2] = (top + bottom) / 2
    rows[:, 2] = np.linalg.norm(right - left, axis=1)
    rows[:, 3] = np.linalg.norm(bottom - top, axis=1)
    centre = project(heads[:, :2], m)
    rows[:, 4:6] = centre
    rows[:, 6] = np.linalg.norm(project(heads[:, :2] + np.stack([heads[:, 2], 0 * heads[:, 2]], 1), m) - centre, axis=1)
    rows[:, 7] = np.where(np.isnan(heads[:, 0]), np.nan, 1.0)
    return rows


def warp(
    image: U8, m: NDArray[np.float64], size_px: int, flags: int = cv2.INTER_LINEAR, border: int = cv2.BORDER_CONSTANT
) -> U8:
    """Warp by a (3, 3) homography; pre-shrinks large reductions, so that nothing aliases."""
    k = int(1 / max(1e-3, np.sqrt(abs(np.linalg.det(m[:2, :2])))))
    if k >= 2 and flags == cv2.INTER_LINEAR:
        small_wh = (max(1, round(image.shape[1] / k)), max(1, round(image.shape[0] / k)))  # thin ones too
        small = cv2.resize(image, small_wh, interpolation=cv2.INTER_AREA)
        ratio = np.diag([image.shape[1] / small.shape[1], image.shape[0] / small.shape[0], 1.0])
        m, image = m @ ratio, np.asarray(small, np.uint8)
    return np.asarray(cv2.warpPerspective(image, m, (size_px, size_px), flags=flags, borderMode=border), np.uint8)


@cache
def read(path: str, flags: int = cv2.IMREAD_COLOR) -> U8:
    """A picture, kept in memory: all photographs together take about 3 GB per worker."""
    picture = cv2.imread(path, flags)
    if picture is None:
        raise FileNotFoundError(f"{path}: not a readable picture")
    return np.asarray(picture, np.uint8)


def rectangles(size_hw: tuple[int, int], boxes: F32, value: int, out: U8 | None = None) -> U8:
    out = np.zeros(size_hw, np.uint8) if out is None else out
    for x0, y0, x1, y1 in boxes:
        cv2.rectangle(out, (int(x0), int(y0)), (int(x1), int(y1)), value, -1)
    return out


def visible_share(rows: F32, there: U8) -> F32:
    """(P,) share of each person's box inside the picture and inside `there`."""
    share = np.zeros(len(rows), np.float32)
    for i, q in enumerate(rows):
        x0, y0 = np.floor(q[:2] - q[2:4] / 2).astype(int)
        x1, y1 = np.ceil(q[:2] + q[2:4] / 2).astype(int)
        part = there[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
        share[i] = part.sum() / max(1, (x1 - x0) * (y1 - y0))
    return share


def clip_people(canvas: Canvas) -> F32:
    """(P, 8) trainable people; the barely visible and the tiny become ignored places."""
    size_px, keep = canvas.image.shape[0], []
    for q in canvas.people:
        low, high = np.maximum(q[:2] - q[2:4] / 2, 0), np.minimum(q[:2] + q[2:4] / 2, size_px)
        shown = np.prod(np.maximum(high - low, 0)) / max(1.0, q[2] * q[3])
        if shown < 0.02 or q[8] < 0.02:
            continue
        if q[8] < 0.3 or shown < 0.3 or q[3] < 7 or q[2] < 3:
            x0, y0 = low.astype(int)
            x1, y1 = np.ceil(high).astype(int)
            canvas.ignore[y0:y1, x0:x1] = 1
            canvas.silhouette[y0:y1, x0:x1][canvas.silhouette[y0:y1, x0:x1] == 0] = 2
            continue
        row = q[:8].copy()
        row[:2], row[2:4] = (low + high) / 2, high - low  # the visible part of a box that the border truncates
        if not (0 <= row[4] < size_px and 0 <= row[5] < size_px) and np.isfinite(row[4]):
            row[7] = 0.0
        keep.append(row)
    return np.array(keep[-MAX_PEOPLE:], np.float32).reshape(-1, 8)
