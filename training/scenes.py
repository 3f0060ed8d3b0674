"""Crops of rendered fisheye scenes on disk (NNNNNN.jpg, .npz, .png, see rendering).

Upright tiles as the detector makes them, at any place and scale, and patches straight below the camera.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.detection.flat import FlatTile
from aipg_plugin.detection.upright import UprightTile, bearings, northing
from aipg_plugin.geometry.camera import FisheyeCamera, ImageCircle
from aipg_plugin.geometry.lens import LensLaw
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.options import LensModelName, MountKind
from training.canvas import log_uniform

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Rng = np.random.Generator


SAMPLES = 64  # pixels of a person kept to tell which share of it a tile shows
DENSITY_PX = (150.0, 560.0)  # tile pixels per radian at the horizon: full sweeps have 180-560
LOWEST_DEG, HIGHEST_DEG = -75.0, 12.0


@dataclass(frozen=True)
class StoredScene:
    """One rendered picture with its truth."""

    image: U8  # (H, W, 3) BGR
    instance: U8  # (H, W) 0 background
    camera: FisheyeCamera
    mount: Mount
    ids: NDArray[np.intp]  # (M,) values in `instance`
    boxes: F32  # (M, 5) cx, cy, w, h, degrees clockwise
    heads: F32  # (M, 3) x, y, r, NaN when hidden
    visible: F32  # (M,) share
    ignore: NDArray[np.bool_]  # (M,)
    pixels: F32  # (M, SAMPLES, 2) some of each person's pixels


def load_scene(stem: Path) -> StoredScene:
    """Read a scene; raises FileNotFoundError, KeyError or ValueError if it is missing or damaged."""
    image, instance = cv2.imread(str(stem) + ".jpg"), cv2.imread(str(stem) + ".png", cv2.IMREAD_UNCHANGED)
    if image is None or instance is None:
        raise FileNotFoundError(f"{stem}: .jpg or .png is missing or damaged")
    with np.load(str(stem) + ".npz") as z:
        law = LensLaw(LensModelName(str(z["lens"])), float(z["fov_deg"]), tuple(float(c) for c in z["coefficients"]))
        cx, cy, radius = (float(v) for v in z["circle_px"])
        ids = z["ids"].reshape(-1).astype(np.intp)
        return StoredScene(
            np.asarray(image, np.uint8), np.asarray(instance, np.uint8),
            FisheyeCamera(law, ImageCircle(cx, cy, radius), (image.shape[1], image.shape[0])),
            Mount(MountKind(str(z["mount"])), float(z["height_m"])), ids,
            z["boxes"].reshape(-1, 5).astype(np.float32), z["heads"].reshape(-1, 3).astype(np.float32),
            z["visible"].reshape(-1).astype(np.float32), z["ignore"].reshape(-1).astype(bool),
            _some_pixels(np.asarray(instance, np.uint8), ids),
        )


def _some_pixels(instance: U8, ids: NDArray[np.intp]) -> F32:
    ys, xs = np.nonzero(instance)
    values = instance[ys, xs]
    picked = np.zeros((len(ids), SAMPLES, 2), np.float32)
    for row, person in zip(picked, ids, strict=True):
        own = np.flatnonzero(values == person)
        if len(own):
            at = own[np.linspace(0, len(own) - 1, SAMPLES).astype(np.intp)]
            row[:] = np.stack([xs[at], ys[at]], 1) + 0.5
    return picked


class ScenePool:
    """A few decoded scenes at hand, slowly exchanged, so that decoding costs little per tile.

    A set (folder) is drawn by the square root of its number of scenes: rare kinds of rooms are shown more often.
    """

    def __init__(self, folder: Path, rng: Rng, size: int = 48, reuse: float = 0.6) -> None:
        self.folder, self.rng, self.size, self.reuse = folder, rng, size, reuse
        self.pool: list[StoredScene] = []
        self.stems: list[Path] = []
        self.sets: list[list[Path]] = []
        self.shares: F64 = np.zeros(0)
        self.listed_at = -1e9

    def count(self) -> int:
        """Scenes on disk, looked up once a minute."""
        if time.monotonic() - self.listed_at > 60:
            # The .npz is written last, so a scene with one is complete.
            self.stems = sorted(p.with_suffix("") for p in self.folder.glob("*/*.npz"))
            self.sets = [list(stems) for _, stems in groupby(self.stems, lambda stem: stem.parent)]
            roots = np.sqrt([len(stems) for stems in self.sets])
            self.shares = roots / roots.sum()
            self.listed_at = time.monotonic()
        return len(self.stems)

    def _take(self, rng: Rng) -> StoredScene:
        full = len(self.pool) >= min(self.size, self.count())
        if full and rng.random() < self.reuse:
            return self.pool[rng.integers(len(self.pool))]
        for _ in range(20):
            stems = self.sets[rng.choice(len(self.sets), p=self.shares)]
            try:
                scene = load_scene(stems[rng.integers(len(stems))])
            except (OSError, KeyError, ValueError):
                continue
            if full:
                self.pool[rng.integers(len(self.pool))] = scene
            else:
                self.pool.append(scene)
            return scene
        raise RuntimeError(f"{self.folder}: 20 scenes in a row can't be read")

    def crop(self, rng: Rng, size_px: int) -> tuple[U8, U8, U8, F32]:
        """Image, silhouette 0/1/2, ignore 0/1, people (P, 9) of one random tile."""
        scene = self._take(rng)
        tile = draw_patch(rng, scene, size_px) or draw_upright(rng, scene, size_px)
        image, instance = crop_tile(scene, tile)
        if isinstance(tile, FlatTile):
            people, ignore = patch_people(scene, tile)
        else:
            people, ignore = upright_people(scene, tile, instance)
        silhouette = (instance > 0).astype(np.uint8)
        if rng.random() < 0.5:
            image, silhouette, ignore = image[:, ::-1].copy(), silhouette[:, ::-1].copy(), ignore[:, ::-1].copy()
            people[:, [0, 4]] = size_px - people[:, [0, 4]]
        return image, silhouette, ignore, people


def draw_patch(rng: Rng, scene: StoredScene, size_px: int) -> FlatTile | None:
    """Now and then, where a ceiling camera has people below it, the patch straight below in any turn."""
    if scene.mount.kind is not MountKind.CEILING:
        return None
    circle = scene.camera.circle
    cx, cy, radius = circle.cx_px, circle.cy_px, circle.radius_px
    near = int((np.hypot(*(scene.boxes[:, :2] - (cx, cy)).T) < 0.35 * radius).sum())
    if rng.random() >= (min(0.5, 0.2 + 0.05 * near) if near else 0.04):
        return None
    shift = rng.normal(0, 0.06, 2) * radius
    side = radius * rng.uniform(0.5, 1.0)
    return FlatTile((cx + shift[0], cy + shift[1]), (side, side), rng.uniform(0, 360), size_px)


def draw_upright(rng: Rng, scene: StoredScene, size_px: int) -> UprightTile:
    """A tile of any scale, around somebody or anywhere; half of them end at the horizon, as in a sweep."""
    span = size_px / log_uniform(rng, *DENSITY_PX)
    lowest, highest = northing(LOWEST_DEG), northing(HIGHEST_DEG)
    if scene.mount.kind is MountKind.CEILING:
        azimuth, middle = rng.uniform(0, 2 * np.pi), rng.uniform(lowest, highest)
    else:
        azimuth, middle = rng.uniform(-1.3, 1.3), rng.uniform(-1.2, highest)
    if len(scene.boxes) and rng.random() < 0.65:
        spot = scene.boxes[rng.integers(len(scene.boxes)), :2]
        (there,), (north,) = bearings(scene.camera, scene.mount, spot[None])
        if abs(north) < np.arctanh(1 - 1e-6):  # seen, and not straight above or below
            azimuth = there + rng.uniform(-0.45, 0.45) * span
            middle = north + rng.uniform(-0.45, 0.45) * span
    low, high = sorted((lowest + span / 2, highest - span / 2))
    middle = float(np.clip(middle, low, high))
    if rng.random() < 0.5:
        middle = northing(rng.uniform(-3, 4)) - span / 2
    return UprightTile(scene.camera, scene.mount, float(np.degrees(azimuth)), middle, span, size_px,
                       roll_deg=float(rng.normal(0, 3)))


def crop_tile(scene: StoredScene, tile: FlatTile | UprightTile) -> tuple[U8, U8]:
    """Picture (S, S, 3) and instances (S, S) of a tile; the picture is shrunk first, so that nothing aliases."""
    if isinstance(tile, FlatTile):
        steps = np.arange(tile.input_px) + 0.5
        grid = np.stack(np.meshgrid(steps, steps), -1)
        at, factor = (tile.to_picture(grid) - 0.5).astype(np.float32), 1 / tile.scale
    else:
        per_radian = scene.camera.circle.radius_px / scene.camera.law.half_fov_rad
        at, factor = tile.sampling(), tile.input_px / tile.span / per_radian
    picture, spots = scene.image, at
    if factor < 0.8:
        picture = np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)
        spots = (at + 0.5) * np.float32(picture.shape[1] / scene.image.shape[1]) - 0.5
    image = np.asarray(cv2.remap(picture, spots[..., 0], spots[..., 1], cv2.INTER_LINEAR), np.uint8)
    return image, np.asarray(cv2.remap(scene.instance, at[..., 0], at[..., 1], cv2.INTER_NEAREST), np.uint8)


def upright_people(scene: StoredScene, tile: UprightTile, instance: U8) -> tuple[F32, U8]:
    """(P, 9) rows in tile pixels, boxed as far as the tile shows them, and the map of ignored people."""
    n, rows = tile.input_px, []
    ignore = np.zeros((n, n), np.uint8)
    present = set(np.unique(instance).tolist())
    for k in (k for k, person in enumerate(scene.ids) if int(person) in present):
        x, y, w, h = cv2.boundingRect((instance == scene.ids[k]).astype(np.uint8))
        if scene.ignore[k]:
            ignore[y : y + h, x : x + w] = 1
            continue
        spots = tile.to_tile(scene.pixels[k])
        with np.errstate(invalid="ignore"):
            inside = float(((spots >= 0) & (spots < n)).all(1).mean())
        # 15 % in sight is enough to train on.
        rows.append([x + w / 2, y + h / 2, w, h, *_head(tile, scene.heads[k]), min(1.0, 2 * scene.visible[k]) * inside])
    return np.array(rows, np.float32).reshape(-1, 9), ignore


def _head(tile: UprightTile, head: F32) -> tuple[float, float, float, float]:
    """Head x, y, r in tile pixels and 1, or NaNs and 0 for a hidden one."""
    x, y, r = (float(v) for v in head)
    if not np.isfinite(x):
        return np.nan, np.nan, np.nan, 0.0
    spots = tile.to_tile(np.array([[x, y], [x - r, y], [x + r, y], [x, y - r], [x, y + r]]))
    radius = float(np.hypot(*(spots[1:] - spots[0]).T).mean())
    if not np.isfinite(radius):  # at the very rim
        return np.nan, np.nan, np.nan, 0.0
    return float(spots[0, 0]), float(spots[0, 1]), radius, 1.0


def patch_people(scene: StoredScene, tile: FlatTile) -> tuple[F32, U8]:
    """(P, 9) rows in pixels of a patch and the map of ignored people."""
    n, rows = tile.input_px, np.ones((len(scene.boxes), 9), np.float32)
    turn = (scene.boxes[:, 4] - tile.angle_deg + 180) % 360 - 180
    size = scene.boxes[:, 2:4] / tile.scale
    # Leaning people keep their own width and height; past that, the box around them.
    size = np.where((abs(turn) < 40)[:, None], size, turned_size(size[:, 0], size[:, 1], turn))
    rows[:, :2], rows[:, 2:4] = tile.to_tile(scene.boxes[:, :2]), size
    rows[:, 4:6], rows[:, 6] = tile.to_tile(scene.heads[:, :2]), scene.heads[:, 2] / tile.scale
    rows[:, 7] = np.where(np.isnan(scene.heads[:, 0]), 0.0, 1.0)
    rows[:, 8] = np.clip(scene.visible * 2, 0, 1)  # 15 % in sight is enough to train on
    ignore = np.zeros((n, n), np.uint8)
    for q in rows[scene.ignore]:
        x0, y0 = np.clip(q[:2] - q[2:4] / 2, 0, n).astype(int)
        x1, y1 = np.clip(q[:2] + q[2:4] / 2, 0, n).astype(int)
        ignore[y0:y1, x0:x1] = 1
    return rows[~scene.ignore], ignore


def turned_size(w: F32, h: F32, deg: F32) -> F32:
    """(N, 2) size of upright boxes around ellipses w x h turned by `deg`."""
    c, s = np.cos(np.radians(deg)), np.sin(np.radians(deg))
    return np.stack([np.hypot(w * c, h * s), np.hypot(w * s, h * c)], -1).astype(np.float32)
