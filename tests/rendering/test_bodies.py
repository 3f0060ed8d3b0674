"""Poses, and the bodies made from them."""

from __future__ import annotations

import numpy as np
import pytest

from rendering.poses import KINDS, random_pose, rotations, walk_cycle


@pytest.mark.parametrize("kind", KINDS)
def test_every_pose_is_made_of_rotations(kind: str) -> None:
    for matrix in rotations(random_pose(np.random.default_rng(1), kind)).values():
        assert np.allclose(matrix @ matrix.T, np.eye(3))
        assert np.linalg.det(matrix) == pytest.approx(1)


def test_a_walking_cycle_closes_and_its_legs_swap() -> None:
    base = random_pose(np.random.default_rng(2), "stand")
    assert all(np.allclose(walk_cycle(base, 0.0)[b], walk_cycle(base, 1.0)[b]) for b in base)
    early, late = walk_cycle(base, 0.2), walk_cycle(base, 0.7)
    assert early["upperleg01.L"] == pytest.approx(late["upperleg01.R"])


def test_bodies_stand_on_the_floor_and_sit_with_knees_in_front() -> None:
    pytest.importorskip("anny", reason="posing bodies needs anny (pip install .[train])")
    from rendering.bodies import SHIN, BodyModel, random_shape, settle

    model = BodyModel()
    assert model.faces.max() < len(model.parts) < 6000
    assert set(np.unique(model.parts)) == set(range(1, 10))
    rng = np.random.default_rng(3)
    shape = random_shape(rng)
    standing, _ = settle(model.pose(random_pose(rng, "stand"), shape), model.parts, "stand")
    seated, hip = settle(model.pose(random_pose(rng, "desk"), shape), model.parts, "desk")
    assert standing[:, 2].min() == pytest.approx(0, abs=1e-4)
    assert 1.2 < standing[:, 2].max() < 2.1
    assert seated[:, 2].max() < 0.85 * standing[:, 2].max()
    assert seated[model.parts == SHIN][:, 1].mean() < -0.15
    assert 0.2 < hip[2] < 0.6


def test_who_pushes_climbs_and_kneels_has_hands_and_knees_where_they_belong() -> None:
    pytest.importorskip("anny", reason="posing bodies needs anny (pip install .[train])")
    from rendering.bodies import HAND, HEAD, SHIN, BodyModel, random_shape, settle

    model = BodyModel()
    hand, head, shin = (model.parts == part for part in (HAND, HEAD, SHIN))
    folded = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        shape = random_shape(rng) | {"age": 0.7}
        pushing, climbing, bending = (settle(model.pose(random_pose(rng, kind), shape), model.parts, kind)[0]
                                      for kind in ("push", "climb", "bend"))
        assert 0.7 < pushing[hand, 2].mean() < 1.35
        assert pushing[hand, 1].mean() < -0.25
        assert climbing[hand, 2].mean() > 1.05
        assert climbing[hand, 1].mean() < 0
        assert bending[head, 2].mean() < pushing[head, 2].mean()
        folded += bool(bending[head, 2].mean() < 0.65 * pushing[head, 2].mean() or np.ptp(bending[shin, 2]) < 0.35)
    assert folded >= 3


def test_who_lies_lies_flat_on_back_face_or_side() -> None:
    pytest.importorskip("anny", reason="posing bodies needs anny (pip install .[train])")
    from rendering.bodies import FOOT, HEAD, TORSO, BodyModel, random_shape, settle

    model = BodyModel()
    head, torso, foot = (model.parts == part for part in (HEAD, TORSO, FOOT))
    rng = np.random.default_rng(5)
    body = model.pose({}, random_shape(rng) | {"age": 0.7})
    nose = np.flatnonzero(head)[body[head, 1].argmin()]  # who stands faces −y
    for roll_deg, faces_to in ((0, (0, 1)), (180, (0, -1)), (90, (1, 0)), (-90, (-1, 0))):
        lying, _ = settle(body, model.parts, "lie", roll_deg)
        assert lying[:, 2].min() == pytest.approx(0, abs=1e-4)
        assert lying[head, 1].mean() > 0.5 > -0.4 > lying[foot, 1].mean()
        assert lying[torso, 2].max() < 0.75
        ahead = (lying[nose] - lying[head].mean(0))[[0, 2]]
        assert ahead @ faces_to > 0.06, roll_deg
