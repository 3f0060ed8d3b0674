"""Wheelchairs, ladders and carts: things that stand on the floor, are nobody, and fit who uses them."""

from __future__ import annotations

import numpy as np
import pytest

from rendering.bodies import FOOT, HAIR, HAND, HEAD, THIGH, TORSO, Bank
from rendering.carts import CARTS, add_cart
from rendering.equipment import add_ladder, add_wheelchair
from rendering.handling import cart, ladder, wheelchair
from rendering.mesh import Floats, MeshBuilder, Surface, add_box, add_rods, turn
from rendering.stage import Stage
from rendering.textures import TextureBank

GROUPS = ("cloth", "photocloth", "floor", "wall", "desk", "screen", "shelf", "poster", "object")
TEXTURES = TextureBank(np.zeros((1, 256, 256, 3), np.uint8), {name: np.array([0]) for name in GROUPS})
AT, YAW = (1.5, -2.0, 0.0), 0.7


def _whole(out: MeshBuilder) -> Floats:
    """Vertices in the frame of the piece, after what every thing must be."""
    vertices, faces = out.arrays()
    assert np.isfinite(vertices).all()
    assert 0 <= faces.min() <= faces.max() < len(vertices)
    assert not vertices[:, 13].any()  # the column of person ids
    assert np.abs(np.linalg.norm(vertices[:, 3:6], axis=1) - 1).max() < 0.01
    assert -0.03 < vertices[:, 2].min() < 0.03
    return np.asarray((vertices[:, :3] - AT) @ turn(YAW), np.float32)


@pytest.mark.parametrize("kind", CARTS)
def test_carts_have_their_handle_where_the_hands_are_and_the_rest_in_front(kind: str) -> None:
    for seed in range(12):
        out = MeshBuilder()
        add_cart(out, np.random.default_rng(seed), TEXTURES, kind, AT, YAW, 1.05)
        points = _whole(out)
        assert (np.linalg.norm(points[:, 1:] - (0, 1.05), axis=1) < 0.06).any()
        assert points[:, 1].max() < 0.15
        assert -2.2 < points[:, 1].min() < -0.5
        assert np.abs(points[:, 0]).max() < 0.6


def test_wheelchairs_carry_a_seat_under_the_hips_and_plates_under_the_feet() -> None:
    for seed in range(12):
        out = MeshBuilder()
        add_wheelchair(out, np.random.default_rng(seed), AT, YAW, 0.5, 0.95, (-0.5, 0.1))
        points = _whole(out)
        near = np.hypot(points[:, 0], points[:, 1]) < 0.15
        assert points[near][:, 2].max() == pytest.approx(0.5, abs=0.01)
        plates = np.abs(points[:, 1] + 0.5) < 0.05
        assert points[plates][:, 2].max() < 0.2
        assert 0.95 < points[:, 2].max() < 1.0


@pytest.mark.parametrize("folding", [True, False])
def test_a_ladder_has_a_rung_below_each_step_of_its_line(folding: bool) -> None:
    out = MeshBuilder()
    add_ladder(out, np.random.default_rng(1), AT, YAW, 2.0, 0.3, 0.27, folding)
    points = _whole(out)
    assert points[:, 2].max() == pytest.approx(2.0, abs=0.05)
    for z in np.arange(1, 7) * 0.27:
        rung = (np.abs(points[:, 1] + z * np.tan(0.3)) < 0.06) & (points[:, 2] > z - 0.05) & (points[:, 2] < z + 0.005)
        assert rung.any()


def test_rods_end_where_they_are_told_and_joining_turns_normals() -> None:
    part, out = MeshBuilder(), MeshBuilder()
    add_rods(part, [(0, 0, 0), (0, 0, 1), (1, 0, 1)], 0.01, Surface())
    out.join(part, turn(np.pi / 2), (5, 5, 0))
    vertices, faces = out.arrays()
    assert vertices[:, :3].max(0) == pytest.approx([5.01, 6, 1.01], abs=1e-3)
    assert np.abs((vertices[:, 3:6] ** 2).sum(1) - 1).max() < 1e-5
    assert faces.max() < len(vertices)


def _figure(hand: tuple[float, float, float], high_foot_m: float) -> tuple[Floats, np.ndarray, np.ndarray]:
    out, parts = MeshBuilder(), list[int]()
    for part, size, at in ((FOOT, (0.1, 0.25, 0.1), (0.12, 0, 0)),
                           (FOOT, (0.1, 0.25, 0.1), (-0.12, -0.08, high_foot_m)),
                           (THIGH, (0.4, 0.2, 0.4), (0, 0, 0.45)), (TORSO, (0.4, 0.25, 0.6), (0, 0, 0.85)),
                           (HEAD, (0.2, 0.2, 0.15), (0, 0, 1.45)), (HAIR, (0.2, 0.2, 0.1), (0, 0, 1.6)),
                           (HAND, (0.1, 0.1, 0.1), (0.2, *hand[1:])), (HAND, (0.1, 0.1, 0.1), (-0.2, *hand[1:]))):
        add_box(out, size, at, 0.0, Surface(), step_m=1.0)
        parts += [part] * (out.count - len(parts))
    vertices, faces = out.arrays()
    return vertices[:, :3], faces, np.array(parts, np.int8)


def _stage(seed: int, height_m: float = 4.0) -> Stage:
    bodies = [_figure((0, -0.3, 0.6), 0.0), _figure((0, -0.45, 1.0), 0.0), _figure((0, -0.4, 1.2), 0.26)]
    bank = Bank(np.stack([v for v, _, _ in bodies]).astype(np.float16), bodies[0][1], bodies[0][2],
                np.array(["sit", "push", "climb"]), np.zeros((3, 3), np.float32))
    return Stage(np.random.default_rng(seed), bank, TEXTURES, height_m)


def test_who_pushes_has_both_hands_at_the_handle_and_stands_behind() -> None:
    pushed = 0
    for seed in range(20):
        stage = _stage(seed)
        cart(stage, "shop")
        for person in stage.people:
            pushed += 1
            assert person.kind == "push"
            figures, things = stage.figures.arrays()[0], stage.things.arrays()[0]
            hands = figures[: len(stage.bank.parts)][stage.bank.parts == HAND][:, :3]
            assert np.linalg.norm(things[:, None, :3] - hands[None], axis=2).min() < 0.12
            away = things[:, :2].mean(0) - person.floor_xy_m
            facing = turn(np.radians(person.yaw_deg)) @ np.array([0, -1, 0])
            assert away @ facing[:2] > 0.5
    assert 5 < pushed < 20


def test_climbers_stand_on_a_rung_below_the_ceiling() -> None:
    climbed = 0
    for seed in range(20):
        stage = _stage(seed)
        stage.shelf(np.array([2.0, 0.0, 0.0]), 0.0, (2.0, 0.6, 2.2))
        shelf = stage.things.count
        ladder(stage)
        things = stage.things.arrays()[0][shelf:]
        assert not len(things) or things[:, 2].max() < stage.camera_height_m
        for person in stage.people:
            climbed += 1
            body = stage.figures.arrays()[0][: len(stage.bank.parts)]
            feet = body[stage.bank.parts == FOOT][:, :3]
            sole = feet[feet[:, 2] < feet[:, 2].min() + 0.01]
            assert sole[0, 2] > 0.2
            assert np.linalg.norm(things[:, :3] - sole.mean(0), axis=1).min() < 0.2
            assert body[:, 2].max() < stage.camera_height_m
            assert person.kind == "climb"
    assert 8 < climbed < 20


def test_a_low_ceiling_leaves_the_ladder_empty() -> None:
    for seed in range(5):
        stage = _stage(seed, 1.8)
        ladder(stage)
        assert not stage.people


def test_wheelchairs_are_mostly_taken_and_sometimes_pushed() -> None:
    kinds: list[str] = []
    for seed in range(30):
        stage = _stage(seed)
        wheelchair(stage)
        assert stage.things.count
        kinds += [p.kind for p in stage.people]
    assert 20 <= kinds.count("sit") < 30
    assert 3 < kinds.count("push") < 20


def test_a_bank_without_the_pose_says_how_to_make_it_again() -> None:
    with pytest.raises(ValueError, match=r"-m rendering bodies"):
        _stage(1).pick("lie")
