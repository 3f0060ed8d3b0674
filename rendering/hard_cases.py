"""Rooms of what the detector gets wrong: people straight below a low camera, and things that are taken for people.

Neither is among the random kinds of rooms (their share is 0), so that sets made before come out the same; they are
asked for by name.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from aipg_plugin.geometry.mount import Mount
from aipg_plugin.options import MountKind
from rendering import furniture as fur
from rendering.cameras import MountedCamera
from rendering.extras import add_plant_somewhere, mannequin
from rendering.mesh import Surface, add_box, place, turn
from rendering.soft import add_armchair, add_heap, add_soft_chair, upholstery
from rendering.stage import Rng, Stage

Vec = NDArray[np.float64]
LOW_M = (2.2, 3.0)  # camera heights at which the crown of a head is the most that is seen of a person


def low_ceiling(rng: Rng, shot: MountedCamera) -> MountedCamera:
    """The same camera on a low ceiling."""
    return replace(shot, mount=Mount(MountKind.CEILING, float(rng.uniform(*LOW_M))))


def below(stage: Stage) -> None:
    """Most people within two metres of the point below the camera: in groups, at desks, behind a counter, lying."""
    rng = stage.rng
    what = str(rng.choice(["desks", "counter", "sofa", "nothing"], p=[0.35, 0.25, 0.15, 0.25]))
    yaw = float(rng.uniform(0, 6.28))
    spot = turn(yaw) @ np.array([float(rng.normal(0, 0.5)), float(rng.uniform(-0.4, 1.0)), 0.0])
    if what == "desks":
        _desks(stage, spot, yaw)
    elif what == "counter":
        _counter(stage, spot, yaw)
    elif what == "sofa":
        _sofa(stage, spot, yaw)
    for _ in range(int(rng.integers(2, 10))):
        place_here = stage.free_spot(0.22, float(rng.uniform(0.5, 1.4)))
        if place_here is None:
            continue
        kind = str(rng.choice(["stand", "walk", "bend", "squat", "push", "lie"], p=[0.4, 0.24, 0.14, 0.1, 0.06, 0.06]))
        if len(stage.bank.of(kind)) and stage.person((kind,), place_here, float(rng.uniform(0, 6.28))):
            stage.take(float(place_here[0]), float(place_here[1]), 0.5 if kind == "lie" else 0.22)


def _desks(stage: Stage, spot: Vec, yaw: float) -> None:
    """Two to four people at desks that stand together, monitors between them and the camera."""
    rng = stage.rng
    width = float(rng.uniform(1.2, 1.6))
    for i in range(int(rng.integers(1, 3))):
        for sign in (1, -1):
            seat = spot + turn(yaw) @ np.array([(i - 0.5) * width, sign * 0.75, 0.0])
            facing = yaw if sign > 0 else yaw + np.pi
            desk = spot + turn(yaw) @ np.array([(i - 0.5) * width, sign * 0.32, 0.0])
            fur.add_desk(stage.things, rng, stage.textures, stage.style, desk, facing, (width - 0.05, 0.62))
            screen = place(np.array([[float(rng.normal(0, 0.1)), -0.15, 0.74]], np.float32), facing, desk)[0]
            fur.add_screen(stage.things, rng, stage.textures, screen, facing, float(rng.uniform(0.45, 0.7)))
            stage.seat(seat, facing, bool(rng.random() < 0.8), ("desk", "desk", "sit"))


def _counter(stage: Stage, spot: Vec, yaw: float) -> None:
    """A counter with somebody behind it and a monitor that hides part of them."""
    rng = stage.rng
    height = float(rng.uniform(0.9, 1.2))
    add_box(stage.things, (float(rng.uniform(1.6, 3.0)), 0.5, height), spot, yaw, stage.style.wood)
    on_top = spot + np.array([0, 0, height])
    fur.add_screen(stage.things, rng, stage.textures, on_top, yaw, float(rng.uniform(0.4, 0.6)))
    stage.take(float(spot[0]), float(spot[1]), 0.5)
    for x in rng.uniform(-0.7, 0.7, int(rng.integers(1, 3))):
        behind = spot + turn(yaw) @ np.array([float(x), 0.6, 0.0])
        stage.person(("stand",), behind, yaw + float(rng.normal(0, 0.3)))
        stage.take(float(behind[0]), float(behind[1]), 0.25)


def _sofa(stage: Stage, spot: Vec, yaw: float) -> None:
    """A sofa with somebody who sits or lies on it."""
    rng = stage.rng
    add_armchair(stage.things, rng, upholstery(rng, stage.textures), spot, yaw, float(rng.uniform(1.7, 2.3)))
    stage.take(float(spot[0]), float(spot[1]), 0.8)
    if rng.random() < 0.5:
        stage.person(("lie",), spot + np.array([0, 0, 0.42]), yaw + np.pi / 2)
    else:
        stage.person(("sit",), spot + np.array([0, 0, 0.03]), yaw)


def clutter(stage: Stage) -> None:
    """Chairs with coats, heaps of clothes, printers, screens, plants and cartons; hardly anybody."""
    rng = stage.rng
    for spot in stage.free_spots(int(rng.integers(12, 40)), 0.4):
        yaw = float(rng.uniform(0, 6.28))
        stage.take(float(spot[0]), float(spot[1]), 0.38)
        kind = str(rng.choice(["chair", "soft", "armchair", "rack", "heap", "printer", "screen", "boxes", "mannequin"],
                              p=[0.24, 0.2, 0.12, 0.08, 0.1, 0.1, 0.07, 0.07, 0.02]))
        if kind in {"chair", "soft"}:
            style = replace(stage.style, chair=upholstery(rng, stage.textures)) if rng.random() < 0.6 else stage.style
            (add_soft_chair if kind == "soft" else fur.add_chair)(stage.things, rng, style, spot, yaw)
            if rng.random() < 0.6:
                fur.add_jacket(stage.things, rng, stage.textures, spot, yaw)
        elif kind == "armchair":
            add_armchair(stage.things, rng, upholstery(rng, stage.textures), spot, yaw, float(rng.uniform(0.65, 0.95)))
        elif kind == "rack":
            fur.add_coat_rack(stage.things, rng, stage.textures, stage.style, spot)
        elif kind == "heap":
            add_heap(stage.things, rng, stage.textures, spot, float(rng.uniform(0.0, 0.5)))
        elif kind == "printer":
            _printer(stage, spot, yaw)
        elif kind == "screen":
            _screen_with_people(stage, spot, yaw)
        elif kind == "boxes":
            fur.add_boxes(stage.things, rng, stage.textures, spot, int(rng.integers(2, 7)))
        else:
            mannequin(stage, spot)
    for _ in range(int(rng.integers(0, 5))):
        add_plant_somewhere(stage)


def _printer(stage: Stage, spot: Vec, yaw: float) -> None:
    """A printer that stands on the floor: a body, a dark glass lid, a tray with paper."""
    rng, out = stage.rng, stage.things
    body, dark = Surface(tint=fur.grey(rng, 0.5, 0.95)), Surface(tint=fur.grey(rng, 0.02, 0.2))
    w, d, h = float(rng.uniform(0.45, 0.7)), float(rng.uniform(0.45, 0.7)), float(rng.uniform(0.5, 1.15))
    add_box(out, (w, d, h), spot, yaw, body)
    add_box(out, (w * 0.9, d * 0.8, 0.05), spot + np.array([0, 0, h]), yaw, dark)
    tray = spot + turn(yaw) @ np.array([w / 2 + 0.12, 0.0, h * 0.7])
    add_box(out, (0.25, d * 0.6, 0.03), tray, yaw, Surface(tint=(0.95, 0.95, 0.95)))


def _screen_with_people(stage: Stage, spot: Vec, yaw: float) -> None:
    """A display on a stand that shows a photograph, some of them of people."""
    rng, out = stage.rng, stage.things
    w, h, foot = float(rng.uniform(0.7, 1.4)), float(rng.uniform(0.45, 0.9)), float(rng.uniform(0.6, 1.1))
    dark = Surface(tint=fur.grey(rng, 0.02, 0.15))
    picture = Surface(stage.textures.pick(rng, "poster"), (0.95, 0.95, 0.95), 1.0, 0.6)
    add_box(out, (0.08, 0.08, foot), spot, yaw, dark)
    add_box(out, (w, 0.05, h), spot + np.array([0, 0, foot]), yaw, dark)
    front = spot + turn(yaw) @ np.array([0.0, 0.04, foot + 0.02])
    add_box(out, (w - 0.04, 0.01, h - 0.04), front, yaw, picture, step_m=0.3)
