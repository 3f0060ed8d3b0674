"""What cameras do to a picture: light, colour, night, defocus, noise, compression."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]


def degrade(rng: np.random.Generator, image: U8) -> U8:
    """(S, S, 3) uint8 BGR in and out; each effect is drawn on its own."""
    image = tone(rng, image)
    if rng.random() < 0.2:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.5)), np.uint8)
    if rng.random() < 0.1:  # a far camera: fewer pixels than the tile has
        small = cv2.resize(image, None, fx=(f := rng.uniform(0.4, 0.8)), fy=f, interpolation=cv2.INTER_AREA)
        image = np.asarray(cv2.resize(small, image.shape[1::-1]), np.uint8)
    if rng.random() < 0.2:
        noise = np.empty(image.shape, np.int16)
        cv2.setRNGSeed(int(rng.integers(1 << 31)))
        cv2.randn(noise, np.zeros(3), np.full(3, rng.uniform(1, 10)))
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    coding = rng.random()
    if coding < 0.25:
        image = video(rng, image)
    elif coding < 0.4:
        coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 85))])[1]
        image = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    return image


def video(rng: np.random.Generator, image: U8) -> U8:
    """(S, S, 3) uint8 BGR in and out: the last of two or three H.264 frames in which the picture drifts to its place.

    The encoder runs on one thread, so the same seed gives the same picture.
    """
    h, w = image.shape[:2]
    whole = cv2.copyMakeBorder(image, 0, h % 2, 0, w % 2, cv2.BORDER_REPLICATE)  # 4:2:0 wants even sizes
    size_wh = (whole.shape[1], whole.shape[0])
    coder: Any = av.CodecContext.create("libx264", "w")
    coder.width, coder.height = size_wh
    coder.pix_fmt, coder.time_base, coder.thread_count = "yuv420p", Fraction(1, 25), 1
    coder.options = {"preset": str(rng.choice(["ultrafast", "superfast"])), "tune": "zerolatency",
                     "crf": str(int(rng.integers(26, 41)))}
    reader: Any = av.CodecContext.create("h264", "r")
    reader.thread_count = 1
    drift = rng.normal(0, 1.5, 2)
    packets = []
    for away in range(int(rng.integers(1, 3)), -1, -1):
        moved = cv2.warpAffine(whole, np.array([[1, 0, drift[0] * away], [0, 1, drift[1] * away]]), size_wh,
                               borderMode=cv2.BORDER_REPLICATE)
        planes = np.asarray(cv2.cvtColor(moved, cv2.COLOR_BGR2YUV_I420), np.uint8)
        packets += coder.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p"))
    frames = [frame for packet in (*packets, *coder.encode(None), None) for frame in reader.decode(packet)]
    return np.ascontiguousarray(cv2.cvtColor(frames[-1].to_ndarray(), cv2.COLOR_YUV2BGR_I420)[:h, :w], np.uint8)


def tone(rng: np.random.Generator, image: U8) -> U8:
    """Exposure, contrast, gamma and white balance as one look-up table; grey as at night."""
    if rng.random() < 0.15:
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        image = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)
        balance = np.ones(3)
    else:
        balance = rng.uniform(0.88, 1.12, 3) if rng.random() < 0.5 else np.ones(3)
    if rng.random() < 0.2:
        return np.asarray(image, np.uint8)
    x = np.arange(256)[:, None] / 255
    gain = rng.uniform(0.3, 0.7) if rng.random() < 0.12 else rng.uniform(0.7, 1.3)
    y = np.clip((x - 0.5) * rng.uniform(0.7, 1.25) + 0.5 + rng.uniform(-0.1, 0.1), 0, 1)
    y = np.clip(y ** rng.uniform(0.7, 1.5) * gain * balance, 0, 1) * 255
    return np.asarray(cv2.LUT(image, np.ascontiguousarray(y[None].astype(np.uint8))), np.uint8)
