"""Composes a plan into one map of what is masked, and by which mosaic grid.

The order, weakest first, is fixed here and nowhere else:

1. a prohibited area clears a figure, but only if all of it, widened by its margin, lies inside that one area;
2. every other figure is masked whole, also where it reaches into a prohibited area;
3. always-mask areas;
4. the circumferential mosaic;
5. the full mosaic, also whenever a polygon is doubtful (not finite, or too large to be true).

Each masks more than the one before, so "wins over" means that nothing a later rule masks is ever cleared. Where
several grids meet, the one with the largest cells is used; of two figures with the same one, that of the lower key, but
those without a name (below 0) come under all others.

Everything is decided in **blocks** of 2 × 2 px, the size of a chroma sample, rounded outward: no clear chroma is
left under masked luma, and all pixel formats get the same mask. The last block of an odd picture is cut.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from aipg_plugin.errors import GuardError
from aipg_plugin.geometry.arrays import Float64, Int32, UInt8
from aipg_plugin.masking.cells import LADDER_PX, LEAST_FIGURE_M2, full_mosaic_cell_px, snap_up
from aipg_plugin.masking.plan import AreaRegion, Bounds, FigureRegion, MaskPlan, Polygon

_FULL_KEY, _RIM_KEY, _AREA_KEY = -1_000_000, -1_000_001, -1_000_002  # areas count down from theirs
_SHIFT = 4                      # fractional bits of the coordinates handed to cv2
_ROUNDING_PX = 0.05             # of a polygon's points, as cv2 gets them
_NARROW_PEN_PX = 0.65           # half of what cv2 draws with a pen of 2 px, for certain; with wider ones half the pen
_AREA_SLACK_PX = 1.0            # around always-mask areas: carried to another stream one ends a pixel off its edge
_TOO_LARGE = 4                  # a polygon wider than so many pictures is doubtful
# Areas drawn to the picture's edge end within half a pixel of it, and an odd picture half a block before its last block
# does; those cut by a view's edge end on it.
_DRAWN_SLACK, _CUT_SLACK = (0.25, 0.75), (0.005, 0.005)
_INWARD_BLOCKS = 2              # how far a prohibited area is narrowed before a figure counts as inside


class DoubtfulPolygonError(GuardError):
    """A polygon that cannot be drawn as meant; the whole picture is masked instead."""


@dataclass(frozen=True)
class BlockRect:
    """A rectangle of blocks, ends excluded."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.y0, self.y1), slice(self.x0, self.x1)


@dataclass(frozen=True, eq=False)
class Patch:
    """The masked blocks (`bits` 1) within a rectangle of the picture."""

    rect: BlockRect
    bits: UInt8


@dataclass(frozen=True, eq=False)
class MaskPart:
    """A patch, the level of its cells, and whose it is: a figure's key, or one of those below for what is no figure.

    `least_blocks`: so many of a figure are more than a head. `head_px`: x, y and radius of its head, if known.
    """

    patch: Patch
    level: int
    key: int
    least_blocks: int = 0
    head_px: tuple[float, float, float] | None = None

    @property
    def rect(self) -> BlockRect:
        return self.patch.rect

    def within(self, rect: BlockRect) -> UInt8:
        """The patch's bits in a rectangle that lies in its own."""
        own = self.patch.rect
        return self.patch.bits[rect.y0 - own.y0:rect.y1 - own.y0, rect.x0 - own.x0:rect.x1 - own.x0]


class RegionMap:
    """The composed mask of the last plan, in blocks; buffers are reused from plan to plan.

    `level` (H/2, W/2) uint8: 0 is clear, n masked with cells of LADDER_PX[n - 1].
    `area`  (H/2, W/2) uint8: 1 where more than a figure asks for the mask.
    `parts` may overlap: every block of level n is one of a part with level n, or black.
    `nothing` (H/2, W/2) uint8: 1 where the lens shows nothing and a mask is black; None for nowhere.
    `full` if all is masked.
    """

    def __init__(self, size_wh: tuple[int, int]) -> None:
        self.size_wh = size_wh
        self._blocks_wh = ((size_wh[0] + 1) // 2, (size_wh[1] + 1) // 2)
        self._all = BlockRect(0, 0, *self._blocks_wh)
        self.level: UInt8 = np.zeros(self._blocks_wh[::-1], np.uint8)
        self.area: UInt8 = np.zeros_like(self.level)
        self.parts: list[MaskPart] = []
        self.nothing: UInt8 | None = None
        self.full = False
        self._least_cells = 0.0
        self._drawn_figures: dict[int, tuple[FigureRegion, tuple[Patch, ...]]] = {}  # of the last plan
        self._areas: tuple[MaskPlan, list[Patch], list[Patch]] = (MaskPlan(), [], [])  # as drawn for the last plan

    def compose(self, plan: MaskPlan, cell_px_by_key: dict[int, int]) -> None:
        """Replace the map by that of `plan`; `cell_px_by_key` overrides the figures' own cell sizes. Never raises."""
        if plan.full and self.full and self.parts[0].level == self._full_level(plan):
            return  # as it was
        self.level.fill(0)
        self.area.fill(0)
        self.parts = []
        self.nothing = None if plan.full or plan.lens is None else _outside_lens(*plan.lens, self._blocks_wh)
        self._least_cells = LEAST_FIGURE_M2 * plan.cells_per_metre ** 2
        self.full = plan.full
        try:
            if not self.full:
                always, prohibited = self._drawn(plan)
                self._figures(plan, cell_px_by_key, prohibited)
                for index, patch in enumerate(always):
                    self._add(patch, plan.default_cell_px, _AREA_KEY - index, area=True)
                self._circumferential(plan)
        except DoubtfulPolygonError:
            self.full = True
        if self.full:
            self.nothing = None
            self._full(plan)

    def share(self) -> float:
        """Masked share of the picture, 0–1."""
        return 1.0 if self.full else cv2.countNonZero(self.level) / self.level.size

    def _drawn(self, plan: MaskPlan) -> tuple[list[Patch], list[Patch]]:
        """The blocks of the always-mask and the prohibited areas, drawn anew when the plan's areas are others."""
        last, *drawn = self._areas
        if plan.always is not last.always or plan.prohibited is not last.prohibited:
            always = [rasterise(polygon, _AREA_SLACK_PX, self._blocks_wh) for polygon in plan.always]
            prohibited = [_area_patch(area, self._blocks_wh) for area in plan.prohibited]
            drawn = [[patch for patch in patches if patch is not None] for patches in (always, prohibited)]
            self._areas = (plan, drawn[0], drawn[1])
        return drawn[0], drawn[1]

    def _figures(self, plan: MaskPlan, cell_px_by_key: dict[int, int], prohibited: list[Patch]) -> None:
        before, self._drawn_figures = self._drawn_figures, {}
        # A plan's order changes with every look. Who was there first covers who comes or is counted anew.
        for figure in sorted(plan.figures, key=lambda figure: (figure.key >= 0, -figure.key)):
            kept = before.get(figure.key)
            patches = kept[1] if kept is not None and kept[0] is figure else figure_patches(figure, self._blocks_wh)
            self._drawn_figures[figure.key] = figure, patches
            if any(_inside(patches, area) for area in prohibited):
                continue
            for patch in patches:
                self._add(patch, cell_px_by_key.get(figure.key, figure.cell_px), figure.key,
                          head_px=figure.head_px)

    def _circumferential(self, plan: MaskPlan) -> None:
        if plan.circumferential is None:
            return
        if not all(math.isfinite(v) for v in plan.circumferential):
            raise DoubtfulPolygonError("the circumferential mosaic {circle} is not finite", circle=plan.circumferential)
        bits = _outside_circle(*plan.circumferential, self._blocks_wh)
        if self.nothing is not None:
            black = bits & self.nothing
            np.maximum(self.area, black, out=self.area)
            np.maximum(self.level, black * np.uint8(len(LADDER_PX)), out=self.level)
            bits = bits & ~self.nothing
        self._add(Patch(self._all, bits), plan.default_cell_px, _RIM_KEY, area=True)

    def _full_level(self, plan: MaskPlan) -> int:
        return _level(full_mosaic_cell_px(self.size_wh, plan.default_cell_px))

    def _full(self, plan: MaskPlan) -> None:
        level = self._full_level(plan)
        self.level.fill(level)
        self.area.fill(1)
        self.parts = [MaskPart(Patch(self._all, self.area), level, _FULL_KEY)]

    def _add(self, patch: Patch, cell_px: float, key: int, *, area: bool = False,
             head_px: tuple[float, float, float] | None = None) -> None:
        level = _level(cell_px)
        target = self.level[patch.rect.slices]
        np.maximum(target, patch.bits * np.uint8(level), out=target)
        if area:
            np.maximum(self.area[patch.rect.slices], patch.bits, out=self.area[patch.rect.slices])
        least = 0 if area else math.ceil(self._least_cells * (LADDER_PX[level - 1] / 2) ** 2)
        self.parts.append(MaskPart(patch, level, key, least, head_px))


def figure_patches(figure: FigureRegion, blocks_wh: tuple[int, int]) -> tuple[Patch, ...]:
    """The visible parts of a figure, widened. Raises DoubtfulPolygonError."""
    patches = [rasterise(polygon, figure.margin_px, blocks_wh) for polygon in figure.polygons_px]
    if figure.bounds_px:
        patches = [patch and _within(patch, bounds) for patch, bounds in zip(patches, figure.bounds_px, strict=True)]
    return tuple(patch for patch in patches if patch is not None)


def _within(patch: Patch, bounds: Bounds) -> Patch | None:
    """What of a patch lies in a rectangle of px, blocks on its border included."""
    old = patch.rect
    x0, y0, x1, y1 = math.floor(bounds[0] / 2), math.floor(bounds[1] / 2), math.ceil(bounds[2] / 2), \
        math.ceil(bounds[3] / 2)
    rect = BlockRect(max(old.x0, x0), max(old.y0, y0), min(old.x1, x1), min(old.y1, y1))
    if rect.x0 >= rect.x1 or rect.y0 >= rect.y1:
        return None
    return Patch(rect, patch.bits[rect.y0 - old.y0:rect.y1 - old.y0, rect.x0 - old.x0:rect.x1 - old.x0])


def rasterise(polygon: Polygon, margin_px: float, blocks_wh: tuple[int, int]) -> Patch | None:
    """The blocks of a (K, 2) px polygon widened by `margin_px`, holes filled; None if none is in the picture.

    Every block with a pixel centre inside the widened polygon is included. Raises DoubtfulPolygonError.
    """
    points = _points(polygon) - 0.5  # in pixels as cv2 counts them
    if len(points) == 0:
        return None
    if not math.isfinite(margin_px):
        raise DoubtfulPolygonError("the margin {margin} of a polygon is not finite", margin=margin_px)
    pen_px = _pen_px(margin_px)
    reach = (pen_px / 2 + 1.5) / 2
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    x, y = math.floor(left / 2 - reach) - 1, math.floor(top / 2 - reach) - 1
    w, h = math.ceil(right / 2 + reach) + 2 - x, math.ceil(bottom / 2 + reach) + 2 - y
    if x + w <= 0 or y + h <= 0 or x >= blocks_wh[0] or y >= blocks_wh[1]:
        return None
    if max(w, h) > _TOO_LARGE * max(blocks_wh) + 64:
        raise DoubtfulPolygonError("a polygon spans {span} blocks of 2 px", span=(w, h))
    # Drawn beyond the picture's edge as well, so that a hole cut open by the edge is still a hole.
    drawn: UInt8 = np.zeros((2 * h, 2 * w), np.uint8)
    fixed = [_fixed(points - (2 * x, 2 * y))]
    cv2.fillPoly(drawn, fixed, 1, shift=_SHIFT)
    cv2.polylines(drawn, fixed, True, 1, pen_px, shift=_SHIFT)
    pairs = drawn.view(np.uint16)
    bits = ((pairs[0::2] | pairs[1::2]) != 0).view(np.uint8)
    contours, parents = cv2.findContours(bits, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    if len(contours) > 1:
        for contour, (*_, parent) in zip(contours, parents[0].tolist(), strict=True):
            if parent >= 0:
                cv2.drawContours(bits, [contour], 0, 1, cv2.FILLED)
    rect = BlockRect(max(x, 0), max(y, 0), min(x + w, blocks_wh[0]), min(y + h, blocks_wh[1]))
    return Patch(rect, bits[rect.y0 - y:rect.y1 - y, rect.x0 - x:rect.x1 - x])


def _pen_px(margin_px: float) -> int:
    """The narrowest pen with which cv2, drawing a polygon's edge, covers all pixel centres within a margin of it."""
    reach_px = margin_px + _ROUNDING_PX
    return 2 if reach_px <= _NARROW_PEN_PX else max(3, 2 * math.ceil(reach_px - 0.5) + 1)


def _inside(patches: tuple[Patch, ...], area: Patch) -> bool:
    """Whether all patches lie within an area's."""
    held = area.rect
    for patch in patches:
        x, y, w, h = cv2.boundingRect(patch.bits)
        left, top = patch.rect.x0 + x - held.x0, patch.rect.y0 + y - held.y0
        if left < 0 or top < 0 or left + w > held.x1 - held.x0 or top + h > held.y1 - held.y0:
            return False
        if (patch.bits[y:y + h, x:x + w] & ~area.bits[top:top + h, left:left + w] & 1).any():
            return False
    return bool(patches)


def _area_patch(area: AreaRegion, blocks_wh: tuple[int, int]) -> Patch | None:
    """The blocks surely inside an area; None if there are none. A doubtful area holds nothing."""
    whole: Bounds = (0.0, 0.0, 2.0 * blocks_wh[0], 2.0 * blocks_wh[1])
    try:
        outlines = [_block_points(polygon) for polygon in area.polygons_px]
    except DoubtfulPolygonError:
        return None
    limit = _TOO_LARGE * max(blocks_wh) + 64
    if not outlines or any(len(o) < 3 or (np.abs(o) > limit).any() for o in outlines):
        return None
    corners = np.concatenate(outlines)
    x0, y0 = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, blocks_wh).tolist()
    x1, y1 = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, 0, blocks_wh).tolist()
    if x0 >= x1 or y0 >= y1:
        return None
    rect, bounds = BlockRect(x0, y0, x1, y1), area.bounds_px or (whole,) * len(outlines)
    bits: UInt8 = np.zeros((y1 - y0, x1 - x0), np.uint8)
    for points, bound in zip(outlines, bounds, strict=True):
        bits |= _area_bits(points, rect, bound, _CUT_SLACK if area.bounds_px else _DRAWN_SLACK)
    return Patch(rect, bits)


def _area_bits(points: Float64, rect: BlockRect, bounds: Bounds, slack: tuple[float, float]) -> UInt8:
    """Blocks of `rect` that lie inside a polygon, those on its edges left out unless along those of its view.

    `slack` in blocks: an edge so near to the view's low or high edge runs along it.
    """
    bits: UInt8 = np.zeros((rect.y1 - rect.y0, rect.x1 - rect.x0), np.uint8)
    fixed = _fixed(points - (rect.x0, rect.y0))
    cv2.fillPoly(bits, [fixed], 1, shift=_SHIFT)
    low, high = np.divide(bounds[:2], 2) - 0.5 + slack[0], np.divide(bounds[2:], 2) - 0.5 - slack[1]
    ends = np.roll(points, -1, axis=0)
    along_edge = (((points <= low) & (ends <= low)) | ((points >= high) & (ends >= high))).any(axis=1)
    edges = np.stack([fixed, np.roll(fixed, -1, axis=0)], axis=1)[~along_edge]
    cv2.polylines(bits, list(edges), False, 0, _INWARD_BLOCKS, shift=_SHIFT)
    return bits


def _block_points(polygon: Polygon) -> Float64:
    """Polygon in block coordinates as cv2 counts them (block centres are integers). Raises DoubtfulPolygonError."""
    return _points(polygon) / 2 - 0.5


def _points(polygon: Polygon) -> Float64:
    """Polygon (K, 2) in px as it was given. Raises DoubtfulPolygonError."""
    try:
        points = np.asarray(polygon, np.float64)
    except (TypeError, ValueError) as error:
        raise DoubtfulPolygonError("a polygon holds something that is no number") from error
    if points.size == 0:
        return np.zeros((0, 2))
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise DoubtfulPolygonError("a polygon of shape {shape} is not a finite (K, 2)", shape=points.shape)
    return points


def _fixed(points: Float64) -> Int32:
    return np.rint(points * (1 << _SHIFT)).astype(np.int32)


@lru_cache(maxsize=256)
def _level(cell_px: float) -> int:
    return LADDER_PX.index(snap_up(cell_px)) + 1


@lru_cache(maxsize=8)
def _outside_circle(cx_px: float, cy_px: float, r_inner_px: float, blocks_wh: tuple[int, int]) -> UInt8:
    """Blocks with a pixel centre farther than `r_inner_px` from the circle's centre."""
    # The block's farthest pixel centre is half a pixel beyond its centre, away from the circle's.
    dx = np.abs(2.0 * np.arange(blocks_wh[0]) + 1 - cx_px) + 0.5
    dy = np.abs(2.0 * np.arange(blocks_wh[1]) + 1 - cy_px) + 0.5
    with np.errstate(over="ignore"):
        bits: UInt8 = (np.hypot(dx[None, :], dy[:, None]) > max(r_inner_px, 0.0)).astype(np.uint8)
    bits.setflags(write=False)
    return bits


@lru_cache(maxsize=8)
def _outside_lens(cx_px: float, cy_px: float, r_px: float, blocks_wh: tuple[int, int]) -> UInt8 | None:
    """Blocks in which the lens shows nothing; None if there are none, or its circle is no circle."""
    if not all(math.isfinite(v) for v in (cx_px, cy_px, r_px)):
        return None
    bits = _outside_circle(cx_px, cy_px, r_px, blocks_wh)
    return bits if bits.any() else None
