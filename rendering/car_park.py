"""Car parks: bays with cars, pillars, painted floor, a ramp, people at their cars."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rendering.cars import CarShape, add_car, random_car
from rendering.furniture import grey
from rendering.mesh import Surface, add_box, add_cylinder, add_quad, add_rods, turn
from rendering.stage import Stage

Vec = NDArray[np.float64]
_PAINT_Z = 0.006  # markings above the floor


def car_park(stage: Stage) -> None:
    """Rows of bays on both sides of lanes, more or less full."""
    rng, (x0, x1, y0, y1) = stage.rng, stage.bounds
    bay_m, deep_m, lane_m = float(rng.uniform(2.35, 2.75)), float(rng.uniform(4.9, 5.4)), float(rng.uniform(4.5, 6.8))
    paint = Surface(tint=(0.85, 0.85, 0.82) if rng.random() < 0.7 else (0.8, 0.65, 0.12))
    band = [(0.8, 0.62, 0.08), (0.15, 0.3, 0.6), (0.7, 0.12, 0.1), (0.2, 0.5, 0.25)][int(rng.integers(4))]
    if rng.random() < 0.35:
        _ramp(stage, paint)
    every = int(rng.integers(2, 4))
    y, to_lane = y0 + rng.uniform(0.2, 0.8), 1
    while y + deep_m < y1:
        lines = np.arange(x0 + rng.uniform(0.1, 0.8), x1 - 0.2, bay_m)
        _pillars(stage, lines[int(rng.integers(every))::every], y + deep_m / 2 - to_lane * (deep_m / 2 - 0.5), band)
        _row(stage, lines, y + deep_m / 2, (bay_m, deep_m), to_lane, paint)
        y += deep_m + (lane_m if to_lane > 0 else 0.1)
        if to_lane > 0 and y - lane_m < y1:
            _lane(stage, y - lane_m / 2, lane_m, paint)
        to_lane = -to_lane
    _overhead(stage)
    for spot in stage.free_spots(int(rng.choice([0, 2, 5])), 0.3):
        _bollard(stage, spot)


def _row(stage: Stage, lines: Vec, y: float, size: tuple[float, float], to_lane: int, paint: Surface) -> None:
    """One row of bays between lines at these x; cars stand either way round, some with their owners."""
    rng, x1, (bay_m, deep_m) = stage.rng, stage.bounds[1], size
    for x in lines:
        add_quad(stage.room, [x - 0.05, y - deep_m / 2, _PAINT_Z], [0.1, 0, 0], [0, deep_m, 0], paint)
        if x + bay_m > x1:
            break
        middle = np.array([x + bay_m / 2 + rng.normal(0, 0.07), y + rng.normal(0, 0.12), 0.0])
        if rng.random() < 0.03:
            add_quad(stage.room, [x + 0.3, y - 1, _PAINT_Z], [bay_m - 0.6, 0, 0], [0, 2, 0],
                     Surface(tint=(0.1, 0.25, 0.55)))
        if rng.random() < 0.35 + 0.6 * stage.crowding:
            _park(stage, middle, to_lane)
    for x in lines:
        if rng.random() < 0.05 + 0.1 * stage.crowding:
            beside = np.array([x + rng.normal(0, 0.04), y + rng.uniform(-1.2, 1.2), 0.0])
            yaw = float(rng.choice([0, 0.5, 1, 1.5]) * np.pi + rng.normal(0, 0.2))
            if stage.is_free(float(beside[0]), float(beside[1]), 0.15) and stage.person(("stand", "walk"), beside, yaw):
                stage.take(float(beside[0]), float(beside[1]), 0.2)


def _park(stage: Stage, middle: Vec, to_lane: int) -> None:
    """A car unless it would touch the camera or another thing; somebody may be at its open boot."""
    rng = stage.rng
    shape = random_car(rng, str(rng.choice(["small", "hatch", "saloon", "estate", "suv", "van"],
                                           p=[0.14, 0.3, 0.16, 0.13, 0.2, 0.07])))
    reach = (shape.long_m / 2 - 0.85, 0.0, 0.85 - shape.long_m / 2)
    near = float(np.hypot(middle[0], max(abs(middle[1]) - shape.long_m / 2, 0))) < 1.8
    clear = all(stage.is_free(float(middle[0]), float(middle[1] + t), 0.6) for t in reach)
    if not clear or shape.high_m > stage.camera_height_m - (0.6 if near else 0.1):
        return
    nose_in = bool(rng.random() < 0.6)
    yaw = (0.0 if (to_lane > 0) == nose_in else np.pi) + float(rng.normal(0, 0.02))
    loads = nose_in and not near and shape.high_m < stage.camera_height_m - 0.6 and rng.random() < 0.1
    add_car(stage.things, rng, shape, middle, yaw, bool(loads))
    for t in reach:
        stage.take(float(middle[0]), float(middle[1] + t), 0.9)
    for sx in (-1, 1):
        mirror = middle + turn(yaw) @ np.array([sx * (shape.wide_m / 2 + 0.05), shape.mirror_m, 0])
        stage.take(float(mirror[0]), float(mirror[1]), 0.12)
    if loads:
        _loader(stage, shape, middle, yaw)


def _loader(stage: Stage, shape: CarShape, middle: Vec, yaw: float) -> None:
    spot = middle + turn(yaw) @ np.array([stage.rng.normal(0, 0.2), shape.long_m / 2 + stage.rng.uniform(0.4, 0.6), 0])
    if stage.is_free(float(spot[0]), float(spot[1]), 0.0) and stage.person(("stand", "push", "bend"), spot, yaw):
        stage.take(float(spot[0]), float(spot[1]), 0.3)


def _pillars(stage: Stage, lines: Vec, y: float, band: tuple[float, float, float]) -> None:
    """Concrete pillars between bays, a painted band around each."""
    rng = stage.rng
    ceiling, wide = stage.camera_height_m + 0.03, float(rng.uniform(0.3, 0.5))
    concrete = Surface(stage.textures.pick(rng, "wall"), grey(rng, 0.45, 0.8), 0.7, repeat_m=1.2)
    round_ = rng.random() < 0.3
    for x in lines:
        if np.hypot(x, y) < 1.4 or not stage.is_free(x, y, wide / 2):
            continue
        stage.take(x, y, wide / 2)
        at = np.array([x, y, 0.0])
        for size, low, high, look in ((wide, 0.0, ceiling, concrete), (wide + 0.01, 0.3, 0.8, Surface(tint=band))):
            if round_:
                add_cylinder(stage.things, size / 2, high, np.add(at, (0, 0, low)), look)
            else:
                add_box(stage.things, (size, size, high), np.add(at, (0, 0, low)), 0.0, look)


def _overhead(stage: Stage) -> None:
    """Beams, pipes and strip lamps under the ceiling."""
    rng, (x0, x1, y0, y1) = stage.rng, stage.bounds
    ceiling = stage.camera_height_m
    concrete = Surface(tint=grey(rng, 0.5, 0.85))
    for y in np.arange(y0 + rng.uniform(0.5, 3), y1, float(rng.uniform(4, 8))) if rng.random() < 0.5 else ():
        if abs(y) > 1.5:
            add_box(stage.room, (x1 - x0, 0.35, 0.3), ((x0 + x1) / 2, y, ceiling - 0.2), 0.0, concrete, step_m=0.3)
    for _ in range(int(rng.integers(0, 4))):
        x, colour = float(rng.uniform(x0, x1)), (0.6, 0.1, 0.08) if rng.random() < 0.4 else grey(rng, 0.4, 0.8)
        if abs(x) > 0.8:
            add_rods(stage.room, [(x, y0, ceiling - 0.12), (x, y1, ceiling - 0.12)], 0.06, Surface(tint=colour), 8)
    for x in np.arange(x0 + 1.5, x1, float(rng.uniform(4, 7))):
        for y in np.arange(y0 + 2, y1 - 2, float(rng.uniform(5, 8))):
            if np.hypot(x, y) > 1.8:
                add_box(stage.room, (0.14, 1.4, 0.05), (x, y, ceiling), 0.0, Surface(tint=(1.0, 1.0, 1.0), glow=1.0))


def _lane(stage: Stage, y: float, lane_m: float, paint: Surface) -> None:
    """Arrows along a lane, now and then a crossing."""
    rng, (x0, x1) = stage.rng, stage.bounds[:2]
    way = float(rng.choice([-1, 1]))
    for x in np.arange(x0 + rng.uniform(1, 4), x1 - 2, float(rng.uniform(5, 9))):
        add_quad(stage.room, [x, y - 0.08, _PAINT_Z], [1.4 * way, 0, 0], [0, 0.16, 0], paint)
        tip = np.array([[x + 1.4 * way, y - 0.35, _PAINT_Z], [x + 1.4 * way, y + 0.35, _PAINT_Z],
                        [x + 2.2 * way, y, _PAINT_Z]])
        stage.room.add(tip, [0, 0, 1], [[0, 1, 2]], tint=paint.tint)
    if rng.random() < 0.3:
        x = float(rng.uniform(x0, x1 - 2.5))
        for t in np.arange(-lane_m / 2 + 0.3, lane_m / 2 - 0.4, 0.9):
            add_quad(stage.room, [x, y + t, _PAINT_Z], [2.5, 0, 0], [0, 0.45, 0], paint)


def _bollard(stage: Stage, spot: Vec) -> None:
    stage.take(float(spot[0]), float(spot[1]), 0.15)
    high, red = float(stage.rng.uniform(0.7, 1.05)), stage.rng.random() < 0.4
    colours = ((0.7, 0.08, 0.06), (0.88, 0.88, 0.88)) if red else ((0.8, 0.62, 0.05), (0.06, 0.06, 0.06))
    for i in range(5):
        add_cylinder(stage.things, 0.06, high / 5, spot + np.array([0, 0, i * high / 5]), Surface(tint=colours[i % 2]),
                     sides=10)


def _ramp(stage: Stage, paint: Surface) -> None:
    """A ramp that rises along a side wall, between low walls, and takes its floor."""
    rng, (x0, x1, y0, y1) = stage.rng, stage.bounds
    x = x0 + 0.2 if rng.random() < 0.5 else x1 - 3.6
    if -4.4 < x < 1.0 or y1 - y0 < 9:
        return
    long, rise = min(y1 - y0 - 1.0, 10.0), float(min(stage.camera_height_m - 0.6, rng.uniform(1.2, 2.2)))
    concrete = Surface(stage.textures.pick(rng, "wall"), grey(rng, 0.4, 0.7), 0.7, repeat_m=2.0)
    add_quad(stage.things, [x, y1 - long, 0.01], [3.4, 0, 0], [0, long, rise], concrete, 0.3)
    for t in np.arange(0.1, 0.9, 0.2):
        add_quad(stage.things, [x + 1.6, y1 - long + t * long, t * rise + 0.03], [0.2, 0, 0],
                 [0, 0.1 * long, 0.1 * rise], paint)
    for side in (x, x + 3.2):
        add_quad(stage.things, [side + 0.1, y1 - long, 0], [0, long, 0], [0, 0, 0.8], concrete, 0.3)
        add_box(stage.things, (0.2, long, 0.9), (side + 0.1, y1 - long / 2, 0), 0.0, concrete, step_m=0.3)
    add_quad(stage.things, [x + 0.2, y1 - 0.05, rise], [3.0, 0, 0], [0, 0, stage.camera_height_m - rise],
             Surface(tint=(0.05, 0.05, 0.05)))
    for y in np.arange(y1 - long + 1, y1, 2.0):
        stage.take(x + 1.7, float(y), 1.9)
