"""Dogs: standing, sitting, lying. Warm, soft, on the floor among people, and none of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rendering.mesh import Floats, MeshBuilder, Surface, add_limb, add_loft, limb_rings, turn
from rendering.textures import TextureBank

Rng = np.random.Generator
_COATS = ((0.06, 0.055, 0.05), (0.12, 0.08, 0.05), (0.3, 0.19, 0.1), (0.5, 0.35, 0.19), (0.62, 0.48, 0.3),
          (0.82, 0.78, 0.7), (0.35, 0.34, 0.33), (0.5, 0.27, 0.12))
DOG_POSES = ("stand", "sit", "lie")


@dataclass(frozen=True)
class _Skeleton:
    """Paths (y, z) in shoulder heights, the nose towards −y; limbs also with x. `skull`: where the neck ends."""

    torso: tuple[tuple[float, float], ...]
    shoulder: tuple[float, float]
    skull: tuple[float, float]
    front: tuple[tuple[float, float, float], ...]
    hind: tuple[tuple[float, float, float], ...]
    tail: tuple[float, float]


_SKELETONS = {
    "stand": _Skeleton(((-0.5, 0.78), (-0.33, 0.74), (0.0, 0.76), (0.33, 0.79), (0.5, 0.78)), (-0.45, 0.88),
                       (-0.68, 1.17), ((0.13, -0.38, 0.75), (0.13, -0.36, 0.4), (0.13, -0.38, 0.05),
                                       (0.13, -0.44, 0.04)),
                       ((0.12, 0.42, 0.72), (0.14, 0.34, 0.44), (0.14, 0.52, 0.24), (0.14, 0.46, 0.05),
                        (0.14, 0.4, 0.04)), (0.52, 0.84)),
    "sit": _Skeleton(((-0.3, 0.8), (-0.25, 0.68), (-0.05, 0.5), (0.16, 0.32), (0.25, 0.22)), (-0.28, 0.86),
                     (-0.4, 1.17), ((0.12, -0.26, 0.7), (0.12, -0.3, 0.4), (0.12, -0.32, 0.05), (0.12, -0.38, 0.04)),
                     ((0.15, 0.22, 0.24), (0.2, 0.0, 0.3), (0.21, -0.14, 0.24), (0.21, 0.02, 0.05),
                      (0.21, -0.12, 0.04)), (0.3, 0.08)),
    "lie": _Skeleton(((-0.5, 0.3), (-0.33, 0.25), (0.0, 0.24), (0.33, 0.24), (0.48, 0.2)), (-0.47, 0.36),
                     (-0.66, 0.62), ((0.15, -0.38, 0.2), (0.16, -0.42, 0.06), (0.15, -0.62, 0.05), (0.14, -0.85, 0.05)),
                     ((0.16, 0.38, 0.2), (0.24, 0.14, 0.2), (0.26, 0.04, 0.1), (0.26, 0.28, 0.05),
                      (0.26, 0.1, 0.04)), (0.5, 0.08))}


def _coat(rng: Rng) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two fur colours, mostly alike."""
    first = np.array(_COATS[int(rng.integers(len(_COATS)))]) * rng.uniform(0.8, 1.2)
    second = np.array(_COATS[int(rng.integers(len(_COATS)))]) if rng.random() < 0.45 else first * rng.uniform(0.85, 1.2)
    return np.clip(first, 0.02, 0.95), np.clip(second, 0.02, 0.95)


def _patched(rng: Rng, rings: Floats, coat: tuple[NDArray[np.float64], NDArray[np.float64]],
             height_m: float) -> NDArray[np.float64]:
    """(K, S, 3) colours in large soft-edged patches."""
    wave = np.sin(rings / height_m @ rng.normal(0, 5, (3, 3)) + rng.uniform(0, 6.28, 3)).sum(2)
    share = np.clip(2.5 * (wave - 0.5), 0, 1)[..., None]
    return np.asarray(coat[0] * (1 - share) + coat[1] * share, np.float64)


def _surface(colour: NDArray[np.float64], layer: int) -> Surface:
    return Surface(layer, (float(colour[0]), float(colour[1]), float(colour[2])), 0.6, repeat_m=0.35)


def _head(out: MeshBuilder, rng: Rng, skull: NDArray[np.float64], h: float, looks: tuple[Surface, Surface]) -> None:
    """Skull, snout, nose, ears, turned some way."""
    part, (fur, other) = MeshBuilder(), looks
    snout = float(rng.uniform(0.24, 0.44))
    crown = np.array([(0, 0.06, 0), (0, -0.04, 0.03), (0, -0.12, 0.0)]) * h
    add_limb(part, crown, np.array([0.1, 0.15, 0.12]) * h, fur)
    add_limb(part, np.array([(0, -0.1, -0.02), (0, -0.1 - snout, -0.07)]) * h, np.array([0.1, 0.06]) * h, other)
    nose = np.array([(0, -0.12 - snout, -0.05), (0, -0.14 - snout, -0.05)]) * h
    add_limb(part, nose, np.array([0.04, 0.03]) * h, Surface(tint=(0.03, 0.03, 0.03)))
    pricked = rng.random() < 0.45
    for sx in (-1, 1):
        tip = (sx * 0.12, -0.01, 0.3) if pricked else (sx * 0.18, -0.03, -0.16)
        add_limb(part, np.array([(sx * 0.1, 0, 0.1), tip]) * h, np.array([0.06, 0.03]) * h, fur, 0.6, 6)
    out.join(part, turn(float(rng.normal(0, 0.45))), skull)


def add_dog(out: MeshBuilder, rng: Rng, textures: TextureBank, at: ArrayLike, yaw_rad: float, shoulder_m: float,
            pose: str = "stand") -> None:
    """A dog of this shoulder height over `at`, facing −y before its yaw; pose one of `DOG_POSES`."""
    part, bones, h = MeshBuilder(), _SKELETONS[pose], shoulder_m
    coat, layer, stout = _coat(rng), textures.pick(rng, "cloth"), float(rng.uniform(0.85, 1.25))
    fur, other = (_surface(c, layer) for c in coat)
    torso = np.array([(0, y, z) for y, z in bones.torso]) * h
    rings = limb_rings(torso, np.array([0.14, 0.22, 0.19, 0.18, 0.12]) * h * stout, 0.8, 14)
    add_loft(part, rings, Surface(layer, share=0.6, repeat_m=0.35), _patched(rng, rings, coat, h))
    skull = np.array([0, *bones.skull]) * h
    if pose == "lie" and rng.random() < 0.4:
        skull[1:] = np.array([-0.72, 0.15]) * h
    add_limb(part, [np.array([0, *bones.shoulder]) * h, skull], np.array([0.17, 0.12]) * h * stout, fur)
    _head(part, rng, skull, h, (fur, other if rng.random() < 0.6 else fur))
    for sx in (-1, 1):
        sway = np.array([[0, float(rng.normal(0, 0.04)), 0]]) * (pose == "stand")
        front, hind = (np.array(path) * (sx, 1, 1) for path in (bones.front, bones.hind))
        front[1:] += sway
        add_limb(part, front * h, np.array([0.1, 0.06, 0.045, 0.05]) * h, other)
        add_limb(part, hind * h, np.array([0.15, 0.11, 0.06, 0.045, 0.05]) * h, fur)
    y, z = bones.tail
    rise, bob = float(rng.uniform(-0.2, 0.35)) if pose == "stand" else 0.0, float(rng.uniform(0.5, 1.0))
    tail = np.array([(0, y - 0.05, z), (0.03, y + 0.18 * bob, z + 0.4 * rise), (0.08, y + 0.4 * bob, z + rise)]) * h
    add_limb(part, tail, np.array([0.06, 0.05, 0.035]) * h, fur)
    lowest = float(part.arrays()[0][:, 2].min())
    out.join(part, turn(yaw_rad), np.asarray(at, float) - [0, 0, lowest])
