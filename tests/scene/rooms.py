"""Painted rooms: textured floors, furniture, noise and walking figures, for motion and picture checks."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from aipg_plugin.geometry.boxes import corners

SIZE = 320


def room(seed: int = 0, size: int = SIZE, contrast: float = 1.0) -> np.ndarray:
    """(size, size, 3) float32: the inside of a fisheye circle, black around it."""
    rng = np.random.default_rng(seed)
    picture = np.full((size, size, 3), (120, 125, 130), np.float32)
    for _ in range(60):
        x, y = rng.integers(0, size, 2)
        w, h = rng.integers(8, size // 5, 2)
        colour = 128 + contrast * (rng.uniform(20, 235, 3) - 128)
        turn = cv2.boxPoints(((float(x), float(y)), (float(w), float(h)), float(rng.uniform(0, 90))))
        cv2.fillConvexPoly(picture, turn.astype(np.int32), colour.tolist())
    fine = cv2.GaussianBlur(rng.normal(0, 60, (size, size)).astype(np.float32), (0, 0), 1.2)
    picture += contrast * fine[..., None]
    return (picture * disc(size)[..., None]).astype(np.float32)


def disc(size: int = SIZE) -> np.ndarray:
    """(size, size) bool: the image circle."""
    y, x = np.mgrid[:size, :size] + 0.5
    return np.hypot(x - size / 2, y - size / 2) < 0.48 * size


def shot(scene: np.ndarray, rng: np.random.Generator, *, gain: float = 1.0, noise: float = 2.5,
         people: np.ndarray | None = None, colour: tuple[int, int, int] = (50, 40, 160)) -> np.ndarray:
    """(H, W, 3) uint8 picture of a room by a noisy camera, with figures (N, 5) painted in."""
    picture = scene.copy()
    for polygon in corners(people) if people is not None and len(people) else ():
        cv2.fillConvexPoly(picture, np.round(polygon).astype(np.int32), colour)
    grain = np.roll(_grain(picture.shape[0]), tuple(rng.integers(0, picture.shape[0], 2)), (0, 1))
    return np.clip(picture * np.float32(gain) + np.float32(noise) * grain, 0, 255).astype(np.uint8)


@cache
def _grain(size: int) -> np.ndarray:
    return np.random.default_rng(8).normal(0, 1, (size, size, 3)).astype(np.float32)
