"""Where people lie: wards and dormitories with beds, gyms with mats."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rendering import furniture as fur
from rendering.mesh import Surface, add_box, turn
from rendering.soft import add_cushion, upholstery
from rendering.stage import Stage

Vec = NDArray[np.float64]
_MIDDLE_M = 0.2  # of somebody who lies, from their hips towards their head


def resting(stage: Stage) -> None:
    """Rows of beds or mats, some with people on them, and people who sit or kneel between."""
    rng = stage.rng
    gym = bool(rng.random() < 0.5)
    along = float(rng.choice([0, 0.5, 1, 1.5])) * np.pi if rng.random() < 0.7 else None
    for spot in stage.free_spots(int(rng.integers(4, 22)), 0.75):
        yaw = float(rng.uniform(0, 6.28)) if along is None else along + float(rng.normal(0, 0.06))
        for reach in (-0.5, 0.5):
            x, y, _ = spot + turn(yaw) @ np.array([0, reach, 0])
            stage.take(float(x), float(y), 0.5)
        (_mat if gym else _bed)(stage, spot, yaw, bool(rng.random() < 0.25 + 0.6 * stage.crowding))


def _lie(stage: Stage, spot: Vec, yaw: float, height_m: float) -> None:
    """Somebody on the middle of a bed or mat, head towards either end."""
    rng = stage.rng
    heading = yaw + float(rng.normal(0, 0.1)) + (np.pi if rng.random() < 0.2 else 0.0)
    hips = spot - turn(heading) @ np.array([0, _MIDDLE_M, 0])
    stage.person(("lie",), hips + np.array([0, 0, height_m]), heading)


def _bed(stage: Stage, spot: Vec, yaw: float, occupied: bool) -> None:
    """A bed with its pillow at +y, half of them with a blanket over the legs."""
    rng, out = stage.rng, stage.things
    w, length, top = float(rng.uniform(0.8, 1.5)), float(rng.uniform(1.95, 2.15)), float(rng.uniform(0.4, 0.65))
    sheet = Surface(stage.textures.pick(rng, "cloth"), fur.grey(rng, 0.5, 0.95, 0.06), repeat_m=0.8)
    add_box(out, (w, length, 0.12), spot + np.array([0, 0, top - 0.3]), yaw, stage.style.wood)
    add_box(out, (w - 0.02, length - 0.04, 0.18), spot + np.array([0, 0, top - 0.18]), yaw, sheet)
    for end in (-1, 1):
        board = spot + turn(yaw) @ np.array([0, end * length / 2, 0])
        add_box(out, (w, 0.05, top + float(rng.uniform(0.1, 0.4))), board, yaw, stage.style.wood)
    pillow = (min(w - 0.2, 0.65), 0.4, 0.14)
    add_cushion(out, rng, pillow, (0, length / 2 - 0.3, top + 0.05), sheet, yaw_rad=yaw, at=spot)
    if occupied:
        _lie(stage, spot, yaw, top - 0.02)
    if rng.random() < 0.5:
        covers = float(rng.uniform(0.5, 1.3))
        add_cushion(out, rng, (w, covers, 0.3 if occupied else 0.14), (0, covers / 2 - length / 2, top + 0.05),
                    upholstery(rng, stage.textures), yaw_rad=yaw, at=spot, wobble=0.08)


def _mat(stage: Stage, spot: Vec, yaw: float, occupied: bool) -> None:
    """A mat with somebody who lies, squats, bends or stands on it."""
    rng = stage.rng
    thick = float(rng.uniform(0.01, 0.12))
    look = Surface(tint=fur.any_colour(rng, 0.05, 0.8), share=0.0)
    add_box(stage.things, (float(rng.uniform(0.6, 1.0)), float(rng.uniform(1.7, 2.0)), thick), spot, yaw, look)
    if not occupied:
        return
    kind = str(rng.choice(["lie", "squat", "bend", "stand"], p=[0.6, 0.12, 0.18, 0.1]))
    if kind == "lie":
        _lie(stage, spot, yaw, thick)
    else:
        stage.person((kind,), spot + np.array([0, 0, thick]), float(rng.uniform(0, 6.28)))
