"""The fisheye camera itself: lens law and image circle as a projection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from aipg_plugin.errors import GeometryError
from aipg_plugin.geometry.arrays import Bools, Float64, Ints, columns, polar_angles, rows
from aipg_plugin.geometry.circle import ImageCircle, default_circle, find_image_circle
from aipg_plugin.geometry.lens import LensLaw

__all__ = ["FisheyeCamera", "ImageCircle", "default_circle", "find_image_circle"]


@dataclass(frozen=True)
class FisheyeCamera:
    """A fisheye picture. It is its own only `Part`."""

    law: LensLaw
    circle: ImageCircle
    size_wh: tuple[int, int]

    period_px = 0.0

    def __post_init__(self) -> None:
        if min(self.size_wh) < 1:
            raise GeometryError("a picture of {size} px is impossible", size=self.size_wh)

    @property
    def parts(self) -> tuple[FisheyeCamera]:
        """The smooth pieces of the picture."""
        return (self,)

    @property
    def rect(self) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1 of the picture."""
        return 0.0, 0.0, float(self.size_wh[0]), float(self.size_wh[1])

    def part_of(self, px: ArrayLike) -> Ints:
        """(N,) index of the part each pixel belongs to: always 0."""
        return np.zeros(len(rows(px, 2)), dtype=np.intp)

    def _offset(self, px: ArrayLike) -> tuple[Float64, Float64]:
        """(N, 2) offset from the circle's centre and (N,) its length, both in radii."""
        offset = (rows(px, 2) - (self.circle.cx_px, self.circle.cy_px)) / self.circle.radius_px
        return offset, np.hypot(offset[:, 0], offset[:, 1])

    def to_ray(self, px: ArrayLike) -> Float64:
        """(N, 3) rays, on past the rim as far as the lens law goes; NaN beyond."""
        offset, r = self._offset(px)
        theta = self.law.r_to_theta(r)
        # sin θ / r tends to dθ/dr at the centre, where the direction does not matter.
        across = np.sin(theta) / np.maximum(r, 1e-12)
        return columns(offset[:, 0] * across, offset[:, 1] * across, np.cos(theta))

    def to_pixel(self, rays: ArrayLike) -> Float64:
        """(N, 2) pixels, on past the rim as far as the lens law goes; NaN beyond."""
        ray = rows(rays, 3)
        theta, phi = polar_angles(ray)
        r = self.law.theta_to_r(theta) * self.circle.radius_px
        return columns(self.circle.cx_px + r * np.cos(phi), self.circle.cy_px + r * np.sin(phi))

    def pixel_to_ray(self, px: ArrayLike) -> Float64:
        """(N, 3) unit rays of (N, 2) pixels; NaN outside the image circle."""
        _, r = self._offset(px)
        return np.where((r <= 1 + 1e-9)[:, None], self.to_ray(px), np.nan)

    def ray_to_pixel(self, rays: ArrayLike) -> Float64:
        """(N, 2) pixels of (N, 3) rays, off the picture too where the circle is cut; NaN outside the circle."""
        ray = rows(rays, 3)
        theta, _ = polar_angles(ray)
        return np.where((theta <= self.law.half_fov_rad + 1e-9)[:, None], self.to_pixel(ray), np.nan)

    def clamp_to_valid(self, px: ArrayLike) -> Float64:
        """(N, 2) the same pixels, those outside the circle moved straight to its rim."""
        offset, r = self._offset(px)
        inside = offset * np.minimum(1.0, (1 - 1e-9) / np.maximum(r, 1e-12))[:, None]
        return np.asarray(inside * self.circle.radius_px + (self.circle.cx_px, self.circle.cy_px))

    def valid_mask(self) -> Bools:
        """(H, W) bool: pixels whose centre lies in the image circle."""
        w, h = self.size_wh
        x = (np.arange(w) + 0.5 - self.circle.cx_px) / self.circle.radius_px
        y = (np.arange(h) + 0.5 - self.circle.cy_px) / self.circle.radius_px
        return np.asarray(x[None] ** 2 + y[:, None] ** 2 <= 1)
