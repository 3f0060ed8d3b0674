"""Headgear goes where the head goes, and warehouses are full of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rendering.bodies import FOOT, HAIR, HAND, HEAD, TORSO, Bank
from rendering.layouts import warehouse
from rendering.mesh import MeshBuilder, vertex_normals
from rendering.people import Body, add_person, random_outfit
from rendering.poses import rotations
from rendering.stage import Stage
from rendering.textures import TextureBank

GROUPS = ("cloth", "photocloth", "floor", "wall", "desk", "screen", "shelf", "poster", "object")
TEXTURES = TextureBank(np.zeros((1, 256, 256, 3), np.uint8), {name: np.array([0]) for name in GROUPS})
PARTS = np.repeat(np.array([FOOT, TORSO, HAND, HEAD, HAIR], np.int8), 40)
TURNS = [rotations({"head": angles})["head"] for angles in ((0, 0, 0), (80, 0, 0), (120, 10, 25), (-30, 20, -40))]


def _bank() -> Bank:
    rng = np.random.default_rng(4)
    foot, torso, hand = (rng.uniform((-0.2, -0.1, low), (0.2, 0.1, low + 0.2), (40, 3)) for low in (0.0, 0.6, 0.5))
    head = rng.normal(0, 1, (80, 3))
    head *= np.array([0.07, 0.09, 0.11]) / np.linalg.norm(head, axis=1, keepdims=True)
    head = head[np.argsort(head[:, 2])]
    bodies = [np.concatenate([foot, torso, hand, head @ turned.T + (0, -0.4, 1.0)]) for turned in TURNS]
    faces = np.arange(len(PARTS) // 3 * 3).reshape(-1, 3).astype(np.int32)
    return Bank(np.stack(bodies).astype(np.float16), faces, PARTS, np.array(["stand", "bend", "bend", "squat"]),
                np.zeros((4, 3), np.float32))


def test_head_turns_are_found_from_the_vertices() -> None:
    bank = _bank()
    assert np.abs(bank.head_turns - np.stack(TURNS)).max() < 0.01
    assert np.linalg.det(bank.head_turns) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("which", range(len(TURNS)))
@pytest.mark.parametrize("hat", ["helmet", "cap"])
def test_the_brim_stays_on_the_head_and_in_front_of_the_face(which: int, hat: str) -> None:
    bank = _bank()
    body = Body(bank.vertices[which].astype(np.float32), bank.faces, bank.parts, "bend",
                head_turn=bank.head_turns[which])
    rng = np.random.default_rng(2)
    outfit = replace(random_outfit(rng, TEXTURES, "bend"), hat=hat, bag="none", hat_colour=np.array([0.9, 0.8, 0.1]))
    out = MeshBuilder()
    add_person(out, body, outfit, np.zeros(3, np.float32), 0.0, 7)
    brim = out.parts[1]
    assert (brim[:, 13] == 7).all()
    assert brim[0, 9:12] == pytest.approx([0.9, 0.8, 0.1])
    local = (brim[:, :3] - (0, -0.4, 1.0)) @ TURNS[which]
    assert np.linalg.norm(local, axis=1).max() < 0.25
    assert local[:, 1].min() < -0.12  # before the face
    assert -0.02 < local[:, 2].min() <= local[:, 2].max() < 0.08  # at the forehead
    assert np.allclose(brim[:, 3:6], TURNS[which][:, 2], atol=0.01)


def test_without_its_turn_a_bent_head_gets_no_brim() -> None:
    bank = _bank()
    vertices = bank.vertices[1].astype(np.float32)
    assert np.isfinite(vertex_normals(vertices, bank.faces)).all()
    outfit = replace(random_outfit(np.random.default_rng(2), TEXTURES, "bend"), hat="cap", bag="none")
    out = MeshBuilder()
    add_person(out, Body(vertices, bank.faces, bank.parts, "bend"), outfit, np.zeros(3, np.float32), 0.0, 1)
    assert len(out.parts) == 1


def test_helmets_come_white_and_over_dark_clothes_too() -> None:
    rng = np.random.default_rng(5)
    worn = [random_outfit(rng, TEXTURES, "bend", 1.0) for _ in range(300)]
    assert {o.hat for o in worn} == {"cap", "helmet"}
    assert any(o.hat == "helmet" and o.hat_colour.min() > 0.75 and o.shirt.max() < 0.2 for o in worn)
    usual = [random_outfit(rng, TEXTURES, "bend").hat for _ in range(300)]
    assert usual.count("helmet") + usual.count("cap") < 60


def test_warehouses_ask_for_helmets() -> None:
    stage = Stage(np.random.default_rng(1), _bank(), TEXTURES, 4.0)
    assert stage.helmets == 0
    warehouse(stage)
    assert stage.helmets > 0
