"""A bank of square textures: procedural floors, walls, cloth and clutter, and crops of freely licensed photographs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
Rng = np.random.Generator
SIZE_PX = 256
_COUNTS = {"cloth": 90, "photocloth": 90, "floor": 90, "wall": 70, "desk": 40, "object": 160, "screen": 24,
           "shelf": 50, "poster": 40}


@dataclass(frozen=True)
class TextureBank:
    """(L, 256, 256, 3) BGR layers, layer 0 white, and the layers of each group."""

    layers: U8
    groups: dict[str, NDArray[np.intp]]

    def pick(self, rng: Rng, group: str) -> int:
        """A random layer of a group."""
        return int(rng.choice(self.groups[group]))


def _noise(rng: Rng, cells: int, channels: int = 1) -> NDArray[np.float32]:
    grid = rng.normal(0, 1, (cells, cells, channels)).astype(np.float32)
    grid = np.concatenate([grid, grid[:1]], 0)
    grid = np.concatenate([grid, grid[:, :1]], 1)
    big = cv2.resize(grid, (SIZE_PX + SIZE_PX // cells,) * 2, interpolation=cv2.INTER_CUBIC)
    return np.asarray(big[:SIZE_PX, :SIZE_PX].reshape(SIZE_PX, SIZE_PX, channels), np.float32)


def _clip(a: NDArray[Any]) -> U8:
    return np.asarray(np.clip(a, 0, 255), np.uint8)


def _neutral(rng: Rng, low: float, high: float, colour: float) -> NDArray[np.float64]:
    warm, green = rng.normal(0, colour), rng.normal(0, colour * 0.35)
    return np.clip(rng.uniform(low, high) + np.array([-warm, green, warm]), 5, 250)


def cloth(rng: Rng) -> U8:
    """Near-white cloth (its colour comes from the wearer): folds, weave, stripes, checks, prints."""
    folds = 14 * _noise(rng, int(rng.integers(3, 7))) + 9 * _noise(rng, 16)
    base = np.repeat(215 + folds + rng.normal(0, 5, (SIZE_PX, SIZE_PX, 1)), 3, 2)
    kind = rng.random()
    t = np.arange(SIZE_PX)
    period = 2 ** int(rng.integers(3, 6))
    stripe = ((t // (period // 2)) % 2).astype(float)
    strength = rng.uniform(40, 160) * rng.uniform(0.4, 1, 3)
    if kind < 0.15:
        base -= stripe[:, None, None] * strength
    elif kind < 0.22:
        base -= stripe[None, :, None] * strength
    elif kind < 0.34:
        base -= (stripe[:, None] + stripe[None, :])[..., None] * strength / 2
    elif kind < 0.42:
        base -= (_noise(rng, 20) > 0.8) * strength
    return _clip(base)


def floor(rng: Rng) -> U8:
    """Carpet, tiles, planks or concrete."""
    kind = rng.choice(["carpet", "tiles", "planks", "concrete", "carpet_tiles"])
    colour = _neutral(rng, 45, 215, 10)
    img = np.broadcast_to(colour, (SIZE_PX, SIZE_PX, 3)).astype(np.float64)
    if kind == "carpet":
        return _clip(img + 5 * _noise(rng, 8) + rng.normal(0, rng.uniform(4, 16), (SIZE_PX, SIZE_PX, 1)))
    if kind == "concrete":
        return _clip(img + 9 * _noise(rng, 4) + 6 * _noise(rng, 16) + 3 * _noise(rng, 64))
    count = int(rng.choice([2, 4, 8]))
    side = SIZE_PX // count
    shade = rng.normal(0, rng.uniform(2, 9), (count, count, 1))
    if kind == "carpet_tiles":
        img = img + np.kron(shade, np.ones((side, side, 1))) + rng.normal(0, 6, (SIZE_PX, SIZE_PX, 1))
    elif kind == "tiles":
        img = img + np.kron(shade, np.ones((side, side, 1))) + 3 * _noise(rng, 16)
        joint = rng.uniform(-45, 25)
        img[::side] += joint
        img[1::side] += joint
        img[:, ::side] += joint
        img[:, 1::side] += joint
    else:
        wood = np.array([rng.uniform(0.4, 0.7), rng.uniform(0.64, 0.84), 1.0]) * rng.uniform(90, 220)
        grain = cv2.resize(_noise(rng, 64)[..., 0], (SIZE_PX * 6, SIZE_PX))[:, :SIZE_PX, None]
        img = wood + 9 * grain + np.kron(rng.normal(0, 12, (8, 2, 1)), np.ones((32, 128, 1)))
        img[::32] -= 30
    return _clip(img)


def wall(rng: Rng) -> U8:
    """Paint, panels or bricks."""
    img = np.broadcast_to(_neutral(rng, 90, 245, 10), (SIZE_PX, SIZE_PX, 3)).astype(np.float64) + 4 * _noise(rng, 3)
    kind = rng.random()
    if kind < 0.2:
        for y in range(0, SIZE_PX, 16):
            img[y:y + 2] -= 30
            img[y:y + 16, ((y // 16) % 2) * 16::32] -= 30
        img *= 1 + 0.05 * _noise(rng, 16)
    elif kind < 0.4:
        img[:, ::64] -= 25
    if rng.random() < 0.4:
        img[150:] = _neutral(rng, 40, 200, 15)
    return _clip(img)


def desk(rng: Rng) -> U8:
    """A table top with papers, devices and small things."""
    if rng.random() < 0.5:
        img = np.broadcast_to(_neutral(rng, 90, 240, 6), (SIZE_PX, SIZE_PX, 3)) + 3 * _noise(rng, 6)
    else:
        wood = np.array([rng.uniform(0.4, 0.7), rng.uniform(0.62, 0.82), 1.0]) * rng.uniform(110, 220)
        img = wood + 8 * _noise(rng, 24)
    out = np.ascontiguousarray(_clip(img))
    for _ in range(int(rng.integers(0, 30))):
        centre = rng.uniform(0, SIZE_PX, 2)
        size = rng.uniform(8, 60, 2)
        box = cv2.boxPoints(((float(centre[0]), float(centre[1])), (float(size[0]), float(size[1])),
                             float(rng.uniform(0, 90))))
        colour = (240 * np.ones(3) if rng.random() < 0.5 else np.full(3, rng.uniform(10, 90)) if rng.random() < 0.75
                  else rng.uniform(20, 240, 3))
        cv2.fillConvexPoly(out, box.astype(np.int32), colour.tolist(), cv2.LINE_AA)
    return out


def screen(rng: Rng) -> U8:
    """A lit monitor with windows of text."""
    out = np.ascontiguousarray(np.broadcast_to(_neutral(rng, 30, 250, 22), (SIZE_PX, SIZE_PX, 3)).astype(np.uint8))
    for _ in range(int(rng.integers(1, 5))):
        x, y = rng.integers(0, 180, 2)
        w, h = rng.integers(40, 150, 2)
        out[y:y + h, x:x + w] = rng.uniform(200, 255) if rng.random() < 0.6 else _neutral(rng, 20, 230, 40)
        for line in range(int(y) + 8, min(int(y + h), SIZE_PX) - 3, 8):
            out[line:line + 3, x + 6:x + 6 + int(rng.integers(10, max(11, w - 10)))] = rng.uniform(0, 120)
    return out


def shelf(rng: Rng, photos: list[Path]) -> U8:
    """Goods side by side: small photographs and coloured boxes."""
    out = np.full((SIZE_PX, SIZE_PX, 3), rng.uniform(20, 200), np.uint8)
    n = int(rng.integers(3, 9))
    side = SIZE_PX // n
    palette = np.stack([_neutral(rng, 30, 220, 25) for _ in range(int(rng.integers(2, 6)))])
    for i in range(n):
        for j in range(n):
            h, w = int(side * rng.uniform(0.6, 0.95)), int(side * rng.uniform(0.6, 1))
            y, x = (i + 1) * side - h, j * side
            if photos and rng.random() < 0.3:
                out[y:y + h, x:x + w] = cv2.resize(_photo(rng, photos), (w, h), interpolation=cv2.INTER_AREA)
            else:
                colour = palette[rng.integers(len(palette))] if rng.random() < 0.85 else rng.uniform(20, 200, 3)
                out[y:y + h, x:x + w] = np.clip(colour, 0, 255)
    return _clip(out + rng.normal(0, 6, out.shape))


def _photo(rng: Rng, photos: list[Path]) -> U8:
    img = cv2.imread(str(photos[int(rng.integers(len(photos)))]))
    return np.full((64, 64, 3), 128, np.uint8) if img is None else np.asarray(img, np.uint8)


def photo(rng: Rng, photos: list[Path], crop: float) -> U8:
    """A square crop, `crop` of the picture's short side."""
    img = _photo(rng, photos)
    h, w = img.shape[:2]
    s = max(8, int(crop * min(h, w)))
    y, x = int(rng.integers(0, h - s + 1)), int(rng.integers(0, w - s + 1))
    return np.asarray(cv2.resize(img[y:y + s, x:x + s], (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA), np.uint8)


def photo_cloth(rng: Rng, pictures: list[Path]) -> U8:
    """Fabric from inside the person of a fashion photograph that has a mask beside it."""
    for _ in range(20):
        path = pictures[int(rng.integers(len(pictures)))]
        img, mask = cv2.imread(str(path)), cv2.imread(str(path.parent.parent / "masks" / f"{path.stem}.png"), 0)
        if img is None or mask is None:
            continue
        ys = np.nonzero(mask)[0]
        if len(ys) < 500:
            continue
        top, height = ys.min(), np.ptp(ys)
        side = max(16, int(0.16 * height))
        y = int(top + height * rng.uniform(0.2, 0.42))
        row = np.flatnonzero(mask[min(y + side // 2, mask.shape[0] - 1)])
        x = int(np.median(row)) - side // 2 if len(row) else 0
        patch = img[y:y + side, max(0, x):max(0, x) + side]
        if min(patch.shape[:2]) >= 12:
            half = cv2.resize(patch, (SIZE_PX // 2,) * 2, interpolation=cv2.INTER_CUBIC)
            row2 = np.concatenate([half, half[:, ::-1]], 1)
            return np.asarray(np.concatenate([row2, row2[::-1]], 0), np.uint8)
    return cloth(rng)


def build_textures(path: Path, shared: Path | None, seed: int) -> None:
    """Make the bank and save it at `path`; without `shared` photographs, procedural layers take their place."""
    def files(folder: str) -> list[Path]:
        return sorted((shared / "data" / folder).rglob("*.jpg")) if shared else []

    objects, fashion, rooms = files("photos/caltech101"), files("photos/clothing_coparsing"), files("panoramas")
    if not (objects and fashion and rooms):
        print(f"{path}: photographs are missing, procedural textures take their place")
    makers: dict[str, Callable[[Rng], U8]] = {
        "cloth": cloth,
        "photocloth": (lambda r: photo_cloth(r, fashion)) if fashion else cloth,
        "floor": floor,
        "wall": lambda r: photo(r, rooms, r.uniform(0.1, 0.5)) if rooms and r.random() < 0.3 else wall(r),
        "desk": desk,
        "object": lambda r: photo(r, objects, r.uniform(0.4, 1.0)) if objects else desk(r),
        "screen": screen,
        "shelf": lambda r: shelf(r, objects),
        "poster": (lambda r: photo(r, fashion if r.random() < 0.12 else objects, 1.0)) if fashion and objects else desk,
    }
    layers, groups = [np.full((SIZE_PX, SIZE_PX, 3), 255, np.uint8)], {}
    for g, (name, count) in enumerate(_COUNTS.items()):
        groups[name] = np.arange(len(layers), len(layers) + count)
        layers += [makers[name](np.random.default_rng([seed, g, i])) for i in range(count)]
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.npz")
    arrays: dict[str, Any] = {f"group_{k}": v for k, v in groups.items()}
    np.savez(part, layers=np.stack(layers), **arrays)
    part.replace(path)


def load_textures(path: Path) -> TextureBank:
    """The bank saved at `path`; raises FileNotFoundError naming the command that makes it."""
    if not path.exists():
        raise FileNotFoundError(f"no textures at {path}: `python -m rendering textures --out {path}` makes them")
    with np.load(path) as data:
        groups = {k[6:]: data[k] for k in data.files if k.startswith("group_")}
        return TextureBank(data["layers"], groups)
