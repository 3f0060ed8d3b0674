"""Every capture mode: both directions, the mount's meaning, and FFmpeg's v360 as witness."""

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aipg_plugin.errors import GeometryError
from aipg_plugin.geometry import FisheyeCamera, ImageCircle, LensLaw, Mount, make_projection, pixels_near, scaled
from aipg_plugin.options import CaptureMode, View
from tests.strategies import points, projections

LAW = LensLaw("equidistant", 180.0)
SLOW = settings(deadline=None, max_examples=60)


@given(st.data())
@SLOW
def test_pixels_and_rays_agree_both_ways(data: st.DataObject) -> None:
    projection, _ = data.draw(projections())
    px = data.draw(points(projection.size_wh))
    rays = projection.pixel_to_ray(px)
    seen = np.isfinite(rays[:, 0])
    assert rays.shape == (len(px), 3)
    back = projection.ray_to_pixel(rays)
    assert np.isnan(back[~seen]).all()
    assert np.isfinite(back[seen]).all()
    np.testing.assert_allclose(projection.pixel_to_ray(back)[seen], rays[seen], atol=1e-6)
    if len(projection.parts) == 1:
        turned = pixels_near(projection, rays, px)
        flat = np.abs(rays[:, 2]) < 1 - 1e-9       # straight down has any azimuth
        np.testing.assert_allclose(turned[seen & flat], px[seen & flat], atol=1e-3)


@given(st.data())
@SLOW
def test_valid_mask_and_clamp_to_valid_agree_with_the_rays(data: st.DataObject) -> None:
    projection, _ = data.draw(projections())
    w, h = projection.size_wh
    mask = projection.valid_mask()
    assert mask.shape == (h, w)
    grid = np.stack(np.meshgrid(np.arange(w) + 0.5, np.arange(h) + 0.5), -1).reshape(-1, 2)[::37]
    np.testing.assert_array_equal(mask.reshape(-1)[::37], np.isfinite(projection.pixel_to_ray(grid)[:, 0]))
    if mask.any():
        wild = data.draw(points(projection.size_wh, most=10)) * 3 - np.array(projection.size_wh)
        assert np.isfinite(projection.pixel_to_ray(projection.clamp_to_valid(wild))).all()


@given(projections())
@SLOW
def test_empty_arrays(drawn: tuple) -> None:
    projection, _ = drawn
    assert projection.pixel_to_ray(np.zeros((0, 2))).shape == (0, 3)
    assert projection.ray_to_pixel(np.zeros((0, 3))).shape == (0, 2)
    assert projection.clamp_to_valid([]).shape == (0, 2)
    assert projection.part_of([]).shape == (0,)
    assert pixels_near(projection, [], []).shape == (0, 2)


@given(st.data())
@SLOW
def test_scaled_pictures_show_the_same_rays(data: st.DataObject) -> None:
    projection, _ = data.draw(projections())
    w, h = projection.size_wh
    px = data.draw(points(projection.size_wh))
    larger = scaled(projection, (2 * w, 2 * h))
    np.testing.assert_allclose(larger.pixel_to_ray(2 * px), projection.pixel_to_ray(px), atol=1e-7)


def heading(projection: object, mount: Mount, px: tuple[float, float]) -> np.ndarray:
    """Floor-frame direction (right, forward, up) of one pixel."""
    return mount.to_floor_frame(projection.pixel_to_ray([px]))[0]  # type: ignore[attr-defined]


def test_ceiling_panorama_goes_from_rim_to_nadir_with_yaw_in_the_middle() -> None:
    mount = Mount("ceiling", 3.0)
    strip = make_projection("panorama", law=LAW, circle=None, mount=mount, size_wh=(720, 180))
    np.testing.assert_allclose(heading(strip, mount, (360, 0)), (0, 1, 0), atol=1e-9)      # picture's top, horizon
    np.testing.assert_allclose(heading(strip, mount, (540, 0)), (1, 0, 0), atol=1e-9)      # right of the picture
    np.testing.assert_allclose(heading(strip, mount, (100, 180)), (0, 0, -1), atol=1e-9)
    turned = make_projection("panorama", law=LAW, circle=None, mount=mount, size_wh=(720, 180), view=View(90))
    np.testing.assert_allclose(heading(turned, mount, (360, 0)), (1, 0, 0), atol=1e-9)


def test_double_panorama_looks_ahead_above_and_behind_below() -> None:
    mount = Mount("ceiling", 3.0)
    double = make_projection("double_panorama", law=LAW, circle=None, mount=mount, size_wh=(360, 180))
    np.testing.assert_allclose(heading(double, mount, (180, 0)), (0, 1, 0), atol=1e-9)
    np.testing.assert_allclose(heading(double, mount, (180, 90.001)), (0, -1, 0), atol=1e-3)
    assert double.valid_mask().all()


def test_wall_panorama_has_the_horizon_in_the_middle() -> None:
    mount = Mount("wall", 3.0)
    strip = make_projection("panorama", law=LAW, circle=None, mount=mount, size_wh=(720, 360))
    np.testing.assert_allclose(heading(strip, mount, (360, 180)), (0, 1, 0), atol=1e-9)
    np.testing.assert_allclose(heading(strip, mount, (360, 360)), (0, np.sqrt(.5), -np.sqrt(.5)), atol=1e-9)
    np.testing.assert_allclose(heading(strip, mount, (720, 180)), (1, 0, 0), atol=1e-9)


def test_quad_defaults_look_four_ways_and_down_from_the_ceiling() -> None:
    mount = Mount("ceiling", 3.0)
    quad = make_projection("quad_ptz", law=LAW, circle=None, mount=mount, size_wh=(400, 300))
    ways = [heading(quad, mount, p) for p in ((100, 75), (300, 75), (100, 225), (300, 225))]
    half = np.sqrt(0.5)
    np.testing.assert_allclose(ways, [(0, half, -half), (half, 0, -half), (0, -half, -half), (-half, 0, -half)],
                               atol=1e-9)


@pytest.mark.parametrize("mode", [CaptureMode.QUAD_PTZ, CaptureMode.DOUBLE_PANORAMA])
def test_a_pixel_on_an_edge_that_two_views_share_shows_the_ray_it_was_found_for(mode: CaptureMode) -> None:
    view = make_projection(mode, law=LensLaw("equidistant", 200), circle=None, mount=Mount("ceiling", 3.0),
                           size_wh=(64, 64))
    for part in view.parts:
        x0, y0, x1, y1 = part.rect
        along = np.linspace(0, 1, 9)
        edges = np.concatenate([[(x0 + (x1 - x0) * s, y) for s in along for y in (y0, y1)],
                                [(x, y0 + (y1 - y0) * s) for s in along for x in (x0, x1)]])
        rays = part.to_ray(edges)
        rays = rays[np.isfinite(view.ray_to_pixel(rays)).all(axis=1)]
        assert len(rays) > 0
        np.testing.assert_allclose(view.pixel_to_ray(view.ray_to_pixel(rays)), rays, atol=1e-6)


@pytest.mark.parametrize(("mode", "mount", "size"), [
    ("corridor", "ceiling", (300, 500)), ("corridor", "wall", (500, 300)), ("double_panorama", "wall", (500, 300)),
    ("panorama", "ceiling", (0, 300)),
])
def test_combinations_that_cannot_be_are_refused(mode: str, mount: str, size: tuple[int, int]) -> None:
    with pytest.raises(GeometryError):
        make_projection(CaptureMode(mode), law=LAW, circle=None, mount=Mount(mount, 3.0), size_wh=size)


def test_views_that_cannot_be_are_refused() -> None:
    with pytest.raises(GeometryError):
        make_projection("single_ptz", law=LAW, circle=None, mount=Mount("wall", 3.0), size_wh=(9, 9),
                        view=View(h_fov_deg=180))
    with pytest.raises(GeometryError):
        make_projection("quad_ptz", law=LAW, circle=None, mount=Mount("wall", 3.0), size_wh=(9, 9), views=(View(),))


def through_v360(picture: np.ndarray, arguments: str) -> np.ndarray:
    graph = av.filter.Graph()
    frame = av.VideoFrame.from_ndarray(picture, format="gray")
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base="1/25")
    v360 = graph.add("v360", arguments)
    sink = graph.add("buffersink")
    source.link_to(v360)
    v360.link_to(sink)
    graph.configure()
    graph.push(frame)
    return graph.pull().reformat(format="gray").to_ndarray()


@pytest.mark.parametrize(("mount", "view", "pitch_of_filter"), [
    ("wall", View(0, 0, 0, 90), 0), ("wall", View(25, 0, 0, 90), 0), ("wall", View(0, -30, 0, 70), -30),
    ("wall", View(0, 0, 40, 80), 0), ("wall", View(20, -15, 30, 80), -15), ("ceiling", View(0, -60, 0, 80), 30),
    ("ceiling", View(0, -50, 25, 80), 40),
])
def test_angles_mean_what_v360_means(mount: str, view: View, pitch_of_filter: float) -> None:
    """The same gradient picture through FFmpeg's filter and through our rays (a ceiling is the filter's 90° pitch)."""
    size = 400
    x, y = np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5)
    camera = FisheyeCamera(LAW, ImageCircle(size / 2, size / 2, size / 2), (size, size))
    projection = make_projection("single_ptz", law=LAW, circle=None, mount=Mount(mount, 3.0), size_wh=(160, 160),
                                 view=view)
    arguments = (f"input=fisheye:ih_fov=180:iv_fov=180:output=flat:w=160:h=160:interp=linear:"
                 f"h_fov={view.h_fov_deg}:v_fov={view.h_fov_deg}:yaw={view.yaw_deg}:pitch={pitch_of_filter}:"
                 f"roll={view.roll_deg}")
    grid = np.stack(np.meshgrid(np.arange(160) + 0.5, np.arange(160) + 0.5), -1).reshape(-1, 2)
    expected = camera.ray_to_pixel(projection.pixel_to_ray(grid)).reshape(160, 160, 2)
    assert np.isfinite(expected).all()
    for axis, ramp in ((0, x), (1, y)):
        shown = through_v360((ramp * 255 / size).astype(np.uint8), arguments)
        np.testing.assert_allclose(shown, expected[..., axis] * 255 / size, atol=2.5)
