"""Resident memory of guarding for a long time: decode, detect, mask, encode, over and over the clip.

    python -m benchmarks.memory [--frames 10000] [--size 1920] [--json]    # one file, as fast as it goes
    python -m benchmarks.memory --cameras 8 [--frames 10000]               # live, as `aipg run`, recorded

Prints the peak, and the memory after a fifth of the frames and at the end: a leak shows as growth between the two.
Live, the cameras are those of `benchmarks.many_cameras`, 10 frames a second each; processes of detectors count, and
what several processes share (`pss_mib`: once; `mib`: for each of them).
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil
import tqdm

from aipg_plugin.cli.demo import settings_for
from aipg_plugin.detection.onnx import load_model
from aipg_plugin.frames import Frame, GuardedFrame
from aipg_plugin.guard.assembly import make_guard
from aipg_plugin.heap import bound_heap
from aipg_plugin.hosts.standalone import StandaloneHost, run_until
from aipg_plugin.media.sink import open_sink
from aipg_plugin.media.source import open_source
from aipg_plugin.options import Models, Output, OutputKind, Settings, Source, Web
from aipg_plugin.resources import resource_path
from aipg_plugin.sharing import share_processor
from benchmarks.many_cameras import cameras_of, make_clips
from benchmarks.many_clips import clips_folder
from benchmarks.throughput import scaled

_EVERY_S = 0.5
_LEFT_S = 60.0  # without a frame, and it is over


@dataclass
class Memory:
    """What this process and its children take, by the frames done so far."""

    rss_mib: list[tuple[int, float]] = field(default_factory=list)
    pss_mib: list[tuple[int, float]] = field(default_factory=list)

    def note(self, frames: int) -> None:
        """Measure."""
        mine = psutil.Process()
        with suppress(psutil.Error):  # a detector's process has just ended
            family = [mine, *mine.children(recursive=True)]
            self.rss_mib.append((frames, sum(one.memory_info().rss for one in family) / 2**20))
            if hasattr(family[0].memory_full_info(), "pss"):  # Linux
                self.pss_mib.append((frames, sum(one.memory_full_info().pss for one in family) / 2**20))

    def result(self, frames: int) -> dict[str, int]:
        """The figures of a run."""
        result = {"frames": frames}
        for name, seen in (("mib", self.rss_mib), ("pss_mib", self.pss_mib)):
            if seen:
                early = next(taken for done, taken in seen if done >= frames / 5)
                result |= {f"peak_{name}": round(max(taken for _, taken in seen)), f"fifth_{name}": round(early),
                           f"end_{name}": round(seen[-1][1]), f"growth_{name}": round(seen[-1][1] - early)}
        return result


def guard_file(clip: Path, size: int, frames: int) -> dict[str, int]:
    """One file, over and over."""
    bound_heap()
    memory = Memory()
    camera = settings_for("", Web()).cameras[0]
    with tempfile.TemporaryDirectory() as name:
        clip = scaled(clip, size, Path(name))
        guard = make_guard(camera, load_model(Models()), live=False)
        sink = None
        bar = tqdm.tqdm(total=frames, unit="frame", file=sys.stderr)
        done, start_s = 0, 0.0
        while done < frames:
            last_s = start_s
            with open_source(Source(str(clip), realtime=False), "1") as source:
                if sink is None:
                    sink = open_sink(Output(OutputKind.FILE, target=str(Path(name) / "out.mkv")), source.info, name="m")
                for frame in source:
                    if not isinstance(frame, Frame) or done >= frames:
                        continue
                    last_s = start_s + (frame.pts_s or 0.0)
                    for guarded in guard.process(replace(frame, pts_s=last_s, seq=done)):
                        sink.write(guarded)
                    done += 1
                    bar.update()
                    if done % 50 == 0 or done == frames:
                        memory.note(done)
            start_s = last_s + 0.04
        bar.close()
        if sink is not None:
            sink.close()
    return memory.result(done)


class Counter:
    """Counts what leaves (`app.Watcher`)."""

    def __init__(self) -> None:
        self.frames = 0

    def guarded(self, camera_id: str, frame: GuardedFrame) -> None:  # noqa: ARG002
        """A frame leaves."""
        self.frames += 1

    def figures(self, *_: object) -> None:
        """Nobody asks who is there."""

    def changed(self, *_: object) -> None:
        """Settings do not change."""


def guard_live(cameras: int, frames: int) -> dict[str, int]:
    """Several cameras in real time, as `aipg run` sets them up."""
    clips, lens = make_clips(clips_folder(), cameras)
    clips = {name: replace(clip, people=(), silhouettes=()) for name, clip in clips.items()}
    gc.collect()
    bound_heap()
    share_processor()
    logging.basicConfig(level=logging.ERROR)
    memory, counter, stop = Memory(), Counter(), threading.Event()
    with tempfile.TemporaryDirectory() as name:
        host = StandaloneHost(Settings(cameras=cameras_of(clips, lens, 0.4, Path(name)), models=Models()))
        host.plugin._app.watchers.append(counter)  # type: ignore[attr-defined]  # no hook watches frames
        running = threading.Thread(target=run_until, args=(host, stop))
        running.start()
        bar = tqdm.tqdm(total=frames, unit="frame", file=sys.stderr)
        came_s = time.monotonic()
        while counter.frames < frames and time.monotonic() - came_s < _LEFT_S:
            time.sleep(_EVERY_S)
            if counter.frames > bar.n:
                came_s = time.monotonic()
            bar.update(counter.frames - bar.n)
            memory.note(counter.frames)
        bar.close()
        stop.set()
        running.join()
    return memory.result(counter.frames)


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, default=resource_path("samples", "lobby.mp4"))
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=1920)
    parser.add_argument("--cameras", type=int, default=0, help="live, so many of them")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = guard_live(options.cameras, options.frames) if options.cameras else \
        guard_file(options.clip, options.size, options.frames)
    print(json.dumps(result, indent=2) if options.json else "\n".join(f"{k:16} {v}" for k, v in result.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
