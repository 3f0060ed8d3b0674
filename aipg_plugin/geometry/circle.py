"""The image circle: given, found from the dark border, or assumed."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.errors import GeometryError
from aipg_plugin.geometry.arrays import Bools, Float64

_WORK_PX = 480          # the search runs on a picture this long
_CONTRASTS = (6, 12, 24)  # grey levels above the border that count as lit, tried in turn
# Limits below chosen on the rendered and real circles of tests/geometry/test_circle.py.
_LEAST_ARC = 0.07       # share of the circle that must be seen as an edge
_LEAST_SEEN = 0.6       # the same of what of the circle lies in the picture
_JUDGES = 200           # edge points by which the circles tried are compared
_LEAST_DARK = 0.97      # share of the picture outside that must be dark


@dataclass(frozen=True)
class ImageCircle:
    """Where the lens draws, in pixels (centres at +0.5); it may reach over the picture's edges."""

    cx_px: float
    cy_px: float
    radius_px: float

    def __post_init__(self) -> None:
        if not (np.isfinite([self.cx_px, self.cy_px, self.radius_px]).all() and self.radius_px > 0):
            raise GeometryError("an image circle {value} is impossible", path="lens.circle",
                                value=(self.cx_px, self.cy_px, self.radius_px))

    def scaled(self, factor: float, dx_px: float = 0.0, dy_px: float = 0.0) -> ImageCircle:
        """The circle after the picture was scaled and then shifted."""
        return ImageCircle(self.cx_px * factor + dx_px, self.cy_px * factor + dy_px, self.radius_px * factor)


def default_circle(size_wh: tuple[int, int]) -> ImageCircle:
    """The circle assumed where the picture gives no clue.

    A (nearly) square picture is taken to hold the whole circle. Any other is taken to be a crop from inside the
    circle: half its diagonal is then the least radius possible, and no pixel falls outside.
    """
    w, h = size_wh
    if max(w, h) <= 1.1 * min(w, h):
        return ImageCircle(w / 2, h / 2, min(w, h) / 2)
    return ImageCircle(w / 2, h / 2, float(np.hypot(w, h)) / 2)


def find_image_circle(bgr: NDArray[np.uint8]) -> ImageCircle | None:
    """The image circle of a (H, W, 3) or (H, W) uint8 picture, from its dark border; it may be cut off.

    Where the content is a rectangle with lit corners (a crop, perhaps between black bars) the circle around that
    rectangle is given. None where the picture is too dark to tell.
    """
    if bgr.size == 0:
        return None
    rim = find_rim(bgr)
    if rim is not None:
        return rim
    grey = search_picture(bgr)
    around = _around_rectangle(grey > _border_level(grey) + _CONTRASTS[0], grey > 24)
    return None if around is None else around.scaled(bgr.shape[1] / grey.shape[1])


def find_rim(bgr: NDArray[np.uint8]) -> ImageCircle | None:
    """The image circle of a (H, W, 3) or (H, W) uint8 picture whose rim is seen; None where nothing shows a rim."""
    grey = search_picture(bgr)
    best: tuple[float, ImageCircle] | None = None
    for lit in lit_masks(grey):
        found = fit_circle(lit)
        if found is not None and (best is None or found[0] > best[0] + 0.02):
            best = found
    return None if best is None else best[1].scaled(bgr.shape[1] / grey.shape[1])


def search_picture(bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, w) uint8: the brightest channel of a picture that is not empty, small and without noise, to search in."""
    grey = bgr if bgr.ndim == 2 else np.asarray(cv2.max(cv2.max(bgr[..., 0], bgr[..., 1]), bgr[..., 2]), np.uint8)
    factor = min(1.0, _WORK_PX / max(grey.shape))
    if factor < 1:
        size = (max(1, round(grey.shape[1] * factor)), max(1, round(grey.shape[0] * factor)))
        grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return np.asarray(cv2.medianBlur(np.ascontiguousarray(grey), 3), dtype=np.uint8)


def lit_masks(grey: NDArray[np.uint8]) -> list[Bools]:
    """What of a search picture is brighter than its dark border, at rising contrasts."""
    level = _border_level(grey)
    return [grey > level + contrast for contrast in _CONTRASTS]


def _border_level(grey: NDArray[np.uint8]) -> float:
    """Brightness of the darkest corner (0–40): what "dark border" means in this picture."""
    h, w = grey.shape
    k = max(2, min(h, w) // 40)
    patches = (grey[:k, :k], grey[:k, -k:], grey[-k:, :k], grey[-k:, -k:])
    return float(min(40.0, *(float(np.sort(p, axis=None)[int(0.9 * (p.size - 1))]) for p in patches)))


def content_of(lit: Bools) -> Bools:
    """The largest lit region without specks and thin lines (a time stamp in a dark corner)."""
    mask = cv2.morphologyEx(lit.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((9, 9), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
    if count < 2:
        return np.zeros(lit.shape, dtype=bool)
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return np.asarray(labels == largest)


def edge_points(content: Bools) -> Float64:
    """(N, 2) outermost content pixels of every row and column, without those at the picture's own edge."""
    h, w = content.shape
    rows, columns = np.flatnonzero(content.any(axis=1)), np.flatnonzero(content.any(axis=0))
    left, right = content[rows].argmax(axis=1), w - content[rows, ::-1].argmax(axis=1)
    top, bottom = content[:, columns].argmax(axis=0), h - content[::-1, columns].argmax(axis=0)
    x = np.concatenate([left, right, columns + 0.5, columns + 0.5]).astype(np.float64)
    y = np.concatenate([rows + 0.5, rows + 0.5, top, bottom]).astype(np.float64)
    margin = 3
    free = (x > margin) & (x < w - margin) & (y > margin) & (y < h - margin)
    return np.asarray(np.stack([x, y], axis=1)[free])


def _circles_through(p: Float64) -> Float64:
    """(K, 3) cx, cy, r of circles through K triples (K, 3, 2); NaN for points in a line."""
    a, b, c = p[:, 0], p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]
    d = 2 * (b[:, 0] * c[:, 1] - b[:, 1] * c[:, 0])
    d = np.where(np.abs(d) > 1e-9, d, np.nan)
    bb, cc = (b ** 2).sum(1), (c ** 2).sum(1)
    ux, uy = (c[:, 1] * bb - b[:, 1] * cc) / d, (b[:, 0] * cc - c[:, 0] * bb) / d
    return np.stack([a[:, 0] + ux, a[:, 1] + uy, np.hypot(ux, uy)], axis=1)


def _least_squares(points: Float64) -> Float64:
    """(3,) cx, cy, r of the algebraic best circle (Kåsa 1976)."""
    origin = points.mean(axis=0)
    p = points - origin
    system = np.column_stack([2 * p, np.ones(len(p))])
    (x, y, k), *_ = np.linalg.lstsq(system, (p ** 2).sum(axis=1), rcond=None)
    return np.array([x + origin[0], y + origin[1], np.sqrt(max(k + x * x + y * y, 1e-9))])


def fit_circle(lit: Bools) -> tuple[float, ImageCircle] | None:
    """Score and circle that best explain the content's edge, or None where no circle does."""
    content = content_of(lit)
    points = edge_points(content)
    if len(points) < 30:
        return None
    rng = np.random.default_rng(0)
    triples = points[rng.integers(0, len(points), size=(1000, 3))]
    tried = _circles_through(triples)
    h, w = content.shape
    usable = (tried[:, 2] > 0.25 * min(h, w)) & (tried[:, 2] < 1.5 * max(h, w))
    tried = tried[usable]
    if not len(tried):
        return None
    tolerance = max(1.5, 0.004 * max(h, w))
    some = points[::max(1, len(points) // _JUDGES)].astype(np.float32)
    x, y, r = np.asarray(tried.T[..., None], np.float32)
    gap = np.abs(np.sqrt((some[:, 0] - x) ** 2 + (some[:, 1] - y) ** 2) - r)
    circle = tried[int((gap < tolerance).sum(axis=1).argmax())]
    for _ in range(3):
        off = np.abs(np.hypot(*(points - circle[:2]).T) - circle[2])
        if (off < tolerance).sum() < 12:
            return None
        circle = _least_squares(points[off < tolerance])
    return _judge(circle, points, lit, content, tolerance)


def _judge(circle: Float64, points: Float64, lit: Bools, content: Bools,
           tolerance: float) -> tuple[float, ImageCircle] | None:
    """Accept a circle whose rim is seen along enough of its way and outside which all is dark."""
    cx, cy, radius = (float(v) for v in circle)
    h, w = content.shape
    if not (0.25 * min(h, w) < radius < 1.5 * max(h, w)):
        return None
    d = points - circle[:2]
    on_rim = np.abs(np.hypot(d[:, 0], d[:, 1]) - radius) < tolerance
    seen = np.zeros(181, dtype=bool)
    seen[(np.degrees(np.arctan2(d[on_rim, 1], d[on_rim, 0])) % 360).astype(int) // 2] = True
    arc = int(seen.sum()) / 180
    way = np.radians(np.arange(180) * 2 + 1)
    rim_x, rim_y = cx + radius * np.cos(way), cy + radius * np.sin(way)
    in_picture = float(((rim_x > 4) & (rim_x < w - 4) & (rim_y > 4) & (rim_y < h - 4)).mean())
    distance = np.hypot(np.arange(w) + 0.5 - cx, np.arange(h)[:, None] + 0.5 - cy)
    outside = distance > radius + 2 * tolerance
    dark = 1.0 - float(content[outside].mean()) if outside.any() else 0.0
    inside_share = float(lit[distance < radius].mean()) if (distance < radius).any() else 0.0
    if arc < _LEAST_ARC or arc < _LEAST_SEEN * in_picture or dark < _LEAST_DARK or inside_share < 0.3:
        return None
    return arc, ImageCircle(cx, cy, radius)


def _around_rectangle(lit: Bools, bright: Bools) -> ImageCircle | None:
    """The circle around the content's bounding rectangle, or None where hardly anything is lit."""
    content = content_of(lit)
    if content.mean() < 0.05 and bright.mean() > 0.3:
        content = np.ones(lit.shape, dtype=bool)
    if content.mean() < 0.05:
        return None
    ys, xs = np.flatnonzero(content.mean(axis=1) > 0.05), np.flatnonzero(content.mean(axis=0) > 0.05)
    if not (ys.size and xs.size):
        return None
    x0, x1, y0, y1 = int(xs[0]), int(xs[-1]) + 1, int(ys[0]), int(ys[-1]) + 1
    return ImageCircle((x0 + x1) / 2, (y0 + y1) / 2, float(np.hypot(x1 - x0, y1 - y0)) / 2)
