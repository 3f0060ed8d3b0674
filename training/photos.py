"""Index of the training photographs: boxes, heads and masks from every source, in one form.

`python -m training.photos --data ../shared/data --out photos.json` runs the teachers once
(YOLOX-nano completes partial labels and drops people from the negatives, YuNet finds
faces for head circles) and stores the result.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
from numpy.typing import NDArray

F32 = NDArray[np.float32]
SURE, DOUBTFUL = 0.35, 0.08


@dataclass(frozen=True)
class Photo:
    """One photograph. Boxes are x0, y0, x1, y1 in pixels, heads cx, cy, r or NaN if unknown."""

    path: str
    kind: str
    boxes: F32  # (P, 4)
    heads: F32  # (P, 3)
    ignore: F32  # (I, 4) doubtful places
    partial: bool = False  # people outside the boxes are unlabelled
    mask: str = ""  # silhouette picture: instance index or 0/non-zero


SETS = {
    "capston2_person": "labels",
    "mall_atrium": "labels",
    "borrat_teacher": "labels",
    "corridor_crowd": "labels_partial",
    "retail_factory_person": "labels_partial",
    "clothing_coparsing": "",
    "caltech101": "",
}


def read_yolo(path: Path, size_wh: tuple[int, int]) -> F32:
    """(P, 4) pixel corners from a YOLO text file; empty if there is none."""
    rows = [line.split()[:5] for line in path.read_text().splitlines()] if path.exists() else []
    a = np.array([r for r in rows if len(r) == 5], np.float32).reshape(-1, 5)
    w, h = size_wh
    c, s = a[:, 1:3] * (w, h), a[:, 3:5] * (w, h)
    return np.concatenate([c - s / 2, c + s / 2], 1).astype(np.float32)


class Teacher:
    """YOLOX-nano's person channel on a whole photograph."""

    def __init__(self, path: Path, size_px: int = 416) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 2
        self.session, self.size_px = ort.InferenceSession(str(path), options), size_px
        cells, strides = [], []
        for s in (8, 16, 32):
            n = size_px // s
            y, x = np.mgrid[0:n, 0:n]
            cells.append(np.stack([x, y], -1).reshape(-1, 2))
            strides.append(np.full((n * n, 1), s))
        self.cells, self.strides = np.concatenate(cells), np.concatenate(strides)

    def __call__(self, image: NDArray[np.uint8]) -> F32:
        """(D, 5) corners and score, after NMS, in the photograph's pixels."""
        h, w = image.shape[:2]
        scale = self.size_px / max(h, w)
        canvas = np.full((self.size_px, self.size_px, 3), 114, np.uint8)
        small = cv2.resize(image, (round(w * scale), round(h * scale)), interpolation=cv2.INTER_AREA)
        canvas[: small.shape[0], : small.shape[1]] = small
        x = canvas.transpose(2, 0, 1)[None].astype(np.float32)
        o = np.asarray(self.session.run(None, {self.session.get_inputs()[0].name: x})[0])[0]
        c, s = (o[:, :2] + self.cells) * self.strides, np.exp(o[:, 2:4]) * self.strides
        score = o[:, 4] * o[:, 5]
        keep = score > DOUBTFUL
        out = np.concatenate([c - s / 2, c + s / 2], 1)[keep] / scale
        order = cv2.dnn.NMSBoxes(
            np.concatenate([out[:, :2], out[:, 2:] - out[:, :2]], 1).tolist(), score[keep].tolist(), DOUBTFUL, 0.5
        )
        first = np.array(order, int).reshape(-1)
        return np.asarray(np.concatenate([out, score[keep, None]], 1)[first], np.float32)


def iou(a: F32, b: F32) -> F32:
    """(A, B) overlap of corner boxes."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:4], b[None, :, 2:4])
    inter = np.clip(high - low, 0, None).prod(2)
    area_a, area_b = (a[:, 2:4] - a[:, :2]).prod(1), (b[:, 2:4] - b[:, :2]).prod(1)
    return np.asarray(inter / (area_a[:, None] + area_b[None] - inter + 1e-6), np.float32)


def faces_to_heads(faces: F32, boxes: F32) -> F32:
    """(P, 3) head circles from YuNet faces (x, y, w, h, …), NaN where no face fits a box's top."""
    heads = np.full((len(boxes), 3), np.nan, np.float32)
    for x, y, w, h in faces[:, :4]:
        cx, cy, r = x + w / 2, y + 0.38 * h, 0.68 * max(w, h)
        bw, bh = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
        fits = (cx > boxes[:, 0]) & (cx < boxes[:, 2]) & (abs(cy - r - boxes[:, 1]) < 0.12 * bh)
        fits &= (r < 0.6 * bw) & np.isnan(heads[:, 0])
        if fits.any():
            heads[np.flatnonzero(fits)[np.argmin(bh[fits])]] = cx, cy, r
    return heads


def head_of_mask(mask: NDArray[np.bool_]) -> F32:
    """(3,) head circle of an upright, uncut silhouette: the top eighth of its height."""
    ys, xs = np.nonzero(mask)
    top, height = ys.min(), ys.max() - ys.min() + 1
    rows = ys < top + 0.13 * height
    r = 0.072 * height
    return np.array([np.median(xs[rows]), top + 0.95 * r, r], np.float32)


def index(data: Path) -> list[Photo]:
    """Every usable photograph under `data`/photos with labels completed."""
    teacher = Teacher(data / "peers/yolox_nano.onnx")
    yunet = cv2.FaceDetectorYN.create(str(data / "peers/yunet_n_640_640.onnx"), "", (320, 320), 0.7)
    out: list[Photo] = []
    for kind, labels in SETS.items():
        before = len(out)
        for path in sorted((data / "photos" / kind / "images").iterdir()):
            image = cv2.imread(str(path))
            if image is None:
                continue
            photo = _index_one(path, kind, labels, np.asarray(image, np.uint8), teacher)
            if photo is not None:
                if len(photo.boxes) and np.isnan(photo.heads).all():
                    yunet.setInputSize((image.shape[1], image.shape[0]))
                    faces = yunet.detect(image)[1]
                    if faces is not None:
                        photo = replace(photo, heads=faces_to_heads(np.asarray(faces, np.float32), photo.boxes))
                out.append(photo)
        heads = sum(int((~np.isnan(p.heads[:, 0])).sum()) for p in out[before:])
        people = sum(len(p.boxes) for p in out[before:])
        print(f"{kind}: {len(out) - before} photos, {people} people, {heads} heads", flush=True)
    return out


def save_index(path: Path, photos: list[Photo]) -> None:
    rows = [{k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in vars(p).items()} for p in photos]
    path.write_text(json.dumps(rows), "utf-8")


def load_index(path: Path) -> list[Photo]:
    """The photographs of an index file; unknown heads come back as NaN."""
    out = []
    for row in json.loads(path.read_text("utf-8")):
        for key, columns in (("boxes", 4), ("heads", 3), ("ignore", 4)):
            row[key] = np.array(row[key], np.float32).reshape(-1, columns)
        out.append(Photo(**row))
    return out


def _index_one(path: Path, kind: str, labels: str, image: NDArray[np.uint8], teacher: Teacher) -> Photo | None:
    h, w = image.shape[:2]
    none = np.zeros((0, 4), np.float32)
    mask_path = path.parent.parent / "masks" / (path.stem + ".png")
    mask = str(mask_path) if mask_path.exists() else ""
    if kind == "caltech101":
        found = teacher(image)
        clear = not len(found) or found[:, 4].max() < 0.25
        return Photo(str(path), kind, none, none[:, :3], none) if clear else None
    if kind == "clothing_coparsing":
        m = cv2.imread(mask, cv2.IMREAD_UNCHANGED) if mask else None
        if m is None or (m > 0).sum() < 500:
            return None
        ys, xs = np.nonzero(m)
        box = np.array([[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]], np.float32)
        return Photo(str(path), kind, box, head_of_mask(m > 0)[None], none, mask=mask)
    boxes = read_yolo(path.parent.parent / labels / (path.stem + ".txt"), (w, h))
    ignore, partial = none, labels.endswith("partial")
    found = teacher(image)
    new = found[(iou(found, boxes).max(1, initial=0) < 0.3)] if len(found) else found
    ignore = new[new[:, 4] < SURE][:, :4]
    if partial:
        new = new[(new[:, 2:4] - new[:, :2]).prod(1) < 0.15 * w * h]  # groups taken for one person
        boxes = np.concatenate([boxes, new[new[:, 4] >= SURE][:, :4]])
    else:
        ignore = new[new[:, 4] >= 0.5][:, :4]
    return Photo(str(path), kind, boxes, np.full((len(boxes), 3), np.nan, np.float32), ignore, partial, mask)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with photos/ and peers/")
    parser.add_argument("--out", type=Path, required=True, help="index file to write (JSON)")
    args = parser.parse_args()
    save_index(args.out, index(args.data))


if __name__ == "__main__":
    main()
