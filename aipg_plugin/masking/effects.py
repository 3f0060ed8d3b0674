"""How a mask looks: mosaic with held colours, or a fill colour. (The background is copied by painter.py.)

Why the mosaic is not simply the mean of each cell in each frame: a figure that moves across a fixed grid by less
than a cell shows the grid new means in every frame, and a few seconds of them can be solved for a picture much sharper
than the cells ("super-resolution"). So a cell's colour is

- taken once and kept for HOLD_S or longer, whether or not the cell stays masked,
- in its luma half the mean of a window WINDOW times as wide as the cell, which leaves little of what is finer than the
  window, and half the mean of the whole figure; rounded to a few levels,
- in its hue that of the whole figure, one of HUES and held as long,
- rounded with hysteresis, so that noise does not dither it.

Of a figure of which less than cells.LEAST_FIGURE_M2 is seen there is no mean, since that would be one of a head: it
is grey.
benchmarks/attack.py measures what is left to an attacker; run it before changing any of these.
"""

from __future__ import annotations

import math
from typing import Protocol

import cv2
import numpy as np

from aipg_plugin.frames import PixelFormat
from aipg_plugin.geometry.arrays import Bools, Float32, Ints, UInt8
from aipg_plugin.masking.cells import LADDER_PX
from aipg_plugin.masking.plan import MaskPlan
from aipg_plugin.masking.planes import PicturePlanes, native_colour
from aipg_plugin.masking.region import BlockRect, MaskPart
from aipg_plugin.options import MaskingMethod

HOLD_S = 4.0                    # no cell takes a new colour sooner than this …
STAGGER = 0.5                   # … and each its own time later, up to this share, so that they don't change together
WINDOW = 2                      # side of the averaged window, in cells
SOFTENING = 2 / 3               # luma levels are shown so much nearer to one another: softer steps tell no more
HUES = 6                        # directions of a figure's mean chroma that are told apart
HUE_SHOWN = 16                  # how far from neutral grey a hue is shown, however strong it is
# Mean chroma up to which a hue is given up, and from which a figure gets one: enough that a head, about a sixth of the
# figure, hardly turns it (from 3 on, two heads of 60 more than by luck were named by whoever knew the body).
PALE, VIVID = 5.0, 7.0
HYSTERESIS = 0.2                # of a step: how far past the midpoint a mean must be to change a level

# BT.601 full range (JFIF), from B, G, R.
_TO_YUV = np.array([[0.114, 0.587, 0.299], [0.5, -0.3313, -0.1687], [-0.0813, -0.4187, 0.5]], np.float32)
_TO_BGR = np.linalg.inv(_TO_YUV.astype(np.float64)).astype(np.float32)
_GREY = 128.0
_MOST_FIGURES = 1024            # whose colours are remembered


class Mosaic:
    """Colours of the mosaic's cells, held per grid and cell, and the figures' hues, for one stream."""

    def __init__(self, pixel_format: PixelFormat, size_wh: tuple[int, int]) -> None:
        self._format = pixel_format
        self._size_wh = size_wh
        self._grids: dict[tuple[int, int], _Grid] = {}
        self.luma_step = 48
        self._figures: dict[int, _Figure] = {}

    def sample(self, picture: PicturePlanes, part: MaskPart, masked: UInt8 | None, t_s: float) -> None:
        """Take new colours for those cells under a part's mask whose hold is over, and the part's own if it is due.

        `masked` (h, w) uint8, 1 for the blocks of the part that this grid masks (None: all); `picture` must still be
        clear there.
        """
        cell_px, rect = LADDER_PX[part.level - 1], part.rect
        grid = self._grid(cell_px)
        rows, columns = cell_range(rect, cell_px)
        due = grid.due(rows, columns, t_s)
        cells = np.argwhere(due if masked is None or not due.any() else due & _any_in_cell(masked, rect, cell_px))
        figure = self._figure(picture, part, t_s)
        if len(cells):
            cells += (rows.start, columns.start)
            windows = self._luma(picture.window_means(cell_px, cells, WINDOW))
            grid.put(cells, np.asarray((windows + figure.luma) / 2, np.float32), t_s)

    def _figure(self, picture: PicturePlanes, part: MaskPart, t_s: float) -> _Figure:
        """The part's own colour, taken anew if it is due."""
        figure = self._figures.setdefault(part.key, _Figure())
        if figure.due(t_s) and cv2.countNonZero(part.patch.bits) >= max(part.least_blocks, 1):
            figure.put(self._to_yuv(picture.masked_mean(part.rect, part.patch.bits)[None])[0], t_s)
            if len(self._figures) > _MOST_FIGURES:
                del self._figures[min(self._figures, key=lambda key: self._figures[key].taken_s)]
        return figure

    def colours(self, part: MaskPart, rect: BlockRect) -> UInt8:
        """Colours (rows, columns, 3) of the part's cells that `rect` touches, in the format's channels."""
        cell_px = LADDER_PX[part.level - 1]
        rows, columns = cell_range(rect, cell_px)
        luma = self._grid(cell_px).shown(rows, columns)
        yuv = np.empty((*luma.shape, 3), np.uint8)
        yuv[..., 0], yuv[..., 1:] = luma, self._figures[part.key].shown if part.key in self._figures else 128
        if self._format is not PixelFormat.BGR24:
            return yuv
        bgr = (yuv.astype(np.float32) - (0, 128, 128)) @ _TO_BGR.T
        return np.clip(np.round(bgr), 0, 255).astype(np.uint8)

    def _luma(self, means: Float32) -> Float32:
        """(N,) of means (N, C) of the first plane."""
        return means[:, 0] if self._format is not PixelFormat.BGR24 else self._to_yuv(means)[:, 0]

    def _to_yuv(self, means: Float32) -> Float32:
        if self._format is not PixelFormat.BGR24:
            return means
        return np.asarray(means @ _TO_YUV.T + np.array([0, 128, 128], np.float32), np.float32)

    def _grid(self, cell_px: int) -> _Grid:
        key = cell_px, self.luma_step
        if key not in self._grids:
            self._grids[key] = _Grid(self._size_wh, *key)
        return self._grids[key]


class Effect(Protocol):
    """Colours of masked cells."""

    def colours(self, part: MaskPart, rect: BlockRect) -> UInt8:
        """Colours (rows, columns, 3) of the part's cells that `rect` touches, in the format's channels."""


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

    def colours(self, part: MaskPart, rect: BlockRect) -> UInt8:
        """The colour for each of the cells that `rect` touches, (rows, columns, 3)."""
        rows, columns = cell_range(rect, LADDER_PX[part.level - 1])
        return np.broadcast_to(self._colour, (rows.stop - rows.start, columns.stop - columns.start, 3))


def outline_colour(pixel_format: PixelFormat, bgr: tuple[int, int, int]) -> UInt8:
    """A colour that stands out from a fill colour, (3,) in the format's channels: darker than light ones and so on."""
    blue, green, red = bgr
    end = 0 if 0.114 * blue + 0.587 * green + 0.299 * red >= 96 else 255
    return native_colour(pixel_format, (round((blue + end) / 2), round((green + end) / 2), round((red + end) / 2)))


class _Grid:
    """Held luma of all cells of one size, in steps of one size."""

    def __init__(self, size_wh: tuple[int, int], cell_px: int, step: int) -> None:
        self._step = step
        shape = (-(-size_wh[1] // cell_px), -(-size_wh[0] // cell_px))
        self._levels = np.zeros(shape, np.float32)
        self._shown = np.zeros(shape, np.uint8)
        self._taken_s = np.full(shape, -np.inf)
        late = np.random.default_rng(cell_px).random(shape)
        self._hold_s = HOLD_S * (1 + STAGGER * late)

    def due(self, rows: slice, columns: slice, t_s: float) -> Bools:
        """Which cells may take a new colour at `t_s` (also after a jump back in time)."""
        return np.asarray(np.abs(t_s - self._taken_s[rows, columns]) >= self._hold_s[rows, columns])

    def put(self, cells: Ints, luma: Float32, t_s: float) -> None:
        """Round means (N,) to levels and hold them for the cells (N, 2)."""
        index = (cells[:, 0], cells[:, 1])
        fresh = np.isinf(self._taken_s[index])
        exact = np.asarray(luma / self._step - 0.5, np.float32)
        moved = np.abs(exact - self._levels[index]) > 0.5 + HYSTERESIS
        levels: Float32 = np.where(fresh | moved, np.round(exact), self._levels[index])
        self._levels[index] = levels
        shown = _GREY + ((levels + 0.5) * self._step - _GREY) * SOFTENING
        self._shown[index] = np.clip(np.round(shown), 0, 255).astype(np.uint8)
        self._taken_s[index] = t_s

    def shown(self, rows: slice, columns: slice) -> UInt8:
        """Luma as shown, (rows, columns)."""
        return self._shown[rows, columns]


class _Figure:
    """Held colour of one figure: its mean luma, and one of HUES or none."""

    def __init__(self) -> None:
        self._level: int | None = None
        self.luma = _GREY
        self.taken_s = -np.inf
        self.shown: UInt8 = np.full(2, 128, np.uint8)

    def due(self, t_s: float) -> bool:
        """Whether it may be taken anew at `t_s`."""
        return abs(t_s - self.taken_s) >= HOLD_S

    def put(self, mean_yuv: Float32, t_s: float) -> None:
        """Hold the luma of a mean (3,), and its hue, rounded."""
        self.luma, u, v = (mean_yuv - (0, 128, 128)).tolist()
        strength, exact = math.hypot(u, v), math.atan2(v, u) / (2 * math.pi) * HUES
        if strength < (PALE if self._level is not None else VIVID):
            self._level = None
        elif self._level is None or abs((exact - self._level + HUES / 2) % HUES - HUES / 2) > 0.5 + HYSTERESIS:
            self._level = round(exact) % HUES
        if self._level is not None:
            turn = self._level / HUES * 2 * math.pi
            self.shown = np.round([128 + HUE_SHOWN * math.cos(turn), 128 + HUE_SHOWN * math.sin(turn)]).astype(np.uint8)
        else:
            self.shown = np.full(2, 128, np.uint8)
        self.taken_s = t_s


def cell_range(rect: BlockRect, cell_px: int) -> tuple[slice, slice]:
    """Rows and columns of the cells that a rectangle of blocks touches."""
    side = cell_px // 2
    return slice(rect.y0 // side, -(-rect.y1 // side)), slice(rect.x0 // side, -(-rect.x1 // side))


def _any_in_cell(masked: UInt8, rect: BlockRect, cell_px: int) -> Bools:
    """Which cells (rows, columns) hold a masked block."""
    side = cell_px // 2
    rows, columns = ([0, *range(side - first % side, end - first, side)]
                     for first, end in ((rect.y0, rect.y1), (rect.x0, rect.x1)))
    return np.asarray(np.maximum.reduceat(np.maximum.reduceat(masked, rows, axis=0), columns, axis=1) > 0, np.bool_)
