"""Image degradations. Each takes and returns (H, W, 3) uint8; amounts for 1280 px."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

UInt8 = NDArray[np.uint8]
Spoil = Callable[[UInt8], UInt8]


def _bytes(picture: NDArray[np.generic]) -> UInt8:
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


def _noise(shape: tuple[int, ...], sigma: float) -> NDArray[np.float32]:
    rng = np.random.default_rng(11)
    return np.asarray(rng.standard_normal((*shape[:2], 1), np.float32) * sigma, np.float32)


def defocus(sigma_px: float) -> Spoil:
    """Out of focus."""
    return lambda p: _bytes(cv2.GaussianBlur(p, (0, 0), sigma_px * p.shape[1] / 1280))


def smear(length_px: int) -> Spoil:
    """A long exposure while the camera moves sideways."""
    kernel = np.full((1, length_px), 1 / length_px, np.float32)
    return lambda p: _bytes(cv2.filter2D(p, -1, kernel))


def expose(gain: float, lift: float = 0.0, noise: float = 2.0) -> Spoil:
    """Too much or too little light, clipped, with the sensor's noise."""
    return lambda p: _bytes(p.astype(np.float32) * gain + lift + _noise(p.shape, noise))


def flat(contrast: float, noise: float = 2.0) -> Spoil:
    """Haze: contrast shrinks around mid-grey."""
    return lambda p: _bytes(110 + (p.astype(np.float32) - 110) * contrast + _noise(p.shape, noise))


def infrared(level: float, noise: float) -> Spoil:
    """Night: no colour, the camera's own lamps fall off towards the rim, a noisy sensor."""
    def spoil(p: UInt8) -> UInt8:
        h, w = p.shape[:2]
        y, x = np.mgrid[:h, :w].astype(np.float32)
        lamp = np.exp(-((x - w / 2) ** 2 + (y - h / 2) ** 2) / 2 / (0.36 * min(h, w)) ** 2)[..., None]
        grey = p.astype(np.float32).mean(2, keepdims=True) * lamp * level
        return _bytes(np.repeat(grey + _noise(p.shape, noise), 3, axis=2))
    return spoil


def drops(count: int, radius_px: float, opaque: float) -> Spoil:
    """Water drops or dirt on the lens: discs that blur and veil what is behind them."""
    def spoil(p: UInt8) -> UInt8:
        h, w = p.shape[:2]
        rng, veil = np.random.default_rng(3), np.zeros((h, w), np.float32)
        for _ in range(count):
            angle, away = rng.uniform(0, 2 * np.pi), 0.48 * w * np.sqrt(rng.uniform(0, 1))
            at = (round(w / 2 + away * np.cos(angle)), round(h / 2 + away * np.sin(angle)))
            cv2.circle(veil, at, round(radius_px * rng.uniform(0.5, 1.4) * w / 1280), 1.0, cv2.FILLED)
        veil = np.asarray(cv2.GaussianBlur(veil, (0, 0), 5), np.float32)[..., None]
        behind = cv2.GaussianBlur(p, (0, 0), 22).astype(np.float32)
        behind += (120 - behind) * opaque
        return _bytes(p + (behind - p) * veil)
    return spoil


def covered() -> Spoil:
    """The lens covered."""
    return lambda p: _bytes(70 + _noise(p.shape, 3) + np.zeros(p.shape, np.float32))


def black() -> Spoil:
    """No light at all, a little noise."""
    return lambda p: _bytes(4 + _noise(p.shape, 2) + np.zeros(p.shape, np.float32))


def shifted(dx_px: float, dy_px: float) -> Spoil:
    """The camera has moved by so much."""
    matrix = np.array([[1.0, 0, dx_px], [0, 1.0, dy_px]])
    return lambda p: _bytes(cv2.warpAffine(p, matrix, (p.shape[1], p.shape[0]), borderMode=cv2.BORDER_REPLICATE))


# Line of the list -> (name of the case, spoil), mild before strong.
STILL: dict[str, tuple[tuple[str, Spoil], ...]] = {
    "out of focus": (("mild", defocus(2)), ("clear", defocus(4)), ("heavy", defocus(9))),
    "blurred": (("15 px", smear(15)), ("45 px", smear(45))),
    "over-exposed": (("x1.8", expose(1.8)), ("x4", expose(4.0, 40))),
    "under-exposed": (("x0.35", expose(0.35)), ("x0.12", expose(0.12)), ("black", black())),
    "low contrast": (("0.4", flat(0.4)), ("0.15", flat(0.15))),
    "night, infrared": (("usual", infrared(0.9, 6)), ("weak lamps", infrared(0.4, 9))),
    "dirty lens, drops": (("12 drops", drops(12, 60, 0.2)), ("40 patches", drops(40, 75, 0.8)), ("covered", covered())),
}
