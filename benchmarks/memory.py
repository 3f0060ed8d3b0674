"""Memory over many frames: decode, guard and encode one camera as fast as it goes, in virtual time.

    python -m benchmarks.memory [--scene busy|still|empty] [--size 480] [--fps 10] [--frames 10000]

Prints the resident memory in MB ten times, and the growth per thousand frames over the second half (least squares),
after which it is judged: flat is less than `_FLAT_MB`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import psutil

from aipg_plugin.cli.demo import settings_for
from aipg_plugin.cli.heap import bound_heap
from aipg_plugin.detection.onnx import load_model
from aipg_plugin.guard.assembly import make_guard
from aipg_plugin.media.encoder import Encoder
from aipg_plugin.media.pictures import to_picture
from aipg_plugin.options import Models, Output, OutputKind, Web
from benchmarks.stream_clips import Scene, make_clip
from benchmarks.stream_cost import InlineWorker, frames_of, spec_of

_FLAT_MB = 1.0  # per thousand frames
_CLIP_S = 17.0


def resident_mb(clip: Path, frames: int, fps: int) -> list[tuple[int, float]]:
    """Frames done and resident memory in MB, a hundred times."""
    encoder = Encoder(Output(OutputKind.HTTP, encoder="libx264"), spec_of(clip))
    guard = make_guard(settings_for("", Web()).cameras[0], load_model(Models()), live=True, make_worker=InlineWorker)
    process, seen = psutil.Process(), []
    for count, frame in enumerate(frames_of(clip, frames / fps), start=1):
        for out in guard.process(frame):
            encoder.encode(to_picture(out), out.seq / fps)
        if count % max(1, frames // 100) == 0:
            seen.append((count, process.memory_info().rss / 1e6))
    guard.close()
    return seen


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scene", choices=list(Scene), type=Scene, default=Scene.EMPTY)
    parser.add_argument("--size", type=int, default=480)
    parser.add_argument("--fps", type=int, default=10)
    parser.add_argument("--frames", type=int, default=10_000)
    options = parser.parse_args()
    bound_heap()
    with tempfile.TemporaryDirectory() as name:
        clip = make_clip(options.scene, Path(name), side_px=options.size, fps=options.fps, seconds=_CLIP_S)
        seen = np.array(resident_mb(clip, options.frames, options.fps))
    half = seen[len(seen) // 2:]
    growth_mb = float(np.polyfit(half[:, 0] / 1000, half[:, 1], 1)[0])
    print(json.dumps({"scene": options.scene.value, "size": options.size, "frames": options.frames,
                      "resident_mb": [round(mb) for mb in seen[::max(1, len(seen) // 10), 1].tolist()],
                      "growth_mb_per_1000_frames": round(growth_mb, 2), "flat": growth_mb < _FLAT_MB}))
    return 0 if growth_mb < _FLAT_MB else 1


if __name__ == "__main__":
    sys.exit(main())
