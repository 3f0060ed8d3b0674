"""How far masks reach around people of whom only one moment is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from aipg_plugin.geometry.figure import Figure
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.guard.evidence import Evidence
from aipg_plugin.guard.planner import MaskPlanner
from aipg_plugin.masking.region import RegionMap
from aipg_plugin.options import PrivacyGuard, Sensitivity
from aipg_plugin.scene.foreground import ForegroundRegions
from aipg_plugin.scene.observation import Observation
from aipg_plugin.scene.picture import LookPicture
from aipg_plugin.tracking.tracker import Tracker
from tests.guard.scenes import observed
from tests.tracking.walkers import CAMERA, CEILING, OVAL, at, painted, seen

START_M = (-1.5, 2.0)
PICTURE = LookPicture.of_bgr(np.zeros((960, 960, 3), np.uint8))


@dataclass
class OneLook:
    """Sees somebody at START_M in its first look, found or as motion only, and nobody in the next."""

    found: bool
    looks: int = 0

    @property
    def projection(self) -> Projection:
        return CAMERA

    def look(self, _picture: LookPicture, _t_s: float, _figures: tuple[Figure, ...],
             **_asked: object) -> Observation:
        self.looks += 1
        boxes = at([START_M])[:2 - self.looks]
        if self.found or not len(boxes):
            return observed(boxes)
        return replace(observed(boxes[:0]), foreground=ForegroundRegions(boxes, (OVAL.astype(np.float32),)))

    def reset(self) -> None:
        raise AssertionError


@pytest.mark.parametrize(("times_s", "hindsight_s", "gap_s"), [
    ((1.0, 1.2, 1.4, 3.4), 0.0, 2.0),   # a stall: who came in half hidden at 1.4 is found at 3.4 only
    ((1.0, 1.2, 1.4, 1.6), 0.0, 0.0),
    ((1.0, 3.0, 5.0, 7.0), 0.0, 0.0),   # a camera of a frame in two seconds
    ((1.0, 1.2, 1.4, 3.4), 4.0, 0.0)])  # a file: what is found later tells of before
def test_a_frame_looked_at_before_a_stall_has_no_look_near_after_it(times_s: tuple[float, ...], hindsight_s: float,
                                                                    gap_s: float) -> None:
    evidence = Evidence(OneLook(True), Tracker(CAMERA, CEILING), period_s=0.2, hindsight_s=hindsight_s)
    for t_s in times_s:
        evidence.look(PICTURE, t_s)
    assert evidence.status(times_s[-2]).gap_s == pytest.approx(gap_s)


@pytest.mark.parametrize("found", [True, False])
@pytest.mark.parametrize("heading_deg", [0, 90, 180, 270])
def test_who_was_seen_once_may_walk_anywhere(found: bool, heading_deg: int) -> None:
    evidence = Evidence(OneLook(found), Tracker(CAMERA, CEILING), period_s=0.2)
    evidence.look(PICTURE, 1.0)
    step = 1.1 * np.array([np.cos(np.radians(heading_deg)), np.sin(np.radians(heading_deg))])
    areas = []
    for age_s in (0.0, 0.3, 0.6):
        mask = _masked(evidence.figures(1.0 + age_s, sensitivity=Sensitivity.HIGH))
        assert mask[_person(np.array(START_M) + age_s * step)].mean() > 0.95, age_s
        areas.append(int(mask.sum()))
    assert areas[0] < areas[1] < areas[2]
    assert areas[0] < 2.2 * _person(np.array(START_M)).sum()


def test_the_next_look_tells_nothing_of_where_they_went() -> None:
    """Motion seen at 1.0 s and not at 1.5 s: at 1.4 s they may have walked for 0.4 s, however near the next look is."""
    evidence = Evidence(OneLook(found=False), Tracker(CAMERA, CEILING), period_s=0.2)
    for t_s in (1.0, 1.5):
        evidence.look(PICTURE, t_s)
    mask = _masked(evidence.figures(1.4, sensitivity=Sensitivity.HIGH))
    assert mask[_person(np.array(START_M) + 0.4 * np.array([0.0, 1.1]))].mean() > 0.95
    (figure,) = evidence.figures(1.4, sensitivity=Sensitivity.HIGH)
    assert (figure.seen_s, figure.age_s) == (pytest.approx(1.0), pytest.approx(0.4))


@pytest.mark.parametrize("turn_deg", [0, 40])
def test_who_walks_on_while_looks_are_late_stays_covered(turn_deg: int) -> None:
    tracker = Tracker(CAMERA, CEILING)
    start, along = np.array(START_M), np.array([1.4, 0.0])
    turned = 1.4 * np.array([np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))])
    for t_s in (0.6, 0.8, 1.0):
        tracker.update(seen(at([start + (t_s - 1.0) * along])), t_s)
    for age_s in (0.2, 0.5, 0.9):
        mask = _masked(tracker.figures(1.0 + age_s))
        assert mask[_person(start + age_s * turned)].mean() > 0.95, age_s


def _masked(figures: tuple[Figure, ...]) -> NDArray[np.bool_]:
    """(H, W) bool: what the product masks for these figures."""
    scene = MaskPlanner(projection=CAMERA, source=CAMERA, mount=CEILING, same=True)
    regions = RegionMap(CAMERA.size_wh)
    regions.compose(scene.plan(figures, PrivacyGuard(), full=False), {})
    return np.kron(regions.level > 0, np.ones((2, 2), bool))


def _person(place_m: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(H, W) bool: the oval of somebody who stands there."""
    return painted((Figure(0, at([place_m])[0], OVAL * 0.95, np.full(3, np.nan), 1, 0),))


@dataclass
class Glimpses:
    """Motion at START_M in the looks `moved`, somebody found there in those `found`."""

    moved: tuple[int, ...]
    found: tuple[int, ...] = ()
    looks: int = -1

    @property
    def projection(self) -> Projection:
        return CAMERA

    def look(self, _picture: LookPicture, _t_s: float, _figures: tuple[Figure, ...],
             **_asked: object) -> Observation:
        self.looks += 1
        boxes = at([START_M])
        observation = observed(boxes if self.looks in self.found else boxes[:0])
        if self.looks not in self.moved:
            return observation
        return replace(observation, foreground=ForegroundRegions(boxes, (OVAL.astype(np.float32),)))

    def reset(self) -> None:
        raise AssertionError


@pytest.mark.parametrize(("moved", "found", "masked"), [((2,), (), False), ((2, 3), (), True), ((1, 2), (), True),
                                                        ((2,), (3,), True), ((4,), (), True)])
def test_a_region_that_one_look_alone_shows_is_nobody(moved: tuple[int, ...], found: tuple[int, ...],
                                                      masked: bool) -> None:
    """Of five looks, at 0 to 0.8 s. Of the last one it is not known yet what the next will show."""
    evidence = Evidence(Glimpses(moved, found), Tracker(CAMERA, CEILING), period_s=0.2)
    for k in range(5):
        evidence.look(PICTURE, 0.2 * k)
    for t_s in (0.2 * moved[0] - 0.1, 0.2 * moved[0]):
        mask = _masked(evidence.figures(t_s, sensitivity=Sensitivity.HIGH))
        assert bool(mask[_person(np.array(START_M))].mean() > 0.9) is masked


def test_extending_the_last_look_makes_no_difference_to_moments_before_the_one_before_it() -> None:
    evidence = Evidence(OneLook(True), Tracker(CAMERA, CEILING), period_s=0.2, hindsight_s=4.0)
    assert evidence.extends_from_s == -float("inf")
    for t_s in (1.0, 1.5, 2.0):
        evidence.look(PICTURE, t_s)
    moments = (0.5, 1.0, 1.2, 1.499, 1.5, 1.9, 2.0, 2.5)
    before = {t_s: (evidence.status(t_s), evidence.around(t_s)) for t_s in moments}
    evidence.extend(2.5)
    differ = [t_s for t_s in moments if before[t_s] != (evidence.status(t_s), evidence.around(t_s))]
    assert differ == [t_s for t_s in moments if t_s >= evidence.extends_from_s] == [1.5, 1.9, 2.0, 2.5]
