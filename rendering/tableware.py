"""What stands on restaurant tables and behind bars: plates with food, glasses, bottles, cloths, lamps, stools.

Everything is built around the origin of its own frame, metres, floor at z = 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rendering.furniture import any_colour, grey
from rendering.mesh import MeshBuilder, Surface, add_box, add_cylinder, add_limb, add_quad, add_rods

Rng = np.random.Generator
_FOOD = ((0.55, 0.33, 0.12), (0.25, 0.4, 0.1), (0.6, 0.12, 0.06), (0.8, 0.68, 0.4), (0.3, 0.15, 0.07),
         (0.85, 0.5, 0.1))
_DRINKS = ((0.75, 0.8, 0.82), (0.35, 0.04, 0.08), (0.8, 0.55, 0.12), (0.15, 0.07, 0.04), (0.85, 0.75, 0.4))


def _pick(rng: Rng, colours: tuple[tuple[float, float, float], ...]) -> Surface:
    return Surface(tint=colours[int(rng.integers(len(colours)))])


def add_plate(out: MeshBuilder, rng: Rng, at: ArrayLike) -> None:
    """A plate or bowl, mostly with food."""
    look = Surface(tint=grey(rng, 0.75, 0.97) if rng.random() < 0.85 else any_colour(rng, 0.05, 0.7))
    radius, base = float(rng.uniform(0.09, 0.15)), np.asarray(at, float)
    add_cylinder(out, radius * 0.6, 0.018, base, look, radius, sides=16)
    for _ in range(int(rng.integers(0, 5))):
        spot = base + np.append(rng.normal(0, radius * 0.3, 2), 0.02)
        size = float(rng.uniform(0.015, 0.035))
        add_limb(out, [spot, spot + np.append(0, [rng.uniform(0.01, 0.05), 0.004])], (size, size), _pick(rng, _FOOD),
                 1.0, 6)


def add_glass(out: MeshBuilder, rng: Rng, at: ArrayLike) -> None:
    """A tumbler, a stemmed glass or a cup, with its drink."""
    base, drink = np.asarray(at, float), _pick(rng, _DRINKS)
    if rng.random() < 0.4:
        add_cylinder(out, 0.035, 0.006, base, Surface(tint=(0.75, 0.77, 0.78)), sides=10)
        add_cylinder(out, 0.006, 0.09, base, Surface(tint=(0.75, 0.77, 0.78)), sides=6)
        add_cylinder(out, 0.02, 0.08, np.add(base, (0, 0, 0.09)), drink, 0.038, sides=10)
    else:
        add_cylinder(out, 0.033, float(rng.uniform(0.07, 0.16)), base, drink, 0.037, sides=10)


def add_bottle(out: MeshBuilder, rng: Rng, at: ArrayLike) -> None:
    """A wine, water or beer bottle."""
    look = _pick(rng, ((0.04, 0.1, 0.05), (0.12, 0.06, 0.03), (0.6, 0.68, 0.7), (0.1, 0.2, 0.35), (0.5, 0.35, 0.1)))
    points = np.asarray(at, float) + np.array([(0, 0, 0.02), (0, 0, 0.17), (0, 0, 0.23), (0, 0, 0.3)])
    add_limb(out, points, (0.036, 0.037, 0.015, 0.013), look)
    add_cylinder(out, 0.038, 0.07, np.add(points[0], (0, 0, 0.05)), Surface(tint=any_colour(rng, 0.1, 0.95)), sides=10)


def lay(out: MeshBuilder, rng: Rng, seats: list[tuple[float, float, float, float]], top_m: float, used: bool,
        loose_m: float) -> None:
    """Lay a table: before each seat (x, y of the table's edge there, unit vector inward); `loose_m`: spread of what
    stands in the middle."""
    napkin = Surface(tint=grey(rng, 0.7, 0.97) if rng.random() < 0.6 else any_colour(rng, 0.1, 0.7))
    for x, y, u, v in seats:
        if not used and rng.random() < 0.35:
            continue
        middle, right = np.array([x, y]) + 0.19 * np.array([u, v]), np.array([v, -u])
        if rng.random() < 0.9:
            add_plate(out, rng, (*middle, top_m))
        for side in (-0.17, 0.17):
            add_box(out, (0.02, 0.19, 0.006), (*(middle + side * right), top_m), float(np.arctan2(-u, v)),
                    Surface(tint=(0.62, 0.62, 0.63)))
        if rng.random() < 0.5:
            add_box(out, (0.12, 0.16, 0.012), (*(middle - 0.22 * right), top_m), float(rng.normal(0, 0.3)), napkin)
        for _ in range(int(rng.integers(0, 3))):
            spot = middle + 0.15 * np.array([u, v]) + rng.normal(0.1, 0.04) * right
            add_glass(out, rng, (*spot, top_m))
    for _ in range(int(rng.integers(0, 3)) + (1 if used else 0)):
        spot = np.clip(rng.normal(0, loose_m, 2), -2 * loose_m, 2 * loose_m)
        kind = rng.random()
        if kind < 0.55:
            add_bottle(out, rng, (spot[0], 0.2 * spot[1], top_m))
        elif kind < 0.75:
            add_plate(out, rng, (spot[0], 0.2 * spot[1], top_m))
        else:
            warm = Surface(tint=(1.0, 0.75, 0.35), glow=0.9)
            add_cylinder(out, 0.03, 0.06, (spot[0], 0.2 * spot[1], top_m), warm, sides=8)


def add_cloth(out: MeshBuilder, look: Surface, size: tuple[float, float], top_m: float, drop_m: float) -> None:
    """A table cloth over a rectangle, its sides hanging."""
    w, d = size[0] + 0.02, size[1] + 0.02
    add_quad(out, (-w / 2, -d / 2, top_m), (w, 0, 0), (0, d, 0), look)
    for a, b in (((-1, -1), (1, -1)), ((1, -1), (1, 1)), ((1, 1), (-1, 1)), ((-1, 1), (-1, -1))):
        start = np.array([a[0] * w / 2, a[1] * d / 2, top_m])
        along = np.array([(b[0] - a[0]) * w / 2, (b[1] - a[1]) * d / 2, 0])
        add_quad(out, start, along, (0, 0, -drop_m), look)


def add_stool(out: MeshBuilder, rng: Rng, at: ArrayLike, seat_m: float, cushion: Surface, metal: Surface) -> None:
    """A bar stool on four legs or a foot, with a ring for the feet."""
    base = np.asarray(at, float)
    add_cylinder(out, 0.18, 0.06, np.add(base, (0, 0, seat_m - 0.06)), cushion, 0.19)
    if rng.random() < 0.5:
        add_cylinder(out, 0.2, 0.03, base, metal)
        add_cylinder(out, 0.03, seat_m - 0.06, base, metal, sides=8)
    else:
        for a in np.arange(4) * np.pi / 2 + 0.78:
            way = np.array([np.cos(a), np.sin(a), 0])
            add_rods(out, [base + way * 0.22, base + way * 0.13 + [0, 0, seat_m - 0.06]], 0.015, metal)
    a = np.linspace(0, 2 * np.pi, 13)
    add_rods(out, base + np.stack([0.19 * np.cos(a), 0.19 * np.sin(a), np.full(13, 0.28)], 1), 0.01, metal, 4)


def add_pendant(out: MeshBuilder, rng: Rng, at: ArrayLike, ceiling_m: float, low_m: float, shade: Surface) -> None:
    """A lamp that hangs from the ceiling down to `low_m` over `at`."""
    spot = np.asarray(at, float)
    wire = [np.add(spot, (0, 0, z)) for z in (ceiling_m, low_m + 0.18)]
    add_rods(out, wire, 0.008, Surface(tint=(0.05, 0.05, 0.05)), 4)
    add_cylinder(out, float(rng.uniform(0.12, 0.22)), 0.2, np.add(spot, (0, 0, low_m)), shade, 0.05)
    bulb = Surface(tint=(1.0, 0.86, 0.6), glow=1.0)
    add_cylinder(out, 0.06, 0.05, np.add(spot, (0, 0, low_m - 0.02)), bulb, sides=10)
