"""Figures and areas of one projection, outlined in another."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from aipg_plugin.geometry import seam
from aipg_plugin.geometry.arrays import Float64, rows
from aipg_plugin.geometry.camera import FisheyeCamera
from aipg_plugin.geometry.parts import FlatPart, Part, Rect, StripPart
from aipg_plugin.geometry.projection import Projection

_SOURCE_STEP_PX = 4.0    # edges are sampled at most so far apart in the source …
_TARGET_STEP_PX = 8.0    # … and in the target: an arc of 8 px deviates from its chord by less than a pixel
_MARGIN_PX = 64.0        # edges farther outside the picture are not followed closely
_MASK_STEP_PX = 4.0
_AREA_STEP_PX = 2.0      # areas are drawn once and have to be exact: a tenth of a pixel
_TILE_DEG = 90.0         # areas of a strip are cut into tiles about as large, so that none closes to a ring
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
        return [_resized(source, target, outline)]
    return [polygon for piece, inside in pieces_of(source, outline)
            for polygon, _ in remap_piece(piece, target, inside)]


def remap_piece(piece: Part, target: Projection, outline_px: ArrayLike) -> list[tuple[Float64, Rect]]:
    """Polygons (K, 2) in `target` that cover the polygon (K, 2) of one piece of a picture, each with its view."""
    outline = rows(outline_px, 2)
    if len(outline) < 3 or not np.isfinite(outline).all():
        return []
    return [(polygon, part.rect) for part in target.parts
            for polygon in _followed(piece, outline, part, _MASK_STEP_PX)]


def remap_area(source: Projection, target: Projection, area_px: ArrayLike) -> list[tuple[Float64, Rect]]:
    """Polygons (K, 2) in `target` over the places in the polygon (K, 2) of `source`, each with the view it lies in.

    Unlike a figure, an area holds what it was drawn over and nothing else: in each view of the source, that view's
    part of the polygon. Nothing where `target` sees none of it.
    """
    area = rows(area_px, 2)
    if len(area) < 3 or not np.isfinite(area).all():
        return []
    if isinstance(source, FisheyeCamera) and isinstance(target, FisheyeCamera) and source.law == target.law:
        return [(polygon, target.rect) for polygon in _kept([_resized(source, target, area)], target.rect)]
    return [(polygon, part.rect) for piece in source.parts for tile in _tiles(piece)
            for inside in _kept([area], tile) for part in target.parts
            for polygon in _followed(piece, inside, part, _AREA_STEP_PX)]


def _resized(source: FisheyeCamera, target: FisheyeCamera, outline: Float64) -> Float64:
    """The outline where the same lens shows it in another picture, past its rim too."""
    factor = target.circle.radius_px / source.circle.radius_px
    return np.asarray((outline - (source.circle.cx_px, source.circle.cy_px)) * factor
                      + (target.circle.cx_px, target.circle.cy_px))


def _tiles(piece: Part) -> list[Rect]:
    """The piece's rectangle in overlapping tiles, none of which holds two opposite directions."""
    x0, y0, x1, y1 = piece.rect
    if isinstance(piece, FisheyeCamera):
        across, down = _halves(x0, piece.circle.cx_px, x1), _halves(y0, piece.circle.cy_px, y1)
    elif isinstance(piece, StripPart):
        across = _sections(x0, x1, piece.span_deg / _TILE_DEG)
        down = _sections(y0, y1, (piece.top_deg - piece.bottom_deg) / _TILE_DEG)
    else:
        return [piece.rect]
    return [(left, top, right, bottom) for left, right in across for top, bottom in down]


def _halves(low: float, middle: float, high: float) -> list[tuple[float, float]]:
    if not low < middle < high:
        return [(low, high)]
    shared = (high - low) / 16
    return [(low, min(middle + shared, high)), (max(middle - shared, low), high)]


def _sections(low: float, high: float, count: float) -> list[tuple[float, float]]:
    """The span in at least `count` equal sections, each widened by a quarter to both sides."""
    width = (high - low) / np.ceil(count)
    starts = low + width * np.arange(int(np.ceil(count)))
    return [(max(float(s - width / 4), low), min(float(s + width * 5 / 4), high)) for s in starts]


def pieces_of(source: Projection, outline: Float64) -> list[tuple[Part, Float64]]:
    """An outline (K, 2) in the piece its middle lies in, and what of it reaches into other pieces of the source."""
    home = int(source.part_of(outline.mean(axis=0))[0])
    pieces: list[tuple[Part, Float64]] = [(source.parts[home], outline)]
    for index, part in enumerate(source.parts):
        inside = _clip(outline, part.rect) if index != home else outline[:0]
        if len(inside) >= 3 and _area(inside) > _LEAST_AREA_PX2:
            pieces.append((part, inside))
    return pieces


def _followed(piece: Part, outline: Float64, part: Part, step_px: float = _TARGET_STEP_PX) -> list[Float64]:
    """Polygons in one piece of the target, the outline sampled until neighbours lie close together there."""
    edges = np.roll(outline, -1, axis=0) - outline
    points = _sampled(outline, np.ceil(np.hypot(edges[:, 0], edges[:, 1]) / _SOURCE_STEP_PX))
    for _ in range(_ROUNDS):
        rays = _rays(piece, points)
        gaps = _gaps(part, _on_disc(part, rays) if isinstance(part, FisheyeCamera) else part.to_pixel(rays))
        if gaps.max(initial=0.0) <= step_px:
            break
        points = _sampled(points, np.ceil(gaps / step_px))
    else:
        rays = _rays(piece, points)
    return _in_part(part, rays, clockwise=_signed_area(outline) >= 0)


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


def _in_part(part: Part, rays: Float64, *, clockwise: bool) -> list[Float64]:
    """Polygons of one piece of the target from the rays along an outline, and which way it runs on the screen."""
    if isinstance(part, FisheyeCamera):
        return _kept([_on_disc(part, rays)], part.rect)
    if isinstance(part, FlatPart):
        view = rays @ part.turn
        shown = _clip_half_plane(view, view[:, 2] - _LEAST_DEPTH)
        return _kept([shown[:, :2] / shown[:, 2:] * part.focal + part.middle], part.rect)
    assert isinstance(part, StripPart), type(part)
    return _on_strip(part, rays, clockwise=clockwise)


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


def _on_strip(part: StripPart, rays: Float64, *, clockwise: bool) -> list[Float64]:
    """Polygons on a strip: unrolled over the seam, closed over the pole, and repeated every turn."""
    period = part.period_px
    px = part.to_pixel(rays)
    x, winding = seam.unrolled(px[:, 0], period)
    curve = np.column_stack([x, px[:, 1]])
    x0, _, x1, _ = part.rect
    if winding:
        return _kept([_around_pole(part, curve, winding, below=clockwise == (winding > 0))], part.rect)
    low, high = float(curve[:, 0].min()), float(curve[:, 0].max())
    copies = [curve + np.array([shift, 0.0]) for shift in seam.shifts_into(low, high, x0, x1, period)]
    return _kept(copies, part.rect)


def _around_pole(part: StripPart, curve: Float64, winding: int, *, below: bool) -> Float64:
    """What an outline around a pole holds: the strip from `curve` (K, 2), repeated all along it, to the pole.

    What lies inside is on the outline's right if it runs clockwise, so the pole is `below` where that leads clockwise.
    """
    x0, y0, x1, y1 = part.rect
    turn = winding * part.period_px
    # Both ends lie outside the strip: the edges from there to the pole are none of the outline's.
    first, last = sorted(((x0 - curve[0, 0]) / turn, (x1 - curve[0, 0]) / turn))
    repeats = np.arange(np.floor(first), np.ceil(last) + 1) * turn
    line = (curve[None] + np.stack([repeats, np.zeros_like(repeats)], axis=1)[:, None]).reshape(-1, 2)
    per_degree = (y1 - y0) / (part.bottom_deg - part.top_deg)
    pole_y = y0 + ((-90.0 if below else 90.0) - part.top_deg) * per_degree
    return np.concatenate([line, [(line[-1, 0], pole_y), (line[0, 0], pole_y)]])


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
    return abs(_signed_area(polygon))


def _signed_area(polygon: Float64) -> float:
    """Positive for an outline that runs clockwise on the screen (shoelace formula)."""
    x, y = polygon.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
