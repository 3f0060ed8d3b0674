"""Tiles cut from rendered fisheye scenes on disk (NNNNNN.jpg, .npz, .png, see training.render)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.tiles import Tile, sector, turned_size

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
Rng = np.random.Generator


@dataclass(frozen=True)
class Scene:
    """One rendered picture with its truth."""

    image: U8  # (H, W, 3) BGR
    instance: NDArray[np.uint16]  # (H, W) 0 background
    circle_px: NDArray[np.float64]  # cx, cy, R
    mount: str
    boxes: F32  # (M, 5) cx, cy, w, h, degrees clockwise
    heads: F32  # (M, 3) x, y, r, NaN when hidden
    visible: F32  # (M,) share
    ignore: NDArray[np.bool_]  # (M,)


def load_scene(stem: Path) -> Scene:
    image, instance = cv2.imread(str(stem) + ".jpg"), cv2.imread(str(stem) + ".png", cv2.IMREAD_UNCHANGED)
    if image is None or instance is None:
        raise FileNotFoundError(f"{stem}: .jpg or .png is missing or damaged")
    with np.load(str(stem) + ".npz") as z:
        boxes = z["boxes"].reshape(-1, 5).astype(np.float32)
        return Scene(
            np.asarray(image, np.uint8), np.asarray(instance, np.uint16), z["circle_px"].astype(float), str(z["mount"]),
            boxes, z["heads"].reshape(-1, 3).astype(np.float32), z["visible"].reshape(-1).astype(np.float32),
            z["ignore"].reshape(-1).astype(bool),
        )


class ScenePool:
    """A few decoded scenes at hand, slowly exchanged, so that decoding costs little per tile."""

    def __init__(self, folder: Path, rng: Rng, size: int = 48, reuse: float = 0.6) -> None:
        self.folder, self.rng, self.size, self.reuse = folder, rng, size, reuse
        self.pool: list[Scene] = []
        self.stems: list[Path] = []
        self.listed_at = -1e9

    def count(self) -> int:
        """Scenes on disk, looked up once a minute."""
        if time.monotonic() - self.listed_at > 60:
            # The .npz is written last, so a scene with one is complete.
            self.stems = sorted(p.with_suffix("") for p in self.folder.glob("*/*.npz"))
            self.listed_at = time.monotonic()
        return len(self.stems)

    def _take(self, rng: Rng) -> Scene:
        full = len(self.pool) >= min(self.size, len(self.stems))
        if full and rng.random() < self.reuse:
            return self.pool[rng.integers(len(self.pool))]
        for _ in range(20):
            try:
                scene = load_scene(self.stems[rng.integers(len(self.stems))])
            except (OSError, KeyError, ValueError):
                continue
            if full:
                self.pool[rng.integers(len(self.pool))] = scene
            else:
                self.pool.append(scene)
            return scene
        raise RuntimeError(f"{self.folder}: 20 scenes in a row can't be read")

    def cut(self, rng: Rng, size_px: int) -> tuple[U8, U8, U8, F32]:
        """Image, silhouette 0/1/2, ignore 0/1, people (P, 9) of one random tile."""
        scene = self._take(rng)
        tile = draw_tile(rng, scene)
        silhouette = (tile.cut((scene.instance > 0).astype(np.uint8), size_px, cv2.INTER_NEAREST) > 0).astype(np.uint8)
        image = tile.cut(scene.image, size_px)
        people, ignore = tile_people(scene, tile, size_px)
        if rng.random() < 0.5:
            image, silhouette, ignore = image[:, ::-1].copy(), silhouette[:, ::-1].copy(), ignore[:, ::-1].copy()
            people[:, [0, 4]] = size_px - people[:, [0, 4]]
        return image, silhouette, ignore, people


def draw_tile(rng: Rng, scene: Scene) -> Tile:
    """Mostly tiles as the detector cuts them, jittered; sometimes the patch straight below."""
    cx, cy, radius = scene.circle_px
    if scene.mount == "wall":
        return _wall_tile(rng, scene)
    near = np.hypot(*(scene.boxes[:, :2] - (cx, cy)).T) < 0.35 * radius
    if rng.random() < (0.3 if near.any() else 0.05):
        shift = rng.normal(0, 0.06, 2) * radius
        return Tile((cx + shift[0], cy + shift[1]), radius * rng.uniform(0.5, 1.0), rng.uniform(0, 360))
    side = float(rng.choice([1.0, 0.75, 0.6])) * rng.uniform(0.9, 1.15)
    azimuth = rng.uniform(0, 360)
    if len(scene.boxes) and rng.random() < 0.6:
        q = scene.boxes[rng.integers(len(scene.boxes))]
        azimuth = np.degrees(np.arctan2(q[1] - cy, q[0] - cx)) + rng.normal(0, 18)
    base = sector(scene.circle_px, float(azimuth), min(side, 1.2))
    shift = rng.normal(0, 0.04, 2) * radius
    centre = (base.centre_px[0] + shift[0], base.centre_px[1] + shift[1])
    return Tile(centre, base.side_px, base.angle_deg + rng.normal(0, 4))


def _wall_tile(rng: Rng, scene: Scene) -> Tile:
    cx, cy, radius = scene.circle_px
    side = radius * rng.uniform(0.55, 1.15)
    if len(scene.boxes) and rng.random() < 0.85:
        q = scene.boxes[rng.integers(len(scene.boxes))]
        shift = rng.uniform(-0.35, 0.35, 2) * side
        return Tile((float(q[0] + shift[0]), float(q[1] + shift[1])), side, float(q[4]) + rng.normal(0, 6))
    x, y = rng.uniform(-0.5, 0.5, 2) * radius
    lean = -np.degrees(np.arctan2(x * y, radius**2)) if radius else 0.0
    return Tile((cx + x, cy + y), side, float(lean))


def tile_people(scene: Scene, tile: Tile, size_px: int) -> tuple[F32, U8]:
    """(P, 9) rows in tile pixels and the map of ignored people."""
    m = tile.to_picture(size_px)
    inverse = np.linalg.inv(m[:, :2])
    scale = size_px / tile.side_px
    centre = (scene.boxes[:, :2] - m[:, 2]) @ inverse.T
    turn = (scene.boxes[:, 4] - tile.angle_deg + 180) % 360 - 180
    size = scene.boxes[:, 2:4] * scale
    # Leaning people keep their own width and height; past that, the box around them.
    size = np.where((abs(turn) < 40)[:, None], size, turned_size(size[:, 0], size[:, 1], turn))
    rows = np.ones((len(centre), 9), np.float32)
    rows[:, :2], rows[:, 2:4] = centre, size
    rows[:, 4:6] = (scene.heads[:, :2] - m[:, 2]) @ inverse.T
    rows[:, 6] = scene.heads[:, 2] * scale
    hidden = np.isnan(scene.heads[:, 0])
    rows[:, 7] = np.where(hidden, 0.0, 1.0)
    rows[:, 8] = np.clip(scene.visible * 2, 0, 1)  # 15 % in sight is enough to train on
    ignore = np.zeros((size_px, size_px), np.uint8)
    for q in rows[scene.ignore]:
        x0, y0 = np.clip(q[:2] - q[2:4] / 2, 0, size_px).astype(int)
        x1, y1 = np.clip(q[:2] + q[2:4] / 2, 0, size_px).astype(int)
        ignore[y0:y1, x0:x1] = 1
    return rows[~scene.ignore], ignore
