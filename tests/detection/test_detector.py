"""The whole path on arithmetic that is known: a net that finds red rectangles, in every kind of picture."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aipg_plugin.detection.detections import Detections
from aipg_plugin.detection.detector import FisheyeDetector
from aipg_plugin.detection.flat import FlatTile
from aipg_plugin.detection.onnx import PersonNet
from aipg_plugin.detection.tiles import PLANS
from aipg_plugin.detection.upright import UprightTile
from aipg_plugin.errors import DetectionError
from aipg_plugin.geometry import FisheyeCamera, ImageCircle, LensLaw, Mount, Projection, make_projection
from aipg_plugin.geometry.boxes import iou, to_pixels
from aipg_plugin.geometry.gravity import aligned
from aipg_plugin.options import CaptureMode, LensModelName, MountKind
from tests.detection.nets import FIGURE_WH, ONE_RING
from tests.detection.painting import FLOOR, around, in_tile, paint, picture_of
from tests.strategies import numbers

LAW = LensLaw(LensModelName.EQUIDISTANT, 180.0)
CEILING, WALL = Mount(MountKind.CEILING, 3.0), Mount(MountKind.WALL, 2.5)
CAMERA = FisheyeCamera(LAW, ImageCircle(320.0, 320.0, 320.0), (640, 640))


def detector_of(net: PersonNet, mount: Mount = CEILING, projection: Projection = CAMERA) -> FisheyeDetector:
    """One ring only: the red net looks for figures of one scale."""
    return FisheyeDetector(net, projection, mount, plan=ONE_RING, min_score=0.2)


def rings(detector: FisheyeDetector) -> list[int]:
    """Without the patch below the camera, in whose scale the red net looks for other figures."""
    return [i for i, tile in enumerate(detector.tiles) if isinstance(tile, UprightTile)]


def figures(detector: FisheyeDetector, places: list[tuple[float, float]]) -> list[np.ndarray]:
    """Figures (K, 2) in the picture, of the red net's size in every ring tile, at azimuths in degrees and northings."""
    like = detector.tiles[rings(detector)[0]]
    assert isinstance(like, UprightTile)
    middle = like.input_px / 2
    return [in_tile(replace(like, azimuth_deg=azimuth, middle=north), (middle, middle, *FIGURE_WH))
            for azimuth, north in places]


def picture_with(detector: FisheyeDetector, people: list[np.ndarray]) -> np.ndarray:
    picture = np.full((*detector.size_wh[::-1], 3), FLOOR, np.uint8)
    for polygon in people:
        paint(picture, polygon)
    return picture


def boxes_around(detector: FisheyeDetector, people: list[np.ndarray]) -> np.ndarray:
    """(N, 5) the truth."""
    return np.array([around(detector.projection, detector.mount, polygon) for polygon in people]).reshape(-1, 5)


def northings(detector: FisheyeDetector) -> tuple[float, float]:
    """Between which northings a figure lies whole in the ring tiles."""
    tiles = [detector.tiles[i] for i in rings(detector)]
    ends = np.array([(t.middle - t.span / 2, t.middle + t.span / 2) for t in tiles if isinstance(t, UprightTile)])
    reach = 0.5 * FIGURE_WH[1] / tiles[0].input_px * float(np.diff(ends[0])[0]) * 1.5
    return ends[:, 0].min() + reach, ends[:, 1].max() - reach


def everybody_and_nobody_else(found: Detections, truth: np.ndarray) -> None:
    """Each person by a box, each box on a person; near the lower border the red net may see a cut figure once more."""
    overlap = np.asarray(iou(truth, found.boxes))
    assert overlap.max(1, initial=0).min(initial=1) > 0.5
    assert overlap.max(0, initial=0).min(initial=1) > 0.2
    assert len(found) <= 2 * len(truth)


@settings(max_examples=25)
@given(polar=st.lists(numbers(0, 360), min_size=1, max_size=5), depth=numbers(0, 1))
def test_everybody_around_the_circle_is_found(net: PersonNet, polar: list[float], depth: float) -> None:
    azimuths = np.sort(polar)
    gaps = np.diff(np.append(azimuths, azimuths[0] + 360))
    azimuths = azimuths[gaps > 35] if len(azimuths) > 1 else azimuths
    detector = detector_of(net)
    low, high = northings(detector)
    people = figures(detector, [(float(a), low + depth * (high - low)) for a in azimuths])
    truth = boxes_around(detector, people)
    found = detector.detect(picture_with(detector, people), rings(detector))
    everybody_and_nobody_else(found, truth)


@settings(max_examples=15)
@given(azimuth=numbers(-60, 60), apart=numbers(30, 50), depth=numbers(0, 1))
def test_a_wall_camera_finds_upright_people(net: PersonNet, azimuth: float, apart: float, depth: float) -> None:
    detector = detector_of(net, WALL)
    low, high = northings(detector)
    places = [azimuth, azimuth + apart if azimuth < 0 else azimuth - apart]
    people = figures(detector, [(a, low + depth * (high - low)) for a in places])
    truth = boxes_around(detector, people)
    found = detector.detect(picture_with(detector, people), rings(detector))
    everybody_and_nobody_else(found, truth)


@pytest.mark.parametrize("mount", [CEILING, WALL], ids=["ceiling", "wall"])
@pytest.mark.parametrize("side", [-0.5, -0.3, 0.0, 0.3, 0.5])
def test_people_on_the_border_of_a_tile_are_found_once_and_whole(net: PersonNet, mount: Mount, side: float) -> None:
    detector = detector_of(net, mount)
    for tile in (detector.tiles[i] for i in rings(detector)):
        assert isinstance(tile, UprightTile)
        azimuth = tile.azimuth_deg + np.degrees(side * tile.span)
        if mount is WALL and abs(azimuth) > 70:
            continue
        people = figures(detector, [(azimuth, tile.middle)])
        found = detector.detect(picture_with(detector, people), rings(detector))
        assert len(found) == 1
        assert iou(boxes_around(detector, people), found.boxes).min() > 0.6


@pytest.mark.parametrize("azimuth", range(0, 360, 15))
def test_turning_the_picture_turns_the_result(net: PersonNet, azimuth: int) -> None:
    detector = detector_of(net)
    found = detector.detect(picture_with(detector, figures(detector, [(azimuth, -0.7)])), rings(detector))
    assert len(found) == 1
    assert (found.boxes[0, 4] - azimuth + 180) % 360 - 180 == pytest.approx(0, abs=4)


@pytest.mark.parametrize("turn", range(0, 360, 90))
def test_who_stands_below_the_camera_is_found_in_the_patch(net: PersonNet, turn: int) -> None:
    detector = detector_of(net)
    patches = [i for i, tile in enumerate(detector.tiles) if isinstance(tile, FlatTile)]
    tile, a = detector.tiles[patches[0]], np.radians(turn)
    middle = tile.input_px / 2
    people = [in_tile(tile, (middle + 30 * np.sin(a), middle - 30 * np.cos(a), *FIGURE_WH))]
    found = detector.detect(picture_with(detector, people), patches)
    assert iou(boxes_around(detector, people), found.boxes).max(initial=0) > 0.6


@pytest.mark.parametrize(("mount", "place"), [(CEILING, (0.0, -0.6)), (CEILING, (180.0, -1.2)), (WALL, (20.0, -0.5))])
def test_the_outline_covers_figure_and_head_and_not_the_room(net: PersonNet, mount: Mount,
                                                             place: tuple[float, float]) -> None:
    detector = detector_of(net, mount)
    people = figures(detector, [place])
    picture = picture_with(detector, people)
    found = detector.detect(picture, rings(detector))
    mask = np.zeros(picture.shape[:2], np.uint8)
    for box, outline in zip(found.boxes, found.outlines, strict=True):
        assert 3 <= len(outline) <= 48
        cv2.fillPoly(mask, [np.round(to_pixels(box, outline)).astype(np.int32)], 1)
    red = picture[..., 2] > 200
    assert mask[red].mean() > 0.95
    assert mask[~red].sum() < 0.6 * red.sum()
    # The red net says that the head is a disc of 12 tile pixels, 24 above the middle.
    like = detector.tiles[rings(detector)[0]]
    assert isinstance(like, UprightTile)
    middle = like.input_px / 2
    head = in_tile(replace(like, azimuth_deg=place[0], middle=place[1]), (middle, middle - 24, 24, 24))
    x, y, r = found.heads[0]
    assert (x, y) == pytest.approx(head.mean(0), abs=9)
    assert 0.5 * np.ptp(head, axis=0).min() == pytest.approx(r, rel=0.25)
    assert mask[int(y), int(x)] == 1


@pytest.mark.parametrize("x", [3.0, 100.0, 717.0, 1000.0, 1438.0])
def test_panorama_finds_people_on_and_off_the_seam_once(net: PersonNet, x: float) -> None:
    panorama = make_projection(CaptureMode.PANORAMA, law=LAW, circle=ImageCircle(500, 500, 500), mount=CEILING,
                               size_wh=(1440, 360))
    detector = detector_of(net, projection=panorama)
    wide, tile = detector.size_wh[0], detector.tiles[0]
    assert isinstance(tile, FlatTile)
    w, h = np.array(FIGURE_WH) * tile.scale_xy
    x *= wide / 1440
    truth = np.array([[x, 150.0 * wide / 1440, w, h, 0.0]])
    turn = np.array([wide, 0, 0, 0, 0])
    both_sides = np.concatenate([truth, truth + turn, truth - turn])
    found = detector.detect(picture_of(detector.size_wh, both_sides))
    assert len(found) == 1
    off = (found.boxes[0, 0] - x + wide / 2) % wide - wide / 2
    assert abs(off) < 15
    assert 0 <= found.boxes[0, 0] < wide
    assert abs(found.boxes[0, 4]) < 1e-3
    # The head is what one tile saw, the box the mean of several.
    assert found.heads[0, 0] == pytest.approx(found.boxes[0, 0], abs=6)
    assert np.abs(found.outlines[0]).max() < 1.6


@pytest.mark.parametrize("mode", [CaptureMode.DOUBLE_PANORAMA, CaptureMode.QUAD_PTZ])
def test_views_side_by_side_are_looked_at_one_by_one(net: PersonNet, mode: CaptureMode) -> None:
    projection = make_projection(mode, law=LAW, circle=ImageCircle(500, 500, 500), mount=CEILING, size_wh=(1280, 720))
    detector = detector_of(net, projection=projection)
    middles = np.array([[(p.rect[0] + p.rect[2]) / 2, (p.rect[1] + p.rect[3]) / 2] for p in detector.projection.parts])
    flat = [tile for tile in detector.tiles if isinstance(tile, FlatTile)]
    assert len(flat) == len(detector.tiles)
    tiles = [min(flat, key=lambda t, m=m: np.hypot(*(np.array(t.centre_px) - m))) for m in middles]
    sizes = np.array([np.array(FIGURE_WH) * t.scale_xy for t in tiles])
    truth = aligned(detector.projection, CEILING, np.column_stack([middles, sizes]))
    found = detector.detect(picture_of(detector.size_wh, truth))
    assert len(found) == len(truth)
    assert iou(truth, found.boxes).max(1).min() > 0.5


def test_only_the_tiles_asked_for_are_looked_at(net: PersonNet) -> None:
    detector = detector_of(net)
    people = figures(detector, [(90.0, -0.7), (270.0, -0.7)])
    picture = picture_with(detector, people)
    right = [i for i in rings(detector) if 45 <= getattr(detector.tiles[i], "azimuth_deg") <= 135]  # noqa: B009
    found = detector.detect(picture, right)
    assert len(found) == 1
    assert found.boxes[0, 0] > 0.6 * detector.size_wh[0]
    assert len(detector.detect(picture, [])) == 0
    assert detector.full_sweep() == tuple(range(len(detector.tiles)))


@pytest.mark.parametrize("mount", [CEILING, WALL], ids=["ceiling", "wall"])
@pytest.mark.parametrize("plan", sorted(PLANS))
def test_an_empty_room_is_empty(net: PersonNet, plan: str, mount: Mount) -> None:
    detector = FisheyeDetector(net, CAMERA, mount, plan=PLANS[plan])
    w, h = detector.size_wh
    assert len(detector.detect(np.full((h, w, 3), 90, np.uint8))) == 0


def test_odd_pictures_are_converted_or_refused(net: PersonNet) -> None:
    detector = detector_of(net)
    picture = picture_with(detector, figures(detector, [(90.0, -0.7)]))
    plain = detector.detect(picture)
    assert len(plain)
    for same in (np.dstack([picture, picture[..., 0]]), picture.astype(np.uint16) << 8):
        assert detector.detect(same).boxes == pytest.approx(plain.boxes)
    assert len(detector.detect(picture[..., 0])) == 0
    for wrong in (np.zeros((1, 1, 3), np.uint8), picture[:-1], np.zeros((0, 0, 3), np.uint8), picture.astype(float)):
        with pytest.raises(DetectionError):
            detector.detect(wrong)
    with pytest.raises(DetectionError, match="no such tile"):
        detector.detect(picture, [99])


@pytest.mark.parametrize("mount", [CEILING, WALL], ids=["ceiling", "wall"])
def test_tiny_pictures_have_a_detector_too(net: PersonNet, mount: Mount) -> None:
    for size in ((1, 1), (7, 3), (64, 48)):
        camera = FisheyeCamera(LAW, ImageCircle(size[0] / 2, size[1] / 2, max(size) / 2), size)
        detector = FisheyeDetector(net, camera, mount)
        assert len(detector.detect(np.zeros((detector.size_wh[1], detector.size_wh[0], 3), np.uint8))) == 0
