"""Who leaks from a guarded clip with exact truth, and how much of the room is masked.

    python -m benchmarks.leak [--clip samples/lobby.mp4] [--mode offline|live] [--sensitivity high] [--busy N]

Definitions: a head leaks in a frame when more than 25 % of its disc stays unmasked, a body when more than 50 % of its
visible silhouette does; people less than 30 % visible are left out. Over-mask is the share of the image circle, outside
everybody's silhouette, that is masked. The truth is CLIP's `.truth.json` and `.silhouettes.npz`, as `rendering
sequence` writes them. Offline is `redact`'s two passes; live replays the clip at its own pace through the live guard.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.cli.demo import settings_for
from aipg_plugin.detection.onnx import PersonNet, load_model
from aipg_plugin.detection.tiles import LIVE, THOROUGH
from aipg_plugin.frames import Frame, GuardedFrame
from aipg_plugin.guard.assembly import make_guard
from aipg_plugin.guard.guard import Guard
from aipg_plugin.media.source import open_source
from aipg_plugin.options import MaskingMethod, Models, Sensitivity, Source, Web
from aipg_plugin.resources import resource_path
from evaluation.uncovered import LeakCount, disc, uncovered

LEAST_VISIBLE = 0.3
_FILL = "#ff00ff"
_SHEET_SIDE_PX = 480


@dataclass
class ClipTally(LeakCount):
    """Sums over a clip."""

    frames: int = 0
    leaky_frames: int = 0
    full_mosaic: int = 0
    over: list[float] = field(default_factory=list)
    by_person: dict[int, int] = field(default_factory=dict)
    clear_for: dict[int, int] = field(default_factory=dict)  # frames up to now, of those who leak now
    longest_clear: int = 0  # frames in a row in which one person leaked
    sheet: list[NDArray[np.uint8]] = field(default_factory=list)

    def result(self) -> dict[str, object]:
        """The figures, as shares."""
        return {"frames": self.frames, "head_leak": round(self.head_leaks / max(1, self.heads), 4),
                "body_leak": round(self.body_leaks / max(1, self.bodies), 4),
                "frames_with_a_leak": round(self.leaky_frames / max(1, self.frames), 4),
                "over_mask": round(float(np.mean(self.over)), 4) if self.over else None,
                "full_mosaic_frames": self.full_mosaic, "longest_clear_frames": self.longest_clear,
                "leaks_by_person": {str(person): count for person, count in sorted(self.by_person.items())}}


class ClipTruth:
    """Who stands where in each frame of a clip."""

    def __init__(self, clip: Path) -> None:
        document: dict[str, Any] = json.loads(clip.with_suffix(".truth.json").read_text(encoding="utf-8"))
        self.frames: list[dict[str, Any]] = document["frames"]
        self.circle_px: tuple[float, float, float] = tuple(document["circle_px"])
        self.fov_deg, self.height_m = float(document["fov_deg"]), float(document["height_m"])
        with np.load(clip.with_suffix(".silhouettes.npz")) as data:
            self.ids, self.step_px = data["ids"], int(data["step_px"])

    def judge(self, index: int, masked: NDArray[np.bool_], tally: ClipTally) -> None:
        """Add one frame whose `masked` (H, W) bool says what is hidden."""
        ids = self.ids[index]
        h, w = ids.shape
        small = masked[self.step_px // 2::self.step_px, self.step_px // 2::self.step_px][:h, :w]
        leaky, clear_before, tally.clear_for = False, tally.clear_for, {}
        for person in self.frames[index]["persons"]:
            if person["ignore"] or person["visible"] < LEAST_VISIBLE:
                continue
            circle = person["head"]
            head = None if circle is None else uncovered(disc(masked.shape, circle), masked)
            if tally.add_person(head, uncovered(ids == person["id"], small)):
                leaky = True
                tally.by_person[person["id"]] = tally.by_person.get(person["id"], 0) + 1
                tally.clear_for[person["id"]] = clear_before.get(person["id"], 0) + 1
        tally.longest_clear = max([tally.longest_clear, *tally.clear_for.values()])
        tally.frames += 1
        tally.leaky_frames += leaky
        tally.over.append(self._over(small, ids > 0))

    def _over(self, small: NDArray[np.bool_], people: NDArray[np.bool_]) -> float:
        cx, cy, radius = (value / self.step_px for value in self.circle_px)
        ys, xs = np.mgrid[0:small.shape[0], 0:small.shape[1]]
        room = ((xs + 0.5 - cx) ** 2 + (ys + 0.5 - cy) ** 2 < radius ** 2) & ~people
        return float(small[room].mean())


def filled(guarded: GuardedFrame) -> NDArray[np.bool_]:
    """(H, W) bool: where the fill colour stands (filling makes what is masked unmistakable)."""
    bgr = guarded.to_bgr().astype(np.int16)
    return np.asarray(np.abs(bgr - np.array([255, 0, 255])).max(axis=2) < 60)


def run(clip: Path, truth: ClipTruth, guard: Guard, *, live: bool, sheet_every: int = 0) -> ClipTally:
    """Guard a clip and judge every frame that leaves."""
    tally = ClipTally()
    for guarded in played(lambda: frames_of(Source(str(clip), realtime=False)), guard, live=live):
        _judge(truth, guarded, tally, sheet_every)
    return tally


def played(frames: Callable[[], Iterable[Frame]], guard: Guard, *, live: bool) -> Iterator[GuardedFrame]:
    """Every frame that leaves a guard to which a clip is given; closes the guard.

    Live, at the clip's own pace; otherwise as fast as it goes.
    """
    if live:
        # Decoding before and judging after, so that neither slows the guard down.
        yield from _at_own_pace([replace(frame, planes=tuple(np.array(plane) for plane in frame.planes))
                                 for frame in frames()], guard)
    else:
        for frame in frames():
            yield from guard.process(frame)
    yield from guard.flush("1")
    guard.close()


def _at_own_pace(frames: list[Frame], guard: Guard) -> list[GuardedFrame]:
    """Frames given to a live guard at the pace of their timestamps."""
    left = []
    start_s = time.monotonic()
    for frame in frames:
        time.sleep(max(0.0, start_s + (frame.pts_s or 0.0) - time.monotonic()))
        left += guard.process(replace(frame, wall_time_s=time.time()))
    return left


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Other processes that do nothing but compute meanwhile."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def frames_of(source: Source) -> Iterator[Frame]:
    """The frames of a source."""
    with open_source(source, "1") as opened:
        for item in opened:
            if isinstance(item, Frame):
                yield item


def _judge(truth: ClipTruth, guarded: GuardedFrame, tally: ClipTally, sheet_every: int) -> None:
    masked = filled(guarded)
    tally.full_mosaic += guarded.state in ("failsafe", "starting")
    if guarded.state in ("failsafe", "starting"):
        masked[:] = True
    truth.judge(guarded.seq, masked, tally)
    if sheet_every and guarded.seq % sheet_every == 0:
        tally.sheet.append(_picture(truth, guarded))


def _picture(truth: ClipTruth, guarded: GuardedFrame) -> NDArray[np.uint8]:
    bgr = guarded.to_bgr()
    for person in truth.frames[guarded.seq]["persons"]:
        if person["head"] is not None:
            x, y, radius = (round(value) for value in person["head"])
            cv2.circle(bgr, (x, y), radius, (0, 255, 255), 3)
    return np.asarray(cv2.resize(bgr, (_SHEET_SIDE_PX, _SHEET_SIDE_PX), interpolation=cv2.INTER_AREA), np.uint8)


def measure(clip: Path, net: PersonNet, *, live: bool, sensitivity: Sensitivity, others: int = 0,
            sheet_every: int = 0) -> ClipTally:
    """Guard a clip with the settings its truth tells, and judge it; `others` processes compute meanwhile."""
    truth = ClipTruth(clip)
    camera = settings_for(str(clip), Web()).cameras[0]
    camera = replace(camera, lens=replace(camera.lens, fov_deg=truth.fov_deg),
                     camera_height_m=min(5.0, max(2.5, truth.height_m)),
                     privacy_guard=replace(camera.privacy_guard, sensitivity=sensitivity,
                                           masking_method=MaskingMethod.FILLING, fill_colour=_FILL))
    guard = make_guard(camera, net, live=live, plan=LIVE if live else THOROUGH)
    with busy(others):
        return run(clip, truth, guard, live=live, sheet_every=sheet_every)


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, action="append", help="may be given several times")
    parser.add_argument("--mode", choices=("offline", "live"), default="offline")
    parser.add_argument("--sensitivity", choices=list(Sensitivity), default=Sensitivity.HIGH)
    parser.add_argument("--tier", default="standard")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--busy", type=int, default=0, help="processes that compute meanwhile (with --mode live)")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--sheet", type=Path, help="write a contact sheet, known heads circled")
    options = parser.parse_args()
    net = load_model(Models(tier=options.tier, precision=options.precision))
    results = {}
    for clip in options.clip or [resource_path("samples", "lobby.mp4")]:
        tally = measure(clip, net, live=options.mode == "live", sensitivity=Sensitivity(options.sensitivity),
                        others=options.busy, sheet_every=12 if options.sheet else 0)
        results[clip.name] = tally.result()
        if options.sheet and tally.sheet:
            rows = [np.hstack(tally.sheet[i:i + 4]) for i in range(0, len(tally.sheet) - 3, 4)]
            cv2.imwrite(str(options.sheet), np.vstack(rows))
    if options.json:
        print(json.dumps(results, indent=2))
    else:
        for name, result in results.items():
            print(name)
            for key, value in result.items():
                print(f"  {key:20} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
