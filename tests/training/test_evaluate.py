"""The quick measure counts what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.config import Config
from training.curves import append_row, draw_curves, read_columns
from training.evaluate import Found, rotated_iou, rotated_nms, score_picture

BOX = [100.0, 80.0, 30.0, 60.0, 20.0]
TRUTH = {
    "persons": [
        {"box": BOX, "head": [107, 62, 7], "difficult": False},
        {"box": [40.0, 40, 20, 20, 0], "head": None, "difficult": True},
    ],
    "ignore_xyxy": [[150, 150, 190, 190]],
}
PICTURE = np.zeros((200, 200, 3), np.uint8)


def found(*boxes: list[float]) -> Found:
    array = np.array(boxes, np.float32).reshape(-1, 6)
    return Found(array, np.zeros((len(array), 4), np.float32), np.zeros((200, 200), np.float32))


def test_iou_matches_hand_figures() -> None:
    a = np.array([10, 10, 4, 4, 0], np.float32)
    assert rotated_iou(a, a) == pytest.approx(1, abs=1e-3)
    assert rotated_iou(a, np.array([12, 10, 4, 4, 0], np.float32)) == pytest.approx(1 / 3, abs=1e-3)
    assert rotated_iou(a, np.array([10, 10, 4, 4, 90], np.float32)) == pytest.approx(1, abs=1e-3)
    assert rotated_iou(a, np.array([40, 10, 4, 4, 0], np.float32)) == 0


def test_nms_keeps_the_best_of_a_pile() -> None:
    boxes = np.array([[10, 10, 8, 8, 0, 0.5], [11, 10, 8, 8, 0, 0.9], [50, 50, 8, 8, 0, 0.2]], np.float32)
    assert rotated_nms(boxes, 0.4) == [1, 2]
    assert rotated_nms(boxes[:0], 0.4) == []


def test_a_perfect_answer() -> None:
    n = score_picture(found([*BOX, 0.9]), TRUTH, PICTURE, 0.25, 0.1)
    assert (n["people"], n["hit3"], n["hit5"], n["detections"], n["right"]) == (1, 1, 1, 1, 1)
    assert n["leak"] == 0
    assert n["over"] < 0.005


def test_nothing_found_leaks_every_head() -> None:
    n = score_picture(found(), TRUTH, PICTURE, 0.25, 0.1)
    assert n["hit3"] == 0
    assert n["leak"] == n["heads"] == 1


def test_difficult_people_and_ignored_places_cost_no_precision() -> None:
    answer = found([40, 40, 20, 20, 0, 0.9], [170, 170, 10, 10, 0, 0.8], [20, 180, 9, 9, 0, 0.7])
    n = score_picture(answer, TRUTH, PICTURE, 0.25, 0.1)
    assert n["detections"] == 1
    assert n["right"] == 0


def test_config_and_curves_survive_the_disk(tmp_path: Path) -> None:
    config = Config(batch=3, sizes_px=(64, 96))
    config.save(tmp_path / "config.json")
    assert Config.load(tmp_path / "config.json") == config
    for step in (50, 100):
        append_row(tmp_path / "log.csv", {"step": step, "box": 1.0 / step})
    assert read_columns(tmp_path / "log.csv") == {"step": [50, 100], "box": [0.02, 0.01]}
    draw_curves(tmp_path)
    assert (tmp_path / "curves.png").stat().st_size > 1000
