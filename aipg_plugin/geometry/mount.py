"""How the camera hangs: where up is, and where the floor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from aipg_plugin.errors import GeometryError
from aipg_plugin.geometry.arrays import Float64, columns, rows, unit
from aipg_plugin.options import MountKind

# Columns: the levelled frame's right, down and forward, in the camera frame.
_LEVEL = {
    MountKind.CEILING: np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
    MountKind.WALL: np.eye(3),
}


@dataclass(frozen=True)
class Mount:
    """A camera on the ceiling (axis straight down) or on a wall (axis level), `height_m` above the floor.

    Levelled frame: x right, y down, z forward, where forward is the top of a ceiling picture or the axis of a
    wall camera. Floor frame: x right, y forward, z up, the camera at (0, 0, height_m); right-handed, metres.
    """

    kind: MountKind = MountKind.CEILING
    height_m: float = 3.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", MountKind(self.kind))
        if not (np.isfinite(self.height_m) and self.height_m > 0):
            raise GeometryError("a camera height of {value} m is impossible", path="camera_height_m",
                                cure="Give the height above the floor in metres", value=self.height_m)

    @property
    def level(self) -> Float64:
        """(3, 3) rotation from the levelled to the camera frame."""
        return _LEVEL[self.kind].copy()

    @property
    def up(self) -> Float64:
        """(3,) unit vector against gravity, in the camera frame."""
        return -_LEVEL[self.kind][:, 1]

    def to_floor_frame(self, rays: ArrayLike) -> Float64:
        """(N, 3) camera-frame vectors in the floor frame's axes."""
        level = rows(rays, 3) @ _LEVEL[self.kind]
        return columns(level[:, 0], level[:, 2], -level[:, 1])

    def floor_xy_m(self, rays: ArrayLike) -> Float64:
        """(N, 2) where rays meet the floor; NaN for those that do not go down."""
        return self.plane_xy_m(rays, 0.0)

    def plane_xy_m(self, rays: ArrayLike, height_m: float) -> Float64:
        """(N, 2) where rays meet the level plane `height_m` above the floor; NaN where they never do."""
        d = self.to_floor_frame(rays)
        rise = height_m - self.height_m
        with np.errstate(divide="ignore", invalid="ignore"):
            t = rise / d[:, 2]
        t = np.where((t > 0) & np.isfinite(t), t, np.nan)
        return np.asarray(d[:, :2] * t[:, None])

    def rays_to(self, points_xyz_m: ArrayLike) -> Float64:
        """(N, 3) unit rays from the camera to floor-frame points; NaN for the camera's own place."""
        p = rows(points_xyz_m, 3)
        level = columns(p[:, 0], self.height_m - p[:, 2], p[:, 1])
        return unit(level @ _LEVEL[self.kind].T)
