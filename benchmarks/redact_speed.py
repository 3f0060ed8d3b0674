"""`redact` against plain decode and encode, and against another program, as whole processes in alternating pairs.

    python -m benchmarks.redact_speed [--clip FILE] [--preset veryfast ...] [--pairs 5] [--quiet-clip] [--json]
    python -m benchmarks.redact_speed --against PROGRAM        # deface 1.5: /path/to/venv/bin/deface

Each pair runs both one after the other, in turn first; the median of the pairs' ratios counts. `fps_ratio` is frames
a second over the floor's (or the peer's), `cpu_ratio` CPU time, which a busy machine spoils less; the load at the start
and the end is printed. `--quiet-clip` makes a clip ten times as long in which nobody is seen for nine tenths: the
sample, then the room without anybody (the median of its frames, with fresh noise, encoded like the sample). `--against`
runs both with their defaults and judges what each leaves of the heads, by the clip's truth: a head counts as left where
most of its pixels are as they were (within `--level` grey levels, so a mosaic as bright as the head counts too).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.resources import resource_path
from benchmarks.leak import LEAST_VISIBLE, ClipTruth
from benchmarks.throughput import Run, floor, guarded, measured
from evaluation.uncovered import disc

_EMPTY_TIMES = 9     # the clip's length without anybody
_NOISE = 1.0         # grey levels, deviation: a camera's after its own noise reduction
_STOOD_SHARE = 0.3   # of the frames: somebody there is in the median
_LEFT_SHARE = 0.5    # of a head's pixels that are as they were


@dataclass(frozen=True)
class Pair:
    """One run of each."""

    base: Run
    ours: Run


def alternating(base: Any, ours: Any, pairs: int) -> list[Pair]:
    """So many pairs, in turn first."""
    result = []
    for number in range(pairs):
        if number % 2:
            mine = ours()
            result.append(Pair(base(), mine))
        else:
            result.append(Pair(base(), ours()))
    return result


def summary(pairs: list[Pair]) -> dict[str, float]:
    """The figures of pairs: medians, and the range of the ratio."""
    ratios = [pair.ours.fps / pair.base.fps for pair in pairs]
    return {"base_fps": round(statistics.median(pair.base.fps for pair in pairs), 1),
            "fps": round(statistics.median(pair.ours.fps for pair in pairs), 1),
            "fps_ratio": round(statistics.median(ratios), 3), "fps_ratio_min": round(min(ratios), 3),
            "fps_ratio_max": round(max(ratios), 3),
            "cpu_ratio": round(statistics.median(pair.ours.cpu_s / pair.base.cpu_s for pair in pairs), 3),
            "cpu_ms_a_frame": round(statistics.median(1000 * pair.ours.cpu_s / pair.ours.frames for pair in pairs), 1),
            "peak_mib": round(max(pair.ours.peak_mib for pair in pairs)),
            "base_peak_mib": round(max(pair.base.peak_mib for pair in pairs))}


def quiet_clip(clip: Path, folder: Path) -> Path:
    """The clip, then nine times as long its room without anybody: the median of its frames, with fresh noise."""
    target = folder / "quiet.mp4"
    with av.open(str(clip)) as box:
        rate = box.streams.video[0].average_rate or Fraction(15)
        frames = [np.asarray(frame.to_ndarray(format="yuv420p"), np.uint8) for frame in box.decode(video=0)]
    room = _emptied(np.median(np.stack(frames[::4]).astype(np.float64), axis=0).astype(np.uint8), ClipTruth(clip))
    rng = np.random.default_rng(1)
    noises = [rng.normal(0, _NOISE, room.shape) for _ in range(25)]
    with av.open(str(target), "w") as out:
        video: Any = out.add_stream("libx264", rate=rate, options={"preset": "veryfast", "crf": "23"})
        video.height, video.width = frames[0].shape[0] * 2 // 3, frames[0].shape[1]
        empty = (np.clip(room + noises[index % len(noises)], 0, 255).astype(np.uint8)
                 for index in range(_EMPTY_TIMES * len(frames)))
        for picture in (*frames, *empty):
            out.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="yuv420p")))
        out.mux(video.encode(None))
    return target


def _emptied(room: NDArray[np.uint8], truth: ClipTruth) -> NDArray[np.float64]:
    """The planes (3 H / 2, W) of a room with those who never walked painted over by what is around them."""
    h, w = room.shape[0] * 2 // 3, room.shape[1]
    stood = (truth.ids > 0).mean(0) > _STOOD_SHARE
    mask = cv2.resize(stood.astype(np.uint8), (w, h), interpolation=cv2.INTER_NEAREST)
    mask = np.asarray(cv2.dilate(mask, np.ones((25, 25), np.uint8)), np.uint8)
    out = room.astype(np.float64)
    out[:h] = cv2.inpaint(np.ascontiguousarray(room[:h]), mask, 15, cv2.INPAINT_TELEA)
    small = np.ascontiguousarray(mask[::2, ::2])
    for plane in out[h:].reshape(2, h // 2, w // 2):
        plane[:] = cv2.inpaint(plane.astype(np.uint8), small, 8, cv2.INPAINT_TELEA)
    return out


def peer(program: str, clip: Path, target: Path) -> Run:
    """Another program with `-o OUT IN`."""
    _, run = measured([program, "-o", str(target), str(clip)])
    with av.open(str(clip)) as box:
        frames = box.streams.video[0].frames
    return replace(run, frames=frames)


def heads_left(clip: Path, made: Path, level: int) -> dict[str, object]:
    """Of the heads that a clip shows, those that a guarded copy still shows."""
    truth, heads, left = ClipTruth(clip), 0, 0
    for index, (before, after) in enumerate(zip(_luma(clip), _luma(made), strict=True)):
        same = np.abs(before.astype(np.int16) - after) <= level
        for person in truth.frames[index]["persons"]:
            if person["ignore"] or person["visible"] < LEAST_VISIBLE or person["head"] is None:
                continue
            shown = same[disc(same.shape, person["head"])]
            heads += 1
            left += bool(shown.size and shown.mean() > _LEFT_SHARE)
    return {"heads": heads, "left": left, "share": round(left / max(1, heads), 4)}


def _luma(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as box:
        return [np.asarray(frame.to_ndarray(format="gray"), np.uint8) for frame in box.decode(video=0)]


def against(program: str, clip: Path, folder: Path, pairs: int, level: int) -> dict[str, object]:
    """Both programs' speed and what they leave."""
    theirs, ours = folder / "peer.mp4", folder / "ours.mp4"
    runs = alternating(lambda: peer(program, clip, theirs), lambda: guarded(clip, ours, None, []), pairs)
    return {**summary(runs), "heads_left": heads_left(clip, ours, level), "base_heads_left":
            heads_left(clip, theirs, level)}


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, default=resource_path("samples", "lobby.mp4"))
    parser.add_argument("--preset", action="append", help="may be given several times (default veryfast and medium)")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--quiet-clip", action="store_true")
    parser.add_argument("--against", metavar="PROGRAM")
    parser.add_argument("--level", type=int, default=8, help="grey levels that encoding may change (default 8)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results: dict[str, object] = {"load_before": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = quiet_clip(options.clip, folder) if options.quiet_clip else options.clip
        if options.against:
            results["against"] = against(options.against, clip, folder, options.pairs, options.level)
        made = folder / "out.mp4"
        for preset in () if options.against else options.preset or ("veryfast", "medium"):
            results[preset] = summary(alternating(partial(floor, clip, made, preset),
                                                  partial(guarded, clip, made, preset, []), options.pairs))
    results["load_after"] = os.getloadavg()[0]
    if options.json:
        print(json.dumps(results, indent=2))
        return 0
    for name, value in results.items():
        print(f"{name:18}", value if not isinstance(value, dict) else "")
        for key, figure in value.items() if isinstance(value, dict) else ():
            print(f"  {key:18} {figure}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error}\n{error.stderr}")
