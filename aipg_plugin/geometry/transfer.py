"""A figure seen in one projection, outlined in another."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from aipg_plugin.geometry.arrays import Floats, rows, unit
from aipg_plugin.geometry.camera import FisheyeCamera
from aipg_plugin.geometry.parts import FlatPart, Part, Rect, StripPart
from aipg_plugin.geometry.projection import Projection

_SOURCE_STEP_PX = 4.0
_TARGET_STEP_PX = 8.0
_MARGIN_PX = 64.0        # polygons are cut this far outside the picture, so that margins can still grow inward
_LEAST_AREA_PX2 = 0.01
_LEAST_DEPTH = 0.02      # rectilinear views are cut this close to their own plane


def remap_outline(source: Projection, target: Projection, outline_px: ArrayLike) -> list[Floats]:
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
    polygons: list[Floats] = []
    for piece, inside in _pieces(source, outline):
        for part in target.parts:
            polygons += _followed(piece, inside, part)
    return polygons


def _pieces(source: Projection, outline: Floats) -> list[tuple[Part, Floats]]:
    """The outline in the piece its middle lies in, and what of it reaches into other pieces of the source."""
    home = int(source.part_of(outline.mean(axis=0))[0])
    pieces: list[tuple[Part, Floats]] = [(source.parts[home], outline)]
    for index, part in enumerate(source.parts):
        inside = _clip(outline, part.rect, 0.0) if index != home else outline[:0]
        if len(inside) >= 3 and _area(inside) > _LEAST_AREA_PX2:
            pieces.append((part, inside))
    return pieces


def _followed(piece: Part, outline: Floats, part: Part) -> list[Floats]:
    """Polygons in one piece of the target, the outline sampled until neighbours lie close together there."""
    step = _SOURCE_STEP_PX
    for attempt in range(4):
        found, widest = _in_part(part, _rays(piece, outline, step))
        if widest <= _TARGET_STEP_PX or attempt == 3:
            break
        step /= max(2.0, min(8.0, widest / _TARGET_STEP_PX))
    return found


def _rays(piece: Part, outline: Floats, step_px: float) -> Floats:
    """(M, 3) rays along the outline, all of one piece of the source; none is NaN."""
    following = np.roll(outline, -1, axis=0)
    counts = np.clip(np.ceil(np.hypot(*(following - outline).T) / step_px).astype(int), 1, 400)
    points = np.concatenate([a + (b - a) * (np.arange(n) / n)[:, None]
                             for a, b, n in zip(outline, following, counts, strict=True)])
    if isinstance(piece, FisheyeCamera):
        return piece.pixel_to_ray(piece.pulled_in(points))
    if isinstance(piece, StripPart):
        points[:, 1] = np.clip(points[:, 1], piece.rect[1], piece.rect[3])
    return piece.to_ray(points)


def _in_part(part: Part, rays: Floats) -> tuple[list[Floats], float]:
    """Polygons of one piece of the target, and the longest step between neighbouring points."""
    if isinstance(part, FisheyeCamera):
        px = _on_disc(part, rays)
        return _kept([px], part.rect), _longest_step(px)
    if isinstance(part, FlatPart):
        shown = _in_front(rays @ part.turn, _LEAST_DEPTH)
        if len(shown) < 3:
            return [], 0.0
        px = shown[:, :2] / shown[:, 2:] * part.focal + part.middle
        near = _clip(px, part.rect, _MARGIN_PX)
        return _kept([px], part.rect), _longest_step(near)
    assert isinstance(part, StripPart), type(part)
    return _on_strip(part, rays)


def _on_disc(camera: FisheyeCamera, rays: Floats) -> Floats:
    """(M, 2) pixels, those past the lens's field moved to the rim."""
    half = camera.law.half_fov_rad
    theta = np.arctan2(np.hypot(rays[:, 0], rays[:, 1]), rays[:, 2])
    across = np.hypot(rays[:, 0], rays[:, 1])
    flat = rays[:, :2] / np.maximum(across, 1e-12)[:, None]
    held = np.minimum(theta, half)
    return camera.to_pixel(np.column_stack([flat * np.sin(held)[:, None], np.cos(held)]))


def _in_front(rays: Floats, depth: float) -> Floats:
    """(M, 3) the polygon of rays cut at the plane z = depth (Sutherland and Hodgman 1974)."""
    kept: list[Floats] = []
    for here, following in zip(rays, np.roll(rays, -1, axis=0), strict=True):
        inside, next_inside = here[2] >= depth, following[2] >= depth
        if inside:
            kept.append(here)
        if inside != next_inside:
            t = (depth - here[2]) / (following[2] - here[2])
            kept.append(here + t * (following - here))
    return np.array(kept).reshape(-1, 3)


def _on_strip(part: StripPart, rays: Floats) -> tuple[list[Floats], float]:
    """Polygons on a strip: unrolled over the seam, closed over the pole, and repeated every turn."""
    period = part.period_px
    px = part.to_pixel(rays)
    steps = np.diff(px[:, 0], append=px[0, 0])
    turns = np.round(steps / period)
    x = px[:, 0] - np.concatenate([[0.0], np.cumsum(turns)[:-1]]) * period
    curve = np.column_stack([x, px[:, 1]])
    longest = _longest_step(curve[:-1]) if len(curve) > 2 else 0.0
    winding = int(-turns.sum())
    x0, _, x1, _ = part.rect
    if winding:
        pole_y = _pole_y(part, rays)
        end = curve[0] + np.array([winding * period, 0.0])
        curve = np.concatenate([curve, [end, (end[0], pole_y), (curve[0, 0], pole_y)]])
    low, high = float(curve[:, 0].min()), float(curve[:, 0].max())
    first, last = int(np.floor((x0 - high) / period)), int(np.ceil((x1 - low) / period))
    copies = [curve + np.array([k * period, 0.0]) for k in range(first, last + 1)]
    return _kept(copies, part.rect), longest


def _pole_y(part: StripPart, rays: Floats) -> float:
    """The y of the pole that an outline runs around: the one nearer to its middle."""
    _, y0, _, y1 = part.rect
    per_degree = (y1 - y0) / (part.bottom_deg - part.top_deg)
    middle = unit(rays.mean(axis=0, keepdims=True))
    below = bool((middle @ part.turn)[0, 1] >= 0) if np.isfinite(middle).all() else True
    return y0 + ((-90.0 if below else 90.0) - part.top_deg) * per_degree


def _longest_step(px: Floats) -> float:
    return float(np.hypot(*np.diff(px, axis=0).T).max()) if len(px) > 1 else 0.0


def _clip(polygon: Floats, rect: Rect, margin: float) -> Floats:
    """(K, 2) the polygon cut to a rectangle `margin` wider on all sides (Sutherland and Hodgman 1974)."""
    x0, y0, x1, y1 = rect
    for axis, sign, limit in ((0, 1, x0 - margin), (0, -1, -(x1 + margin)), (1, 1, y0 - margin),
                              (1, -1, -(y1 + margin))):
        if len(polygon) < 3:
            return polygon[:0]
        inside = polygon[:, axis] * sign >= limit
        if inside.all():
            continue
        kept: list[Floats] = []
        following, next_inside = np.roll(polygon, -1, axis=0), np.roll(inside, -1)
        for a, b, a_in, b_in in zip(polygon, following, inside, next_inside, strict=True):
            if a_in:
                kept.append(a)
            if a_in != b_in:
                t = (limit * sign - a[axis]) / (b[axis] - a[axis])
                kept.append(a + t * (b - a))
        polygon = np.array(kept).reshape(-1, 2)
    return polygon


def _kept(polygons: list[Floats], rect: Rect) -> list[Floats]:
    """The polygons that reach into the rectangle, cut to it."""
    cut = [_clip(polygon, rect, 0.0) for polygon in polygons]
    return [polygon for polygon in cut if len(polygon) >= 3 and _area(polygon) > _LEAST_AREA_PX2]


def _area(polygon: Floats) -> float:
    x, y = polygon.T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
