"""Lens laws: how far from the image centre a ray at angle θ lands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from aipg_plugin.errors import GeometryError
from aipg_plugin.geometry.arrays import Float64
from aipg_plugin.options import LensModelName

_Function = Callable[[Float64], Float64]
_TABLE_SIZE = 4097  # starting values of the inverse, 0.04° apart; Newton steps do the rest


def _kannala_brandt(coefficients: tuple[float, ...]) -> tuple[_Function, _Function, float]:
    """θ → θ(1 + k1θ² + k2θ⁴ + k3θ⁶ + k4θ⁸) (OpenCV's fisheye model), its inverse, and the last rising θ."""
    powers = np.zeros(10)
    powers[1] = 1.0
    powers[3:3 + 2 * len(coefficients):2] = coefficients
    curve = np.polynomial.Polynomial(powers)
    slope = curve.deriv()
    table = np.linspace(0.0, np.pi, _TABLE_SIZE)
    falling = np.flatnonzero(slope(table) <= 0)
    if falling.size:
        table = table[:falling[0]]
    values = curve(table)

    def inverse(distance: Float64) -> Float64:
        theta = np.interp(distance, values, table)
        for _ in range(4):
            theta = np.clip(theta - (curve(theta) - distance) / slope(theta), 0.0, table[-1])
        return np.where(distance <= values[-1] * (1 + 1e-12), theta, np.nan)

    return curve, inverse, float(table[-1])


def _law(name: LensModelName, coefficients: tuple[float, ...]) -> tuple[_Function, _Function, float]:
    """Forward θ → distance (focal length 1), its inverse, and the largest θ, of one lens model."""
    match name:
        case LensModelName.EQUIDISTANT:
            return (lambda t: t), (lambda d: d), np.pi
        case LensModelName.EQUISOLID:
            return (lambda t: 2 * np.sin(t / 2)), (lambda d: 2 * np.arcsin(d / 2)), np.pi
        case LensModelName.STEREOGRAPHIC:
            return (lambda t: 2 * np.tan(t / 2)), (lambda d: 2 * np.arctan(d / 2)), np.pi * (1 - 1e-9)
        case LensModelName.ORTHOGRAPHIC:
            return np.sin, np.arcsin, np.pi / 2
        case LensModelName.KANNALA_BRANDT:
            return _kannala_brandt(coefficients)


@dataclass(frozen=True)
class LensLaw:
    """A lens model with its field; r is normalised to 1 at θ = `fov_deg` / 2.

    Both directions keep the shape of their argument and give NaN outside the law's domain.
    Raises GeometryError when the field is not one this law can show.
    """

    name: LensModelName
    fov_deg: float = 180.0
    coefficients: tuple[float, ...] = ()
    _forward: _Function = field(init=False, repr=False, compare=False)
    _inverse: _Function = field(init=False, repr=False, compare=False)
    _theta_max: float = field(init=False, repr=False, compare=False)
    _scale: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", LensModelName(self.name))
        object.__setattr__(self, "coefficients", tuple(float(k) for k in self.coefficients))
        if len(self.coefficients) > 4 or not np.all(np.isfinite(self.coefficients)):
            raise GeometryError("lens coefficients {value} are not up to four finite numbers",
                                path="lens.coefficients", value=self.coefficients)
        forward, inverse, theta_max = _law(self.name, self.coefficients)
        half = np.radians(self.fov_deg) / 2
        if not 0 < half <= theta_max * (1 + 1e-12):
            raise GeometryError("a field of {fov}° is impossible with the {law} law", path="lens.fov_deg",
                                cure="Give more than 0° and at most {limit:.1f}°",
                                fov=self.fov_deg, law=self.name.value, limit=np.degrees(2 * theta_max))
        object.__setattr__(self, "_forward", forward)
        object.__setattr__(self, "_inverse", inverse)
        object.__setattr__(self, "_theta_max", theta_max)
        object.__setattr__(self, "_scale", float(forward(np.asarray(min(half, theta_max)))))

    def __reduce__(self) -> tuple[type[LensLaw], tuple[object, ...]]:
        """Another process makes the functions anew."""
        return LensLaw, (self.name, self.fov_deg, self.coefficients)

    @property
    def half_fov_rad(self) -> float:
        """θ at the rim of the image circle."""
        return float(np.radians(self.fov_deg) / 2)

    def theta_to_r(self, theta: ArrayLike) -> Float64:
        """Normalised r of angles in radians; NaN for negative angles and those past the law's end."""
        angle = np.asarray(theta, dtype=np.float64)
        ok = (angle >= 0) & (angle <= self._theta_max * (1 + 1e-9))
        inside = np.where(ok, np.minimum(angle, self._theta_max), 0.0)
        return np.where(ok, self._forward(inside) / self._scale, np.nan)

    def r_to_theta(self, r: ArrayLike) -> Float64:
        """Angles in radians of normalised r; NaN where no ray lands."""
        distance = np.asarray(r, dtype=np.float64) * self._scale
        limit = float(self._forward(np.asarray(self._theta_max)))
        ok = (distance >= 0) & (distance <= limit * (1 + 1e-9))
        return np.where(ok, self._inverse(np.where(ok, np.minimum(distance, limit), 0.0)), np.nan)
