"""What is compared: our nets under a tile plan, and peers as their makers use them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.detection.detections import Detections
from aipg_plugin.detection.detector import FisheyeDetector
from aipg_plugin.detection.layouts import decode
from aipg_plugin.detection.onnx import PersonNet, load_model
from aipg_plugin.detection.tiles import PLANS, TilePlan
from aipg_plugin.geometry.camera import FisheyeCamera
from aipg_plugin.geometry.gravity import aligned
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection, make_projection
from aipg_plugin.options import CaptureMode, CustomModel, Models
from evaluation.pictures import LabelledPicture, shared_folder

_KEPT = 8  # detectors kept for pictures to come: each holds the maps of its tiles


def to_native(found: Detections, factor: tuple[float, float]) -> Detections:
    """Detections of a scaled picture in native pixels."""
    fx, fy = factor
    scale = (fx + fy) / 2
    return Detections(found.boxes * np.array([fx, fy, scale, scale, 1], np.float32), found.scores,
                      found.heads * np.array([fx, fy, scale], np.float32), found.outlines)


@dataclass
class System:
    """A named way to find people; `seconds` collects the time each picture took, without its first set-up."""

    name: str
    predict: Callable[[NDArray[np.uint8], LabelledPicture], Detections]
    seconds: list[float] = field(default_factory=list)


def tiled(name: str, net: PersonNet, plan: TilePlan) -> System:
    """One of our detectors on the labelled camera."""
    @lru_cache(_KEPT)
    def detector_of(camera: FisheyeCamera, mount: Mount) -> FisheyeDetector:
        return FisheyeDetector(net, camera, mount, plan=plan, min_score=0.02)

    def predict(picture: NDArray[np.uint8], truth: LabelledPicture) -> Detections:
        size = (picture.shape[1], picture.shape[0])
        detector = detector_of(truth.camera(size), truth.mount)
        small = picture
        if detector.size_wh != size:
            small = np.asarray(cv2.resize(picture, detector.size_wh, interpolation=cv2.INTER_AREA), np.uint8)
        start = time.perf_counter()
        found = detector.detect(small)
        system.seconds.append(time.perf_counter() - start)
        return to_native(found, (size[0] / detector.size_wh[0], size[1] / detector.size_wh[1]))

    system = System(name, predict)
    return system


def panorama(name: str, net: PersonNet, plan: TilePlan) -> System:
    """Our detector on a 360° strip rendered from the picture (what unwrapping first would give), boxes brought back."""
    @lru_cache(_KEPT)
    def prepare(camera: FisheyeCamera, mount: Mount) -> tuple[FisheyeDetector, NDArray[np.float32], Projection]:
        w = round(2 * np.pi * camera.circle.radius_px)
        strip = make_projection(CaptureMode.PANORAMA, law=camera.law, circle=camera.circle, mount=mount,
                                size_wh=(w, w // 4))
        detector = FisheyeDetector(net, strip, mount, plan=plan, min_score=0.02)
        target = detector.projection
        tw, th = target.size_wh
        grid = np.stack(np.meshgrid(np.arange(tw) + 0.5, np.arange(th) + 0.5), -1).reshape(-1, 2)
        source = camera.ray_to_pixel(target.pixel_to_ray(grid)).reshape(th, tw, 2) - 0.5
        return detector, np.nan_to_num(source, nan=-9.0).astype(np.float32), target

    def predict(picture: NDArray[np.uint8], truth: LabelledPicture) -> Detections:
        camera = truth.camera((picture.shape[1], picture.shape[0]))
        detector, source, target = prepare(camera, truth.mount)
        start = time.perf_counter()
        strip = np.asarray(cv2.remap(picture, source[..., 0], source[..., 1], cv2.INTER_LINEAR), np.uint8)
        found = detector.detect(strip)
        system.seconds.append(time.perf_counter() - start)
        return _brought_back(found, target, camera, truth.mount)

    system = System(name, predict)
    return system


def _brought_back(found: Detections, strip: Projection, camera: FisheyeCamera, mount: Mount) -> Detections:
    """Detections of a strip in the fisheye picture: each box from its middle and the middles of its sides."""
    kept, boxes = [], []
    for i, box in enumerate(found.boxes.astype(np.float64)):
        cross = np.array([[0, 0], [-1, 0], [1, 0], [0, -1], [0, 1]])
        px = box[:2] + cross * box[2:4] / 2
        px[:, 1] = np.clip(px[:, 1], 0.5, strip.size_wh[1] - 0.5)
        back = camera.ray_to_pixel(strip.pixel_to_ray(px))
        if not np.isfinite(back).all():
            continue
        w, h = np.linalg.norm(back[1] - back[2]), np.linalg.norm(back[3] - back[4])
        middle = (back[3] + back[4]) / 2
        boxes.append(aligned(camera, mount, np.array([[*middle, max(w, 1.0), max(h, 1.0)]]))[0])
        kept.append(i)
    chosen = found.select(kept)
    return Detections.of(np.array(boxes, np.float32).reshape(-1, 5), chosen.scores, None, chosen.outlines)


def whole_picture(name: str, net: PersonNet) -> System:
    """A peer on the raw fisheye picture, shrunk to its input; boxes turned to gravity (generous to the peer)."""
    side = net.tile_px

    def predict(picture: NDArray[np.uint8], truth: LabelledPicture) -> Detections:
        start = time.perf_counter()
        h, w = picture.shape[:2]
        factor = side / max(h, w)
        canvas = np.full((side, side, 3), 114, np.uint8)
        small = cv2.resize(picture, (round(w * factor), round(h * factor)), interpolation=cv2.INTER_AREA)
        canvas[:small.shape[0], :small.shape[1]] = small
        raw, _ = net.run(canvas[None])
        found = decode(net.layout, raw[0], (side, side), 0.02, net.person_class)
        upright = np.concatenate([found.boxes / factor, np.zeros((len(found.boxes), 1))], 1)
        keep = _axis_nms(upright, found.scores)
        system.seconds.append(time.perf_counter() - start)
        return Detections.of(_better_turned(upright[keep], truth.camera((w, h)), truth.mount), found.scores[keep])

    system = System(name, predict)
    return system


def _axis_nms(boxes: NDArray[np.float64], scores: NDArray[np.floating]) -> NDArray[np.intp]:
    corners = np.concatenate([boxes[:, :2] - boxes[:, 2:4] / 2, boxes[:, 2:4]], 1)
    kept = cv2.dnn.NMSBoxes(corners.tolist(), scores.tolist(), 0.0, 0.45) if len(boxes) else []
    return np.asarray(kept, np.intp).reshape(-1)


def _better_turned(boxes: NDArray[np.float64], camera: Projection, mount: Mount) -> NDArray[np.float64]:
    """Upright boxes as gravity-aligned ones: sides swapped where the figure lies across the picture."""
    turned = np.asarray(aligned(camera, mount, boxes[:, :4]), np.float64)
    across = np.abs(np.sin(np.radians(turned[:, 4]))) > np.sqrt(0.5)
    turned[across, 2:4] = turned[across][:, [3, 2]]
    return turned


def yolox_nano(threads: int = 2) -> PersonNet | None:
    """The peer's net through the custom-model path; None when its file is not there."""
    path = shared_folder() / "data" / "peers" / "yolox_nano.onnx"
    if not path.is_file():
        return None
    return load_model(Models(threads=threads, custom=CustomModel(file=str(path), layout="yolox", tile_px=416)))


def make_systems(models: list[str], plans: list[str], peers: bool, threads: int = 2) -> list[System]:
    """Systems by name: a model is `tier/precision` of the manifest or the path of an ONNX file in our layout."""
    systems = []
    for model in models:
        net = open_net(model, threads)
        for plan in plans:
            short = Path(model).stem if model.endswith(".onnx") else model
            make = panorama if plan.startswith("panorama") else tiled
            systems.append(make(f"{short} {plan}", net, parse_plan(plan.removeprefix("panorama-"))))
    base = yolox_nano(threads) if peers else None
    if base is not None:
        systems.append(whole_picture("yolox_nano raw", base))
        systems += [tiled(f"yolox_nano {plan}", base, replace(parse_plan(plan), input_px=416)) for plan in plans]
    return systems


def open_net(model: str, threads: int) -> PersonNet:
    """A net by manifest name or file."""
    if model.endswith(".onnx"):
        from aipg_plugin.detection.onnx import open_file
        return open_file(Path(model), threads=threads)
    tier, _, precision = model.partition("/")
    return load_model(Models(tier=tier, precision=precision or "fp32", threads=threads))


def parse_plan(name: str) -> TilePlan:
    """A plan by name, with an optional input side: `live`, `thorough`, `live@416`."""
    base, _, side = name.partition("@")
    plan = PLANS[base]
    return replace(plan, input_px=int(side)) if side else plan
