"""Figures carried into another projection: over no border between views, and no wider than there need be."""

import numpy as np
import pytest

from aipg_plugin.geometry import Figure, make_projection, standing_boxes
from aipg_plugin.guard.planner import MaskPlanner
from aipg_plugin.masking.region import RegionMap
from aipg_plugin.options import CaptureMode, PrivacyGuard
from tests.tracking.walkers import CAMERA, CEILING, OVAL

DOUBLE = make_projection(CaptureMode.DOUBLE_PANORAMA, law=CAMERA.law, circle=CAMERA.circle, mount=CEILING,
                         size_wh=(1600, 800))


def masked(place_m: tuple[float, float], position_uncertainty_m: float = 0.0) -> np.ndarray:
    box = standing_boxes(CAMERA, CEILING, [place_m])[0]
    figure = Figure(1, box, OVAL, np.full(3, np.nan), 0.9, 0.0, position_uncertainty_m=position_uncertainty_m)
    regions = RegionMap(DOUBLE.size_wh)
    planner = MaskPlanner(DOUBLE, CAMERA, CEILING, same=False)
    regions.compose(planner.plan((figure,), PrivacyGuard(), full=False), {})
    return regions.level > 0


@pytest.mark.parametrize("place_m", [(0.0, 0.9), (0.3, 1.2), (0.0, 2.5), (-0.8, 1.5)])
def test_a_figure_in_the_upper_strip_masks_nothing_of_the_lower(place_m: tuple[float, float]) -> None:
    bits = masked(place_m, 0.3)
    assert bits[:200].any()
    assert not bits[200:].any()


def test_the_margin_is_that_of_the_stream_it_is_painted_in() -> None:
    bits = masked((0.0, 3.0))
    wide_px = 2 * np.flatnonzero(bits.any(axis=0)).size
    metre_px = 1600 / np.pi / 3.0  # a half turn across the strip, 3 m away
    assert 0.5 * metre_px < wide_px < 1.1 * metre_px
