"""Restaurants, canteens, bars: laid tables with people at them, a counter with stools, waiters, coats on chairs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rendering import furniture as fur
from rendering.bodies import FOREARM, HAND, SHIN, THIGH, TORSO
from rendering.handling import seat_height
from rendering.mesh import MeshBuilder, Surface, add_box, add_cylinder, place, turn
from rendering.people import Body, random_outfit
from rendering.stage import Stage
from rendering.tableware import add_bottle, add_cloth, add_glass, add_pendant, add_stool, lay

Vec = NDArray[np.float64]
_TOP_M = 0.75


def restaurant(stage: Stage) -> None:
    """Tables for two to eight all over the room, mostly a bar, waiters between them."""
    rng = stage.rng
    stage.style = replace(stage.style, rolling=False)
    stage.mood = ((float(rng.uniform(0.45, 0.8)), float(rng.uniform(0.1, 0.3))) if rng.random() < 0.55
                  else (1.0, float(rng.uniform(-0.03, 0.1))))
    stage.crowding = max(stage.crowding, 0.3)
    if rng.random() < 0.65:
        _bar(stage)
    x0, x1, y0, y1 = stage.bounds
    yaw, round_, cloth = float(rng.choice([0, np.pi / 2])), rng.random() < 0.3, rng.random() < 0.35
    cloth_look = Surface(tint=fur.grey(rng, 0.7, 0.95) if rng.random() < 0.6 else fur.any_colour(rng, 0.1, 0.7))
    lamps = rng.random() < 0.4 and stage.camera_height_m > 2.5
    shade = Surface(tint=fur.any_colour(rng, 0.05, 0.8))
    for _ in range(int((x1 - x0) * (y1 - y0) / rng.uniform(3.0, 6.0)) + 2):
        seats = int(rng.choice([2, 4, 6, 8], p=[0.35, 0.42, 0.14, 0.09]))
        middle = stage.free_spot({2: 0.95, 4: 1.15, 6: 1.45, 8: 1.7}[seats])
        if middle is None:
            continue
        _table(stage, middle, yaw + float(rng.choice([0, np.pi / 2])) + float(rng.normal(0, 0.04)), seats,
               bool(round_), cloth_look if cloth else None)
        if lamps and np.hypot(middle[0], middle[1]) > 1.2:
            add_pendant(stage.things, rng, middle, stage.camera_height_m, min(1.9, stage.camera_height_m - 0.4), shade)
    for _ in range(int(rng.integers(0, 4))):
        _waiter(stage)


def _table(stage: Stage, middle: Vec, yaw: float, seats: int, round_: bool, cloth: Surface | None) -> None:
    """A laid table with its chairs, taken by a group or free."""
    rng, part = stage.rng, MeshBuilder()
    if round_:
        wide = {2: 0.7, 4: 1.0, 6: 1.35, 8: 1.65}[seats]
        angles = np.arange(seats) * 2 * np.pi / seats
        edges = [(float(-np.sin(a)) * wide / 2, float(np.cos(a)) * wide / 2, float(a)) for a in angles]
        add_cylinder(part, 0.04, _TOP_M - 0.04, (0, 0, 0), stage.style.metal)
        add_cylinder(part, 0.25, 0.03, (0, 0, 0), stage.style.metal)
        add_cylinder(part, wide / 2, 0.04, (0, 0, _TOP_M - 0.04), cloth or stage.style.wood, sides=24)
    else:
        wide, deep = {2: 0.7, 4: 1.25, 6: 1.85, 8: 2.4}[seats], 0.75 if seats < 4 else 0.85
        pitch = wide / (seats // 2)
        xs = (np.arange(seats // 2) + 0.5) * pitch - wide / 2
        edges = [(float(x), s * deep / 2, 0.0 if s > 0 else np.pi) for x in xs for s in (-1, 1)]
        add_box(part, (wide, deep, 0.04), (0, 0, _TOP_M - 0.04), 0.0, stage.style.wood)
        for sx in (-1, 1):
            add_box(part, (0.06, 0.06, _TOP_M - 0.04), (sx * wide * 0.4 * (seats > 2), 0, 0), 0.0, stage.style.metal)
            add_box(part, (0.06, deep * 0.7, 0.03), (sx * wide * 0.4 * (seats > 2), 0, 0), 0.0, stage.style.metal)
        if cloth:
            add_cloth(part, cloth, (wide, deep), _TOP_M + 0.003, float(rng.uniform(0.12, 0.3)))
    used = bool(rng.random() < stage.crowding)
    settings = [(x, y, float(np.sin(a)), float(-np.cos(a))) for x, y, a in edges]
    lay(part, rng, settings, _TOP_M + 0.005, used, 0.08 * wide)
    stage.things.join(part, turn(yaw), middle)
    for x in np.linspace(-wide / 2, wide / 2, max(1, seats // 2)) * 0.6:
        spot = place(np.array([[x, 0, 0]], np.float32), yaw, middle)[0]
        stage.take(float(spot[0]), float(spot[1]), 0.4 if not round_ else wide / 2)
    for x, y, a in edges:
        edge = place(np.array([[x, y, 0]], np.float32), yaw, middle)[0].astype(float)
        _chair(stage, edge, yaw + a, used and rng.random() < 0.88)


def fits(body: Body, top_m: float = _TOP_M, lift_m: float = 0.0) -> tuple[float, float]:
    """Of somebody seated, how far the edge of a table is from the hips; how deep the limbs beyond it cut the top."""
    v, parts = body.vertices + np.array([0, 0, lift_m], np.float32), body.parts
    belly = v[(parts == TORSO) & (np.abs(v[:, 2] - top_m - 0.05) < 0.15)]
    away = float(np.clip(0.04 - belly[:, 1].min(initial=-0.12), 0.14, 0.5))
    beyond = v[:, 1] < -away
    arms = v[np.isin(parts, (FOREARM, HAND)) & beyond & (np.abs(v[:, 0]) < 0.5)]
    legs = v[np.isin(parts, (THIGH, SHIN)) & beyond]
    cut = max(top_m - float(arms[:, 2].min(initial=9.0)), float(legs[:, 2].max(initial=0.0)) - top_m + 0.04, 0.0)
    return away, cut


def _diner(stage: Stage, top_m: float = _TOP_M, seat_m: float | None = None) -> tuple[Body, float, float]:
    """Somebody whose arms and knees fit a table: body, distance of the hips from its edge, lift above the floor."""
    best = None
    for _ in range(8):
        body = stage.pick("desk", "sit")
        lift = 0.0 if seat_m is None else max(seat_m - seat_height(body), 0.0)
        away, cut = fits(body, top_m, lift)
        if best is None or cut < best[0]:
            best = (cut, body, away, lift)
        if cut < 0.02:
            break
    assert best is not None
    return best[1:]


def _chair(stage: Stage, edge: Vec, yaw: float, occupied: bool) -> None:
    """A chair before a table's edge; who sits there looks at the table (−y of yaw)."""
    rng, seat_m, body = stage.rng, 0.45, None
    away = float(rng.uniform(0.0, 0.45))
    if occupied:
        body, away, _ = _diner(stage)
    spot = edge + turn(yaw).astype(float) @ np.array([0, away, 0])
    x0, x1, y0, y1 = stage.bounds
    if not (x0 + 0.25 < spot[0] < x1 - 0.25 and y0 + 0.25 < spot[1] < y1 - 0.25):
        return
    stage.take(float(spot[0]), float(spot[1]), 0.3)
    if body is not None and stage.person(body, spot, yaw + float(rng.normal(0, 0.04))):
        seat_m = float(np.clip(seat_height(body), 0.34, 0.55))
    spin = yaw + float(rng.normal(0, 0.06 if occupied else 0.3))
    fur.add_chair(stage.things, rng, stage.style, spot, spin, seat_m)
    if rng.random() < (0.15 if occupied else 0.3):
        fur.add_jacket(stage.things, rng, stage.textures, spot, spin)


def _bar(stage: Stage) -> None:
    """A high counter along a wall: stools and guests before it, bottles and a barkeeper behind it."""
    rng, (x0, x1, y0, y1) = stage.rng, stage.bounds
    side = int(rng.integers(4))
    along = (x1 - x0) if side < 2 else (y1 - y0)
    long, seat_m = float(min(rng.uniform(2.5, 6.0), along - 1.5)), float(rng.uniform(0.68, 0.8))
    wall = np.array([((x0 + x1) / 2, y0, 0), ((x0 + x1) / 2, y1, 0), (x0, (y0 + y1) / 2, 0),
                     (x1, (y0 + y1) / 2, 0)][side])
    # Its own frame: guests look towards −y, where the wall is; the barkeeper stands between.
    yaw = (0.0, np.pi, -np.pi / 2, np.pi / 2)[side]
    top, part = seat_m + 0.31, MeshBuilder()
    add_box(part, (long, 0.45, top - 0.04), (0, 1.55, 0), 0.0, stage.style.wood)
    add_box(part, (long + 0.1, 0.65, 0.05), (0, 1.6, top - 0.05), 0.0, stage.style.top)
    for x in np.arange(-long / 2 + 0.2, long / 2, 0.35):
        if rng.random() < 0.5:
            (add_bottle if rng.random() < 0.3 else add_glass)(part, rng, (x, 1.6 + rng.normal(0, 0.12), top))
    for level in (1.0, 1.35, 1.7):
        if level < stage.camera_height_m - 0.5:
            add_box(part, (long, 0.25, 0.03), (0, 0.15, level), 0.0, stage.style.wood)
            for x in np.arange(-long / 2 + 0.1, long / 2, 0.11):
                if rng.random() < 0.8:
                    add_bottle(part, rng, (x, 0.15 + rng.normal(0, 0.03), level + 0.03))
    stage.things.join(part, turn(yaw), wall)
    for x in np.arange(-long / 2, long / 2 + 0.1, 0.5):
        for y in (0.3, 0.9, 1.6):
            spot = place(np.array([[x, y, 0]], np.float32), yaw, wall)[0]
            stage.take(float(spot[0]), float(spot[1]), 0.4)
    for x in np.arange(-long / 2 + 0.4, long / 2 - 0.2, float(rng.uniform(0.6, 0.8))):
        _stool(stage, place(np.array([[x, 1.92, 0]], np.float32), yaw, wall)[0].astype(float), yaw, seat_m, top)
    for _ in range(int(rng.integers(0, 3))):
        behind = place(np.array([[rng.uniform(-0.4, 0.4) * long, 0.85, 0]], np.float32), yaw, wall)[0].astype(float)
        stage.person(("stand",), behind, yaw + np.pi + float(rng.normal(0, 0.5)))


def _stool(stage: Stage, edge: Vec, yaw: float, seat_m: float, top_m: float) -> None:
    rng, away = stage.rng, float(stage.rng.uniform(0.05, 0.35))
    if rng.random() < stage.crowding * 0.8:
        body, away, lift = _diner(stage, top_m, seat_m)
        stage.person(body, edge + turn(yaw).astype(float) @ np.array([0, away, lift]), yaw)
    spot = edge + turn(yaw).astype(float) @ np.array([0, away, 0])
    stage.take(float(spot[0]), float(spot[1]), 0.25)
    add_stool(stage.things, rng, spot, seat_m, stage.style.chair, stage.style.metal)


def _waiter(stage: Stage) -> None:
    """Somebody in black and white among the tables, some with a tray in their hands."""
    rng, spot = stage.rng, stage.free_spot(0.22)
    if spot is None:
        return
    body = stage.pick("stand", "walk")
    for _ in range(6):
        hands = body.vertices[body.parts == HAND]
        if hands[:, 2].mean() > 0.55 * float(body.vertices[:, 2].max()) and hands[:, 1].mean() < -0.15:
            break
        body = stage.pick("stand", "walk")
    dark, light = np.full(3, rng.uniform(0.03, 0.1)), np.full(3, rng.uniform(0.75, 0.93))
    outfit = replace(random_outfit(rng, stage.textures, body.kind), bag="none", hat="none", trousers=dark,
                     shirt=light if rng.random() < 0.6 else dark, shirt_layer=0, shorts=False)
    yaw = float(rng.uniform(0, 6.28))
    if not stage.person(body, spot, yaw, outfit):
        return
    stage.take(float(spot[0]), float(spot[1]), 0.22)
    hands = body.vertices[body.parts == HAND]
    if hands[:, 2].mean() > 0.8 and hands[:, 1].mean() < -0.15:
        middle = np.append(hands.mean(0)[:2] - [0, 0.08], hands[:, 2].max())
        at = place(middle[None].astype(np.float32), yaw, spot)[0]
        add_cylinder(stage.things, 0.19, 0.015, at, Surface(tint=fur.grey(rng, 0.1, 0.7)))
        for _ in range(int(rng.integers(1, 5))):
            add_glass(stage.things, rng, at + np.append(rng.normal(0, 0.07, 2), 0.015))
