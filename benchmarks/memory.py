"""Resident memory of guarding one stream for a long time: decode, detect, mask, encode, over and over the clip.

    python -m benchmarks.memory [--frames 10000] [--size 1920] [--json]

Prints the peak and the growth between the first tenth and the last: a leak shows as growth.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import psutil
import tqdm

from aipg_plugin.cli.demo import settings_for
from aipg_plugin.cli.heap import bound_heap
from aipg_plugin.detection.onnx import load_model
from aipg_plugin.frames import Frame
from aipg_plugin.guard.assembly import make_guard
from aipg_plugin.media.sink import open_sink
from aipg_plugin.media.source import open_source
from aipg_plugin.options import Models, Output, OutputKind, Source, Web
from aipg_plugin.resources import resource_path
from benchmarks.throughput import scaled


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, default=resource_path("samples", "lobby.mp4"))
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=1920)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    bound_heap()
    process = psutil.Process()
    seen_mib: list[float] = []
    camera = settings_for("", Web()).cameras[0]
    with tempfile.TemporaryDirectory() as name:
        clip = scaled(options.clip, options.size, Path(name))
        guard = make_guard(camera, load_model(Models()), live=False)
        sink = None
        bar = tqdm.tqdm(total=options.frames, unit="frame", file=sys.stderr)
        done, start_s = 0, 0.0
        while done < options.frames:
            last_s = start_s
            with open_source(Source(str(clip), realtime=False), "1") as source:
                if sink is None:
                    sink = open_sink(Output(OutputKind.FILE, target=str(Path(name) / "out.mkv")), source.info, name="m")
                for frame in source:
                    if not isinstance(frame, Frame) or done >= options.frames:
                        continue
                    last_s = start_s + (frame.pts_s or 0.0)
                    for guarded in guard.process(replace(frame, pts_s=last_s, seq=done)):
                        sink.write(guarded)
                    done += 1
                    bar.update()
                    if done % 50 == 0 or done == options.frames:
                        seen_mib.append(process.memory_info().rss / 2**20)
            start_s = last_s + 0.04
        bar.close()
        if sink is not None:
            sink.close()
    tenth = max(1, len(seen_mib) // 10)
    result = {"frames": done, "size": options.size, "peak_mib": round(max(seen_mib)),
              "first_tenth_mib": round(max(seen_mib[:tenth])), "last_tenth_mib": round(max(seen_mib[-tenth:]))}
    result["growth_mib"] = result["last_tenth_mib"] - result["first_tenth_mib"]
    print(json.dumps(result, indent=2) if options.json else "\n".join(f"{k:16} {v}" for k, v in result.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
