"""Quick measure on real scenes: recall, precision and head leak of a full sweep of tiles.

`python -m training.evaluate --model runs/a/last.pt --dev ../shared/data/real_dev`
takes a checkpoint, an exported .onnx, or `base` for the untrained YOLOX-nano.
Scenes are weighted equally; near-duplicate frames of a scene don't count extra.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from training.net import PersonNet, anchor_grid
from training.port import person_net
from training.tiles import Tile, sweep, turned_size

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]
Net = Callable[[F32], tuple[F32, F32]]  # (N, 3, S, S) to raw (N, A, 9), silhouette


@dataclass(frozen=True)
class Found:
    """Merged detections of one picture. boxes: cx, cy, w, h, degrees, score; heads: x, y, r, seen."""

    boxes: F32
    heads: F32
    silhouette: F32  # (H, W) largest probability over tiles


def torch_runner(net: PersonNet) -> Net:
    def run(x: F32) -> tuple[F32, F32]:
        with torch.no_grad():
            p = net(torch.from_numpy(x))
            raw = torch.cat([p.box, p.score()[..., None], p.point[..., :3], torch.sigmoid(p.point[..., 3:])], 2)
            return raw.numpy(), torch.sigmoid(p.silhouette).numpy()

    return run


def onnx_runner(path: Path) -> Net:
    import onnxruntime as ort  # type: ignore[import-untyped]

    options = ort.SessionOptions()
    options.intra_op_num_threads = 2
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(x: F32) -> tuple[F32, F32]:
        raw, silhouette = session.run(None, {"image": x})
        return np.asarray(raw), np.asarray(silhouette)

    return run


def detect(run: Net, picture: U8, circle_px: NDArray[np.float64], size_px: int, low: float) -> Found:
    """A full sweep, rotated NMS over all of it."""
    plan = list(sweep(circle_px))
    tiles = np.stack([t.cut(picture, size_px).transpose(2, 0, 1) for t, _ in plan]).astype(np.float32)
    silhouette = np.zeros(picture.shape[:2], np.float32)
    boxes, heads = [], []
    for i, (tile, half) in enumerate(plan):
        raw, sil = run(tiles[i : i + 1])
        b, h = _decode(raw[0], tile, size_px, circle_px, half=half, low=low)
        boxes.append(b)
        heads.append(h)
        _lay_silhouette(silhouette, sil[0, 0], tile, size_px)
    all_boxes, all_heads = np.concatenate(boxes), np.concatenate(heads)
    keep = rotated_nms(all_boxes, 0.4)
    return Found(all_boxes[keep], all_heads[keep], silhouette)


def _lay_silhouette(out: F32, part: F32, tile: Tile, size_px: int) -> None:
    big = cv2.resize(part, (size_px, size_px))
    big[[0, -1], :] = 0
    big[:, [0, -1]] = 0
    h, w = out.shape
    np.maximum(out, cv2.warpAffine(big, tile.to_picture(size_px), (w, h)), out=out)


def _decode(
    raw: F32, tile: Tile, size_px: int, circle_px: NDArray[np.float64], *, half: float, low: float
) -> tuple[F32, F32]:
    cells, strides = (v.numpy() for v in anchor_grid(size_px, size_px, torch.device("cpu")))
    keep = raw[:, 4] > low
    r, c, s = raw[keep], cells[keep], strides[keep, None]
    m, scale = tile.to_picture(size_px), tile.side_px / size_px
    centre = ((r[:, :2] + c) * s) @ m[:, :2].T + m[:, 2]
    size = np.exp(np.minimum(r[:, 2:4], 8)) * s * scale
    offset = centre - circle_px[:2]
    angle = np.degrees(np.arctan2(offset[:, 1], offset[:, 0])) + 90
    radius = np.linalg.norm(offset, axis=1)
    turn = (angle - tile.angle_deg + 180) % 360 - 180
    size = np.where((abs(turn) < 40)[:, None], size, turned_size(size[:, 0], size[:, 1], turn))
    near = (abs(turn) < half) | (radius < 0.15 * circle_px[2])
    boxes = np.concatenate([centre, size, angle[:, None], r[:, 4:5]], 1)
    middle, radius_px = ((r[:, 5:7] + c) * s) @ m[:, :2].T + m[:, 2], np.exp(np.minimum(r[:, 7:8], 6)) * s * scale
    head = np.concatenate([middle, radius_px, r[:, 8:9]], 1)
    boxes, head = boxes[near].astype(np.float32), head[near].astype(np.float32)
    first = rotated_nms(boxes, 0.5)
    return boxes[first], head[first]


def rotated_iou(p: F32, q: F32) -> float:
    if np.hypot(p[0] - q[0], p[1] - q[1]) > (np.hypot(p[2], p[3]) + np.hypot(q[2], q[3])) / 2:
        return 0.0
    a, b = (((float(v[0]), float(v[1])), (float(v[2]), float(v[3])), float(v[4])) for v in (p, q))
    points = cv2.rotatedRectangleIntersection(a, b)[1]
    inter = cv2.contourArea(points) if points is not None and len(points) > 2 else 0.0
    return float(inter / (p[2] * p[3] + q[2] * q[3] - inter + 1e-9))


def rotated_nms(boxes: F32, limit: float) -> list[int]:
    keep: list[int] = []
    for i in np.argsort(-boxes[:, 5]) if len(boxes) else []:
        if all(rotated_iou(boxes[i], boxes[k]) < limit for k in keep):
            keep.append(int(i))
    return keep


def mask_of(found: Found, threshold: float, silhouette_at: float) -> U8:
    """(H, W) 0/1: boxes over the threshold, heads, and the dilated silhouette."""
    mask = (found.silhouette > silhouette_at).astype(np.uint8)
    mask = np.asarray(cv2.dilate(mask, np.ones((5, 5), np.uint8)), np.uint8)
    for q in found.boxes[found.boxes[:, 5] > threshold]:
        points = cv2.boxPoints(((float(q[0]), float(q[1])), (float(q[2]), float(q[3])), float(q[4])))
        cv2.fillConvexPoly(mask, np.round(points).astype(np.int32), 1)
    return mask


def score_picture(
    found: Found, truth: dict[str, Any], picture: U8, threshold: float, leak_at: float
) -> dict[str, float]:
    """Counts of one picture: people, found at .3/.5, detections, correct ones, heads, leaking ones, over-mask."""
    people = truth["persons"]
    det = found.boxes[found.boxes[:, 5] > threshold]
    used: dict[int, int] = {}
    n = {"people": 0.0, "hit3": 0.0, "hit5": 0.0, "detections": 0.0, "right": 0.0, "heads": 0.0, "leak": 0.0}
    for i in np.argsort(-det[:, 5]):
        free = [(j, np.array(p["box"], np.float32)) for j, p in enumerate(people) if j not in used.values()]
        pairs = [(rotated_iou(det[i], box), j) for j, box in free]
        best, j = max(pairs, default=(0.0, -1))
        if best > 0.3:
            used[int(i)] = j
            hard = people[j]["difficult"]
            n["detections"] += not hard
            n["right"] += not hard
            n["hit3"] += not hard
            n["hit5"] += (best > 0.5) and not hard
        elif not _ignored(det[i], truth):
            n["detections"] += 1
    n["people"] = sum(not p["difficult"] for p in people)
    mask, body = mask_of(found, leak_at, 0.3), np.zeros(picture.shape[:2], np.uint8)
    for p in people:
        q = p["box"]
        points = cv2.boxPoints(((q[0], q[1]), (q[2], q[3]), q[4]))
        cv2.fillConvexPoly(body, np.round(points).astype(np.int32), 1)
        if p["head"] is not None:
            disc = np.zeros_like(body)
            cv2.circle(disc, (round(p["head"][0]), round(p["head"][1])), max(1, round(p["head"][2])), 1, -1)
            n["heads"] += 1
            n["leak"] += float((disc & ~mask & 1).sum() / max(1, disc.sum()))
    n["over"] = float(((mask == 1) & (body == 0)).sum() / max(1, (body == 0).sum()))
    return n


def _ignored(q: F32, truth: dict[str, Any]) -> bool:
    return any(x0 <= q[0] <= x1 and y0 <= q[1] <= y1 for x0, y0, x1, y1 in truth["ignore_xyxy"])


SCENE_OF = {"lab_b": "lab", "lab_ab": "lab", "meeting_room_e": "meeting_room"}


@dataclass(frozen=True)
class Seen:
    """One dev picture with what was found in it."""

    scene: str
    truth: dict[str, Any]
    picture: U8
    found: Found


def look(run: Net, dev: Path, size_px: int = 416, quick: bool = True) -> list[Seen]:
    """Detections on the dev pictures; `quick` takes two a scene."""
    out: list[Seen] = []
    for truth in json.loads((dev / "labels.json").read_text("utf-8"))["images"]:
        scene = SCENE_OF.get(truth["scene"], truth["scene"])
        if quick and sum(s.scene == scene for s in out) >= 2:
            continue
        path = next(p for p in (dev / truth["file"], dev / "images" / truth["file"]) if p.exists())
        picture = np.asarray(cv2.imread(str(path)), np.uint8)
        found = detect(run, picture, np.array(truth["circle_px"], float), size_px, 0.05)
        out.append(Seen(scene, truth, picture, found))
    return out


def rates(seen: list[Seen], threshold: float = 0.25, leak_at: float = 0.1) -> dict[str, dict[str, float]]:
    """Rates per scene and their plain mean under "all"."""
    sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for s in seen:
        for k, v in score_picture(s.found, s.truth, s.picture, threshold, leak_at).items():
            sums[s.scene][k] += v
        sums[s.scene]["pictures"] += 1
    report = {
        k: {
            "recall3": s["hit3"] / max(1, s["people"]), "recall5": s["hit5"] / max(1, s["people"]),
            "precision": s["right"] / max(1, s["detections"]), "head_leak": s["leak"] / max(1, s["heads"]),
            "over_mask": s["over"] / s["pictures"],
        }
        for k, s in sums.items()
    }
    report["all"] = {k: float(np.mean([r[k] for r in report.values()])) for k in next(iter(report.values()))}
    return report


def write_sheet(seen: list[Seen], path: Path, threshold: float) -> None:
    """Overlays of the first picture of every scene, three a row."""
    first = {s.scene: s for s in reversed(seen)}
    parts = [overlay(s.found, s.truth, s.picture, threshold) for s in first.values()]
    parts = [np.asarray(cv2.resize(p, (640, round(p.shape[0] * 640 / p.shape[1]))), np.uint8) for p in parts]
    high = max(p.shape[0] for p in parts)
    parts = [np.pad(p, ((0, high - p.shape[0]), (0, 0), (0, 0))) for p in parts]
    parts += [np.zeros_like(parts[0])] * (-len(parts) % 3)
    cv2.imwrite(str(path), np.vstack([np.hstack(parts[i : i + 3]) for i in range(0, len(parts), 3)]))


def overlay(found: Found, truth: dict[str, Any], picture: U8, threshold: float) -> U8:
    """Truth white, detections green (sure) or yellow (doubtful), heads red, silhouette blue."""
    out = picture.copy()
    out[..., 0] = np.maximum(out[..., 0], np.clip(found.silhouette * 255, 0, 255).astype(np.uint8))

    def draw(q: Any, colour: tuple[int, int, int], width: int) -> None:
        points = cv2.boxPoints(((float(q[0]), float(q[1])), (float(q[2]), float(q[3])), float(q[4])))
        cv2.polylines(out, [np.round(points).astype(np.int32)], True, colour, width)

    for p in truth["persons"]:
        draw(p["box"], (255, 255, 255) if not p["difficult"] else (160, 160, 160), 3)
    for q, h in zip(found.boxes, found.heads, strict=True):
        if q[5] > 0.1:
            draw(q, (0, 220, 0) if q[5] > threshold else (0, 220, 220), 2)
            if h[3] > 0.5:
                cv2.circle(out, (round(float(h[0])), round(float(h[1]))), max(1, round(float(h[2]))), (0, 0, 255), 2)
    return out


def threshold_for(seen: list[Seen], precision: float = 0.8) -> float:
    """The lowest of a few thresholds that reaches `precision`, so that nets of other calibration compare."""
    grid = [round(0.1 + 0.05 * i, 2) for i in range(16)]
    return next((t for t in grid if rates(seen, t)["all"]["precision"] >= precision), grid[-1])


def evaluate_net(net: PersonNet, dev: Path, sheet: Path) -> dict[str, float]:
    """Mean rates of the quick measure at the threshold that gives precision 0.8; writes overlays."""
    seen = look(torch_runner(net.eval()), dev)
    threshold = threshold_for(seen)
    write_sheet(seen, sheet, threshold)
    return {"threshold": threshold, **rates(seen, threshold, threshold / 2)["all"]}


def one_line(report: dict[str, float]) -> str:
    return " ".join(f"{k} {v:.3f}" for k, v in report.items())


def load_runner(model: str, data: Path) -> Net:
    if model.endswith(".onnx"):
        return onnx_runner(Path(model))
    net = person_net(data / "peers/yolox_nano.onnx") if model == "base" else PersonNet()
    if model != "base":
        net.load_state_dict(torch.load(model, map_location="cpu", weights_only=True)["ema"])
    return torch_runner(net.eval())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="checkpoint .pt, .onnx, or base")
    parser.add_argument("--dev", type=Path, required=True, help="folder with labels.json and images/")
    parser.add_argument("--size", type=int, default=416, help="tile side the net sees, px")
    parser.add_argument("--threshold", type=float, default=0.25)
    parser.add_argument("--leak-at", type=float, default=0.1, help="score from which a box masks, for head leak")
    parser.add_argument("--quick", action="store_true", help="two pictures a scene")
    parser.add_argument("--sheet", type=Path, help="overlay sheet to write")
    args = parser.parse_args()
    torch.set_num_threads(2)
    seen = look(load_runner(args.model, args.dev.parent), args.dev, args.size, args.quick)
    if args.sheet:
        write_sheet(seen, args.sheet, args.threshold)
    for i in range(1, 16):
        print(f"threshold {i * 0.05:.2f} ", one_line(rates(seen, i * 0.05, i * 0.05)["all"]))
    print(f"per scene at {args.threshold}, masks from {args.leak_at}")
    for scene, report in rates(seen, args.threshold, args.leak_at).items():
        print(f"{scene:18s}", one_line(report))


if __name__ == "__main__":
    main()
