"""Silhouettes as fields in people's own frames, against painting them; the filter that places the frames."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aipg_plugin.geometry import Figure, to_pixels
from aipg_plugin.tracking.motion import Walk
from aipg_plugin.tracking.silhouettes import Silhouettes, in_picture, own_frame
from aipg_plugin.tracking.track import Pose, TrackHistory, TrackPoint
from tests.strategies import numbers
from tests.tracking.walkers import OVAL, covered, painted

STAR = np.array([(r * np.cos(a), r * np.sin(a)) for a, r in
                 zip(np.linspace(0, 2 * np.pi, 10, endpoint=False), [1.0, 0.5] * 5, strict=True)])


def figure(box: np.ndarray, outline: np.ndarray) -> Figure:
    return Figure(1, box, outline, np.full(3, np.nan), 1.0, 0.0)


def point(t_s: float, box: np.ndarray, outline: np.ndarray, pose: Pose | None = None) -> TrackPoint:
    own = pose or Pose(float(box[0]), float(box[1]), float(box[4]), 60.0)
    return TrackPoint(t_s, box, outline, np.full(3, np.nan), 1.0, 0.0, np.full(2, np.nan), np.full(2, np.nan),
                      float(box[0]), own, Walk.begun(t_s, box[:2]))


@settings(deadline=None, max_examples=40)
@given(numbers(20, 200), numbers(20, 200), numbers(0, 360), numbers(-5, 5), numbers(-5, 5), st.booleans())
def test_a_single_sightings_outline_is_its_own(w: float, h: float, angle: float, dx: float, dy: float,
                                               star: bool) -> None:
    box = np.array([480.0, 480, w, h, angle])
    shape = STAR if star else OVAL
    seen = point(0.0, box, shape, Pose(480 + dx, 480 + dy, angle + dx, 60.0))
    history = TrackHistory(1, 0.0, [seen], 0.0, 0.0)
    px = in_picture(seen.pose, Silhouettes().at(history, seen))
    mask, own = painted((_polygon(px),)), painted((figure(box, shape),))
    assert (own & ~mask).sum() < 0.08 * own.sum() + 60
    around_px = np.linalg.norm(np.diff(to_pixels(box, np.vstack([shape, shape[:1]])), axis=0), axis=1).sum()
    assert (mask & ~own).sum() < history.cells.size_m * 60 * around_px + 60  # a cell


def _polygon(px: np.ndarray) -> Figure:
    return figure(np.array([0.0, 0, 2, 2, 0]), px)


@given(numbers(-300, 300), numbers(-300, 300), numbers(0, 360), numbers(5, 300))
def test_own_frame_and_picture_are_inverse(x: float, y: float, angle: float, per_metre: float) -> None:
    seen = point(0.0, np.array([x, y, 30, 60, 10.0]), OVAL, Pose(x + 7, y - 3, angle, per_metre))
    px = to_pixels(seen.box, OVAL)
    np.testing.assert_allclose(in_picture(seen.pose, own_frame(seen, px)), px, atol=1e-6)


@pytest.mark.parametrize("hindsight", [False, True])
def test_asked_for_after_each_sighting_an_outline_is_the_same_as_asked_for_once(hindsight: bool) -> None:
    """Somebody who sways, then walks off; the last sightings do not fit the cells of the first."""
    rng = np.random.default_rng(0)
    boxes = [np.array([480 + rng.normal(0, 2) + 15 * max(0, k - 12), 480, 60 + 8 * max(0, k - 15), 120, 5 * k])
             for k in range(20)]
    points = [point(k / 5, box, STAR if k % 3 else OVAL) for k, box in enumerate(boxes)]
    history, often = TrackHistory(1, 0.0, points[:1], 0.0, 0.0), Silhouettes()
    for new in points[1:]:
        history.add(new)
        for one in history.points[-12:]:
            often.at(history, one, hindsight=hindsight)
        if new is points[10]:
            again = replace(new, outline=OVAL * 1.2)
            history.replace_last(again)
    for a, b in zip(history.points, history.points[1:], strict=False):
        for share in (0.0, 0.4):
            np.testing.assert_array_equal(often.at(history, a, b, share, hindsight=hindsight),
                                          Silhouettes().at(history, a, b, share, hindsight=hindsight))


def test_parts_that_lie_apart_are_both_covered() -> None:
    """An arm that only one of two sightings shows, beyond a gap that neither fills."""
    box = np.array([480.0, 480, 100, 160, 0])
    body = OVAL * (0.4, 1.0)
    arm = np.array([(0.8, -0.3), (1.0, -0.3), (1.0, 0.5), (0.8, 0.5)])
    history = TrackHistory(1, 0.0, [point(0.0, box, body), point(0.1, box, arm)], 0.0, 0.0)
    outline = Silhouettes().at(history, history.points[1])
    mask = (_polygon(in_picture(history.points[1].pose, outline)),)
    assert covered(mask, np.array([480.0, 480, 30, 120, 0])) > 0.98
    assert covered(mask, np.array([525.0, 488, 8, 50, 0])) > 0.95


def test_with_hindsight_legs_follow_their_swing_and_a_head_left_out_stays() -> None:
    """At 60 px to the metre: the sighting asked for has neither the head nor the leg that the next one has."""
    box = np.array([480.0, 480, 100, 160, 0])
    body = OVAL * (0.4, 0.6)
    whole = np.array([(-0.4, -1), (0.4, -1), (0.4, 0.3), (1.0, 1), (-0.4, 1)])
    history = TrackHistory(1, 0.0, [point(0.0, box, body), point(0.2, box, whole)], 0.0, 0.0)
    head, leg = np.array([480.0, 417, 16, 16, 0]), np.array([513.0, 548, 8, 8, 0])
    for hindsight in (False, True):
        outline = Silhouettes().at(history, history.points[0], hindsight=hindsight)
        mask = (_polygon(in_picture(history.points[0].pose, outline)),)
        assert covered(mask, head) > 0.9
        assert (covered(mask, leg) > 0.9) == (not hindsight)


def test_with_hindsight_arms_follow_their_swing_where_a_sighting_has_its_head() -> None:
    box = np.array([480.0, 480, 100, 160, 0])
    arm = np.array([(0.4, -0.5), (1.0, -0.5), (1.0, -0.3), (0.4, -0.3)])
    head = np.array([480.0, 430, 10])
    for known in (False, True):
        first = replace(point(0.0, box, OVAL * (0.4, 1.0)), head=head if known else np.full(3, np.nan))
        history = TrackHistory(1, 0.0, [first, point(0.2, box, arm)], 0.0, 0.0)
        for hindsight in (False, True):
            outline = Silhouettes().at(history, first, hindsight=hindsight)
            reached = painted((_polygon(in_picture(first.pose, outline)),))[448, 518]
            assert bool(reached) == (not (known and hindsight))


@pytest.mark.parametrize(("radius_px", "later_s", "kept"), [(np.nan, 0.4, True), (7.0, 0.4, True), (9.0, 0.4, False),
                                                            (np.nan, 0.7, False), (60.0, 0.4, True)])
def test_a_head_that_a_sighting_lacks_or_has_smaller_is_kept_for_a_moment(radius_px: float, later_s: float,
                                                                         kept: bool) -> None:
    """Black hair before something black: the box ends below it, and what is found of the head is too small."""
    box = np.array([480.0, 480, 60, 120, 0])
    body = OVAL * (0.7, 0.55) + (0.0, 0.45)
    first = replace(point(0.0, box, body), head=np.array([480.0, 430, 10]))
    lacking = replace(point(later_s, box, body), head=np.array([480.0, 430, radius_px]))
    history = TrackHistory(1, 0.0, [first, lacking], 0.0, 0.0)
    mask = painted((_polygon(in_picture(lacking.pose, Silhouettes().at(history, lacking, hindsight=True))),))
    assert bool(mask[423, 480]) is kept


@pytest.mark.parametrize(("lost_px", "width_px", "kept"), [(10.0, 40, True), (1.0, 40, False), (30.0, 40, False),
                                                          (10.0, 100, False)])
def test_who_stands_is_no_shorter_than_a_moment_ago(lost_px: float, width_px: float, kept: bool) -> None:
    """The box loses its upper end, the frame follows its middle: the head is as high above the feet as before."""
    body = OVAL * (0.7, 0.5) + (0.0, 0.5)
    first = replace(point(0.0, np.array([480.0, 480, width_px, 160, 0]), body), head=np.array([480.0, 410, 9]))
    box = np.array([480.0, 480 + lost_px / 2, width_px, 160 - lost_px, 0])
    lower = replace(point(0.4, box, body), head=np.array([480.0, 410 + lost_px, 9]))
    history = TrackHistory(1, 0.0, [first, lower], 0.0, 0.0)
    mask = painted((_polygon(in_picture(lower.pose, Silhouettes().at(history, lower, hindsight=True))),))
    assert bool(mask[404, 480]) is kept


@pytest.mark.parametrize(("times_seen", "speed_px_s", "kept"), [(4, 0.0, True), (1, 0.0, False), (4, 30.0, False)])
def test_who_stays_keeps_what_several_sightings_showed(times_seen: int, speed_px_s: float, kept: bool) -> None:
    """Outstretched legs that some looks a second ago showed and the last ones leave out, of who sits and of who walks.
    """
    body, legs = OVAL * (0.4, 0.6), np.array([(-0.4, -0.6), (0.4, -0.6), (0.9, 0.9), (0.7, 0.9), (-0.4, 0.6)])
    boxes = [np.array([480.0 + speed_px_s * 0.2 * k, 480, 100, 160, 0]) for k in range(9)]
    points = [point(0.2 * k, box, legs if k < times_seen else body) for k, box in enumerate(boxes)]
    history = TrackHistory(1, 0.0, points, 0.0, 0.0)
    outline = Silhouettes().at(history, points[-1])
    mask = (_polygon(in_picture(points[-1].pose, outline)),)
    leg = np.array([points[0].box[0] + 38, 545.0, 6, 6, 0])
    assert (covered(mask, leg) > 0.9) == kept


@pytest.mark.parametrize("speed_m_s", [0.0, 1.2])
def test_the_filter_settles_on_who_stands_and_follows_who_walks(speed_m_s: float) -> None:
    rng = np.random.default_rng(1)
    true = np.stack([100 + speed_m_s * 60 * 0.2 * np.arange(30), np.full(30, 200.0)], axis=1)
    seen = true + rng.normal(0, 3.6, true.shape)
    walks = [Walk.begun(0.0, seen[0])]
    for k in range(1, 30):
        walks.append(walks[-1].seen(0.2 * k, seen[k]))
    filtered = np.stack([one.place_px for one in walks])
    rms = [float(np.sqrt(((one - true)[5:-5] ** 2).mean())) for one in (seen, filtered)]
    assert rms[1] < rms[0]
    assert walks[-1].spread_at(7.0)[0] > walks[-1].spread_at(6.0)[0] > walks[-1].spread[0]
