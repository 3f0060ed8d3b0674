"""Rendered views against direct evaluation."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aipg_plugin.errors import GuardError
from aipg_plugin.frames import PixelFormat, plane_shapes
from aipg_plugin.geometry import FisheyeCamera, ImageCircle, LensLaw, Mount, Projection, make_projection
from aipg_plugin.options import CaptureMode, View
from aipg_plugin.views import Dewarper
from tests.strategies import projections

cv2.setNumThreads(1)
LAW = LensLaw("equisolid", 185)
SOURCE = FisheyeCamera(LAW, ImageCircle(160.5, 150, 149), (321, 301))


def smooth(size_wh: tuple[int, int]) -> np.ndarray:
    """A picture without detail, so that interpolation hardly matters: any colour shift does."""
    x, y = np.meshgrid(np.arange(size_wh[0]) + 0.5, np.arange(size_wh[1]) + 0.5)
    return np.stack([60 + 0.4 * x, 220 - 0.3 * y, 128 + 60 * np.sin(x / 60) * np.cos(y / 50)], -1).astype(np.uint8)


def bilinear(plane: np.ndarray, px: np.ndarray, subsampling: int) -> np.ndarray:
    """(N,) samples of one plane at pixels (N, 2) of the full picture, edges repeated."""
    h, w = plane.shape
    x, y = np.clip(px[:, 0] / subsampling - 0.5, 0, w - 1), np.clip(px[:, 1] / subsampling - 0.5, 0, h - 1)
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    x1, y1, fx, fy = np.minimum(x0 + 1, w - 1), np.minimum(y0 + 1, h - 1), x - x0, y - y0
    p = plane.astype(float)
    return ((p[y0, x0] * (1 - fx) + p[y0, x1] * fx) * (1 - fy)
            + (p[y1, x0] * (1 - fx) + p[y1, x1] * fx) * fy)


def check(source: Projection, target: Projection, plane: np.ndarray, shown: np.ndarray, *, subsampling: int,
          black: int) -> None:
    w, h = target.size_wh
    rows, columns = shown.shape
    x = np.minimum((np.arange(columns) + 0.5) * subsampling, w - 0.5)
    y = np.minimum((np.arange(rows) + 0.5) * subsampling, h - 0.5)
    grid = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
    px = source.ray_to_pixel(target.pixel_to_ray(grid))
    inside = ((px >= 0) & (px <= source.size_wh)).all(axis=1)
    flat = shown.reshape(-1)
    assert np.all(flat[~inside] == black)
    np.testing.assert_allclose(flat[inside], bilinear(plane, px[inside], subsampling), atol=2.0)


@given(projections(), st.sampled_from(PixelFormat))
@settings(deadline=None, max_examples=30)
def test_every_view_agrees_with_direct_evaluation(drawn: tuple, pixel_format: PixelFormat) -> None:
    target, _ = drawn
    dewarper = Dewarper(SOURCE, target)
    bgr = smooth(SOURCE.size_wh)
    half = np.ascontiguousarray(bgr[:plane_shapes(PixelFormat.I420, SOURCE.size_wh)[1][0],
                                    :plane_shapes(PixelFormat.I420, SOURCE.size_wh)[1][1]])
    planes = {PixelFormat.BGR24: (bgr,), PixelFormat.I420: (bgr[..., 0], half[..., 1], half[..., 2]),
              PixelFormat.NV12: (bgr[..., 0], half[..., 1:])}[pixel_format]
    shown = dewarper.planes(pixel_format, planes)
    assert tuple(p.shape for p in shown) == plane_shapes(pixel_format, target.size_wh)
    for index, (plane, result) in enumerate(zip(planes, shown, strict=True)):
        subsampling = 2 if index else 1
        black = 0 if pixel_format is PixelFormat.BGR24 else (128 if index else 16)
        deep = plane.reshape(*plane.shape[:2], -1), result.reshape(*result.shape[:2], -1)
        for channel in range(deep[0].shape[2]):
            check(SOURCE, target, deep[0][..., channel], deep[1][..., channel], subsampling=subsampling, black=black)


def test_the_same_projection_gives_the_same_picture() -> None:
    bgr = smooth(SOURCE.size_wh)
    shown = Dewarper(SOURCE, SOURCE).image(bgr)
    mask = SOURCE.valid_mask()
    assert np.abs(shown[mask].astype(int) - bgr[mask]).max() <= 1
    assert not shown[~mask].any()


def test_pictures_of_another_size_are_refused() -> None:
    target = make_projection(CaptureMode.SINGLE_PTZ, law=LAW, circle=None, mount=Mount("ceiling", 3.0),
                             size_wh=(64, 48), view=View(0, -45))
    with pytest.raises(GuardError):
        Dewarper(SOURCE, target).image(np.zeros((300, 321, 3), np.uint8))
