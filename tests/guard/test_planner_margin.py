"""The higher the camera is set, the wider the masks of the same detections."""

import numpy as np
import pytest

from aipg_plugin.detection.detections import rounded_box
from aipg_plugin.geometry import Figure, Mount, standing_boxes
from aipg_plugin.guard.planner import MaskPlanner
from aipg_plugin.masking.region import RegionMap
from aipg_plugin.options import PrivacyGuard, Sensitivity
from aipg_plugin.thresholds import margin_m
from tests.tracking.walkers import CAMERA, CEILING

HEIGHTS_M = (2.5, 3.0, 3.5, 4.0, 4.5, 5.0)


def masked_blocks(height_m: float, sensitivity: Sensitivity, place_m: tuple[float, float]) -> int:
    box = standing_boxes(CAMERA, CEILING, [place_m])[0]
    figure = Figure(1, box, 0.62 * np.asarray(rounded_box(), np.float64), np.full(3, np.nan), 0.9, 0.0)
    planner = MaskPlanner(CAMERA, CAMERA, Mount("ceiling", height_m), same=True)
    regions = RegionMap(CAMERA.size_wh)
    regions.compose(planner.plan((figure,), PrivacyGuard(sensitivity=sensitivity), full=False), {})
    return int((regions.level > 0).sum())


@pytest.mark.parametrize("sensitivity", list(Sensitivity))
def test_masks_widen_with_the_camera_height_by_about_a_third(sensitivity: Sensitivity) -> None:
    areas = np.array([[masked_blocks(height_m, sensitivity, (away_m, 0.0)) for height_m in HEIGHTS_M]
                      for away_m in (1.8, 2.1, 2.5, 3.0)])
    assert (np.diff(areas, axis=1) >= 0).all()
    assert 1.25 < float((areas[:, -1] / areas[:, 0]).mean()) < 1.5


def test_the_margin_at_the_default_height_is_what_was_chosen() -> None:
    assert margin_m(Sensitivity.HIGH, 3.0) == pytest.approx(0.0325)


@pytest.mark.parametrize("sensitivity", list(Sensitivity))
def test_rooms_a_little_higher_than_the_default_are_masked_little_wider(sensitivity: Sensitivity) -> None:
    wider = [margin_m(sensitivity, height_m) - margin_m(sensitivity, 3.0) for height_m in (3.2, 3.5, 4.0, 5.0)]
    assert 0 < wider[0] < wider[1] < 0.012
    assert wider[1] < wider[2] < wider[3]
