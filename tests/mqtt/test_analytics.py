from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.errors import MqttError
from aipg_plugin.mqtt import Line, TrackReport
from aipg_plugin.mqtt.analytics import CameraAnalytics, inside
from aipg_plugin.mqtt.events import CameraEvents
from aipg_plugin.options import Area
from tests.mqtt.conftest import SQUARE

AREA = Area(3, SQUARE, name="till")
unit = st.floats(0, 1, allow_nan=False)


def report(track=1, at=(0.5, 0.5), floor=(0.0, 0.0), first=0.0, score=0.9) -> TrackReport:
    return TrackReport(track, (*at, 0.1, 0.2, 0.0), score, floor, first)


def test_nobody():
    analytics = CameraAnalytics((AREA,))
    analytics.update(0.0, ())
    json = analytics.as_json()
    assert json["people"] == 0
    assert json["heat_map"] is None
    assert json["areas"]["3"]["people"] == 0


@given(unit, unit)
def test_inside_a_square_is_inside_its_bounds(x, y):
    assert inside(SQUARE, (x, y)) == (0.2 <= x < 0.4 and 0.2 <= y < 0.4)


@given(unit, unit, st.integers(0, 3), st.booleans())
def test_inside_does_not_depend_on_where_a_polygon_starts_or_how_it_turns(x, y, shift, flip):
    turned = SQUARE[shift:] + SQUARE[:shift]
    assert inside(turned[::-1] if flip else turned, (x, y)) == inside(SQUARE, (x, y))


def test_occupancy_dwell_and_visits_of_an_area():
    analytics = CameraAnalytics((AREA,))
    for t, at in ((0.0, (0.1, 0.1)), (1.0, (0.3, 0.3)), (3.0, (0.35, 0.3)), (5.0, (0.9, 0.9))):
        analytics.update(t, (report(1, at), report(2, (0.3, 0.3))))
        if t == 3.0:
            assert analytics.as_json()["areas"]["3"]["people"] == 2
    area = analytics.as_json()["areas"]["3"]
    assert area == {"name": "till", "people": 1, "entered": 2, "left": 1, "dwell_mean_s": 4.0, "dwell_longest_s": 5.0}


def test_one_who_disappears_has_left_the_area():
    analytics = CameraAnalytics((AREA,))
    analytics.update(0.0, (report(1, (0.3, 0.3)),))
    analytics.update(2.0, ())
    assert analytics.as_json()["areas"]["3"] | {"name": ""} == {
        "name": "", "people": 0, "entered": 1, "left": 1, "dwell_mean_s": 2.0, "dwell_longest_s": 2.0}


def test_an_area_removed_while_somebody_stands_in_it():
    analytics = CameraAnalytics((AREA,))
    analytics.update(0.0, (report(1, (0.3, 0.3)),))
    analytics.areas_changed(())
    analytics.update(1.0, (report(1, (0.9, 0.9)),))
    assert analytics.as_json()["areas"] == {}


def test_heat_map_counts_person_seconds():
    analytics = CameraAnalytics()
    for t in range(5):
        analytics.update(float(t), (report(1, floor=(0.1, 0.1)), report(2, floor=(-1.4, 0.6))))
    heat = analytics.as_json()["heat_map"]
    assert heat["origin_xy_m"] == [-1.5, 0.0]
    assert heat["seconds"] == [[0.0, 0.0, 0.0, 4.0], [4.0, 0.0, 0.0, 0.0]]


def test_a_clock_that_jumps_back_adds_nothing():
    analytics = CameraAnalytics((AREA,))
    for t in (100.0, 101.0, 0.0, 1.0):
        analytics.update(t, (report(1, (0.3, 0.3), (0.1, 0.1)),))
    analytics.update(2.0, ())
    assert analytics.as_json()["heat_map"]["seconds"] == [[2.0]]
    assert analytics.as_json()["areas"]["3"]["dwell_longest_s"] >= 0


@given(st.floats(0, 359), st.floats(0.5, 3))
def test_direction_and_speed(direction_deg, speed_m_s):
    analytics = CameraAnalytics()
    dx, dy = math.cos(math.radians(direction_deg)), math.sin(math.radians(direction_deg))
    for n in range(8):
        t = n / 5
        analytics.update(t, (report(1, floor=(dx * t * speed_m_s, dy * t * speed_m_s)),))
    motion = analytics.motion(1)
    assert motion.speed_m_s == pytest.approx(speed_m_s, abs=0.01)
    assert abs((motion.direction_deg - direction_deg + 180) % 360 - 180) < 0.2


def test_who_stands_has_no_direction():
    analytics = CameraAnalytics()
    for n in range(8):
        analytics.update(n / 5, (report(1, floor=(0.01 * (n % 2), 0.0)),))
    assert analytics.motion(1).direction_deg is None
    assert analytics.motion(99).speed_m_s is None


DOOR = Line("door", (0.0, -1.0), (0.0, 1.0))     # left of it is −x


@pytest.mark.parametrize(("path", "counts"), [
    ([(-1, 0), (1, 0)], (1, 0)), ([(1, 0), (-1, 0)], (0, 1)), ([(-1, 0), (0, 0), (1, 0)], (1, 0)),
    ([(-1, 2), (1, 2)], (0, 0)), ([(-1, 0), (-0.1, 0), (-1, 0)], (0, 0)), ([(-1, 0), (1, 0), (-1, 0)], (1, 1)),
])
def test_line_crossing(path, counts):
    analytics = CameraAnalytics(lines=(DOOR,))
    for n, at in enumerate(path):
        analytics.update(float(n), (report(1, floor=at),))
    assert analytics.as_json()["lines"]["door"] == {"in": counts[0], "out": counts[1]}


@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(-0.9, 0.9)), min_size=2, max_size=20))
def test_ins_and_outs_through_an_endless_line_balance(path):
    analytics = CameraAnalytics(lines=(Line("l", (0.0, -100.0), (0.0, 100.0)),))
    for n, at in enumerate(path):
        analytics.update(float(n), (report(1, floor=at),))
    counts = analytics.as_json()["lines"]["l"]
    assert counts["in"] - counts["out"] == int(path[0][0] < 0) - int(path[-1][0] < 0)


def test_reports_check_their_numbers():
    assert report(floor=(math.nan, 0.0)).floor_xy_m is None
    with pytest.raises(MqttError, match="finite"):
        report(at=(math.nan, 0.5))


class TestEvents:
    def make(self) -> CameraEvents:
        return CameraEvents("lobby", CameraAnalytics((AREA,)), run="r")

    def test_life_of_a_figure(self):
        events = self.make()
        (new,) = events.update(10.0, (report(7, first=9.8),))
        assert new.type == "new"
        assert new.before is None
        assert new.after["id"] == "lobby-r-7"
        assert new.after["dwell_s"] == pytest.approx(0.2)
        assert events.update(10.1, (report(7, first=9.8),)) == []
        (update,) = events.update(11.5, (report(7, (0.55, 0.5), first=9.8),))
        assert update.type == "update"
        assert update.before == new.after
        (end,) = events.update(12.0, ())
        assert end.type == "end"
        assert end.before == update.after
        assert end.after["id"] == new.after["id"]
        assert end.after["end_s"] == 12.0
        assert events.update(12.1, ()) == []

    def test_entering_an_area_is_told_at_once(self):
        events = self.make()
        events.update(0.0, (report(1, (0.1, 0.1)),))
        (update,) = events.update(0.1, (report(1, (0.3, 0.3)),))
        assert update.after["areas"] == [3]
        (left,) = events.update(0.2, (report(1, (0.1, 0.1)),))
        assert left.before["areas"] == [3]
        assert left.after["areas"] == []

    def test_who_stands_still_is_not_told_again(self):
        events = self.make()
        events.update(0.0, (report(1),))
        assert [events.update(t / 5, (report(1),)) for t in range(1, 50)] == [[]] * 49

    @given(st.lists(st.sets(st.integers(0, 4)), max_size=20))
    def test_every_figure_begins_once_and_ends_once(self, presence):
        events, alive = self.make(), set()
        for n, ids in enumerate([*presence, set()]):
            for event in events.update(float(n), tuple(report(i) for i in ids)):
                key = event.after["id"]
                if event.type == "new":
                    assert key not in alive
                    alive.add(key)
                else:
                    assert key in alive
                    if event.type == "end":
                        alive.remove(key)
            assert len(alive) == len(ids) == events.count
        assert alive == set()

    def test_ids_differ_between_runs(self):
        analytics = CameraAnalytics()
        a, b = CameraEvents("c", analytics), CameraEvents("c", analytics)
        assert a.update(0, (report(1),))[0].after["id"] != b.update(0, (report(1),))[0].after["id"]
