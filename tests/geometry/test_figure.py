"""Standing people: footprints, sizes, plausibility, floor places."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aipg_plugin.geometry import (
    FisheyeCamera,
    ImageCircle,
    LensLaw,
    Mount,
    contains,
    default_circle,
    floor_position,
    make_projection,
    pixels_per_metre,
    plausible,
    standing_boxes,
    up_angle_deg,
)
from aipg_plugin.options import CaptureMode
from tests.strategies import numbers, projections

CEILING = Mount("ceiling", 3.0)
CAMERA = FisheyeCamera(LensLaw("equidistant", 180), ImageCircle(640, 640, 640), (1280, 1280))
PLACES = st.lists(st.tuples(numbers(-6, 6), numbers(-6, 6)), max_size=6)
SLOW = settings(deadline=None, max_examples=50)


@given(projections(), PLACES, numbers(0.4, 2.0))
@SLOW
def test_footprints_cover_the_body_wherever_it_stands(drawn: tuple, places: list, height: float) -> None:
    projection, mount = drawn
    boxes = standing_boxes(projection, mount, places, height)
    assert boxes.shape == (len(places), 5)
    radius = min(0.35, height / 2)
    body = [(0, 0, 0), (0, 0, height), (radius, 0, height / 2), (0, -radius, height / 2), (-radius, 0, radius)]
    for (x, y), box in zip(places, boxes, strict=True):
        px = projection.ray_to_pixel(mount.rays_to(np.array(body) + np.array([x, y, 0])))
        if np.isnan(box).any():
            continue
        part = projection.part_of(box[None, :2])[0]
        period = projection.parts[part].period_px
        seen = px[np.isfinite(px).all(axis=1)]
        seen = seen[projection.part_of(seen) == part]
        if period:
            seen[:, 0] -= np.round((seen[:, 0] - box[0]) / period) * period
        grown = box + np.array([0, 0, 0.5, 0.5, 0])
        assert contains(grown, seen).all()
        assert abs((up_angle_deg(projection, mount, box[None, :2])[0] - box[4] + 180) % 360 - 180) < 1e-6


def test_straight_below_the_camera_a_figure_is_round() -> None:
    box = standing_boxes(CAMERA, CEILING, [[0, 0]])[0]
    np.testing.assert_allclose(box[:2], (640, 640), atol=1e-6)
    assert box[2] == pytest.approx(box[3], rel=0.05)
    # The widest ring: 0.35 m at shoulder height.
    assert box[2] / 2 > 640 * np.arctan(0.35 / (3 - 1.4)) / (np.pi / 2)


def test_no_place_and_no_sight() -> None:
    assert standing_boxes(CAMERA, CEILING, np.zeros((0, 2))).shape == (0, 5)
    assert pixels_per_metre(CAMERA, CEILING, []).shape == (0,)
    assert plausible(CAMERA, CEILING, np.zeros((0, 5))).shape == (0,)
    assert floor_position(CAMERA, CEILING, []).shape == (0, 2)
    wall = make_projection(CaptureMode.SINGLE_PTZ, law=CAMERA.law, circle=None, mount=Mount("wall", 3.0),
                           size_wh=(64, 64))
    assert np.isnan(standing_boxes(wall, Mount("wall", 3.0), [[0, -5]])).all()


@given(st.lists(st.tuples(numbers(0.5, 8), numbers(-180, 180)), min_size=1, max_size=8), numbers(2.5, 5))
@SLOW
def test_a_standing_person_is_found_where_they_stand(polar: list, height: float) -> None:
    mount = Mount("ceiling", height)
    places = np.array([(d * np.cos(np.radians(a)), d * np.sin(np.radians(a))) for d, a in polar])
    boxes = standing_boxes(CAMERA, mount, places)
    assert plausible(CAMERA, mount, boxes).all()
    error = np.hypot(*(floor_position(CAMERA, mount, boxes) - places).T)
    assert np.all(error < 0.4)


def test_a_person_behind_a_desk_is_placed_near_where_they_are() -> None:
    place = np.array([[0.0, 4.0]])
    box = standing_boxes(CAMERA, CEILING, place)[0]
    hidden = box.copy()
    hidden[3] *= 0.4                                          # only the upper 40 % is seen
    up = np.radians(box[4])
    hidden[:2] += 0.3 * box[3] * np.array([np.sin(up), -np.cos(up)])
    distance = np.hypot(*floor_position(CAMERA, CEILING, [hidden])[0])
    naive = CEILING.floor_xy_m(CAMERA.pixel_to_ray(hidden[None, :2]))
    assert abs(distance - 4.0) < 2.5 < np.hypot(*naive[0]) - 4.0
    assert plausible(CAMERA, CEILING, [hidden])[0]


@pytest.mark.parametrize("kind", ["ceiling", "wall"])
def test_people_look_smaller_further_away(kind: str) -> None:
    mount = Mount(kind, 3.0)
    places = np.column_stack([np.zeros(6), np.linspace(1.0, 9, 6)])
    boxes = standing_boxes(CAMERA, mount, places)
    scale = pixels_per_metre(CAMERA, mount, boxes[:, :2])
    assert np.all(np.diff(scale) < 0)
    assert np.all(np.abs(scale * 0.7 / boxes[:, 2] - 1) < 0.35)


@given(projections(), st.data())
@SLOW
def test_scale_is_positive_everywhere(drawn: tuple, data: st.DataObject) -> None:
    projection, mount = drawn
    px = np.array(data.draw(st.lists(st.tuples(numbers(-0.5, 1.5), numbers(-0.5, 1.5)), max_size=9)))
    scale = pixels_per_metre(projection, mount, px.reshape(-1, 2) * projection.size_wh)
    assert np.all(np.isfinite(scale) & (scale > 0))


def test_impossible_boxes_are_told_from_possible_ones() -> None:
    good = standing_boxes(CAMERA, CEILING, [[0, 3.0]])[0]
    whole_room, speck = good * (1, 1, 12, 8, 1), good * (1, 1, 0.02, 0.02, 1)
    broken = np.array([np.nan, 0, 5, 5, 0])
    flat = good * (1, 1, 0, 1, 1)
    assert plausible(CAMERA, CEILING, [good, whole_room, speck, broken, flat]).tolist() == [
        True, False, False, False, False]


def test_every_labelled_real_person_is_plausible() -> None:
    shared = Path(os.environ.get("AIPG_SHARED", Path(__file__).resolve().parents[3] / "shared"))
    folder = shared / "data" / "real_dev"
    if not folder.is_dir():
        pytest.skip(f"no real pictures at {folder}")
    for entry in json.loads((folder / "labels.json").read_text())["images"]:
        size = tuple(entry["size_wh"])
        for circle in (ImageCircle(*entry["circle_px"]), default_circle(size)):
            camera = FisheyeCamera(LensLaw("equidistant", 180), circle, size)
            boxes = np.array([p["box"] for p in entry["persons"]])
            for height in (2.5, 3.0, 5.0):
                assert plausible(camera, Mount("ceiling", height), boxes).all(), (entry["file"], height)
