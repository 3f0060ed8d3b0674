"""Mosaic cells: which sizes there are, and which one a figure gets.

Cells come in a few fixed sizes and are anchored to the picture's top left corner, so a grid neither slides with
a walking figure nor shrinks by a pixel as it walks away: both would give a new view of the same texture.
"""

from __future__ import annotations

import math

from aipg_plugin.options import BlurIntensity

# Even, so that a cell is a whole number of chroma samples.
LADDER_PX = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384)

# A head is then about 2, 1.2 and 0.7 cells; `benchmarks.attack` measures what can be told at each.
CELLS_PER_METRE = {BlurIntensity.LOW: 8.0, BlurIntensity.MIDDLE: 5.0, BlurIntensity.HIGH: 3.0}

LUMA_STEP = 48             # of 256, to which luma is rounded; with 24 a head was named from Low's small cells
# How much of a cell's luma is its own rather than the figure's: none at High, where a figure has one brightness.
CELL_SHARE = {BlurIntensity.LOW: 0.5, BlurIntensity.MIDDLE: 0.5, BlurIntensity.HIGH: 0.0}
LEAST_FIGURE_M2 = 0.25     # a body from straight above; a head is 0.05
SHRINK_AFTER_S = 3.0       # longer than people waver between two sizes while they walk past
FULL_MOSAIC_CELLS = 24     # to the picture's longer side


def snap_up(cell_px: float) -> int:
    """The smallest size on the ladder of at least `cell_px`; the largest one for a size that is not finite."""
    if not math.isfinite(cell_px):
        return LADDER_PX[-1]
    return next((size for size in LADDER_PX if size >= cell_px), LADDER_PX[-1])


def cell_px_for(intensity: BlurIntensity, pixels_per_metre: float) -> int:
    """Cell size in px of a figure that is `pixels_per_metre` large where it stands: 8, 5 or 3 cells a metre."""
    return snap_up(pixels_per_metre / CELLS_PER_METRE[intensity])


def default_cell_px(size_wh: tuple[int, int]) -> int:
    """Cell size in px of what is no figure (areas, circumference): a 24th of the picture's longer side, at least 8."""
    return max(LADDER_PX[0], max(size_wh) // FULL_MOSAIC_CELLS)


def full_mosaic_cell_px(size_wh: tuple[int, int], default_cell_px: float) -> int:
    """Cell size in px when the whole picture is masked: a 24th of its longer side, or the default if that is more."""
    return max(snap_up(default_cell_px), snap_up(max(size_wh) / FULL_MOSAIC_CELLS))


class SteadyCells:
    """Keeps a track's cell size from wavering: it grows at once and shrinks only after SHRINK_AFTER_S."""

    def __init__(self) -> None:
        self._held: dict[int, tuple[int, float]] = {}

    def update(self, wanted: dict[int, int], t_s: float) -> dict[int, int]:
        """Cell sizes to use now, for the sizes wanted now, both by track id; tracks not named are forgotten."""
        held: dict[int, tuple[int, float]] = {}
        for key, cell_px in wanted.items():
            old_px, since_s = self._held.get(key, (0, t_s))
            shrink = cell_px < old_px and abs(t_s - since_s) < SHRINK_AFTER_S
            held[key] = (old_px, since_s) if shrink else (cell_px, t_s)
        self._held = held
        return {key: cell_px for key, (cell_px, _) in held.items()}
