"""The floor of throughput: plain decode and encode of a file, with the codec settings the product uses.

    python -m benchmarks.floor IN.mp4 [--frames 300] [--preset veryfast] [--crf 23]

Prints JSON: frames per second and CPU milliseconds per frame of `plain` (decode and encode, no frame ever touched in
Python) and of `media` (our source, a guard that is switched off, and our sink), and how many times the plain CPU time
ours takes. Both run in turn, `--rounds` times; the median counts. On a busy machine trust the CPU time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import av

from aipg_plugin.frames import Frame
from aipg_plugin.guard.guard import Guard
from aipg_plugin.media.encoder import EncoderSpec, configure, pick_encoder
from aipg_plugin.media.info import StreamInfo
from aipg_plugin.media.sink import open_sink
from aipg_plugin.media.source import open_source
from aipg_plugin.options import Camera, Output, OutputKind, PrivacyGuard, Source, Stream


@dataclass(frozen=True)
class RunCost:
    """What a run cost; CPU time of all threads."""

    frames: int
    fps: float
    cpu_ms: float


class _Clock:
    def __init__(self) -> None:
        self._wall_s, self._cpu_s = time.perf_counter(), time.process_time()

    def cost(self, frames: int) -> RunCost:
        return RunCost(frames, frames / (time.perf_counter() - self._wall_s),
                    1000 * (time.process_time() - self._cpu_s) / frames)


def plain(source: Path, output: Output, frames: int | None = None) -> RunCost:
    """Decode and encode alone. The target holds clear pictures."""
    with open_source(Source(str(source), hardware_decode="none"), "floor") as opened:
        info: StreamInfo = opened.info
    spec = EncoderSpec.of(info, live=False)
    name = pick_encoder(output, spec)
    clock, count = _Clock(), 0
    with av.open(str(source)) as box, av.open(output.target, "w") as out:
        box.streams.video[0].thread_type = "AUTO"
        video: Any = out.add_stream(name)
        configure(video.codec_context, name, output, spec)
        for picture in box.decode(video=0):
            picture.pict_type = 0
            out.mux(video.encode(picture))
            count += 1
            if count == frames:
                break
        out.mux(video.encode(None))
    return clock.cost(count)


def _never(*_: object) -> NoReturn:
    raise AssertionError("nothing is looked at while the guard is off")


def media(source: Path, output: Output, frames: int) -> RunCost:
    """Our source and sink with a guard between them that is switched off. The target holds clear pictures."""
    camera = Camera("floor", streams=(Stream("1", Source(str(source))),), privacy_guard=PrivacyGuard(enabled=False))
    guard = Guard(camera, _never, _never, live=False)
    clock = _Clock()
    with open_source(Source(str(source), hardware_decode="none"), "1") as opened:
        sink = open_sink(output, opened.info, name="floor/1")
        for frame in opened:
            if isinstance(frame, Frame):
                for passed in guard.process(frame):
                    sink.write(passed)
            if sink.frames >= frames:
                break
        sink.close()
    return clock.cost(sink.frames)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--preset", default="veryfast")
    parser.add_argument("--crf", type=int, default=23)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        output = Output(OutputKind.FILE, str(Path(folder) / "out.mp4"), preset=args.preset, crf=args.crf,
                        encoder="libx264")
        rounds = [(plain(args.source, output, args.frames), media(args.source, output, args.frames))
                  for _ in range(args.rounds)]
    result = {"source": args.source.name, "rounds": args.rounds,
              "plain_fps": statistics.median(floor.fps for floor, _ in rounds),
              "media_fps": statistics.median(ours.fps for _, ours in rounds),
              "plain_cpu_ms": statistics.median(floor.cpu_ms for floor, _ in rounds),
              "media_cpu_ms": statistics.median(ours.cpu_ms for _, ours in rounds),
              "cpu_ratio": statistics.median(ours.cpu_ms / floor.cpu_ms for floor, ours in rounds)}
    print(json.dumps({key: round(value, 3) if isinstance(value, float) else value for key, value in result.items()}))


if __name__ == "__main__":
    main()
