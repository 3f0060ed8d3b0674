"""Heads for the attack benchmark: drawn ones, and crops from photographs where the shared data are present.

Every identity has any number of captures: the same head under other light, turned and placed a little differently,
with noise. A head is (SIDE, SIDE, 3) float32 YUV, 0–255.
"""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
SIDE = 32


def shared_photos() -> Path | None:
    """Folder of full-body photographs with person masks, or None."""
    root = Path(os.environ.get("AIPG_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    folder = root / "data" / "photos" / "clothing_coparsing"
    return folder if folder.is_dir() else None


def drawn_head(identity: int) -> NDArray[np.uint8]:
    """A face-like BGR picture, 128 px: skin, hair, eyes, brows, nose, mouth; perhaps glasses, beard, a cap."""
    rng = np.random.default_rng((7, identity))
    canvas = np.full((128, 128, 3), 110, np.uint8)
    skin = np.array([90, 130, 190]) * rng.uniform(0.35, 1.25) + rng.normal(0, 8, 3)
    hair = np.array([30, 40, 55]) * rng.uniform(0.2, 3.5) + rng.normal(0, 10, 3)
    face_w, face_h, eye_y, gap = rng.integers(34, 46), rng.integers(44, 56), rng.integers(54, 64), rng.integers(14, 20)
    hairline = int(rng.integers(-50, -5))

    def colour(bgr: NDArray[np.floating] | NDArray[np.int64]) -> tuple[float, ...]:
        return tuple(float(v) for v in np.clip(bgr, 0, 255))

    cv2.ellipse(canvas, (64, 58), (int(face_w + rng.integers(4, 14)), int(face_h + 6)), 0, 0, 360, colour(hair), -1)
    cv2.ellipse(canvas, (64, 68), (int(face_w), int(face_h)), 0, hairline, 180 - hairline, colour(skin), -1)
    for side in (-1, 1):
        x = int(64 + side * gap)
        cv2.ellipse(canvas, (x, int(eye_y)), (8, int(rng.integers(3, 6))), 0, 0, 360, (235, 235, 235), -1)
        cv2.circle(canvas, (x, int(eye_y)), 4, colour(rng.integers(10, 90, 3)), -1)
        brow_y = int(eye_y) - 10
        cv2.line(canvas, (x - 9, brow_y), (x + 9, brow_y), colour(hair * 0.8), int(rng.integers(2, 6)))
        if identity % 3 == 0:
            cv2.circle(canvas, (x, int(eye_y)), 13, (20, 20, 20), 3)
    cv2.line(canvas, (64, int(eye_y) + 4), (64, 80), colour(skin * 0.75), 4)
    if identity % 4 == 1:
        cv2.ellipse(canvas, (64, 98), (int(face_w * 0.7), 22), 0, 0, 180, colour(hair), -1)
    cv2.ellipse(canvas, (64, int(rng.integers(92, 100))), (int(rng.integers(9, 18)), 4), 0, 0, 360, (70, 70, 150), -1)
    if identity % 5 == 2:
        cap = colour(rng.integers(30, 120) + rng.normal(0, 20, 3))
        cv2.ellipse(canvas, (64, 40), (int(face_w + 6), 34), 0, 180, 360, cap, -1)
    return canvas


def photographed_heads(folder: Path, count: int) -> list[NDArray[np.uint8]]:
    """Head crops, 128 px BGR: the top of each person's silhouette, an eighth of its height plus room."""
    heads: list[NDArray[np.uint8]] = []
    for mask_file in sorted((folder / "masks").iterdir()):
        image = cv2.imread(str(next((folder / "images").glob(mask_file.stem + ".*"), "")))
        mask = cv2.imread(str(mask_file), cv2.IMREAD_GRAYSCALE)
        if image is None or mask is None or image.shape[:2] != mask.shape:
            continue
        rows, columns = np.nonzero(mask)
        if len(rows) == 0 or rows.max() - rows.min() < 0.6 * mask.shape[0]:
            continue
        side = int(1.25 * (rows.max() - rows.min()) / 7.5)
        centre = int(columns[rows < rows.min() + side // 2].mean())
        crop = image[max(rows.min() - side // 10, 0):, max(centre - side // 2, 0):][:side, :side]
        if side >= 24 and crop.shape[:2] == (side, side):
            heads.append(np.asarray(cv2.resize(crop, (128, 128), interpolation=cv2.INTER_AREA), np.uint8))
        if len(heads) == count:
            break
    return heads


def capture(head: NDArray[np.uint8], rng: np.random.Generator) -> F32:
    """One capture of a 128 px BGR head: turned, shifted, scaled, lit from a side, noisy; (SIDE, SIDE, 3) YUV."""
    turn = cv2.getRotationMatrix2D((64, 64), rng.normal(0, 4), rng.normal(1, 0.04))
    turn = turn + np.array([[0, 0, shift] for shift in rng.normal(0, 3, 2)])
    picture = cv2.warpAffine(head, turn, (128, 128), borderMode=cv2.BORDER_REPLICATE)
    small = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    slope_y, slope_x = rng.normal(0, 0.12, 2)
    y, x = np.mgrid[-1:1:SIDE * 1j, -1:1:SIDE * 1j]
    light = rng.normal(1, 0.12) * (1 + slope_y * y + slope_x * x)
    lit = small * light[..., None] * rng.normal(1, 0.03, 3) + rng.normal(0, 2, small.shape)
    return np.asarray(cv2.cvtColor(np.clip(lit, 0, 255).astype(np.uint8), cv2.COLOR_BGR2YUV), np.float32)


def people(kind: str, identities: int, others: int, seed: int = 0) -> tuple[F32, F32, F32] | None:
    """Probes and gallery (identities, SIDE, SIDE, 3): two captures each; and captures of `others` to learn from.

    `kind` is "drawn" or "photo"; None where there are no photographs.
    """
    total = identities + others
    if kind == "drawn":
        heads = [drawn_head(k) for k in range(total)]
    else:
        folder = shared_photos()
        heads = photographed_heads(folder, total) if folder else []
        if len(heads) < total:
            return None
    rng = np.random.default_rng(seed)
    probes, gallery = (np.stack([capture(h, rng) for h in heads[:identities]]) for _ in range(2))
    learned = np.stack([capture(h, rng) for h in heads[identities:]])
    return probes, gallery, learned
