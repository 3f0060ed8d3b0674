"""Gravity-aligned tiles: square pieces of a picture in which "up" in the world is up, for an upright-person net.

Fisheye pictures get rings of upright tiles around the camera and a flat patch straight below it; everything else gets
an overlapping grid of flat ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from aipg_plugin.detection.flat import FlatTile
from aipg_plugin.detection.upright import UprightTile, northing
from aipg_plugin.geometry.arrays import Bools
from aipg_plugin.geometry.camera import FisheyeCamera
from aipg_plugin.geometry.gravity import up_angle_deg
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.parts import FlatPart, Part
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.geometry.seam import borders_meet
from aipg_plugin.options import MountKind

Tile = FlatTile | UprightTile
# Chosen with `benchmarks.accuracy` on real_dev and rendered pictures of each mount and capture mode.
_MIN_VALID_SHARE = 0.06    # of a tile that the lens must see: less shows nobody that its neighbours don't
_STRETCH = 1.3             # how much wider than the plan says a tile may get to show a view whole
_GRID_STEP = 0.75          # of a tile's side: neighbours overlap by a quarter
_ABOVE_RIM_DEG = 1.0       # what a ceiling tile shows beyond the lens's rim
_CEILING_TOP_DEG = 10.0    # how high above the horizon a ceiling camera's tiles may begin, where the lens sees it
_WALL_TOP_DEG = 25.0       # how high above the horizon a wall camera's tiles begin
_WALL_PATCH_DEG = -68.0    # where a wall camera's patch for what stands below it is centred
_RING_SECTOR = 0.75         # of the step between tiles, to either side: where one answers for people its border cuts
_NADIR_FREE = 0.2          # of the patch's side: within it every turn may answer
_SECTOR_OVERLAP = 1.33     # farther out a turn answers for its sector and a third more
_NADIR_REACH = 0.3         # of the patch's side
_RING_MARGIN = 1.2         # how far into the rings the patch answers, where they end farther out than its reach


@dataclass(frozen=True)
class TileRing:
    """`count` upright tiles to a full turn, from `lowest_deg` of elevation up to the horizon (or the rim below it)."""

    count: int
    lowest_deg: float


@dataclass(frozen=True)
class TilePlan:
    """What a sweep looks at. `nadir_zoom` × radius is the side of the patch straight below (0: none), looked at in
    `nadir_turns` turns, since nothing there is upright; `grid_deg` is what one tile spans where there are no rings;
    `closeup_px` is the side of a close-up: the larger, the more it shows around its candidate.
    """

    name: str
    rings: tuple[TileRing, ...]
    nadir_zoom: float
    nadir_turns: int
    input_px: int
    grid_deg: float
    closeup_px: int = 192


LIVE = TilePlan("live", (TileRing(7, -70.0), TileRing(12, -50.0)), 0.9, 4, 352, 70.0)
THOROUGH = TilePlan("thorough", (TileRing(8, -70.0), TileRing(12, -50.0)), 0.9, 4, 352, 60.0, closeup_px=256)
PLANS = {plan.name: plan for plan in (LIVE, THOROUGH)}


def _ceiling_tiles(camera: FisheyeCamera, mount: Mount, plan: TilePlan, input_px: int) -> list[Tile]:
    tiles: list[Tile] = []
    rim_deg = math.degrees(camera.law.half_fov_rad) - 90
    top = lowest = northing(min(rim_deg, _CEILING_TOP_DEG) + _ABOVE_RIM_DEG)
    for ring in plan.rings:
        span = northing(_ABOVE_RIM_DEG) - northing(ring.lowest_deg)
        lowest = min(lowest, top - span)
        tiles += [UprightTile(camera, mount, k * 360.0 / ring.count, top - span / 2, span, input_px,
                              sector_deg=_RING_SECTOR * 360.0 / ring.count) for k in range(ring.count)]
    if plan.nadir_zoom > 0:
        side = plan.nadir_zoom * camera.circle.radius_px
        # Where the rings end: farther out than usual on an orthographic lens.
        below = _RING_MARGIN * float(camera.law.theta_to_r(math.pi / 2 - math.asin(math.tanh(-lowest))))
        reach_px = max(_NADIR_REACH * side, min(below * camera.circle.radius_px, side / 2))
        sector_deg = _SECTOR_OVERLAP * 180.0 / plan.nadir_turns
        tiles += [FlatTile((camera.circle.cx_px, camera.circle.cy_px), (side, side), turn * 360.0 / plan.nadir_turns,
                           input_px, reach_px=reach_px, free_px=_NADIR_FREE * side, sector_deg=sector_deg)
                  for turn in range(plan.nadir_turns)]
    return tiles


def _wall_tiles(camera: FisheyeCamera, mount: Mount, plan: TilePlan, input_px: int) -> list[Tile]:
    tiles: list[Tile] = []
    half_deg = math.degrees(camera.law.half_fov_rad)
    top = northing(min(_WALL_TOP_DEG, half_deg))
    for ring in plan.rings:
        span = northing(_ABOVE_RIM_DEG) - northing(ring.lowest_deg)
        widest = max(0.0, half_deg - math.degrees(span) / 2)
        columns = math.ceil(2 * widest / (360.0 / ring.count)) + 1
        middles = _positions(-top, top - northing(ring.lowest_deg), span, False)
        tiles += [UprightTile(camera, mount, float(azimuth_deg), -middle, span, input_px)
                  for azimuth_deg in np.linspace(-widest, widest, columns) for middle in middles]
    e = math.radians(_WALL_PATCH_DEG)
    below = mount.rays_to(np.array([[0.0, math.cos(e), mount.height_m + math.sin(e)]]))
    centre = camera.ray_to_pixel(below)
    if plan.nadir_zoom > 0 and np.isfinite(centre).all():
        side = plan.nadir_zoom * camera.circle.radius_px
        angle = float(up_angle_deg(camera, mount, centre)[0])
        tiles.append(FlatTile((float(centre[0, 0]), float(centre[0, 1])), (side, side), angle, input_px))
    return tiles


def _pixels_per_degree(part: Part, px: tuple[float, float]) -> tuple[float, float]:
    """Angular resolution at a pixel, pixels per degree across and along; NaN where undefined."""
    steps = np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, -1.0], [0.0, 1.0]])
    rays = part.to_ray(np.asarray(px) + steps)
    with np.errstate(divide="ignore"):
        across, along = 2.0 / np.degrees(np.linalg.norm(rays[[1, 3]] - rays[[0, 2]], axis=1))
    return float(across), float(along)


def _density(part: Part) -> tuple[float, float]:
    """Pixels per degree, across and along, that a part has in its middle; a rectilinear view's mean, for it stretches
    towards its borders.
    """
    x0, y0, x1, y1 = part.rect
    middle = ((x0 + x1) / 2, (y0 + y1) / 2)
    if not isinstance(part, FlatPart):
        return _pixels_per_degree(part, middle)
    rays = part.to_ray(np.array([[x0, middle[1]], [x1, middle[1]], [middle[0], y0], [middle[0], y1]]))
    across, along = np.degrees(np.arccos(np.clip(np.sum(rays[[0, 2]] * rays[[1, 3]], axis=1), -1, 1)))
    return (x1 - x0) / float(across), (y1 - y0) / float(along)


def _positions(start: float, length: float, side: float, wraps: bool) -> list[float]:
    if wraps:
        count = max(1, math.ceil(length / (side * _GRID_STEP)))
        return [start + length * (i + 0.5) / count for i in range(count)]
    if length <= side:
        return [start + length / 2]
    count = math.ceil((length - side) / (side * _GRID_STEP)) + 1
    return [float(v) for v in np.linspace(start + side / 2, start + length - side / 2, count)]


def _grid_tiles(projection: Projection, mount: Mount, part: Part, plan: TilePlan, input_px: int) -> list[Tile]:
    x0, y0, x1, y1 = part.rect
    w, h = x1 - x0, y1 - y0
    per_x, per_y = _density(part)
    if not (math.isfinite(per_x) and math.isfinite(per_y)):
        per_x = per_y = max(w, h) / plan.grid_deg
    whole_deg = max(w / per_x, h / per_y)
    # A view little wider than a tile is one tile; two would show most of it twice.
    span_deg = plan.grid_deg if whole_deg > _STRETCH * plan.grid_deg else whole_deg
    tiles: list[Tile] = []
    for cy in _positions(y0, h, span_deg * per_y, False):
        # A strip's pixels stand for ever smaller angles towards the nadir; each row gets tiles of its own width.
        here = _pixels_per_degree(part, (x0 + w / 2, cy))[0] if part.period_px else per_x
        row_x = here if math.isfinite(here) else per_x
        size = (min(span_deg * row_x, w), span_deg * per_y)
        centres = [(cx, cy) for cx in _positions(x0, w, size[0], borders_meet(part))]
        angles = up_angle_deg(projection, mount, np.array(centres, np.float64))
        tiles += [FlatTile(centre, _turned(size, angle) if isinstance(part, FlatPart) else size, float(angle), input_px)
                  for centre, angle in zip(centres, angles, strict=True)]
    return tiles


def _turned(size: tuple[float, float], angle_deg: float) -> tuple[float, float]:
    """The size a tile needs to still cover its upright self when turned (a view that looks down has no common up)."""
    a = math.radians(angle_deg)
    c, s = abs(math.cos(a)), abs(math.sin(a))
    return size[0] * c + size[1] * s, size[1] * c + size[0] * s


def _useful(tile: Tile, valid: Bools) -> bool:
    h, w = valid.shape
    steps = (np.arange(24) + 0.5) * tile.input_px / 24
    grid = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
    px = np.floor(np.nan_to_num(tile.to_picture(grid), nan=-1.0)).astype(np.intp)
    inside = (px[:, 0] >= 0) & (px[:, 0] < w) & (px[:, 1] >= 0) & (px[:, 1] < h)
    seen = valid[px[inside, 1], px[inside, 0]]
    return float(seen.sum()) / len(px) >= _MIN_VALID_SHARE


def make_tiles(projection: Projection, mount: Mount, plan: TilePlan, input_px: int | None = None) -> tuple[Tile, ...]:
    """The tiles of a plan on a picture, empty ones left out.

    Tiles of a part that wraps around may reach over the picture's right border, on to its left.
    """
    side = input_px or plan.input_px
    if isinstance(projection, FisheyeCamera):
        make = _ceiling_tiles if mount.kind is MountKind.CEILING else _wall_tiles
        tiles = make(projection, mount, plan, side)
    else:
        tiles = [tile for part in projection.parts for tile in _grid_tiles(projection, mount, part, plan, side)]
    valid = projection.valid_mask()
    return tuple(tile for tile in tiles if _useful(tile, valid)) or tuple(tiles[:1])


def working_size(projection: Projection, tiles: tuple[Tile, ...]) -> tuple[int, int]:
    """Smallest picture size, pixels (w, h), in which the sharpest tile loses nothing; never above the native."""
    factor = min(1.0, max(1 / tile.scale for tile in tiles))
    w, h = projection.size_wh
    return max(1, round(w * factor)), max(1, round(h * factor))
