"""What people push: shopping carts, hand trucks, pallet trolleys, platform and luggage trolleys, strollers.

Each is built in its own frame, metres: its handle over the origin, the rest in front (−y), floor at z = 0.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from rendering.equipment import RUBBER, add_wheel, metal_look, paint_look
from rendering.furniture import any_colour, grey
from rendering.mesh import Floats, MeshBuilder, Surface, add_box, add_limb, add_quad, add_rods, turn
from rendering.textures import TextureBank

Rng = np.random.Generator
CARTS = ("basket", "truck", "pallet", "platform", "luggage", "stroller")


def _pitch(angle_rad: float) -> Floats:
    """(3, 3) rotation about x that tips what stands towards +y."""
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[1, 0, 0], [0, c, s], [0, -s, c]], np.float32)


def _load(out: MeshBuilder, rng: Rng, textures: TextureBank, size: tuple[float, float, float],
          middle: tuple[float, float, float], fill: float = 0.8) -> None:
    """Cartons and crates in layers on a footprint, up to size[2] metres high; `fill`: share of the places taken."""
    w, d, high = size
    z = 0.0
    while z < high - 0.12 and rng.random() < 0.85:
        layer = min(float(rng.uniform(0.12, 0.4)), high - z)
        nx, ny = max(1, round(w / rng.uniform(0.25, 0.6))), max(1, round(d / rng.uniform(0.25, 0.6)))
        for i in range(nx):
            for j in range(ny):
                if rng.random() < fill:
                    spot = np.add(middle, ((i + 0.5) / nx * w - w / 2, (j + 0.5) / ny * d - d / 2, z))
                    carton = float(rng.uniform(0.4, 0.75)) * np.array([1, 0.78, 0.55])
                    look = (Surface(tint=(float(carton[0]), float(carton[1]), float(carton[2]))) if rng.random() < 0.55
                            else Surface(textures.pick(rng, "object"), (1, 1, 1), 1.0, repeat_m=0.5)
                            if rng.random() < 0.5 else Surface(tint=any_colour(rng, 0.05, 0.9)))
                    add_box(out, (w / nx * 0.96, d / ny * 0.96, layer * rng.uniform(0.7, 1.0)), spot,
                            float(rng.normal(0, 0.05)), look)
        z += layer


def _basket(out: MeshBuilder, rng: Rng, textures: TextureBank, handle_m: float) -> None:
    """A shopping cart of wire, some of plastic."""
    metal, paint = metal_look(rng), paint_look(rng)
    top, long = handle_m - 0.07, float(rng.uniform(0.65, 0.95))
    rim = np.array([[-0.27, -0.08, top], [0.27, -0.08, top], [0.22, -0.1 - long, top - 0.08],
                    [-0.22, -0.1 - long, top - 0.08]])
    floor = np.array([[-0.2, -0.16, top - 0.42], [0.2, -0.16, top - 0.42], [0.17, -long, top - 0.36],
                      [-0.17, -long, top - 0.36]])
    solid = rng.random() < 0.2
    for a, b, c, d in zip(rim, np.roll(rim, -1, 0), floor, np.roll(floor, -1, 0), strict=True):
        if solid:
            add_quad(out, c, d - c, (a + b - c - d) / 2, paint)
        wires = 2 if solid else round(float(np.linalg.norm(b - a)) / 0.065)
        for t in np.linspace(0, 1, wires, endpoint=False):
            add_rods(out, [a + t * (b - a), c + t * (d - c)], 0.004, metal, 3)
        for t in (0.0, 0.35, 0.7, 1.0):
            add_rods(out, [a + t * (c - a), b + t * (d - b)], 0.004 + 0.006 * (t == 0), metal, 4)
    for t in np.linspace(0, 1, 7):
        add_rods(out, [floor[0] + t * (floor[1] - floor[0]), floor[3] + t * (floor[2] - floor[3])], 0.004, metal, 3)
    for sx in (-1, 1):
        add_rods(out, [(sx * 0.25, 0, handle_m), (sx * 0.25, -0.1, top), (sx * 0.24, -0.12, 0.16),
                       (sx * 0.19, -0.05 - long, 0.16), (sx * 0.17, -0.9 * long, top - 0.37)], 0.012, metal)
        for y in (-0.12, -0.05 - long):
            add_wheel(out, 0.06, 0.015, (sx * 0.22, y, 0.06), metal)
    add_rods(out, [(-0.26, 0, handle_m), (0.26, 0, handle_m)], 0.018, paint)
    if rng.random() < 0.75:
        _load(out, rng, textures, (0.32, long - 0.2, 0.5), (0, -0.08 - long / 2, top - 0.39), 0.55)


def _truck(out: MeshBuilder, rng: Rng, textures: TextureBank, handle_m: float) -> None:
    """A two-wheeled hand truck, tipped back to its user until its handles are at the hands."""
    part, look = MeshBuilder(), paint_look(rng) if rng.random() < 0.6 else metal_look(rng)
    long = float(rng.uniform(1.15, 1.3))
    for sx in (-1, 1):
        add_rods(part, [(sx * 0.2, 0, -0.1), (sx * 0.2, 0, long - 0.12), (sx * 0.2, 0.1, long)], 0.016, look)
        add_wheel(part, 0.13, 0.035, (sx * 0.26, 0, 0), look)
    for z in (0.1, 0.4, 0.7, 1.0):
        add_rods(part, [(-0.2, 0, z), (0.2, 0, z)], 0.013, look)
    add_box(part, (0.46, 0.26, 0.015), (0, -0.13, -0.1), 0.0, look)
    if rng.random() < 0.75:
        _load(part, rng, textures, (0.42, 0.36, 1.0), (0, -0.2, -0.085), 1.0)
    tip = float(np.arccos(np.clip((handle_m - 0.12) / long, 0.75, 1.0)))
    out.join(part, _pitch(tip), (0, -long * np.sin(tip) - 0.1 * np.cos(tip), 0.13))


def _pallet(out: MeshBuilder, rng: Rng, textures: TextureBank, handle_m: float) -> None:
    """A pallet trolley, mostly under a loaded pallet."""
    look, y = paint_look(rng), -0.38
    add_rods(out, [(0, y, 0.2), (0, -0.06, handle_m - 0.12)], 0.022, look)
    add_rods(out, [(0, -0.06, handle_m - 0.12), (-0.12, 0, handle_m), (0.12, 0, handle_m),
                   (0, -0.06, handle_m - 0.12)], 0.016, RUBBER)
    add_box(out, (0.42, 0.24, 0.32), (0, y - 0.1, 0.12), 0.0, look)
    add_wheel(out, 0.09, 0.03, (0, y, 0.09), look)
    for sx in (-1, 1):
        add_box(out, (0.16, 1.15, 0.06), (sx * 0.19, y - 0.75, 0.06), 0.0, look)
    if rng.random() < 0.75:
        wood = Surface(tint=grey(rng, 0.45, 0.65, 0.08))
        for t in np.linspace(-0.52, 0.52, 6):
            add_box(out, (0.8, 0.13, 0.022), (0, y - 0.85 + t, 0.18), 0.0, wood)
        for x in (-0.35, 0.0, 0.35):
            add_box(out, (0.1, 1.15, 0.11), (x, y - 0.85, 0.07), 0.0, wood)
        _load(out, rng, textures, (0.78, 1.1, float(rng.uniform(0.2, 1.3))), (0, y - 0.85, 0.2), 0.95)


def _platform(out: MeshBuilder, rng: Rng, textures: TextureBank, handle_m: float, cage: bool = False) -> None:
    """A flat trolley with a push bar; as `cage` a hotel's luggage trolley."""
    look, high = metal_look(rng), float(rng.uniform(0.18, 0.3))
    w, d = float(rng.uniform(0.5, 0.75)), float(rng.uniform(0.8, 1.2))
    brass = Surface(tint=(0.75, 0.58, 0.25)) if cage and rng.random() < 0.6 else look
    deck = Surface(tint=any_colour(rng, 0.05, 0.6) if cage else grey(rng, 0.1, 0.6, 0.08))
    add_box(out, (w, d, 0.05), (0, -0.08 - d / 2, high - 0.05), 0.0, deck)
    x = w / 2 - 0.03
    for y in (-0.1,) if not cage else (-0.1, -0.06 - d):
        top = handle_m if not cage else 1.55
        add_rods(out, [(-x, y, high), (-x, y * (cage or 0.2), top), (x, y * (cage or 0.2), top), (x, y, high)],
                 0.016, brass)
    if cage:
        add_rods(out, [(0, -0.1, 1.55), (0, -0.08 - d / 2, 1.8), (0, -0.06 - d, 1.55)], 0.016, brass)
        add_rods(out, [(-x, -0.02, handle_m), (x, -0.02, handle_m)], 0.016, brass)
    for sx in (-1, 1):
        for y in (-0.18, 0.02 - d):
            add_wheel(out, 0.08, 0.025, (sx * x, y, 0.08), look)
    if rng.random() < 0.75:
        _load(out, rng, textures, (w - 0.08, d - 0.15, 0.9), (0, -0.08 - d / 2, high), 0.8)


def _luggage(out: MeshBuilder, rng: Rng, textures: TextureBank, handle_m: float) -> None:
    _platform(out, rng, textures, handle_m, True)


def _stroller(out: MeshBuilder, rng: Rng, textures: TextureBank, handle_m: float) -> None:
    """A pram or a buggy under its hood and blanket: nobody to be seen in it."""
    metal = metal_look(rng)
    cloth = Surface(textures.pick(rng, "cloth"), grey(rng, 0.03, 0.7, 0.1) if rng.random() < 0.7
                    else any_colour(rng, 0.05, 0.7), repeat_m=0.4)
    cover = Surface(textures.pick(rng, "cloth"), any_colour(rng, 0.1, 0.9), repeat_m=0.4)
    seat, wheel, w = float(rng.uniform(0.5, 0.65)), float(rng.uniform(0.09, 0.15)), float(rng.uniform(0.19, 0.24))
    tub = np.array([(0, -0.28, seat), (0, -0.5, seat - 0.06), (0, -0.8, seat - 0.03), (0, -0.98, seat + 0.02)])
    add_limb(out, tub, (0.15, 0.17, 0.16, 0.1), cloth, w / 0.17, 14)
    add_limb(out, np.add(tub[1:], (0, 0.04, 0.09)), (0.12, 0.12, 0.06), cover, w / 0.14, 12)
    for tip in np.linspace(0.0, 1.3, 5):
        reach = np.array([0, -np.sin(tip), np.cos(tip)]) * 0.34
        add_limb(out, [tub[0] + [0, -0.04, 0], tub[0] + [0, -0.04, 0] + reach], (0.06, 0.05), cloth, w / 0.06, 12)
    for sx in (-1, 1):
        x = sx * w
        add_rods(out, [(x, 0, handle_m), (x, -0.3, seat), (x, -0.9, wheel)], 0.012, metal)
        add_rods(out, [(x, -0.2, wheel), (x, -0.6, seat - 0.1)], 0.012, metal)
        for y in (-0.2, -0.9):
            add_wheel(out, wheel, 0.02, (sx * (w + 0.03), y, wheel), metal)
    add_rods(out, [(-w, 0, handle_m), (w, 0, handle_m)], 0.016, RUBBER)
    add_box(out, (2 * w - 0.06, 0.4, 0.15), (0, -0.52, wheel + 0.08), 0.0, cloth)


_MAKE: dict[str, Callable[[MeshBuilder, Rng, TextureBank, float], None]] = {
    "basket": _basket, "truck": _truck, "pallet": _pallet, "platform": _platform, "luggage": _luggage,
    "stroller": _stroller}


def add_cart(out: MeshBuilder, rng: Rng, textures: TextureBank, kind: str, at: ArrayLike, yaw_rad: float,
             handle_m: float = 1.0) -> None:
    """One of `CARTS`, its handle over `at` at `handle_m`, the rest of it in front (−y)."""
    part = MeshBuilder()
    _MAKE[kind](part, rng, textures, max(handle_m, 0.85))
    out.join(part, turn(yaw_rad), at)
