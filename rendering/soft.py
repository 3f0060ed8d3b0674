"""Upholstery: padded chairs, sofas, bean bags, heaps of clothes: what is most often taken for people."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rendering.furniture import Style, any_colour, grey
from rendering.mesh import MeshBuilder, Surface, add_cylinder, grid, place, vertex_normals
from rendering.textures import TextureBank

Rng = np.random.Generator
Vec = NDArray[np.float64]


def upholstery(rng: Rng, textures: TextureBank) -> Surface:
    """Cloth of the kinds that people wear, or plain leather."""
    tint = grey(rng, 0.02, 0.9, 0.1) if rng.random() < 0.7 else any_colour(rng, 0.05, 0.9)
    kind = rng.random()
    if kind < 0.2:
        return Surface(tint=tint, share=0.0)
    layer = textures.pick(rng, "photocloth" if kind < 0.4 else "cloth")
    return Surface(layer, tint, repeat_m=float(rng.uniform(0.3, 0.9)))


def add_cushion(out: MeshBuilder, rng: Rng, size: ArrayLike, middle: ArrayLike, look: Surface, *,
                pitch_rad: float = 0.0, yaw_rad: float = 0.0, at: ArrayLike = (0.0, 0.0, 0.0), bend: float = 0.0,
                wobble: float = 0.03) -> None:
    """A superquadric of `size` metres around `middle` in the frame of a piece that stands at `at`, turned by `yaw_rad`.

    `pitch_rad` tips it about x, `bend` curves it around z (metres at its sides), `wobble` dents it (share of its size).
    """
    uv, faces = grid(18, 12)
    a, e = uv[:, 0] * 2 * np.pi, (uv[:, 1] - 0.5) * np.pi
    power = float(rng.uniform(0.35, 0.9))

    def pow_(v: NDArray[np.floating]) -> Vec:
        return np.asarray(np.sign(v) * np.abs(v) ** power, np.float64)

    half = np.asarray(size, float) / 2
    p = np.stack([pow_(np.cos(e)) * pow_(np.cos(a)), pow_(np.cos(e)) * pow_(np.sin(a)), pow_(np.sin(e))], 1)
    waves, phase = rng.normal(0, 2.5, (4, 3)), rng.uniform(0, 6.28, 4)
    dent = np.sin(p @ waves.T + phase).sum(1) / 2
    p *= (1 + wobble * dent)[:, None] * half
    p[:, 1] -= bend * (p[:, 0] / half[0]) ** 2
    c, s = np.cos(pitch_rad), np.sin(pitch_rad)
    p = p @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]]).T + np.asarray(middle, float)
    points = place(p.astype(np.float32), yaw_rad, at)
    around = (np.asarray(size, float)[:2].sum() * 2, float(np.asarray(size, float)[2]) + 0.2)
    out.add(points, vertex_normals(points, faces), faces, uv=uv * np.array(around) / look.repeat_m, layer=look.layer,
            tint=look.tint, share=look.share)


def add_soft_chair(out: MeshBuilder, rng: Rng, style: Style, at: ArrayLike, yaw: float, seat_m: float = 0.45) -> None:
    """A padded office chair, some with arms and a headrest; the sitter faces −y."""
    look, w = style.chair, float(rng.uniform(0.44, 0.56))
    back, lean = float(rng.uniform(0.35, 0.8)), float(rng.uniform(-0.3, 0.0))

    def cushion(size: ArrayLike, middle: ArrayLike, pitch: float = 0.0, bend: float = 0.0) -> None:
        add_cushion(out, rng, size, middle, look, pitch_rad=pitch, yaw_rad=yaw, at=at, bend=bend)

    cushion((w, w, 0.12), (0, 0, seat_m - 0.05))
    cushion((w * rng.uniform(0.75, 1.0), 0.12, back), (0, w / 2 + 0.1 * back, seat_m + 0.1 + back / 2), lean, 0.05)
    if rng.random() < 0.35:
        cushion((0.28, 0.1, 0.18), (0, w / 2 + 0.25 * back, seat_m + 0.22 + back), lean)
    if rng.random() < 0.6:
        arm = replace(look, tint=style.metal.tint, share=0.0)
        for side in (-1, 1):
            middle = (side * (w / 2 + 0.04), 0.02, seat_m + 0.2)
            add_cushion(out, rng, (0.07, 0.3, 0.05), middle, arm, yaw_rad=yaw, at=at)
            add_cushion(out, rng, (0.05, 0.06, 0.22), (middle[0], 0.1, seat_m + 0.09), arm, yaw_rad=yaw, at=at)
    stem = place(np.array([[0, 0, 0.05]], np.float32), yaw, at)[0]
    add_cylinder(out, 0.035, seat_m - 0.12, stem, style.metal, sides=8)
    for a in np.arange(5) * 2 * np.pi / 5:
        add_cushion(out, rng, (0.3, 0.05, 0.04), (0.15, 0, 0.05), style.metal, yaw_rad=float(a), at=at)


def add_armchair(out: MeshBuilder, rng: Rng, look: Surface, at: ArrayLike, yaw: float, width_m: float = 0.8) -> None:
    """An armchair or sofa with its cushions; the sitter faces −y."""
    depth, back = float(rng.uniform(0.7, 0.95)), float(rng.uniform(0.35, 0.65))
    other = upholstery_like(rng, look)

    def cushion(size: ArrayLike, middle: ArrayLike, surface: Surface, pitch: float = 0.0, bend: float = 0.0) -> None:
        add_cushion(out, rng, size, middle, surface, pitch_rad=pitch, yaw_rad=yaw, at=at, bend=bend)

    cushion((width_m, depth, 0.35), (0, 0, 0.22), look)
    cushion((width_m, 0.22, back + 0.2), (0, depth / 2 - 0.05, 0.35 + back / 2), look, -0.15, rng.uniform(0, 0.2))
    arm_m = float(rng.uniform(0.1, 0.22))
    if rng.random() < 0.75:
        for side in (-1, 1):
            cushion((arm_m, depth * 0.9, 0.5), (side * (width_m - arm_m) / 2, 0, 0.35), look)
    seats = max(1, round((width_m - 0.2) / 0.65))
    for k in range(seats):
        x = ((k + 0.5) / seats - 0.5) * (width_m - 2 * arm_m)
        cushion(((width_m - 2 * arm_m) / seats, depth * 0.8, 0.16), (x, -0.05, 0.45), look)
        if rng.random() < 0.35:
            edge = float(rng.uniform(0.3, 0.5))
            cushion((edge, 0.16, edge), (x, depth / 2 - 0.25, 0.65), other, -0.4)


def upholstery_like(rng: Rng, look: Surface) -> Surface:
    """The same cloth in another colour."""
    return replace(look, tint=grey(rng, 0.03, 0.9, 0.15))


def add_heap(out: MeshBuilder, rng: Rng, textures: TextureBank, at: ArrayLike, height_m: float = 0.0) -> None:
    """A bean bag, a rucksack, or a heap of clothes on a table or the floor."""
    base = np.asarray(at, float) + np.array([0, 0, height_m])
    if rng.random() < 0.4:
        size = rng.uniform(0.5, 0.95) * np.array([1, rng.uniform(0.8, 1.2), rng.uniform(0.6, 1.0)])
        add_cushion(out, rng, size, (0, 0, size[2] / 2), upholstery(rng, textures), at=base, wobble=0.08)
        return
    for _ in range(int(rng.integers(1, 5))):
        size = rng.uniform(0.2, 0.55, 3) * np.array([1, 1, 0.5])
        middle = (*rng.normal(0, 0.15, 2), size[2] / 2 + rng.uniform(0, 0.15))
        add_cushion(out, rng, size, middle, upholstery(rng, textures), at=base, yaw_rad=float(rng.uniform(0, 6.28)),
                    wobble=0.15)
