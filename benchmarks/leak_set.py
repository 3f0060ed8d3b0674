"""Leaks from a set of rendered clips: rooms calm and busy, and the same people at 5, 10 and 25 frames a second.

    python -m benchmarks.leak_set --work FOLDER [--only lobby] [--mode live] [--model standard/fp32]

Clips that FOLDER lacks are rendered first (`rendering sequence`; bodies and textures from $AIPG_RENDER_DATA), and each
is judged once, so that a run which was stopped goes on. Definitions: `benchmarks.leak`. Walkers are told by the clip's
name; besides them sits or stands who belongs to the room. A calm clip may hold many who sit still.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aipg_plugin.detection.onnx import PersonNet
from aipg_plugin.options import Sensitivity
from benchmarks.leak import LEAST_VISIBLE, ClipTruth, measure
from evaluation.systems import open_net

SECONDS = 4.0
CALM, BUSY = 2, 8  # people who walk


@dataclass(frozen=True)
class ClipSpec:
    """One clip: kind of room, seed of the renderer, how many walk, frames a second."""

    room: str
    seed: int
    walkers: int
    fps: float

    @property
    def name(self) -> str:
        """File name without extension, and the row's name."""
        return f"{self.room}_{'busy' if self.walkers >= BUSY else 'calm'}_{self.fps:g}fps"


CLIPS = tuple(ClipSpec(room, seed, walkers, 10.0)
              for room, seed in (("lobby", 5101), ("office", 5102), ("shop", 5103), ("meeting", 5104))
              for walkers in (CALM, BUSY)) + tuple(ClipSpec("lobby", 5101, BUSY, fps) for fps in (5.0, 25.0))


def made(spec: ClipSpec, folder: Path) -> Path:
    """The clip's file, rendered unless it is there. Raises CalledProcessError."""
    clip = folder / f"{spec.name}.mp4"
    if not clip.with_suffix(".silhouettes.npz").exists():  # written last
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "rendering", "sequence", "--out", str(clip.with_suffix("")),
                        "--seed", str(spec.seed), "--room", spec.room, "--people", str(spec.walkers),
                        "--fps", f"{spec.fps:g}", "--seconds", f"{SECONDS:g}"], check=True)
    return clip


def judged(spec: ClipSpec, clip: Path, net: PersonNet, *, live: bool, level: Sensitivity) -> dict[str, object]:
    """The clip's row: `benchmarks.leak`'s figures, people in sight, and the longest clear run in seconds."""
    tally = measure(clip, net, live=live, sensitivity=level)
    people = [sum(not person["ignore"] and person["visible"] >= LEAST_VISIBLE for person in frame["persons"])
              for frame in ClipTruth(clip).frames]
    return {"people": round(float(np.mean(people)), 1), **tally.result(),
            "longest_clear_s": round(tally.longest_clear / spec.fps, 2)}


_COLUMNS = (("people", "people", 1.0), ("head %", "head_leak", 100.0), ("body %", "body_leak", 100.0),
            ("over %", "over_mask", 100.0), ("clear s", "longest_clear_s", 1.0), ("whole", "full_mosaic_frames", 1.0))


def table(rows: dict[str, dict[str, float]]) -> str:
    """One line a clip; `whole`: frames that left masked whole."""
    lines = [f"{'':22s}" + "".join(f"{title:>9s}" for title, _, _ in _COLUMNS)]
    lines += [f"{name:22s}" + "".join(f"{row[key] * factor:9.2f}" for _, key, factor in _COLUMNS)
              for name, row in rows.items()]
    return "\n".join(lines)


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.leak_set", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for clips and results")
    parser.add_argument("--only", default="", help="clips whose name begins so")
    parser.add_argument("--mode", choices=("offline", "live"), default="offline")
    parser.add_argument("--sensitivity", choices=list(Sensitivity), default=Sensitivity.HIGH)
    parser.add_argument("--model", default="standard/fp32", help="tier/precision, or an ONNX file")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    net = open_net(arguments.model, arguments.threads)
    name = Path(arguments.model).stem if arguments.model.endswith(".onnx") else arguments.model.replace("/", "_")
    file = arguments.work / f"leak_{name}_{arguments.mode}_{arguments.sensitivity}.json"
    rows = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    for spec in CLIPS:
        if not spec.name.startswith(arguments.only) or spec.name in rows:
            continue
        rows[spec.name] = judged(spec, made(spec, arguments.work), net, live=arguments.mode == "live",
                                 level=Sensitivity(arguments.sensitivity))
        part = file.with_suffix(".part")
        part.write_text(json.dumps(rows, indent=2), encoding="utf-8")
        os.replace(part, file)
    print(table(rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
