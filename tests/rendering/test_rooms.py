"""Restaurants and car parks: people sit on their chairs at tables, and stand beside cars, not in them."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("moderngl", reason="rendering needs moderngl (pip install .[train])")

from rendering import rooms
from rendering.bodies import FOOT, FOREARM, HAIR, HAND, HEAD, SHIN, THIGH, TORSO, Bank
from rendering.cameras import in_mood, random_shot
from rendering.car_park import car_park
from rendering.drawing import Light
from rendering.handling import seat_height
from rendering.hard_cases import below, clutter, low_ceiling
from rendering.mesh import Floats, MeshBuilder, Surface, add_box, turn
from rendering.people import Body
from rendering.restaurant import fits, restaurant
from rendering.resting import resting
from rendering.rooms import build
from rendering.stage import Stage
from rendering.textures import TextureBank

GROUPS = ("cloth", "photocloth", "floor", "wall", "desk", "screen", "shelf", "poster", "object")
TEXTURES = TextureBank(np.zeros((1, 256, 256, 3), np.uint8), {name: np.array([0]) for name in GROUPS})
KINDS = ("stand", "walk", "push", "bend", "squat", "lie", "sit", "desk")


def _figure(seated: bool, hand_m: float) -> tuple[Floats, np.ndarray, np.ndarray]:
    out, parts = MeshBuilder(), list[int]()
    low, knee = (0.42, -0.4) if seated else (0.75, 0.0)
    for part, size, at in ((FOOT, (0.3, 0.25, 0.1), (0, knee, 0)), (SHIN, (0.3, 0.12, low - 0.1), (0, knee, 0.1)),
                           (THIGH, (0.36, 0.2 - knee, 0.14), (0, knee / 2, low)),
                           (TORSO, (0.38, 0.24, 0.5), (0, 0, low + 0.1)),
                           (FOREARM, (0.4, 0.3, 0.06), (0, -0.2, hand_m)),
                           (HAND, (0.4, 0.15, 0.06), (0, -0.4, hand_m)), (HEAD, (0.2, 0.2, 0.15), (0, 0, low + 0.6)),
                           (HAIR, (0.2, 0.2, 0.1), (0, 0, low + 0.75))):
        add_box(out, size, at, 0.0, Surface(), step_m=1.0)
        parts += [part] * (out.count - len(parts))
    vertices, faces = out.arrays()
    return vertices[:, :3], faces, np.array(parts, np.int8)


def _stage(seed: int, height_m: float = 3.2, half_m: float = 6.0) -> Stage:
    bodies = [_figure(kind in {"sit", "desk"}, 0.8) for kind in KINDS]
    bank = Bank(np.stack([v for v, _, _ in bodies]).astype(np.float16), bodies[0][1], bodies[0][2], np.array(KINDS),
                np.zeros((len(KINDS), 3), np.float32))
    stage = Stage(np.random.default_rng(seed), bank, TEXTURES, height_m)
    stage.bounds = (-half_m, half_m, -half_m, half_m)
    stage.crowding = 0.9
    return stage


def test_hands_below_a_table_top_do_not_fit_it() -> None:
    for hand_m, cut in ((0.8, 0.0), (0.6, 0.15)):
        vertices, faces, parts = _figure(True, hand_m)
        away, found = fits(Body(vertices, faces, parts, "desk"), 0.75)
        assert away == pytest.approx(0.16, abs=0.01)
        assert found == pytest.approx(cut, abs=0.01)
        assert fits(Body(vertices, faces, parts, "desk"), 0.5)[1] > 0.05  # knees in the top


def test_guests_sit_on_seats_of_their_height_before_tables() -> None:
    on_stools = 0
    for seed in range(6):
        stage = _stage(seed)
        restaurant(stage)
        guests = [p for p in stage.people if p.kind in {"sit", "desk"}]
        assert len(guests) > 5
        things, count = stage.things.arrays()[0], len(stage.bank.parts)
        figures = stage.figures.arrays()[0]
        for guest in guests:
            faces = stage.figures.arrays()[1][guest.first_face:guest.first_face + 1]
            body = figures[faces.min():faces.min() + count]
            sole = float(body[:, 2].min())
            on_stools += sole > 0.15
            near = things[np.hypot(*(things[:, :2] - guest.floor_xy_m).T) < 0.13]
            seat = near[(near[:, 2] > sole + 0.3) & (near[:, 2] < sole + 0.5)]
            assert seat[:, 2].max() == pytest.approx(sole + 0.42, abs=0.03)
            facing = turn(np.radians(guest.yaw_deg)) @ np.array([0, -0.45, 0])
            before = things[np.hypot(*(things[:, :2] - guest.floor_xy_m - facing[:2]).T) < 0.45]
            assert (np.abs(before[:, 2] - sole - 0.75) < 0.1).any()
    assert on_stools


def test_seat_height_is_that_of_the_thighs() -> None:
    vertices, faces, parts = _figure(True, 0.8)
    assert seat_height(Body(vertices, faces, parts, "sit")) == pytest.approx(0.42, abs=0.02)


@pytest.mark.parametrize("height_m", [2.3, 5.0])
def test_people_in_car_parks_stand_beside_the_cars(height_m: float) -> None:
    people = 0
    for seed in range(6):
        stage = _stage(seed, height_m, 10.0)
        car_park(stage)
        things = stage.things.arrays()[0]
        assert len(things) > 20_000  # several cars
        for person in stage.people:
            people += 1
            near = things[np.hypot(*(things[:, :2] - person.floor_xy_m).T) < 0.12]
            assert not ((near[:, 2] > 0.25) & (near[:, 2] < 1.2)).any()
    assert people > 6


@pytest.mark.parametrize("room", ["restaurant", "car_park"])
@pytest.mark.parametrize("wall", [False, True])
def test_both_rooms_are_built_whole_and_leave_the_camera_free(room: str, wall: bool) -> None:
    stage = _stage(3)
    assert build(stage, room, wall) == room
    geometry, people = stage.geometry(0.3)
    assert np.isfinite(geometry.vertices).all()
    assert set(np.unique(geometry.vertices[:, 13])) <= {0, *(p.id for p in people)}
    away = np.linalg.norm(geometry.vertices[:, :3] - (0, 0, stage.camera_height_m), axis=1)
    assert away.min() > 0.02


def test_moods_dim_and_warm_the_light() -> None:
    light = Light(np.zeros((1, 4), np.float32), (0, 0, 1), (0.4, 0.4, 0.4), (0.8, 0.8, 0.8))
    dim = in_mood(light, 0.5, 0.2)
    assert dim.ambient_rgb == pytest.approx((0.48, 0.4, 0.32))
    assert dim.sun_rgb == pytest.approx((0.24, 0.2, 0.16))
    assert in_mood(light, 1.0, 0.0).ambient_rgb == light.ambient_rgb


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_who_rests_lies_on_a_bed_or_a_mat(seed: int) -> None:
    stage = _stage(seed)
    resting(stage)
    assert sum(person.kind == "lie" for person in stage.people) >= 2
    things, _ = stage.things.arrays()
    figures, figure_faces = stage.figures.arrays()
    for person in stage.people:
        own = figures[np.unique(figure_faces[person.first_face:person.first_face + person.faces])]
        height_m = float(own[:, 2].min())
        assert -0.02 < height_m < 0.7
        under = things[(np.hypot(*(things[:, :2] - person.floor_xy_m).T) < 1.6) & (things[:, 2] <= height_m + 0.03)]
        assert under[:, 2].max() > height_m - 0.03  # nobody floats


def test_hard_cases_do_not_change_sets_made_before() -> None:
    shares = np.array(list(rooms._SHARES.values()))
    assert list(rooms._SHARES)[-2:] == ["below", "clutter"]
    assert shares[-2:].tolist() == [0.0, 0.0]  # zeros at the end leave every draw as it was


def test_people_stand_below_a_low_camera() -> None:
    near, heights = [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        shot = low_ceiling(rng, random_shot(rng))
        stage = _stage(seed, shot.mount.height_m, 3.0)
        below(stage)
        heights.append(shot.mount.height_m)
        near += [float(np.hypot(*p.floor_xy_m)) for p in stage.people]
    assert 2.2 <= min(heights) <= max(heights) <= 3.0
    assert len(near) >= 12
    assert np.mean(np.array(near) < 2.0) > 0.7


def test_clutter_is_things_and_nobody() -> None:
    for seed in range(4):
        stage = _stage(seed)
        clutter(stage)
        assert not stage.people
        assert sum(len(f) for f in stage.things.faces) > 500
