"""Array types and the small vector helpers every geometry module uses."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]

TINY = 1e-12


def rows(values: ArrayLike, width: int) -> Floats:
    """`values` as a float64 (N, width) array; anything empty becomes (0, width)."""
    array = np.asarray(values, dtype=np.float64)
    return array.reshape(0, width) if array.size == 0 else array.reshape(-1, width)


def finite(values: Floats) -> Bools:
    """(N,) bool: rows without NaN or infinity."""
    return np.asarray(np.isfinite(values).all(axis=-1))


def unit(vectors: Floats) -> Floats:
    """(N, 3) vectors scaled to length 1; NaN where the length is 0."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > TINY, length, np.nan)


def polar_angles(rays: Floats) -> tuple[Floats, Floats]:
    """(N,) θ from the optical axis and (N,) φ around it (0 at x, clockwise on the screen), in radians."""
    across = np.hypot(rays[:, 0], rays[:, 1])
    return np.arctan2(across, rays[:, 2]), np.arctan2(rays[:, 1], rays[:, 0])
