"""Which way is up at each pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from aipg_plugin.geometry.arrays import Float64, rows, unit
from aipg_plugin.geometry.camera import FisheyeCamera
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection, pixels_near
from aipg_plugin.options import MountKind

_STEP = 1e-4            # radians between the two rays whose pixels show the direction


def up_angle_deg(projection: Projection, mount: Mount, px: ArrayLike) -> Float64:
    """(N,) degrees clockwise from the picture's top to "up" at pixels (N, 2), in (-180, 180].

    Always a number: outside what the lens shows, that of the nearest place it shows; 0 straight below the camera,
    where there is no up.
    """
    p = rows(px, 2)
    if isinstance(projection, FisheyeCamera) and mount.kind is MountKind.CEILING:
        out = p - (projection.circle.cx_px, projection.circle.cy_px)
        angle = np.degrees(np.arctan2(out[:, 0], -out[:, 1]))
        return np.where(np.hypot(out[:, 0], out[:, 1]) > 1e-9, angle, 0.0)
    anchor = projection.clamp_to_valid(p)
    ray = projection.pixel_to_ray(anchor)
    rise = unit(mount.up - ray * (ray @ mount.up)[:, None])
    above = pixels_near(projection, unit(ray + _STEP * rise), anchor)
    below = pixels_near(projection, unit(ray - _STEP * rise), anchor)
    here = pixels_near(projection, ray, anchor)
    step = above - below
    step = np.where(np.isfinite(step), step, above - here)
    step = np.where(np.isfinite(step), step, here - below)
    angle = np.degrees(np.arctan2(step[:, 0], -step[:, 1]))
    return np.where(np.isfinite(angle) & (np.hypot(step[:, 0], step[:, 1]) > 0), angle, 0.0)


def aligned(projection: Projection, mount: Mount, boxes: ArrayLike) -> Float64:
    """(N, 5) gravity-aligned boxes from (N, 4) `cx, cy, w, h`."""
    b = rows(boxes, 4)
    return np.column_stack([b, up_angle_deg(projection, mount, b[:, :2])])
