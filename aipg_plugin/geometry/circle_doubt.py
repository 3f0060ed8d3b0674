"""Whether an image circle can be: inside the picture, round, and the only one."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.geometry.arrays import Bools
from aipg_plugin.geometry.circle import (
    ImageCircle,
    content_of,
    find_rim,
    fit_circle,
    lit_masks,
    search_picture,
)

OUTSIDE = "the image circle lies outside the picture"
ELLIPTIC = "the image circle is an ellipse: the pixels are not square"
TWO = "the picture shows two image circles"

# The limits below were chosen on the drawn circles of tests/geometry/test_circle_doubt.py and hold on the real ones.
_LEAST_INSIDE = 0.25      # share of the circle's area inside the picture; with half its diagonal as radius 0.54 at 16:9
_LEAST_COMMON = 0.5       # common area of two circles by the area of both
_LEAST_AXES = 1.08        # longer by shorter axis of an ellipse
_LEAST_SPAN = 0.8         # part of the picture's width or height that it spans; a pool of light at night is smaller
_LEAST_SEEN = 0.6         # share of the rim that is seen once the axes are equal …
_LEAST_BETTER = 0.25      # … and by how much more than before
_SECOND = 0.4             # width of each of two circles by the longer side of its half of the picture
_LEAST_ROUND = 0.85       # common area of a content and the disc it would be, by the area of both


def circle_doubt(bgr: NDArray[np.uint8], circle: ImageCircle) -> str:
    """Why the image circle of a fisheye picture cannot be as it was given or found: a reason above, "" if it can.

    `bgr` is (H, W, 3) or (H, W) uint8, `circle` in its pixels. A picture too dark to show anything gives no doubt.
    """
    if bgr.size == 0:
        return ""
    masks = lit_masks(search_picture(bgr))
    if any(_two_circles(lit) for lit in masks):
        return TWO
    if any(_elliptic(lit) for lit in masks):
        return ELLIPTIC
    return "" if _in_picture(circle, (bgr.shape[1], bgr.shape[0])) else OUTSIDE


def agrees(bgr: NDArray[np.uint8], circle: ImageCircle) -> bool:
    """Whether a circle given in the settings is about where the picture shows one, if it shows one."""
    rim = find_rim(bgr) if bgr.size else None
    return rim is None or _common(circle, rim, (bgr.shape[1], bgr.shape[0])) >= _LEAST_COMMON


def shows_fisheye(bgr: NDArray[np.uint8]) -> bool:
    """Whether a picture is plainly that of a fisheye lens: a whole image circle with a dark border round it."""
    if bgr.size == 0:
        return False
    rim, (h, w) = find_rim(bgr), bgr.shape[:2]
    slack = 0.02 * max(w, h)
    return rim is not None and bool(
        min(rim.cx_px, w - rim.cx_px, rim.cy_px, h - rim.cy_px) > rim.radius_px - slack)


def _in_picture(circle: ImageCircle, size_wh: tuple[int, int]) -> bool:
    w, h = size_wh
    if not (0 <= circle.cx_px <= w and 0 <= circle.cy_px <= h):
        return False
    return float(_disc(circle, size_wh).mean()) * w * h >= _LEAST_INSIDE * np.pi * circle.radius_px ** 2


def _disc(circle: ImageCircle, size_wh: tuple[int, int], side_px: int = 160) -> Bools:
    """Where the circle is, on a grid over the picture at most `side_px` long."""
    w, h = size_wh
    columns, rows = (max(8, round(side_px * side / max(w, h))) for side in (w, h))
    x, y = (np.arange(columns) + 0.5) * w / columns, (np.arange(rows) + 0.5) * h / rows
    return np.asarray(np.hypot(x - circle.cx_px, y[:, None] - circle.cy_px) < circle.radius_px)


def _common(one: ImageCircle, other: ImageCircle, size_wh: tuple[int, int]) -> float:
    """Common area of two circles by the area of both (IoU), inside the picture."""
    a, b = _disc(one, size_wh), _disc(other, size_wh)
    return float((a & b).sum()) / max(1.0, float((a | b).sum()))


def _bounds(content: Bools) -> tuple[int, int, int, int] | None:
    """First and last row, first and last column of what is set; None when nothing is."""
    rows, columns = np.flatnonzero(content.any(axis=1)), np.flatnonzero(content.any(axis=0))
    return (int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])) if rows.size else None


def _elliptic(lit: Bools) -> bool:
    """Whether the content is a circle once its width and height are made equal, and is none as it is."""
    bounds = _bounds(content_of(lit))
    if bounds is None:
        return False
    top, bottom, left, right = bounds
    tall, wide = bottom - top + 1, right - left + 1
    h, w = lit.shape
    if max(tall, wide) < _LEAST_AXES * min(tall, wide) or max(tall / h, wide / w) < _LEAST_SPAN:
        return False
    equal_wh = (max(1, round(w * tall / wide)), h) if wide > tall else (w, max(1, round(h * wide / tall)))
    equal = fit_circle(cv2.resize(lit.astype(np.uint8), equal_wh, interpolation=cv2.INTER_NEAREST) > 0)
    if equal is None or equal[0] < _LEAST_SEEN:
        return False
    as_it_is = fit_circle(lit)
    return as_it_is is None or as_it_is[0] < equal[0] - _LEAST_BETTER


def _two_circles(lit: Bools) -> bool:
    """Whether the lit areas are two discs side by side or one above the other, apart or touching."""
    h, w = lit.shape
    if min(h, w) < 16:
        return False
    halves = ((lit[:, :w // 2], lit[:, w // 2:]), (lit[:h // 2], lit[h // 2:]))
    return any(_is_disc(one) and _is_disc(other) for one, other in halves)


def _is_disc(lit: Bools) -> bool:
    """Whether the lit part is one whole disc that fills a good part of its frame."""
    content = content_of(lit)
    bounds = _bounds(content)
    if bounds is None:
        return False
    top, bottom, left, right = bounds
    tall, wide = bottom - top + 1, right - left + 1
    if abs(tall - wide) > 0.1 * max(tall, wide) or max(tall, wide) < _SECOND * max(lit.shape):
        return False
    y, x = np.ogrid[:lit.shape[0], :lit.shape[1]]
    centre = ((left + right) / 2, (top + bottom) / 2)
    disc = np.hypot(x - centre[0], y - centre[1]) <= (tall + wide) / 4
    return float((content & disc).sum()) > _LEAST_ROUND * float((content | disc).sum())
