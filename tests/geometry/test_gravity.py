"""Which way is up."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from aipg_plugin.geometry import FisheyeCamera, ImageCircle, LensLaw, Mount, aligned, make_projection, up_angle_deg
from aipg_plugin.options import CaptureMode
from tests.strategies import cameras, numbers, points, projections

CEILING, WALL = Mount("ceiling", 3.0), Mount("wall", 3.0)


def apart_deg(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.abs((np.asarray(a) - b + 180) % 360 - 180)


@given(st.data())
def test_on_a_ceiling_picture_heads_point_outward(data: st.DataObject) -> None:
    camera = data.draw(cameras())
    px = data.draw(points(camera.size_wh))
    out = px - (camera.circle.cx_px, camera.circle.cy_px)
    away = np.hypot(*out.T) > 1e-3
    polar = np.degrees(np.arctan2(out[:, 1], out[:, 0]))
    assert np.all(apart_deg(up_angle_deg(camera, CEILING, px), polar + 90)[away] < 1e-6)


@given(cameras(), numbers(-180, 180), numbers(0.05, 0.95), numbers(0, 360))
def test_turning_a_ceiling_picture_turns_its_boxes(camera: FisheyeCamera, turn: float, r: float, at: float) -> None:
    centre = np.array([camera.circle.cx_px, camera.circle.cy_px])
    way = np.radians([at, at + turn])
    px = centre + r * camera.circle.radius_px * np.stack([np.cos(way), np.sin(way)], axis=1)
    boxes = aligned(camera, CEILING, np.column_stack([px, [[20, 50]] * 2]))
    assert apart_deg(boxes[1, 4] - boxes[0, 4], turn) < 1e-6
    assert boxes.shape == (2, 5)


@given(st.data())
@settings(deadline=None)
def test_up_is_where_a_raised_point_moves(data: st.DataObject) -> None:
    """In any projection: lift a point of the scene a little, and it moves along `up` in the picture."""
    projection, mount = data.draw(projections())
    px = data.draw(points(projection.size_wh, most=12))
    rays = projection.pixel_to_ray(px)
    steep = np.abs(rays @ mount.up)
    lifted = rays + 1e-5 * mount.up
    moved = projection.ray_to_pixel(lifted / np.linalg.norm(lifted, axis=1, keepdims=True))
    here = projection.ray_to_pixel(rays)
    step = moved - here
    length = np.hypot(*step.T)
    usable = (steep < 0.999) & (length > 1e-6) & (length < 1) & (np.hypot(*(here - px).T) < 1e-3)
    angle = np.degrees(np.arctan2(step[:, 0], -step[:, 1]))
    assert np.all(apart_deg(up_angle_deg(projection, mount, px), angle)[usable] < 2.0)


@given(st.data())
@settings(deadline=None)
def test_always_a_number(data: st.DataObject) -> None:
    projection, mount = data.draw(projections())
    wild = data.draw(points(projection.size_wh)) * 4 - 1.5 * np.array(projection.size_wh)
    assert np.isfinite(up_angle_deg(projection, mount, wild)).all()
    assert up_angle_deg(projection, mount, np.zeros((0, 2))).shape == (0,)
    assert aligned(projection, mount, np.zeros((0, 4))).shape == (0, 5)


def test_upright_in_panoramas_and_along_the_middle_of_a_wall_picture() -> None:
    law = LensLaw("equidistant", 180)
    for mode, mount in ((CaptureMode.PANORAMA, CEILING), (CaptureMode.DOUBLE_PANORAMA, CEILING),
                        (CaptureMode.PANORAMA, WALL)):
        strip = make_projection(mode, law=law, circle=None, mount=mount, size_wh=(401, 201))
        px = np.random.default_rng(0).uniform(0.02, 0.95, (50, 2)) * (401, 201)
        np.testing.assert_allclose(up_angle_deg(strip, mount, px), 0, atol=0.05)
    wall = FisheyeCamera(law, ImageCircle(200, 200, 200), (400, 400))
    angles = up_angle_deg(wall, WALL, [[200, 200], [200, 350], [200, 50], [100, 200], [300, 200], [120, 300]])
    np.testing.assert_allclose(angles[:5], 0, atol=0.01)
    assert angles[5] < -5                   # below the horizon verticals spread out as they rise from the nadir
    assert up_angle_deg(wall, CEILING, [[200, 200]])[0] == 0
