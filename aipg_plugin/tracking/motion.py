"""How people move: at walking speed over the floor where it is known, over the picture where not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aipg_plugin.geometry import Mount, Projection, pixels_near
from aipg_plugin.geometry.arrays import Float64, finite

_WAIST_M = 0.9           # half the height of a standing person
_FARTHEST_M = 8.0        # beyond, a pixel is too many centimetres for a speed
_FASTEST_M_S = 3.0       # a run indoors
_SEEN_M = 0.06           # how far a sighting's box is off, arms stretched out and hidden legs included
_ANY_SPEED_M_S = 0.8     # of somebody seen once
_ACCELERATION = 1.5      # m/s per root second: who stands sets off, who walks stops or turns
_DOUBT_S = 0.15          # speeds from shorter spans than this count less than half


class MotionPlane:
    """The level plane at waist height, where box centres lie; half-hidden people do not jump on it as feet do."""

    def __init__(self, projection: Projection, mount: Mount) -> None:
        self._projection, self._mount = projection, mount
        self._height_m = min(_WAIST_M, 0.9 * mount.height_m)

    def lift(self, px: Float64) -> Float64:
        """(N, 2) metres of box centres (N, 2); NaN far away and above the horizon."""
        place = self._mount.plane_xy_m(self._projection.pixel_to_ray(px), self._height_m)
        near = np.hypot(place[:, 0], place[:, 1]) <= _FARTHEST_M
        return np.where(near[:, None], place, np.nan)

    def lower(self, places_m: Float64, anchor_px: Float64) -> Float64:
        """(N, 2) pixels of places in metres, in the piece of the picture (N, 2) anchors lie in."""
        heights = np.full(len(places_m), self._height_m)
        return pixels_near(self._projection, self._mount.rays_to(np.column_stack([places_m, heights])), anchor_px)

    def moved(self, centres_px: Float64, places_m: Float64, speeds_m_s: Float64, speeds_px_s: Float64,
              dt_s: Float64) -> Float64:
        """(N, 2) centres after (N,) seconds: over the floor where place and speed (N, 2) are known, else in pixels."""
        over_floor = self.lower(places_m + speeds_m_s * dt_s[:, None], centres_px)
        in_pixels = centres_px + speeds_px_s * dt_s[:, None]
        ok = finite(over_floor) & (np.abs(dt_s) > 0)
        return np.where(ok[:, None], over_floor, in_pixels)


def speed(first: Float64, last: Float64, span_s: float, fastest: float = _FASTEST_M_S) -> Float64:
    """(2,) speed between two places, doubted where the span is short, and never above `fastest`."""
    if span_s <= 0:
        return np.zeros(2)
    velocity = (last - first) / span_s * (span_s / (span_s + _DOUBT_S))
    size = float(np.hypot(velocity[0], velocity[1]))
    return velocity * (fastest / size) if size > fastest else velocity


@dataclass(frozen=True, slots=True)
class Walk:
    """What a track's filter makes of its sightings: constant velocity, disturbed by accelerations (Kalman 1960).

    `place_px`, `speed_px_s` (2,); `spread`: variances of place and speed and their covariance, in metres and seconds.
    """

    t_s: float
    place_px: Float64
    speed_px_s: Float64
    spread: tuple[float, float, float]

    @classmethod
    def begun(cls, t_s: float, place_px: Float64) -> Walk:
        """Seen once."""
        return cls(t_s, place_px, np.zeros(2), (_SEEN_M ** 2, _ANY_SPEED_M_S ** 2, 0.0))

    def spread_at(self, t_s: float) -> tuple[float, float, float]:
        """`spread` at a later time."""
        dt = t_s - self.t_s
        place, speed_, both = self.spread
        noise = _ACCELERATION ** 2
        return (place + 2 * dt * both + dt * dt * speed_ + noise * dt ** 3 / 3, speed_ + noise * dt,
                both + dt * speed_ + noise * dt * dt / 2)

    def seen(self, t_s: float, place_px: Float64) -> Walk:
        """After another sighting."""
        dt = t_s - self.t_s
        place, speed_, both = self.spread_at(t_s)
        expected = self.place_px + dt * self.speed_px_s
        gain_place, gain_speed = place / (place + _SEEN_M ** 2), both / (place + _SEEN_M ** 2)
        error = place_px - expected
        return Walk(t_s, expected + gain_place * error, self.speed_px_s + gain_speed * error,
                    ((1 - gain_place) * place, speed_ - gain_speed * both, (1 - gain_place) * both))
