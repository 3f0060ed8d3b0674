"""Close-ups: their geometry, and what a second opinion changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TypeVar, cast

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from aipg_plugin.detection.closeup import PERSON_PX, CloseUps, closeup_tiles
from aipg_plugin.detection.flat import FlatTile
from aipg_plugin.detection.layouts import Candidates
from aipg_plugin.detection.onnx import PersonNet
from aipg_plugin.detection.postprocess import MergedPeople
from aipg_plugin.detection.refine import BoxCompletion, SecondOpinions
from aipg_plugin.detection.upright import UprightTile
from aipg_plugin.geometry import boxes as box_math
from aipg_plugin.geometry.camera import FisheyeCamera, ImageCircle
from aipg_plugin.geometry.figure import standing_boxes
from aipg_plugin.geometry.gravity import aligned
from aipg_plugin.geometry.lens import LensLaw
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection, make_projection
from aipg_plugin.options import CaptureMode, LensModelName, MountKind
from tests.detection.painting import paint, picture_of

SIDE_PX = 192
T = TypeVar("T")
CAMERA = FisheyeCamera(LensLaw(LensModelName.EQUIDISTANT, 180.0), ImageCircle(400, 400, 400), (800, 800))
MOUNT = Mount(MountKind.CEILING, 3.0)


class RedNet:
    """Finds what is red, each connected piece one person, of any size, 0.9 sure, as a net for close-ups does."""

    def run(self, tiles: NDArray[np.uint8]) -> tuple[NDArray[np.float32], None]:
        rows = np.zeros((len(tiles), 20, 5), np.float32)
        for row, tile in zip(rows, tiles, strict=True):
            red = ((tile[..., 2] > 150) & (tile[..., 1] < 100)).astype(np.uint8)
            count, _, stats, _ = cv2.connectedComponentsWithStats(red)
            for k, (x, y, w, h, area) in enumerate(stats[1:count][:20]):
                row[k] = (x + w / 2, y + h / 2, w, h, 0.9 if area > 30 else 0)
        return rows, None

    def at_once(self, most: int, _tile_px: int) -> int:
        return most

    def in_turn(self, work: Callable[[object], T], batches: Iterable[object]) -> Iterator[T]:
        return map(work, batches)

    def decode(self, raw: NDArray[np.float32], size_wh: tuple[int, int], min_score: float) -> Candidates:
        seen = raw[raw[:, 4] > min_score]
        return Candidates(seen[:, :4], seen[:, 4], np.full((len(seen), 3), np.nan, np.float32))


def close_ups(projection: Projection = CAMERA, wrap_px: float = 0.0, net: object = None) -> CloseUps:
    def align(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        boxes = boxes.copy()
        if wrap_px:
            boxes[:, 0] %= wrap_px
        return np.asarray(aligned(projection, MOUNT, boxes))

    return CloseUps(cast("PersonNet", net or RedNet()), projection, MOUNT, align, SIDE_PX, wrap_px, wrap_px / 3)


def opinions(projection: Projection = CAMERA, wrap_px: float = 0.0) -> SecondOpinions:
    return SecondOpinions(close_ups(projection, wrap_px))


def room_with(boxes: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.asarray(picture_of(CAMERA.size_wh, boxes), np.uint8)


def found(boxes: NDArray[np.float64], *scores: float) -> MergedPeople:
    return MergedPeople(boxes, np.array(scores), np.full((len(boxes), 3), np.nan), ((),) * len(boxes),
                        np.zeros(len(boxes), bool))


def somebody(x_m: float, y_m: float) -> NDArray[np.float64]:
    return np.asarray(standing_boxes(CAMERA, MOUNT, np.array([[x_m, y_m]])), np.float64)


@settings(max_examples=60)
@given(away_m=st.floats(1.2, 9.0), azimuth=st.floats(0, 6.28), kind=st.sampled_from(list(MountKind)))
def test_a_close_up_shows_its_candidate_upright_in_the_middle_and_of_one_size(away_m: float, azimuth: float,
                                                                            kind: MountKind) -> None:
    mount = Mount(kind, 3.0)
    turn = azimuth if kind is MountKind.CEILING else (azimuth / 6.28 - 0.5) * 1.5
    place = away_m * np.array([[np.sin(turn), np.cos(turn)]])
    box = np.asarray(standing_boxes(CAMERA, mount, place), np.float64)[0]
    tile = closeup_tiles(CAMERA, mount, box[None], SIDE_PX, np.zeros(1))[0]
    middle, head, foot, left, right = tile.to_tile(
        np.asarray(box_math.to_pixels(box, np.array([[0, 0], [0, -1], [0, 1], [-1, 0], [1, 0]]))))
    assert tile.input_px == SIDE_PX
    assert head[1] < foot[1]
    assert abs(head[0] - foot[0]) < 0.15 * (foot[1] - head[1])
    assert abs(middle - SIDE_PX / 2).max() < 0.12 * SIDE_PX
    wanted_px = PERSON_PX / (1.5 if isinstance(tile, FlatTile) else 1.0)  # straight below it shows more around
    assert max(foot[1] - head[1], right[0] - left[0]) == pytest.approx(wanted_px, rel=0.15)


def test_straight_below_a_close_up_is_a_turned_crop() -> None:
    boxes = np.concatenate([somebody(0.1, 0.2), somebody(2.0, 2.0)])
    below, beside = closeup_tiles(CAMERA, MOUNT, boxes, SIDE_PX, np.zeros(2))
    assert isinstance(below, FlatTile)
    assert isinstance(beside, UprightTile)


def test_a_second_opinion_moves_box_and_score_towards_what_is_there() -> None:
    truth = somebody(2.0, 1.5)
    off = truth.copy()
    off[:, :2] += 0.1 * truth[:, 2]
    off[:, 2:4] *= (1.25, 0.85)
    empty = somebody(-2.0, -2.0)
    better = opinions().improve(room_with(truth), found(np.concatenate([off, empty]), 0.4, 0.4), most=9)
    there, nowhere = better.scores
    assert there > 0.6
    assert nowhere < 0.2
    before, after = (float(np.asarray(box_math.iou(boxes[:1], truth))[0, 0]) for boxes in (off, better.boxes))
    assert after > before + 0.05
    assert better.boxes[1] == pytest.approx(empty[0])


def test_a_truncated_box_is_completed() -> None:
    truth = somebody(2.0, 1.5)
    half = truth.copy()
    half[:, :2] = box_math.to_pixels(truth[0], np.array([[0, -0.35]]))
    half[:, 3] *= 0.6
    seen = opinions().improve(room_with(truth), replace(found(half, 0.4), truncated=np.ones(1, bool)), most=9)
    assert float(np.asarray(box_math.iou(seen.boxes, truth))[0, 0]) > 0.7
    assert seen.boxes[0, 3] == pytest.approx(truth[0, 3], rel=0.12)


def test_a_net_not_made_for_it_completes_truncated_boxes_and_gives_no_second_opinions() -> None:
    looks = BoxCompletion(close_ups())
    truth, empty = somebody(2.0, 1.5), somebody(-2.0, -2.0)
    half = truth.copy()
    half[:, :2] = box_math.to_pixels(truth[0], np.array([[0, -0.35]]))
    half[:, 3] *= 0.6
    halves = replace(found(np.concatenate([half, empty]), 0.4, 0.4), truncated=np.ones(2, bool))
    seen = looks.improve(room_with(truth), halves, most=9)
    assert float(np.asarray(box_math.iou(seen.boxes[:1], truth))[0, 0]) > 0.7
    assert seen.scores[0] > 0.4
    assert seen.scores[1] == pytest.approx(0.4)
    assert seen.boxes[1] == pytest.approx(empty[0])
    whole = looks.improve(room_with(truth), found(np.concatenate([half, empty]), 0.4, 0.4), most=9)
    assert whole.boxes == pytest.approx(np.concatenate([half, empty]))
    assert whole.scores == pytest.approx([0.4, 0.4])
    part = truth.copy()  # somebody in front, whom the close-up does not tell from the other
    part[:, 2:4] *= 0.5
    assert len(looks.improve(room_with(truth), found(np.concatenate([truth, part]), 0.6, 0.5), most=9)) == 2
    speck = truth.copy()  # what it finds may be part of the part, or a giant: then the box stays
    speck[:, 2:4] *= 0.05
    small = looks.improve(room_with(truth), replace(found(speck, 0.4), truncated=np.ones(1, bool)), most=9)
    assert small.boxes == pytest.approx(speck)
    wide = truth.copy()
    wide[:, 2:4] *= 1.4
    large = looks.improve(room_with(truth), replace(found(wide, 0.4), truncated=np.ones(1, bool)), most=9)
    assert large.boxes == pytest.approx(wide)


def test_a_doubtful_spot_on_a_truncated_box_does_not_hide_the_whole_person() -> None:
    truth = somebody(2.0, 1.5)
    half, spot = truth.copy(), truth.copy()
    half[:, :2] = box_math.to_pixels(truth[0], np.array([[0, -0.56]]))
    half[:, 3] *= 0.38
    spot[:, :2], spot[:, 2:4] = half[:, :2], half[:, 2:4] * 0.75

    class Doubtful(RedNet):
        """Sees the spot as well, hardly sure of it."""

        def decode(self, raw: NDArray[np.float32], size_wh: tuple[int, int], min_score: float) -> Candidates:
            seen = super().decode(raw, size_wh, min_score)
            assert len(seen.boxes) == 1
            x, y, w, h = seen.boxes[0]
            more = np.array([[x, y - 0.28 * h, 0.75 * w, 0.29 * h]], np.float32)
            return Candidates(np.concatenate([seen.boxes, more]), np.append(seen.scores, np.float32(0.02)),
                              np.full((2, 3), np.nan, np.float32))

    for refiner in (SecondOpinions, BoxCompletion):
        people = replace(found(half, 0.6), truncated=np.ones(1, bool))
        seen = refiner(close_ups(net=Doubtful())).improve(room_with(truth), people, most=9)
        assert float(np.asarray(box_math.iou(seen.boxes, truth))[0, 0]) > 0.6  # its close-up ends above the feet


def test_who_is_expected_beyond_the_seam_is_nobody_new() -> None:
    strip = make_projection(CaptureMode.PANORAMA, law=CAMERA.law, circle=CAMERA.circle, mount=MOUNT,
                            size_wh=(1200, 300))
    here, there = np.asarray(aligned(strip, MOUNT, np.array(
        [[0.5, 150.0, 40.0, 90.0], [1199.5, 150.0, 40.0, 90.0]])), np.float64)
    around = picture_of((1200, 300), here + np.array([[-1200.0], [0], [1200]]) * (1, 0, 0, 0, 0))
    extended = np.concatenate([around, around[:, :400]], axis=1)
    looks = opinions(strip, 1200.0)
    assert len(looks.follow(extended, here[None], found(there[None], 0.6))) == 1
    assert len(looks.follow(extended, here[None], found(there[:0].reshape(0, 5)))) == 1


def test_only_as_many_as_allowed_are_looked_at_the_doubtful_first() -> None:
    people = np.concatenate([somebody(2, 2), somebody(-2, 2), somebody(2, -2)])
    scores = (0.9, 0.25, 0.05)
    assert opinions().improve(room_with(people), found(people, *scores), most=0).scores == pytest.approx(scores)
    assert opinions().improve(room_with(people), found(people, *scores), most=1).scores == pytest.approx(
        (0.9, 0.634, 0.05), abs=0.01)
    assert len(opinions().improve(room_with(people), found(people[:0]), most=9)) == 0


def test_nobody_is_asked_about_whole_candidates_that_are_sure() -> None:
    """Most people in a room are; their close-ups were a fifth of the time of looks and changed nothing."""
    truth = somebody(2.0, 1.5)
    off = truth + np.array([0.1 * truth[0, 2], 0, 0, 0, 0])
    picture, sure = room_with(truth), found(off, 0.8)

    def moved(asked: MergedPeople) -> float:
        return float(np.abs(opinions().improve(picture, asked, most=9).boxes - off)[:, :4].max())

    assert moved(sure) == 0
    assert moved(found(off, 0.6)) > 1
    assert moved(replace(sure, truncated=np.ones(1, bool))) > 1


def test_a_part_of_somebody_is_nobody_of_their_own_but_somebody_in_front_is() -> None:
    adult = somebody(2.5, 0)[0]
    part = adult.copy()
    part[2:4] *= 0.5
    child = part.copy()
    both = found(np.stack([adult, part]), 0.6, 0.5)
    assert len(opinions().improve(room_with(adult[None]), both, most=9)) == 1

    leaning = adult.copy()  # what of a part lies outside is masked too
    leaning[:2] = box_math.to_pixels(adult, np.array([[0.2, -0.65]]))[0]
    leaning[2:4] *= 0.5
    one = opinions().improve(room_with(adult[None]), found(np.stack([adult, leaning]), 0.6, 0.5), most=9)
    (outline,) = one.detections(0.1).outlines
    alone = opinions().improve(room_with(adult[None]), found(adult[None], 0.6), most=9).detections(0.1)
    assert outline[:, 1].min() < alone.outlines[0][:, 1].min() - 0.02

    picture = room_with(adult[None])
    rim = child.copy()
    rim[2:4] *= 1.25
    cv2.fillPoly(picture, [np.round(box_math.corners(rim[None])[0]).astype(np.int32)], (0, 90, 0))
    paint(picture, box_math.corners(child[None])[0])
    assert len(opinions().improve(picture, both, most=9)) == 2


def test_who_is_expected_is_found_without_a_tile_unless_gone_or_found_already() -> None:
    truth = somebody(2.0, 1.5)
    expected = truth + np.array([0.12 * truth[0, 2], 0, 0, 0, 0])
    nobody = found(np.zeros((0, 5)))
    followed = opinions().follow(room_with(truth), expected, nobody)
    assert float(np.asarray(box_math.iou(followed.boxes, truth))[0, 0]) > 0.7
    assert len(opinions().follow(room_with(truth[:0]), expected, nobody)) == 0
    assert len(opinions().follow(room_with(truth), expected, found(truth, 0.7))) == 1


@pytest.mark.parametrize("x_px", [3.0, 20.0, 1180.0, 1198.0])
def test_over_the_seam_of_a_panorama(x_px: float) -> None:
    strip = make_projection(CaptureMode.PANORAMA, law=CAMERA.law, circle=CAMERA.circle, mount=MOUNT,
                            size_wh=(1200, 300))
    truth = np.asarray(aligned(strip, MOUNT, np.array([[x_px, 150.0, 40.0, 90.0]])), np.float64)
    turns = np.array([[-1200.0], [0], [1200]]) * (1, 0, 0, 0, 0)
    around = picture_of((1200, 300), truth + turns)
    extended = np.concatenate([around, around[:, :400]], axis=1)
    better = opinions(strip, 1200.0).improve(extended, found(truth, 0.4), most=3)
    assert better.scores[0] > 0.6
    assert better.boxes[0] == pytest.approx(truth[0], abs=4)


def test_two_of_one_person_on_either_side_of_the_seam_are_one_and_all_of_it_is_masked() -> None:
    strip = make_projection(CaptureMode.PANORAMA, law=CAMERA.law, circle=CAMERA.circle, mount=MOUNT,
                            size_wh=(1200, 300))
    adult, again, part = np.asarray(aligned(strip, MOUNT, np.array(
        [[4.0, 150.0, 40.0, 90.0], [1200.0, 150.0, 40.0, 92.0], [1191.0, 125.0, 18.0, 40.0]])), np.float64)
    turns = np.array([[-1200.0], [0], [1200]]) * (1, 0, 0, 0, 0)
    around = picture_of((1200, 300), adult + turns)
    extended = np.concatenate([around, around[:, :400]], axis=1)
    looks = opinions(strip, 1200.0)
    assert len(looks.improve(extended, found(np.stack([adult, again]), 0.6, 0.5), most=3)) == 1
    whole = looks.improve(extended, found(np.stack([adult, part]), 0.6, 0.5), most=3)
    alone = looks.improve(extended, found(adult[None], 0.6), most=3)
    assert len(whole) == 1
    outlines = [one.detections(0.1).outlines[0] for one in (whole, alone)]
    assert outlines[0][:, 0].min() < outlines[1][:, 0].min() - 0.005  # on the adult's own side of the picture
    assert outlines[0][:, 0].max() < outlines[1][:, 0].max() + 0.03
