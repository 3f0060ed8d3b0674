"""People on a tile in the making: clipped at its border, ignored where covered, mirrored with it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from training.canvas import Canvas, clip_people, move_people, warp
from training.dataset import collate, mirror


def canvas_with(box: tuple[float, float, float, float], size_px: int = 96) -> Canvas:
    """A blank tile with one person x0, y0, x1, y1, its head in the middle of its upper edge."""
    canvas = Canvas.blank(size_px, np.zeros(3, np.float32))
    head = [(box[0] + box[2]) / 2, box[1] + 5, 4]
    canvas.add(move_people(np.array([box], np.float32), np.array([head], np.float32), np.eye(3)))
    return canvas


@settings(max_examples=30)
@example(cx=34.0, cy=42.15, w=11.5, h=87.7)  # cut by less than a fiftieth
@given(st.floats(-40, 140), st.floats(-40, 140), st.floats(4, 60), st.floats(9, 90))
def test_people_stay_inside_the_tile(cx: float, cy: float, w: float, h: float) -> None:
    for q in clip_people(canvas_with((cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2))):
        assert (q[:2] - q[2:4] / 2 >= -1e-3).all()
        assert (q[:2] + q[2:4] / 2 <= 96 + 1e-3).all()


def test_a_covered_person_becomes_an_ignored_place() -> None:
    canvas = canvas_with((20, 20, 40, 70))
    on = np.zeros((96, 96), np.uint8)
    on[15:65, 15:45] = 1
    canvas.cover(on)
    image, t = collate([canvas])
    assert image.shape == (1, 3, 96, 96)
    assert t.count.tolist() == [0]
    assert t.ignore[0, 0, 30, 30] == 1
    assert t.ignore[0, 0, 5, 5] == 0
    assert t.silhouette_ignore[0, 0, 8, 8] == 1


def test_a_mirrored_batch_keeps_its_truth() -> None:
    canvas = canvas_with((12, 20, 32, 60))
    cv2.rectangle(canvas.image, (12, 20), (31, 59), (250, 250, 250), -1)
    canvas.silhouette[20:60, 12:32] = 1
    image, t = mirror(*collate([canvas]))
    x, y, w, h = cv2.boundingRect((image[0, 0] > 100).byte().numpy())
    assert t.boxes[0, 0].tolist() == pytest.approx([x + w / 2, y + h / 2, w, h])
    assert t.heads[0, 0, :2].tolist() == pytest.approx([96 - 22, 25])
    x, y, w, h = cv2.boundingRect((t.silhouette[0, 0] > 0.5).byte().numpy())
    assert (t.boxes[0, 0] / 4).tolist() == pytest.approx([x + w / 2, y + h / 2, w, h])


def test_a_thin_picture_survives_being_shrunk() -> None:
    thin = np.full((3, 400, 3), 200, np.uint8)
    assert warp(thin, np.diag([0.05, 0.05, 1.0]), 32).max() > 0
