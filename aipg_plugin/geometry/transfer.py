"""A figure seen in one projection, outlined in another."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from aipg_plugin.geometry import seam
from aipg_plugin.geometry.arrays import Float64, rows, unit
from aipg_plugin.geometry.camera import FisheyeCamera
from aipg_plugin.geometry.parts import FlatPart, Part, Rect, StripPart
from aipg_plugin.geometry.projection import Projection

_SOURCE_STEP_PX = 4.0    # edges are sampled at most so far apart in the source …
_TARGET_STEP_PX = 8.0    # … and in the target: an arc of 8 px deviates from its chord by less than a pixel
_MARGIN_PX = 64.0        # edges farther outside the picture are not followed closely
_ROUNDS = 4              # of refinement; each divides a gap by up to 16
_LEAST_AREA_PX2 = 0.01   # smaller pieces are rounding
_LEAST_DEPTH = 0.02      # rectilinear views are clipped this close to their own plane


def remap_outline(source: Projection, target: Projection, outline_px: ArrayLike) -> list[Float64]:
    """Polygons (K, 2) in `target` that cover the polygon (K, 2) of `source`; empty where `target` sees none of it.

    Edges are followed along the true curve. Polygons are split at a panorama's seam, one is given for every view
    that shows it, and one around a pole reaches to the pole's edge. Parts of the outline past what the lens shows
    are moved to its rim. When unsure it covers more, never less.
    """
    outline = rows(outline_px, 2)
    if len(outline) < 3 or not np.isfinite(outline).all():
        return []
    if source is target and not any(part.period_px for part in source.parts):
        return [outline.copy()]
    if isinstance(source, FisheyeCamera) and isinstance(target, FisheyeCamera) and source.law == target.law:
        factor = target.circle.radius_px / source.circle.radius_px
        return [(outline - (source.circle.cx_px, source.circle.cy_px)) * factor
                + (target.circle.cx_px, target.circle.cy_px)]
    polygons: list[Float64] = []
    for piece, inside in _pieces(source, outline):
        for part in target.parts:
            polygons += _followed(piece, inside, part)
    return polygons


def _pieces(source: Projection, outline: Float64) -> list[tuple[Part, Float64]]:
    """The outline in the piece its middle lies in, and what of it reaches into other pieces of the source."""
    home = int(source.part_of(outline.mean(axis=0))[0])
    pieces: list[tuple[Part, Float64]] = [(source.parts[home], outline)]
    for index, part in enumerate(source.parts):
        inside = _clip(outline, part.rect) if index != home else outline[:0]
        if len(inside) >= 3 and _area(inside) > _LEAST_AREA_PX2:
            pieces.append((part, inside))
    return pieces


def _followed(piece: Part, outline: Float64, part: Part) -> list[Float64]:
    """Polygons in one piece of the target, the outline sampled until neighbours lie close together there."""
    edges = np.roll(outline, -1, axis=0) - outline
    points = _sampled(outline, np.ceil(np.hypot(edges[:, 0], edges[:, 1]) / _SOURCE_STEP_PX))
    for _ in range(_ROUNDS):
        rays = _rays(piece, points)
        gaps = _gaps(part, _on_disc(part, rays) if isinstance(part, FisheyeCamera) else part.to_pixel(rays))
        if gaps.max(initial=0.0) <= _TARGET_STEP_PX:
            break
        points = _sampled(points, np.ceil(gaps / _TARGET_STEP_PX))
    else:
        rays = _rays(piece, points)
    return _in_part(part, rays)


def _sampled(polygon: Float64, counts: Float64) -> Float64:
    """(M, 2) the polygon with its k-th edge cut into `counts[k]` (1–16) equal steps."""
    steps = np.clip(counts, 1, 16).astype(np.intp)
    edge = np.repeat(np.arange(len(polygon)), steps)
    share = (np.arange(len(edge)) - np.repeat(np.cumsum(steps) - steps, steps)) / steps[edge]
    return np.asarray(polygon[edge] + share[:, None] * (np.roll(polygon, -1, axis=0) - polygon)[edge])


def _gaps(part: Part, px: Float64) -> Float64:
    """(M,) distance from each target pixel to the next; 0 where both are far outside, large where one is unknown."""
    x0, y0, x1, y1 = part.rect
    steps = np.roll(px, -1, axis=0) - px
    steps[:, 0] = seam.shortest_dx(steps[:, 0], part.period_px)
    near = ((px[:, 0] > x0 - _MARGIN_PX) & (px[:, 0] < x1 + _MARGIN_PX)
            & (px[:, 1] > y0 - _MARGIN_PX) & (px[:, 1] < y1 + _MARGIN_PX))
    near |= np.roll(near, -1)
    return np.where(near, np.nan_to_num(np.hypot(steps[:, 0], steps[:, 1]), nan=4 * _TARGET_STEP_PX), 0.0)


def _rays(piece: Part, points: Float64) -> Float64:
    """(M, 3) rays of points along an outline, all of one piece of the source; none is NaN."""
    if isinstance(piece, FisheyeCamera):
        return piece.pixel_to_ray(piece.clamp_to_valid(points))
    if isinstance(piece, StripPart):
        points = np.column_stack([points[:, 0], np.clip(points[:, 1], piece.rect[1], piece.rect[3])])
    return piece.to_ray(points)


def _in_part(part: Part, rays: Float64) -> list[Float64]:
    """Polygons of one piece of the target."""
    if isinstance(part, FisheyeCamera):
        return _kept([_on_disc(part, rays)], part.rect)
    if isinstance(part, FlatPart):
        view = rays @ part.turn
        shown = _clip_half_plane(view, view[:, 2] - _LEAST_DEPTH)
        return _kept([shown[:, :2] / shown[:, 2:] * part.focal + part.middle], part.rect)
    assert isinstance(part, StripPart), type(part)
    return _on_strip(part, rays)


def _on_disc(camera: FisheyeCamera, rays: Float64) -> Float64:
    """(M, 2) pixels, those past the lens's field moved to the rim."""
    half = camera.law.half_fov_rad
    theta = np.arctan2(np.hypot(rays[:, 0], rays[:, 1]), rays[:, 2])
    across = np.hypot(rays[:, 0], rays[:, 1])
    flat = rays[:, :2] / np.maximum(across, 1e-12)[:, None]
    held = np.minimum(theta, half)
    return camera.to_pixel(np.column_stack([flat * np.sin(held)[:, None], np.cos(held)]))


def _clip_half_plane(polygon: Float64, depth: Float64) -> Float64:
    """(L, D) the polygon (K, D) clipped to where `depth` (K,) ≥ 0 (Sutherland and Hodgman 1974)."""
    inside = depth >= 0
    if inside.all():
        return polygon
    crosses = inside != np.roll(inside, -1)
    if not inside.any():
        return polygon[:0]
    share = depth / np.where(crosses, depth - np.roll(depth, -1), 1.0)
    crossing = polygon + share[:, None] * (np.roll(polygon, -1, axis=0) - polygon)
    slots = np.stack([polygon, crossing], axis=1).reshape(-1, polygon.shape[1])
    return np.asarray(slots[np.stack([inside, crosses], axis=1).reshape(-1)])


def _on_strip(part: StripPart, rays: Float64) -> list[Float64]:
    """Polygons on a strip: unrolled over the seam, closed over the pole, and repeated every turn."""
    period = part.period_px
    px = part.to_pixel(rays)
    x, winding = seam.unrolled(px[:, 0], period)
    curve = np.column_stack([x, px[:, 1]])
    x0, _, x1, _ = part.rect
    if winding:
        pole_y = _pole_y(part, rays)
        end = curve[0] + np.array([winding * period, 0.0])
        curve = np.concatenate([curve, [end, (end[0], pole_y), (curve[0, 0], pole_y)]])
    low, high = float(curve[:, 0].min()), float(curve[:, 0].max())
    copies = [curve + np.array([shift, 0.0]) for shift in seam.shifts_into(low, high, x0, x1, period)]
    return _kept(copies, part.rect)


def _pole_y(part: StripPart, rays: Float64) -> float:
    """The y of the pole that an outline runs around: the one nearer to its middle."""
    _, y0, _, y1 = part.rect
    per_degree = (y1 - y0) / (part.bottom_deg - part.top_deg)
    middle = unit(rays.mean(axis=0, keepdims=True))
    below = bool((middle @ part.turn)[0, 1] >= 0) if np.isfinite(middle).all() else True
    return y0 + ((-90.0 if below else 90.0) - part.top_deg) * per_degree


def _clip(polygon: Float64, rect: Rect) -> Float64:
    """(K, 2) the polygon clipped to a rectangle."""
    x0, y0, x1, y1 = rect
    for axis, sign, limit in ((0, 1.0, x0), (0, -1.0, x1), (1, 1.0, y0), (1, -1.0, y1)):
        polygon = _clip_half_plane(polygon, sign * (polygon[:, axis] - limit))
    return polygon


def _kept(polygons: list[Float64], rect: Rect) -> list[Float64]:
    """The polygons that reach into the rectangle, cut to it."""
    cut = [_clip(polygon, rect) for polygon in polygons]
    return [polygon for polygon in cut if len(polygon) >= 3 and _area(polygon) > _LEAST_AREA_PX2]


def _area(polygon: Float64) -> float:
    x, y = polygon.T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
