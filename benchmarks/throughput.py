"""What guarding costs: `redact` against plain decode+encode with the same codec settings, in the same run.

    python -m benchmarks.throughput [--clip FILE] [--size 1920] [--pairs 3] [--json]

Each pair runs both in processes of their own, one after the other, in turn first; the median ratio counts, since
machines drift. `--size` scales the sample up first (encoded once, not timed).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from aipg_plugin.resources import resource_path

_FLOOR = """
import sys
from pathlib import Path
from aipg_plugin.options import Output, OutputKind
from benchmarks.floor import plain
print(plain(Path(sys.argv[1]), Output(OutputKind.FILE, sys.argv[2], preset=sys.argv[3])).frames)
"""


@dataclass(frozen=True)
class Run:
    """Whole-process figures of one run."""

    frames: int
    seconds: float
    cpu_s: float
    peak_mib: float

    @property
    def fps(self) -> float:
        """Frames a second, start of the process included."""
        return self.frames / self.seconds


def measured(command: list[str]) -> tuple[str, Run]:
    """Output and figures of a command; raises CalledProcessError when it fails."""
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start_s = time.monotonic()
    done = subprocess.run(["/usr/bin/env", "time", "-f", "%M", *command] if _has_time() else command,
                          capture_output=True, text=True, check=True)
    seconds = time.monotonic() - start_s
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak_kib = float(done.stderr.strip().splitlines()[-1]) if _has_time() else after.ru_maxrss
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stdout, Run(0, seconds, cpu_s, peak_kib / 1024)


def _has_time() -> bool:
    return Path("/usr/bin/time").exists()


def floor(clip: Path, target: Path, preset: str) -> Run:
    """Decode and encode alone."""
    out, run = measured([sys.executable, "-c", _FLOOR, str(clip), str(target), preset])
    return Run(int(out), run.seconds, run.cpu_s, run.peak_mib)


def guarded(clip: Path, target: Path, preset: str | None, extra: list[str]) -> Run:
    """`aipg redact`; without a preset, its default."""
    out, run = measured([sys.executable, "-m", "aipg_plugin", "redact", str(clip), str(target), "--json", "--quiet",
                         *(["--preset", preset] if preset else []), *extra])
    return Run(int(json.loads(out)["frames_out"]), run.seconds, run.cpu_s, run.peak_mib)


def scaled(clip: Path, side_px: int, folder: Path) -> Path:
    """The clip at another size, encoded once."""
    target = folder / f"scaled_{side_px}.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(clip), "-vf", f"scale={side_px}:{side_px}", "-crf", "20",
                    "-preset", "veryfast", str(target)], check=True)
    return target


def main() -> int:
    """Run the pairs and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, default=resource_path("samples", "lobby.mp4"))
    parser.add_argument("--size", type=int, help="scale the (square) clip to this side first")
    parser.add_argument("--preset", default="medium")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--tier", default="standard")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--fast", action="store_true", help="redact --fast")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    extra = ["--tier", options.tier, "--precision", options.precision,
             *(["--fast"] if options.fast else [])]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = scaled(options.clip, options.size, folder) if options.size else options.clip
        pairs = []
        for number in range(options.pairs):
            target = folder / "out.mp4"
            first_floor = number % 2 == 0
            one = floor(clip, target, options.preset) if first_floor else guarded(clip, target, options.preset, extra)
            two = guarded(clip, target, options.preset, extra) if first_floor else floor(clip, target, options.preset)
            pairs.append((one, two) if first_floor else (two, one))
    ratios = [mine.fps / base.fps for base, mine in pairs]
    result = {"clip": str(options.clip), "size": options.size, "preset": options.preset, "frames": pairs[0][0].frames,
              "floor_fps": round(statistics.median(base.fps for base, _ in pairs), 1),
              "guard_fps": round(statistics.median(mine.fps for _, mine in pairs), 1),
              "ratio_median": round(statistics.median(ratios), 3), "ratio_min": round(min(ratios), 3),
              "ratio_max": round(max(ratios), 3),
              "cpu_ratio": round(statistics.median(mine.cpu_s / base.cpu_s for base, mine in pairs), 3),
              "guard_peak_mib": round(max(mine.peak_mib for _, mine in pairs)),
              "floor_peak_mib": round(max(base.peak_mib for base, _ in pairs))}
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        for key, value in result.items():
            print(f"{key:16} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
