"""How a mask looks: mosaic with held colours, or a fill colour. (The background is copied by painter.py.)

Why the mosaic is not simply the mean of each cell in each frame: a figure that moves across a fixed grid by less
than a cell shows the grid new means in every frame, and a few seconds of them can be solved for a picture much sharper
than the cells ("super-resolution"). So a cell shows

- the brightness and the hue of the figure apart from its head, rounded to a few levels and to one of palette.HUES_DEG,
- in its luma, at the intensities that have a cells.CELL_SHARE, how far the mean of a window WINDOW times as wide as the
  cell lies from the figure's, which leaves little of what is finer than the window; rounded to levels with
  hysteresis, so that noise does not dither it, taken once and kept for HOLD_S or longer, whether or not the cell stays
  masked,
- a pattern that is the same whatever lies under it, by which the cells are seen.

Of a figure of which less than cells.LEAST_FIGURE_M2 is seen there is no mean, since that would be one of a head: it
is grey, with the pattern. So are foreground regions and covered places, whose keys (below 0) are others in the next
picture.
benchmarks/attack.py measures what is left to an attacker; run it before changing any of these.
"""

from __future__ import annotations

import cv2
import numpy as np

from aipg_plugin.frames import PixelFormat
from aipg_plugin.geometry.arrays import Bools, Float32, Int16, Ints, UInt8
from aipg_plugin.masking import palette
from aipg_plugin.masking.cells import CELL_SHARE, LADDER_PX, LUMA_STEP
from aipg_plugin.masking.palette import CELL_SOFTENING, HOLD_S, HYSTERESIS, LEAST_BODY, FigureColour
from aipg_plugin.masking.plan import MaskPlan
from aipg_plugin.masking.planes import PicturePlanes, native_colour
from aipg_plugin.masking.region import BlockRect, MaskPart
from aipg_plugin.options import BlurIntensity, MaskingMethod

STAGGER = 0.5                   # cells take new colours later than HOLD_S by up to this share, not all together
WINDOW = 2                      # side of the averaged window, in cells
_AREA_SHARE = CELL_SHARE[BlurIntensity.MIDDLE]

# BT.601 full range (JFIF), from B, G, R.
_TO_YUV = np.array([[0.114, 0.587, 0.299], [0.5, -0.3313, -0.1687], [-0.0813, -0.4187, 0.5]], np.float32)
_TO_BGR = np.linalg.inv(_TO_YUV.astype(np.float64)).astype(np.float32)
_MOST_FIGURES = 1024            # whose colours are remembered
_NOBODY = FigureColour()


class Mosaic:
    """What the mosaic's cells show, held per grid and cell, and the figures' colours, for one stream.

    `cell_share` and the picture's time `t_s` are set before each picture.
    """

    def __init__(self, pixel_format: PixelFormat, size_wh: tuple[int, int]) -> None:
        self._format = pixel_format
        self._size_wh = size_wh
        self._grids: dict[int, _Grid] = {}
        self.cell_share = _AREA_SHARE
        self.t_s = 0.0
        self._figures: dict[int, FigureColour] = {}

    def sample(self, picture: PicturePlanes, part: MaskPart, masked: UInt8 | None,
               nothing: UInt8 | None = None) -> None:
        """Take new colours for those cells under a part's mask whose hold is over, and the part's own if it is due.

        `masked` (h, w) uint8, 1 for the blocks of the part that this grid masks (None: all); `nothing` (H/2, W/2) 1
        where the lens shows nothing. `picture` must still be clear under the part.
        """
        figure = self._figure(picture, part, nothing)
        share = self.cell_share if part.least_blocks else _AREA_SHARE
        if not share or not figure.known:
            return
        cell_px, rect = LADDER_PX[part.level - 1], part.rect
        grid = self._grid(cell_px)
        rows, columns = cell_range(rect, cell_px)
        due = grid.due(rows, columns, self.t_s)
        found = (due if masked is None or not due.any() else due & _any_in_cell(masked, rect, cell_px)).nonzero()
        if len(found[0]):
            cells = np.stack((found[0] + rows.start, found[1] + columns.start), axis=1)
            windows = self._luma(picture.window_means(cell_px, cells, WINDOW, nothing))
            grid.put(cells, np.asarray((windows - figure.luma) * share, np.float32), self.t_s)

    def _figure(self, picture: PicturePlanes, part: MaskPart, nothing: UInt8 | None) -> FigureColour:
        """The part's own colour, taken anew if it is due; grey where nobody has a name to hold it by."""
        if part.least_blocks and part.key < 0:
            return _NOBODY
        figure = self._figures.setdefault(part.key, FigureColour())
        if figure.due(self.t_s) and cv2.countNonZero(part.patch.bits) >= max(part.least_blocks, 1):
            bits = part.patch.bits if nothing is None else part.patch.bits & (1 - nothing[part.rect.slices])
            if part.least_blocks:
                bits = palette.body(palette.core(bits), part)
            if cv2.countNonZero(bits) >= max(part.least_blocks * LEAST_BODY, 1):
                figure.put(self._to_yuv(picture.masked_mean(part.rect, bits)[None])[0], self.t_s)
            if len(self._figures) > _MOST_FIGURES:
                del self._figures[min(self._figures, key=lambda key: self._figures[key].taken_s)]
        return figure

    def colours(self, part: MaskPart, rect: BlockRect) -> UInt8:
        """Colours (rows, columns, 3) of the part's cells that `rect` touches, in the format's channels; of one hue."""
        cell_px = LADDER_PX[part.level - 1]
        rows, columns = cell_range(rect, cell_px)
        luma_shown, *chroma = self._figures.get(part.key, _NOBODY).shown(self.t_s)
        luma = self._grid(cell_px).shown(rows, columns, own=bool(self.cell_share) or not part.least_blocks)
        yuv = np.empty((*luma.shape, 3), np.uint8)
        yuv[..., 0] = cv2.addWeighted(luma, 1, luma, 0, luma_shown, dtype=cv2.CV_8U)
        yuv[..., 1:] = chroma
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
        if cell_px not in self._grids:
            self._grids[cell_px] = _Grid(self._size_wh, cell_px)
        return self._grids[cell_px]


def fill_colour(plan: MaskPlan, pixel_format: PixelFormat) -> UInt8 | None:
    """The one colour (3,) of a masking method that takes none from the picture; None for those over a mosaic."""
    match plan.method:
        case MaskingMethod.FILLING:
            return native_colour(pixel_format, plan.fill_colour_bgr)
        case MaskingMethod.BLURRING | MaskingMethod.BACKGROUND:
            return None


def outline_colour(pixel_format: PixelFormat, bgr: tuple[int, int, int]) -> UInt8:
    """A colour that stands out from a fill colour, (3,) in the format's channels: darker than light ones and so on."""
    blue, green, red = bgr
    end = 0 if 0.114 * blue + 0.587 * green + 0.299 * red >= 96 else 255
    return native_colour(pixel_format, (round((blue + end) / 2), round((green + end) / 2), round((red + end) / 2)))


class _Grid:
    """How far all cells of one size lie from their figure's luma, held, in levels."""

    def __init__(self, size_wh: tuple[int, int], cell_px: int) -> None:
        shape = (-(-size_wh[1] // cell_px), -(-size_wh[0] // cell_px))
        self._pattern = palette.pattern(shape)
        self._levels = np.zeros(shape, np.float32)
        self._shown = self._pattern.copy()
        self._taken_s = np.full(shape, -np.inf)
        late = np.random.default_rng(cell_px).random(shape)
        self._hold_s = HOLD_S * (1 + STAGGER * late)

    def due(self, rows: slice, columns: slice, t_s: float) -> Bools:
        """Which cells may take a new colour at `t_s` (also after a jump back in time)."""
        return np.asarray(np.abs(t_s - self._taken_s[rows, columns]) >= self._hold_s[rows, columns])

    def put(self, cells: Ints, apart: Float32, t_s: float) -> None:
        """Round how far cells (N, 2) lie from their figure, (N,), to levels and hold these."""
        index = (cells[:, 0], cells[:, 1])
        exact = np.asarray(apart / LUMA_STEP, np.float32)
        moved = np.isinf(self._taken_s[index]) | (np.abs(exact - self._levels[index]) > 0.5 + HYSTERESIS)
        levels: Float32 = np.where(moved, np.round(exact), self._levels[index])
        self._levels[index] = levels
        self._shown[index] = self._pattern[index] + np.round(levels * LUMA_STEP * CELL_SOFTENING).astype(np.int16)
        self._taken_s[index] = t_s

    def shown(self, rows: slice, columns: slice, *, own: bool) -> Int16:
        """Luma as shown (rows, columns), from the figure's on; `own`: of the cells, else the pattern alone."""
        return (self._shown if own else self._pattern)[rows, columns]


def cell_range(rect: BlockRect, cell_px: int) -> tuple[slice, slice]:
    """Rows and columns of the cells that a rectangle of blocks touches."""
    side = cell_px // 2
    return slice(rect.y0 // side, -(-rect.y1 // side)), slice(rect.x0 // side, -(-rect.x1 // side))


def _any_in_cell(masked: UInt8, rect: BlockRect, cell_px: int) -> Bools:
    """Which cells (rows, columns) hold a masked block."""
    side = cell_px // 2
    sums = cv2.integral(masked)
    sums = sums[_borders(rect.y0, rect.y1, side)][:, _borders(rect.x0, rect.x1, side)]
    along = sums[1:] - sums[:-1]
    return np.asarray(along[:, 1:] > along[:, :-1])


def _borders(low: int, high: int, side: int) -> list[int]:
    """Where cells begin and end within blocks low to high, counted from the first of these."""
    return [0, *range(side - low % side, high - low, side), high - low]
