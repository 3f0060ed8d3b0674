"""The analyzer and what it has learned."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from aipg_plugin.detection.detections import Detections, rounded_box
from aipg_plugin.detection.detector import FisheyeDetector
from aipg_plugin.detection.schedule import SweepSchedule
from aipg_plugin.detection.tiles import LIVE, Tile, make_tiles
from aipg_plugin.frames import Frame
from aipg_plugin.geometry.camera import FisheyeCamera, ImageCircle
from aipg_plugin.geometry.figure import Figure, standing_boxes
from aipg_plugin.geometry.lens import LensLaw
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.guard.evidence import Evidence
from aipg_plugin.guard.guard import Guard
from aipg_plugin.guard.looks import NOTHING_KNOWN, Shown, Urgency
from aipg_plugin.options import Area, Camera, LensModelName, MountKind, PrivacyGuard, Sensitivity
from aipg_plugin.scene.analyzer import SceneAnalyzer
from aipg_plugin.scene.observation import Analyzer, Glance
from aipg_plugin.scene.picture import LookPicture
from aipg_plugin.tracking.tracker import Tracker
from tests.guard.scenes import SIZE_WH, TruthAnalyzer, camera, clear_share, frame, observed, person_xywh

LENS = FisheyeCamera(LensLaw(LensModelName.EQUIDISTANT, 180.0),
                     ImageCircle(SIZE_WH[0] / 2, SIZE_WH[1] / 2, SIZE_WH[0] / 2), SIZE_WH)
MOUNT = Mount(MountKind.CEILING, 3.0)


@dataclass
class ScriptedDetector:
    """A detector of the textured person that sees them only in some of its looks."""

    projection: Projection
    mount: Mount
    sees: range | tuple[int, ...]
    looks: int = 0
    follows: bool = False
    tiles: tuple[Tile, ...] = ()
    asked: list[int] = field(default_factory=list)  # how many people each look was told to expect
    swept: list[tuple[int, ...]] = field(default_factory=list)  # each look's tiles

    @property
    def size_wh(self) -> tuple[int, int]:
        return self.projection.size_wh

    def detect(self, picture_bgr: NDArray[np.uint8], tiles: tuple[int, ...] = (),
               expected: NDArray[np.float64] | None = None) -> Detections:
        self.looks += 1
        self.swept.append(tiles)
        self.asked.append(0 if expected is None else len(expected))
        if self.looks not in self.sees:
            return Detections.empty()
        return observed(TruthAnalyzer(self.projection, self.mount).boxes(picture_bgr)).detections


def _guard(sees: range | tuple[int, ...], **settings: object) -> Guard:
    def analyzer(projection: Projection, mount: Mount, of: Camera) -> Analyzer:
        detector = cast("FisheyeDetector", ScriptedDetector(projection, mount, sees))
        drawn = bool(of.privacy_guard.prohibited_areas)
        return SceneAnalyzer(detector, mount, live=False, single_image=False, areas_drawn=drawn)

    return Guard(camera(**settings), analyzer, lambda projection, mount, of: Tracker(projection, mount), live=False)


def test_a_person_learned_into_the_empty_scene_stays_masked_once_found() -> None:
    """Nobody saw them for 8 s, so their place counts as empty; then they are seen every sixth look."""
    subject = _guard(tuple(range(40, 80, 6)))
    frames = [replace(_room(), seq=index, pts_s=index / 5, wall_time_s=index / 5) for index in range(70)]
    out = [guarded for one in frames for guarded in subject.process(one)]
    assert {guarded.state for guarded in out} == {"guarding"}
    shares = [clear_share(guarded, frames[0]) for guarded in out]
    assert shares[20] > 0.9
    assert max(shares[40:]) < 0.1


def test_a_prohibited_area_bares_nobody_from_the_moment_the_camera_turns() -> None:
    """The turn brings the person into the area."""
    area = Area(1, ((0.5, 0.35), (1.0, 0.35), (1.0, 0.85), (0.5, 0.85)), enabled=True)
    subject = _guard(range(100), prohibited_areas=(area,), lookahead_s=0)
    room = _room()
    turned = tuple(np.ascontiguousarray(np.rot90(plane)) for plane in room.planes)
    frames = [replace(room, seq=index, pts_s=index / 5, planes=room.planes if index < 15 else turned)
              for index in range(20)]
    out = [guarded for one in frames for guarded in subject.process(one)]
    x, y, w, h = person_xywh(0)
    for guarded, one in zip(out, frames, strict=True):
        place = np.s_[y:y + h, x:x + w] if one.seq < 15 else np.s_[SIZE_WH[0] - x - w:SIZE_WH[0] - x, y:y + h]
        same = np.abs(guarded.planes[0][place].astype(int) - one.planes[0][place].astype(int)) <= 2
        assert same.mean() < 0.1, one.seq
    assert {guarded.state for guarded in out[1:15]} == {"guarding"}
    assert {(guarded.state, guarded.reason) for guarded in out[15:]} == {("failsafe", "scene shifted")}


def _room() -> Frame:
    """The person in a room with edges enough to pass the picture check."""
    rng = np.random.default_rng(5)
    w, h = SIZE_WH
    luma = np.kron(rng.integers(90, 108, (h // 5, w // 5)), np.ones((5, 5))).astype(np.uint8)
    empty = frame(0)
    x, y, pw, ph = person_xywh(0)
    luma[y:y + ph, x:x + pw] = empty.planes[0][y:y + ph, x:x + pw]
    return replace(empty, planes=(luma, *empty.planes[1:]))


def test_somebody_who_walks_unseen_is_looked_for_where_they_are_expected() -> None:
    """Seen three times, then by no tile; somebody who stands still waits for their tile."""
    walking, standing = (ScriptedDetector(LENS, MOUNT, range(1, 4), follows=True) for _ in range(2))
    for detector, moves in ((walking, True), (standing, False)):
        tracker = Tracker(LENS, MOUNT)
        analyzer = SceneAnalyzer(cast("FisheyeDetector", detector), MOUNT, live=False, single_image=False)
        for index in range(12):
            t_s = index / 5
            picture = frame(index if moves else 0).to_bgr()
            seen = analyzer.look(LookPicture.of_bgr(picture), t_s, tracker.figures(t_s))
            tracker.update(seen.detections, t_s, seen.gone)
    assert sum(walking.asked[:4]) == 0
    assert sum(walking.asked[5:]) >= 4
    assert sum(standing.asked) == 0


def test_of_a_crowd_at_risk_those_beyond_the_close_ups_get_their_tiles() -> None:
    """Eight on one side, unseen for longest; the ninth alone on the other."""
    tiles = make_tiles(LENS, MOUNT, LIVE, 96)
    places = [(-2.0, 0.3 * k - 1) for k in range(8)] + [(2.5, 0.0)]
    crowd = tuple(Figure(id=k, box=box, outline=rounded_box().astype(np.float64), head=np.full(3, np.nan), score=0.3,
                         seen_s=0.0, age_s=2.0 - 0.1 * k)
                  for k, box in enumerate(standing_boxes(LENS, MOUNT, np.array(places))))
    place = crowd[8].box[None, :2]
    theirs = {k for k, tile in enumerate(tiles)
              if (abs(tile.to_tile(place) / 96 - 0.5) < 0.5).all() and tile.owns(place)}
    asked = []
    for there in (crowd[:8], crowd):
        detector = ScriptedDetector(LENS, MOUNT, (), follows=True, tiles=tiles)
        analyzer = SceneAnalyzer(cast("FisheyeDetector", detector), MOUNT, live=False, single_image=False)
        for index in range(2):
            analyzer.look(LookPicture.of_bgr(frame(0).to_bgr()), index / 5, there)
        assert len(detector.swept[0]) == len(tiles)
        assert detector.asked[1] == 8
        asked.append(bool(theirs & set(detector.swept[1][:1])))
    assert asked == [False, True]


def test_what_moves_asks_until_its_tile_had_its_turn() -> None:
    """Nine places around the camera move in every look, more than a look can afford."""
    tiles = make_tiles(LENS, MOUNT, LIVE, 96)
    detector = ScriptedDetector(LENS, MOUNT, (), tiles=tiles)
    analyzer = SceneAnalyzer(cast("FisheyeDetector", detector), MOUNT, live=False, single_image=False)
    turns = np.radians(40 * np.arange(9) + 11)
    places = 160 + 105 * np.stack([np.sin(turns), -np.cos(turns)], 1)
    for index in range(3):
        picture = _room().to_bgr()
        for x, y in places.astype(int):
            picture[y - 5:y + 5, x - 5:x + 5] = 250 * (index % 2)
        analyzer.look(LookPicture.of_bgr(picture), index / 5, ())
    schedule = SweepSchedule(tiles, LENS.size_wh)
    assert len(detector.swept[1]) <= 5
    assert schedule.serves((*detector.swept[1], *detector.swept[2]), places).all()


class TileDetector(ScriptedDetector):
    """Sees the person whenever a tile shows them well."""

    def detect(self, picture_bgr: NDArray[np.uint8], tiles: tuple[int, ...] = (),
               expected: NDArray[np.float64] | None = None) -> Detections:
        found = super().detect(picture_bgr, tiles, expected)
        schedule = SweepSchedule(self.tiles, self.size_wh)
        return found.select(schedule.looked_at(tiles, found.boxes[:, :2]))


def test_where_nothing_changes_hardly_anybody_looks_and_who_stands_there_is_held() -> None:
    tiles = make_tiles(LENS, MOUNT, LIVE, 96)
    detector = TileDetector(LENS, MOUNT, range(1, 100), tiles=tiles)
    analyzer = SceneAnalyzer(cast("FisheyeDetector", detector), MOUNT, live=False, single_image=False)
    tracker, picture = Tracker(LENS, MOUNT, hold_s=1.0), _room().to_bgr()
    rng = np.random.default_rng(1)
    for index in range(80):
        noisy = np.clip(picture + rng.normal(0, 1.5, picture.shape), 0, 255).astype(np.uint8)
        seen = analyzer.look(LookPicture.of_bgr(noisy), index / 5, tracker.figures(index / 5))
        tracker.update(seen.detections, index / 5, seen.gone, seen.looked, seen.unchanged)
        assert [figure.id for figure in tracker.figures(index / 5)] == [1]
    assert sum(len(swept) for swept in detector.swept[45:]) < 2 * len(tiles)


def test_looks_that_come_rarely_miss_nobody_who_was_seen_in_the_last_one() -> None:
    """On a busy machine looks are a second apart: whoever was seen then asks for no tile beside the routine sweep."""
    tiles = make_tiles(LENS, MOUNT, LIVE, 96)
    boxes = standing_boxes(LENS, MOUNT, np.array([(-2.0, 1.0), (2.5, 0.0), (0.0, -2.0)]))
    looks = {}
    for age_s in (1.0, 2.0):
        seen = tuple(Figure(id=k, box=box, outline=rounded_box().astype(np.float64), head=np.full(3, np.nan), score=0.9,
                            seen_s=0.0, age_s=age_s) for k, box in enumerate(boxes))
        detector = ScriptedDetector(LENS, MOUNT, (), tiles=tiles)
        analyzer = SceneAnalyzer(cast("FisheyeDetector", detector), MOUNT, live=False, single_image=False)
        for index in range(10):
            analyzer.look(LookPicture.of_bgr(_room().to_bgr()), float(index), seen)
        looks[age_s] = sum(len(swept) for swept in detector.swept[2:])
    assert looks[1.0] < looks[2.0]


def test_who_is_not_seen_when_looked_for_is_not_held_because_nothing_changed() -> None:
    """The detector took a shadow for somebody, twice."""
    tiles = make_tiles(LENS, MOUNT, LIVE, 96)
    detector = ScriptedDetector(LENS, MOUNT, (1, 2), tiles=tiles)
    analyzer = SceneAnalyzer(cast("FisheyeDetector", detector), MOUNT, live=False, single_image=False)
    tracker, picture = Tracker(LENS, MOUNT, hold_s=1.0), _room().to_bgr()
    for index in range(30):
        seen = analyzer.look(LookPicture.of_bgr(picture), index / 5, tracker.figures(index / 5))
        tracker.update(seen.detections, index / 5, None, seen.looked, seen.unchanged)
    assert tracker.figures(29 / 5) == ()


def _noisy(rng: np.random.Generator, picture: NDArray[np.uint8]) -> LookPicture:
    return LookPicture.of_bgr(np.clip(picture + rng.normal(0, 1.5, picture.shape), 0, 255).astype(np.uint8))


class Calm:
    """A room with somebody in it, noise and no change, looked at until that is known."""

    def __init__(self) -> None:
        tiles = make_tiles(LENS, MOUNT, LIVE, 96)
        self.detector = TileDetector(LENS, MOUNT, range(1, 1000), tiles=tiles)
        analyzer = SceneAnalyzer(cast("FisheyeDetector", self.detector), MOUNT, live=True, single_image=False)
        self.evidence = Evidence(analyzer, Tracker(LENS, MOUNT, hold_s=1.0), period_s=0.2)
        self.picture, self.rng, self.t_s = _room().to_bgr(), np.random.default_rng(1), 0.0
        for _ in range(60):
            self.step()

    def step(self, shown: Shown = NOTHING_KNOWN) -> Glance:
        """One picture, as the service has it looked at."""
        self.t_s += 0.2
        picture = _noisy(self.rng, self.picture)
        glance = self.evidence.glance(picture, self.t_s, shown)
        if glance is not Glance.SAME:
            self.evidence.look(picture, self.t_s, shown)
        return glance


def test_a_glance_at_what_has_not_changed_holds_everybody_without_a_look() -> None:
    calm = Calm()
    looked, glances = calm.detector.looks, [calm.step() for _ in range(50)]
    assert glances.count(Glance.SAME) > 25
    assert calm.detector.looks - looked <= 50 - glances.count(Glance.SAME)
    assert sum(len(swept) for swept in calm.detector.swept[looked:]) >= len(calm.detector.tiles) - 2  # the routine
    for back_s in (0.1, 1.1, 3.3):
        status = calm.evidence.status(calm.t_s - back_s)
        assert status.swept
        assert status.age_s <= 0.1 + 1e-6
        assert status.gap_s <= 0.2 + 1e-6
        figure, = calm.evidence.figures(calm.t_s - back_s, sensitivity=Sensitivity.HIGH)
        assert figure.position_uncertainty_m < 0.01


def test_a_glance_does_not_do_once_something_has_changed() -> None:
    calm = Calm()
    x, y, w, h = person_xywh(0)
    for place in (np.s_[y:y + h, x:x + w], np.s_[y - 2 * h:y - h, x:x + w]):
        while calm.step() is not Glance.SAME:
            pass
        calm.picture = calm.picture.copy()
        calm.picture[place] = np.clip(calm.picture[place].astype(int) + 12, 0, 255)
        assert calm.step() is Glance.NEWS
        swept = len(calm.detector.swept)
        for _ in range(8):
            calm.step()
        assert len(calm.detector.swept) > swept


def test_what_changes_by_less_each_time_than_a_glance_sees_is_seen_before_long() -> None:
    """Somebody in grey comes into a grey corner, by a third of a grey level at each look."""
    calm = Calm()
    x, y, w, h = person_xywh(0)
    room, glances = np.asarray(calm.picture, np.float64), list[Glance]()
    for step in range(30):
        now = room.copy()
        now[y - 2 * h:y - h, x:x + w] += step / 3
        calm.picture = np.asarray(np.round(now), np.uint8)
        glances.append(calm.step())
    assert Glance.NEWS in glances[:15]


def test_there_is_no_glance_before_the_first_sweep_after_a_reset_or_when_told_of_a_change() -> None:
    calm = Calm()
    while calm.step() is not Glance.SAME:
        pass
    assert calm.step(Shown(urgency=Urgency.MOVING)) is Glance.NEWS
    calm.evidence.tune(PrivacyGuard(sensitivity=Sensitivity.HIGH))
    while calm.step() is not Glance.SAME:
        pass
    calm.evidence.tune(PrivacyGuard(sensitivity=Sensitivity.LOW))
    calm.evidence.tune(PrivacyGuard(sensitivity=Sensitivity.HIGH))  # whom it would have found meanwhile
    assert calm.step() is Glance.NEWS
    assert len(calm.detector.swept[-1]) == len(calm.detector.tiles)
    calm.evidence.reset(returned=True)
    assert calm.step() is Glance.NEWS
    assert calm.evidence.glance(_noisy(calm.rng, calm.picture), calm.t_s + 0.2, Shown(),
                                calm.evidence.epoch - 1) is Glance.NEWS


def test_who_is_not_found_by_a_look_is_not_held_by_glances() -> None:
    calm = Calm()
    calm.detector.sees = range(0)
    for _ in range(100):
        calm.step()
    assert not calm.evidence.figures(calm.t_s, sensitivity=Sensitivity.HIGH)


def test_a_comparison_that_fails_masks_everything() -> None:
    calm = Calm()
    while calm.step() is not Glance.SAME:
        pass
    calm.evidence.glance(cast("LookPicture", None), calm.t_s + 0.2, Shown())
    assert "failed" in calm.evidence.status(calm.t_s + 0.2).doubt
