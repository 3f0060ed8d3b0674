"""Monitors: troubles that only a sequence of pictures shows, each watching one of them over time."""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np

from aipg_plugin.geometry.arrays import Float32, UInt8
from aipg_plugin.scene.quality import EDGES_NEEDED, Measures, part_size

_SOFT_DROP = 0.5          # of the usual sharpness: the autofocus has lost the scene
_SHARPNESS_RATE = 0.01    # per picture, at which the usual sharpness follows
_SHAKE_SHARE = 0.012      # mean frame-to-frame shift, share of the picture's side
_SHAKE_FRAMES = 6         # that the shift is averaged over
_SCENE_MATCH = 0.35       # correlation with the usual edges below which the camera looks elsewhere
_SHIFT_AFTER_S = 1.5      # how long the scene must have failed to match
_STEADY_AFTER_S = 2.0     # how long a scene is watched before it counts as the usual one
_REFERENCE_TAU_S = 60.0   # how slowly a settled reference follows
_STUCK_CLOCK_S = 2.0      # the source's time stands still for longer than this: frozen
_QUARTER_PX = 64          # side of the quarters whose shifts are measured
_CORRELATED = 0.1         # phase correlation response below which a shift is not measurable
_WINDOW = np.asarray(cv2.createHanningWindow((_QUARTER_PX, _QUARTER_PX), cv2.CV_32F), np.float32)


class FrozenMonitor:
    """Whether the source repeats one picture, or its time stands still."""

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self._previous: UInt8 | None = None
        self._same_since_s: float | None = None
        self._clock: tuple[float, float] | None = None

    def frozen(self, grey: UInt8, t_s: float, pts_s: float | None) -> bool:
        """Take in a picture of time `t_s` (steady clock) and `pts_s` (the source's own, None if it has none)."""
        stuck = False
        if pts_s is not None:
            if self._clock is None or pts_s != self._clock[0]:
                self._clock = (pts_s, t_s)
            stuck = t_s - self._clock[1] > _STUCK_CLOCK_S
        same = self._previous is not None and np.array_equal(grey, self._previous)
        self._previous = grey
        if not same or self._same_since_s is None:
            self._same_since_s = t_s
        return stuck or (same and t_s - self._same_since_s >= self._after_s)


class FocusMonitor:
    """Whether the picture has lost much of its usual sharpness."""

    def __init__(self) -> None:
        self._usual: float | None = None

    def lost(self, measured: Measures) -> bool:
        """Take in a picture's measures."""
        if measured.coarse < EDGES_NEEDED:
            return False
        if self._usual is not None and measured.sharpness < _SOFT_DROP * self._usual:
            return True
        usual = measured.sharpness if self._usual is None else self._usual
        self._usual = usual + _SHARPNESS_RATE * (measured.sharpness - usual)
        return False


class ShakeMonitor:
    """Whether the whole picture keeps shifting from one to the next."""

    def __init__(self) -> None:
        self._previous: Float32 | None = None
        self._shifts: deque[float] = deque(maxlen=_SHAKE_FRAMES)

    def shaking(self, grey: UInt8) -> bool:
        """Take in a picture."""
        size = (2 * _QUARTER_PX, 2 * _QUARTER_PX)
        small = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.float32)
        if self._previous is not None:
            self._shifts.append(_common_shift_px(self._previous, small) / (2 * _QUARTER_PX))
        self._previous = small
        return len(self._shifts) == _SHAKE_FRAMES and float(np.mean(self._shifts)) > _SHAKE_SHARE


class SceneMonitor:
    """Whether the camera still sees its usual scene, by the edges of the picture, learned while they match.

    `match` is the correlation of the last picture's edges with the usual ones; `away` that it does not show the usual
    scene, `changed` that it is the first such picture. `mask` (h, w) uint8 is where the lens shows something.
    """

    def __init__(self, mask: UInt8) -> None:
        half = cv2.resize(mask, part_size(mask, 2), interpolation=cv2.INTER_NEAREST)
        self._inner = np.asarray(cv2.erode(half, np.ones((5, 5), np.uint8)) > 0, np.float32)
        self._last_s: float | None = None
        self.match, self.away, self.changed = 1.0, False, False
        self.accept()

    def accept(self) -> None:
        """Take what is seen next as the usual scene."""
        self._usual: Float32 | None = None
        self._steady_since_s: float | None = None
        self._away_since_s: float | None = None

    def shifted(self, grey: UInt8, t_s: float) -> bool:
        """Take in a picture; true once another scene than the usual one has been seen for a while."""
        self.match = self._compare(grey, t_s)
        self._last_s = t_s
        if self.match >= _SCENE_MATCH:
            self._away_since_s = None
            return False
        if self._away_since_s is None:
            self._away_since_s = t_s
        return t_s - self._away_since_s >= _SHIFT_AFTER_S

    def _compare(self, grey: UInt8, t_s: float) -> float:
        edges = self._edges(grey)
        self.changed = False
        if self._usual is None:
            self._usual, self._steady_since_s = edges, t_s
            return 1.0
        norm = float(np.linalg.norm(edges) * np.linalg.norm(self._usual))
        match = float(np.vdot(edges, self._usual)) / norm if norm > 1e-6 else 1.0
        self.changed, self.away = match < _SCENE_MATCH and not self.away, match < _SCENE_MATCH
        settled = self._steady_since_s is not None and t_s - self._steady_since_s >= _STEADY_AFTER_S
        if not settled and match < _SCENE_MATCH:
            self._usual, self._steady_since_s = edges, t_s
            return 1.0
        if match >= _SCENE_MATCH:
            gap_s = max(0.0, t_s - self._last_s) if self._last_s is not None else 0.0
            rate = np.float32(min(0.2, gap_s / (_REFERENCE_TAU_S if settled else _STEADY_AFTER_S)))
            self._usual = self._usual + rate * (edges - self._usual)
        return match

    def _edges(self, grey: UInt8) -> Float32:
        half = cv2.resize(grey, part_size(grey, 2), interpolation=cv2.INTER_AREA)
        gx, gy = cv2.spatialGradient(half)
        # The square root tames a lamp's edges; the blur forgives a pixel of drift.
        strong = cv2.sqrt(cv2.add(cv2.convertScaleAbs(gx), cv2.convertScaleAbs(gy)).astype(np.float32))
        return np.asarray((cv2.blur(strong, (3, 3)) - cv2.blur(strong, (21, 21))) * self._inner, np.float32)


def _common_shift_px(before: Float32, after: Float32) -> float:
    """Shift that at least three of a picture's four quarters made: people move in one or two, the camera in all."""
    lengths = []
    for y in (0, _QUARTER_PX):
        for x in (0, _QUARTER_PX):
            part = np.s_[y:y + _QUARTER_PX, x:x + _QUARTER_PX]
            (dx, dy), response = cv2.phaseCorrelate(before[part].copy(), after[part].copy(), _WINDOW)
            lengths.append(float(np.hypot(dx, dy)) if response > _CORRELATED else 0.0)
    return sorted(lengths)[1]
