"""The smooth pieces of a dewarped picture: a rectilinear view and an equirectangular strip."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from aipg_plugin.errors import GeometryError
from aipg_plugin.geometry.arrays import Float64, rows, unit
from aipg_plugin.options import View

Rect = tuple[float, float, float, float]


class Part(Protocol):
    """One smooth piece of a picture; both directions go on beyond its rectangle and the lens's field."""

    @property
    def rect(self) -> Rect:
        """x0, y0, x1, y1 of the piece in the picture."""

    @property
    def period_px(self) -> float:
        """How far apart in x the same ray appears again (a full turn); 0 where it does not."""

    def to_ray(self, px: ArrayLike) -> Float64:
        """(N, 3) unit rays of (N, 2) pixels; NaN where undefined."""

    def to_pixel(self, rays: ArrayLike) -> Float64:
        """(N, 2) pixels of (N, 3) rays; NaN where undefined."""


def rotation(view: View) -> Float64:
    """(3, 3) rotation from a view to the levelled frame: yaw right, then pitch up, then roll clockwise (v360's ypr)."""
    yaw, pitch, roll = np.radians([view.yaw_deg, view.pitch_deg, view.roll_deg])
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(about_y @ about_x @ about_z)


def _frozen(matrix: Float64) -> Float64:
    copy = np.array(matrix, dtype=np.float64)
    copy.setflags(write=False)
    return copy


@dataclass(frozen=True, eq=False)
class FlatPart:
    """A rectilinear view `h_fov_deg` wide; `turn` (3, 3) goes from the view to the camera frame."""

    rect: Rect
    turn: Float64
    h_fov_deg: float
    stretch: float = 1.0                                   # height of a pixel over its width

    period_px = 0.0
    focal: tuple[float, float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0 < self.h_fov_deg < 180:
            raise GeometryError("a rectilinear view of {fov}° is impossible", path="view.h_fov_deg",
                                cure="Give more than 0° and less than 180°", fov=self.h_fov_deg)
        fx = (self.rect[2] - self.rect[0]) / 2 / np.tan(np.radians(self.h_fov_deg) / 2)
        object.__setattr__(self, "turn", _frozen(self.turn))
        object.__setattr__(self, "focal", (float(fx), float(fx * self.stretch)))

    @property
    def middle(self) -> tuple[float, float]:
        """The pixel on the view's axis."""
        return (self.rect[0] + self.rect[2]) / 2, (self.rect[1] + self.rect[3]) / 2

    def to_ray(self, px: ArrayLike) -> Float64:
        """(N, 3) unit rays, beyond the rectangle too."""
        plane = (rows(px, 2) - self.middle) / self.focal
        return unit(np.column_stack([plane, np.ones(len(plane))])) @ self.turn.T

    def to_pixel(self, rays: ArrayLike) -> Float64:
        """(N, 2) pixels; NaN for rays at or behind the view's own plane."""
        v = rows(rays, 3) @ self.turn
        depth = np.where(v[:, 2] > 1e-6, v[:, 2], np.nan)
        return np.asarray(v[:, :2] / depth[:, None] * self.focal + self.middle)

    def stretched(self, sx: float, sy: float) -> FlatPart:
        """The piece in a picture stretched by these factors."""
        return replace(self, rect=_stretched(self.rect, sx, sy), stretch=self.stretch * sy / sx)


@dataclass(frozen=True, eq=False)
class StripPart:
    """A strip `span_deg` wide, x linear in azimuth and y in elevation from `top_deg` down to `bottom_deg`."""

    rect: Rect
    turn: Float64
    span_deg: float
    top_deg: float
    bottom_deg: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "turn", _frozen(self.turn))

    @property
    def period_px(self) -> float:
        """A full turn in pixels."""
        return (self.rect[2] - self.rect[0]) * 360.0 / self.span_deg

    def to_ray(self, px: ArrayLike) -> Float64:
        """(N, 3) unit rays; NaN above the zenith and below the nadir."""
        x0, y0, x1, y1 = self.rect
        p = rows(px, 2)
        azimuth = np.radians(((p[:, 0] - x0) / (x1 - x0) - 0.5) * self.span_deg)
        elevation = self.top_deg + (p[:, 1] - y0) / (y1 - y0) * (self.bottom_deg - self.top_deg)
        elevation = np.radians(np.where(np.abs(elevation) <= 90 + 1e-9, elevation, np.nan))
        flat = np.cos(elevation)
        v = np.stack([np.sin(azimuth) * flat, -np.sin(elevation), np.cos(azimuth) * flat], axis=1)
        return np.asarray(v @ self.turn.T)

    def to_pixel(self, rays: ArrayLike) -> Float64:
        """(N, 2) pixels, x within half a turn of the strip's middle, y beyond the rectangle too."""
        x0, y0, x1, y1 = self.rect
        v = rows(rays, 3) @ self.turn
        azimuth = np.degrees(np.arctan2(v[:, 0], v[:, 2]))
        elevation = np.degrees(np.arctan2(-v[:, 1], np.hypot(v[:, 0], v[:, 2])))
        x = x0 + (azimuth / self.span_deg + 0.5) * (x1 - x0)
        y = y0 + (elevation - self.top_deg) / (self.bottom_deg - self.top_deg) * (y1 - y0)
        return np.stack([x, y], axis=1)

    def stretched(self, sx: float, sy: float) -> StripPart:
        """The piece in a picture stretched by these factors."""
        return replace(self, rect=_stretched(self.rect, sx, sy))


def _stretched(rect: Rect, sx: float, sy: float) -> Rect:
    return rect[0] * sx, rect[1] * sy, rect[2] * sx, rect[3] * sy


DewarpedPart = FlatPart | StripPart
