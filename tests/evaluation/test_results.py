from pathlib import Path

import numpy as np
import pytest

from aipg_plugin.detection.detections import Detections
from evaluation.pictures import LabelledPicture
from evaluation.results import SystemResult, at_over_mask

SIZE_WH = (600, 600)
PERSON = np.array([[300.0, 120.0, 60.0, 120.0, 0.0]])


def picture() -> LabelledPicture:
    return LabelledPicture(path=Path("none.png"), scene="hall", circle_px=(300.0, 300.0, 300.0), boxes=PERSON,
                      heads=np.array([[300.0, 80.0, 15.0]]), difficult=np.zeros(1, bool), ignore=np.zeros((0, 4)))


def result(scores: list[float]) -> SystemResult:
    """The person, and three things elsewhere that are taken for people."""
    wrong = [[480.0, 300.0, 60.0, 120.0, 90.0], [120.0, 300.0, 60.0, 120.0, -90.0], [300.0, 480.0, 60.0, 120.0, 180.0]]
    boxes = np.concatenate([PERSON, wrong]).astype(np.float32)
    return SystemResult("made up", found=[(picture(), SIZE_WH, Detections.of(boxes, np.array(scores, np.float32)))])


def test_nets_are_compared_at_the_score_that_masks_as_much() -> None:
    score, rates = at_over_mask(result([0.9, 0.5, 0.4, 0.3]), 0.03)
    assert 0.5 < score <= 0.9
    assert (rates["recall_3"], rates["precision_3"], rates["head_leak"]) == (1.0, 1.0, 0.0)
    assert rates["over_mask"] < 0.03


@pytest.mark.parametrize("factor", [0.2, 0.6, 1.0])
def test_calibration_does_not_matter_there(factor: float) -> None:
    _, rates = at_over_mask(result([factor * s for s in (0.4, 0.9, 0.5, 0.3)]), 0.06)
    _, plain = at_over_mask(result([0.4, 0.9, 0.5, 0.3]), 0.06)
    assert rates == plain
