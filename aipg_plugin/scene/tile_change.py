"""Which places of a fixed camera's picture have changed, however little, since they were looked at last.

Where nothing has changed, looking again tells nothing new. So the measure must see less than the detector does: half a
grey level over a patch the size of a head, and movement however slow; but neither sensor noise nor compression.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.geometry.arrays import Bools, Float32, Float64, UInt8
from aipg_plugin.scene.change import large
from aipg_plugin.scene.grid import box_cells, drawn

_CELL_PX = 2             # of the small picture: a cell is some 6 px of a 960 px picture …
_WINDOW = 3              # … and this many cells, a head, are compared as one
_SMOOTHING = 0.5         # share of the newest picture in what is compared
_STEP_LEVEL = 4.0        # grey levels: a larger step is no noise
_LEAST_LEVEL = 0.5       # grey levels: less is never a change
_MOST_LEVEL = 3.0        # more always is, however noisy the place has been
_NOISE_FACTOR = 5.0      # standard deviations of a place's own noise: ten thousand places are compared at each look
_FIRST_NOISE = 0.1       # grey levels, until it is known
_LEARN_S = 20.0          # time constant of the noise
_REFERENCE_LOOKS = 8     # looks that a reference is the mean of
_GAIN_OFFSET = 8.0       # grey levels added before exposure is divided out, so that black does not decide
_GAIN_EVERY = 7          # of the cells: their median is as good
_GAIN_RANGE = (0.7, 1.4)  # a larger step of exposure is a change of everything
_PERSON_CELLS = 16       # cells: what somebody at the rim changes (53 × 113 px of a 1280 px picture: 60)
_REACH = 1.15            # a place is a box this many times as large

NO_CHANGE: Bools = np.zeros((1, 1), bool)


class TileChange:
    """Tells when each place of the picture changed last. `valid` (H, W) bool is where the lens shows something.

    Every place is compared with a reference: the mean of the first looks after its last change, so that what changes
    slowly adds up. Its noise is learned from what stays below twice the limit that the noise sets.
    """

    def __init__(self, valid: NDArray[np.bool_], small_wh: tuple[int, int]) -> None:
        self._picture_wh = (valid.shape[1], valid.shape[0])
        self._wh = (math.ceil(small_wh[0] / _CELL_PX), math.ceil(small_wh[1] / _CELL_PX))
        seen = cv2.resize(valid.astype(np.float32), self._wh, interpolation=cv2.INTER_AREA)
        self._valid: Bools = np.asarray(seen > 0, bool)
        self._some = np.flatnonzero(self._valid)[::_GAIN_EVERY]
        self.restart()

    def restart(self) -> None:
        """Forget everything: the next picture is new everywhere."""
        self._reference: Float32 | None = None
        self._last_s = -math.inf
        self._count = 0
        self._smooth: Float32 = np.zeros(self._wh[::-1], np.float32)

    def update(self, grey: UInt8, t_s: float) -> Bools:
        """(h, w) bool: where a small grey picture (H, W) differs from those before; all of the first one."""
        cells = cv2.resize(grey.astype(np.float32), self._wh, interpolation=cv2.INTER_AREA)
        now = np.asarray(cv2.blur(cells, (_WINDOW, _WINDOW)), np.float32) + np.float32(_GAIN_OFFSET)
        if self._reference is None:
            return self._begin(now, t_s)
        elapsed_s = max(0.0, t_s - self._last_s)
        self._last_s, self._count = t_s, self._count + 1
        self._follow(now)
        gain = float(np.median(self._smooth.take(self._some) / self._reference.take(self._some)))
        if not _GAIN_RANGE[0] <= gain <= _GAIN_RANGE[1]:
            return self._begin(now, t_s)
        step = self._smooth / np.float32(gain) - self._reference
        size = np.abs(step)
        limit = np.clip(_NOISE_FACTOR * np.sqrt(self._noise), _LEAST_LEVEL, _MOST_LEVEL)
        changed = (size > limit) & self._valid
        self._learn(step, np.asarray(size < 2 * limit, bool), elapsed_s)
        self._settle(step, changed)
        self.changed_s[changed] = t_s
        return np.asarray(changed, bool)

    def unchanged(self, boxes: NDArray[np.floating], since_s: NDArray[np.floating]) -> Bools:
        """(N,) bool: the places of boxes (N, 5) in the picture's pixels that have not changed since moments (N,)."""
        if self._reference is None or not len(boxes):
            return np.zeros(len(boxes), bool)
        return np.array([self._latest(np.asarray(box, np.float64)) <= since
                         for box, since in zip(boxes, since_s.tolist(), strict=True)], bool)

    def near(self, polygons_px: Sequence[NDArray[np.floating]], reach_px: Sequence[float]) -> Bools:
        """(h, w) bool: within polygons (K, 2) in the picture's pixels, or as near to them as each one's reach."""
        scale = float((np.array(self._wh) / self._picture_wh).mean())
        rims = [max(1, round(2 * reach * scale)) for reach in reach_px]
        return np.asarray(drawn(polygons_px, self._wh[::-1], self._picture_wh, rims) > 0, bool)

    def at(self, mask: Bools, px: Float64) -> Bools:
        """(K,) bool: the mask (h, w) at points (K, 2) of the picture."""
        cell = np.clip(px / self._picture_wh * self._wh, 0, np.array(self._wh) - 1).astype(np.intp)
        return np.asarray(mask[cell[:, 1], cell[:, 0]], bool)

    def large(self, changed: Bools) -> Bools:
        """(h, w) bool: the connected places of `update`'s result that are as large as somebody far away."""
        return large(changed, _PERSON_CELLS)

    def cells(self, changed: Bools, grid_wh: tuple[int, int]) -> Bools:
        """(h, w) bool: `update`'s result on a coarser grid."""
        share = cv2.resize(changed.astype(np.float32), grid_wh, interpolation=cv2.INTER_AREA)
        return np.asarray(share > 0, bool)

    def _begin(self, now: Float32, t_s: float) -> Bools:
        self._last_s, self._count = t_s, 1
        self._smooth, self._reference = now, now.copy()
        self._looks: Float32 = np.ones(now.shape, np.float32)
        self._noise: Float32 = np.full(now.shape, _FIRST_NOISE ** 2, np.float32)
        self.changed_s: Float64 = np.where(self._valid, t_s, -np.inf)
        return self._valid.copy()

    def _follow(self, now: Float32) -> None:
        """Smooth over time, but not over a step that is no noise: what stands still after it is still at once."""
        step = now - self._smooth
        faster = (np.abs(step) > _STEP_LEVEL) * np.float32(1 - _SMOOTHING)
        self._smooth += step * (faster + np.float32(_SMOOTHING))

    def _learn(self, step: Float32, usual: Bools, elapsed_s: float) -> None:
        """Follow the variance of each place, quickly at first."""
        rate = np.float32(min(1.0, max(elapsed_s / _LEARN_S, 1 / self._count)))
        self._noise += usual * (rate * (step * step - self._noise))

    def _settle(self, step: Float32, changed: Bools) -> None:
        """Take the reference anew where something changed, and improve it where that is not long ago."""
        assert self._reference is not None
        self._looks = np.minimum(self._looks + 1, np.float32(_REFERENCE_LOOKS + 1))
        self._looks[changed] = 1
        young = self._looks <= _REFERENCE_LOOKS
        self._reference += young * (step / self._looks)

    def _latest(self, box: Float64) -> float:
        """When something changed last within a box."""
        part, inside = box_cells(box * (1, 1, _REACH, _REACH, 1), self._wh[::-1], self._picture_wh)
        inside &= self._valid[part]
        return float(self.changed_s[part][inside].max()) if inside.any() else math.inf
