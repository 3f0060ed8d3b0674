"""Gravity-aligned tiles: square crops turned so that "up" in the world is up in the crop.

In them an upright-person net works on any projection. Ceiling fisheye pictures get rings of tiles
around the nadir and a patch over it; everything else gets an overlapping grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from aipg_plugin.geometry.camera import FisheyeCamera
from aipg_plugin.geometry.gravity import up_angle_deg
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.parts import FlatPart, Part
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.options import MountKind

Float64 = NDArray[np.float64]
_MIN_VALID_SHARE = 0.06
_SHORTEST_RIM = 0.2        # of the radius: a sector cut off closer to the centre is left to the nadir patch
_STRETCH = 1.3             # how much wider than the plan says a tile may get to show a view whole
_GRID_STEP = 0.75  # of a tile's side: neighbours overlap by a quarter


@dataclass(frozen=True)
class Ring:
    """`count` tiles around the circle, each `zoom` × radius wide, outer edge on the rim."""

    count: int
    zoom: float


@dataclass(frozen=True)
class TilePlan:
    """What a sweep looks at. `nadir_zoom` × radius is the side of the patch straight below (0: none);
    `grid_deg` is what one tile spans where there are no rings, degrees.
    """

    name: str
    rings: tuple[Ring, ...]
    nadir_zoom: float
    input_px: int
    grid_deg: float


LIVE = TilePlan("live", (Ring(10, 0.75),), 0.9, 320, 80.0)
THOROUGH = TilePlan("thorough", (Ring(8, 1.0), Ring(12, 0.6)), 0.6, 416, 60.0)
PLANS = {plan.name: plan for plan in (LIVE, THOROUGH)}


@dataclass(frozen=True)
class Tile:
    """A rectangle of the picture, `size_px` (w, h) around `centre_px`, turned clockwise by `angle_deg`.

    The net sees it as a square of `input_px`; w and h differ where the picture's pixels are not square in angle. A
    candidate whose "up" is more than `max_tilt_deg` from the tile's, or that lies more than `reach_px` from its
    centre, belongs to another tile.
    """

    centre_px: tuple[float, float]
    size_px: tuple[float, float]
    angle_deg: float
    input_px: int
    max_tilt_deg: float = 180.0
    reach_px: float = math.inf

    @property
    def scale_xy(self) -> tuple[float, float]:
        """Picture pixels per tile pixel, across and along."""
        return self.size_px[0] / self.input_px, self.size_px[1] / self.input_px

    @cached_property
    def matrix(self) -> Float64:
        """(2, 3) affine from tile pixels to picture pixels (both with pixel centres at +0.5)."""
        a, (sx, sy) = math.radians(self.angle_deg), self.scale_xy
        turn = np.array([[math.cos(a) * sx, -math.sin(a) * sy], [math.sin(a) * sx, math.cos(a) * sy]])
        centre = np.asarray(self.centre_px, np.float64)
        return np.column_stack([turn, centre - turn @ np.full(2, self.input_px / 2)])

    def to_picture(self, tile_px: NDArray[np.floating]) -> Float64:
        """Picture pixels (N, 2) of tile pixels (N, 2)."""
        result: Float64 = np.asarray(tile_px, np.float64) @ self.matrix[:, :2].T + self.matrix[:, 2]
        return result

    @cached_property
    def _back(self) -> Float64:
        return np.asarray(np.linalg.inv(self.matrix[:, :2]).T, np.float64)

    def to_tile(self, picture_px: NDArray[np.floating]) -> Float64:
        """Tile pixels (N, 2) of picture pixels (N, 2)."""
        result: Float64 = (np.asarray(picture_px, np.float64) - self.matrix[:, 2]) @ self._back
        return result

    @cached_property
    def polygon(self) -> Float64:
        """(4, 2) corners in picture pixels."""
        n = self.input_px
        return self.to_picture(np.array([[0, 0], [n, 0], [n, n], [0, n]], np.float64))


def _rim_px(camera: FisheyeCamera, direction_deg: float, half_sector_deg: float) -> float:
    """Farthest useful distance from the centre along a direction: the rim, or the picture's border where cut off."""
    circle, (w, h) = camera.circle, camera.size_wh
    farthest = 0.0
    for off in np.linspace(-half_sector_deg, half_sector_deg, 9):
        a = math.radians(direction_deg + off)
        dx, dy = math.cos(a), math.sin(a)
        reach = circle.radius_px
        if abs(dx) > 1e-9:
            reach = min(reach, ((w if dx > 0 else 0) - circle.cx_px) / dx)
        if abs(dy) > 1e-9:
            reach = min(reach, ((h if dy > 0 else 0) - circle.cy_px) / dy)
        farthest = max(farthest, reach * math.cos(math.radians(off)))
    return farthest


def _ring_tiles(camera: FisheyeCamera, ring: Ring, input_px: int) -> list[Tile]:
    circle, tiles = camera.circle, []
    side = ring.zoom * circle.radius_px
    sector = 360.0 / ring.count
    for k in range(ring.count):
        direction = k * sector
        rim = _rim_px(camera, direction, sector / 2)
        if rim < _SHORTEST_RIM * circle.radius_px:
            continue
        distance = max(rim - side / 2, 0.0)
        a = math.radians(direction)
        centre = (circle.cx_px + distance * math.cos(a), circle.cy_px + distance * math.sin(a))
        tiles.append(Tile(centre, (side, side), direction + 90.0, input_px, max_tilt_deg=0.75 * sector))
    return tiles


def _fisheye_tiles(camera: FisheyeCamera, plan: TilePlan, input_px: int) -> list[Tile]:
    tiles = [tile for ring in plan.rings for tile in _ring_tiles(camera, ring, input_px)]
    if plan.nadir_zoom > 0:
        radius = camera.circle.radius_px
        side = plan.nadir_zoom * radius
        tiles.append(Tile((camera.circle.cx_px, camera.circle.cy_px), (side, side), 0.0, input_px,
                          reach_px=0.3 * side))
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


def wraps_around(part: Part) -> bool:
    """Whether the left and right borders of a part show the same direction."""
    x0, _, x1, _ = part.rect
    return part.period_px > 0 and abs(part.period_px - (x1 - x0)) < 0.5


def _grid_tiles(projection: Projection, mount: Mount, part: Part, plan: TilePlan, input_px: int) -> list[Tile]:
    x0, y0, x1, y1 = part.rect
    w, h = x1 - x0, y1 - y0
    per_x, per_y = _density(part)
    if not (math.isfinite(per_x) and math.isfinite(per_y)):
        per_x = per_y = max(w, h) / plan.grid_deg
    whole_deg = max(w / per_x, h / per_y)
    # A view little wider than a tile is one tile; two would show most of it twice.
    span_deg = plan.grid_deg if whole_deg > _STRETCH * plan.grid_deg else whole_deg
    tiles = []
    for cy in _positions(y0, h, span_deg * per_y, False):
        # A strip's pixels stand for ever smaller angles towards the nadir; each row gets tiles of its own width.
        here = _pixels_per_degree(part, (x0 + w / 2, cy))[0] if part.period_px else per_x
        row_x = here if math.isfinite(here) else per_x
        size = (min(span_deg * row_x, w), span_deg * per_y)
        centres = [(cx, cy) for cx in _positions(x0, w, size[0], wraps_around(part))]
        angles = up_angle_deg(projection, mount, np.array(centres, np.float64))
        tiles += [Tile(centre, _turned(size, angle) if isinstance(part, FlatPart) else size, float(angle), input_px)
                  for centre, angle in zip(centres, angles, strict=True)]
    return tiles


def _turned(size: tuple[float, float], angle_deg: float) -> tuple[float, float]:
    """The size a tile needs to still cover its upright self when turned (a view that looks down has no common up)."""
    a = math.radians(angle_deg)
    c, s = abs(math.cos(a)), abs(math.sin(a))
    return size[0] * c + size[1] * s, size[1] * c + size[0] * s


def _useful(tile: Tile, valid: NDArray[np.bool_]) -> bool:
    h, w = valid.shape
    steps = (np.arange(24) + 0.5) * tile.input_px / 24
    grid = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
    px = np.floor(tile.to_picture(grid)).astype(np.intp)
    inside = (px[:, 0] >= 0) & (px[:, 0] < w) & (px[:, 1] >= 0) & (px[:, 1] < h)
    seen = valid[px[inside, 1], px[inside, 0]]
    return float(seen.sum()) / len(px) >= _MIN_VALID_SHARE


def make_tiles(projection: Projection, mount: Mount, plan: TilePlan, input_px: int | None = None) -> tuple[Tile, ...]:
    """The tiles of a plan on a picture, empty ones left out.

    Tiles of a part that wraps around may reach over the picture's right border, on to its left.
    """
    side = input_px or plan.input_px
    if isinstance(projection, FisheyeCamera) and mount.kind is MountKind.CEILING:
        tiles = _fisheye_tiles(projection, plan, side)
    else:
        tiles = [tile for part in projection.parts for tile in _grid_tiles(projection, mount, part, plan, side)]
    valid = projection.valid_mask()
    return tuple(tile for tile in tiles if _useful(tile, valid)) or tuple(tiles[:1])


def working_size(projection: Projection, tiles: tuple[Tile, ...]) -> tuple[int, int]:
    """Smallest picture size, pixels (w, h), in which the sharpest tile loses nothing; never above the native."""
    factor = min(1.0, max(1 / min(tile.scale_xy) for tile in tiles))
    w, h = projection.size_wh
    return max(1, round(w * factor)), max(1, round(h * factor))
