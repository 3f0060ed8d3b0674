"""Picture checks: is this a picture in which people could be found at all?

The measures are taken on a small grey picture (about 320 px), inside the lens's circle.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.errors import DetectionError

UInt8 = NDArray[np.uint8]
Float32 = NDArray[np.float32]

GREY_PX = 320                 # longer side of the picture the measures are calibrated on
_DARK_P98 = 34                # the brightest 2 % are darker than this: nothing is lit
_BRIGHT_LEVEL, _BRIGHT_SHARE = 250, 0.5
_FLAT_EDGES = 1.3             # coarse edges, less what noise makes of them: a hand or a cloth before the lens
_FLAT_DEVIATION = 3.0         # the whole circle in one shade
_HAZE_RANGE, _HAZE_P2 = 42, 12  # grey levels from the darkest to the brightest 2 % (real rooms: from 170), no black
_SOFT_RATIO = 0.14
_SOFT_DROP = 0.5              # of the usual sharpness: autofocus has lost the scene
_EDGES_NEEDED = 6.0           # with fewer edges than this, sharpness cannot be told
_SMEAR_RATIO = 0.2            # sharpness along the softest direction (sharp rooms: from 0.29) …
_SMEAR_SHARE = 0.76           # … and over that along the sharpest one (sharp rooms: from 0.74; both count)
_SHAKE_SHARE = 0.012          # mean frame-to-frame shift, share of the picture's side
_SHAKE_FRAMES = 6
_SHAKE_MATCH = 0.7            # a person close to the camera moves much of the picture, but not the room's edges
_SCENE_MATCH = 0.35           # correlation with the usual edges below which the camera looks elsewhere
_SHIFT_AFTER_S = 1.5
_STEADY_AFTER_S = 2.0         # how long a scene is watched before it counts as the usual one
_REFERENCE_TAU_S = 60.0
_STUCK_CLOCK_S = 2.0


_SECOND_DIFFERENCES = tuple(np.array(rows, np.float32) for rows in (
    [[1, -2, 1]], [[1], [-2], [1]], [[1, 0, 0], [0, -2, 0], [0, 0, 1]], [[0, 0, 1], [0, -2, 0], [1, 0, 0]]))
_QUARTER_PX = 64
_WINDOW = np.asarray(cv2.createHanningWindow((_QUARTER_PX, _QUARTER_PX), cv2.CV_32F), np.float32)


class Trouble(StrEnum):
    """Why a picture cannot be trusted."""

    DARK = "too_dark"
    GLARE = "over_exposed"
    COVERED = "covered"
    DEFOCUS = "out_of_focus"
    SHAKE = "shaking"
    SHIFTED = "scene_shifted"
    FROZEN = "frozen"


@dataclass(frozen=True)
class Measures:
    """What was measured: grey levels 0–255, shares 0–1; `sharpness` is fine over coarse edges (sharp rooms: 0.4 to
    0.7), `shift_share` the mean recent frame-to-frame shift, `scene_match` the correlation with the usual edges.
    """

    p98: float = 0.0
    bright_share: float = 0.0
    deviation: float = 0.0
    edges: float = 0.0
    sharpness: float = 0.0
    shift_share: float = 0.0
    scene_match: float = 1.0


def to_grey(picture: NDArray[np.generic], longer_px: int = GREY_PX) -> UInt8:
    """(h, w) uint8 grey of a grey or BGR uint8 picture, its longer side at most `longer_px`.

    Raises DetectionError on other shapes or types.
    """
    if picture.dtype != np.uint8 or picture.size == 0 or picture.ndim not in (2, 3):
        raise DetectionError("picture check needs a uint8 grey or BGR picture, got {dtype} {shape}",
                             dtype=str(picture.dtype), shape=picture.shape)
    bytes_ = np.asarray(picture, np.uint8)
    factor = min(1.0, longer_px / max(bytes_.shape[:2]))
    if factor < 1:
        size = (max(1, round(bytes_.shape[1] * factor)), max(1, round(bytes_.shape[0] * factor)))
        bytes_ = np.asarray(cv2.resize(bytes_, size, interpolation=cv2.INTER_AREA), np.uint8)
    if bytes_.ndim == 3:
        grey = cv2.cvtColor(bytes_, cv2.COLOR_BGR2GRAY) if bytes_.shape[2] == 3 else bytes_[..., 0]
        return np.asarray(grey, np.uint8)
    return bytes_


def _part(grey: UInt8, divisor: int) -> tuple[int, int]:
    """A fraction of a picture's size (w, h), at least a pixel."""
    return max(1, grey.shape[1] // divisor), max(1, grey.shape[0] // divisor)


def _quarter(grey: UInt8) -> Float32:
    """A quarter of the size, unrounded: rounding would look like edges."""
    return np.asarray(cv2.resize(grey.astype(np.float32), _part(grey, 4), interpolation=cv2.INTER_AREA), np.float32)


def _common_shift_px(before: Float32, after: Float32) -> float:
    """Shift that at least three of a picture's four quarters made: people move in one or two, the camera in all."""
    lengths = []
    for y in (0, _QUARTER_PX):
        for x in (0, _QUARTER_PX):
            part = np.s_[y:y + _QUARTER_PX, x:x + _QUARTER_PX]
            (dx, dy), response = cv2.phaseCorrelate(before[part].copy(), after[part].copy(), _WINDOW)
            lengths.append(float(np.hypot(dx, dy)) if response > 0.1 else 0.0)
    return sorted(lengths)[1]


class PictureCheck:
    """Watches one stream. `valid` (h, w) bool, of any size, is where the lens shows something (None: everywhere)."""

    def __init__(self, valid: NDArray[np.bool_] | None = None, *, frozen_after_s: float = 20.0,
                 clear_after_s: float = 1.0) -> None:
        self._valid, self._frozen_after_s, self._clear_after_s = valid, frozen_after_s, clear_after_s
        self._mask: UInt8 | None = None
        self._inner: Float32 | None = None
        self._shape: tuple[int, ...] = ()
        self.measures = Measures()
        self.away = False     # the last picture does not show the usual scene …
        self.changed = False  # … for the first time
        self._trouble: Trouble | None = None
        self._trouble_s = -np.inf
        self.restart()

    def restart(self) -> None:
        """Forget the scene: after a change of source, size or settings."""
        self._previous: UInt8 | None = None
        self._small: Float32 | None = None
        self._usual: Float32 | None = None
        self._usual_sharpness: float | None = None
        self._shifts: list[float] = []
        self._steady_since_s: float | None = None
        self._away_since_s: float | None = None
        self._same_since_s: float | None = None
        self._clock: tuple[float, float] | None = None
        self._last_s: float | None = None

    def accept_scene(self) -> None:
        """Take what is seen now as the usual scene (the areas were drawn anew, or do not matter)."""
        self._usual, self._steady_since_s, self._away_since_s = None, None, None

    def check(self, picture: NDArray[np.generic], t_s: float, pts_s: float | None = None) -> Trouble | None:
        """The trouble with this picture, or None. A trouble stays for `clear_after_s` after the last bad picture.

        `t_s` is a steady clock, `pts_s` the picture's own time: when it stops, the source is frozen.
        """
        grey = to_grey(picture)
        self.changed = False
        if grey.shape != self._shape:
            self.restart()
            self._shape, self._mask = grey.shape, self._make_mask(grey.shape)
            half = cv2.resize(self._mask, _part(grey, 2), interpolation=cv2.INTER_NEAREST)
            self._inner = np.asarray(cv2.erode(half, np.ones((5, 5), np.uint8)) > 0, np.float32)
        found = self._frozen(grey, t_s, pts_s) or self._single_frame(grey) or self._moving(grey, t_s)
        self._previous, self._last_s = grey, t_s
        if found is not None:
            self._trouble, self._trouble_s = found, t_s
        elif self._trouble is not None and t_s - self._trouble_s >= self._clear_after_s:
            self._trouble = None
        return self._trouble

    def _make_mask(self, shape: tuple[int, ...]) -> UInt8:
        if self._valid is None:
            return np.full(shape, 255, np.uint8)
        small = cv2.resize(self._valid.astype(np.uint8) * 255, shape[::-1], interpolation=cv2.INTER_NEAREST)
        mask = np.asarray(cv2.erode(small, np.ones((7, 7), np.uint8)), np.uint8)
        return mask if mask.any() else np.full(shape, 255, np.uint8)

    def _frozen(self, grey: UInt8, t_s: float, pts_s: float | None) -> Trouble | None:
        if pts_s is not None:
            if self._clock is None or pts_s != self._clock[0]:
                self._clock = (pts_s, t_s)
            elif t_s - self._clock[1] > _STUCK_CLOCK_S:
                return Trouble.FROZEN
        same = self._previous is not None and np.array_equal(grey, self._previous)
        if not same or self._same_since_s is None:
            self._same_since_s = t_s
        return Trouble.FROZEN if same and t_s - self._same_since_s >= self._frozen_after_s else None

    def _single_frame(self, grey: UInt8) -> Trouble | None:
        """Troubles that one picture shows."""
        mask = self._mask
        histogram = cv2.calcHist([grey], [0], mask, [256], [0, 256]).ravel()
        share = np.cumsum(histogram) / max(1.0, float(histogram.sum()))
        p2, p98 = (float(np.searchsorted(share, part)) for part in (0.02, 0.98))
        bright = float(1 - share[_BRIGHT_LEVEL - 1])
        _, spread = cv2.meanStdDev(grey, mask=mask)
        fine, coarse = self._edge_energy(grey)
        sharpness = fine / max(coarse, 1e-6)
        self.measures = replace(self.measures, p98=p98, bright_share=bright, deviation=float(spread[0, 0]),
                                edges=coarse, sharpness=sharpness)
        if p98 < _DARK_P98:
            return Trouble.DARK
        if bright > _BRIGHT_SHARE:
            return Trouble.GLARE
        # Pure noise has coarse edges of a quarter to a third of its fine ones.
        if spread[0, 0] < _FLAT_DEVIATION or coarse ** 2 - (0.35 * fine) ** 2 < _FLAT_EDGES ** 2:
            return Trouble.COVERED
        if p98 - p2 < _HAZE_RANGE and p2 > _HAZE_P2:
            return Trouble.COVERED  # fog, or a film of grease
        return self._soft(sharpness, coarse) or self._smeared(grey, sharpness, coarse)

    def _edge_energy(self, grey: UInt8) -> tuple[float, float]:
        """Mean absolute Laplacian at full and at quarter size: the second survives blur, the first does not."""
        fine = cv2.Laplacian(grey, cv2.CV_16S, ksize=1)
        quarter = _quarter(grey)
        coarse = cv2.Laplacian(quarter, cv2.CV_32F, ksize=1)
        return (float(cv2.mean(cv2.convertScaleAbs(fine), mask=self._mask)[0]),
                float(cv2.mean(np.abs(coarse), mask=self._quarter_mask(quarter))[0]))

    def _quarter_mask(self, quarter: Float32) -> UInt8 | None:
        if self._mask is None:
            return None
        return np.asarray(cv2.resize(self._mask, quarter.shape[::-1], interpolation=cv2.INTER_NEAREST), np.uint8)

    def _smeared(self, grey: UInt8, sharpness: float, edges: float) -> Trouble | None:
        """The camera moved while it exposed: sharp along one direction, soft across it."""
        if edges < _EDGES_NEEDED or sharpness > 2 * _SMEAR_RATIO:
            return None
        quarter = _quarter(grey)
        small = self._quarter_mask(quarter)
        ratios = []
        for kernel in _SECOND_DIFFERENCES:
            fine = cv2.convertScaleAbs(cv2.filter2D(grey, cv2.CV_16S, kernel))
            coarse = np.abs(cv2.filter2D(quarter, cv2.CV_32F, kernel))
            ratios.append(cv2.mean(fine, mask=self._mask)[0] / max(cv2.mean(coarse, mask=small)[0], 1e-6))
        softest = min(ratios)
        return Trouble.SHAKE if softest < _SMEAR_RATIO and softest < _SMEAR_SHARE * max(ratios) else None

    def _soft(self, sharpness: float, edges: float) -> Trouble | None:
        if edges < _EDGES_NEEDED:
            return None
        usual = self._usual_sharpness
        if sharpness < _SOFT_RATIO or (usual is not None and sharpness < _SOFT_DROP * usual):
            return Trouble.DEFOCUS
        self._usual_sharpness = sharpness if usual is None else usual + 0.01 * (sharpness - usual)
        return None

    def _moving(self, grey: UInt8, t_s: float) -> Trouble | None:
        """Troubles that only several pictures show."""
        size = (2 * _QUARTER_PX, 2 * _QUARTER_PX)
        small = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.float32)
        if self._small is not None:
            self._shifts.append(_common_shift_px(self._small, small) / (2 * _QUARTER_PX))
            del self._shifts[:-_SHAKE_FRAMES]
        self._small = small
        shift = float(np.mean(self._shifts)) if len(self._shifts) == _SHAKE_FRAMES else 0.0
        match = self._scene_match(grey, t_s)
        self.measures = replace(self.measures, shift_share=shift, scene_match=match)
        if shift > _SHAKE_SHARE and match < _SHAKE_MATCH:
            return Trouble.SHAKE
        if match >= _SCENE_MATCH:
            self._away_since_s = None
            return None
        if self._away_since_s is None:
            self._away_since_s = t_s
        return Trouble.SHIFTED if t_s - self._away_since_s >= _SHIFT_AFTER_S else None

    def _scene_match(self, grey: UInt8, t_s: float) -> float:
        """Correlation of the picture's edges with the usual ones, which are learned while they match."""
        half = cv2.resize(grey, _part(grey, 2), interpolation=cv2.INTER_AREA)
        gx, gy = cv2.spatialGradient(half)
        # The square root tames a lamp's edges; the blur forgives a pixel of drift.
        strong = cv2.sqrt(cv2.add(cv2.convertScaleAbs(gx), cv2.convertScaleAbs(gy)).astype(np.float32))
        edges: Float32 = np.asarray(cv2.blur(strong, (3, 3)) - cv2.blur(strong, (21, 21)), np.float32)
        if self._inner is not None:
            edges = np.asarray(edges * self._inner, np.float32)
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
            gap = max(0.0, t_s - self._last_s) if self._last_s is not None else 0.0
            rate = np.float32(min(0.2, gap / (_REFERENCE_TAU_S if settled else _STEADY_AFTER_S)))
            self._usual = self._usual + rate * (edges - self._usual)
        return match
