"""What detection costs: `python -m benchmarks.detector_speed`.

CPU time of one thread, so that a busy machine does not spoil it: of a tile (peers in the same process, interleaved), of
a full sweep of a picture of noise and rectangles, and of the scheduled detector on the sample clip.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from aipg_plugin.detection.detector import FisheyeDetector
from aipg_plugin.detection.manifest import manifest
from aipg_plugin.detection.onnx import PersonNet
from aipg_plugin.detection.tiles import PLANS
from aipg_plugin.geometry.camera import FisheyeCamera, ImageCircle
from aipg_plugin.resources import resource_path
from aipg_plugin.scene.analyzer import SceneAnalyzer
from aipg_plugin.scene.picture import LookPicture
from aipg_plugin.tracking.tracker import Tracker
from benchmarks.latency import open_clip
from evaluation.pictures import LENS, MOUNT
from evaluation.systems import open_net, yolox_nano

DECISIONS_HZ = 5.0


def camera(side_px: int = 1920) -> FisheyeCamera:
    """A whole circle in a square picture."""
    return FisheyeCamera(LENS, ImageCircle(side_px / 2, side_px / 2, side_px / 2), (side_px, side_px))


def scene(size_wh: tuple[int, int], seed: int = 0) -> np.ndarray:
    """(H, W, 3) uint8 picture with something to look at."""
    rng = np.random.default_rng(seed)
    picture = rng.integers(90, 120, (size_wh[1], size_wh[0], 3), dtype=np.uint8)
    for _ in range(60):
        x, y = rng.integers(0, size_wh[0]), rng.integers(0, size_wh[1])
        cv2.rectangle(picture, (int(x), int(y)), (int(x) + 40, int(y) + 60), rng.integers(0, 255, 3).tolist(), -1)
    return picture


def cpu_ms(call: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Median CPU and wall time of a call, milliseconds, after one warm-up."""
    call()
    cpu, wall = [], []
    for _ in range(repeats):
        c, w = time.process_time(), time.perf_counter()
        call()
        cpu.append(time.process_time() - c)
        wall.append(time.perf_counter() - w)
    return float(np.median(cpu)) * 1e3, float(np.median(wall)) * 1e3


def nets_by_tile(nets: dict[str, PersonNet], repeats: int) -> dict[str, float]:
    """CPU ms of one tile per net and side, interleaved so that all see the same machine."""
    times: dict[str, list[float]] = {}
    for _ in range(repeats):
        for name, net in nets.items():
            for side in [net.tile_px] if net.fixed_wh else [256, 320, 416]:
                tile = np.zeros((1, side, side, 3), np.uint8)
                net.run(tile)
                start = time.process_time()
                net.run(tile)
                times.setdefault(f"{name}@{side}", []).append((time.process_time() - start) * 1e3)
    return {name: float(np.median(values)) for name, values in times.items()}


def scheduled(net: PersonNet, clip: Path, seconds: float) -> dict[str, float]:
    """One camera, the sample clip (seven people, five of whom walk) at 5 looks a second: CPU share of one core.

    A look is the product's own: picture check, motion, tiles, close-ups, tracks. The first second, a full sweep, is
    left out.
    """
    document, detector, pictures = open_clip(net, clip)
    analyzer = SceneAnalyzer(detector, detector.mount, live=True, single_image=False)
    tracker = Tracker(detector.projection, detector.mount)
    step = round(float(document["fps"]) / DECISIONS_HZ)
    count, spent_s, people = int(seconds * DECISIONS_HZ), 0.0, 0
    for i in range(count + int(DECISIONS_HZ)):
        t_s, picture = i / DECISIONS_HZ, pictures[i * step % len(pictures)]
        start = time.process_time()
        observation = analyzer.look(LookPicture.of_bgr(picture), t_s, tracker.figures(t_s))
        tracker.update(observation.detections, t_s, observation.gone)
        if i >= DECISIONS_HZ:
            spent_s += time.process_time() - start
            people += len(tracker.tracks)
    return {"core_share": spent_s / seconds, "people": people / count}


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detector_speed", description=__doc__)
    parser.add_argument("--models", nargs="*", help="tier/precision of the manifest, or ONNX files")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--clip", type=Path, default=resource_path("samples", "lobby.mp4"))
    parser.add_argument("--seconds", type=float, default=8.0, help="length of the scheduled run")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    names = arguments.models if arguments.models is not None else [f"{e.tier}/{e.precision}" for e in manifest()]
    nets = {name: open_net(name, 1) for name in names}
    peer = yolox_nano(1)
    result: dict[str, object] = {}
    tiles = nets_by_tile({**nets, **({"yolox_nano": peer} if peer else {})}, arguments.repeats)
    result["tile_cpu_ms"] = tiles
    base = tiles.get("yolox_nano@416", float("nan"))
    for name, value in tiles.items():
        print(f"{name:28s} {value:6.1f} ms CPU a tile, {value / base:4.2f} x YOLOX-nano 416")
    for name, net in nets.items():
        for plan in PLANS.values():
            detector = FisheyeDetector(net, camera(), MOUNT, plan=plan)
            picture = scene(detector.size_wh)
            cpu, wall = cpu_ms(lambda d=detector, p=picture: d.detect(p), max(3, arguments.repeats // 3))  # type: ignore[misc]
            result[f"{name} {plan.name} sweep"] = {"cpu_ms": cpu, "wall_ms": wall, "tiles": len(detector.tiles)}
            print(f"{name} {plan.name}: full sweep of {len(detector.tiles)} tiles {cpu:.0f} ms CPU, {wall:.0f} ms wall")
        shares = scheduled(net, arguments.clip, arguments.seconds)
        result[f"{name} scheduled"] = shares
        print(f"{name} scheduled at {DECISIONS_HZ:.0f}/s: {100 * shares['core_share']:.0f} % of a core, "
              f"{shares['people']:.1f} people tracked at a time")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
