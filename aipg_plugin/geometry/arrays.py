"""Array types (their one spelling from geometry up) and small vector helpers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
UInt8 = NDArray[np.uint8]
Int16 = NDArray[np.int16]
Int32 = NDArray[np.int32]
Ints = NDArray[np.intp]
Bools = NDArray[np.bool_]

TINY = 1e-12  # lengths below it have no direction


def rows(values: ArrayLike, width: int) -> Float64:
    """`values` as a float64 (N, width) array; anything empty becomes (0, width)."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 2 and array.shape[1] == width:
        return array
    return array.reshape(0, width) if array.size == 0 else array.reshape(-1, width)


def columns(*values: Float64) -> Float64:
    """(N, K) of K arrays (N,); several times as fast as np.stack for the few people of a picture."""
    result = np.empty((len(values[0]), len(values)))
    for index, value in enumerate(values):
        result[:, index] = value
    return result


def finite(values: Float64) -> Bools:
    """(N,) bool: rows without NaN or infinity."""
    return np.asarray(np.isfinite(values).all(axis=-1))


def unit(vectors: Float64) -> Float64:
    """(N, 3) vectors scaled to length 1; NaN where the length is 0."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > TINY, length, np.nan)


def polar_angles(rays: Float64) -> tuple[Float64, Float64]:
    """(N,) θ from the optical axis and (N,) φ around it (0 at x, clockwise on the screen), in radians."""
    across = np.hypot(rays[:, 0], rays[:, 1])
    return np.arctan2(across, rays[:, 2]), np.arctan2(rays[:, 1], rays[:, 0])
