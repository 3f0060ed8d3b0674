"""Furniture made from boxes and cylinders, in metres; each piece stands at `at` and faces −y before its yaw."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from rendering.mesh import Floats, MeshBuilder, Surface, add_box, add_cylinder, add_quad, place
from rendering.textures import TextureBank

Rng = np.random.Generator


@dataclass(frozen=True)
class Style:
    """The look that one room's furniture shares."""

    wood: Surface
    top: Surface
    metal: Surface
    chair: Surface
    sofa: Surface
    partition: Surface
    rolling: bool


def grey(rng: Rng, low: float, high: float, colour: float = 0.03) -> tuple[float, float, float]:
    """A nearly neutral RGB."""
    # Rooms vary between warm and cool far more than between green and magenta.
    warm, green = rng.normal(0, colour), rng.normal(0, colour * 0.35)
    c = np.clip(rng.uniform(low, high) + np.array([warm, green, -warm]), 0.02, 0.98)
    return float(c[0]), float(c[1]), float(c[2])


def any_colour(rng: Rng, low: float, high: float) -> tuple[float, float, float]:
    """Any RGB between two levels."""
    r, g, b = rng.uniform(low, high, 3)
    return float(r), float(g), float(b)


def random_style(rng: Rng, textures: TextureBank) -> Style:
    """Materials for one room."""
    wood = Surface(textures.pick(rng, "floor"), grey(rng, 0.5, 1.0), 0.8, repeat_m=1.5)
    chair = grey(rng, 0.02, 0.16) if rng.random() < 0.75 else any_colour(rng, 0.1, 0.7)
    return Style(
        wood=wood, top=Surface(0, grey(rng, 0.35, 0.92), 1.0), metal=Surface(tint=grey(rng, 0.05, 0.7)),
        chair=Surface(textures.pick(rng, "cloth"), chair, repeat_m=0.5),
        sofa=Surface(textures.pick(rng, "cloth"), grey(rng, 0.1, 0.8, 0.12), repeat_m=0.7),
        partition=Surface(textures.pick(rng, "cloth"), grey(rng, 0.2, 0.8, 0.06)), rolling=bool(rng.random() < 0.65))


def _at(local: ArrayLike, yaw: float, at: ArrayLike) -> Floats:
    return np.asarray(place(np.asarray(local, np.float32)[None], yaw, at)[0], np.float32)


def add_desk(out: MeshBuilder, rng: Rng, textures: TextureBank, style: Style, at: ArrayLike, yaw: float,
             size: tuple[float, float] = (1.4, 0.7), height_m: float = 0.74, clutter: bool = True) -> None:
    """A desk with things on it; its user sits on the +y side."""
    w, d = size
    top = Surface(textures.pick(rng, "desk"), style.top.tint, 1.0) if clutter else replace(style.top)
    add_box(out, (w, d, 0.035), _at([0, 0, height_m - 0.035], yaw, at), yaw, style.wood, top=top)
    for sx in (-1, 1):
        add_box(out, (0.04, d - 0.1, height_m - 0.03), _at([sx * (w / 2 - 0.05), 0, 0], yaw, at), yaw, style.metal)
    if rng.random() < 0.4:
        add_box(out, (w - 0.1, 0.02, 0.4), _at([0, -d / 2 + 0.03, height_m - 0.45], yaw, at), yaw, style.wood)
    if clutter:
        for _ in range(int(rng.integers(0, 7))):
            spot = [rng.uniform(-w / 2 + 0.1, w / 2 - 0.1), rng.uniform(-d / 2 + 0.1, d / 2 - 0.1), height_m]
            look = Surface(tint=grey(rng, 0.04, 0.9) if rng.random() < 0.7 else any_colour(rng, 0.05, 0.8))
            if rng.random() < 0.3:
                add_cylinder(out, 0.04, float(rng.uniform(0.08, 0.22)), _at(spot, yaw, at), look, sides=8)
            else:
                add_box(out, rng.uniform([0.05, 0.05, 0.01], [0.3, 0.25, 0.15]), _at(spot, yaw, at),
                        yaw + rng.normal(0, 0.4), look)


def add_screen(out: MeshBuilder, rng: Rng, textures: TextureBank, at: ArrayLike, yaw: float,
               width_m: float = 0.55, lit: bool = True) -> None:
    """A monitor on a foot, showing towards +y."""
    frame = Surface(tint=grey(rng, 0.02, 0.15) if rng.random() < 0.8 else grey(rng, 0.5, 0.8))
    height = width_m * 0.58
    add_box(out, (0.24, 0.18, 0.015), at, yaw, frame)
    add_box(out, (0.06, 0.04, 0.16), at, yaw, frame)
    add_box(out, (width_m, 0.04, height), _at([0, 0, 0.12], yaw, at), yaw, frame)
    face = Surface(textures.pick(rng, "screen"), (0.9, 0.9, 0.9), 1.0, 0.8 if lit else 0.0)
    origin = _at([-width_m / 2 + 0.015, 0.026, 0.135], yaw, at)
    add_quad(out, origin, _at([width_m - 0.03, 0, 0], yaw, [0, 0, 0]), [0, 0, height - 0.03], face, fit=True)


def add_laptop(out: MeshBuilder, rng: Rng, textures: TextureBank, at: ArrayLike, yaw: float) -> None:
    """An open laptop used from +y."""
    look = Surface(tint=grey(rng, 0.05, 0.7))
    add_box(out, (0.33, 0.23, 0.02), at, yaw, look)
    face = Surface(textures.pick(rng, "screen"), (0.9, 0.9, 0.9), 1.0, 0.7)
    for offset, surface in ((0.0, look), (0.006, face)):
        add_quad(out, _at([-0.16, -0.11 + offset, 0.02], yaw, at), _at([0.32, 0, 0], yaw, [0, 0, 0]),
                 _at([0, -0.07, 0.21], yaw, [0, 0, 0]), surface, fit=True)


def add_chair(out: MeshBuilder, rng: Rng, style: Style, at: ArrayLike, yaw: float, seat_m: float = 0.45) -> None:
    """An office swivel chair or a four-legged one; the sitter faces −y."""
    w, back = float(rng.uniform(0.42, 0.52)), float(rng.uniform(0.38, 0.62))
    add_box(out, (w, w, 0.07), _at([0, 0, seat_m - 0.07], yaw, at), yaw, style.chair)
    add_box(out, (w * 0.9, 0.06, back), _at([0, w / 2, seat_m + 0.08], yaw, at), yaw, style.chair)
    add_box(out, (0.06, 0.04, 0.2), _at([0, w / 2, seat_m - 0.05], yaw, at), yaw, style.metal)
    if style.rolling:
        add_cylinder(out, 0.035, seat_m - 0.1, _at([0, 0, 0.05], yaw, at), style.metal, sides=8)
        for k in range(5):
            a = k * 2 * np.pi / 5 + yaw
            centre = np.asarray(at, np.float32) + np.array([0.15 * np.cos(a), 0.15 * np.sin(a), 0.04])
            add_box(out, (0.3, 0.05, 0.04), centre, a, style.metal)
        if rng.random() < 0.6:
            for sx in (-1, 1):
                add_box(out, (0.05, 0.28, 0.03), _at([sx * (w / 2 + 0.03), 0, seat_m + 0.2], yaw, at), yaw, style.metal)
    else:
        for sx in (-1, 1):
            for sy in (-1, 1):
                add_box(out, (0.035, 0.035, seat_m - 0.05), _at([sx * w * 0.45, sy * w * 0.45, 0], yaw, at), yaw,
                        style.metal)


def add_shelf(out: MeshBuilder, rng: Rng, textures: TextureBank, style: Style, at: ArrayLike, yaw: float,
              size: tuple[float, float, float]) -> None:
    """A shelf full of goods, both long sides showing."""
    w, d, h = size
    levels = max(2, int(h / rng.uniform(0.4, 0.9)))
    for i in range(levels + 1):
        add_box(out, (w, d, 0.04), _at([0, 0, i * (h - 0.04) / levels], yaw, at), yaw, style.metal, step_m=0.35)
    for sx in (-1, 1):
        add_box(out, (0.05, d, h), _at([sx * w / 2, 0, 0], yaw, at), yaw, style.metal, step_m=0.35)
    for i in range(levels):
        look = Surface(textures.pick(rng, "shelf"), (1.0, 1.0, 1.0), 1.0, repeat_m=float(rng.uniform(0.8, 1.8)))
        add_box(out, (w - 0.08, d * rng.uniform(0.6, 0.95), h / levels * rng.uniform(0.4, 0.85)),
                _at([0, 0, i * (h - 0.04) / levels + 0.04], yaw, at), yaw, look, step_m=0.35)


def add_sofa(out: MeshBuilder, style: Style, at: ArrayLike, yaw: float, width_m: float = 1.8) -> None:
    """A sofa; sitters face −y."""
    add_box(out, (width_m, 0.8, 0.42), at, yaw, style.sofa)
    add_box(out, (width_m, 0.22, 0.8), _at([0, 0.4, 0], yaw, at), yaw, style.sofa)
    for sx in (-1, 1):
        add_box(out, (0.18, 0.85, 0.6), _at([sx * width_m / 2, 0, 0], yaw, at), yaw, style.sofa)


def add_table(out: MeshBuilder, rng: Rng, textures: TextureBank, style: Style, at: ArrayLike, yaw: float,
              size: tuple[float, float], height_m: float = 0.74) -> None:
    """A table on two feet, sometimes littered."""
    top = Surface(textures.pick(rng, "desk"), style.top.tint, 1.0) if rng.random() < 0.6 else style.top
    add_box(out, (*size, 0.04), _at([0, 0, height_m - 0.04], yaw, at), yaw, style.wood, top=top)
    for sx in (-1, 1):
        add_box(out, (0.08, size[1] * 0.6, height_m - 0.04), _at([sx * size[0] * 0.38, 0, 0], yaw, at), yaw,
                style.metal)


def add_plant(out: MeshBuilder, rng: Rng, at: ArrayLike) -> None:
    """A pot with leaves."""
    add_cylinder(out, 0.16, 0.35, at, Surface(tint=grey(rng, 0.1, 0.8, 0.1)), 0.2, sides=12)
    base = np.asarray(at, np.float32)
    for _ in range(int(rng.integers(18, 45))):
        angle, rise, length = rng.uniform(0, 6.28), rng.uniform(0.5, 1.6), rng.uniform(0.25, 0.6)
        start = base + np.array([0, 0, rng.uniform(0.35, 0.9)])
        along = np.array([np.cos(angle), np.sin(angle), rise]) * length / np.hypot(1, rise)
        across = np.array([-np.sin(angle), np.cos(angle), 0]) * rng.uniform(0.04, 0.14)
        r, g, b = rng.uniform([0.05, 0.2, 0.03], [0.25, 0.5, 0.2])
        add_quad(out, start - across / 2, along, across, Surface(tint=(float(r), float(g), float(b))))


def add_coat_rack(out: MeshBuilder, rng: Rng, textures: TextureBank, style: Style, at: ArrayLike) -> None:
    """A stand with coats: looks like a person, is none."""
    add_cylinder(out, 0.03, 1.7, at, style.metal, sides=8)
    for _ in range(int(rng.integers(1, 5))):
        look = Surface(textures.pick(rng, "cloth"), grey(rng, 0.03, 0.8, 0.15), repeat_m=0.6)
        angle = rng.uniform(0, 6.28)
        spot = np.asarray(at, float) + np.array([0.14 * np.cos(angle), 0.14 * np.sin(angle), rng.uniform(0.5, 0.8)])
        add_cylinder(out, float(rng.uniform(0.14, 0.24)), float(rng.uniform(0.7, 1.0)), spot, look, 0.06, sides=10)


def add_jacket(out: MeshBuilder, rng: Rng, textures: TextureBank, at: ArrayLike, yaw: float) -> None:
    """A jacket hung over the back of a chair: sleeves and shoulders without anybody in them."""
    look = Surface(textures.pick(rng, "cloth"), grey(rng, 0.03, 0.6, 0.1), repeat_m=0.5)
    add_box(out, (0.46, 0.14, 0.5), _at([0, 0.25, 0.48], yaw, at), yaw, look, step_m=0.12)
    for sx in (-1, 1):
        add_cylinder(out, 0.06, 0.45, _at([sx * 0.25, 0.25, 0.45], yaw, at), look, 0.07, sides=8)


def add_boxes(out: MeshBuilder, rng: Rng, textures: TextureBank, at: ArrayLike, count: int) -> None:
    """A heap of cartons and crates."""
    base = np.asarray(at, np.float32)
    height = 0.0
    for i in range(count):
        size = rng.uniform([0.25, 0.25, 0.15], [0.75, 0.6, 0.5])
        carton = (float(rng.uniform(0.5, 0.75)), float(rng.uniform(0.4, 0.55)), float(rng.uniform(0.25, 0.4)))
        look = (Surface(tint=carton) if rng.random() < 0.6
                else Surface(textures.pick(rng, "object"), (1, 1, 1), 1.0, repeat_m=0.5))
        spread = rng.normal(0, 0.05 if i % 3 else 0.45, 2)
        spot = base + np.array([*spread, height if i % 3 else 0.0])
        height = height + float(size[2]) if i % 3 else float(size[2])
        add_box(out, size, spot, float(rng.uniform(0, 6.28)), look)
