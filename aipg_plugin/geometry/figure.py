"""People as the camera sees them: standing capsules on the floor, their size and place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from aipg_plugin.geometry.arrays import Bools, Float64, finite, rows
from aipg_plugin.geometry.boxes import corners
from aipg_plugin.geometry.gravity import up_angle_deg
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection, pixels_near

RADIUS_M = 0.35          # half a shoulder width with arms and clothes
FARTHEST_M = 30.0        # places at and above the horizon count as this far away
_TALL_M, _SHORT_M = 2.2, 0.4  # a tall person with a hat; a toddler
_LEVELS = 5              # rings of the capsule's straight part
_AROUND = 16             # points of a ring
_BAR_HEIGHTS_M = np.array([0.1, 0.5, 0.9, 1.3, 1.7])  # floor to head


@dataclass(frozen=True, slots=True)
class Figure:
    """A person as masked: box `(cx, cy, w, h, angle_deg)`, outline (K, 2) in the box's local coordinates, head
    `(x, y, r)` px or NaN, when last seen (`seen_s`) and how old that evidence is (`age_s`), in seconds.

    `position_uncertainty_m` is how far the person may be from where the figure is drawn, in metres.
    """

    id: int
    box: Float64
    outline: Float64
    head: Float64
    score: float
    seen_s: float
    age_s: float = 0.0
    position_uncertainty_m: float = 0.0


def _capsule(height_m: float) -> Float64:
    """(P, 3) points on a capsule that stands on the floor at (0, 0)."""
    radius = min(RADIUS_M, height_m / 2)
    z = [0.0, height_m]
    ring = [0.0, 0.0]
    for dip in np.radians([30.0, 60.0]):
        z += [radius * (1 - np.sin(dip)), height_m - radius * (1 - np.sin(dip))]
        ring += [radius * np.cos(dip)] * 2
    z += list(np.linspace(radius, height_m - radius, _LEVELS))
    ring += [radius] * _LEVELS
    around = np.linspace(0, 2 * np.pi, _AROUND, endpoint=False)
    # A ring of chords falls short of the circle; widen it to the tangent polygon.
    wide = np.asarray(ring) / np.cos(np.pi / _AROUND)
    x, y = wide[:, None] * np.cos(around), wide[:, None] * np.sin(around)
    return np.stack([x, y, np.broadcast_to(np.asarray(z)[:, None], x.shape)], axis=-1).reshape(-1, 3)


def standing_boxes(projection: Projection, mount: Mount, floor_xy_m: ArrayLike, height_m: float = 1.75) -> Float64:
    """(N, 5) boxes around people who stand at floor places (N, 2), as capsules of radius 0.35 m.

    NaN where the picture shows nothing of them.
    """
    places = rows(floor_xy_m, 2)
    shape = _capsule(height_m)
    count = len(shape)
    points = np.concatenate([places[:, None] + shape[None, :, :2],
                             np.broadcast_to(shape[None, :, 2:], (len(places), count, 1))], axis=2)
    rays = mount.rays_to(points.reshape(-1, 3))
    middle = np.column_stack([places, np.full(len(places), height_m / 2)])
    seen = projection.ray_to_pixel(rays).reshape(-1, count, 2)
    anchor = _first_finite(projection.ray_to_pixel(mount.rays_to(middle)), seen)
    box = np.full((len(places), 5), np.nan)
    ok = finite(anchor)
    if not ok.any():
        return box
    rays = rays.reshape(-1, count, 3)[ok].reshape(-1, 3)
    px = pixels_near(projection, rays, np.repeat(anchor[ok], count, axis=0)).reshape(-1, count, 2)
    if len(projection.parts) > 1:
        # A view's neighbour shows another place: what lies over the edge is not to be seen there.
        rect = np.array([part.rect for part in projection.parts])[projection.part_of(anchor[ok])][:, None]
        px = np.clip(px, rect[..., :2], rect[..., 2:])
    box[ok] = _around(projection, mount, px, anchor[ok])
    return box


def _first_finite(preferred: Float64, others: Float64) -> Float64:
    """(N, 2) preferred points, or the first finite of (N, K, 2) others."""
    first = np.isfinite(others).all(axis=2).argmax(axis=1)
    fallback = others[np.arange(len(others)), first] if len(others) else preferred
    return np.where(np.isfinite(preferred), preferred, fallback)


def _around(projection: Projection, mount: Mount, px: Float64, centre: Float64) -> Float64:
    """(N, 5) gravity-aligned boxes around (N, K, 2) points; each angle is that of up at the box's own centre."""
    centre = centre.copy()
    for turn in range(4):
        angle = up_angle_deg(projection, mount, centre)
        cos, sin = np.cos(np.radians(angle))[:, None], np.sin(np.radians(angle))[:, None]
        d = px - centre[:, None]
        across, along = d[..., 0] * cos + d[..., 1] * sin, d[..., 1] * cos - d[..., 0] * sin
        low = np.stack([np.nanmin(across, axis=1), np.nanmin(along, axis=1)], axis=1)
        high = np.stack([np.nanmax(across, axis=1), np.nanmax(along, axis=1)], axis=1)
        if turn == 3:
            break
        shift = (low + high) / 2
        centre[:, 0] += shift[:, 0] * cos[:, 0] - shift[:, 1] * sin[:, 0]
        centre[:, 1] += shift[:, 0] * sin[:, 0] + shift[:, 1] * cos[:, 0]
    size = 2 * np.maximum(np.abs(low), np.abs(high))
    return np.column_stack([centre, size, angle])


def _places(projection: Projection, mount: Mount, px: Float64, height_m: float, farthest_m: float) -> Float64:
    """(N, 2) floor places under pixels taken to be `height_m` up; `farthest_m` away at and above the horizon."""
    ray = projection.pixel_to_ray(projection.clamp_to_valid(px))
    height = min(height_m, 0.9 * mount.height_m)
    place = mount.plane_xy_m(ray, height)
    heading = mount.to_floor_frame(ray)[:, :2]
    heading = heading / np.maximum(np.hypot(heading[:, 0], heading[:, 1]), 1e-9)[:, None]
    far: Bools = ~(np.hypot(place[:, 0], place[:, 1]) <= farthest_m)
    return np.where(far[:, None], heading * farthest_m, place)


def pixels_per_metre(projection: Projection, mount: Mount, px: ArrayLike) -> Float64:
    """(N,) pixels to the metre across a person whose middle is at pixels (N, 2), floor to head averaged.

    Always positive: at and above the horizon that of a place `FARTHEST_M` away.
    """
    p = rows(px, 2)
    anchor = projection.clamp_to_valid(p)
    place = _places(projection, mount, p, 0.9, FARTHEST_M)
    distance = np.maximum(np.hypot(place[:, 0], place[:, 1]), 1e-9)
    across = np.stack([-place[:, 1], place[:, 0]], axis=1) / distance[:, None]
    across = np.where(distance[:, None] > 1e-6, across, (1.0, 0.0)) * 0.25
    # Both ends of a bar across the person, at five heights, in one go: (heights, ends, N).
    heights = np.minimum(_BAR_HEIGHTS_M, 0.9 * mount.height_m)
    ends = np.stack([place + across, place - across])
    points = np.empty((len(heights), *ends.shape[:2], 3))
    points[..., :2] = ends
    points[..., 2] = heights[:, None, None]
    anchors = np.broadcast_to(anchor, (len(heights), *ends.shape))
    px_ends = pixels_near(projection, mount.rays_to(points.reshape(-1, 3)), anchors.reshape(-1, 2))
    bars = px_ends.reshape(len(heights), 2, -1, 2)
    stack = np.hypot(*np.moveaxis(bars[:, 0] - bars[:, 1], -1, 0)) * 2
    known = np.isfinite(stack)
    mean = np.where(known, stack, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.asarray(np.maximum(mean, 1e-3))


def plausible(projection: Projection, mount: Mount, boxes: ArrayLike) -> Bools:
    """(N,) bool: a person of 0.4–2.2 m could fill the box, whole or in part.

    The slack is wide enough for a camera height that is wrong by half: a refused person would be shown clear.
    """
    b = rows(boxes, 5)
    ok = finite(b) & (b[:, 2] > 0) & (b[:, 3] > 0)
    size = np.where(ok[:, None], b[:, 2:4], 1.0)
    px = np.where(ok[:, None], b[:, :2], 0.0)
    longest = size.max(axis=1)
    per_metre = pixels_per_metre(projection, mount, px)
    # A tall person's capsule is at least as large as its width (2 radii), so only larger boxes need it drawn.
    ask = ok & (longest > 3.0 * 1.6 * RADIUS_M * per_metre)
    # The box's centre may be anywhere between a person's shins and shoulders.
    near = standing_boxes(projection, mount, _places(projection, mount, px[ask], 1.3, 12.0), _TALL_M)
    largest = np.full(len(b), np.inf)
    largest[ask] = np.where(np.isfinite(near[:, 2]), near[:, 2:4].max(axis=1), np.inf)
    return np.asarray(ok & (longest <= 3.0 * largest) & (longest >= 0.12 * _SHORT_M * per_metre))


def floor_position(projection: Projection, mount: Mount, boxes: ArrayLike) -> Float64:
    """(N, 2) floor places in metres of the people in the boxes; NaN for boxes with NaN.

    The feet are at the box's lower end; where that is hidden (a desk), the upper end taken to be a head 1.0–2.1 m
    up bounds how far away they can be.
    """
    b = rows(boxes, 5)
    ok = finite(b)
    safe = np.where(ok[:, None], b, (0.0, 0.0, 1.0, 1.0, 0.0))
    c = corners(safe)
    top, foot = c[:, :2].mean(axis=1), c[:, 2:].mean(axis=1)
    middle = _places(projection, mount, safe[:, :2], 0.9, FARTHEST_M)
    distance = np.hypot(middle[:, 0], middle[:, 1])
    heading = middle / np.maximum(distance, 1e-9)[:, None]
    feet = mount.floor_xy_m(projection.pixel_to_ray(projection.clamp_to_valid(foot)))
    walked = (feet * heading).sum(axis=1)
    walked = np.where(np.isfinite(walked), walked, FARTHEST_M)
    head = mount.to_floor_frame(projection.pixel_to_ray(projection.clamp_to_valid(top)))
    slope = -head[:, 2] / np.maximum((head[:, :2] * heading).sum(axis=1), 1e-9)
    nearest = np.where(slope > 1e-6, (mount.height_m - 2.1) / np.maximum(slope, 1e-6), 0.0)
    farthest = np.where(slope > 1e-6, (mount.height_m - min(1.0, 0.9 * mount.height_m)) / np.maximum(slope, 1e-6),
                        FARTHEST_M)
    walked = np.clip(walked, np.clip(nearest, 0.0, FARTHEST_M), np.clip(farthest, 0.0, FARTHEST_M))
    # Straight below the camera both ends lie around the nadir and only the middle tells.
    below = distance < RADIUS_M
    place = np.where(below[:, None], middle, heading * walked[:, None])
    return np.where(ok[:, None], place, np.nan)
