"""Index of the training photographs: boxes, heads and masks from every source, in one form.

`python -m training.photos --data ../shared/data --out photos.json` runs the teachers once
(`training.teacher` completes partial labels, labels the videos, and drops people from the
negatives; YuNet finds faces for head circles) and stores the result. Frames of the videos are
written beside the index.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.teacher import SURE, Teacher, iou

F32 = NDArray[np.float32]
VIDEO_STEP_S = 0.6  # between frames of a video that are labelled: neighbours are nearly the same


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
    teacher = Teacher(data / "peers")
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


def video_frames(video: Path, folder: Path, step_s: float = VIDEO_STEP_S) -> list[Path]:
    """Frames of a video as JPEG files in `folder`, `step_s` apart; those that are there already stay."""
    folder.mkdir(parents=True, exist_ok=True)
    reader, paths, number = cv2.VideoCapture(str(video)), [], 0
    step = max(1, round(step_s * (reader.get(cv2.CAP_PROP_FPS) or 25.0)))
    while True:
        there, frame = reader.read()
        if not there:
            break
        if number % step == 0:
            paths.append(folder / f"{video.stem}_{number:05d}.jpg")
            if not paths[-1].exists():
                cv2.imwrite(str(paths[-1]), frame, [cv2.IMWRITE_JPEG_QUALITY, 92])
        number += 1
    reader.release()
    return paths


def index_videos(data: Path, folder: Path, teacher: Teacher) -> list[Photo]:
    """Frames of every video under `data`/videos with the teacher's labels; doubtful people are ignored places."""
    out = []
    for video in sorted((data / "videos").glob("*.*")):
        for path in video_frames(video, folder):
            found = teacher(np.asarray(cv2.imread(str(path)), np.uint8))
            sure = found[found[:, 4] >= SURE][:, :4]
            out.append(Photo(str(path), "cctv", sure, np.full((len(sure), 3), np.nan, np.float32),
                             found[found[:, 4] < SURE][:, :4]))
    print(f"cctv: {len(out)} frames, {sum(len(p.boxes) for p in out)} people", flush=True)
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
    videos = index_videos(args.data, args.out.parent / "video_frames", Teacher(args.data / "peers"))
    save_index(args.out, index(args.data) + videos)


if __name__ == "__main__":
    main()
