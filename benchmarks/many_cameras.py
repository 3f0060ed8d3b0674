"""Many cameras on one machine: frames out, failsafe, leaks, newcomers, latency, processor and memory.

    python -m benchmarks.many_cameras [--cameras 8] [--seconds 30] [--runs 1] [--tier small] [--lookahead 0] [--json]
    python -m benchmarks.many_cameras --simulate 2

A quarter of the cameras are busy (the sample to and fro, seven people), the others calm (its room with sensor noise,
into which somebody walks once). They are 960² at 10 frames a second, play in real time through the standalone host and
are recorded, once one camera alone and once all of them, each in a process of its own; of several runs, which
alternate, medians are printed. The first 12 s and the last 1.5 s of each camera do not count, but for `frames_lost`.
Needs an idle machine: `others_cores` says what other processes took meanwhile. The clips are made once and kept in the
folder for temporary files.

`--simulate CORES` needs none: frames and looks are run one after the other and their processor time is counted; in a
simulated time that machine of so many cores decodes, guards and encodes every frame first, and looks in what is left.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import tqdm
from numpy.typing import NDArray

from aipg_plugin.cli.demo import settings_for
from aipg_plugin.frames import GuardedFrame
from aipg_plugin.heap import bound_heap
from aipg_plugin.hosts.standalone import StandaloneHost, run_until
from aipg_plugin.mqtt.reports import TrackReport
from aipg_plugin.options import Camera, MaskingMethod, Models, Output, OutputKind, Settings, Source, Stream, Web
from aipg_plugin.sharing import share_processor
from benchmarks.many_clips import FPS, SIDE_PX, STEP_PX, CameraClip, ClipMaker, MaskJudge, clips_folder, hidden

START_S = 12.0         # everything before counts as the start: eight cameras are swept one after the other, twice
_END_S = 1.5           # of each camera: what leaves when its stream is broken off waited for looks that never came
_NEAR = 0.06           # of the picture's side: a track this near to somebody has found them
_FILL = "#ff00ff"


@dataclass
class CameraSeen:
    """What left of one camera."""

    clip: CameraClip
    frames: dict[int, tuple[str, str, float, float]] = field(default_factory=dict)  # seq: state, reason, came, left
    masked: dict[int, NDArray[np.uint8]] = field(default_factory=dict)
    found_s: list[tuple[float, list[tuple[float, float]]]] = field(default_factory=list)  # when, where


class Notes:
    """Notes everything that leaves (`app.Watcher`), and judges it at the end."""

    def __init__(self, clips: dict[str, CameraClip], lookahead_s: float) -> None:
        self.seen = {name: CameraSeen(clip) for name, clip in clips.items()}
        self._lookahead_s = lookahead_s
        self.now_s = time.time

    def guarded(self, camera_id: str, frame: GuardedFrame) -> None:
        """A frame leaves."""
        seen = self.seen[camera_id]
        seen.frames[frame.seq] = (str(frame.state), frame.reason, frame.wall_time_s, self.now_s())
        seen.masked[frame.seq] = np.packbits(hidden(frame))

    def figures(self, camera_id: str, t_s: float, reports: tuple[TrackReport, ...]) -> None:  # noqa: ARG002
        """A look is over."""
        self.seen[camera_id].found_s.append((self.now_s(), [report.box[:2] for report in reports]))

    def changed(self, *_: object) -> None:
        """Settings do not change."""

    def result(self) -> dict[str, Any]:
        """The figures of the run."""
        judges = {kind: MaskJudge() for kind in ("busy", "calm")}
        whole = dict.fromkeys(judges, 0)
        lost = lost_later = failsafe = count = 0
        reasons, states = Counter[str](), Counter[str]()
        delays, late = list[float](), list[float]()
        for seen in self.seen.values():
            if not seen.frames:
                lost += 1
                continue
            first_s = min(came for _, _, came, _ in seen.frames.values())
            last_s = max(came for _, _, came, _ in seen.frames.values())
            lost += max(seen.frames) - min(seen.frames) + 1 - len(seen.frames)
            later = [seq for seq, (_, _, came, _) in seen.frames.items() if came >= first_s + START_S]
            lost_later += max(later) - min(later) + 1 - len(later) if later else 0
            kind = "busy" if seen.clip.newcomer is None else "calm"
            judge = judges[kind]
            for seq, (state, reason, came_s, left_s) in sorted(seen.frames.items()):
                if came_s < first_s + START_S or came_s > last_s - _END_S:
                    continue
                count += 1
                states[state] += 1
                failsafe += state == "failsafe"
                whole[kind] += state in ("failsafe", "starting")
                reasons[reason] += state == "failsafe"
                late.append(left_s - came_s - self._lookahead_s)
                side = SIDE_PX // STEP_PX
                masked = np.unpackbits(seen.masked[seq], count=side * side).reshape(side, side).astype(bool)
                judge.judge(seen.clip, seq % len(seen.clip.people), masked)
            delays += newcomers(seen)
        return {"frames": count, "frames_lost": lost, "lost_after_start": lost_later, "failsafe": failsafe,
                "reasons": dict(+reasons), "states": dict(states),
                **{kind: {**judge.result(), "whole": round(whole[kind] / judge.frames, 3)}
                   for kind, judge in judges.items() if judge.frames},
                "newcomers": len(delays), "newcomer_median_s": round(float(np.median(delays)), 3) if delays else None,
                "late_median_s": round(float(np.median(late)), 3),
                "late_p99_s": round(float(np.quantile(late, 0.99)), 3)}


def newcomers(seen: CameraSeen) -> list[float]:
    """Seconds from the first frame that showed somebody new to the first look that found them."""
    if seen.clip.newcomer is None:
        return []
    walker, entry = seen.clip.newcomer
    cycle, delays = len(seen.clip.people), []
    for seq, (_, _, came_s, _) in seen.frames.items():
        if seq % cycle != entry:
            continue
        delay_s = float("inf")
        for at_s, places in seen.found_s:
            index = seq + int((at_s - came_s) * FPS)
            if at_s < came_s or index >= seq + 30:
                continue
            now = [one for one in seen.clip.people[index % cycle] if one.id == walker]
            side = SIDE_PX / STEP_PX
            if now and any(np.hypot(x - now[0].box[0] / side, y - now[0].box[1] / side) < _NEAR for x, y in places):
                delay_s = at_s - came_s
                break
        delays.append(delay_s)
    return delays


def cameras_of(clips: dict[str, CameraClip], maker_truth: tuple[float, float], lookahead_s: float,
               folder: Path) -> tuple[Camera, ...]:
    """The settings: filled masks, each camera recorded."""
    fov_deg, height_m = maker_truth
    base = settings_for("", Web()).cameras[0]
    guard = replace(base.privacy_guard, lookahead_s=lookahead_s, masking_method=MaskingMethod.FILLING,
                    fill_colour=_FILL)
    return tuple(replace(base, id=name, lens=replace(base.lens, fov_deg=fov_deg), camera_height_m=height_m,
                         privacy_guard=guard, streams=(
        Stream("1", Source(str(clip.path), loop=True, hardware_decode="none"),
               outputs=(Output(OutputKind.FILE, str(folder / f"out-{name}.mkv"), encoder="libx264"),)),))
        for name, clip in clips.items())


def make_clips(folder: Path, cameras: int) -> tuple[dict[str, CameraClip], tuple[float, float]]:
    """Clips by camera, and the field and height of their lens."""
    maker = ClipMaker(folder)
    busy = max(1, cameras // 4)
    clips, one = dict[str, CameraClip](), maker.busy()
    for number in range(cameras):
        clips[f"cam{number}"] = one if number < busy else maker.calm(number - busy)
    return clips, (maker.truth.fov_deg, min(5.0, max(2.5, maker.truth.height_m)))


def play(cameras: int, seconds: float, models: Models, lookahead_s: float) -> dict[str, Any]:
    """One run in real time, as `aipg run` sets it up."""
    bound_heap()
    share_processor()
    logging.basicConfig(level=logging.ERROR)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips, lens = make_clips(clips_folder(), cameras)
        settings = Settings(cameras=cameras_of(clips, lens, lookahead_s, folder), models=models)
        notes = Notes(clips, lookahead_s)
        host = StandaloneHost(settings)
        app = host.plugin._app  # type: ignore[attr-defined]  # no hook watches frames or looks
        app.watchers.append(notes)
        loads = list[Any]()
        before_s, machine = _own(psutil.Process())[0], _used_s()
        rss_mib, stop, usage = 0.0, threading.Event(), [before_s]

        def watch() -> None:
            nonlocal rss_mib
            while not stop.wait(0.5):
                loads.append(app.load)
                with suppress(psutil.Error):  # a detector's process has just ended
                    used_s, now_mib = _own(psutil.Process())
                    usage.append(used_s)
                    rss_mib = max(rss_mib, now_mib)

        watcher = threading.Thread(target=watch)
        watcher.start()
        run_until(host, threading.Event(), seconds=seconds)
        stop.set()
        watcher.join()
        used_s = max(usage) - before_s  # detector processes are gone by now
        others_s = _used_s() - machine - used_s
        late = loads[len(loads) // 3:]
        return {"cameras": cameras, **notes.result(), "cores": round(used_s / seconds, 2),
                "others_cores": round(others_s / seconds, 2), "memory_mib": round(rss_mib),
                "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
                "looks_hz": round(float(np.mean([one.looks_hz for one in late])), 1),
                "wanted_hz": round(float(np.mean([one.wanted_hz for one in late])), 1),
                "time_share": round(float(np.mean([one.time_share for one in late])), 2),
                "look_s": round(float(np.mean([one.look_s for one in late])), 3), "overloaded": late[-1].overloaded}


def _own(process: psutil.Process) -> tuple[float, float]:
    """Processor seconds and resident MiB of this process and its detectors' processes."""
    family = [process, *process.children(recursive=True)]
    times = [one.cpu_times() for one in family]
    return sum(one.user + one.system for one in times), sum(one.memory_info().rss for one in family) / 2**20


def _used_s() -> float:
    """Processor seconds that all processes of this machine have taken."""
    times = psutil.cpu_times()
    return float(times.user + times.system + times.nice)


def _medians(results: list[Any]) -> Any:
    """The same as each of several results, numbers as their medians; of what differs otherwise the last."""
    if isinstance(results[-1], dict):
        return {key: _medians([one[key] for one in results if key in one]) for key in results[-1]}
    if all(isinstance(one, int | float) and not isinstance(one, bool) for one in results):
        return round(float(np.median(results)), 4)
    return results[-1]


def _child(options: argparse.Namespace, cameras: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.many_cameras", "--run-one", str(cameras), "--seconds",
               str(options.seconds), "--tier", options.tier, "--precision", options.precision, "--lookahead",
               str(options.lookahead), "--threads", str(options.threads)]
    if options.simulate:
        command += ["--simulate", str(options.simulate)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--tier", default="standard")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--threads", type=int, default=0, help="of the detection service (default: cores to spare)")
    parser.add_argument("--lookahead", type=float, default=0.4)
    parser.add_argument("--simulate", type=float, default=0.0, metavar="CORES")
    parser.add_argument("--alone", action="store_true", help="leave out the run of one camera")
    parser.add_argument("--run-one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.run_one:
        models = Models(tier=options.tier, precision=options.precision, threads=options.threads)
        if options.simulate:
            from benchmarks.many_simulated import simulate
            found = simulate(options.run_one, options.seconds, models, options.lookahead, options.simulate)
        else:
            found = play(options.run_one, options.seconds, models, options.lookahead)
        print(json.dumps(found))
        return 0
    counts = [options.cameras] if options.alone or options.cameras == 1 else [1, options.cameras]
    results = [_child(options, count) for count in tqdm.tqdm(counts * options.runs, unit="run", file=sys.stderr)]
    for number in range(len(counts)):
        result = _medians(results[number::len(counts)])
        print(json.dumps(result) if options.json else "\n".join(f"{key:18} {value}" for key, value in result.items()))
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
