"""The teacher's boxes: fused from several nets, the mean of their scores."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from training.photos import video_frames
from training.teacher import DOUBTFUL, Teacher, fuse

ONE = np.array([[10, 10, 50, 110, 0.8]], np.float32)
NEAR = np.array([[14, 10, 54, 110, 0.4]], np.float32)
AWAY = np.array([[200, 10, 240, 110, 0.6]], np.float32)
NOBODY = np.zeros((0, 5), np.float32)


def test_nets_that_agree_give_one_box_between_theirs_and_the_mean_score() -> None:
    (row,) = fuse([ONE, NEAR])
    assert row[:4] == pytest.approx([10 + 4 * 0.4 / 1.2, 10, 50 + 4 * 0.4 / 1.2, 110])
    assert row[4] == pytest.approx(0.6)


def test_a_net_that_sees_nobody_counts() -> None:
    (row,) = fuse([ONE, NOBODY, NOBODY])
    assert row[4] == pytest.approx(0.8 / 3)
    assert len(fuse([NOBODY, NOBODY])) == 0


def test_boxes_of_one_net_and_boxes_apart_stay_apart() -> None:
    assert len(fuse([np.concatenate([ONE, NEAR]), NOBODY])) == 2
    assert len(fuse([ONE, AWAY])) == 2


def test_the_nets_see_people_where_photographs_have_them(shared: Path) -> None:
    path = next(iter(sorted((shared / "data/photos/clothing_coparsing/images").iterdir())))
    image = np.asarray(cv2.imread(str(path)), np.uint8)
    found = Teacher(shared / "data/peers")(image)
    assert found[:, 4].min() >= DOUBTFUL
    best = found[found[:, 4].argmax()]
    assert best[4] > 0.5
    mask = cv2.imread(str(shared / "data/photos/clothing_coparsing/masks" / (path.stem + ".png")), cv2.IMREAD_UNCHANGED)
    x, y, w, h = cv2.boundingRect((np.asarray(mask) > 0).astype(np.uint8))
    assert best[:4] == pytest.approx([x, y, x + w, y + h], abs=0.1 * h)


def test_frames_of_a_video_are_written_once(tmp_path: Path) -> None:
    video = tmp_path / "hall.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for i in range(25):
        writer.write(np.full((48, 64, 3), 10 * i, np.uint8))
    writer.release()
    paths = video_frames(video, tmp_path / "frames", step_s=1.0)
    assert [p.name for p in paths] == ["hall_00000.jpg", "hall_00010.jpg", "hall_00020.jpg"]
    paths[0].write_bytes(b"kept")
    assert video_frames(video, tmp_path / "frames", step_s=1.0) == paths
    assert paths[0].read_bytes() == b"kept"
