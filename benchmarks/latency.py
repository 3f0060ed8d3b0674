"""How soon somebody who walks in is found: `python -m benchmarks.latency`, on the sample clip with its exact truth.

The product's own analyzer looks five times a second, with its tile budget and nominal tile cost; every phase of the
decisions against the entry is tried. Found: a detection or foreground region with rotated IoU ≥ 0.3, or covering the
middle of the person's box.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.detection.detector import FisheyeDetector
from aipg_plugin.detection.onnx import PersonNet
from aipg_plugin.detection.tiles import LIVE
from aipg_plugin.geometry import boxes as box_math
from aipg_plugin.geometry.camera import FisheyeCamera, ImageCircle
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.options import MountKind, Sensitivity
from aipg_plugin.resources import resource_path
from aipg_plugin.scene.analyzer import SceneAnalyzer
from aipg_plugin.scene.picture import LookPicture
from aipg_plugin.thresholds import MaskedForeground, thresholds
from evaluation.pictures import LENS
from evaluation.systems import open_net

VISIBLE = 0.5


def frames(path: Path, size_wh: tuple[int, int]) -> list[NDArray[np.uint8]]:
    """All pictures of a clip, BGR at `size_wh`."""
    with av.open(str(path)) as container:
        return [np.asarray(cv2.resize(f.to_ndarray(format="bgr24"), size_wh, interpolation=cv2.INTER_AREA), np.uint8)
                for f in container.decode(video=0)]


def open_clip(net: PersonNet, clip: Path) -> tuple[dict[str, Any], FisheyeDetector, list[NDArray[np.uint8]]]:
    """The truth of a rendered clip, the live detector of its camera, and its pictures at the size that takes."""
    document: dict[str, Any] = json.loads(clip.with_suffix(".truth.json").read_text(encoding="utf-8"))
    camera = FisheyeCamera(LENS, ImageCircle(*document["circle_px"]), tuple(document["size_wh"]))
    mount = Mount(MountKind.CEILING, float(document["height_m"]))
    detector = FisheyeDetector(net, camera, mount, plan=LIVE)
    return document, detector, frames(clip, detector.size_wh)


def entries(truth: list[dict[str, list[dict[str, object]]]]) -> list[tuple[int, int]]:
    """(frame, person) of everybody who comes into view after the first second, half of them visible."""
    seen: set[int] = set()
    found = []
    for index, frame in enumerate(truth):
        for person in frame["persons"]:
            number = int(str(person["id"]))
            if number not in seen and float(str(person["visible"])) >= VISIBLE and not person["ignore"]:
                seen.add(number)
                if index >= 15:
                    found.append((index, number))
    return found


def delays_s(net: PersonNet, clip: Path, level: Sensitivity, last: int | None = None) -> tuple[list[float], float]:
    """Delay of every entry at every phase (inf: never found), and the share of visible people found per look; `last`
    frames of the clip at the most.
    """
    document, detector, pictures = open_clip(net, clip)
    truth, fps = document["frames"][:last], float(document["fps"])
    scale = np.array([*[detector.size_wh[0] / document["size_wh"][0]] * 4, 1.0])
    step, limit = round(fps / 5), thresholds(level).on_score
    delays, hits, people = [], 0, 0
    for phase in range(step):
        analyzer = SceneAnalyzer(detector, detector.mount, live=False, single_image=False)
        waiting = {number: index for index, number in entries(truth)}
        for index in range(phase, min(len(pictures), len(truth)), step):
            observation = analyzer.look(LookPicture.of_bgr(pictures[index]), index / fps, ())
            boxes = observation.detections.boxes[observation.detections.scores >= limit].astype(np.float64)
            if thresholds(level).foreground is MaskedForeground.ALL:
                boxes = np.concatenate([boxes, observation.foreground.boxes])
            for person in truth[index]["persons"]:
                box = np.array([person["box"]], np.float64) * scale
                is_found = len(boxes) > 0 and bool(
                    (box_math.iou(boxes, box) >= 0.3).any() or box_math.contains(boxes, box[:, :2]).any())
                if person["visible"] >= VISIBLE and not person["ignore"]:
                    people, hits = people + 1, hits + is_found
                if is_found and waiting.get(person["id"], index + 1) <= index:
                    delays.append((index - waiting.pop(person["id"])) / fps)
        delays += [float("inf")] * len(waiting)
    return delays, hits / max(1, people)


def main() -> int:
    """Command line; says so when the clip is not there."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument("--model", default="standard/fp32")
    parser.add_argument("--clip", type=Path, default=resource_path("samples", "lobby.mp4"))
    parser.add_argument("--levels", nargs="+", type=Sensitivity, default=list(Sensitivity), help="sensitivities")
    parser.add_argument("--frames", type=int, help="this many frames of the clip at the most")
    arguments = parser.parse_args()
    if not arguments.clip.is_file():
        print(f"skipped: no clip {arguments.clip}")
        return 0
    net = open_net(arguments.model, 2)
    for level in arguments.levels:
        delays, share = delays_s(net, arguments.clip, level, arguments.frames)
        never = sum(d == float("inf") for d in delays)
        print(f"{level.value}: {len(delays)} entries, median {1000 * float(np.median(delays or [np.nan])):.0f} ms, "
              f"{never} never; {100 * share:.1f} % of visible people seen anew per look "
              "(tiles take turns)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
