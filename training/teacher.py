"""The teacher: several untrained person nets, boxes fused and scores averaged: labels for pictures that have none.

`python -m training.teacher --data ../shared/data` compares it with its parts on photographs whose labels are complete.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
from numpy.typing import NDArray

from training.rtmdet import MEAN_BGR, STD_BGR

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]
SURE, DOUBTFUL = 0.35, 0.08  # a box from the first score on is a person; from the second on the place is ignored
_LEAST, _SAME_IOU, _NMS_IOU = 0.03, 0.55, 0.5
Net = Callable[[U8], F32]  # (S, S, 3) BGR to (D, 5) corners and score, overlapping boxes allowed


def iou(a: F32, b: F32) -> F32:
    """(A, B) overlap of corner boxes."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:4], b[None, :, 2:4])
    inter = np.clip(high - low, 0, None).prod(2)
    area_a, area_b = (a[:, 2:4] - a[:, :2]).prod(1), (b[:, 2:4] - b[:, :2]).prod(1)
    return np.asarray(inter / (area_a[:, None] + area_b[None] - inter + 1e-6), np.float32)


def _session(path: Path) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options)


def yolox(path: Path, size_px: int) -> Net:
    """YOLOX-nano's person channel."""
    session, cells, strides = _session(path), [], []
    for s in (8, 16, 32):
        n = size_px // s
        y, x = np.mgrid[0:n, 0:n]
        cells.append(np.stack([x, y], -1).reshape(-1, 2))
        strides.append(np.full((n * n, 1), s))
    cell, stride = np.concatenate(cells), np.concatenate(strides)

    def find(picture: U8) -> F32:
        x = picture.transpose(2, 0, 1)[None].astype(np.float32)
        o = np.asarray(session.run(None, {session.get_inputs()[0].name: x})[0])[0]
        c, size = (o[:, :2] + cell) * stride, np.exp(o[:, 2:4]) * stride
        return np.concatenate([c - size / 2, c + size / 2, (o[:, 4] * o[:, 5])[:, None]], 1).astype(np.float32)

    return find


def rtmdet(path: Path) -> Net:
    """RTMDet-nano person."""
    session = _session(path)

    def find(picture: U8) -> F32:
        x = ((picture - np.array(MEAN_BGR)) / np.array(STD_BGR)).transpose(2, 0, 1)[None].astype(np.float32)
        return np.asarray(session.run(["dets"], {"input": x})[0][0], np.float32)

    return find


def deim(path: Path) -> Net:
    """DEIMv2-Femto's person class."""
    session = _session(path)

    def find(picture: U8) -> F32:
        x = (picture[..., ::-1].transpose(2, 0, 1)[None] / 255).astype(np.float32)
        size = np.array([picture.shape[1::-1]], np.int64)
        labels, boxes, scores = session.run(["labels", "boxes", "scores"], {"images": x, "orig_target_sizes": size})
        person = labels[0] == 0
        return np.concatenate([boxes[0][person], scores[0][person][:, None]], 1).astype(np.float32)

    return find


def fuse(found: list[F32]) -> F32:
    """(D, 5) boxes of several nets as one: groups that overlap, boxes weighed by score, the mean of the nets' scores.

    A net that sees nothing counts as a score of 0 (weighted boxes fusion: Solovyev et al. 2021, arXiv 1910.13302).
    """
    rows = np.concatenate([np.column_stack([f, np.full(len(f), i)]) for i, f in enumerate(found)])
    rows, groups = rows[np.argsort(-rows[:, 4], kind="stable")], list[list[NDArray[np.float64]]]()
    middles = np.zeros((0, 4), np.float32)
    for row in rows:
        overlap = iou(row[None, :4].astype(np.float32), middles)[0] if len(middles) else np.zeros(0, np.float32)
        free = [k for k in np.argsort(-overlap) if overlap[k] >= _SAME_IOU
                and all(member[5] != row[5] for member in groups[k])]
        if free:
            groups[free[0]].append(row)
            members = np.array(groups[free[0]])
            middles[free[0]] = np.average(members[:, :4], axis=0, weights=members[:, 4])
        else:
            groups.append([row])
            middles = np.concatenate([middles, row[None, :4].astype(np.float32)])
    scores = np.array([sum(float(member[4]) for member in group) / len(found) for group in groups], np.float32)
    return np.column_stack([middles, scores]).astype(np.float32).reshape(-1, 5)


def suppressed(found: F32, least: float, iou_limit: float = _NMS_IOU) -> F32:
    """Non-maximum suppression of (D, 5) corners and score."""
    found = found[found[:, 4] >= least]
    xywh = np.concatenate([found[:, :2], found[:, 2:4] - found[:, :2]], 1)
    kept = cv2.dnn.NMSBoxes(xywh.tolist(), found[:, 4].tolist(), least, iou_limit) if len(found) else []
    return found[np.asarray(kept, np.intp).reshape(-1)]


class Teacher:
    """People on whole pictures of any size, by all the nets of a folder of peers that are there."""

    def __init__(self, peers: Path, names: tuple[str, ...] = ("yolox", "rtmdet", "deim"), size_px: int = 416) -> None:
        every: dict[str, tuple[str, Callable[[Path], Net]]] = {
            "yolox": ("yolox_nano.onnx", lambda path: yolox(path, size_px)),
            "rtmdet": ("rtmdet_nano_person.onnx", rtmdet), "deim": ("deimv2_femto.onnx", deim)}
        self.size_px = size_px
        self.nets = [make(peers / file) for file, make in (every[name] for name in names) if (peers / file).is_file()]
        if not self.nets:
            raise FileNotFoundError(f"{peers}: none of {', '.join(names)}")

    def __call__(self, image: U8) -> F32:
        """(D, 5) corners and score from `DOUBTFUL` on, in the picture's pixels."""
        h, w = image.shape[:2]
        scale = self.size_px / max(h, w)
        canvas = np.full((self.size_px, self.size_px, 3), 114, np.uint8)
        small = cv2.resize(image, (round(w * scale), round(h * scale)), interpolation=cv2.INTER_AREA)
        canvas[: small.shape[0], : small.shape[1]] = small
        found = suppressed(fuse([suppressed(net(canvas), _LEAST) for net in self.nets]), DOUBTFUL)
        found[:, :4] /= scale
        return found


def recall_and_precision(teacher: Teacher, photos: list[tuple[Path, F32]]) -> tuple[float, float]:
    """At score `SURE` and IoU 0.5, over photographs with complete boxes."""
    right = found_count = people = 0
    for path, boxes in photos:
        found = teacher(np.asarray(cv2.imread(str(path)), np.uint8))
        sure = found[found[:, 4] >= SURE]
        overlap = iou(sure, boxes)
        taken = np.zeros(len(boxes), bool)
        for row in overlap[np.argsort(-sure[:, 4])]:
            best = int(np.where(taken, -1, row).argmax()) if len(boxes) else -1
            if best >= 0 and row[best] >= 0.5 and not taken[best]:
                taken[best] = True
        right, found_count, people = right + int(taken.sum()), found_count + len(sure), people + len(boxes)
    return right / max(1, people), right / max(1, found_count)


def main() -> None:
    from training.photos import read_yolo

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with photos/ and peers/")
    parser.add_argument("--count", type=int, default=120)
    args = parser.parse_args()
    photos = []
    folder = args.data / "photos" / "capston2_person"
    for path in sorted((folder / "images").iterdir())[:: max(1, 1275 // args.count)]:
        image = cv2.imread(str(path))
        if image is not None:
            photos.append((path, read_yolo(folder / "labels" / (path.stem + ".txt"), image.shape[1::-1])))
    for names in (("yolox",), ("rtmdet",), ("deim",), ("yolox", "rtmdet", "deim")):
        recall, precision = recall_and_precision(Teacher(args.data / "peers", names), photos)
        print(f"{' + '.join(names):24s} recall {recall:.3f} precision {precision:.3f}", flush=True)


if __name__ == "__main__":
    main()
