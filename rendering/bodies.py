"""A bank of posed bodies from the parametric model anny (Apache-2.0 code, CC0 data), thinned for rendering."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rendering.poses import KINDS, Pose, random_pose, rotations

Floats = NDArray[np.float32]
THIGH, SHIN, FOOT, TORSO, UPPER_ARM, FOREARM, HAND, HEAD, HAIR = range(1, 10)
_PREFIXES = ((("upperleg", "pelvis", "root"), THIGH), (("lowerleg",), SHIN), (("foot", "toe"), FOOT),
             (("spine", "clavicle", "shoulder"), TORSO), (("upperarm",), UPPER_ARM), (("lowerarm",), FOREARM),
             (("wrist", "finger", "metacarpal"), HAND))
_SHARES = {"stand": 0.2, "walk": 0.2, "sit": 0.12, "desk": 0.2, "squat": 0.04, "bend": 0.09, "lie": 0.08,
           "push": 0.04, "climb": 0.03}
# One vertex is kept per cell of this size; hands may be coarser than faces.
_CELL_M = {THIGH: 0.035, SHIN: 0.03, FOOT: 0.03, TORSO: 0.033, UPPER_ARM: 0.028, FOREARM: 0.025, HAND: 0.03,
           HEAD: 0.022, HAIR: 0.024}


@dataclass(frozen=True)
class Bank:
    """Posed bodies: vertices (N, V, 3) float16 metres, z up, facing −y, feet at 0; faces (F, 3); parts (V,)."""

    vertices: NDArray[np.float16]
    faces: NDArray[np.int32]
    parts: NDArray[np.int8]
    kinds: NDArray[Any]
    hips: Floats

    @cached_property
    def head_turns(self) -> Floats:
        """(N, 3, 3) rotations of the heads, from that of an average standing body: least squares after Kabsch 1976."""
        points = self.vertices[:, np.isin(self.parts, (HEAD, HAIR))].astype(np.float32)
        points = points - points.mean(1, keepdims=True)
        upright = np.isin(self.kinds, ("stand", "walk"))
        level = points[upright if upright.any() else slice(None)].mean(0)
        u, _, v = np.linalg.svd(np.einsum("nvi,vj->nij", points, level))
        flip = np.stack([np.ones(len(u)), np.ones(len(u)), np.sign(np.linalg.det(u @ v))], 1)
        return np.asarray((u * flip[:, None]) @ v, np.float32)

    def of(self, *kinds: str) -> NDArray[np.intp]:
        """Indices of the bodies of these kinds."""
        return np.flatnonzero(np.isin(self.kinds, kinds))


def load_bank(path: Path) -> Bank:
    """The bank saved at `path`; raises FileNotFoundError naming the command that makes it."""
    if not path.exists():
        raise FileNotFoundError(f"no bodies at {path}: make them with `python -m rendering bodies --out {path}`")
    with np.load(path) as data:
        return Bank(data["vertices"], data["faces"], data["parts"], data["kinds"], data["hips"])


class BodyModel:
    """anny on the CPU with part labels and a thinned mesh; construction takes about a minute the first time."""

    def __init__(self) -> None:
        import anny  # type: ignore[import-untyped, unused-ignore]
        import torch

        self._torch = torch
        self._model = anny.Anny().to(torch.float32)
        self._bones = list(self._model.bone_labels)
        weights = self._model.vertex_bone_weights.numpy()
        index = self._model.vertex_bone_indices.numpy()
        rest = self._model.template_vertices.numpy()
        names = np.array(self._bones)[index[np.arange(len(index)), weights.argmax(1)]]
        parts = _label(names, rest)
        faces = self._model.get_triangular_faces()
        faces = np.asarray(faces[0] if isinstance(faces, tuple) else faces)
        self._keep, self.faces = _thin(rest, faces, parts)
        self.parts = parts[self._keep]

    def pose(self, pose: Pose, shape: dict[str, float]) -> Floats:
        """(V, 3) vertices of one posed body, as anny places it."""
        torch = self._torch
        bones = {name: np.eye(4, dtype=np.float32) for name in self._bones}
        for name, matrix in rotations(pose).items():
            bones[name][:3, :3] = matrix
        with torch.no_grad():
            out = self._model(pose_parameters={k: torch.tensor(v)[None] for k, v in bones.items()},
                              phenotype_kwargs=shape)
        return np.asarray(out["vertices"][0].numpy()[self._keep], dtype=np.float32)


def _label(names: NDArray[Any], rest: Floats) -> NDArray[np.int8]:
    parts = np.full(len(names), HEAD, np.int8)
    for prefixes, part in _PREFIXES:
        parts[[str(n).startswith(prefixes) for n in names]] = part
    head = np.flatnonzero(parts == HEAD)
    z, y = rest[head, 2], rest[head, 1]
    low, high = z.min(), z.max()
    crown = z > low + 0.75 * (high - low)
    back = (y > np.median(y)) & (z > low + 0.4 * (high - low))
    parts[head[crown | back]] = HAIR
    return parts


def _thin(rest: Floats, faces: NDArray[Any], parts: NDArray[np.int8]) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """Vertex clustering: the kept vertices and the faces among them."""
    cell = np.array([_CELL_M[int(p)] for p in parts])
    key = np.column_stack([parts, np.floor(rest / cell[:, None]).astype(int)])
    _, group = np.unique(key, axis=0, return_inverse=True)
    group = group.reshape(-1)
    centre = np.stack([np.bincount(group, rest[:, k]) for k in range(3)], 1) / np.bincount(group)[:, None]
    distance = np.linalg.norm(rest - centre[group], axis=1)
    order = np.lexsort((distance, group))
    keep = order[np.unique(group[order], return_index=True)[1]]
    small = group[faces]
    fine = (small[:, 0] != small[:, 1]) & (small[:, 1] != small[:, 2]) & (small[:, 0] != small[:, 2])
    small = small[fine]
    _, first = np.unique(np.sort(small, axis=1), axis=0, return_index=True)
    small = small[np.sort(first)]
    used = np.unique(small)
    remap = np.full(len(keep), -1)
    remap[used] = np.arange(len(used))
    return keep[used], remap[small].astype(np.int32)


def random_shape(rng: np.random.Generator) -> dict[str, float]:
    """Phenotype values for anny: mostly adults, some children and elders."""
    age = float(rng.uniform(0.3, 0.5)) if rng.random() < 0.07 else float(np.clip(rng.normal(0.7, 0.1), 0.55, 1))
    return {"gender": float(rng.random()), "age": age, "muscle": float(rng.uniform(0.3, 0.7)),
            "weight": float(rng.uniform(0.25, 0.85)), "height": float(rng.uniform(0.3, 0.7)),
            "proportions": float(rng.uniform(0.3, 0.8))}


def settle(vertices: Floats, parts: NDArray[np.int8], kind: str, roll_deg: float = 0.0) -> tuple[Floats, Floats]:
    """Put a body on the floor, hips over the origin; returns vertices and (3,) hip point (z: seat height).

    Who lies has the head at +y, on the back, or rolled from there by `roll_deg` onto a side or the face.
    """
    if kind == "lie":
        c, s = np.cos(np.radians(roll_deg)), np.sin(np.radians(roll_deg))
        on_back = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], np.float32)
        vertices = vertices @ on_back @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]], np.float32)
    thigh = vertices[parts == THIGH]
    hip = thigh[np.argsort(thigh[:, 1])[-len(thigh) // 3:]] if kind in {"sit", "desk"} else thigh
    centre = hip.mean(0)
    moved = vertices - np.array([centre[0], centre[1], vertices[:, 2].min()], np.float32)
    seat = float(np.percentile(hip[:, 2], 4) - vertices[:, 2].min())
    return moved.astype(np.float32), np.array([0, 0, seat], np.float32)


def _roll_deg(rng: np.random.Generator, kind: str) -> float:
    """Back, face or either side, and not quite flat."""
    if kind != "lie":
        return 0.0
    return float(rng.choice([0, 180, 90, -90], p=[0.4, 0.25, 0.175, 0.175]) + rng.normal(0, 8))


def _on_its_feet(model: BodyModel, rng: np.random.Generator, kind: str) -> tuple[Floats, Floats]:
    """A random body as `settle` gives it; the hands of those who bend or squat don't carry them off the floor."""
    for _ in range(12):
        posed, roll_deg = model.pose(random_pose(rng, kind), random_shape(rng)), _roll_deg(rng, kind)
        body, hip = settle(posed, model.parts, kind, roll_deg)
        if kind not in {"bend", "squat"} or body[np.isin(model.parts, (THIGH, SHIN, FOOT)), 2].min() < 0.02:
            break
    return body, hip


def build_bank(path: Path, count: int, seed: int) -> None:
    """Pose `count` bodies and save them at `path`, atomically."""
    from tqdm import tqdm

    model = BodyModel()
    kinds, vertices, hips = [], [], []
    for i in tqdm(range(count), desc="bodies", mininterval=5):
        rng = np.random.default_rng([seed, i])
        kind = str(rng.choice(KINDS, p=[_SHARES[k] for k in KINDS]))
        body, hip = _on_its_feet(model, rng, kind)
        kinds.append(kind)
        vertices.append(body.astype(np.float16))
        hips.append(hip)
    part = path.with_suffix(".part.npz")
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(part, vertices=np.stack(vertices), faces=model.faces, parts=model.parts, kinds=np.array(kinds),
             hips=np.stack(hips))
    part.replace(path)
