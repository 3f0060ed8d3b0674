"""Who may lie or bend over is looked at once more in close-ups in which they are upright."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from aipg_plugin.detection.closeup import closeup_tiles
from aipg_plugin.detection.layouts import Candidates
from aipg_plugin.detection.postprocess import MergedPeople
from aipg_plugin.detection.refine import SecondOpinions
from aipg_plugin.geometry import boxes as box_math
from aipg_plugin.geometry.gravity import aligned
from tests.detection.test_closeup import CAMERA, MOUNT, SIDE_PX, RedNet, close_ups, found, room_with, somebody


class Upright(RedNet):
    """Knows people upright: what is red and higher than wide, a head at its top; hardly sees anybody else."""

    def __init__(self, turned_score: float = 0.9) -> None:
        self.score, self.tiles = turned_score, 0

    def run(self, tiles: NDArray[np.uint8]) -> tuple[NDArray[np.float32], None]:
        self.tiles += len(tiles)
        return super().run(tiles)

    def decode(self, raw: NDArray[np.float32], size_wh: tuple[int, int], min_score: float) -> Candidates:
        seen = super().decode(raw, size_wh, min_score)
        x, y, w, h = seen.boxes.T
        scores = np.where(h > w, self.score, 0.05).astype(np.float32)
        return Candidates(seen.boxes, scores, np.stack([x, y - 0.4 * h, 0.1 * h], 1).astype(np.float32))


def lying(x_m: float = 2.0, y_m: float = 1.5) -> NDArray[np.float64]:
    box = somebody(x_m, y_m)
    box[:, 2:4] = box[:, [3, 2]] * (1, 0.9)
    return box


def head_at(box: NDArray[np.float64], side: float) -> NDArray[np.float64]:
    """(1, 3) a head at the left (-1) or right (1) end of a box."""
    spot = np.asarray(box_math.to_pixels(box[0], np.array([[0.8 * side, 0.0]])))
    return np.column_stack([spot, [4.0]])


def with_head(people: MergedPeople, head: NDArray[np.float64]) -> MergedPeople:
    return MergedPeople(people.boxes, people.scores, head, people.silhouettes, people.truncated)


def test_a_turned_close_up_has_up_where_the_left_or_the_right_of_the_box_is() -> None:
    for box in (lying()[0], lying(0.1, 0.2)[0]):  # beside the camera, and straight below it
        left, right = np.asarray(box_math.to_pixels(box, np.array([[-1.0, 0], [1, 0]])))
        for turn, top in ((90.0, right), (-90.0, left)):
            x, y = closeup_tiles(CAMERA, MOUNT, box[None], SIDE_PX, np.array([turn]))[0].to_tile(top[None])[0]
            assert abs(x - SIDE_PX / 2) < 0.15 * SIDE_PX
            assert y < 0.3 * SIDE_PX


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_who_lies_is_surer_for_a_turned_look_and_keeps_their_head_on_its_side(side: float) -> None:
    box, net = lying(), Upright()
    people = with_head(found(box, 0.4), head_at(box, side))
    better = SecondOpinions(close_ups(net=net)).improve(room_with(box), people, most=9)
    assert net.tiles == 2
    assert better.scores[0] > 0.4
    assert np.sign(box_math.to_local(box[0], better.more_heads[0][:, :2])[0, 0]) == side


def test_without_a_head_both_ways_are_looked() -> None:
    box, net = lying(), Upright()
    better = SecondOpinions(close_ups(net=net)).improve(room_with(box), found(box, 0.4), most=9)
    assert net.tiles == 3
    assert better.scores[0] > 0.4
    assert np.isfinite(better.more_heads[0]).all()


def test_a_turned_look_lowers_nobody() -> None:
    box = lying()
    people = with_head(found(box, 0.4), head_at(box, 1.0))
    upright = SecondOpinions(close_ups(net=RedNet())).improve(room_with(box), people, most=9)
    doubtful = SecondOpinions(close_ups(net=Upright(0.02))).improve(room_with(box), people, most=9)
    assert doubtful.scores[0] == pytest.approx(0.155, abs=0.02)  # the mean with the upright look's 0.05
    assert doubtful.heads == pytest.approx(people.heads)
    assert not doubtful.more_heads
    assert upright.scores[0] > doubtful.scores[0]


def test_who_stands_or_is_sure_is_not_looked_at_again_nor_anybody_beyond_what_is_allowed() -> None:
    for box, score, most in ((somebody(2.0, 1.5), 0.4, 9), (lying(), 0.5, 9), (lying(), 0.4, 1), (lying(), 0.4, 0)):
        net = Upright()
        if score == 0.5:
            net.decode = RedNet().decode  # type: ignore[method-assign] - sure of everybody
        SecondOpinions(close_ups(net=net)).improve(room_with(box), found(box, score), most=most)
        assert net.tiles == min(most, 1)


class UprightAlone(Upright):
    """As `Upright`, and who leans is hardly seen."""

    def decode(self, raw: NDArray[np.float32], size_wh: tuple[int, int], min_score: float) -> Candidates:
        seen = super().decode(raw, size_wh, min_score)
        leans = seen.boxes[:, 3] < 1.6 * seen.boxes[:, 2]
        return Candidates(seen.boxes, np.where(leans, np.float32(0.3), seen.scores), seen.heads)


def leaning(deg: float) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """The box of somebody who leans clockwise beside the camera, and the picture."""
    body = somebody(2.0, 1.5)
    body[:, 3] = 2.5 * body[:, 2]
    body[:, 4] += deg
    corners = box_math.corners(body)[0]
    box = np.asarray(aligned(CAMERA, MOUNT, body[:, :4]), np.float64)
    frame = np.array([*box[0, :2], 2.0, 2.0, box[0, 4]])  # a local unit is a pixel
    box[:, 2:4] = 2 * np.abs(np.asarray(box_math.to_local(frame, corners))).max(0)
    return box, room_with(body)


@pytest.mark.parametrize("deg", [-45.0, 45.0])
def test_who_bends_over_is_no_surer_for_a_turned_look_but_both_heads_are_masked(deg: float) -> None:
    box, picture = leaning(deg)
    back = np.array([[*box[0, :2], 6.0]])
    net = UprightAlone()
    better = SecondOpinions(close_ups(net=net)).improve(picture, with_head(found(box, 0.4), back), most=9)
    assert net.tiles == 3
    assert better.scores[0] < 0.4  # the mean with the upright look's 0.3
    assert better.heads == pytest.approx(back)
    x, y = np.asarray(box_math.to_local(better.boxes[0], better.more_heads[0][:, :2]))[0]
    assert np.sign(x) == np.sign(deg)
    assert abs(x) > 0.3
    assert y < -0.3
    outline = better.detections(0.1).outlines[0].astype(np.float32)
    assert cv2.pointPolygonTest(outline, (float(x), float(y)), False) > 0


def test_whose_head_is_on_top_or_who_is_hardly_seen_is_not_looked_at_turned() -> None:
    box, picture = leaning(45.0)
    top = np.column_stack([np.asarray(box_math.to_pixels(box[0], np.array([[0.1, -0.8]]))), [6.0]])
    middle = np.array([[*box[0, :2], 6.0]])
    for head, score in ((top, 0.4), (middle, 0.12)):  # with the upright look 0.12 becomes 0.19
        net = UprightAlone()
        SecondOpinions(close_ups(net=net)).improve(picture, with_head(found(box, score), head), most=9)
        assert net.tiles == 1
