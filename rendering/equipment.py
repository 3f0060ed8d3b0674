"""Wheelchairs and ladders: things that hide part of a person or stand where one might be.

Each piece is built in its own frame, metres: its user faces −y, x to the side, floor at z = 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rendering.furniture import any_colour, grey
from rendering.mesh import MeshBuilder, Surface, add_box, add_hoop, add_rods, turn

Rng = np.random.Generator
RUBBER = Surface(tint=(0.06, 0.06, 0.065))


def metal_look(rng: Rng) -> Surface:
    """Chrome, aluminium, black or coloured enamel."""
    if rng.random() < 0.7:
        return Surface(tint=grey(rng, 0.35, 0.85))
    return Surface(tint=grey(rng, 0.04, 0.15) if rng.random() < 0.4 else any_colour(rng, 0.05, 0.8))


def paint_look(rng: Rng) -> Surface:
    """A loud colour, as tools and plastic handles have."""
    colours = ((0.75, 0.1, 0.08), (0.85, 0.55, 0.05), (0.1, 0.25, 0.6), (0.1, 0.4, 0.2), (0.85, 0.35, 0.05))
    return Surface(tint=colours[int(rng.integers(len(colours)))])


def add_wheel(out: MeshBuilder, radius_m: float, tyre_m: float, centre: ArrayLike, metal: Surface,
              spokes: int = 0) -> None:
    """A wheel with its axle along x."""
    add_hoop(out, radius_m - tyre_m, tyre_m, centre, RUBBER, 24 if radius_m > 0.2 else 12)
    middle, axle = np.asarray(centre, float), np.array([0.03, 0, 0])
    for angle in np.arange(spokes) * 2 * np.pi / max(spokes, 1):
        rim = middle + np.array([0, np.cos(angle), np.sin(angle)]) * (radius_m - tyre_m)
        add_rods(out, [middle, rim], 0.004, metal, 3)
    add_rods(out, [middle - axle, middle + axle], 0.025 if spokes else radius_m * 0.6, metal, 8)


def add_wheelchair(out: MeshBuilder, rng: Rng, at: ArrayLike, yaw_rad: float, seat_m: float = 0.5,
                   handle_m: float = 0.95, feet: tuple[float, float] = (-0.5, 0.1)) -> None:
    """A wheelchair whose sitter's hips are over `at`; push handles at y = 0.37, footrests at `feet` (y, z)."""
    part, metal = MeshBuilder(), metal_look(rng)
    cloth = Surface(tint=grey(rng, 0.03, 0.15) if rng.random() < 0.7 else any_colour(rng, 0.05, 0.6))
    w, powered = float(rng.uniform(0.22, 0.26)), bool(rng.random() < 0.2)
    add_box(part, (2 * w - 0.03, 0.44, 0.06), (0, -0.02, seat_m - 0.06), 0.0, cloth)
    add_box(part, (2 * w - 0.03, 0.03, float(rng.uniform(0.35, 0.45))), (0, 0.225, seat_m + 0.04), 0.0, cloth)
    arm_m, panels = seat_m + float(rng.uniform(0.18, 0.24)), rng.random() < 0.6
    foot_y, foot_z = min(feet[0], -0.3), max(feet[1], 0.05)
    for sx in (-1, 1):
        x = sx * w
        add_rods(part, [(x, 0.2, 0.3), (x, 0.24, seat_m), (x, 0.26, handle_m), (x, 0.37, handle_m)], 0.013, metal)
        add_rods(part, [(x, 0.3, handle_m), (x, 0.39, handle_m)], 0.02, RUBBER)
        add_rods(part, [(x, 0.24, arm_m), (x, -0.2, arm_m), (x, -0.24, seat_m - 0.03), (x * 0.75, foot_y, foot_z)],
                 0.012, metal)
        add_rods(part, [(x, 0.22, seat_m - 0.05), (x, -0.22, seat_m - 0.05), (x, -0.25, 0.16)], 0.012, metal)
        add_box(part, (0.055, 0.3, 0.03), (x, 0.0, arm_m), 0.0, cloth)
        add_box(part, (0.17, 0.16, 0.015), (sx * 0.11, foot_y, foot_z - 0.02), 0.0, RUBBER)
        if panels:
            add_box(part, (0.012, 0.38, 0.2), (x, 0.0, seat_m - 0.02), 0.0, cloth)
        if powered:
            add_wheel(part, 0.17, 0.035, (x + sx * 0.03, 0.2, 0.17), metal)
        else:
            add_wheel(part, 0.3, 0.017, (x + sx * 0.06, 0.15, 0.3), metal, 10)
            add_hoop(part, 0.255, 0.009, (x + sx * 0.09, 0.15, 0.3), metal)
        add_wheel(part, 0.1 if powered else 0.08, 0.02, (x, -0.26, 0.1 if powered else 0.08), metal)
    if powered:
        add_box(part, (2 * w - 0.08, 0.5, 0.22), (0, 0.05, 0.12), 0.0, paint_look(rng))
        add_box(part, (0.06, 0.08, 0.1), (w, -0.2, arm_m), 0.0, RUBBER)
    out.join(part, turn(yaw_rad), at)


def add_ladder(out: MeshBuilder, rng: Rng, at: ArrayLike, yaw_rad: float, height_m: float, lean_rad: float = 0.28,
               step_m: float = 0.27, folding: bool = True) -> None:
    """A ladder climbed from +y, its foot over `at`, leaning towards −y: a step-ladder if `folding`, else propped."""
    part, look = MeshBuilder(), metal_look(rng) if rng.random() < 0.6 else paint_look(rng)
    low_x, high_x = float(rng.uniform(0.21, 0.28)), float(rng.uniform(0.15, 0.2))
    slope, tread = float(np.tan(lean_rad)), look if rng.random() < 0.7 else RUBBER
    top_x = high_x if folding else low_x
    for sx in (-1, 1):
        top = (sx * top_x, -height_m * slope, height_m)
        add_rods(part, [(sx * low_x, 0, 0), top], 0.026, look, 4)
        if folding:
            add_rods(part, [top, (sx * (low_x + 0.03), -2 * height_m * slope, 0)], 0.02, look, 4)
            half = height_m * 0.45
            add_rods(part, [(sx * low_x, -half * slope, half), (sx * low_x, (half - 2 * height_m) * slope, half)],
                     0.006, look, 3)
    for z in np.arange(step_m, height_m - 0.05, step_m):
        x = low_x + (top_x - low_x) * z / height_m
        if folding:
            add_box(part, (2 * x, 0.085, 0.025), (0, -z * slope, z - 0.025), 0.0, tread)
        else:
            add_rods(part, [(-x, -z * slope, z - 0.015), (x, -z * slope, z - 0.015)], 0.016, tread)
    if folding:
        add_box(part, (2 * top_x + 0.06, 0.24, 0.03), (0, -height_m * slope, height_m), 0.0, paint_look(rng))
        z = height_m * 0.35
        add_rods(part, [(-low_x, (z - 2 * height_m) * slope, z), (low_x, (z - 2 * height_m) * slope, z)], 0.012, look)
    out.join(part, turn(yaw_rad), at)
