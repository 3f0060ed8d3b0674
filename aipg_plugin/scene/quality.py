"""Checks of a single picture: could people be found in it at all?

Everything is measured on a small grey picture (`GREY_PX`), inside the lens's circle. The limits were set on 68 real
ceiling-fisheye pictures, night and plain rooms among them, none of which may fail, and on spoilt copies of them
(tests/scene/test_quality.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.errors import DetectionError
from aipg_plugin.geometry.arrays import Float32, UInt8

GREY_PX = 320                 # longer side of the picture the limits were set on
_DARK_P98 = 34                # grey level: the brightest 2 % are darker than this
_BRIGHT_LEVEL, _BRIGHT_SHARE = 250, 0.5
_FLAT_EDGES = 1.3             # edges at quarter size, less what noise makes of them: a hand or a cloth over the lens
_NOISE_EDGES = 0.35           # pure noise has a quarter to a third of its fine edges at quarter size
_FLAT_DEVIATION = 3.0         # grey levels: the whole circle in one shade
_HAZE_RANGE, _HAZE_P2 = 42, 12  # grey levels from the darkest to the brightest 2 % (real rooms: from 170), no black
_SOFT_RATIO = 0.14            # sharpness (sharp rooms: 0.4 to 0.7)
EDGES_NEEDED = 6.0            # with fewer edges than this, sharpness cannot be measured
_SMEAR_RATIO = 0.2            # sharpness along the softest direction (sharp rooms: from 0.29) …
_SMEAR_SHARE = 0.76           # … and over that along the sharpest one (sharp rooms: from 0.74; both count)

_SECOND_DIFFERENCES = tuple(np.array(rows, np.float32) for rows in (
    [[1, -2, 1]], [[1], [-2], [1]], [[1, 0, 0], [0, -2, 0], [0, 0, 1]], [[0, 0, 1], [0, -2, 0], [1, 0, 0]]))


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
    """What was measured of one picture: grey levels 0–255, shares 0–1.

    `fine` and `coarse` are the mean absolute Laplacian at full and at quarter size; `sharpness` is their ratio.
    """

    p2: float
    p98: float
    bright_share: float
    deviation: float
    fine: float
    coarse: float

    @property
    def sharpness(self) -> float:
        """Fine over coarse edges: blur takes the first and leaves the second."""
        return self.fine / max(self.coarse, 1e-6)


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


def part_size(grey: UInt8, divisor: int) -> tuple[int, int]:
    """A fraction of a picture's size (w, h), at least a pixel."""
    return max(1, grey.shape[1] // divisor), max(1, grey.shape[0] // divisor)


def _quarter(grey: UInt8) -> Float32:
    """A quarter of the size, unrounded: rounding would look like edges."""
    return np.asarray(cv2.resize(grey.astype(np.float32), part_size(grey, 4), interpolation=cv2.INTER_AREA), np.float32)


def _quarter_mask(mask: UInt8, quarter: Float32) -> UInt8:
    return np.asarray(cv2.resize(mask, quarter.shape[::-1], interpolation=cv2.INTER_NEAREST), np.uint8)


def measure(grey: UInt8, mask: UInt8) -> Measures:
    """Measure a grey picture (h, w) where `mask` (h, w) uint8 is set."""
    histogram = cv2.calcHist([grey], [0], mask, [256], [0, 256]).ravel()
    share = np.cumsum(histogram) / max(1.0, float(histogram.sum()))
    p2, p98 = (float(np.searchsorted(share, part)) for part in (0.02, 0.98))
    _, spread = cv2.meanStdDev(grey, mask=mask)
    quarter = _quarter(grey)
    fine = cv2.Laplacian(grey, cv2.CV_16S, ksize=1)
    coarse = cv2.Laplacian(quarter, cv2.CV_32F, ksize=1)
    return Measures(p2, p98, bright_share=float(1 - share[_BRIGHT_LEVEL - 1]), deviation=float(spread[0, 0]),
                    fine=float(cv2.mean(cv2.convertScaleAbs(fine), mask=mask)[0]),
                    coarse=float(cv2.mean(np.abs(coarse), mask=_quarter_mask(mask, quarter))[0]))


def frame_trouble(grey: UInt8, mask: UInt8, measured: Measures) -> Trouble | None:
    """The trouble that one picture shows by itself, None if there is none."""
    if measured.p98 < _DARK_P98:
        return Trouble.DARK
    if measured.bright_share > _BRIGHT_SHARE:
        return Trouble.GLARE
    if _covered(measured):
        return Trouble.COVERED
    if measured.coarse < EDGES_NEEDED:
        return None
    if measured.sharpness < _SOFT_RATIO:
        return Trouble.DEFOCUS
    return Trouble.SHAKE if _smeared(grey, mask, measured) else None


def _covered(measured: Measures) -> bool:
    """Something lies over the lens, or fog or a film of grease takes all contrast."""
    edges = measured.coarse ** 2 - (_NOISE_EDGES * measured.fine) ** 2
    flat = measured.deviation < _FLAT_DEVIATION or edges < _FLAT_EDGES ** 2
    return flat or (measured.p98 - measured.p2 < _HAZE_RANGE and measured.p2 > _HAZE_P2)


def _smeared(grey: UInt8, mask: UInt8, measured: Measures) -> bool:
    """The camera moved while it exposed: sharp along one direction, soft across it."""
    if measured.sharpness > 2 * _SMEAR_RATIO:
        return False
    quarter = _quarter(grey)
    small = _quarter_mask(mask, quarter)
    ratios = []
    for kernel in _SECOND_DIFFERENCES:
        fine = cv2.convertScaleAbs(cv2.filter2D(grey, cv2.CV_16S, kernel))
        coarse = np.abs(cv2.filter2D(quarter, cv2.CV_32F, kernel))
        ratios.append(cv2.mean(fine, mask=mask)[0] / max(cv2.mean(coarse, mask=small)[0], 1e-6))
    softest = min(ratios)
    return softest < _SMEAR_RATIO and softest < _SMEAR_SHARE * max(ratios)
