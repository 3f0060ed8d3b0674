"""The whole path on arithmetic that is known: a net that finds red rectangles, in every kind of picture."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aipg_plugin.detection.detector import FisheyeDetector
from aipg_plugin.detection.onnx import PersonNet
from aipg_plugin.detection.tiles import LIVE, PLANS, make_tiles
from aipg_plugin.errors import DetectionError
from aipg_plugin.geometry import FisheyeCamera, ImageCircle, LensLaw, Mount, Projection, make_projection
from aipg_plugin.geometry.boxes import iou, to_pixels
from aipg_plugin.geometry.gravity import aligned
from aipg_plugin.options import CaptureMode, LensModelName, MountKind
from tests.detection.nets import FIGURE_WH
from tests.detection.painting import picture_of
from tests.strategies import numbers

LAW = LensLaw(LensModelName.EQUIDISTANT, 180.0)
CEILING, WALL = Mount(MountKind.CEILING, 3.0), Mount(MountKind.WALL, 2.5)
CAMERA = FisheyeCamera(LAW, ImageCircle(320.0, 320.0, 320.0), (640, 640))


SCALE = make_tiles(CAMERA, CEILING, LIVE)[0].scale_xy[0]


def figures_at(projection: Projection, mount: Mount, px: np.ndarray, factor: float = SCALE) -> np.ndarray:
    """Gravity-aligned boxes of the red net's size for tiles that show `factor` picture pixels as one."""
    w, h = FIGURE_WH
    sizes = np.tile([w * factor, h * factor], (len(px), 1))
    return aligned(projection, mount, np.column_stack([px, sizes]))


def rings_only(detector: FisheyeDetector) -> list[int]:
    """Without the nadir patch, in whose scale the red net looks for smaller figures."""
    return [i for i, tile in enumerate(detector.tiles) if tile.reach_px == float("inf")]


@settings(max_examples=25)
@given(polar=st.lists(numbers(0, 360), min_size=1, max_size=5), radius=numbers(0.35, 0.78))
def test_everybody_around_the_circle_is_found_once(net: PersonNet, polar: list[float], radius: float) -> None:
    turn = np.radians(sorted(polar))
    gaps = np.diff(np.append(turn, turn[0] + 2 * np.pi))
    turn = turn[gaps > 0.6] if len(turn) > 1 else turn
    px = 320 + 320 * radius * np.stack([np.cos(turn), np.sin(turn)], 1)
    truth = figures_at(CAMERA, CEILING, px)
    detector = FisheyeDetector(net, CAMERA, CEILING, floor_score=0.2)
    picture = picture_of(CAMERA.size_wh, truth)
    found = detector.detect(_to(detector, picture), rings_only(detector))
    boxes = found.boxes * np.array([*[640 / detector.size_wh[0]] * 4, 1])
    assert len(found) == len(truth)
    if len(truth):
        overlap = iou(truth, boxes)
        assert overlap.max(1).min() > 0.5


def _to(detector: FisheyeDetector, picture: np.ndarray) -> np.ndarray:
    if picture.shape[1::-1] == detector.size_wh:
        return picture
    return np.asarray(cv2.resize(picture, detector.size_wh, interpolation=cv2.INTER_AREA))


def test_the_outline_covers_figure_and_head_and_not_the_room(net: PersonNet) -> None:
    truth = figures_at(CAMERA, CEILING, np.array([[320.0, 120.0]]))
    detector = FisheyeDetector(net, CAMERA, CEILING, floor_score=0.2)
    found = detector.detect(_to(detector, picture_of(CAMERA.size_wh, truth)), rings_only(detector))
    scale = 640 / detector.size_wh[0]
    mask = np.zeros((640, 640), np.uint8)
    for box, outline in zip(found.boxes, found.outlines, strict=True):
        assert 3 <= len(outline) <= 48
        cv2.fillPoly(mask, [np.round(to_pixels(box, outline) * scale).astype(np.int32)], 1)
    red = (picture_of(CAMERA.size_wh, truth)[..., 2] > 200)
    assert mask[red].mean() > 0.98
    assert mask[~red].sum() < 0.6 * red.sum()
    x, y, r = found.heads[0] * scale
    assert (x, y) == pytest.approx((320, 120 - 24 * SCALE), abs=14)
    assert mask[int(y - 0.8 * r), int(x)] == 1


@pytest.mark.parametrize("angle", range(0, 360, 15))
def test_turning_the_picture_turns_the_result(net: PersonNet, angle: int) -> None:
    turn = np.radians(angle)
    px = np.array([[320 + 200 * np.cos(turn), 320 + 200 * np.sin(turn)]])
    detector = FisheyeDetector(net, CAMERA, CEILING, floor_score=0.2)
    found = detector.detect(_to(detector, picture_of(CAMERA.size_wh, figures_at(CAMERA, CEILING, px))),
                            rings_only(detector))
    assert len(found) == 1
    assert (found.boxes[0, 4] - angle - 90 + 180) % 360 - 180 == pytest.approx(0, abs=4)


@pytest.mark.parametrize("x", [3.0, 100.0, 717.0, 1000.0, 1438.0])
def test_panorama_finds_people_on_and_off_the_seam_once(net: PersonNet, x: float) -> None:
    panorama = make_projection(CaptureMode.PANORAMA, law=LAW, circle=ImageCircle(500, 500, 500), mount=CEILING,
                               size_wh=(1440, 360))
    tile = make_tiles(panorama, CEILING, LIVE)[0]
    w, h = np.array(FIGURE_WH) * tile.scale_xy
    truth = np.array([[x, 150.0, w, h, 0.0]])
    turn = np.array([1440, 0, 0, 0, 0])
    both_sides = np.concatenate([truth, truth + turn, truth - turn])
    detector = FisheyeDetector(net, panorama, CEILING, floor_score=0.2)
    found = detector.detect(_to(detector, picture_of((1440, 360), both_sides)))
    assert len(found) == 1
    scale = 1440 / detector.size_wh[0]
    off = (found.boxes[0, 0] * scale - x + 720) % 1440 - 720
    assert abs(off) < 15
    assert 0 <= found.boxes[0, 0] < detector.size_wh[0]
    assert abs(found.boxes[0, 4]) < 1e-3
    assert found.heads[0, 0] == pytest.approx(found.boxes[0, 0], abs=1)
    assert np.abs(found.outlines[0]).max() < 1.6


@pytest.mark.parametrize("mode", [CaptureMode.DOUBLE_PANORAMA, CaptureMode.QUAD_PTZ])
def test_views_side_by_side_are_looked_at_one_by_one(net: PersonNet, mode: CaptureMode) -> None:
    projection = make_projection(mode, law=LAW, circle=ImageCircle(500, 500, 500), mount=CEILING, size_wh=(1280, 720))
    middles = np.array([[(p.rect[0] + p.rect[2]) / 2, (p.rect[1] + p.rect[3]) / 2] for p in projection.parts])
    detector = FisheyeDetector(net, projection, CEILING, floor_score=0.2)
    tiles = [min(make_tiles(projection, CEILING, LIVE),
                 key=lambda t, m=m: np.hypot(*(np.array(t.centre_px) - m))) for m in middles]
    sizes = np.array([np.array(FIGURE_WH) * t.scale_xy for t in tiles])
    truth = aligned(projection, CEILING, np.column_stack([middles, sizes]))
    found = detector.detect(_to(detector, picture_of((1280, 720), truth)))
    boxes = found.boxes * np.array([*[1280 / detector.size_wh[0]] * 4, 1])
    assert len(found) == len(truth)
    assert iou(truth, boxes).max(1).min() > 0.5


def test_wall_fisheye_finds_upright_people(net: PersonNet) -> None:
    px = np.array([[320.0, 330.0], [180.0, 360.0], [470.0, 340.0]])
    tile = make_tiles(CAMERA, WALL, LIVE)[0]
    truth = figures_at(CAMERA, WALL, px, factor=tile.scale_xy[0])
    detector = FisheyeDetector(net, CAMERA, WALL, floor_score=0.2)
    found = detector.detect(_to(detector, picture_of(CAMERA.size_wh, truth)))
    boxes = found.boxes * np.array([*[640 / detector.size_wh[0]] * 4, 1])
    assert len(found) == 3
    assert iou(truth, boxes).max(1).min() > 0.5


def test_only_the_tiles_asked_for_are_looked_at(net: PersonNet) -> None:
    truth = figures_at(CAMERA, CEILING, np.array([[520.0, 320.0], [120.0, 320.0]]))
    detector = FisheyeDetector(net, CAMERA, CEILING, floor_score=0.2)
    picture = _to(detector, picture_of(CAMERA.size_wh, truth))
    right = [i for i in rings_only(detector) if detector.tiles[i].centre_px[0] > 0.6 * detector.size_wh[0]]
    found = detector.detect(picture, right)
    assert len(found) == 1
    assert found.boxes[0, 0] > 0.6 * detector.size_wh[0]
    assert len(detector.detect(picture, [])) == 0
    assert detector.full_sweep() == tuple(range(len(detector.tiles)))


@pytest.mark.parametrize("plan", sorted(PLANS))
def test_an_empty_room_is_empty(net: PersonNet, plan: str) -> None:
    detector = FisheyeDetector(net, CAMERA, CEILING, plan=PLANS[plan])
    w, h = detector.size_wh
    assert len(detector.detect(np.full((h, w, 3), 90, np.uint8))) == 0


def test_odd_pictures_are_converted_or_refused(net: PersonNet) -> None:
    truth = figures_at(CAMERA, CEILING, np.array([[520.0, 320.0]]))
    detector = FisheyeDetector(net, CAMERA, CEILING, floor_score=0.2)
    picture = _to(detector, picture_of(CAMERA.size_wh, truth))
    plain = detector.detect(picture)
    for same in (np.dstack([picture, picture[..., 0]]), picture.astype(np.uint16) << 8):
        assert detector.detect(same).boxes == pytest.approx(plain.boxes)
    assert len(detector.detect(picture[..., 0])) == 0
    for wrong in (np.zeros((1, 1, 3), np.uint8), picture[:-1], np.zeros((0, 0, 3), np.uint8), picture.astype(float)):
        with pytest.raises(DetectionError):
            detector.detect(wrong)
    with pytest.raises(DetectionError, match="no such tile"):
        detector.detect(picture, [99])


def test_tiny_pictures_have_a_detector_too(net: PersonNet) -> None:
    for size in ((1, 1), (7, 3)):
        camera = FisheyeCamera(LAW, ImageCircle(size[0] / 2, size[1] / 2, max(size) / 2), size)
        detector = FisheyeDetector(net, camera, CEILING)
        assert len(detector.detect(np.zeros((detector.size_wh[1], detector.size_wh[0], 3), np.uint8))) == 0
