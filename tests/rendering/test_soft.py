"""Upholstery: whole meshes that stand on the floor, and nobody in them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from rendering.furniture import random_style
from rendering.mesh import MeshBuilder
from rendering.soft import add_armchair, add_cushion, add_heap, add_soft_chair, upholstery
from rendering.textures import TextureBank

GROUPS = ("cloth", "photocloth", "floor", "wall", "desk", "screen", "shelf", "poster")
TEXTURES = TextureBank(np.zeros((1, 256, 256, 3), np.uint8), {name: np.array([0]) for name in GROUPS})
AT, YAW = (1.5, -2.0, 0.0), 0.7


def _soft_chair(out: MeshBuilder, rng: np.random.Generator) -> None:
    add_soft_chair(out, rng, random_style(rng, TEXTURES), AT, YAW, float(rng.uniform(0.4, 0.7)))


def _armchair(out: MeshBuilder, rng: np.random.Generator) -> None:
    add_armchair(out, rng, upholstery(rng, TEXTURES), AT, YAW, float(rng.uniform(0.65, 2.3)))


def _heap(out: MeshBuilder, rng: np.random.Generator) -> None:
    add_heap(out, rng, TEXTURES, AT)


@pytest.mark.parametrize(("add", "gap_m", "height_m"), [(_soft_chair, (0, 0.05), (0.7, 2.0)),
                                                        (_armchair, (0, 0.08), (0.6, 1.3)),
                                                        (_heap, (-0.06, 0.16), (0.1, 1.2))])
def test_soft_things_stand_on_the_floor_and_are_nobody(
        add: Callable[[MeshBuilder, np.random.Generator], None], gap_m: tuple[float, float],
        height_m: tuple[float, float]) -> None:
    for seed in range(25):
        out = MeshBuilder()
        add(out, np.random.default_rng(seed))
        vertices, faces = out.arrays()
        assert len(vertices) > 100
        assert np.isfinite(vertices).all()
        assert 0 <= faces.min() <= faces.max() < len(vertices)
        assert not vertices[:, 13].any()  # the column of person ids
        # At its poles a cushion has a vertex of faces without area only.
        assert (np.abs(np.linalg.norm(vertices[:, 3:6], axis=1) - 1) < 0.01).mean() > 0.99
        assert gap_m[0] <= vertices[:, 2].min() < gap_m[1]
        assert height_m[0] < vertices[:, 2].max() < height_m[1]
        assert np.hypot(*(vertices[:, :2] - AT[:2]).T).max() < 1.4


def test_cushions_face_outward() -> None:
    for seed in range(10):
        out = MeshBuilder()
        rng = np.random.default_rng(seed)
        add_cushion(out, rng, (0.6, 0.5, 0.3), (0, 0, 1), upholstery(rng, TEXTURES), pitch_rad=0.3, yaw_rad=1.0)
        vertices, _ = out.arrays()
        assert (((vertices[:, :3] - (0, 0, 1)) * vertices[:, 3:6]).sum(1) > 0).mean() > 0.98
