"""Outlines from one projection to another: whatever lies inside stays covered."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings

from aipg_plugin.geometry import (
    FisheyeCamera,
    ImageCircle,
    LensLaw,
    Mount,
    Projection,
    corners,
    make_projection,
    remap_outline,
    standing_boxes,
    to_pixels,
)
from aipg_plugin.options import CaptureMode, View
from tests.strategies import numbers

LAW = LensLaw("equidistant", 184.0)
CAMERA = FisheyeCamera(LAW, ImageCircle(150, 145, 140), (300, 290))
SIZES = {CaptureMode.PANORAMA: (401, 101), CaptureMode.DOUBLE_PANORAMA: (300, 200), CaptureMode.CORRIDOR: (151, 250)}


def make(mode: CaptureMode, mount: Mount) -> Projection:
    view = View(20, -40, 0, 90) if mode in {CaptureMode.SINGLE_PTZ, CaptureMode.CORRIDOR} else View()
    return make_projection(mode, law=LAW, circle=CAMERA.circle, mount=mount, size_wh=SIZES.get(mode, (300, 290)),
                           view=view)


def painted(polygons: list[np.ndarray], size_wh: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(size_wh[::-1], np.uint8)
    for polygon in polygons:
        cv2.fillPoly(mask, [np.round((polygon - 0.5) * 16).astype(np.int32)], 1, shift=4)
    return mask


def uncovered(source: Projection, target: Projection, outline: np.ndarray) -> int:
    """Pixels of `target` that look into the outline, more than 1.5 px inside every painted edge, yet unpainted."""
    w, h = target.size_wh
    grid = np.stack(np.meshgrid(np.arange(w) + 0.5, np.arange(h) + 0.5), -1).reshape(-1, 2)
    px = source.ray_to_pixel(target.pixel_to_ray(grid))
    contour = outline.astype(np.float32).reshape(-1, 1, 2)
    near = ((px > outline.min(axis=0)) & (px < outline.max(axis=0))).all(axis=1)
    inside = [cv2.pointPolygonTest(contour, tuple(map(float, p)), False) > 0 for p in px[near]]
    wanted = np.zeros(w * h, np.uint8)
    wanted[near] = inside
    wanted = cv2.erode(wanted.reshape(h, w), np.ones((3, 3), np.uint8), borderType=cv2.BORDER_REPLICATE)
    mask = painted(remap_outline(source, target, outline), (w, h))
    return int(np.count_nonzero(wanted.astype(bool) & (mask == 0)))


CEILING_MODES = [m for m in CaptureMode if m is not CaptureMode.CORRIDOR]
WALL_MODES = [m for m in CaptureMode if m is not CaptureMode.DOUBLE_PANORAMA]


@pytest.mark.parametrize("target", CEILING_MODES)
@given(numbers(0, 1.02), numbers(-180, 180), numbers(8, 75), numbers(8, 75))
@settings(deadline=None, max_examples=8)
def test_ceiling_figures_stay_covered(target: CaptureMode, r: float, at: float, w: float, h: float) -> None:
    mount = Mount("ceiling", 3.0)
    way = np.radians(at)
    box = [150 + r * 140 * np.cos(way), 145 + r * 140 * np.sin(way), w, h, at + 90]
    assert uncovered(CAMERA, make(target, mount), corners(box)[0]) == 0


@pytest.mark.parametrize("target", WALL_MODES)
@given(numbers(-7, 7), numbers(0.3, 8))
@settings(deadline=None, max_examples=8)
def test_wall_figures_stay_covered(target: CaptureMode, x: float, y: float) -> None:
    mount = Mount("wall", 2.8)
    box = standing_boxes(CAMERA, mount, [[x, y]])[0]
    assert uncovered(CAMERA, make(target, mount), corners(box)[0]) == 0


@pytest.mark.parametrize("source", [CaptureMode.PANORAMA, CaptureMode.DOUBLE_PANORAMA, CaptureMode.QUAD_PTZ])
@given(numbers(-6, 6), numbers(-6, 6))
@settings(deadline=None, max_examples=8)
def test_dewarped_figures_stay_covered_on_the_lens_picture(source: CaptureMode, x: float, y: float) -> None:
    mount = Mount("ceiling", 3.0)
    seen = make(source, mount)
    box = standing_boxes(seen, mount, [[x, y]])[0]
    if np.isnan(box).any():
        return
    outline = to_pixels(box, [(np.cos(a), np.sin(a)) for a in np.linspace(0, 2 * np.pi, 24, endpoint=False)])
    assert uncovered(seen, CAMERA, outline) == 0


def test_a_figure_on_the_seam_is_given_on_both_sides() -> None:
    mount = Mount("ceiling", 3.0)
    strip = make(CaptureMode.PANORAMA, mount)
    box = standing_boxes(CAMERA, mount, [[0.0, -4.0]])[0]            # straight behind: the seam
    polygons = remap_outline(CAMERA, strip, corners(box)[0])
    assert len(polygons) == 2
    assert min(p[:, 0].min() for p in polygons) == pytest.approx(0, abs=0.01)
    assert max(p[:, 0].max() for p in polygons) == pytest.approx(401, abs=0.01)
    assert sum(np.ptp(p[:, 0]) for p in polygons) < 401 / 4


def test_a_box_over_the_edge_of_its_own_panorama_comes_back_on_the_other_side() -> None:
    strip = make(CaptureMode.PANORAMA, Mount("ceiling", 3.0))
    mask = painted(remap_outline(strip, strip, corners([398, 40, 20, 40, 0])[0]), strip.size_wh)
    assert mask[25:55, :6].all()
    assert mask[25:55, 390:].all()
    assert not mask[:, 10:380].any()


def test_a_figure_straight_below_fills_the_foot_of_the_strip() -> None:
    mount = Mount("ceiling", 3.0)
    strip = make(CaptureMode.PANORAMA, mount)
    mask = painted(remap_outline(CAMERA, strip, corners([150, 145, 30, 30, 10])[0]), strip.size_wh)
    assert mask[-5:].all()
    assert not mask[:50].any()


def test_small_figures_stay_small() -> None:
    mount = Mount("ceiling", 3.0)
    outline = corners(standing_boxes(CAMERA, mount, [[2.0, 3.0]])[0])[0]
    for mode in CEILING_MODES:
        target = make(mode, mount)
        share = painted(remap_outline(CAMERA, target, outline), target.size_wh).mean()
        assert share < 0.12, mode


def test_what_cannot_be_an_outline_gives_nothing() -> None:
    strip = make(CaptureMode.PANORAMA, Mount("ceiling", 3.0))
    assert remap_outline(CAMERA, strip, np.zeros((0, 2))) == []
    assert remap_outline(CAMERA, strip, [[0, 0], [1, 1]]) == []
    assert remap_outline(CAMERA, strip, [[0, 0], [np.nan, 1], [5, 5]]) == []


def test_the_same_lens_at_another_size_is_scaled_beyond_the_rim_too() -> None:
    small = FisheyeCamera(LAW, ImageCircle(75, 72.5, 70), (150, 145))
    outline = np.array([[280, 140], [320, 140], [320, 165], [280, 165.0]])
    np.testing.assert_allclose(remap_outline(CAMERA, small, outline)[0], outline / 2)
    assert remap_outline(CAMERA, CAMERA, outline)[0] == pytest.approx(outline)
