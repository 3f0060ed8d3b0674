"""The colours a mosaic shows: one held brightness and hue for each figure, and a pattern that makes cells visible."""

from __future__ import annotations

import math

import cv2
import numpy as np

from aipg_plugin.geometry.arrays import Float32, Int16, UInt8
from aipg_plugin.masking.cells import LUMA_STEP
from aipg_plugin.masking.region import MaskPart

HOLD_S = 4.0                    # no cell and no figure takes a new colour sooner than this
FADE_S = 1.0                    # a figure's new colour comes in over so long
SOFTENING = 2 / 3               # luma levels are shown so much nearer to one another: softer steps tell no more
CELL_SOFTENING = 1 / 3          # and cells to their figure's
# Directions of a figure's mean chroma that are told apart, in degrees from U to V: red, tan (skin, wood, yellow),
# green, turquoise, blue, violet.
HUES_DEG = (105.0, 150.0, 215.0, 275.0, 335.0, 40.0)
HUE_SHOWN = 16                  # how far from neutral grey a hue is shown, however strong it is
# Mean chroma up to which a hue is given up, and from which a figure gets one: enough that a head, about a sixth of the
# figure, hardly turns it (from 3 on, two heads of 60 more than by luck were named by whoever knew the body).
PALE, VIVID = 5.0, 7.0
HYSTERESIS = 0.2                # of a step: how far past the midpoint a mean must be to change a level
PATTERN = (-8, -4, 0, 4, 8)     # luma that cells differ by whatever is under them
CORE = 0.12                     # of the root of a mask's area: so far from its edge it is more figure than floor
HEAD_ROOM = 1.5                 # of a head's radius: so far around its middle nothing counts for the figure's colour
LEAST_BODY = 0.5                # of what is more than a head: so much must be left without it
GREY = 128.0


class FigureColour:
    """Held colour of one figure, or of an area: its mean luma in levels, and one of HUES_DEG or none."""

    def __init__(self) -> None:
        self.luma = GREY                      # the mean as it was taken
        self.taken_s = -np.inf
        self.held = (GREY, GREY, GREY)        # luma and chroma to be shown
        self._rounded = (round(GREY),) * 3
        self._level: int | None = None
        self._hue: int | None = None
        self._before = self.held
        self._changed_s = -np.inf

    @property
    def known(self) -> bool:
        """Whether it has ever been taken; before, it is grey."""
        return self._level is not None

    def due(self, t_s: float) -> bool:
        """Whether it may be taken anew at `t_s`."""
        return abs(t_s - self.taken_s) >= HOLD_S

    def put(self, mean_yuv: Float32, t_s: float) -> None:
        """Hold a mean (3,): its luma rounded to levels, its chroma to a hue."""
        before, known = self.shown(t_s), self.known
        self.luma, u, v = (mean_yuv - (0, 128, 128)).tolist()
        exact = self.luma / LUMA_STEP - 0.5
        if self._level is None or abs(exact - self._level) > 0.5 + HYSTERESIS:
            self._level = round(exact)
        self._hue = _hue(u, v, self._hue)
        turn, strength = (0.0, 0) if self._hue is None else (math.radians(HUES_DEG[self._hue]), HUE_SHOWN)
        held = (GREY + ((self._level + 0.5) * LUMA_STEP - GREY) * SOFTENING, GREY + strength * math.cos(turn),
                GREY + strength * math.sin(turn))
        if held != self.held or not known:
            self.held, self._before, self._changed_s = held, before if known else held, t_s
            self._rounded = round(held[0]), round(held[1]), round(held[2])
        self.taken_s = t_s

    def shown(self, t_s: float) -> tuple[int, int, int]:
        """Luma and chroma at `t_s`, before the pattern."""
        share = min(max((t_s - self._changed_s) / FADE_S, 0.0), 1.0)
        if share == 1.0:
            return self._rounded
        y, u, v = (round(old + (new - old) * share) for old, new in zip(self._before, self.held, strict=True))
        return y, u, v


def _hue(u: float, v: float, held: int | None) -> int | None:
    """The hue of a mean chroma (0 is grey), given the one that is held."""
    if math.hypot(u, v) < (PALE if held is not None else VIVID):
        return None
    away = [abs((math.degrees(math.atan2(v, u)) - hue + 180) % 360 - 180) for hue in HUES_DEG]
    nearest = away.index(min(away))
    return nearest if held is None or away[held] - away[nearest] > 2 * HYSTERESIS * 360 / len(HUES_DEG) else held


def pattern(shape: tuple[int, int]) -> Int16:
    """What cells (rows, columns) differ by in luma: always the same, neighbours in a row never alike."""
    steps = np.random.default_rng(7).integers(1, len(PATTERN), shape)
    return np.asarray(np.array(PATTERN)[steps.cumsum(axis=1) % len(PATTERN)], np.int16)


def core(bits: UInt8) -> UInt8:
    """The blocks (h, w) of a mask away from its edge; all of it where it is too narrow for that."""
    reach = round(CORE * math.sqrt(cv2.countNonZero(bits)))
    inner = cv2.erode(bits, np.ones((2 * reach + 1,) * 2, np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(inner, np.uint8) if inner.any() else bits


def body(bits: UInt8, part: MaskPart) -> UInt8:
    """The blocks (h, w) of a part without those of its figure's head: half of what is shown there may be the head's."""
    if part.head_px is None or not all(math.isfinite(value) for value in part.head_px):
        return bits
    x, y, radius = part.head_px
    rows, columns = np.ogrid[part.rect.y0:part.rect.y1, part.rect.x0:part.rect.x1]
    away = np.hypot(2.0 * columns + 1 - x, 2.0 * rows + 1 - y)
    return np.asarray(bits & (away > HEAD_ROOM * radius + 2), np.uint8)
