"""What fills each kind of room: offices, call centres, meetings, labs, shops, warehouses, lobbies, crowds and so on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rendering import furniture as fur
from rendering.car_park import car_park
from rendering.extras import add_plant_somewhere, mannequin
from rendering.hard_cases import below, clutter
from rendering.mesh import Surface, add_box, add_quad, place
from rendering.props import add_prop
from rendering.restaurant import restaurant
from rendering.resting import resting
from rendering.soft import add_armchair, add_heap, add_soft_chair, upholstery
from rendering.stage import Stage

Vec = NDArray[np.float64]


def _workstation(stage: Stage, at: Vec, yaw: float, occupied: bool, width_m: float = 1.4) -> None:
    """Chair at `at`, desk and screens in front of it (−y before yaw)."""
    rng = stage.rng
    depth = float(rng.uniform(0.6, 0.8))
    front = float(rng.uniform(0.22, 0.42))
    centre = place(np.array([[0, -front - depth / 2, 0]], np.float32), yaw, at)[0].astype(float)
    for offset in (-0.35, 0.35):
        spot = place(np.array([[offset, -front - depth / 2, 0]], np.float32), yaw, at)[0]
        stage.take(float(spot[0]), float(spot[1]), 0.38)
    fur.add_desk(stage.things, rng, stage.textures, stage.style, centre, yaw, (width_m, depth))
    back = -front - depth * 0.72
    kind = rng.choice(["one", "two", "laptop", "none"], p=[0.5, 0.2, 0.2, 0.1])
    xs = {"one": [rng.normal(0, 0.15)], "two": [-0.3, 0.3], "laptop": [], "none": []}[str(kind)]
    width = float(rng.uniform(0.45, 0.65))
    for x in xs:
        spot = place(np.array([[x, back, 0.74]], np.float32), yaw, at)[0]
        fur.add_screen(stage.things, rng, stage.textures, spot, yaw + float(rng.normal(0, 0.15)), width,
                       bool(rng.random() < 0.75))
    if kind == "laptop":
        spot = place(np.array([[rng.normal(0, 0.1), -front - depth * 0.45, 0.74]], np.float32), yaw, at)[0]
        fur.add_laptop(stage.things, rng, stage.textures, spot, yaw)
    if rng.random() < 0.7:
        spot = place(np.array([[rng.normal(0, 0.05), -front - 0.2, 0.74]], np.float32), yaw, at)[0]
        add_box(stage.things, (0.42, 0.14, 0.02), spot, yaw, Surface(tint=fur.grey(rng, 0.03, 0.8)))
    stage.seat(np.asarray(at, float), yaw, occupied, ("desk", "desk", "sit"), chair=occupied or rng.random() < 0.9)


def _rows(stage: Stage, pitch_x: float, pitch_y: float, facing: bool) -> None:
    """Rows of workstations; in pairs that face each other if `facing`."""
    rng = stage.rng
    x0, x1, y0, y1 = stage.bounds
    partition = rng.random() < 0.45
    height = float(rng.uniform(1.0, 1.4))
    y = y0 + rng.uniform(1.0, 1.8)
    while y < y1 - 1.0:
        x = x0 + rng.uniform(0.8, 1.4)
        while x < x1 - 0.7:
            if rng.random() < 0.93:
                for sign in ((1, -1) if facing else (1,)):
                    spot = np.array([x, y + sign * 1.12 * facing, 0.0])
                    if y0 + 0.4 < spot[1] < y1 - 0.4 and stage.is_free(float(spot[0]), float(spot[1]), 0.15):
                        _workstation(stage, spot, 0.0 if sign > 0 else np.pi, rng.random() < stage.crowding,
                                     pitch_x - 0.05)
            x += pitch_x
        if partition and facing:
            add_box(stage.things, (x1 - x0 - 2, 0.06, height), [(x0 + x1) / 2, y, 0], 0.0, stage.style.partition)
        y += pitch_y


def office(stage: Stage) -> None:
    """Desks in rows or islands."""
    rng = stage.rng
    _rows(stage, float(rng.uniform(1.3, 1.9)), float(rng.uniform(3.4, 4.6)) if rng.random() < 0.7 else 2.2,
          bool(rng.random() < 0.7))
    _cabinets(stage, int(rng.integers(0, 6)))


def call_centre(stage: Stage) -> None:
    """Dense pairs of desks, nearly all taken."""
    stage.crowding = max(stage.crowding, 0.75)
    _rows(stage, float(stage.rng.uniform(1.1, 1.4)), float(stage.rng.uniform(3.3, 3.9)), True)
    _cabinets(stage, int(stage.rng.integers(0, 4)))


def classroom(stage: Stage) -> None:
    """Rows that all face one way."""
    _rows(stage, float(stage.rng.uniform(0.9, 1.5)), float(stage.rng.uniform(1.4, 1.9)), False)


def _cabinets(stage: Stage, count: int) -> None:
    rng = stage.rng
    x0, x1, y0, y1 = stage.bounds
    for _ in range(count):
        side = int(rng.integers(4))
        t = rng.uniform(0.1, 0.9)
        x = [x0 + 0.25, x1 - 0.25, x0 + t * (x1 - x0), x0 + t * (x1 - x0)][side]
        y = [y0 + t * (y1 - y0), y0 + t * (y1 - y0), y0 + 0.25, y1 - 0.25][side]
        yaw = [np.pi / 2, -np.pi / 2, 0.0, np.pi][side]
        if np.hypot(x, y) > 1.0 and stage.is_free(x, y, 0.2):
            stage.take(x, y, 0.45)
            stage.shelf(np.array([x, y, 0]), yaw, (float(rng.uniform(0.7, 1.6)), 0.4, float(rng.uniform(0.8, 2.0))))


def meeting(stage: Stage) -> None:
    """One long or round table with chairs around it."""
    rng = stage.rng
    stage.crowding = max(stage.crowding, 0.4)
    x0, x1, y0, y1 = stage.bounds
    along_y = (y1 - y0) > (x1 - x0)
    length = float(np.clip(max(x1 - x0, y1 - y0) - 2.6, 1.4, 4.5))
    width = float(rng.uniform(0.9, 1.5))
    yaw = (np.pi / 2 if along_y else 0.0) + float(rng.normal(0, 0.05))
    centre = np.array([(x0 + x1) / 2 + rng.normal(0, 0.3), (y0 + y1) / 2 + rng.normal(0, 0.3), 0])
    fur.add_table(stage.things, rng, stage.textures, stage.style, centre, yaw, (length, width))
    for t in np.arange(-length / 2, length / 2 + 0.1, 0.5):
        spot = place(np.array([[t, 0, 0]], np.float32), yaw, centre)[0]
        stage.take(float(spot[0]), float(spot[1]), width / 2)
    pitch = float(rng.uniform(0.62, 0.9))
    seats = [(x, s * (width / 2 + rng.uniform(0.1, 0.4)), 0.0 if s > 0 else np.pi)
             for x in np.arange(-length / 2 + 0.35, length / 2 - 0.2, pitch) for s in (-1, 1)]
    seats += [(-length / 2 - 0.3, 0.0, np.pi / 2), (length / 2 + 0.3, 0.0, -np.pi / 2)]
    for x, y, turned in seats:
        spot = place(np.array([[x, y, 0]], np.float32), yaw, centre)[0].astype(float)
        if rng.random() < 0.85:
            stage.seat(spot, yaw + turned + float(rng.normal(0, 0.15)), rng.random() < stage.crowding,
                       ("desk", "sit"))
        if rng.random() < 0.5:
            put = place(np.array([[x * 0.95, np.sign(y) * (width / 2 - 0.25), 0.74]], np.float32), yaw, centre)[0]
            fur.add_laptop(stage.things, rng, stage.textures, put, yaw + turned)
    _cabinets(stage, int(rng.integers(0, 3)))


def lab(stage: Stage) -> None:
    """Benches along the walls facing them, and a table with devices in the middle."""
    rng = stage.rng
    x0, x1, y0, y1 = stage.bounds
    sides = [("x", y0, np.pi), ("x", y1, 0.0), ("y", x0, np.pi / 2), ("y", x1, -np.pi / 2)]
    for axis, wall, _ in sides:
        if rng.random() < 0.2:
            continue
        low, high = (x0, x1) if axis == "x" else (y0, y1)
        t = low + 0.9
        while t < high - 0.8:
            inward = 1.15 if wall in {x0, y0} else -1.15
            spot = np.array([t, wall + inward, 0]) if axis == "x" else np.array([wall + inward, t, 0])
            # The worker looks at the wall: −y of its frame points outward.
            yaw = {(True, True): 0.0, (True, False): np.pi, (False, True): -np.pi / 2,
                   (False, False): np.pi / 2}[axis == "x", inward > 0]
            if stage.is_free(float(spot[0]), float(spot[1]), 0.25) and rng.random() < 0.85:
                _workstation(stage, spot, yaw, rng.random() < stage.crowding)
            t += rng.uniform(1.3, 1.8)
    centre = stage.free_spot(0.9, 0.8)
    if centre is not None:
        fur.add_table(stage.things, rng, stage.textures, stage.style, centre, float(rng.normal(0, 0.2)),
                      (float(rng.uniform(1.4, 2.6)), float(rng.uniform(0.8, 1.3))))
        stage.take(float(centre[0]), float(centre[1]), 0.9)
        for _ in range(int(rng.integers(2, 8))):
            thing = centre + np.array([rng.uniform(-0.7, 0.7), rng.uniform(-0.4, 0.4), 0.74])
            add_box(stage.things, rng.uniform(0.08, 0.45, 3), thing, float(rng.uniform(0, 6)),
                    Surface(tint=fur.grey(rng, 0.05, 0.9, 0.08)))
    for loose in stage.free_spots(int(rng.integers(0, 5)), 0.35):
        stage.seat(loose, float(rng.uniform(0, 6.28)), rng.random() < 0.3, ("sit",))


def shop(stage: Stage) -> None:
    """Low and high shelves, tables with goods, mannequins."""
    rng = stage.rng
    _cabinets(stage, int(rng.integers(4, 14)))
    for spot in stage.free_spots(int(rng.integers(3, 12)), 0.8):
        stage.take(float(spot[0]), float(spot[1]), 0.75)
        yaw = float(rng.choice([0.0, np.pi / 2]))
        if rng.random() < 0.5:
            stage.shelf(spot, yaw, (float(rng.uniform(0.9, 1.5)), float(rng.uniform(0.4, 0.7)),
                                    float(rng.uniform(0.7, 1.6))))
        elif rng.random() < 0.5:
            fur.add_boxes(stage.things, rng, stage.textures, spot, int(rng.integers(1, 7)))
        else:
            fur.add_table(stage.things, rng, stage.textures, stage.style, spot, yaw, (1.3, 0.8))
    # Few, and never dressed: at a distance a dressed one is a person, and teaching otherwise costs recall.
    for spot in stage.free_spots(int(rng.choice([0, 1, 2], p=[0.7, 0.2, 0.1])), 0.35):
        mannequin(stage, spot)


def warehouse(stage: Stage) -> None:
    """Aisles of high shelves, pallets, cartons, painted lines; many helmets and caps."""
    rng = stage.rng
    stage.helmets = float(rng.choice([0.05, 0.25, 0.6]))
    x0, x1, y0, y1 = stage.bounds
    aisle = float(rng.uniform(2.2, 4.5))
    height = float(min(rng.uniform(1.6, 3.5), stage.camera_height_m - 0.5))
    if rng.random() < 0.6:
        for x in np.arange(x0 + 0.6, x1 - 0.4, aisle + 1.0):
            for y in np.arange(y0 + 1.2, y1 - 1.2, 2.1):
                if np.hypot(x, y) > 1.6 and rng.random() < 0.85:
                    stage.shelf(np.array([x, y, 0]), np.pi / 2, (2.0, 0.9, height))
                    for offset in (-0.6, 0.0, 0.6):
                        stage.take(float(x), float(y + offset), 0.5)
    for spot in stage.free_spots(int(rng.integers(5, 22)), 0.8):
        stage.take(float(spot[0]), float(spot[1]), 0.6)
        fur.add_boxes(stage.things, rng, stage.textures, spot, int(rng.integers(1, 9)))
    yellow = Surface(tint=(0.75, 0.6, 0.1))
    for _ in range(int(rng.integers(0, 8))):
        x, y = rng.uniform(x0, x1), rng.uniform(y0, y1)
        long = (0.1, float(rng.uniform(2, 8))) if rng.random() < 0.5 else (float(rng.uniform(2, 8)), 0.1)
        long = (min(long[0], x1 - x), min(long[1], y1 - y))
        add_quad(stage.room, [x, y, 0.004], [long[0], 0, 0], [0, long[1], 0], yellow)


def lobby(stage: Stage) -> None:
    """Sofas, low tables, a counter, plants."""
    rng = stage.rng
    for spot in stage.free_spots(int(rng.integers(1, 7)), 1.0):
        yaw, width = float(rng.choice([0, 0.5, 1, 1.5]) * np.pi), float(rng.choice([0.8, 1.6, 2.1]))
        stage.take(float(spot[0]), float(spot[1]), 0.9)
        sofas = stage.models("Couch_Large1", "Couch_Large2", "Couch_Medium")
        if sofas and rng.random() < 0.5:
            add_prop(stage.things, rng, sofas[int(rng.integers(len(sofas)))], spot, yaw)
        else:
            fur.add_sofa(stage.things, stage.style, spot, yaw, width)
        for x in np.arange(-width / 2 + 0.4, width / 2, 0.6):
            if rng.random() < stage.crowding * 0.7:
                seat = place(np.array([[x, 0.05, 0.02]], np.float32), yaw, spot)[0].astype(float)
                stage.person(("sit",), seat, yaw)
    for spot in stage.free_spots(int(rng.integers(0, 4)), 0.6):
        stage.take(float(spot[0]), float(spot[1]), 0.5)
        fur.add_table(stage.things, rng, stage.textures, stage.style, spot, 0.0, (0.8, 0.6), 0.42)
    counter = stage.free_spot(1.2)
    if counter is not None and rng.random() < 0.6:
        _workstation(stage, counter, float(rng.choice([0, np.pi])), True, 2.0)
        add_box(stage.things, (2.2, 0.15, 1.05), counter + np.array([0, -1.15, 0]), 0.0, stage.style.wood)
    for _ in range(int(rng.integers(0, 6))):
        add_plant_somewhere(stage)


def crowd(stage: Stage) -> None:
    """Nothing but people, some in tight groups."""
    for group in stage.free_spots(int(stage.rng.integers(0, 4)), 0.5):
        for _ in range(int(stage.rng.integers(2, 9))):
            spot = group + np.append(stage.rng.normal(0, 0.6, 2), 0)
            if stage.is_free(float(spot[0]), float(spot[1]), 0.18):
                stage.take(float(spot[0]), float(spot[1]), 0.18)
                towards = group - spot
                stage.person(("stand",), spot, float(np.arctan2(towards[0], -towards[1])))


def empty(stage: Stage) -> None:
    """A few things only."""
    for spot in stage.free_spots(int(stage.rng.integers(0, 5)), 0.5):
        stage.seat(spot, float(stage.rng.uniform(0, 6.28)), False)


def furniture(stage: Stage) -> None:
    """A furniture shop or lounge: armchairs, sofas, padded chairs, heaps of clothes, few people."""
    rng = stage.rng
    for spot in stage.free_spots(int(rng.integers(10, 50)), 0.45):
        yaw, kind = float(rng.uniform(0, 6.28)), rng.random()
        wide = kind >= 0.75
        stage.take(float(spot[0]), float(spot[1]), 0.8 if wide else 0.4)
        if kind < 0.35:
            style = replace(stage.style, chair=upholstery(rng, stage.textures))
            add_soft_chair(stage.things, rng, style, spot, yaw, float(rng.uniform(0.4, 0.7)))
        elif kind < 0.6 or wide:
            add_armchair(stage.things, rng, upholstery(rng, stage.textures), spot, yaw,
                         float(rng.uniform(1.4, 2.3) if wide else rng.uniform(0.65, 0.95)))
            if rng.random() < 0.15 * stage.crowding:
                stage.person(("sit",), spot + np.array([0, 0, 0.03]), yaw)
        else:
            add_heap(stage.things, rng, stage.textures, spot)


FILL: dict[str, Callable[[Stage], None]] = {
    "office": office, "call_centre": call_centre, "meeting": meeting, "lab": lab, "classroom": classroom,
    "shop": shop, "warehouse": warehouse, "lobby": lobby, "crowd": crowd, "empty": empty,
    "furniture": furniture, "restaurant": restaurant, "car_park": car_park, "resting": resting, "below": below,
    "clutter": clutter}
