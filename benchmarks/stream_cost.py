"""CPU seconds that guarding takes per second of video, beside decoding and encoding alone in the same run.

    python -m benchmarks.stream_cost [--scene busy|still|empty] [--size 960] [--fps 10] [--seconds 20] [--pairs 5]

A live guard with the product's settings gets the frames of a clip (`stream_clips.py`) as fast as they can be
processed, in virtual time: its clock is the clip's, and a look is over before the next frame, so it looks five times
a second of video however busy the machine is. Guarding and the floor alternate; process CPU time counts, medians. The
first `--warm` seconds of each run, in which the empty scene is learned, are not counted.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av

from aipg_plugin.cli.demo import settings_for
from aipg_plugin.detection.onnx import load_model
from aipg_plugin.frames import Frame
from aipg_plugin.guard.assembly import make_guard
from aipg_plugin.guard.evidence import Evidence
from aipg_plugin.guard.looks import Shown
from aipg_plugin.heap import bound_heap
from aipg_plugin.media.encoder import Encoder, EncoderSpec
from aipg_plugin.media.pictures import to_picture
from aipg_plugin.media.source import open_source
from aipg_plugin.options import Models, Output, OutputKind, Source, Web
from aipg_plugin.scene.picture import LookPicture
from benchmarks.stream_clips import Scene, make_clip


@dataclass
class Cost:
    """CPU seconds per second of video, in all and of the looks alone; looks per second of video; what was masked."""

    total: float = 0.0
    looks: float = 0.0
    looks_hz: float = 0.0
    failsafe: int = 0


class InlineWorker:
    """Looks at once, in the frame's own thread, and counts the CPU time."""

    cpu_s = 0.0
    count = 0

    def __init__(self, evidence: Evidence, _name: str) -> None:
        self._evidence = evidence

    def wants(self, t_s: float, *, urgent: bool = False) -> bool:
        """Whether a look is due."""
        return urgent or self._evidence.due(t_s)

    def offer(self, picture: LookPicture, t_s: float, shown: Shown) -> None:
        """Look."""
        start_s = time.process_time()
        self._evidence.see(picture, t_s, shown)
        InlineWorker.cpu_s += time.process_time() - start_s
        InlineWorker.count += 1

    def close(self, _timeout_s: float = 0.0) -> None:
        """Nothing runs."""


def _frames(clip: Path, seconds: float) -> Iterator[Frame]:
    """The frames of a clip as of a live camera whose clock starts at 0, over and over."""
    start_s, seq = 0.0, 0
    while True:
        with open_source(Source(str(clip), realtime=False, hardware_decode="none"), "1") as source:
            step_s = 1 / (source.info.fps or 10.0)
            for frame in source:
                if isinstance(frame, Frame):
                    t_s = start_s + seq * step_s
                    if t_s >= seconds:
                        return
                    yield replace(frame, seq=seq, pts_s=t_s, wall_time_s=t_s)
                    seq += 1


def _spec(clip: Path) -> EncoderSpec:
    with open_source(Source(str(clip), realtime=False, hardware_decode="none"), "1") as source:
        return EncoderSpec.of(source.info, live=True)


def floor(clip: Path, output: Output, seconds: float, warm_s: float) -> Cost:
    """Decode and encode alone, no frame touched in Python."""
    spec = _spec(clip)
    encoder, index, start_cpu_s = Encoder(output, spec), 0, 0.0
    while index < seconds * spec.fps:
        with av.open(str(clip)) as box:
            box.streams.video[0].thread_type = "AUTO"
            for picture in box.decode(video=0):
                if index == round(warm_s * spec.fps):
                    start_cpu_s = time.process_time()
                encoder.encode(picture, index / spec.fps)
                index += 1
                if index >= seconds * spec.fps:
                    break
    encoder.flush()
    return Cost((time.process_time() - start_cpu_s) / (seconds - warm_s))


def guarded(clip: Path, output: Output, net: Any, seconds: float, warm_s: float,
            profile: cProfile.Profile | None = None) -> Cost:
    """Decode, guard and encode."""
    encoder, cost, started = Encoder(output, _spec(clip)), Cost(), False
    guard = make_guard(settings_for("", Web()).cameras[0], net, live=True, make_worker=InlineWorker)
    start_cpu_s, t_s = 0.0, 0.0
    for frame in _frames(clip, seconds):
        if not started and (frame.pts_s or 0.0) >= warm_s:
            started, start_cpu_s = True, time.process_time()
            InlineWorker.cpu_s, InlineWorker.count = 0.0, 0
            if profile is not None:
                profile.enable()
        for out in guard.process(frame):
            cost.failsafe += started and out.state in ("failsafe", "starting")
            encoder.encode(to_picture(out), t_s)
            t_s += 1 / encoder.spec.fps
    encoder.flush()
    if profile is not None:
        profile.disable()
    guard.close()
    span_s = seconds - warm_s
    cost.total = (time.process_time() - start_cpu_s) / span_s
    cost.looks, cost.looks_hz = InlineWorker.cpu_s / span_s, InlineWorker.count / span_s
    return cost


def main() -> int:
    """Run the pairs and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scene", choices=list(Scene), type=Scene, default=Scene.BUSY)
    parser.add_argument("--clip", type=Path, help="this clip in place of a scene")
    parser.add_argument("--size", type=int, default=960)
    parser.add_argument("--fps", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--warm", type=float, default=10.0)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--tier", default="standard")
    parser.add_argument("--profile", type=Path, help="write a profile of one guarded run and stop")
    options = parser.parse_args()
    bound_heap()
    net = load_model(Models(tier=options.tier, threads=1))  # as the product does
    output = Output(OutputKind.HTTP, encoder="libx264")
    with tempfile.TemporaryDirectory() as name:
        clip = options.clip or make_clip(options.scene, Path(name), side_px=options.size, fps=options.fps,
                                         seconds=options.seconds if options.scene is not Scene.BUSY else 17.0)
        if options.profile:
            profile = cProfile.Profile(time.process_time)
            print(guarded(clip, output, net, options.seconds, options.warm, profile))
            profile.dump_stats(options.profile)
            return 0
        pairs = []
        for number in range(options.pairs):
            if number % 2:
                mine = guarded(clip, output, net, options.seconds, options.warm)
                base = floor(clip, output, options.seconds, options.warm)
            else:
                base = floor(clip, output, options.seconds, options.warm)
                mine = guarded(clip, output, net, options.seconds, options.warm)
            pairs.append((base, mine))
    ratios = [mine.total / base.total for base, mine in pairs]
    print(json.dumps({
        "scene": options.clip.name if options.clip else options.scene.value, "size": options.size, "fps": options.fps,
        "pairs": len(pairs), "floor_core": round(statistics.median(base.total for base, _ in pairs), 3),
        "guarded_core": round(statistics.median(mine.total for _, mine in pairs), 3),
        "looks_core": round(statistics.median(mine.looks for _, mine in pairs), 3),
        "looks_hz": round(pairs[-1][1].looks_hz, 2), "failsafe_frames": sum(mine.failsafe for _, mine in pairs),
        "ratio_median": round(statistics.median(ratios), 2), "ratio_min": round(min(ratios), 2),
        "ratio_max": round(max(ratios), 2)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
