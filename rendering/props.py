"""Furniture models (CC0 GLB files) as plain meshes for the scene builder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rendering.mesh import Floats, Ints, MeshBuilder, place

# Height in metres that each family of models is brought to; their own scale means nothing.
_HEIGHT_M = {"Chair": 0.9, "Couch": 0.85, "Houseplant": 0.9, "Trashcan": 0.5, "Light_Floor": 1.6, "Shelf_Large": 1.9,
             "Bookshelf": 1.9, "Table_Round": 0.74, "Stool": 0.6, "Drawer": 0.8, "Kitchen_Fridge": 1.8,
             "NightStand": 0.5, "Kitchen_Cabinet": 0.9, "Kitchen_Oven": 0.9, "Bathroom_WashingMachine": 0.85,
             "Light_Stand": 0.5}
_EDGE_M = 0.3


@dataclass(frozen=True)
class Prop:
    """One piece: (V, 3) metres on the floor around the origin, normals, RGB 0–1, (T, 3) faces, radius."""

    name: str
    position: Floats
    normal: Floats
    colour: Floats
    faces: Ints

    @property
    def radius_m(self) -> float:
        """Of the circle on the floor that it needs."""
        return float(np.hypot(self.position[:, 0], self.position[:, 1]).max())


def build_props(path: Path, folder: Path) -> None:
    """Read the GLB files in `folder`, bring them to size and save them at `path`; needs trimesh."""
    import trimesh

    split: Any = trimesh.remesh.subdivide_to_size

    arrays: dict[str, Any] = {}
    for file in sorted(folder.glob("*.glb")):
        height = next((h for prefix, h in _HEIGHT_M.items() if file.stem.startswith(prefix)), None)
        if height is None:
            continue
        points, normals, colours, faces, count = [], [], [], [], 0
        scene: Any = trimesh.load(file, force="scene")
        scale = height / scene.extents[1]
        for mesh in scene.dump():
            linear = np.asarray(mesh.visual.material.baseColorFactor[:3], float) / 255
            mesh.apply_scale(scale)
            v, f = split(mesh.vertices, mesh.faces, _EDGE_M)
            flat = trimesh.Trimesh(v, f, process=False)
            flat.unmerge_vertices()
            points.append(flat.vertices[:, [0, 2, 1]] * [1, -1, 1])
            normals.append(flat.vertex_normals[:, [0, 2, 1]] * [1, -1, 1])
            colours.append(np.repeat(linear[None] ** (1 / 2.2), len(flat.vertices), 0))
            faces.append(flat.faces + count)
            count += len(flat.vertices)
        p = np.concatenate(points)
        p -= [*((p[:, :2].min(0) + p[:, :2].max(0)) / 2), p[:, 2].min()]
        arrays |= {f"{file.stem}/p": p.astype(np.float32), f"{file.stem}/n": np.concatenate(normals, dtype=np.float32),
                   f"{file.stem}/c": np.concatenate(colours, dtype=np.float32),
                   f"{file.stem}/f": np.concatenate(faces).astype(np.int32)}
    part = path.with_suffix(".part.npz")
    np.savez(part, **arrays)
    part.replace(path)


def load_props(path: Path) -> list[Prop]:
    """The pieces saved at `path`; none where there is no such file."""
    if not path.exists():
        return []
    with np.load(path) as data:
        names = sorted({k.split("/")[0] for k in data.files})
        return [Prop(n, data[f"{n}/p"], data[f"{n}/n"], data[f"{n}/c"], data[f"{n}/f"]) for n in names]


def add_prop(out: MeshBuilder, rng: np.random.Generator, prop: Prop, at: NDArray[np.float64], yaw_rad: float) -> None:
    """Add a piece in its own or, as often, another colour."""
    colour = prop.colour
    if rng.random() < 0.6 and not prop.name.startswith("Houseplant"):
        base = np.full(3, rng.uniform(0.05, 0.85)) if rng.random() < 0.6 else rng.uniform(0.05, 0.8, 3)
        colour = np.clip(base + 0.4 * (colour - colour.mean()), 0.02, 0.95).astype(np.float32)
    size = float(rng.uniform(0.9, 1.1))
    out.add(place(prop.position * size, yaw_rad, at), place(prop.normal, yaw_rad, 0.0), prop.faces, tint=colour,
            share=0.0)
