"""Training tiles: crops of rendered scenes, photographs, and pasted cut-outs, made on the fly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from training.augment import degrade
from training.canvas import (
    F32,
    U8,
    Canvas,
    Rng,
    clip_people,
    log_uniform,
    move_people,
    placement,
    project,
    read,
    rectangles,
    visible_share,
    warp,
)
from training.config import Config
from training.losses import Targets
from training.photos import Photo, load_index
from training.scenes import ScenePool

KIND_WEIGHT = {"capston2_person": 1.0, "borrat_teacher": 0.6, "mall_atrium": 5.0,
               "corridor_crowd": 2.5, "retail_factory_person": 2.5, "cctv": 0.6}


class Tiles(torch.utils.data.IterableDataset[tuple[torch.Tensor, Targets]]):
    """Endless batches: uint8 (N, 3, S, S) and `Targets`, S drawn per batch."""

    def __init__(self, config: Config, worker_seed: int = 0) -> None:
        self.config, self.seed = config, config.seed * 1000 + worker_seed
        self.photos: list[Photo] = load_index(Path(config.photos))
        by = {k: [p for p in self.photos if p.kind == k] for k in {p.kind for p in self.photos}}
        self.labelled = [p for k in KIND_WEIGHT for p in by.get(k, [])]
        w = np.array([KIND_WEIGHT[p.kind] for p in self.labelled])
        self.weights = w / w.sum()
        self.cutouts = by["clothing_coparsing"] + [p for p in by["borrat_teacher"] if len(p.boxes) == 1]
        self.negatives = by["caltech101"]
        self.panoramas = sorted(str(p) for p in Path(config.data, "panoramas").glob("*.jpg"))

    def __iter__(self) -> Iterator[tuple[torch.Tensor, Targets]]:
        cv2.setNumThreads(1)
        info = torch.utils.data.get_worker_info()
        rng = np.random.default_rng([self.seed, info.id if info else 0, torch.initial_seed() % 2**31])
        scenes = ScenePool(Path(self.config.scenes), rng)
        recent: list[tuple[torch.Tensor, Targets]] = []
        while True:
            if len(recent) >= 40 and rng.random() < self.config.replay:
                yield mirror(*recent.pop(int(rng.integers(len(recent)))))
                continue
            size_px = int(rng.choice(self.config.sizes_px))
            batch = collate([self.tile(rng, size_px, scenes) for _ in range(self.config.batch)])
            recent = [*recent[-59:], batch]
            yield batch

    def tile(self, rng: Rng, size_px: int, scenes: ScenePool) -> Canvas:
        few = min(1.0, scenes.count() / 150)  # few scenes are shown less often, against overfitting
        rendered = rng.random() < self.config.scene_share * few
        if rendered:
            image, silhouette, ignore, people = scenes.crop(rng, size_px)
            if rng.random() >= self.config.scene_silhouettes:
                silhouette = np.full_like(silhouette, 2)
            canvas = Canvas(image, silhouette, ignore, people)
            if self.config.cutouts and rng.random() < 0.1:
                self.paste_cutout(rng, canvas)
        else:
            canvas = self.photo_tile(rng, size_px)
        if rendered and rng.random() < 0.6:  # rendered scenes are degraded already
            return canvas
        return replace(canvas, image=degrade(rng, canvas.image))

    def photo_tile(self, rng: Rng, size_px: int) -> Canvas:
        kind = rng.random() if self.config.photographs else 1.0
        canvas = Canvas.blank(size_px, rng.uniform(20, 200, 3).astype(np.float32))
        whole = (0, 0, size_px, size_px)
        if kind < 0.2:  # one photograph fills the tile
            self.place_photo(rng, canvas, whole)
        elif kind < 0.7:  # two by two, uneven, some without people
            x, y = (rng.uniform(0.3, 0.7, 2) * size_px).astype(int)
            for cell in ((0, 0, x, y), (x, 0, size_px, y), (0, y, x, size_px), (x, y, size_px, size_px)):
                if rng.random() < 0.35:
                    self.place_background(rng, canvas, cell)
                else:
                    self.place_photo(rng, canvas, cell)
        else:
            self.place_background(rng, canvas, whole)
        for _ in range(int(rng.integers(0, 6)) if rng.random() < 0.6 else 0):
            self.paste_object(rng, canvas)
        count = 0 if not self.config.cutouts or (kind < 0.7 and rng.random() < 0.7) else int(rng.integers(0, 7))
        size = log_uniform(rng, 0.12, 0.8) * size_px
        spot = rng.uniform(0.1, 0.9, 2) * size_px
        for _ in range(count):
            crowd = rng.random() < 0.5
            at = spot + rng.normal(0, 0.6 * size, 2) if crowd else rng.uniform(0, 1, 2) * size_px
            self.paste_cutout(rng, canvas, (float(at[0]), float(at[1])), size * rng.uniform(0.8, 1.2))
        return canvas

    def place_photo(self, rng: Rng, canvas: Canvas, cell: tuple[int, int, int, int]) -> None:
        """Fill a cell with a photograph, one of its people at a random place and size."""
        photo = self.labelled[rng.choice(len(self.labelled), p=self.weights)]
        image, size_px = read(photo.path), canvas.image.shape[0]
        h, w = image.shape[:2]
        x0, y0, x1, y1 = cell
        cell_px = max(x1 - x0, y1 - y0)
        fill = max((x1 - x0) / w, (y1 - y0) / h)
        centre, scale = np.array([w / 2, h / 2], np.float32), fill * rng.uniform(1.0, 1.4)
        if len(photo.boxes) and rng.random() < 0.9:
            box = photo.boxes[rng.integers(len(photo.boxes))]
            want = log_uniform(rng, 24, max(30.0, 0.9 * cell_px))
            scale = max(fill * 0.75, want / max(8.0, float(box[3] - box[1])))
            centre = ((box[:2] + box[2:]) / 2).astype(np.float32)
        at = (rng.uniform(x0, x1), rng.uniform(y0, y1))
        if scale < fill * 1.6:  # small pictures sit in the middle, so that little stays blank
            at, centre = ((x0 + x1) / 2, (y0 + y1) / 2), np.array([w / 2, h / 2], np.float32)
        roll = rng.normal(0, 6)
        m = placement(rng, scale=scale, source_xy=centre, source_h_px=h, target_xy=at, roll_deg=roll)
        inside = np.zeros((size_px, size_px), np.uint8)
        inside[y0:y1, x0:x1] = 1
        there = warp(np.ones((h, w), np.uint8), m, size_px, cv2.INTER_NEAREST) * inside
        mirrored = rng.random() < 0.75  # reflected beyond its border, unlabelled
        unknown = rectangles((h, w), photo.boxes, 2)
        ignore = np.full((h, w), 1, np.uint8) if photo.partial else np.zeros((h, w), np.uint8)
        ignore = rectangles((h, w), photo.boxes, 0, ignore) if photo.partial else ignore
        rectangles((h, w), photo.ignore, 1, ignore)
        if photo.mask:
            unknown = (read(photo.mask, cv2.IMREAD_UNCHANGED) > 0).astype(np.uint8)
        unknown = np.where(ignore > 0, 2, unknown).astype(np.uint8)
        area = np.s_[y0:y1, x0:x1]
        maps = warp(np.stack([unknown, ignore], 2), m, size_px, cv2.INTER_NEAREST)
        if mirrored:
            canvas.image[area] = warp(image, m, size_px, border=cv2.BORDER_REFLECT_101)[area]
            maps[there == 0] = (2, 1)
        else:
            cv2.copyTo(warp(image, m, size_px)[area], there[area], canvas.image[area])
        canvas.silhouette[area], canvas.ignore[area] = maps[area][..., 0], maps[area][..., 1]
        rows = move_people(photo.boxes, photo.heads, m)
        rows[:, 8] = visible_share(rows, there)
        low = np.maximum(rows[:, :2] - rows[:, 2:4] / 2, (x0, y0))  # what lies outside the cell isn't there
        high = np.minimum(rows[:, :2] + rows[:, 2:4] / 2, (x1, y1))
        keep = (high - low > 2).all(1) & (rows[:, 8] > 0.02)
        rows[:, :2], rows[:, 2:4] = (low + high) / 2, high - low
        canvas.add(rows[keep])

    def place_background(self, rng: Rng, canvas: Canvas, cell: tuple[int, int, int, int]) -> None:
        """An empty place: an object photograph or a piece of panorama."""
        x0, y0, x1, y1 = cell
        if self.panoramas and rng.random() < 0.35:
            image = read(self.panoramas[rng.integers(len(self.panoramas))], cv2.IMREAD_REDUCED_COLOR_2)
            side = int(image.shape[0] * rng.uniform(0.3, 0.7))
            y, x = int(rng.uniform(0.2, 1) * (image.shape[0] - side)), rng.integers(image.shape[1] - side)
            part = image[y : y + side, x : x + side]
        else:
            part = read(self.negatives[rng.integers(len(self.negatives))].path)
        part = part[:, ::-1] if rng.random() < 0.5 else part
        canvas.image[y0:y1, x0:x1] = cv2.resize(part, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)

    def paste_object(self, rng: Rng, canvas: Canvas) -> None:
        """Something that isn't a person, over whatever is there."""
        image, size_px = read(self.negatives[rng.integers(len(self.negatives))].path), canvas.image.shape[0]
        h, w = image.shape[:2]
        scale = log_uniform(rng, 0.08, 0.45) * size_px / max(h, w)
        at = (float(rng.uniform(0, size_px)), float(rng.uniform(0, size_px)))
        m = placement(
            rng, scale=scale, source_xy=np.array([w / 2, h / 2]), source_h_px=h, target_xy=at,
            roll_deg=rng.uniform(-20, 20),
        )
        on = warp(np.ones((h, w), np.uint8), m, size_px, cv2.INTER_NEAREST)
        self._lay(canvas, warp(image, m, size_px), on)

    def paste_cutout(
        self, rng: Rng, canvas: Canvas, at: tuple[float, float] | None = None, height_px: float = 0.0
    ) -> None:
        """A person cut from a photograph, perhaps behind a desk, over whatever is there."""
        size_px = canvas.image.shape[0]
        photo = self.cutouts[rng.integers(len(self.cutouts))]
        image, mask = read(photo.path), (read(photo.mask, cv2.IMREAD_UNCHANGED) > 0).astype(np.uint8)
        ys = np.flatnonzero(mask.any(1))
        if len(ys) < 20:
            return
        last_row = int(ys[0] + len(ys) * (rng.uniform(0.3, 0.75) if rng.random() < 0.5 else 1.0))
        whole_px, desk = float(len(ys)), last_row < ys[-1]
        mask[last_row:] = 0
        x, y, w, h = cv2.boundingRect(mask)
        if w * h < 200:
            return
        box = np.array([[x, y, x + w, y + h]], np.float32)
        height_px = height_px or log_uniform(rng, 0.12, 0.7) * size_px
        at = at or (float(rng.uniform(0, size_px)), float(rng.uniform(0, size_px)))
        roll = rng.normal(0, 8)
        m = placement(
            rng, scale=height_px / whole_px, source_xy=(box[0, :2] + box[0, 2:]) / 2, source_h_px=whole_px,
            target_xy=at, roll_deg=roll,
        )
        on = warp(mask, m, size_px, cv2.INTER_NEAREST)
        light = float(rng.uniform(0.55, 1.15))
        piece = warp(np.asarray(cv2.convertScaleAbs(image, alpha=light), np.uint8), m, size_px)
        self._lay(canvas, piece, on, person=True)
        rows = move_people(box, photo.heads if photo.kind == "clothing_coparsing" else photo.heads[:1], m)
        rows[:, 8] = visible_share(rows, np.ones_like(on))
        canvas.add(rows)
        if desk and rng.random() < 0.7:
            self._desk(rng, canvas, box[0], m)

    def _desk(self, rng: Rng, canvas: Canvas, box: F32, m: NDArray[np.float64]) -> None:
        """A textured board over the lower edge of a half-hidden person."""
        w, h = box[2] - box[0], box[3] - box[1]
        x0, x1 = box[0] - w * rng.uniform(0.1, 1.2), box[2] + w * rng.uniform(0.1, 1.2)
        y0, y1 = box[3] - 2, box[3] + h * rng.uniform(0.15, 0.8)
        tilt = rng.normal(0, 0.04) * w
        corners = np.array([[x0, y0 + tilt], [x1, y0 - tilt], [x1 + 0.1 * w, y1], [x0 - 0.1 * w, y1]])
        on = np.zeros(canvas.ignore.shape, np.uint8)
        cv2.fillConvexPoly(on, np.round(project(corners, m)).astype(np.int32), 1)
        if rng.random() < 0.4:
            texture = read(self.negatives[rng.integers(len(self.negatives))].path)
            piece = np.asarray(cv2.resize(texture, on.shape[::-1]), np.uint8)
        else:
            piece = np.empty((*on.shape, 3), np.uint8)
            piece[:] = rng.uniform(20, 235) * rng.uniform(0.8, 1.1, 3).clip(0, 1)
        self._lay(canvas, piece, on)

    @staticmethod
    def _lay(canvas: Canvas, piece: U8, on: U8, person: bool = False) -> None:
        canvas.cover(on)
        x, y, w, h = cv2.boundingRect(on)
        if not w:
            return
        area = np.s_[y : y + h, x : x + w]
        on, under = on[area], canvas.image[area]
        soft = cv2.blur(on.astype(np.float32), (3, 3))[..., None]
        under[:] = (under + (piece[area].astype(np.float32) - under) * soft).astype(np.uint8)
        canvas.silhouette[area][on > 0] = 1 if person else 0
        canvas.ignore[area][on > 0] = 0


def mirror(image: torch.Tensor, t: Targets) -> tuple[torch.Tensor, Targets]:
    """A batch seen in a mirror."""
    width, boxes, heads = image.shape[3], t.boxes.clone(), t.heads.clone()
    boxes[..., 0], heads[..., 0] = width - boxes[..., 0], width - heads[..., 0]
    maps = (m.flip(3) for m in (t.ignore, t.silhouette, t.silhouette_ignore))
    return image.flip(3), Targets(boxes, heads, t.count, *maps)


def collate(tiles: list[Canvas]) -> tuple[torch.Tensor, Targets]:
    """Batch tensors; silhouettes and ignored places of people go to stride 4."""
    people = [clip_people(t) for t in tiles]
    padded = np.zeros((len(tiles), max(1, *(len(p) for p in people)), 8), np.float32)
    for row, p in zip(padded, people, strict=True):
        row[: len(p)] = p
    quarter = [(t.image.shape[0] // 4,) * 2 for t in tiles]

    def shrink(maps: list[NDArray[np.bool_]]) -> torch.Tensor:
        pairs = zip(maps, quarter, strict=True)
        small = [cv2.resize(m.astype(np.float32), q, interpolation=cv2.INTER_AREA) for m, q in pairs]
        return torch.from_numpy(np.stack(small))[:, None]

    unknown = shrink([t.silhouette == 2 for t in tiles])
    image = np.stack([t.image.transpose(2, 0, 1) for t in tiles])
    return torch.from_numpy(image), Targets(
        boxes=torch.from_numpy(padded[..., :4].copy()),
        heads=torch.from_numpy(padded[..., 4:].copy()),
        count=torch.tensor([len(p) for p in people]),
        ignore=torch.from_numpy(np.stack([t.ignore for t in tiles])[:, None]).float(),
        silhouette=shrink([t.silhouette == 1 for t in tiles]),
        silhouette_ignore=(unknown > 0.01).float(),
    )
