"""What a camera does to a clean picture: bloom, colour, blur, noise, dirt, time stamp, grey at night."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.geometry.camera import FisheyeCamera

U8 = NDArray[np.uint8]
Rng = np.random.Generator


def develop(rng: Rng, clean: U8, camera: FisheyeCamera, infrared: bool) -> U8:
    """(H, W, 3) BGR picture as the camera would deliver it."""
    h, w = clean.shape[:2]
    img = clean.astype(np.float32)
    small = cv2.resize(np.maximum(img - 215, 0), (w // 8, h // 8), interpolation=cv2.INTER_AREA)
    img += cv2.resize(cv2.GaussianBlur(small, (0, 0), 6), (w, h)) * rng.uniform(0, 4)
    y, x = np.ogrid[:h, :w]
    c = camera.circle
    r2 = (((x - c.cx_px) ** 2 + (y - c.cy_px) ** 2) / c.radius_px ** 2).astype(np.float32)
    img *= (1 - rng.uniform(0, 0.35) * np.clip(r2, 0, 1) ** 2)[..., None]
    if infrared:
        img[:] = img.mean(2, keepdims=True)
    else:
        spread = 0.14 if rng.random() < 0.2 else 0.05
        warm, green = rng.normal(0, spread), rng.normal(0.2 * spread, 0.5 * spread)
        img *= np.array([1 - warm, 1 + green, 1 + warm], np.float32)
        if rng.random() < 0.15:
            img += (img.mean(2, keepdims=True) - img) * rng.uniform(0.2, 0.7)
    # Cameras expose by themselves: bring the circle's mean to a usual level.
    img *= np.clip(rng.uniform(55, 125) / max(float(img[r2 < 1].mean()), 5.0), 0.5, 4.0)
    img = 255 * (1 - np.exp(-1.25 * img / 255)) / (1 - np.exp(-1.25))
    gamma, lift = rng.uniform(0.75, 1.25), rng.uniform(0, 18)
    img = lift + (255 - lift) * np.clip(img / 255, 0, 1) ** gamma
    if rng.random() < 0.2:
        _dirt(rng, img)
    if rng.random() < 0.35 and not infrared:
        _fringe(rng, img, camera)
    blur = rng.uniform(0.0, 0.9) if rng.random() < 0.8 else rng.uniform(0.9, 1.8)
    if blur > 0.25:
        img = cv2.GaussianBlur(img, (0, 0), blur)
    if rng.random() < 0.35:
        img += (img - cv2.GaussianBlur(img, (0, 0), 1.5)) * rng.uniform(0.3, 1.2)
    outside = r2 > 1
    img[outside] = rng.uniform(0, 14)
    sigma = rng.uniform(0, 7) * (1.6 if infrared else 1)
    noise = rng.standard_normal((h, w), dtype=np.float32)
    img += (noise * sigma)[..., None]
    if not infrared:
        img += np.stack([np.roll(noise, k * 37, 1) for k in (1, 2, 3)], 2) * sigma * 0.5
    out = np.ascontiguousarray(np.clip(img, 0, 255).astype(np.uint8))
    if rng.random() < 0.35:
        _stamp(rng, out)
    return out


def _fringe(rng: Rng, img: NDArray[np.float32], camera: FisheyeCamera) -> None:
    """Lateral colour: blue and red a little larger or smaller than green."""
    h, w = img.shape[:2]
    c = camera.circle
    for channel, sign in ((0, 1), (2, -1)):
        k = 1 + sign * float(rng.uniform(-0.002, 0.004))
        matrix = np.array([[k, 0, c.cx_px * (1 - k)], [0, k, c.cy_px * (1 - k)]])
        img[..., channel] = cv2.warpAffine(np.ascontiguousarray(img[..., channel]), matrix, (w, h),
                                           borderMode=cv2.BORDER_REPLICATE)


def _dirt(rng: Rng, img: NDArray[np.float32]) -> None:
    h, w = img.shape[:2]
    layer = np.zeros((h // 4, w // 4), np.float32)
    for _ in range(int(rng.integers(1, 9))):
        cv2.circle(layer, (int(rng.integers(w // 4)), int(rng.integers(h // 4))), int(rng.integers(2, 14)),
                   float(rng.uniform(0.1, 0.45)), -1)
    share = cv2.resize(cv2.GaussianBlur(layer, (0, 0), 4), (w, h))[..., None]
    img += (rng.uniform(60, 200) - img) * share


def _stamp(rng: Rng, img: U8) -> None:
    h, w = img.shape[:2]
    text = (f"20{rng.integers(10, 30):02d}-{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d} "
            f"{rng.integers(24):02d}:{rng.integers(60):02d}:{rng.integers(60):02d}")
    scale = float(rng.uniform(0.5, 1.0))
    at = (int(rng.choice([12, w * 0.66])), int(rng.choice([30, h - 16])))
    cv2.putText(img, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 4, cv2.LINE_AA)
    cv2.putText(img, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 2, cv2.LINE_AA)
