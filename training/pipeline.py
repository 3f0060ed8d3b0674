"""The complete training in one command, which resumes after a stop:

  python -m training.pipeline --work ~/aipg-training --base rtmdet_nano --steps 3000

Bodies, textures and photographs first; then scenes are rendered in the background while the net trains (a run picks up
scenes as they appear); then the end of the run is averaged with its base in several shares, exported, and compared with
the shipped net at equal over-mask. `--idle` runs all of it only where nothing else wants the processor (Linux).
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class SceneSet:
    """Rendered scenes of one seed; `room` empty: every kind in its share."""

    name: str
    seed: int
    count: int
    room: str = ""


TRAINING_SETS = (SceneSet("a", 12001, 3000), SceneSet("below", 12002, 500, "below"),
                 SceneSet("clutter", 12003, 500, "clutter"), SceneSet("resting", 12004, 260, "resting"))
HELD_OUT = (SceneSet("all", 99001, 60), SceneSet("resting", 9900, 24, "resting"), SceneSet("below", 99003, 24, "below"),
            SceneSet("clutter", 99004, 24, "clutter"))
CHUNK = 40  # scenes of one set before the next set's turn, so that all kinds are there early


def chunks(sets: tuple[SceneSet, ...]) -> list[tuple[SceneSet, int]]:
    """Sets in turns: each with the number of scenes it should have by then."""
    turns = max(s.count for s in sets) // CHUNK + 1
    return [(s, min(s.count, CHUNK * (turn + 1))) for turn in range(turns) for s in sets if CHUNK * turn < s.count]


class Pipeline:
    """Runs commands in the repository, each as a process of its own."""

    def __init__(self, work: Path, data: Path, idle: bool) -> None:
        self.work, self.data = work, data
        low = ["chrt", "-i", "0", "nice", "-n", "19"] if idle and shutil.which("chrt") else []
        self._python = [*low, sys.executable, "-m"]
        self._environment = {**os.environ, "AIPG_RENDER_DATA": str(work / "render_data"),
                             "AIPG_SHARED": str(data.parent), "OMP_NUM_THREADS": "1"}

    def start(self, *command: str, alone: bool = False) -> subprocess.Popen[bytes]:
        """Start `python -m command`, `alone` in a process group of its own."""
        print("+", *command, flush=True)
        return subprocess.Popen([*self._python, *command], cwd=REPOSITORY, env=self._environment,
                                start_new_session=alone)

    def run(self, *command: str) -> None:
        """Run `python -m command`; raises CalledProcessError when it fails. It ends with us."""
        process = self.start(*command)
        try:
            process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)

    def made(self, path: Path, *command: str) -> Path:
        """A file that `command` makes, unless it is there."""
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            self.run(*command)
        return path

    def prepare(self) -> None:
        """Banks of the renderer and the index of photographs and video frames."""
        data = self.work / "render_data"
        self.made(data / "props.npz", "rendering", "props")
        self.made(data / "textures.npz", "rendering", "textures")
        self.made(data / "bodies.npz", "rendering", "bodies", "--count", "700")
        index = self.work / "photos.json"
        self.made(index, "training.photos", "--data", str(self.data), "--out", str(index))

    def render(self, scenes: SceneSet, folder: Path, count: int) -> None:
        """The first `count` scenes of a set; those that are there stay."""
        if (folder / f"{count - 1:06d}.npz").exists():
            return
        room = ["--room", scenes.room] if scenes.room else []
        self.run("rendering", "scenes", "--out", str(folder), "--seed", str(scenes.seed), "--count", str(count), *room)

    def render_all(self) -> None:
        """Held-out sets after the first turn, training sets in turns."""
        for turn, (scenes, count) in enumerate(chunks(TRAINING_SETS)):
            self.render(scenes, self.work / "scenes" / scenes.name, count)
            if turn == len(TRAINING_SETS) - 1:
                for held_out in HELD_OUT:
                    folder = self.work / "held_out" / held_out.name
                    self.render(held_out, folder, held_out.count)
                    labels = self.work / "validation" / held_out.name
                    self.made(labels / "labels.json", "rendering", "labels", str(folder), str(labels))

    def train(self, run: Path, base: str, steps: int) -> Path:
        """A run to its end; returns its last checkpoint."""
        if (run / "done").exists():
            return run / "last.pt"
        if (run / "last.pt").exists():
            self.run("training.train", "--run", str(run), "--steps", str(steps), "--resume")
        else:
            keep = "1" if base == "yolox_nano" else "0"
            self.run("training.train", "--run", str(run), "--base", base, "--data", str(self.data),
                     "--photos", str(self.work / "photos.json"), "--scenes", str(self.work / "scenes"),
                     "--steps", str(steps), "--threads", "1", "--keep", keep, "--evaluate-s", "1e9")
        (run / "done").touch()
        return run / "last.pt"

    def compare(self, run: Path, shares: tuple[float, ...], plans: list[str]) -> None:
        """Mix the end of a run with its base, export, and choose against the shipped net."""
        files = []
        for share in shares:
            mixed = run / f"base_{round(100 * share):02d}.pt"
            self.made(mixed, "training.average", str(run / "last.pt"), "--base-share", str(share),
                      "--peers", str(self.data / "peers"), "--out", str(mixed))
            file = mixed.with_suffix(".onnx")
            self.made(file, "training.export", "--checkpoint", str(mixed), "--file", str(file))
            files.append(str(file))
        self.run("benchmarks.choose", "--models", "standard/fp32", *files, "--plans", *plans,
                 "--json", str(run / "choice.json"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for scenes, checkpoints and figures")
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data")
    parser.add_argument("--base", default="rtmdet_nano", help="a name in training.port.BASES, default %(default)s")
    parser.add_argument("--name", default="", help="of the run; default: the base's")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.0, 0.3, 0.5], help="of the base, to be compared")
    parser.add_argument("--plans", nargs="+", default=["live", "live@320"])
    parser.add_argument("--idle", action="store_true", help="use only processor time that nothing else wants")
    parser.add_argument("--scenes-only", action="store_true", help="render, and train nothing")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that what was started ends too
    work = Path(args.work).expanduser().resolve()
    pipeline = Pipeline(work, Path(args.data).resolve(), args.idle)
    pipeline.prepare()
    if args.scenes_only:
        pipeline.render_all()
        return
    again = [arg for arg in sys.argv[1:] if arg != "--scenes-only"]
    background = pipeline.start("training.pipeline", *again, "--scenes-only", alone=True)
    try:
        run = work / "runs" / (args.name or args.base)
        while not any((work / "scenes").glob("*/*.npz")) and background.poll() is None:
            time.sleep(5)
        pipeline.train(run, args.base, args.steps)
        pipeline.compare(run, tuple(args.shares), args.plans)
    finally:
        if background.poll() is None:
            os.killpg(background.pid, signal.SIGTERM)  # what it has started as well
        background.wait()


if __name__ == "__main__":
    main()
