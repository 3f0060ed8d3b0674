"""Bodies that move: walking cycles, standing, sitting and desk work of a few people, precomputed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rendering.bodies import BodyModel, Floats, random_shape, settle
from rendering.poses import Pose, random_pose, walk_cycle

PHASES = 24
STRIDE_M = 1.42  # a full cycle, both steps
_STILL = ("stand", "desk", "sit")


@dataclass(frozen=True)
class Actors:
    """walk (A, 24, V, 3) and still poses by kind (A, 2, V, 3), float16 metres; faces and parts as in `Bank`."""

    walk: NDArray[np.float16]
    still: dict[str, NDArray[np.float16]]
    faces: NDArray[np.int32]
    parts: NDArray[np.int8]

    def walking(self, actor: int, walked_m: float) -> Floats:
        """(V, 3) body after `walked_m` metres."""
        phase = (walked_m / STRIDE_M) % 1 * PHASES
        i, t = int(phase) % PHASES, phase % 1
        a, b = self.walk[actor, i].astype(np.float32), self.walk[actor, (i + 1) % PHASES].astype(np.float32)
        return np.asarray(a + (b - a) * t, np.float32)

    def resting(self, actor: int, kind: str, time_s: float) -> Floats:
        """(V, 3) body that stands or sits and sways a little."""
        a, b = self.still[kind][actor].astype(np.float32)
        t = 0.5 + 0.5 * np.sin(time_s * 1.9 + actor) * np.cos(time_s * 0.7 + 2 * actor)
        return np.asarray(a + (b - a) * t, np.float32)


def _nudge(rng: np.random.Generator, pose: Pose) -> Pose:
    return {bone: (x + rng.normal(0, 5), y + rng.normal(0, 4), z + rng.normal(0, 5))
            if bone in {"head", "neck01", "lowerarm01.L", "lowerarm01.R", "spine03"} else (x, y, z)
            for bone, (x, y, z) in pose.items()}


def build_actors(path: Path, count: int, seed: int) -> None:
    """Pose `count` actors and save them at `path`, atomically."""
    model = BodyModel()
    walks: list[NDArray[np.float16]] = []
    stills: dict[str, list[NDArray[np.float16]]] = {kind: [] for kind in _STILL}
    for i in range(count):
        rng = np.random.default_rng([seed, 77, i])
        shape = random_shape(rng)
        shape["age"] = max(shape["age"], 0.6)
        base = random_pose(rng, "stand")
        for side, sign in (("L", 1), ("R", -1)):
            base[f"upperarm01.{side}"] = (0.0, sign * 42.0, 0.0)
            base[f"lowerarm01.{side}"] = (-18.0, 0.0, 0.0)
        walks.append(np.stack([settle(model.pose(walk_cycle(base, k / PHASES), shape), model.parts, "walk")[0]
                               for k in range(PHASES)]).astype(np.float16))
        for kind in _STILL:
            pose = base if kind == "stand" else random_pose(rng, kind)
            pair = [settle(model.pose(p, shape), model.parts, kind)[0] for p in (pose, _nudge(rng, pose))]
            stills[kind].append(np.stack(pair).astype(np.float16))
    part = path.with_suffix(".part.npz")
    path.parent.mkdir(parents=True, exist_ok=True)
    still: dict[str, Any] = {kind: np.stack(v) for kind, v in stills.items()}
    np.savez(part, walk=np.stack(walks), faces=model.faces, parts=model.parts, **still)
    part.replace(path)


def load_actors(path: Path, count: int = 12, seed: int = 0) -> Actors:
    """The actors saved at `path`; made first where there are none (needs anny and torch)."""
    if not path.exists():
        build_actors(path, count, seed)
    with np.load(path) as data:
        return Actors(data["walk"], {k: data[k] for k in _STILL}, data["faces"], data["parts"])
