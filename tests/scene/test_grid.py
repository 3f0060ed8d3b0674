"""What a coarse grid over a picture shows of boxes."""

import cv2
import numpy as np
from hypothesis import given

from aipg_plugin.geometry.boxes import corners
from aipg_plugin.scene.grid import box_cells
from tests.strategies import numbers

SHAPE, PICTURE_WH = (48, 64), (640, 480)


@given(x=numbers(-100, 740), y=numbers(-100, 580), w=numbers(0.5, 900), h=numbers(0.5, 900), angle=numbers(-180, 180))
def test_a_boxs_part_of_the_grid_has_all_of_its_cells(x: float, y: float, w: float, h: float, angle: float) -> None:
    box = np.array([x, y, w, h, angle])
    whole = np.zeros(SHAPE, np.uint8)
    scale = np.array(SHAPE[::-1]) / np.array(PICTURE_WH)
    cv2.fillConvexPoly(whole, np.round(corners(box[None])[0] * scale - 0.5).astype(np.int32), 1)
    part, inside = box_cells(box, SHAPE, PICTURE_WH)
    found = np.zeros(SHAPE, bool)
    found[part] = inside
    assert np.count_nonzero(found != (whole > 0)) <= 4  # where the picture's border cuts an edge, rounding may differ


def test_a_box_that_is_not_finite_has_no_cells() -> None:
    assert not box_cells(np.array([1, 2, 3, np.nan, 0.0]), SHAPE, PICTURE_WH)[1].size
