"""The background model in a painted room under a ceiling camera."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.errors import DetectionError
from aipg_plugin.geometry import FisheyeCamera, ImageCircle, LensLaw, Mount
from aipg_plugin.geometry.boxes import corners, iou, to_pixels
from aipg_plugin.geometry.figure import standing_boxes
from aipg_plugin.options import LensModelName, MountKind
from aipg_plugin.scene.background import BackgroundModel, MotionReport, _median
from aipg_plugin.scene.picture import LookPicture
from tests.scene.rooms import SIZE, room, shot

CAMERA = FisheyeCamera(LensLaw(LensModelName.EQUIDISTANT, 180.0), ImageCircle(SIZE / 2, SIZE / 2, 0.48 * SIZE),
                       (SIZE, SIZE))
MOUNT = Mount(MountKind.CEILING, 3.0)
STEP_S = 0.2


def person(x_m: float, y_m: float) -> np.ndarray:
    """(1, 5) box of somebody standing there."""
    return standing_boxes(CAMERA, MOUNT, np.array([[x_m, y_m]]))


class Watch:
    """A background model fed with shots of one room."""

    def __init__(self, seed: int = 3, contrast: float = 1.0, **options: float) -> None:
        self.model = BackgroundModel(CAMERA, MOUNT, **options)  # type: ignore[arg-type]
        self.scene, self.rng, self.t_s = room(seed, contrast=contrast), np.random.default_rng(seed), 0.0

    def look(self, count: int, known: np.ndarray | None = None, **shot_options: object) -> list[MotionReport]:
        figures = [] if known is None else list(corners(known))
        reports = []
        for _ in range(count):
            picture = shot(self.scene, self.rng, **shot_options)  # type: ignore[arg-type]
            reports.append(self.model.update(LookPicture.of_bgr(picture), self.t_s, figures))
            self.t_s += STEP_S
        return reports


def test_an_empty_room_is_learned_and_stays_without_foreground() -> None:
    watch = Watch()
    reports = watch.look(60)
    assert reports[10].known_share == 0
    assert reports[-1].known_share > 0.95
    assert all(len(r.foreground) == 0 for r in reports)
    assert not any(r.global_change for r in reports)


@pytest.mark.parametrize("place", [(1.5, 0.5), (-2.5, 1.0), (0.0, -3.5), (0.4, 0.2)])
def test_somebody_the_detector_misses_is_foreground_standing_or_walking(place: tuple[float, float]) -> None:
    watch = Watch()
    watch.look(40)
    box = person(*place)
    for report in watch.look(25, people=box):
        assert iou(report.foreground.boxes, box).max(initial=0) > 0.4
    walking = [person(place[0] + 0.1 * i, place[1]) for i in range(8)]
    for step in walking:
        report = watch.look(1, people=step)[0]
        assert iou(report.foreground.boxes, step).max(initial=0) > 0.3
        outline = to_pixels(report.foreground.boxes[0], report.foreground.outlines[0])
        assert np.isfinite(outline).all()


def test_a_place_is_empty_again_only_after_its_person_has_gone() -> None:
    watch = Watch()
    box = person(1.5, 1.0)
    assert watch.model.place_empty(box[0]) is None
    watch.look(40)
    assert watch.model.place_empty(box[0]) is True
    watch.look(100, people=box, known=box)  # sits still for 20 s while tracked
    assert watch.model.place_empty(box[0]) is False
    watch.look(2, known=box)
    assert watch.model.place_empty(box[0]) is True
    assert watch.model.place_empty(np.array([-500.0, 0, 10, 10, 0])) is None
    assert watch.model.place_empty(np.full(5, np.nan)) is None


def test_somebody_missed_beside_a_known_person_is_a_region_of_their_own() -> None:
    watch = Watch()
    watch.look(40)
    known, missed = person(1.5, 1.0), person(1.5, 0.3)
    report = watch.look(3, people=np.concatenate([known, missed]), known=known)[-1]
    assert iou(report.foreground.boxes, missed).max(initial=0) > 0.3
    assert iou(report.foreground.boxes, known).max(initial=0) < 0.2


@pytest.mark.parametrize(("light", "known_near", "foreground"), [(0.65, True, False), (0.65, False, True),
                                                                 (0.25, True, True)])
def test_a_shadow_beside_somebody_known_is_no_foreground(light: float, known_near: bool, foreground: bool) -> None:
    """The floor in less light: anywhere else, or too dark for a shadow, it is masked as what moves there."""
    watch = Watch(contrast=0.4)
    watch.look(40)
    shade = np.zeros((SIZE, SIZE), np.float32)
    known, beside = person(1.5, 1.0) if known_near else person(-3.0, -1.0), person(1.5, 0.1)
    cv2.fillConvexPoly(shade, np.round(corners(beside)[0]).astype(np.int32), 1.0)
    watch.scene = watch.scene * (1 - (1 - light) * cv2.GaussianBlur(shade, (0, 0), 1.0))[..., None]
    report = watch.look(3, people=known, known=known)[-1]
    assert bool(iou(report.foreground.boxes, beside).max(initial=0) > 0.3) is foreground


def test_somebody_there_from_the_start_is_not_learned_as_empty() -> None:
    watch = Watch()
    box = person(1.5, 1.0)
    watch.look(60, people=box, known=box)
    assert watch.model.place_empty(box[0]) is None


@pytest.mark.parametrize("gain", [0.6, 1.3])
def test_switching_the_light_makes_no_foreground(gain: float) -> None:
    watch = Watch(contrast=0.6)
    watch.look(40)
    reports = watch.look(20, gain=gain)
    # A few clipped colours may differ; a room full of foreground must not.
    assert max(len(r.foreground) for r in reports) <= 1
    box = person(-1.5, 1.0)
    report = watch.look(2, gain=gain, people=box)[-1]
    assert iou(report.foreground.boxes, box).max(initial=0) > 0.35


def test_slow_dusk_is_followed() -> None:
    watch = Watch()
    watch.look(40)
    seen = 0
    for gain in np.linspace(1.0, 0.5, 120):
        seen = max(seen, len(watch.look(1, gain=float(gain))[0].foreground))
    assert seen == 0


def test_another_scene_is_a_global_change_and_learned_anew() -> None:
    watch = Watch()
    watch.look(40)
    watch.scene = room(99)
    reports = watch.look(50)
    assert reports[0].global_change
    assert not reports[-1].global_change
    assert reports[-1].known_share > 0.9


def test_a_left_bag_is_absorbed_in_time_and_a_mouse_is_no_region() -> None:
    watch = Watch(absorb_s=4.0)
    watch.look(40)
    bag = person(2.0, 0.0) * np.array([1, 1, 0.7, 0.6, 1])
    reports = watch.look(60, people=bag)
    assert len(reports[5].foreground) == 1
    assert len(reports[-1].foreground) == 0
    watch = Watch()
    watch.look(40)
    mouse = person(-2.0, 0.0) * np.array([1, 1, 0.12, 0.1, 1])
    assert all(len(r.foreground) == 0 for r in watch.look(5, people=mouse))


def test_motion_tells_where_to_look() -> None:
    watch = Watch()
    watch.look(2)
    for i in range(4):
        box = person(1.5 + 0.15 * i, 1.0)
        report = watch.look(1, people=box)[0]
    distance = np.hypot(*(report.moving_px - box[0, :2]).T)
    assert distance.min() < box[0, 3]


def test_other_arrays_are_refused() -> None:
    for wrong in (np.zeros((0, 0, 3), np.uint8), np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3))):
        with pytest.raises(DetectionError):
            LookPicture.of_bgr(wrong)  # type: ignore[arg-type]
    BackgroundModel(CAMERA, MOUNT).update(LookPicture.of_bgr(np.zeros((1, 1, 3), np.uint8)), 0.0)


@given(st.integers(0, 2 ** 32 - 1), st.integers(1, 40), st.floats(0, 1))
def test_the_median_is_counted_exactly(seed: int, side: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, rng.integers(1, 256), (side, side), np.uint8)
    mask = (rng.random((side, side)) < share).astype(np.uint8)
    assert _median(levels, mask) == (np.median(levels[mask > 0]) if mask.any() else 0.0)
