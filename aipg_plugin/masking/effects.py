"""How a mask looks: mosaic with held colours, or a fill colour. (The background is copied by painter.py.)

Why the mosaic is not simply the mean of each cell in each frame: a figure that moves across a fixed grid by less
than a cell shows the grid new means in every frame, and a few seconds of them can be solved for a picture much sharper
than the cells ("super-resolution"). So a cell's colour is

- taken once and kept for HOLD_S or longer, whether or not the cell stays masked,
- the mean of a window WINDOW times as wide as the cell, which leaves little of what is finer than the window,
- rounded to a few levels, with hysteresis, so that noise does not dither it.

benchmarks/attack.py measures what is left to an attacker; run it before changing any of these.
"""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np

from aipg_plugin.frames import PixelFormat
from aipg_plugin.geometry.arrays import Bools, Float32, Ints, UInt8
from aipg_plugin.masking.plan import MaskPlan
from aipg_plugin.masking.planes import PicturePlanes, native_colour
from aipg_plugin.masking.region import BlockRect
from aipg_plugin.options import MaskingMethod

HOLD_S = 4.0                    # no cell takes a new colour sooner than this …
STAGGER = 0.5                   # … and each its own time later, up to this share, so that they don't change together
WINDOW = 2                      # side of the averaged window, in cells
LUMA_STEP = 48                  # 6 levels
CHROMA_STEP = 64                # 5 levels, one of them neutral grey …
CHROMA_SHOWN = 32               # … shown paler than they are: whole steps would be garish
HYSTERESIS = 0.2                # of a step: how far past the midpoint a mean must be to change a level

# BT.601 full range (JFIF), from B, G, R.
_TO_YUV = np.array([[0.114, 0.587, 0.299], [0.5, -0.3313, -0.1687], [-0.0813, -0.4187, 0.5]], np.float32)
_TO_BGR = np.linalg.inv(_TO_YUV.astype(np.float64)).astype(np.float32)
_STEP = np.array([LUMA_STEP, CHROMA_STEP, CHROMA_STEP], np.float32)
_SHOWN = np.array([LUMA_STEP, CHROMA_SHOWN, CHROMA_SHOWN], np.float32)
_ZERO = np.array([LUMA_STEP / 2, 128, 128], np.float32)      # the colour of levels (0, 0, 0)


class Mosaic:
    """Colours of the mosaic's cells, held per grid and cell for one stream."""

    def __init__(self, pixel_format: PixelFormat, size_wh: tuple[int, int]) -> None:
        self._format = pixel_format
        self._size_wh = size_wh
        self._grids: dict[int, _Grid] = {}

    def sample(self, picture: PicturePlanes, rect: BlockRect, masked: UInt8, cell_px: int, t_s: float) -> None:
        """Take new colours for those cells under the mask whose hold is over.

        `masked` (h, w) uint8, 1 for the blocks of `rect` that this grid masks; `picture` must still be clear there.
        """
        grid = self._grid(cell_px)
        rows, columns = cell_range(rect, cell_px)
        due = grid.due(rows, columns, t_s) & _any_in_cell(masked, rect, cell_px)
        cells = np.argwhere(due)
        if len(cells):
            cells += (rows.start, columns.start)
            grid.put(cells, self._to_yuv(picture.window_means(cell_px, cells, WINDOW)), t_s)

    def colours(self, rect: BlockRect, cell_px: int) -> UInt8:
        """Colours (rows, columns, 3) of the cells that `rect` touches, in the format's channels."""
        rows, columns = cell_range(rect, cell_px)
        yuv = self._grid(cell_px).yuv(rows, columns)
        if self._format is not PixelFormat.BGR24:
            return yuv
        bgr = (yuv.astype(np.float32) - (0, 128, 128)) @ _TO_BGR.T
        return np.clip(np.round(bgr), 0, 255).astype(np.uint8)

    def _to_yuv(self, means: Float32) -> Float32:
        if self._format is not PixelFormat.BGR24:
            return means
        return np.asarray(means @ _TO_YUV.T + np.array([0, 128, 128], np.float32), np.float32)

    def _grid(self, cell_px: int) -> _Grid:
        if cell_px not in self._grids:
            self._grids[cell_px] = _Grid(self._size_wh, cell_px)
        return self._grids[cell_px]


class Effect(Protocol):
    """Colours of masked cells."""

    def colours(self, rect: BlockRect, cell_px: int) -> UInt8:
        """Colours (rows, columns, 3) of the cells that `rect` touches, in the format's channels."""


def own_effect(plan: MaskPlan, pixel_format: PixelFormat) -> Effect | None:
    """The effect of a masking method that takes no colours from the picture; None for the methods over a mosaic."""
    match plan.method:
        case MaskingMethod.FILLING:
            return Filling(native_colour(pixel_format, plan.fill_colour_bgr))
        case MaskingMethod.BLURRING | MaskingMethod.BACKGROUND:
            return None


class Filling:
    """One colour everywhere, whatever is below."""

    def __init__(self, colour: UInt8) -> None:
        self._colour = colour

    def colours(self, rect: BlockRect, cell_px: int) -> UInt8:
        """The colour for each of the cells that `rect` touches, (rows, columns, 3)."""
        rows, columns = cell_range(rect, cell_px)
        return np.broadcast_to(self._colour, (rows.stop - rows.start, columns.stop - columns.start, 3))


class _Grid:
    """Held colours of all cells of one size."""

    def __init__(self, size_wh: tuple[int, int], cell_px: int) -> None:
        shape = (-(-size_wh[1] // cell_px), -(-size_wh[0] // cell_px))
        self._levels = np.zeros((*shape, 3), np.float32)
        self._shown = np.zeros((*shape, 3), np.uint8)
        self._taken_s = np.full(shape, -np.inf)
        late = np.random.default_rng(cell_px).random(shape)
        self._hold_s = HOLD_S * (1 + STAGGER * late)

    def due(self, rows: slice, columns: slice, t_s: float) -> Bools:
        """Which cells may take a new colour at `t_s` (also after a jump back in time)."""
        return np.asarray(np.abs(t_s - self._taken_s[rows, columns]) >= self._hold_s[rows, columns])

    def put(self, cells: Ints, means: Float32, t_s: float) -> None:
        """Round the YUV means (N, 3) to levels and hold them for the cells (N, 2)."""
        index = (cells[:, 0], cells[:, 1])
        old, exact = self._levels[index], (means - _ZERO) / _STEP
        fresh = np.isinf(self._taken_s[index])[:, None]
        moved = np.abs(exact - old) > 0.5 + HYSTERESIS
        levels: Float32 = np.where(fresh | moved, np.round(exact), old)
        self._levels[index] = levels
        self._shown[index] = np.clip(levels * _SHOWN + _ZERO, 0, 255).astype(np.uint8)
        self._taken_s[index] = t_s

    def yuv(self, rows: slice, columns: slice) -> UInt8:
        """Colours as shown, (rows, columns, 3)."""
        return self._shown[rows, columns]


def cell_range(rect: BlockRect, cell_px: int) -> tuple[slice, slice]:
    """Rows and columns of the cells that a rectangle of blocks touches."""
    side = cell_px // 2
    return slice(rect.y0 // side, -(-rect.y1 // side)), slice(rect.x0 // side, -(-rect.x1 // side))


def _any_in_cell(masked: UInt8, rect: BlockRect, cell_px: int) -> Bools:
    """Which cells (rows, columns) hold a masked block."""
    side = cell_px // 2
    rows, columns = cell_range(rect, cell_px)
    row_edges = np.clip(np.arange(rows.start, rows.stop + 1) * side - rect.y0, 0, masked.shape[0])
    column_edges = np.clip(np.arange(columns.start, columns.stop + 1) * side - rect.x0, 0, masked.shape[1])
    total = cv2.integral(masked)[row_edges[:, None], column_edges]
    return np.asarray(np.diff(np.diff(total, axis=0), axis=1) > 0, np.bool_)
