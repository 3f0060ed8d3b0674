"""Statues and busts: human bodies in stone, bronze or gold on a plinth. They count as things."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rendering.bodies import HAIR, HEAD, TORSO, Floats
from rendering.mesh import Ints, MeshBuilder, Surface, add_box, add_cylinder, add_limb, place, vertex_normals
from rendering.people import Body
from rendering.stage import Stage

Vec = NDArray[np.float64]
# Marble twice, granite, verdigris, greenish bronze, gilding: far from skin. One colour only: bands would be clothes.
_STONES = ((0.88, 0.87, 0.84), (0.8, 0.8, 0.8), (0.5, 0.5, 0.51), (0.3, 0.48, 0.4), (0.27, 0.29, 0.21),
           (0.8, 0.62, 0.22))


def _cut(body: Body, keep: NDArray[np.bool_]) -> tuple[Floats, Ints]:
    """The mesh of the kept vertices (V,) alone."""
    index = np.cumsum(keep) - 1
    return body.vertices[keep], index[body.faces[keep[body.faces].all(1)]].astype(np.int32)


def bust_of(body: Body) -> tuple[Floats, Ints]:
    """Head and chest of a standing body without arms: vertices with their foot at 0, faces."""
    chin = float(body.vertices[body.parts == HEAD][:, 2].min())
    chest = (body.parts == TORSO) & (body.vertices[:, 2] > chin - 0.3)
    vertices, faces = _cut(body, chest | np.isin(body.parts, (HEAD, HAIR)))
    middle = vertices.mean(0)
    return np.asarray(vertices - [middle[0], middle[1], vertices[:, 2].min()], np.float32), faces


def _plinth(out: MeshBuilder, look: Surface, at: Vec, yaw: float, wide_m: float, high_m: float, round_: bool) -> None:
    if round_:
        add_cylinder(out, wide_m / 2, high_m, at, look, sides=20)
        add_cylinder(out, wide_m / 2 + 0.05, 0.08, at, look, sides=20)
        return
    add_box(out, (wide_m, wide_m, high_m), at, yaw, look)
    for z in (0.0, max(high_m - 0.06, 0.0)):
        add_box(out, (wide_m + 0.08, wide_m + 0.08, 0.06), at + np.array([0, 0, z]), yaw, look)


def statue(stage: Stage, spot: Vec) -> None:
    """A draped figure or a bust on its plinth, below the ceiling, as a thing."""
    rng, body = stage.rng, stage.pick("stand")
    stone = np.array(_STONES[int(rng.integers(len(_STONES)))]) * rng.uniform(0.9, 1.1)
    look = Surface(tint=(float(stone[0]), float(stone[1]), float(stone[2])))
    size, ceiling = float(rng.uniform(0.75, 1.15)), stage.camera_height_m - 0.1
    vertices, faces = body.vertices * np.float32(size), body.faces
    plinth_m, wide_m = float(rng.uniform(0.25, 0.9)), float(rng.uniform(0.55, 0.75))
    if rng.random() < 0.45 or float(vertices[:, 2].max()) + 0.2 > ceiling:
        vertices, faces = bust_of(body)
        plinth_m, wide_m = float(rng.uniform(0.9, 1.25)), float(rng.uniform(0.32, 0.42))
    plinth_m = min(plinth_m, ceiling - float(vertices[:, 2].max()))
    if plinth_m < 0.1 or np.hypot(spot[0], spot[1]) < 0.9:
        return
    yaw = float(rng.uniform(0, 6.28))
    normals = vertex_normals(vertices, faces)
    drape = np.sin(vertices @ rng.normal(0, 12, (3, 3)) + rng.uniform(0, 6.28, 3)).mean(1)
    carved = (vertices + normals * (0.02 + 0.02 * drape)[:, None]).astype(np.float32)
    carved[:, 2] -= carved[:, 2].min()
    stage.take(float(spot[0]), float(spot[1]), wide_m / 2 + 0.05)
    if len(vertices) < len(body.vertices):
        # Where the arms are cut off, stone shows, not the inside.
        middle = spot + np.array([0, 0, plinth_m])
        add_limb(stage.things, middle + np.array([(0, 0, 0.03), (0, 0, 0.17)]), (0.11, 0.1), look, 1.3, 14)
    base = look if rng.random() < 0.5 else Surface(stage.textures.pick(rng, "wall"), (0.6, 0.59, 0.57), 0.6,
                                                   repeat_m=0.7)
    _plinth(stage.things, base, spot, yaw, wide_m, plinth_m, bool(rng.random() < 0.3))
    stage.things.add(place(carved, yaw, spot + np.array([0, 0, plinth_m])), place(normals, yaw, 0.0), faces,
                     tint=np.clip(stone * (1 + 0.12 * drape[:, None]), 0, 1))
