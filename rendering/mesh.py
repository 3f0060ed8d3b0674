"""Triangle meshes as flat numpy arrays, and the builder that strings them into one vertex buffer."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from math import ceil, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
# position 3, normal 3, uv 2, layer, tint 3, texture share, id, glow
COLUMNS = 15
_FACES = ((0, 1, 2), (1, 2, 0), (0, 2, 1))


@dataclass(frozen=True)
class Surface:
    """How a surface looks: texture layer, RGB tint 0–1, share of the texture, own light 0–1, metres per repeat."""

    layer: int = 0
    tint: tuple[float, float, float] = (0.7, 0.7, 0.7)
    share: float = 1.0
    glow: float = 0.0
    repeat_m: float = 1.0


@dataclass
class MeshBuilder:
    """Collects parts; `arrays()` gives (N, 15) float32 vertices and (T, 3) int32 faces."""

    parts: list[Floats] = field(default_factory=list)
    faces: list[Ints] = field(default_factory=list)
    count: int = 0

    def add(self, position: ArrayLike, normal: ArrayLike, faces: ArrayLike, *, uv: ArrayLike = 0.0,
            layer: ArrayLike = 0.0, tint: ArrayLike = 1.0, share: ArrayLike = 1.0, person: int = 0,
            glow: ArrayLike = 0.0) -> None:
        """Append a mesh; scalars are spread over its vertices."""
        p = np.asarray(position, np.float32)
        block = np.empty((len(p), COLUMNS), np.float32)
        block[:, 0:3], block[:, 3:6] = p, normal
        block[:, 6:8], block[:, 8] = uv, layer
        block[:, 9:12], block[:, 12], block[:, 13], block[:, 14] = tint, share, person, glow
        self.parts.append(block)
        self.faces.append(np.asarray(faces, np.int32) + self.count)
        self.count += len(p)

    def join(self, other: MeshBuilder, turned: Floats, at: ArrayLike) -> None:
        """Append all of another builder, turned by a rotation (3, 3), then moved."""
        vertices, faces = other.arrays()
        vertices[:, 0:3] = vertices[:, 0:3] @ turned.T + np.asarray(at, np.float32)
        vertices[:, 3:6] = vertices[:, 3:6] @ turned.T
        self.parts.append(vertices)
        self.faces.append(faces + self.count)
        self.count += len(vertices)

    def arrays(self) -> tuple[Floats, Ints]:
        """All parts as one vertex and one face array."""
        if not self.parts:
            return np.zeros((0, COLUMNS), np.float32), np.zeros((0, 3), np.int32)
        return np.concatenate(self.parts), np.concatenate(self.faces)


@lru_cache(maxsize=512)
def grid(nu: int, nv: int) -> tuple[Floats, Ints]:
    """(K, 2) parameters in 0–1 and (T, 3) faces of a grid of nu × nv cells; shared, so don't write to them."""
    u, v = np.meshgrid(np.linspace(0, 1, nu + 1), np.linspace(0, 1, nv + 1), indexing="ij")
    i = (np.arange(nu)[:, None] * (nv + 1) + np.arange(nv)).reshape(-1)
    a, b, c, d = i, i + nv + 1, i + nv + 2, i + 1
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    return np.stack([u.reshape(-1), v.reshape(-1)], 1).astype(np.float32), faces.astype(np.int32)


def turn(yaw_rad: float) -> Floats:
    """(3, 3) rotation about z."""
    c, s = np.cos(yaw_rad), np.sin(yaw_rad)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], np.float32)


def place(points: Floats, yaw_rad: float, at: ArrayLike) -> Floats:
    """Points turned about z, then moved."""
    return np.asarray(points @ turn(yaw_rad).T + np.asarray(at, np.float32), np.float32)


def add_quad(out: MeshBuilder, origin: ArrayLike, u: ArrayLike, v: ArrayLike, look: Surface,
             step_m: float = 0.2, person: int = 0, fit: bool = False) -> None:
    """A flat parallelogram in cells of at most `step_m`; `fit` lays the texture once over it."""
    o, a, b = (np.asarray(x, np.float32) for x in (origin, u, v))
    (ax, ay, az), (bx, by, bz) = a.tolist(), b.tolist()
    la, lb = sqrt(ax * ax + ay * ay + az * az), sqrt(bx * bx + by * by + bz * bz)
    if min(la, lb) < 1e-4:
        return
    uv, faces = grid(max(1, ceil(la / step_m)), max(1, ceil(lb / step_m)))
    nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    length = max(sqrt(nx * nx + ny * ny + nz * nz), 1e-9)
    normal = (nx / length, ny / length, nz / length)
    out.add(o + uv[:, :1] * a + uv[:, 1:] * b, normal, faces,
            uv=uv if fit else uv * np.array([la / look.repeat_m, lb / look.repeat_m], np.float32),
            layer=look.layer, tint=look.tint, share=look.share, glow=look.glow, person=person)


def add_box(out: MeshBuilder, size: ArrayLike, at: ArrayLike, yaw_rad: float, look: Surface,
            top: Surface | None = None, step_m: float = 0.22, person: int = 0) -> None:
    """A box of size (x, y, z) standing with the middle of its bottom at `at`, turned about z."""
    s = np.asarray(size, np.float32)
    axes = turn(yaw_rad).T * s[:, None]
    corner = np.asarray(at, np.float32) - (axes[0] + axes[1]) / 2
    for a, b, c in _FACES:
        for far in (False, True):
            face = top if top is not None and c == 2 and far else look
            origin = corner + (axes[c] if far else 0)
            first, second = (axes[a], axes[b]) if far == ((a, b, c) != (0, 2, 1)) else (axes[b], axes[a])
            add_quad(out, origin, first, second, face, step_m, person, fit=face is top)


def add_cylinder(out: MeshBuilder, radius_m: float, height_m: float, at: ArrayLike, look: Surface,
                 top_radius_m: float | None = None, sides: int = 16, person: int = 0) -> None:
    """An upright cylinder or cone with a lid."""
    rings = max(1, int(np.ceil(height_m / 0.25)))
    uv, faces = grid(sides, rings)
    angle = uv[:, 0] * 2 * np.pi
    top = radius_m if top_radius_m is None else top_radius_m
    radius = radius_m + (top - radius_m) * uv[:, 1]
    normal = np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], 1)
    points = normal * radius[:, None]
    points[:, 2] = uv[:, 1] * height_m
    base = np.asarray(at, np.float32)
    out.add(points + base, normal, faces, uv=uv * 2, layer=look.layer, tint=look.tint, share=look.share,
            glow=look.glow, person=person)
    ring = np.arange(sides)
    lid = np.stack([np.cos(ring / sides * 2 * np.pi) * top, np.sin(ring / sides * 2 * np.pi) * top,
                    np.full(sides, height_m)], 1)
    lid = np.concatenate([lid, [[0, 0, height_m]]])
    fan = np.stack([ring, (ring + 1) % sides, np.full(sides, sides)], 1)
    out.add(lid + base, [0, 0, 1], fan, uv=lid[:, :2] + 0.5, layer=look.layer, tint=look.tint, share=look.share,
            glow=look.glow, person=person)


def add_rods(out: MeshBuilder, points: ArrayLike, radius_m: float, look: Surface, sides: int = 5) -> None:
    """Open tubes from point to point of (K, 3): bars, wires, legs of any direction."""
    path = np.asarray(points, np.float32)
    for a, b in pairwise(path):
        along = b - a
        length = float(np.linalg.norm(along))
        if length < 1e-4:
            continue
        uv, faces = grid(sides, max(1, ceil(length / 0.2)))
        side = np.cross(along, [1.0, 0.0, 0.0] if abs(along[0]) < 0.8 * length else [0.0, 0.0, 1.0])
        side /= np.linalg.norm(side)
        angle = uv[:, :1] * 2 * np.pi
        normal = np.cos(angle) * side + np.sin(angle) * np.cross(along / length, side)
        out.add(a + uv[:, 1:] * along + normal * radius_m, normal, faces, layer=look.layer, tint=look.tint,
                share=look.share, glow=look.glow)


def add_hoop(out: MeshBuilder, radius_m: float, tube_m: float, centre: ArrayLike, look: Surface,
             sides: int = 20) -> None:
    """A ring standing in the y–z plane: a tyre, a rim."""
    uv, faces = grid(sides, 6)
    a, b = uv[:, 0] * 2 * np.pi, uv[:, 1] * 2 * np.pi
    normal = np.stack([np.sin(b), np.cos(b) * np.cos(a), np.cos(b) * np.sin(a)], 1)
    ring = np.stack([np.zeros_like(a), np.cos(a), np.sin(a)], 1) * radius_m
    out.add(ring + normal * tube_m + np.asarray(centre, np.float32), normal, faces, layer=look.layer, tint=look.tint,
            share=look.share, glow=look.glow)


def add_loft(out: MeshBuilder, rings: ArrayLike, look: Surface, tints: ArrayLike | None = None) -> None:
    """A skin through K closed rings of S points, (K, S, 3); `tints` of the same shape colour it point by point."""
    path = np.asarray(rings, np.float32)
    count, sides = path.shape[:2]
    at = np.arange(count * sides).reshape(count, sides)
    a, b, c, d = (x.reshape(-1) for x in (at[:-1], at[1:], np.roll(at[1:], -1, 1), np.roll(at[:-1], -1, 1)))
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]).astype(np.int32)
    points = path.reshape(-1, 3)
    tint = look.tint if tints is None else np.asarray(tints, np.float32).reshape(-1, 3)
    out.add(points, vertex_normals(points, faces), faces, uv=(points[:, :2] + points[:, 2:]) / look.repeat_m,
            layer=look.layer, tint=tint, share=look.share, glow=look.glow)


def limb_rings(points: ArrayLike, radii: ArrayLike, width: float = 1.0, sides: int = 10) -> Floats:
    """(K + 4, S, 3) rings around a path (K, 3) that never runs along x; round ends, `width` times as wide along x."""
    path, radius = np.asarray(points, float), np.asarray(radii, float)
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    first, last = along[0] * radius[0], along[-1] * radius[-1]
    path = np.concatenate([[path[0] - 0.6 * first, path[0] - 0.4 * first], path,
                           [path[-1] + 0.4 * last, path[-1] + 0.6 * last]])
    radius = np.concatenate([[0, 0.8 * radius[0]], radius, [0.8 * radius[-1], 0]])
    along = along[[0, 0, *range(len(along)), -1, -1]]
    side = np.array([1.0, 0, 0]) - along[:, :1] * along
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    angle = np.arange(sides)[:, None] * 2 * np.pi / sides
    ring = width * np.cos(angle) * side[:, None] + np.sin(angle) * np.cross(along, side)[:, None]
    return np.asarray(path[:, None] + ring * radius[:, None, None], np.float32)


def add_limb(out: MeshBuilder, points: ArrayLike, radii: ArrayLike, look: Surface, width: float = 1.0,
             sides: int = 10) -> None:
    """A closed tube of changing thickness along a path, as `limb_rings` gives it: legs, necks, bellies, bottles."""
    add_loft(out, limb_rings(points, radii, width, sides), look)


def vertex_normals(points: Floats, faces: Ints) -> Floats:
    """(V, 3) area-weighted unit normals."""
    tri = points[faces]
    normal = np.cross(tri[:, 1] - tri[:, 0], tri[:, 2] - tri[:, 0])
    out = np.stack([np.bincount(faces.reshape(-1), np.repeat(normal[:, k], 3), len(points)) for k in range(3)], 1)
    return np.asarray(out / (np.linalg.norm(out, axis=1, keepdims=True) + 1e-9), np.float32)
