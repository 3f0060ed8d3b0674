"""Pictures, regions and plans for the masking tests."""

from __future__ import annotations

from typing import Any

import cv2
import hypothesis.strategies as st
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.frames import PixelFormat, Planes, plane_shapes
from aipg_plugin.masking import FigureRegion
from aipg_plugin.masking.palette import pattern

I420, NV12, BGR = PixelFormat.I420, PixelFormat.NV12, PixelFormat.BGR24


def noise(pixel_format: PixelFormat, size_wh: tuple[int, int], seed: int = 0) -> Planes:
    """Planes of independent random samples."""
    rng = np.random.default_rng(seed)
    return tuple(rng.integers(0, 256, shape, np.uint8) for shape in plane_shapes(pixel_format, size_wh))


def copy(planes: Planes) -> Planes:
    return tuple(plane.copy() for plane in planes)


def same(a: Planes, b: Planes) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def rectangle(x0: float, y0: float, x1: float, y1: float) -> NDArray[np.float32]:
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)


def figure(polygon: Any, *, key: int = 1, margin_px: float = 0.0, cell_px: int = 8) -> FigureRegion:
    return FigureRegion(key, (np.asarray(polygon, np.float32),), margin_px, cell_px)


def without_pattern(luma: NDArray[np.uint8], cell_px: int) -> NDArray[np.int_]:
    """Luma (H, W) of a mosaic of one cell size, less the pattern that shows the cells."""
    h, w = luma.shape
    cells = pattern((-(-h // cell_px), -(-w // cell_px))).astype(int)
    return luma.astype(int) - np.repeat(np.repeat(cells, cell_px, axis=0), cell_px, axis=1)[:h, :w]


def inner(mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(H, W) a mask without the blocks at its edge, which take in what is shown beside them."""
    blocks = cv2.erode(chroma_mask(mask).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return np.asarray(np.repeat(np.repeat(blocks, 2, axis=0), 2, axis=1)[:mask.shape[0], :mask.shape[1]])


def other_under(planes: Planes, mask: NDArray[np.uint8], seed: int) -> Planes:
    """A picture that differs from another under a mask only, on every plane."""
    out = copy(planes)
    rng = np.random.default_rng(seed)
    for plane, bits in zip(out, [mask > 0] + [chroma_mask(mask)] * (len(out) - 1), strict=True):
        plane[bits] = rng.integers(0, 256, plane[bits].shape)
    return out


def chroma_mask(mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Chroma samples of which any luma pixel is masked, from an (H, W) mask; the plain definition."""
    h, w = mask.shape
    out = np.zeros(((h + 1) // 2, (w + 1) // 2), bool)
    for y, x in np.argwhere(mask):
        out[y // 2, x // 2] = True
    return out


def distance_px(polygon: NDArray[Any], size_wh: tuple[int, int]) -> NDArray[np.float64]:
    """Distance of every pixel centre to the polygon's area (even-odd inside is 0), (H, W)."""
    w, h = size_wh
    x, y = np.meshgrid(np.arange(w) + 0.5, np.arange(h) + 0.5)
    best = np.full((h, w), np.inf)
    inside = np.zeros((h, w), bool)
    points = np.asarray(polygon, np.float64)
    for (ax, ay), (bx, by) in zip(points, np.roll(points, -1, axis=0), strict=True):
        length2 = (bx - ax) ** 2 + (by - ay) ** 2
        along = 0.0 if length2 == 0 else np.clip(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length2, 0, 1)
        best = np.minimum(best, np.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay)))
        with np.errstate(divide="ignore", invalid="ignore"):
            crosses = ((ay > y) != (by > y)) & (x < (bx - ax) * (y - ay) / (by - ay) + ax)
        inside ^= crosses
    return np.where(inside, 0.0, best)


sizes = st.tuples(st.integers(1, 67), st.integers(1, 67))
formats = st.sampled_from(list(PixelFormat))
coordinates = st.floats(-40, 110, width=32)
polygons = st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=7).map(
    lambda points: np.array(points, np.float32))
figures = st.lists(st.builds(
    lambda key, polygon, margin, cell: figure(polygon, key=key, margin_px=margin, cell_px=cell),
    st.integers(0, 5), polygons, st.floats(0, 12), st.integers(1, 40)), max_size=4).map(tuple)
