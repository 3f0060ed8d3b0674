"""Figures carried into another projection: as wide as where they were found, over no border between views."""

from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
import pytest

from aipg_plugin.geometry import Figure, Projection, make_projection, standing_boxes
from aipg_plugin.guard.planner import MaskPlanner
from aipg_plugin.masking.plan import FigureRegion
from aipg_plugin.masking.region import RegionMap
from aipg_plugin.options import CaptureMode, PrivacyGuard, Sensitivity, View
from tests.tracking.walkers import CAMERA, CEILING, OVAL

SIZES = {CaptureMode.PANORAMA: (2000, 520), CaptureMode.DOUBLE_PANORAMA: (1600, 800),
         CaptureMode.QUAD_PTZ: (1000, 800), CaptureMode.SINGLE_PTZ: (900, 700)}


def dewarped(mode: CaptureMode) -> Projection:
    view = View(90.0, -60.0, 0.0, 100.0) if mode is CaptureMode.SINGLE_PTZ else View()
    return make_projection(mode, law=CAMERA.law, circle=CAMERA.circle, mount=CEILING, size_wh=SIZES[mode], view=view)


DOUBLE = dewarped(CaptureMode.DOUBLE_PANORAMA)
PLACES_M = [(0.0, 0.0), (0.3, 0.1), (0.0, 0.9), (-0.8, 1.5), (0.0, -2.5), (0.05, -1.2), (2.0, 0.0), (3.5, -2.5)]


def regions_of(place_m: tuple[float, float], position_uncertainty_m: float, target: Projection) -> RegionMap:
    box = standing_boxes(CAMERA, CEILING, [place_m])[0]
    figure = Figure(1, box, OVAL, np.full(3, np.nan), 0.9, 0.0, position_uncertainty_m=position_uncertainty_m)
    regions = RegionMap(target.size_wh)
    planner = MaskPlanner(target, CAMERA, CEILING, same=target is CAMERA)
    regions.compose(planner.plan((figure,), PrivacyGuard(), full=False), {})
    assert not regions.full
    return regions


def masked(place_m: tuple[float, float], position_uncertainty_m: float = 0.0,
           target: Projection = DOUBLE) -> np.ndarray:
    """(H, W) bool."""
    w, h = target.size_wh
    level = regions_of(place_m, position_uncertainty_m, target).level
    return np.repeat(np.repeat(level > 0, 2, axis=0), 2, axis=1)[:h, :w]


@lru_cache
def dewarped_map(mode: CaptureMode) -> tuple[Projection, np.ndarray]:
    """The projection of a mode, and the place (H, W, 2) in the fisheye picture of each of its pixels."""
    target = dewarped(mode)
    w, h = target.size_wh
    grid = np.stack(np.meshgrid(np.arange(w) + 0.5, np.arange(h) + 0.5), -1).reshape(-1, 2)
    px = CAMERA.ray_to_pixel(target.pixel_to_ray(grid)).astype(np.float32).reshape(h, w, 2)
    return target, np.nan_to_num(px, nan=-9) - np.float32(0.5)


@pytest.mark.parametrize("uncertainty_m", [0.0, 0.4])
@pytest.mark.parametrize("mode", SIZES)
@pytest.mark.parametrize("place_m", PLACES_M)
def test_a_figure_is_masked_as_its_mask_in_the_first_picture_dewarped_would(
        place_m: tuple[float, float], mode: CaptureMode, uncertainty_m: float) -> None:
    target, source_px = dewarped_map(mode)
    got = masked(place_m, uncertainty_m, target)
    source = masked(place_m, uncertainty_m, CAMERA).astype(np.float32)
    wanted = cv2.remap(source, source_px, None, cv2.INTER_LINEAR) > 0.5
    assert got.sum() <= 1.07 * wanted.sum() + outline_px(wanted)  # whole blocks are masked
    assert (wanted & ~got).sum() <= 0.01 * wanted.sum()  # pixels of the edge, by how whole blocks fall


def outline_px(mask: np.ndarray) -> int:
    """Length of a mask's outline in pixels."""
    return int((mask & ~(cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)).sum())


@pytest.mark.parametrize("place_m", [(0.0, 0.9), (0.3, 1.2), (0.0, 2.5), (-0.8, 1.5)])
def test_a_figure_in_the_upper_strip_masks_nothing_of_the_lower(place_m: tuple[float, float]) -> None:
    bits = masked(place_m, 0.0)
    assert bits[:400].any()
    assert not bits[400:].any()


def test_the_margin_is_that_of_the_stream_it_is_painted_in() -> None:
    bits = masked((0.0, 3.0))
    wide_px = np.flatnonzero(bits.any(axis=0)).size
    metre_px = 1600 / np.pi / 3.0  # a half turn across the strip, 3 m away
    assert 0.5 * metre_px < wide_px < 1.1 * metre_px


def test_a_figure_that_stays_is_drawn_once_until_it_or_the_settings_change() -> None:
    figure = Figure(1, standing_boxes(CAMERA, CEILING, [(2.0, 1.0)])[0], OVAL, np.full(3, np.nan), 0.9, 0.0)
    planner, low = MaskPlanner(CAMERA, CAMERA, CEILING, same=True), PrivacyGuard(sensitivity=Sensitivity.LOW)

    def region(figure: Figure, guard: PrivacyGuard | None = None) -> FigureRegion:
        return planner.regions((figure,), guard or PrivacyGuard())[0]

    same = region(figure)
    assert region(replace(figure, age_s=0.1, seen_s=4.0)) is same
    assert region(replace(figure, position_uncertainty_m=0.2)).margin_px > same.margin_px
    assert region(figure, low).margin_px < same.margin_px
    assert region(figure).margin_px == same.margin_px
    moved = replace(figure, box=figure.box + np.array([9, 0, 0, 0, 0]))
    assert np.allclose(region(moved).polygons_px[0].mean(0) - same.polygons_px[0].mean(0), (9, 0), atol=0.01)
    drawn = RegionMap(CAMERA.size_wh)
    for each in (figure, figure, moved, figure):
        drawn.compose(planner.plan((each,), PrivacyGuard(), full=False), {})
        fresh = RegionMap(CAMERA.size_wh)
        fresh.compose(replace(planner, same=True).plan((each,), PrivacyGuard(), full=False), {})
        assert np.array_equal(drawn.level, fresh.level)


@pytest.mark.parametrize("target", [CAMERA, *(dewarped(mode) for mode in SIZES)])
def test_the_head_is_where_the_other_view_shows_it(target: Projection) -> None:
    """A mask's colours leave it out, in every stream."""
    box = standing_boxes(CAMERA, CEILING, [(0.05, -1.2)])[0]
    head = np.array([box[0], box[1], 9.0])
    planner = MaskPlanner(target, CAMERA, CEILING, same=target is CAMERA)
    regions = planner.regions((Figure(1, box, OVAL, head, 0.9, 0.0),), PrivacyGuard())
    place = target.ray_to_pixel(CAMERA.pixel_to_ray(head[None, :2]))[0]
    if np.isfinite(place).all() and regions:
        shown = regions[0].head_px
        assert shown is not None
        assert shown[:2] == pytest.approx(place, abs=0.5)
        assert 2 < shown[2] < 200
    nowhere = Figure(2, box, OVAL, np.full(3, np.nan), 0.9, 0.0)
    assert all(region.head_px is None for region in planner.regions((nowhere,), PrivacyGuard()))
