"""Random rooms and who is in them: offices, call centres, meetings, labs, shops, warehouses, lobbies, crowds,
restaurants, car parks, wards and gyms.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rendering import furniture as fur
from rendering.extras import distractors, scatter_people
from rendering.handling import equip
from rendering.layouts import FILL
from rendering.mesh import Surface, add_box, add_quad
from rendering.stage import Stage

Vec = NDArray[np.float64]
_SHARES = {"office": 0.15, "call_centre": 0.085, "meeting": 0.11, "lab": 0.085, "classroom": 0.04, "shop": 0.07,
           "warehouse": 0.075, "lobby": 0.05, "crowd": 0.035, "empty": 0.025, "furniture": 0.085, "restaurant": 0.075,
           "car_park": 0.075, "resting": 0.04, "below": 0.0, "clutter": 0.0}
_SIZES = {"office": (4, 12), "call_centre": (7, 14), "meeting": (3.5, 7), "lab": (4, 9), "classroom": (6, 11),
          "shop": (6, 14), "warehouse": (10, 22), "lobby": (5, 13), "crowd": (5, 12), "empty": (3, 10),
          "furniture": (5, 13), "restaurant": (6, 14), "car_park": (12, 26),
          "resting": (4.5, 12), "below": (3.5, 8), "clutter": (3.5, 10)}
_WALKERS = {"office": 2.5, "call_centre": 3, "meeting": 1.5, "lab": 2, "classroom": 2, "shop": 7, "warehouse": 4,
            "lobby": 6, "crowd": 28, "empty": 3, "furniture": 3, "restaurant": 3, "car_park": 7, "resting": 1.5,
            "below": 2, "clutter": 0.6}
_ON_WALLS = ("window", "poster", "door", "board", "nothing")


def build(stage: Stage, kind: str | None, wall_mount: bool) -> str:
    """Fill a stage with a random room; returns the room's kind."""
    rng = stage.rng
    kind = kind or str(rng.choice(list(_SHARES), p=list(_SHARES.values())))
    low, high = _SIZES[kind]
    w, d = rng.uniform(low, high, 2)
    cx, cy = rng.uniform(-0.3, 0.3) * w, rng.uniform(-0.3, 0.3) * d
    stage.bounds = (cx - w / 2, cx + w / 2, cy - d / 2, cy + d / 2)
    if wall_mount:
        stage.bounds = (cx - w / 2, cx + w / 2, -0.05, d)
    stage.crowding = float(rng.choice([0.15, 0.45, 0.7, 0.92]))
    stage.soft = bool(rng.random() < 0.5)
    shell(stage, kind)
    FILL[kind](stage)
    equip(stage, kind)
    scatter_people(stage, int(rng.poisson(_WALKERS[kind] * (0.3 + stage.crowding))))
    if kind != "car_park" or rng.random() < 0.4:
        distractors(stage)
    return kind


def shell(stage: Stage, kind: str) -> None:
    """Floor, walls, ceiling with lamps, windows, doors, posters, columns."""
    rng, tex, out = stage.rng, stage.textures, stage.room
    x0, x1, y0, y1 = stage.bounds
    ceiling = stage.camera_height_m + rng.uniform(0.03, 0.15)
    concrete = kind == "car_park" and rng.random() < 0.8
    floor = Surface(tex.pick(rng, "wall" if concrete else "floor"), fur.grey(rng, 0.45, 0.8, 0.015) if concrete else
                    fur.grey(rng, 0.55, 1.0, 0.02), 0.35 if concrete else 1.0,
                    repeat_m=float(rng.choice([0.6, 1.2, 2, 4])))
    wall = Surface(tex.pick(rng, "wall"), fur.grey(rng, 0.6, 1.0, 0.03), float(rng.uniform(0.3, 1)), repeat_m=3.0)
    ceiling_tint = fur.grey(rng, 0.6, 0.95)
    step = 0.3 if kind in {"warehouse", "car_park"} else 0.22
    add_quad(out, [x0, y0, 0], [x1 - x0, 0, 0], [0, y1 - y0, 0], floor, step)
    add_quad(out, [x0, y0, ceiling], [x1 - x0, 0, 0], [0, y1 - y0, 0], Surface(tint=ceiling_tint), 0.4)
    corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    for i in range(4):
        a, b = np.array(corners[i]), np.array(corners[(i + 1) % 4])
        along = np.append(b - a, 0)
        inward = np.append([-(b - a)[1], (b - a)[0]], 0) / np.linalg.norm(b - a)
        base = np.append(a, 0)
        add_quad(out, base, along, [0, 0, ceiling], wall, 0.28)
        _wall_things(stage, kind, base + 0.02 * inward, along, inward, ceiling)
    # Near the camera the rim of a wide lens runs along the ceiling, so cells are small there.
    add_quad(out, [-2.2, -2.2, ceiling - 0.002], [4.4, 0, 0], [0, 4.4, 0], Surface(tint=ceiling_tint), 0.11)
    for _ in range(int(rng.integers(0, 10))):
        spot = [rng.uniform(x0, x1 - 0.6), rng.uniform(y0, y1 - 1.2), ceiling - 0.03]
        add_quad(out, spot, [0.6, 0, 0], [0, 1.2, 0], Surface(tint=(1.0, 1.0, 1.0), glow=1.0), 0.3)
    if rng.random() < 0.25 and kind not in {"meeting", "car_park"}:
        for _ in range(int(rng.integers(1, 4))):
            spot_xy = stage.free_spot(0.4)
            if spot_xy is not None and np.hypot(spot_xy[0], spot_xy[1]) > 1.2:
                stage.take(float(spot_xy[0]), float(spot_xy[1]), 0.35)
                add_box(stage.things, (0.45, 0.45, ceiling), spot_xy, 0.0, wall, step_m=0.3)


def _wall_things(stage: Stage, room: str, base: Vec, along: Vec, inward: Vec, ceiling: float) -> None:
    rng, tex, out = stage.rng, stage.textures, stage.room
    length = float(np.linalg.norm(along))
    u = along / length
    glare = rng.random() < 0.22
    shares = [0.6, 0.1, 0.05, 0.05, 0.2] if glare else [0.0, 0.3, 0.12, 0.13, 0.45]
    if room == "car_park":
        shares = [0.0, 0.08, 0.07, 0.0, 0.85]
    elif room == "restaurant":
        shares = [0.5, 0.2, 0.05, 0.0, 0.25] if glare else [0.08, 0.45, 0.05, 0.02, 0.4]
    x = rng.uniform(0.1, 1.2)
    while x < length - 1.0:
        kind = rng.choice(_ON_WALLS, p=shares)
        width = {"window": 1.3, "poster": 0.6, "door": 0.95, "board": 1.8}.get(str(kind), 0.8) * rng.uniform(0.8, 1.2)
        width = min(width, length - x)
        low, high = {"window": (0.9, 2.1), "poster": (1.0, 1.9), "door": (0.0, 2.05), "board": (0.9, 2.0)}.get(
            str(kind), (0.0, 0.0))
        high = min(high, ceiling - 0.1)
        look = {"window": Surface(0, (0.95, 1.0, 1.05), 0.0, float(rng.uniform(0.7, 1))),
                "poster": Surface(tex.pick(rng, "poster"), (1, 1, 1)),
                "door": Surface(tex.pick(rng, "floor"), fur.grey(rng, 0.4, 1)),
                "board": Surface(tex.pick(rng, "screen"), (1, 1, 1), 1.0, float(rng.choice([0, 0.7])))}.get(str(kind))
        if look is not None:
            add_quad(out, base + u * x + [0, 0, low] + 0.01 * inward, u * width, [0, 0, high - low], look, 0.3,
                     fit=True)
        x += width + rng.uniform(0.1, 1.5)
