"""Cars, dogs and statues: whole meshes of the right size that stand on the floor and are nobody."""

from __future__ import annotations

import numpy as np
import pytest

from rendering.animals import DOG_POSES, add_dog
from rendering.bodies import FOOT, HAIR, HEAD, THIGH, TORSO, UPPER_ARM, Bank
from rendering.cars import CAR_KINDS, add_car, random_car
from rendering.mesh import Floats, MeshBuilder, Surface, add_box, add_limb, limb_rings, turn
from rendering.stage import Stage
from rendering.statues import bust_of, statue
from rendering.textures import TextureBank

GROUPS = ("cloth", "photocloth", "floor", "wall", "desk", "screen", "shelf", "poster", "object")
TEXTURES = TextureBank(np.zeros((1, 256, 256, 3), np.uint8), {name: np.array([0]) for name in GROUPS})
AT, YAW = (1.5, -2.0, 0.0), 0.7


def _whole(out: MeshBuilder) -> tuple[Floats, Floats]:
    """Vertices in the frame of the piece and their colours, after what every thing must be."""
    vertices, faces = out.arrays()
    assert np.isfinite(vertices).all()
    assert 0 <= faces.min() <= faces.max() < len(vertices)
    assert not vertices[:, 13].any()  # the column of person ids
    assert (np.abs(np.linalg.norm(vertices[:, 3:6], axis=1) - 1) < 0.01).mean() > 0.99
    assert -0.03 < vertices[:, 2].min() < 0.03
    return np.asarray((vertices[:, :3] - AT) @ turn(YAW), np.float32), vertices[:, 9:12]


@pytest.mark.parametrize("kind", CAR_KINDS)
@pytest.mark.parametrize("boot_open", [False, True])
def test_cars_have_a_roof_over_dark_windows_and_a_lower_bonnet_in_front(kind: str, boot_open: bool) -> None:
    for seed in range(6):
        rng, out = np.random.default_rng(seed), MeshBuilder()
        shape = random_car(rng, kind)
        add_car(out, rng, shape, AT, YAW, boot_open)
        points, colours = _whole(out)
        assert 3.3 < np.ptp(points[:, 1]) < (6.3 if boot_open else 5.6)
        assert 1.5 < np.ptp(points[:, 0]) < 2.5
        on_axis = np.abs(points[:, 0]) < 0.3
        bonnet = on_axis & (points[:, 1] < -shape.long_m / 2 + 0.5)
        middle = sum(shape.roof_m) / 2 - shape.long_m / 2
        roof = on_axis & (np.abs(points[:, 1] - middle) < 0.3)
        assert points[bonnet, 2].max() < shape.belt_m + 0.05 < points[roof, 2].max() - 0.3
        assert points[roof, 2].max() == pytest.approx(shape.high_m, abs=0.07)
        panes = (points[:, 2] > shape.belt_m + 0.1) & (points[:, 2] < shape.high_m - 0.2) & (colours.max(1) < 0.3)
        assert panes.sum() > 10


def test_car_colours_differ() -> None:
    paints = set()
    for seed in range(30):
        rng, out = np.random.default_rng(seed), MeshBuilder()
        shape = random_car(rng, "hatch")
        add_car(out, rng, shape, AT, YAW)
        points, colours = _whole(out)
        paints.add(tuple(np.round(colours[points[:, 2].argmax()] * 4)))
    assert len(paints) > 5


@pytest.mark.parametrize("pose", DOG_POSES)
def test_dogs_stand_higher_than_they_sit_or_lie(pose: str) -> None:
    for seed in range(12):
        rng, out = np.random.default_rng(seed), MeshBuilder()
        shoulder = float(rng.uniform(0.22, 0.75))
        add_dog(out, rng, TEXTURES, AT, YAW, shoulder, pose)
        points, _ = _whole(out)
        size = np.ptp(points, axis=0) / shoulder
        assert 1.0 < size[1] < 2.9
        assert size[0] < 1.2
        trunk = points[(np.abs(points[:, 0]) < 0.1 * shoulder) & (np.abs(points[:, 1]) < 0.2 * shoulder)]
        low, high = {"stand": (0.8, 1.3), "sit": (0.5, 1.3), "lie": (0.3, 0.6)}[pose]
        assert low < trunk[:, 2].max() / shoulder < high


def test_limbs_are_closed_round_their_path() -> None:
    path = np.array([(0, 0, 0), (0, 0.3, 0.1), (0, 0.5, 0.6)])
    rings = limb_rings(path, (0.1, 0.2, 0.05), 0.5)
    assert np.ptp(rings[[0, -1]], axis=1).max() < 1e-6
    assert rings[2:-2].mean(1) == pytest.approx(path, abs=1e-6)
    assert np.ptp(rings[3, :, 0]) == pytest.approx(2 * 0.2 * 0.5, abs=1e-6)
    out = MeshBuilder()
    add_limb(out, path, (0.1, 0.2, 0.05), Surface())
    vertices, faces = out.arrays()
    _, point = np.unique(np.round(vertices[:, :3], 5), axis=0, return_inverse=True)
    merged = point.reshape(-1)[faces]
    edges = np.sort(np.concatenate([merged[:, [0, 1]], merged[:, [1, 2]], merged[:, [2, 0]]]), axis=1)
    _, used = np.unique(edges[edges[:, 0] != edges[:, 1]], axis=0, return_counts=True)
    assert (used % 2 == 0).all()
    assert np.abs(np.linalg.norm(vertices[:, 3:6], axis=1) - 1).max() < 0.01


def _stage(seed: int, height_m: float) -> Stage:
    out, parts = MeshBuilder(), list[int]()
    for part, size, at in ((FOOT, (0.3, 0.25, 0.1), (0, 0, 0)), (THIGH, (0.35, 0.2, 0.7), (0, 0, 0.1)),
                           (TORSO, (0.36, 0.22, 0.6), (0, 0, 0.8)), (UPPER_ARM, (0.1, 0.1, 0.6), (0.25, 0, 0.8)),
                           (HEAD, (0.18, 0.2, 0.2), (0, 0, 1.42)), (HAIR, (0.18, 0.2, 0.1), (0, 0, 1.62))):
        add_box(out, size, at, 0.0, Surface(), step_m=0.1)
        parts += [part] * (out.count - len(parts))
    vertices, faces = out.arrays()
    bank = Bank(vertices[None, :, :3].astype(np.float16), faces, np.array(parts, np.int8), np.array(["stand"]),
                np.zeros((1, 3), np.float32))
    return Stage(np.random.default_rng(seed), bank, TEXTURES, height_m)


@pytest.mark.parametrize("height_m", [2.2, 4.0])
def test_statues_stand_on_plinths_below_the_ceiling_and_are_nobody(height_m: float) -> None:
    for seed in range(15):
        stage = _stage(seed, height_m)
        statue(stage, np.array([2.0, 1.0, 0.0]))
        assert not stage.people
        assert not stage.figures.count
        vertices, _ = stage.things.arrays()
        assert not vertices[:, 13].any()
        assert 1.2 < vertices[:, 2].max() < height_m
        assert not stage.is_free(2.0, 1.0, 0.1)


def test_a_bust_is_head_and_chest_alone() -> None:
    body = _stage(1, 3.0).pick("stand")
    vertices, faces = bust_of(body)
    assert faces.max() < len(vertices) < len(body.vertices) / 2
    assert vertices[:, 2].min() == pytest.approx(0)
    assert 0.4 < vertices[:, 2].max() < 0.7
    assert np.abs(vertices[:, 0]).max() < 0.2
