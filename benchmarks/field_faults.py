"""Who leaks when a camera behaves as cameras do in the field: bursts, cuts, returns, loops, time-lapse.

    python -m benchmarks.field_faults [--detector truth|net] [--look-s 0.12] [--only NAME ...] [--sensitivity high]
                                      [--random 10 [--seed 1]] [--tile-s 0.01 0.06]

The sample clip goes through the guard with simulated arrival times and looks of a given duration, so the speed of the
machine plays no part. With `--detector truth` every look finds everybody exactly: what leaks is the guard's fault.
`--random` N draws N bursts and N breaks in place of the named ones, with looks of 0.5 to 2 times `--look-s`. With
`--tile-s` looks take what the tiles take that the product's own service and budgets choose, each scenario's between two
times, now and then up to three times as long.
Other scenes are the clip mirrored and turned, their truth with them. Told apart by the state a frame leaves with: heads
that leak (more than 25 % of the disc unmasked) and clear ones (more than 80 %). Over-mask is the share of the image
circle outside everybody's silhouette that is masked, over the frames not masked whole.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.detection.detections import Detections
from aipg_plugin.detection.onnx import PersonNet, load_model
from aipg_plugin.frames import Frame, GuardedFrame
from aipg_plugin.geometry.boxes import to_local
from aipg_plugin.geometry.figure import Figure
from aipg_plugin.geometry.gravity import aligned
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.guard.assembly import make_guard
from aipg_plugin.guard.guard import Guard
from aipg_plugin.guard.observer import MakeWorker
from aipg_plugin.options import Camera, Lens, MaskingMethod, Models, PrivacyGuard, Sensitivity, Source, Stream
from aipg_plugin.resources import resource_path
from aipg_plugin.scene.foreground import NO_FOREGROUND
from aipg_plugin.scene.observation import NOWHERE, Analyzer, Glance, Observation
from aipg_plugin.scene.picture import LookPicture
from aipg_plugin.states import FULL_MOSAIC
from aipg_plugin.thresholds import thresholds
from aipg_plugin.tracking.hindsight import SUFFICES_S
from aipg_plugin.tracking.tracker import HISTORY_S, Tracker
from benchmarks.leak import LEAST_VISIBLE, ClipTruth, frames_of
from benchmarks.shots import SCENARIOS, Shot, random_breaks, random_bursts
from benchmarks.simulated import SIMULATED, SimulatedService, SimulatedWorker, slow_detector

_LEAKS, _CLEAR = 0.25, 0.8
_BESIDE_S = 0.04  # of a look beside its tiles
START_S = 1000.0  # of the computer's clock
_FILL_U, _FILL_V = (170, 235), (190, 255)  # #ff00ff in BT.601 is U 202, V 222


@dataclass
class Result:
    """Counts of one scenario."""

    heads: Counter[str] = field(default_factory=Counter)
    leaks: Counter[str] = field(default_factory=Counter)
    clear: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    over: list[float] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        """For printing."""
        frames = sum(self.states.values())
        full = sum(count for state, count in self.states.items() if state in FULL_MOSAIC)
        return {"frames": frames, "heads": sum(self.heads.values()), "states": dict(self.states),
                "masked_whole": round(full / max(1, frames), 3),
                "over_mask": round(float(np.mean(self.over)), 4) if self.over else None,
                "leaks": dict(self.leaks), "clear": dict(self.clear)}


class Clip:
    """The clip's frames and truth, as they are and as other scenes."""

    def __init__(self) -> None:
        path = resource_path("samples", "lobby.mp4")
        self.truth = ClipTruth(path)
        self.frames = [replace(one, planes=tuple(np.array(plane) for plane in one.planes))
                       for one in frames_of(Source(str(path), realtime=False))]
        cx, cy, radius = (value / self.truth.step_px for value in self.truth.circle_px)
        ys, xs = np.mgrid[0:self.truth.ids.shape[1], 0:self.truth.ids.shape[2]]
        self.room = (xs + 0.5 - cx) ** 2 + (ys + 0.5 - cy) ** 2 < radius ** 2
        self._turned: dict[tuple[int, int], Frame] = {}

    def frame(self, index: int, turn: int) -> Frame:
        """A frame of the clip or of another scene."""
        one = self.frames[index]
        if turn == 0:
            return one
        if (index, turn) not in self._turned:
            planes = tuple(np.ascontiguousarray(np.rot90(plane[:, ::-1], turn)) for plane in one.planes)
            self._turned[index, turn] = replace(one, planes=planes)
        return self._turned[index, turn]

    def people(self, index: int, turn: int) -> list[dict[str, Any]]:
        """Everybody in a frame; heads as (x, y, r) px."""
        return [{**person, "head": self._head(person["head"], turn)} for person in self.truth.frames[index]["persons"]]

    def silhouettes(self, index: int, turn: int) -> NDArray[np.uint8]:
        """(h, w) person ids."""
        ids = self.truth.ids[index]
        return ids if turn == 0 else np.ascontiguousarray(np.rot90(ids[:, ::-1], turn))

    def _head(self, head: list[float] | None, turn: int) -> list[float] | None:
        if head is None or turn == 0:
            return head
        side = float(self.frames[0].size_wh[0])
        x, y, r = side - head[0], head[1], head[2]
        for _ in range(turn):
            x, y = y, side - x
        return [x, y, r]


@dataclass
class TruthAnalyzer:
    """Finds everybody exactly, by a mark in the picture's corner that says which frame it is."""

    projection: Projection
    mount: Mount
    clip: Clip

    def look(self, picture: LookPicture, _t_s: float, _figures: tuple[Figure, ...], *,
             sweep_all: bool = False, changed_px: NDArray[np.float64] = NOWHERE,  # noqa: ARG002 - it sweeps all
             budget_s: float | None = None) -> Observation:  # noqa: ARG002 - it sweeps all
        """Everybody in the picture."""
        index, turn = read_mark(picture.bgr)
        ids = self.clip.silhouettes(index, turn)
        boxes, outlines = [], []
        for person in np.unique(ids[ids > 0]):
            box, outline = _outline(ids == person, self.projection.size_wh[0] / ids.shape[1], self.projection,
                                    self.mount)
            boxes.append(box)
            outlines.append(outline)
        count = len(boxes)
        found = Detections(np.array(boxes, np.float32).reshape(-1, 5), np.full(count, 0.9, np.float32),
                           np.full((count, 3), np.nan, np.float32), tuple(outlines))
        return Observation(found, "", NO_FOREGROUND, complete=True, gone=lambda track: None)

    def glance(self, _picture: LookPicture, _t_s: float, _boxes: NDArray[np.float64]) -> Glance:
        """It looks at everything."""
        return Glance.NEWS

    def reset(self) -> None:
        """Nothing is learned."""


def _outline(mask: NDArray[np.bool_], scale: float, projection: Projection,
             mount: Mount) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = np.concatenate([np.asarray(contour).reshape(-1, 2) for contour in contours])
    corners = np.concatenate([points + corner for corner in ((0, 0), (0, 1), (1, 0), (1, 1))]).astype(np.float32)
    hull = cv2.convexHull(corners).reshape(-1, 2).astype(np.float64) * scale
    low, high = hull.min(0), hull.max(0)
    box = np.asarray(aligned(projection, mount, np.array([[*((low + high) / 2), *(high - low)]])), np.float64)[0]
    local = to_local(box, hull)
    grown = np.abs(local).max(0)
    box[2:4] *= grown
    return box, (local / grown).astype(np.float32)


def marked(frame: Frame, index: int, turn: int) -> Frame:
    """A frame with its index written into the dark corner, outside the image circle."""
    luma = np.array(frame.planes[0])
    for bit in range(10):
        luma[16:48, 16 + 32 * bit:48 + 32 * bit] = 235 if (index * 4 + turn) >> bit & 1 else 16
    return replace(frame, planes=(luma, *frame.planes[1:]))


def read_mark(picture_bgr: NDArray[np.uint8]) -> tuple[int, int]:
    """Index and turn of a marked picture at any size."""
    scale = picture_bgr.shape[1] / 1280
    value = sum((int(picture_bgr[round(32 * scale), round((32 + 32 * bit) * scale)].mean() > 125)) << bit
                for bit in range(10))
    return value // 4, value % 4


def camera(clip: Clip, sensitivity: Sensitivity, *, streams: int = 1) -> Camera:
    """The settings that fit the clip."""
    cx, cy, radius = (value / 1280 for value in clip.truth.circle_px)
    names = tuple(str(number + 1) for number in range(streams))
    return Camera("lobby", streams=tuple(Stream(name, Source("none")) for name in names),
                  lens=Lens(circle=(cx, cy, radius), fov_deg=clip.truth.fov_deg), camera_height_m=clip.truth.height_m,
                  privacy_guard=PrivacyGuard(enabled=True, target_streams=names, sensitivity=sensitivity,
                                             masking_method=MaskingMethod.FILLING, fill_colour="#ff00ff"))


def guard_for(settings: Camera, clip: Clip, net: PersonNet | None, *, live: bool,
              make_worker: MakeWorker = SimulatedWorker) -> Guard:
    """A guard with looks of simulated duration."""
    SIMULATED.clear()
    hindsight_s = 0.0 if live else SUFFICES_S
    if net is not None:
        return make_guard(settings, net, live=live, make_worker=make_worker)

    def analyzer(projection: Projection, mount: Mount, _of: Camera) -> Analyzer:
        return TruthAnalyzer(projection, mount, clip)

    def tracker(projection: Projection, mount: Mount, of: Camera) -> Tracker:
        limits = thresholds(of.privacy_guard.sensitivity)
        return Tracker(projection, mount, hold_s=of.privacy_guard.hold_s, on_score=limits.on_score,
                       keep_score=limits.keep_score, history_s=HISTORY_S + hindsight_s)

    return Guard(settings, analyzer, tracker, live=live, hindsight_s=hindsight_s, make_worker=make_worker)


def run(shots: list[Shot], clip: Clip, guard: Guard, service: SimulatedService | None = None) -> Result:
    """Send the shots through the guard and judge all that leaves; `service`: looks for it, if it has no worker."""
    result, sent = Result(), cast("dict[int, Shot]", {})

    def frame_of(seq: int, shot: Shot) -> Frame:
        one = marked(clip.frame(shot.index, shot.turn), shot.index, shot.turn)
        return replace(one, seq=seq, pts_s=shot.pts_s, wall_time_s=START_S + shot.arrival_s, stream="1")

    def judged(left: Iterable[GuardedFrame]) -> None:
        for guarded in left:
            judge(guarded, sent[guarded.seq], clip, result)

    for seq, shot in enumerate(shots):
        SimulatedWorker.now_s = shot.arrival_s
        for worker in SIMULATED:
            worker.advance()
        if service is not None:
            service.advance(START_S + shot.arrival_s)
        sent[seq] = shot
        if shot.lost:
            judged(guard.flush("1"))
            guard.lost("1", "lost")
        judged(guard.process(frame_of(seq, shot)))
    judged(guard.flush("1"))
    guard.close()
    return result


def judge(guarded: GuardedFrame, shot: Shot, clip: Clip, result: Result) -> None:
    """Count one frame that left. Masks are read off the chroma planes: they are made of blocks of 2 x 2 px."""
    state, whole = str(guarded.state), guarded.state in FULL_MOSAIC
    result.states[state] += 1
    masked = cv2.bitwise_and(cv2.inRange(guarded.planes[1], *_FILL_U), cv2.inRange(guarded.planes[2], *_FILL_V))
    for person in clip.people(shot.index, shot.turn):
        if person["ignore"] or person["visible"] < LEAST_VISIBLE or person["head"] is None:
            continue
        x, y, r = (value / 2 for value in person["head"])
        ys, xs = np.mgrid[int(y - r):int(y + r) + 2, int(x - r):int(x + r) + 2].clip(0, masked.shape[0] - 1)
        inside = (xs + 0.5 - x) ** 2 + (ys + 0.5 - y) ** 2 <= r * r
        bare = 0.0 if whole else float((masked[ys, xs][inside] == 0).mean())
        result.heads[state] += 1
        result.leaks[state] += bare > _LEAKS
        result.clear[state] += bare > _CLEAR
    if not whole:
        room = clip.room & (clip.silhouettes(shot.index, shot.turn) == 0)
        result.over.append(float((masked[::2, ::2] > 0)[room].mean()))


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detector", choices=("truth", "net"), default="truth")
    parser.add_argument("--look-s", type=float, default=0.12, help="simulated duration of a look")
    parser.add_argument("--tile-s", type=float, nargs=2, metavar=("LEAST", "MOST"), help="time of a tile, with the net")
    parser.add_argument("--only", nargs="*", choices=list(SCENARIOS))
    parser.add_argument("--random", type=int, default=0, metavar="N", help="N random bursts and N random breaks")
    parser.add_argument("--seed", type=int, default=1, help="of --random")
    parser.add_argument("--sensitivity", choices=list(Sensitivity), default=Sensitivity.HIGH)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    SimulatedWorker.look_s = options.look_s
    clip, net = Clip(), load_model(Models()) if options.detector == "net" else None
    settings = camera(clip, Sensitivity(options.sensitivity))
    results = {}
    if options.tile_s and net is None:
        parser.error("--tile-s needs --detector net")
    for name, live, shots in _drawn(options) if options.random else _named(options.only):
        if options.tile_s and live:
            results[name] = _with_slow_tiles(shots, clip, settings, net, options.tile_s).as_dict()
        else:
            results[name] = run(shots, clip, guard_for(settings, clip, net, live=live)).as_dict()
        if not options.json:
            print(f"{name:18} {results[name]}", flush=True)
    if options.json:
        print(json.dumps(results, indent=2))
    return 0


def _with_slow_tiles(shots: list[Shot], clip: Clip, settings: Camera, net: PersonNet | None,
                     tile_s: tuple[float, float]) -> Result:
    """The product's own service, in simulated time, with tiles that take between two times."""
    rng = Random(len(shots) + shots[0].index)
    usual_s = rng.uniform(*tile_s)
    with slow_detector(lambda: usual_s, rng) as clock:
        service = SimulatedService(clock, START_S, beside_s=_BESIDE_S)
        return run(shots, clip, guard_for(settings, clip, net, live=True, make_worker=service.worker), service)


def _named(only: list[str] | None) -> Iterator[tuple[str, bool, list[Shot]]]:
    """Name, live and shots of the scenarios."""
    for name in only or SCENARIOS:
        live, make = SCENARIOS[name]
        yield name, live, make()


def _drawn(options: argparse.Namespace) -> Iterator[tuple[str, bool, list[Shot]]]:
    """The same of random ones; each has a seed of its own."""
    for number in range(options.seed, options.seed + options.random):
        for kind, draw in (("bursts", random_bursts), ("breaks", random_breaks)):
            rng = Random(number)
            shots = draw(rng)
            SimulatedWorker.look_s = options.look_s * rng.uniform(0.5, 2.0)
            yield f"{kind}_{number}", True, shots


if __name__ == "__main__":
    sys.exit(main())
