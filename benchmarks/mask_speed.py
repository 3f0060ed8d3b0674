"""How long masking takes, beside a plain copy of the frame in the same run.

    python benchmarks/mask_speed.py [--size 1920] [--people 10] [--frames 100] [--format i420] [--json]

Ten (or so) people walk across a noisy picture at 25 frames a second; one core. CPU times, medians in ms a frame.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace

import cv2
import numpy as np

from aipg_plugin.frames import PixelFormat, Planes, plane_shapes
from aipg_plugin.masking import Background, FigureRegion, MaskPainter, MaskPlan, cell_px_for
from aipg_plugin.options import BlurIntensity, MaskingMethod

PIXELS_PER_METRE = 220.0 / 1920      # of the picture's side: a person in a 180° picture from 3 m, halfway out


def person(cx: float, cy: float, height_px: float) -> np.ndarray:
    """An upright outline (48, 2) px of that height."""
    a = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    return np.stack([cx + 0.18 * height_px * np.cos(a), cy + 0.5 * height_px * np.sin(a)], axis=1).astype(np.float32)


def plan_at(t_s: float, size: int, people: int) -> MaskPlan:
    """People on a lattice, each walking to and fro at about 1 m/s."""
    ppm = PIXELS_PER_METRE * size
    cell = cell_px_for(BlurIntensity.MIDDLE, ppm)
    columns = int(np.ceil(np.sqrt(people)))
    figures = []
    for key in range(people):
        cx = (key % columns + 0.5) * size / columns + ppm * np.sin(t_s + key)
        cy = (key // columns + 0.5) * size / columns + 0.3 * ppm * np.cos(t_s + key)
        figures.append(FigureRegion(key, (person(cx, cy, 1.75 * ppm),), 0.05 * ppm, cell))
    return MaskPlan(tuple(figures), default_cell_px=cell)


def measure(pixel_format: PixelFormat, size: int, people: int, frames: int) -> dict[str, dict[str, float]]:
    """Median ms a frame by case, and as a ratio to the copy."""
    rng = np.random.default_rng(0)
    clear: Planes = tuple(rng.integers(0, 256, shape, np.uint8)
                          for shape in plane_shapes(pixel_format, (size, size)))
    work = tuple(plane.copy() for plane in clear)
    scene = Background(clear, np.ones((size, size), np.uint8))
    cases = {"copy": None, "blurring": MaskPlan(),
             "filling": MaskPlan(method=MaskingMethod.FILLING), "background": MaskPlan(method=MaskingMethod.BACKGROUND),
             "blurring + circumferential": MaskPlan(circumferential=(size / 2, size / 2, 0.88 * size / 2)),
             "full mosaic": MaskPlan(full=True)}
    results: dict[str, dict[str, float]] = {}
    for name, base in cases.items():
        painter = MaskPainter(pixel_format, (size, size))
        times, share = [], 0.0
        for n in range(frames):
            for plane, original in zip(work, clear, strict=True):
                np.copyto(plane, original)
            plan = plan_at(n / 25, size, people)
            if base is not None and not base.full:
                plan = replace(base, figures=plan.figures, default_cell_px=plan.default_cell_px)
            started = time.thread_time()
            if base is None:
                for plane, original in zip(work, clear, strict=True):
                    np.copyto(plane, original)
            else:
                share = painter.paint(work, base if base.full else plan, n / 25, scene)
            times.append((time.thread_time() - started) * 1e3)
        results[name] = {"median_ms": float(np.median(times)), "p99_ms": float(np.percentile(times, 99)),
                         "first_ms": times[0], "masked_share": share}
    for result in results.values():
        result["copies"] = result["median_ms"] / results["copy"]["median_ms"]
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1920, help="side of the square picture in px")
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--format", type=PixelFormat, default=PixelFormat.I420, choices=list(PixelFormat))
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    results = measure(args.format, args.size, args.people, args.frames)
    if args.json:
        print(json.dumps({"size": args.size, "people": args.people, "format": args.format.value, "cases": results}))
        return
    print(f"{args.format.value} {args.size}², {args.people} people, {args.frames} frames, one core")
    print(f"{'case':28}{'median ms':>10}{'p99 ms':>10}{'first ms':>10}{'copies':>8}{'masked':>8}")
    for name, r in results.items():
        print(f"{name:28}{r['median_ms']:10.2f}{r['p99_ms']:10.2f}{r['first_ms']:10.2f}{r['copies']:8.1f}"
              f"{r['masked_share']:8.1%}")


if __name__ == "__main__":
    main()
