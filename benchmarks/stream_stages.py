"""Where the CPU time of one guarded stream goes, by stage: `python -m benchmarks.stream_stages --scene busy`.

The stages' functions count the CPU time of the thread that calls them (a profiler makes Python look twice as costly
as it is). Time of the encoder's own threads is missing: `benchmarks.stream_cost` has all of it. Stages
contain each other; indented ones are parts of the one above.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from aipg_plugin.detection.closeup import CloseUps
from aipg_plugin.detection.detector import FisheyeDetector
from aipg_plugin.detection.onnx import PersonNet, load_model
from aipg_plugin.detection.schedule import SweepSchedule
from aipg_plugin.guard.evidence import Evidence
from aipg_plugin.guard.observer import Observer
from aipg_plugin.guard.release import Release
from aipg_plugin.guard.stream import StreamGuard
from aipg_plugin.heap import bound_heap
from aipg_plugin.masking.painter import MaskPainter
from aipg_plugin.media.encoder import Encoder
from aipg_plugin.options import Models, Output, OutputKind
from aipg_plugin.scene.background import BackgroundModel
from aipg_plugin.scene.change import SceneComparator
from aipg_plugin.scene.check import PictureCheck
from aipg_plugin.scene.tile_change import TileChange
from aipg_plugin.tracking.tracker import Tracker
from benchmarks.stream_clips import Scene, make_clip
from benchmarks.stream_cost import guarded

_STAGES: tuple[tuple[str, type, str], ...] = (
    ("frame, all of it", StreamGuard, "process"), ("  thumbnail", SceneComparator, "thumbnail"),
    ("  comparisons", SceneComparator, "compare"), ("  shown to the observer, looks left out", Observer, "_compare"),
    ("  plan", Release, "_plan"), ("  paint", MaskPainter, "paint"), ("  figures", Tracker, "figures"),
    ("look, all of it", Evidence, "look"), ("  changed places", TileChange, "update"),
    ("  picture check", PictureCheck, "check"), ("  empty scene", BackgroundModel, "update"),
    ("  schedule", SweepSchedule, "next"), ("  detector", FisheyeDetector, "detect"), ("    net", PersonNet, "run"),
    ("    close-ups, net included", CloseUps, "look"), ("  tracker", Tracker, "update"),
    ("encoder, in the caller's thread", Encoder, "encode"))


class StageClock:
    """Counts the CPU time of functions while it is on (`guarded` switches it as it would a profile)."""

    def __init__(self) -> None:
        self.spent_s: defaultdict[str, float] = defaultdict(float)
        self.calls: defaultdict[str, int] = defaultdict(int)
        self._on = False

    def enable(self) -> None:
        """From here on."""
        self._on = True

    def disable(self) -> None:
        """Up to here."""
        self._on = False

    def counts(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, counted."""
        @wraps(function)
        def counted(*args: Any, **kwargs: Any) -> Any:
            start_s = time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                if self._on:
                    self.spent_s[name] += time.thread_time() - start_s
                    self.calls[name] += 1
        return counted


def main() -> int:
    """Run one stream and print its stages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scene", choices=list(Scene), type=Scene, default=Scene.BUSY)
    parser.add_argument("--size", type=int, default=960)
    parser.add_argument("--fps", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=17.0)
    parser.add_argument("--warm", type=float, default=9.0)
    options = parser.parse_args()
    bound_heap()
    watch: Any = StageClock()
    for name, owner, method in _STAGES:
        setattr(owner, method, watch.counts(name, getattr(owner, method)))
    with tempfile.TemporaryDirectory() as folder:
        clip = make_clip(options.scene, Path(folder), side_px=options.size, fps=options.fps, seconds=options.seconds)
        net = load_model(Models(threads=1))  # as the product does
        cost = guarded(clip, Output(OutputKind.HTTP, encoder="libx264"), net, options.seconds, options.warm, watch)
    frames = (options.seconds - options.warm) * options.fps
    looks = max(1, watch.calls["look, all of it"])
    print(f"{cost.total:.3f} core in all, {cost.looks_hz:.1f} looks a second")
    print(f"{'ms a frame':>11} {'ms a look':>10} {'calls a look':>13}")
    for name, _, _ in _STAGES:
        spent_ms = 1000 * watch.spent_s[name]
        print(f"{spent_ms / frames:11.2f} {spent_ms / looks:10.2f} {watch.calls[name] / looks:13.2f}  {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
