"""Regions as Frigate crops them: people found and time taken, two-stage against every turn large.

    python -m benchmarks.frigate_regions

Regions come from three frames of the shipped clip with exact truth: one around each person, and nine larger ones
with several people a frame. Times are ratios of medians, both detectors in turn on the same regions.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.detection.onnx import load_model
from aipg_plugin.hosts.frigate import RegionDetector
from aipg_plugin.options import Models
from aipg_plugin.resources import resource_path

_FRAMES = (10, 60, 110)
_SIDE_PX = 320
_CROWD_PX = 640
_VISIBLE = 0.3
_MIN_SCORE = 0.25


@dataclass(frozen=True)
class Region:
    """A crop (320, 320, 3) uint8 BGR and the middles of the people in it, normalised."""

    picture: NDArray[np.uint8]
    people: tuple[tuple[float, float], ...]


class EveryTurn(RegionDetector):
    """All turns large, as before there were two stages."""

    def detect(self, region_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `RegionDetector`."""
        self._small_px = self._side_px
        return super().detect(region_bgr)


def regions() -> tuple[list[Region], list[Region]]:
    """Regions with one person in the middle, and larger ones."""
    truth = json.loads(resource_path("samples", "lobby.truth.json").read_text(encoding="utf-8"))["frames"]
    video = cv2.VideoCapture(str(resource_path("samples", "lobby.mp4")))
    single, crowd = [], []
    for index in range(max(_FRAMES) + 1):
        read, frame = video.read()
        if not read or index not in _FRAMES:
            continue
        picture = np.asarray(frame, np.uint8)
        people = [person["box"] for person in truth[index]["persons"]
                  if not person["ignore"] and person["visible"] > _VISIBLE]
        for cx, cy, w, h, _angle in people:
            side = int(max(_SIDE_PX, 1.35 * max(w, h)))
            x0, y0 = (int(np.clip(middle - side / 2, 0, limit - side))
                      for middle, limit in ((cx, picture.shape[1]), (cy, picture.shape[0])))
            single.append(_region(picture, x0, y0, side, [(cx, cy)]))
        for x0 in (0, 320, 640):
            for y0 in (0, 320, 640):
                crowd.append(_region(picture, x0, y0, _CROWD_PX, [(box[0], box[1]) for box in people]))
    return single, crowd


def found(detector: RegionDetector, asked: Sequence[Region]) -> tuple[int, int, float]:
    """How many people are covered by a row, how many there are, and the median seconds a region."""
    hits = people = 0
    times_s = []
    for region in asked:
        start_s = time.perf_counter()
        table = detector.detect(region.picture)
        times_s.append(time.perf_counter() - start_s)
        rows = table[table[:, 1] > _MIN_SCORE]
        people += len(region.people)
        hits += sum(bool(((rows[:, 2] < y) & (y < rows[:, 4]) & (rows[:, 3] < x) & (x < rows[:, 5])).any())
                    for x, y in region.people)
    return hits, people, float(np.median(times_s))


def _region(frame: NDArray[np.uint8], x0: int, y0: int, side: int, people: list[tuple[float, float]]) -> Region:
    crop = cv2.resize(frame[y0:y0 + side, x0:x0 + side], (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA)
    inside = [((x - x0) / side, (y - y0) / side) for x, y in people]
    return Region(np.asarray(crop, np.uint8), tuple((x, y) for x, y in inside if .08 < x < .92 and .08 < y < .92))


def main() -> None:
    """Print a row for each kind of region."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5, help="alternating pairs of runs (default 5)")
    options = parser.parse_args()
    net = load_model(Models())
    for name, asked in zip(("one person", "several"), regions(), strict=True):
        ratios = []
        for _ in range(options.pairs):
            old_hits, people, old_s = found(EveryTurn(net), asked)
            hits, _, new_s = found(RegionDetector(net), asked)
            ratios.append(new_s / old_s)
        print(f"{name:12} people {people}  found {hits} (every turn {old_hits})  time ratio {np.median(ratios):.2f} "
              f"({min(ratios):.2f}-{max(ratios):.2f})  {new_s * 1e3:.0f} ms a region")


if __name__ == "__main__":
    main()
