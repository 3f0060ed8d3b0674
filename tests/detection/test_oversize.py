"""Boxes larger than people are lose score; people never do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.detection.oversize import lowered_oversize
from aipg_plugin.geometry import FisheyeCamera, ImageCircle, LensLaw, Mount, make_projection
from aipg_plugin.geometry.figure import pixels_per_metre, standing_boxes
from aipg_plugin.options import CaptureMode, LensModelName, MountKind
from aipg_plugin.thresholds import LARGEST_M2
from tests.strategies import lens_laws, mounts

LAW = LensLaw(LensModelName.EQUIDISTANT, 180.0)
CEILING = Mount(MountKind.CEILING, 3.0)
CAMERA = FisheyeCamera(LAW, ImageCircle(320.0, 320.0, 320.0), (640, 640))


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(-50, 700), st.floats(-50, 700), st.floats(1, 900)), max_size=8),
       lens_laws(), mounts())
def test_scores_stay_scores_and_none_rises(people: list[tuple[float, float, float, float]], law: LensLaw,
                                           mount: Mount) -> None:
    scores = np.array([score for score, *_ in people])
    boxes = np.array([[x, y, side, side, 0] for _, x, y, side in people], float).reshape(-1, 5)
    lowered = lowered_oversize(FisheyeCamera(law, CAMERA.circle, CAMERA.size_wh), mount, boxes, scores)
    assert lowered.shape == scores.shape
    assert (lowered <= scores + 1e-12).all()
    assert (lowered >= 0).all()


def test_a_score_of_one_stays_one_however_large_the_box() -> None:
    law = LensLaw(LensModelName.EQUIDISTANT, 59.0)
    camera = FisheyeCamera(law, CAMERA.circle, CAMERA.size_wh)
    box = np.array([[0.0, 0.0, 472.0, 472.0, 0.0]])
    assert lowered_oversize(camera, Mount(MountKind.WALL, 4.0), box, np.ones(1)) == pytest.approx(1.0)


@pytest.mark.parametrize("hangs_at_m", [3.0, 2.4])
def test_people_keep_their_scores_even_if_the_camera_hangs_lower_than_set(hangs_at_m: float) -> None:
    places = np.array([[x, y] for x in (0.0, 0.5, 1.5, 4.0) for y in (0.0, 1.0)])
    boxes = standing_boxes(CAMERA, Mount(MountKind.CEILING, hangs_at_m), places, height_m=1.9)
    scores = np.full(len(boxes), 0.2)
    assert lowered_oversize(CAMERA, CEILING, boxes, scores) == pytest.approx(scores, abs=0.02)


@pytest.mark.parametrize("projection", [CAMERA, make_projection(
    CaptureMode.PANORAMA, law=LAW, circle=CAMERA.circle, mount=CEILING, size_wh=(1200, 300))])
def test_a_whole_room_is_nobody_unless_it_is_sure(projection: FisheyeCamera) -> None:
    place = np.array([projection.size_wh]) * (0.7, 0.6)
    per_metre = float(pixels_per_metre(projection, CEILING, place)[0])
    side = np.sqrt(3 * LARGEST_M2) * per_metre
    boxes = np.array([[*place[0], side, side, 0.0]])
    assert lowered_oversize(projection, CEILING, boxes, np.array([0.3]))[0] == pytest.approx(0.3 / 0.7 / 9, rel=0.1)
    assert lowered_oversize(projection, CEILING, boxes, np.array([0.95]))[0] > 0.6
