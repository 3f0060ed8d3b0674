"""Parked cars and vans: skins through rounded sections, dark glass, wheels, lamps.

In its own frame a car's middle stands over the origin, its front towards −y; `s` below counts metres from the front.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rendering.equipment import RUBBER
from rendering.furniture import any_colour, grey
from rendering.mesh import MeshBuilder, Surface, add_box, add_limb, add_loft, add_quad, add_rods, turn

Rng = np.random.Generator
Vec = NDArray[np.float64]
CAR_KINDS = ("small", "hatch", "saloon", "estate", "suv", "van")
_PAINTS = ((0.04, 0.04, 0.045), (0.88, 0.88, 0.87), (0.6, 0.61, 0.63), (0.3, 0.31, 0.33), (0.07, 0.11, 0.25),
           (0.5, 0.06, 0.06), (0.1, 0.25, 0.5), (0.12, 0.22, 0.15), (0.6, 0.52, 0.4), (0.75, 0.35, 0.08),
           (0.8, 0.68, 0.12), (0.45, 0.58, 0.66))
_PAINT_SHARES = (0.2, 0.18, 0.15, 0.16, 0.07, 0.07, 0.05, 0.03, 0.03, 0.02, 0.02, 0.02)
_LAMP, _BLACK, _WHITE = Surface(tint=(0.62, 0.64, 0.66)), Surface(tint=(0.035, 0.035, 0.04)), Surface(tint=(0.85,) * 3)


@dataclass(frozen=True)
class CarShape:
    """Metres: length, width, height, lower edge of the windows; along the car from its front: where the windscreen
    begins, where the roof begins and ends, where the rear window ends. `panels`: no windows behind the doors."""

    long_m: float
    wide_m: float
    high_m: float
    belt_m: float
    bonnet_m: float
    roof_m: tuple[float, float]
    tail_m: float
    panels: bool = False

    @property
    def mirror_m(self) -> float:
        """Where its mirrors are along y, from its middle."""
        return self.bonnet_m + 0.42 - self.long_m / 2


def random_car(rng: Rng, kind: str) -> CarShape:
    """A shape of one of `CAR_KINDS`."""
    low, high, wide, tall = {"small": (3.4, 3.7, 1.62, 1.5), "hatch": (3.9, 4.35, 1.78, 1.46),
                             "saloon": (4.5, 4.95, 1.82, 1.44), "estate": (4.5, 4.9, 1.82, 1.48),
                             "suv": (4.3, 4.8, 1.86, 1.68), "van": (4.6, 5.3, 1.93, 1.98)}[kind]
    long, height = float(rng.uniform(low, high)), float(tall + rng.uniform(-0.05, 0.07))
    bonnet = long * float(rng.uniform(0.13, 0.17) if kind == "van" else rng.uniform(0.24, 0.29))
    slope = float(rng.uniform(0.6, 0.85))
    hatch = float(rng.uniform(0.3, 0.6))
    rear = {"saloon": (long - 1.35, long - 0.72), "van": (long - 0.12, long - 0.06)}.get(
        kind, (long - hatch, long - 0.08))
    return CarShape(long, float(wide + rng.uniform(-0.04, 0.06)), height, height * float(rng.uniform(0.62, 0.66)),
                    bonnet, (bonnet + slope, rear[0]), rear[1], kind == "van" and bool(rng.random() < 0.7))


@lru_cache(maxsize=8)
def _outline(sides: int, power: float) -> Vec:
    """(S, 2) points spread evenly along a superellipse within ±1; shared, so don't write to it."""
    angle = np.linspace(0, 2 * np.pi, 721)
    points = np.stack([np.sign(f) * np.abs(f) ** (2 / power) for f in (np.cos(angle), np.sin(angle))], 1)
    way = np.append(0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1)))
    at = np.arange(sides) * way[-1] / sides
    return np.stack([np.interp(at, way, points[:, k]) for k in (0, 1)], 1)


def _hull(out: MeshBuilder, shape: CarShape, paint: Surface, sill: Surface) -> None:
    """Everything below the windows: sections across the car."""
    s = shape.long_m * (0.5 - 0.5 * np.cos(np.linspace(0, np.pi, 28)))
    width = np.maximum(1 - np.abs(2 * s / shape.long_m - 1) ** 9, 0) ** (1 / 6)
    nose = shape.belt_m - (0.12 if shape.panels else 0.2)
    top = np.interp(s, [0, 0.12, shape.bonnet_m, shape.tail_m, shape.long_m],
                    [nose - 0.12, nose, shape.belt_m + 0.03, shape.belt_m + 0.03, shape.belt_m - 0.1])
    low = np.interp(s, [0, 0.5, shape.long_m - 0.5, shape.long_m], [0.3, 0.2, 0.2, 0.32])
    ring = _outline(26, 5.0)
    z = ((top + low) / 2)[:, None] + ((top - low) / 2 * (0.7 + 0.3 * width))[:, None] * ring[:, 1]
    x = (shape.wide_m / 2 * width)[:, None] * ring[:, 0] * (1 - 0.07 * np.clip((z - 0.55) / 0.5, 0, 1))
    y = np.repeat((s - shape.long_m / 2)[:, None], len(ring), 1)
    lower = np.clip((0.4 - z) / 0.06, 0, 1)[..., None]
    add_loft(out, np.stack([x, y, z], 2), paint, lower * sill.tint + (1 - lower) * paint.tint)


def _cabin(out: MeshBuilder, shape: CarShape, paint: Surface, glass: Vec) -> None:
    """Windows, roof and the posts between: outlines one above the other."""
    ring, half = _outline(44, 7.0), shape.wide_m / 2
    narrow = 0.9 if shape.tail_m - shape.roof_m[1] < 0.1 else 0.8

    def level(share: float, z: float, shrink: float = 1.0) -> Vec:
        front = (1 - share) * shape.bonnet_m + share * shape.roof_m[0]
        rear = (1 - share) * shape.tail_m + share * shape.roof_m[1]
        wide = half * ((1 - share) * 0.93 + share * narrow) * shrink
        y = (front + rear - shape.long_m) / 2 + (rear - front) / 2 * shrink * ring[:, 1]
        return np.stack([wide * ring[:, 0], y, np.full(len(ring), z)], 1)

    under = shape.high_m - 0.09
    shares = np.array([0, 0.3, 0.6, 0.93])
    panes = np.stack([level(float(t), shape.belt_m + float(t) / 0.93 * (under - shape.belt_m)) for t in shares])
    tints = np.broadcast_to(glass, panes.shape).copy()
    if shape.panels:
        tints[panes[..., 1] > shape.roof_m[0] + 0.7 - shape.long_m / 2] = paint.tint
    add_loft(out, panes, Surface(), tints)
    roof = [level(0.93, under), level(1.0, shape.high_m - 0.04), level(1.0, shape.high_m - 0.01, 0.93),
            level(1.0, shape.high_m, 0.7), level(1.0, shape.high_m + 0.01, 0.35), level(1.0, shape.high_m + 0.01, 0.0)]
    add_loft(out, np.stack(roof), paint)
    x = np.array([half * 0.9, half * narrow])
    doors = shape.roof_m[0] + 0.75
    for sx in (-1, 1):
        for foot, head in ((shape.bonnet_m + 0.08, shape.roof_m[0] + 0.03), (shape.tail_m - 0.08, shape.roof_m[1]),
                           (doors, doors - 0.05)):
            y = np.array([foot, head]) - shape.long_m / 2
            add_rods(out, [(sx * x[0], y[0], shape.belt_m), (sx * x[1], y[1], under + 0.02)], 0.035, paint, 6)


def _discs(out: MeshBuilder, steps: list[tuple[float, float]], y: float, z: float, look: Surface) -> None:
    """A body turned about an axle along x: (x, radius) from end to end."""
    angle = np.arange(18) * 2 * np.pi / 18
    rings = [np.stack([np.full(18, x), y + r * np.cos(angle), z + r * np.sin(angle)], 1) for x, r in steps]
    add_loft(out, np.stack(rings), look)


def _wheels(out: MeshBuilder, rng: Rng, shape: CarShape) -> None:
    radius, side = 0.3 + 0.05 * (shape.high_m > 1.6), shape.wide_m / 2
    rim = Surface(tint=grey(rng, 0.3, 0.75) if rng.random() < 0.75 else (0.06, 0.06, 0.06))
    for share in (0.19, 0.8):
        y = (share - 0.5) * shape.long_m
        for sx in (-1, 1):
            arch, tyre, hub = sx * (side - 0.012), sx * (side - 0.004), sx * (side + 0.002)
            deep = sx * (side - 0.22)
            _discs(out, [(deep, radius + 0.06), (arch, radius + 0.06), (arch, 0)], y, radius + 0.08, _BLACK)
            _discs(out, [(deep, 0), (deep, radius), (tyre, radius), (tyre + sx * 0.005, 0)], y, radius, RUBBER)
            _discs(out, [(tyre, radius * 0.68), (hub, radius * 0.65), (hub, 0)], y, radius, rim)


def _trim(out: MeshBuilder, rng: Rng, shape: CarShape, paint: Surface) -> None:
    """Lamps, plates, grille, mirrors; on some a sunroof or roof bars."""
    end, x, z = shape.long_m / 2, shape.wide_m / 2, shape.belt_m - 0.27
    for sx in (-1, 1):
        add_limb(out, [(sx * 0.7 * x, -end + 0.11, z), (sx * 0.76 * x, -end + 0.2, z + 0.05)], (0.09, 0.07), _LAMP, 1.5)
        add_box(out, (0.26, 0.1, 0.13), (sx * 0.62 * x, end - 0.1, z + 0.02), 0.0, Surface(tint=(0.45, 0.03, 0.03)))
        mirror = np.array([sx * (x + 0.04), shape.mirror_m, shape.belt_m + 0.07])
        add_limb(out, [np.add(mirror, (0, y, 0)) for y in (-0.03, 0.03)], (0.07, 0.07), paint, 1.4, 8)
    add_box(out, (0.8 * x, 0.06, 0.13), (0, -end + 0.02, z - 0.1), 0.0, _BLACK)
    for y in (-end - 0.02, end + 0.005):
        add_box(out, (0.5, 0.02, 0.11), (0, y, 0.42), 0.0, _WHITE)
    extra, middle = rng.random(), (sum(shape.roof_m) - shape.long_m) / 2
    long = shape.roof_m[1] - shape.roof_m[0]
    if extra < 0.2 and not shape.panels:
        add_box(out, (x * 1.05, long * 0.35, 0.02), (0, middle - long * 0.15, shape.high_m), 0.0, _BLACK)
    elif extra < 0.35:
        for sx in (-1, 1):
            add_box(out, (0.04, long * 0.8, 0.05), (sx * x * 0.66, middle, shape.high_m), 0.0, _BLACK)


def _open_boot(out: MeshBuilder, rng: Rng, shape: CarShape, paint: Surface) -> None:
    """A raised tailgate, the dark hole below it, and what lies inside."""
    end, x = shape.long_m / 2, shape.wide_m / 2
    hinge_y, hinge_z = shape.roof_m[1] - end, shape.high_m - 0.06
    rise, depth = float(rng.uniform(0.0, 0.25)), float(min(0.85, shape.high_m - 0.6))
    for lift, look in ((0.0, _BLACK), (0.04, paint)):
        add_quad(out, (-0.8 * x, hinge_y, hinge_z + lift), (1.6 * x, 0, 0), (0, depth, rise), look)
    add_box(out, (1.5 * x, 0.03, shape.belt_m - 0.5), (0, end - 0.02, 0.52), 0.0, _BLACK)
    for _ in range(int(rng.integers(1, 4))):
        size = rng.uniform((0.2, 0.12, 0.15), (0.5, 0.3, 0.3))
        add_box(out, size, (rng.uniform(-0.4, 0.4), end - 0.05, 0.6), 0.0, Surface(tint=any_colour(rng, 0.05, 0.8)))


def add_car(out: MeshBuilder, rng: Rng, shape: CarShape, at: ArrayLike, yaw_rad: float,
            boot_open: bool = False) -> None:
    """A car of this shape, its middle over `at`, facing −y before its yaw."""
    part = MeshBuilder()
    colour = np.clip(np.array(_PAINTS[int(rng.choice(len(_PAINTS), p=_PAINT_SHARES))]) + rng.normal(0, 0.015, 3),
                     0.02, 0.95)
    if shape.panels and rng.random() < 0.5:
        colour = np.array([0.88, 0.88, 0.86])
    paint = Surface(tint=(float(colour[0]), float(colour[1]), float(colour[2])))
    sill = paint if rng.random() < 0.6 else Surface(tint=grey(rng, 0.05, 0.12))
    glass = np.add(grey(rng, 0.05, 0.16), (0.0, 0.008, 0.018))
    _hull(part, shape, paint, sill)
    _cabin(part, shape, paint, glass)
    _wheels(part, rng, shape)
    _trim(part, rng, shape, paint)
    if boot_open:
        _open_boot(part, rng, shape, paint)
    out.join(part, turn(yaw_rad), at)
