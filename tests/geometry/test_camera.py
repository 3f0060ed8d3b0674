"""The fisheye projection."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.errors import GeometryError
from aipg_plugin.geometry import FisheyeCamera, ImageCircle, LensLaw, scaled
from tests.strategies import cameras, points


@given(st.data())
def test_round_trip_everywhere_and_nan_outside(data: st.DataObject) -> None:
    camera = data.draw(cameras())
    circle = camera.circle
    px = np.vstack([data.draw(points(camera.size_wh)), [[circle.cx_px, circle.cy_px]],
                    [[circle.cx_px + circle.radius_px, circle.cy_px]]])
    rays = camera.pixel_to_ray(px)
    r = np.hypot(*(px - (circle.cx_px, circle.cy_px)).T) / circle.radius_px
    inside = r <= 1
    assert np.isfinite(rays[inside]).all()
    assert np.isnan(rays[r > 1 + 1e-6]).all()
    np.testing.assert_allclose(np.linalg.norm(rays[inside], axis=1), 1, atol=1e-9)
    # A full 360° lens shows one ray all along its rim.
    usual = inside & (r < (1 - 1e-6 if camera.law.fov_deg > 355 else 2))
    np.testing.assert_allclose(camera.ray_to_pixel(rays[usual]), px[usual], atol=1e-4 * circle.radius_px)


@given(cameras())
def test_valid_mask_is_where_pixels_have_rays(camera: FisheyeCamera) -> None:
    mask = camera.valid_mask()
    w, h = camera.size_wh
    assert mask.shape == (h, w)
    grid = np.stack(np.meshgrid(np.arange(w) + 0.5, np.arange(h) + 0.5), -1).reshape(-1, 2)[::17]
    np.testing.assert_array_equal(mask.reshape(-1)[::17], np.isfinite(camera.pixel_to_ray(grid)[:, 0]))


def test_rays_behind_the_lens_have_no_pixel() -> None:
    camera = FisheyeCamera(LensLaw("equidistant", 180), ImageCircle(50, 50, 40), (100, 100))
    assert np.isnan(camera.ray_to_pixel([[0, 0, -1.0], [0.1, 0, -0.99]])).all()
    np.testing.assert_allclose(camera.ray_to_pixel([[1.0, 0, 0]]), [[90, 50]])
    np.testing.assert_allclose(camera.ray_to_pixel([[0, 1.0, 0]]), [[50, 90]])


def test_empty_arrays() -> None:
    camera = FisheyeCamera(LensLaw("equisolid", 190), ImageCircle(5, 5, 4), (11, 9))
    assert camera.pixel_to_ray(np.zeros((0, 2))).shape == (0, 3)
    assert camera.ray_to_pixel([]).shape == (0, 2)
    assert camera.clamp_to_valid(np.zeros((0, 2))).shape == (0, 2)


def test_scaled_pads_a_picture_of_another_shape() -> None:
    camera = FisheyeCamera(LensLaw("equidistant", 180), ImageCircle(720, 700, 700), (1440, 1440))
    small = scaled(camera, (1280, 720))
    assert (small.circle.cx_px, small.circle.cy_px, small.circle.radius_px) == (640, 350, 350)
    assert scaled(camera, (1440, 1440)) is camera


@pytest.mark.parametrize("circle", [(0, 0, 0), (0, 0, -1), (float("nan"), 0, 1)])
def test_impossible_circles_are_refused(circle: tuple[float, float, float]) -> None:
    with pytest.raises(GeometryError):
        ImageCircle(*circle)
