"""Scores straight below the camera are raised, elsewhere they stay; nobody is lowered."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.detection import below
from aipg_plugin.detection.below import raised_below
from aipg_plugin.detection.detector import FisheyeDetector
from aipg_plugin.detection.flat import FlatTile
from aipg_plugin.detection.onnx import PersonNet
from aipg_plugin.geometry import FisheyeCamera, ImageCircle, LensLaw, Mount, make_projection
from aipg_plugin.options import CaptureMode, LensModelName, MountKind
from aipg_plugin.thresholds import BELOW_DEG, BELOW_FADE_DEG, BELOW_LOGIT
from tests.detection.nets import FIGURE_WH, ONE_RING
from tests.detection.painting import FLOOR, in_tile, paint

LAW = LensLaw(LensModelName.EQUIDISTANT, 180.0)
CEILING, WALL = Mount(MountKind.CEILING, 3.0), Mount(MountKind.WALL, 2.5)
CAMERA = FisheyeCamera(LAW, ImageCircle(320.0, 320.0, 320.0), (640, 640))


def at(*from_below_deg: float) -> np.ndarray:
    """(N, 5) boxes to the right of the middle of a ceiling picture."""
    return np.array([[320 + 320 * deg / 90, 320, 40, 60, 90] for deg in from_below_deg], float)


def logit(scores: np.ndarray) -> np.ndarray:
    return np.log(scores / (1 - scores))


def test_the_raise_fades_out_over_some_degrees() -> None:
    degrees = [0, BELOW_DEG - BELOW_FADE_DEG, BELOW_DEG, BELOW_DEG + BELOW_FADE_DEG, 80]
    scores = np.full(len(degrees), 0.2)
    raised = logit(raised_below(CAMERA, CEILING, at(*degrees), scores)) - logit(scores)
    assert raised == pytest.approx(BELOW_LOGIT * np.array([1, 1, 0.5, 0, 0]), abs=1e-6)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 700), st.floats(0, 640)), max_size=8))
def test_scores_stay_scores_and_none_falls(people: list[tuple[float, float, float]]) -> None:
    scores = np.array([score for score, _, _ in people])
    boxes = np.array([[x, y, 40, 60, 0] for _, x, y in people], float).reshape(-1, 5)
    for mount in (CEILING, WALL):
        raised = raised_below(CAMERA, mount, boxes, scores)
        assert raised.shape == scores.shape
        assert (raised >= scores - 1e-12).all()
        assert (raised <= 1).all()


def test_a_wall_camera_and_a_panorama_know_where_below_is() -> None:
    middle, scores = np.array([[320.0, 320, 40, 60, 0]]), np.array([0.2])
    assert raised_below(CAMERA, WALL, middle, scores) == pytest.approx(scores)
    strip = make_projection(CaptureMode.PANORAMA, law=LAW, circle=CAMERA.circle, mount=CEILING, size_wh=(1200, 300))
    ends = np.array([[600.0, 2, 40, 60, 0], [600.0, 298, 40, 60, 0]])
    lowest = np.argmax(strip.pixel_to_ray(ends[:, :2]) @ -CEILING.up)
    raised = raised_below(strip, CEILING, ends, np.full(2, 0.2))
    assert raised[lowest] > 0.25
    assert raised[1 - lowest] == pytest.approx(0.2)


def test_only_the_scores_of_our_own_nets_are_raised(net: PersonNet, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = FisheyeDetector(net, CAMERA, CEILING, plan=ONE_RING, min_score=0.2)
    tile = next(tile for tile in detector.tiles if isinstance(tile, FlatTile))
    picture = np.full((*detector.size_wh[::-1], 3), FLOOR, np.uint8)
    paint(picture, in_tile(tile, (tile.input_px / 2, tile.input_px / 2 - 20, *FIGURE_WH)))
    found = {}
    for name, logits in (("raised", 3.0), ("as it is", 0.0)):
        monkeypatch.setattr(below, "BELOW_LOGIT", logits)
        for own in (False, True):
            monkeypatch.setattr(net, "any_size", own)
            found[name, own] = detector.detect(picture).scores
    assert len(found["as it is", True]) >= 1
    assert found["raised", False] == pytest.approx(found["as it is", False])
    assert found["raised", True].max() > found["as it is", True].max()
