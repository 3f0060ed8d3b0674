"""How well masks fit: tightness, calm and tracks beside the leak, on clips with exact truth.

    python -m benchmarks.fit [CLIP ...] [--mode offline|live|simulated] [--sensitivity high] [--cache FOLDER]

CLIP is a video with `.truth.json` and `.silhouettes.npz` beside it (default samples/lobby.mp4), or a folder that
`python -m rendering sequence` wrote. `--cache` remembers what the net said of each tile, so that a change of
tracks or masks is measured in seconds. Live, a clip is played at its own pace; simulated is the live guard with looks
of 0.12 s and tiles of 15 ms of simulated time, so that the machine's speed plays no part. There, frames that are
masked whole count for full_mosaic and leaks alone. Definitions, people less than 30 % visible left out:

- head_leak, body_leak, over_mask: as in `benchmarks.leak`.
- mask_ratio: masked pixels of the image circle over silhouette pixels, median over frames.
- area_change: relative change of the masked area from frame to frame, median and 95th percentile.
- turnover: pixels whose state changed over masked pixels, and the same of the silhouettes (what walking alone costs).
- stray_limbs: silhouette pixels left clear. longest_clear: frames in a row in which one head leaks.
- tracks_per_person: numbers given over people seen; id_switches: changes of a person's number.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
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
from aipg_plugin.geometry import boxes as box_math
from aipg_plugin.guard.assembly import make_guard
from aipg_plugin.guard.guard import Guard
from aipg_plugin.media.source import open_source
from aipg_plugin.options import BlurIntensity, Camera, MaskingMethod, Models, Sensitivity, Source, Web
from aipg_plugin.resources import resource_path
from aipg_plugin.scene import analyzer
from benchmarks.leak import LEAST_VISIBLE, ClipTruth, filled
from benchmarks.simulated import SIMULATED, DetectorClock, SimulatedWorker
from evaluation.uncovered import HEAD_UNCOVERED, LeakCount, disc, uncovered

_FILL = "#ff00ff"
_STEP_PX = 4
TILE_S = 0.015  # of simulated time


@dataclass
class Fit(LeakCount):
    """Sums over clips."""

    over: list[float] = field(default_factory=list)
    ratio: list[float] = field(default_factory=list)
    change: list[float] = field(default_factory=list)
    turnover: list[float] = field(default_factory=list)
    truth_turnover: list[float] = field(default_factory=list)
    stray: list[float] = field(default_factory=list)
    longest: int = 0
    full: int = 0
    people: int = 0
    numbers: int = 0
    switches: int = 0

    def row(self) -> dict[str, float]:
        """The figures: shares in percent."""
        def middle(values: list[float], share: float) -> float:
            return float(np.percentile(values, share)) if values else float("nan")
        return {"head_leak": 100 * self.head_leaks / max(1, self.heads),
                "body_leak": 100 * self.body_leaks / max(1, self.bodies), "over_mask": 100 * float(np.mean(self.over)),
                "mask_ratio": middle(self.ratio, 50), "area_change": 100 * middle(self.change, 50),
                "area_change_p95": 100 * middle(self.change, 95), "turnover": 100 * middle(self.turnover, 50),
                "turnover_p95": 100 * middle(self.turnover, 95),
                "truth_turnover": 100 * middle(self.truth_turnover, 50),
                "stray_limbs": 100 * float(np.mean(self.stray)) if self.stray else float("nan"),
                "longest_clear": self.longest, "tracks_per_person": self.numbers / max(1, self.people),
                "id_switches": self.switches, "full_mosaic": self.full}


class ClipFit:
    """Judges the frames of one clip in order."""

    def __init__(self, truth: ClipTruth, fit: Fit, *, count_full: bool = True) -> None:
        self._truth, self._fit, self._count_full = truth, fit, count_full
        self._before: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None = None
        self._clear: dict[int, int] = {}
        self._number: dict[int, int] = {}
        self._numbers: set[int] = set()
        self._people: set[int] = set()
        h, w = truth.ids.shape[1:]
        cx, cy, radius = (value / truth.step_px for value in truth.circle_px)
        ys, xs = np.mgrid[0:h, 0:w]
        self._circle = np.asarray((xs + 0.5 - cx) ** 2 + (ys + 0.5 - cy) ** 2 < radius ** 2)

    def judge(self, index: int, masked: NDArray[np.bool_], full: bool) -> None:
        """Add one frame whose `masked` (H, W) bool says what is hidden."""
        truth, fit = self._truth, self._fit
        fit.full += full
        ids, step = truth.ids[index], truth.step_px
        small = masked[step // 2::step, step // 2::step][:ids.shape[0], :ids.shape[1]]
        seen = [p for p in truth.frames[index]["persons"] if not p["ignore"] and p["visible"] >= LEAST_VISIBLE]
        for person in seen:
            head = None if person["head"] is None else uncovered(disc(masked.shape, person["head"]), masked)
            fit.add_person(head, uncovered(ids == person["id"], small))
            clear = head is not None and head > HEAD_UNCOVERED
            self._clear[person["id"]] = self._clear.get(person["id"], 0) + 1 if clear else 0
            fit.longest = max(fit.longest, self._clear[person["id"]])
        if full and not self._count_full:
            self._before = None
            return
        people = np.isin(ids, [person["id"] for person in seen])
        fit.over.append(float(small[self._circle & (ids == 0)].mean()))
        if people.any():
            fit.ratio.append(float((small & self._circle).sum() / people.sum()))
            fit.stray.append(float((people & ~small).sum() / people.sum()))
        if self._before is not None:
            mask0, people0 = self._before
            if mask0.any() and small.any():
                fit.change.append(abs(int(small.sum()) - int(mask0.sum())) / int(mask0.sum()))
                fit.turnover.append(float((small ^ mask0).sum() / small.sum()))
            if people.any():
                fit.truth_turnover.append(float((people ^ people0).sum() / people.sum()))
        self._before = small, people

    def number(self, index: int, places: dict[int, NDArray[np.float64]]) -> None:
        """Add the tracks of one frame: `places` are the (2,) centres of their outlines by number."""
        persons = [p for p in self._truth.frames[index]["persons"] if not p["ignore"] and p["visible"] >= LEAST_VISIBLE]
        self._people |= {p["id"] for p in persons}
        self._numbers |= set(places)
        if not (persons and places):
            return
        inside = box_math.contains([p["box"] for p in persons], np.array(list(places.values())))
        for person, row in zip(persons, inside, strict=True):
            holders = [number for number, ok in zip(places, row, strict=True) if ok]
            if not holders or self._number.get(person["id"]) in holders:
                continue
            self._fit.switches += person["id"] in self._number
            self._number[person["id"]] = holders[0]

    def close(self) -> None:
        """Add what is known at the end only."""
        self._fit.people += len(self._people)
        self._fit.numbers += len(self._numbers)


class _InOneThread:
    """Nets that count their answers, or keep them in files."""

    @staticmethod
    def at_once(most: int, _tile_px: int) -> int:
        """One thread asks, for as many tiles as it has."""
        return most

    @staticmethod
    def in_turn(work: Callable[[Any], Any], batches: Iterable[Any]) -> Iterator[Any]:
        """One after the other."""
        return map(work, batches)


class RememberingNet(_InOneThread):
    """A person net that keeps its answers, by the tiles' pixels, in a folder."""

    def __init__(self, net: PersonNet, folder: Path) -> None:
        self._net, self._folder = net, folder / hashlib.sha256(net.name.encode()).hexdigest()[:8]
        self._folder.mkdir(parents=True, exist_ok=True)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._net, name)

    def run(self, tiles: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """As PersonNet.run."""
        files = [self._folder / (hashlib.blake2b(tile.tobytes(), digest_size=16).hexdigest() + ".npz")
                 for tile in tiles]
        new = [k for k, file in enumerate(files) if not file.exists()]
        if new:
            raw, maps = self._net.run(tiles[new])
            for row, k in enumerate(new):
                np.savez(files[k], raw=raw[row], **({} if maps is None else {"map": maps[row]}))
        known = [np.load(file) for file in files]
        maps_of = [one["map"] for one in known if "map" in one]
        return np.stack([one["raw"] for one in known]), np.stack(maps_of) if len(maps_of) == len(known) else None


class PacedNet(_InOneThread):
    """A person net whose tiles take TILE_S of simulated time."""

    def __init__(self, net: PersonNet, clock: DetectorClock) -> None:
        self._net, self._clock = net, clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._net, name)

    def run(self, tiles: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """As PersonNet.run."""
        self._clock.detector_s += TILE_S * len(tiles)
        return self._net.run(tiles)


def simulated_guard(camera: Camera, net: PersonNet) -> Guard:
    """A live guard whose looks and tiles take simulated time; `simulated` plays frames to it."""
    clock = DetectorClock()
    analyzer.time = clock  # type: ignore[assignment,attr-defined]  # it measures its tiles itself
    SIMULATED.clear()
    return make_guard(camera, PacedNet(net, clock), live=True, plan=LIVE,  # type: ignore[arg-type]
                      make_worker=SimulatedWorker)


def simulated(frames: Iterable[Frame], guard: Guard) -> Iterator[tuple[Frame, list[GuardedFrame]]]:
    """Frames as they arrive in simulated time, with those that leave then."""
    for frame in frames:
        SimulatedWorker.now_s = frame.pts_s or 0.0
        for worker in SIMULATED:
            worker.advance()
        yield frame, guard.process(replace(frame, wall_time_s=1000 + (frame.pts_s or 0.0)))


def as_video(clip: Path) -> Path:
    """The clip itself, or the video with its truth made from a folder of rendered frames (once)."""
    if clip.is_file():
        return clip
    video = clip.with_suffix(".mp4")
    if video.exists():
        return video
    from rendering.clip import encode

    described = json.loads((clip / "sequence.json").read_text(encoding="utf-8"))
    names = [f"{k:06d}" for k in range(len(described["frames"]))]
    half = _STEP_PX // 2
    masks = [np.asarray(cv2.imread(str(clip / f"{name}.png"), cv2.IMREAD_GRAYSCALE), np.uint8) for name in names]
    np.savez_compressed(video.with_suffix(".silhouettes.npz"), step_px=_STEP_PX,
                        ids=np.stack([mask[half::_STEP_PX, half::_STEP_PX] for mask in masks]))
    pictures = [np.asarray(cv2.imread(str(clip / f"{name}.jpg")), np.uint8) for name in names]
    even = [picture[:picture.shape[0] // 2 * 2, :picture.shape[1] // 2 * 2] for picture in pictures]
    encode(video, even, float(described["fps"]), 30_000_000)
    video.with_suffix(".truth.json").write_text(json.dumps(described), encoding="utf-8")
    return video


def camera_for(clip: Path, sensitivity: Sensitivity, **guard: object) -> Camera:
    """Settings with the lens, mount and height that the clip's truth names, filling with an unmistakable colour."""
    described = json.loads(clip.with_suffix(".truth.json").read_text(encoding="utf-8"))
    camera = settings_for(str(clip), Web()).cameras[0]
    lens = replace(camera.lens, fov_deg=float(described["fov_deg"]), model=type(camera.lens.model)(described["lens"]),
                   coefficients=tuple(described.get("coefficients", ())))
    cx, cy, radius = described["circle_px"]
    w, h = described["size_wh"]
    lens = replace(lens, circle=(cx / (w // 2 * 2), cy / (h // 2 * 2), radius / (w // 2 * 2)))
    return replace(camera, lens=lens, mount=type(camera.mount)(described.get("mount", "ceiling")),
                   camera_height_m=min(5.0, max(2.5, float(described["height_m"]))),
                   privacy_guard=replace(camera.privacy_guard, sensitivity=sensitivity, **{
                       "masking_method": MaskingMethod.FILLING, "fill_colour": _FILL,
                       "blur_intensity": BlurIntensity.MIDDLE, **guard}))  # type: ignore[arg-type]


def frames_of(clip: Path) -> Iterator[Frame]:
    """All frames, without pauses."""
    with open_source(Source(str(clip), realtime=False), "1") as opened:
        for item in opened:
            if isinstance(item, Frame):
                yield item


def run_simulated(clip: Path, guard: Guard, judge: ClipFit) -> None:
    """As `run`, live, in simulated time."""
    for frame, left in simulated(frames_of(clip), guard):
        _number(judge, guard, frame.seq, None)
        for guarded in left:
            _judge(judge, guarded)
    for guarded in guard.flush("1"):
        _judge(judge, guarded)
    guard.close()
    judge.close()


def run(clip: Path, guard: Guard, judge: ClipFit, *, live: bool) -> None:
    """Guard a clip and judge every frame that leaves."""
    left: list[GuardedFrame] = []
    frames = frames_of(clip) if not live else iter(
        [replace(frame, planes=tuple(np.array(plane) for plane in frame.planes)) for frame in frames_of(clip)])
    start_s = time.monotonic()
    for frame in frames:
        if live:
            time.sleep(max(0.0, start_s + (frame.pts_s or 0.0) - time.monotonic()))
        out = guard.process(replace(frame, wall_time_s=time.time()) if live else frame)
        if live:
            _number(judge, guard, frame.seq, None)
            left += out
            continue
        for guarded in out:
            _number(judge, guard, guarded.seq, guarded.pts_s)
            _judge(judge, guarded)
    for guarded in left + guard.flush("1"):
        if not live:
            _number(judge, guard, guarded.seq, guarded.pts_s)
        _judge(judge, guarded)
    guard.close()
    judge.close()


def _number(judge: ClipFit, guard: Guard, seq: int, t_s: float | None) -> None:
    judge.number(seq, {figure.id: np.asarray(region.polygons_px[0], np.float64).mean(0)
                       for figure, region in guard.stream("1").figures(t_s) if figure.id >= 0})


def _judge(judge: ClipFit, guarded: GuardedFrame) -> None:
    masked, full = filled(guarded), guarded.state in ("failsafe", "starting")
    if full:
        masked[:] = True
    judge.judge(guarded.seq, masked, full)


def asked(description: str | None) -> tuple[argparse.Namespace, PersonNet]:
    """The command line of a benchmark of clips, and the net it asks for."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="*")
    parser.add_argument("--mode", choices=("offline", "live", "simulated"), default="offline")
    parser.add_argument("--sensitivity", choices=list(Sensitivity), default=Sensitivity.HIGH)
    parser.add_argument("--tier", default="standard")
    parser.add_argument("--cache", type=Path, help="folder for the net's answers")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    net = load_model(Models(tier=options.tier, precision="fp32"))
    return options, RememberingNet(net, options.cache) if options.cache else net  # type: ignore[return-value]


def main() -> int:
    """Run and print."""
    options, net = asked(__doc__)
    live = options.mode == "live"
    rows: dict[str, dict[str, float]] = {}
    total = Fit()
    for given in options.clips or [resource_path("samples", "lobby.mp4")]:
        clip = as_video(given)
        one = Fit()
        camera = camera_for(clip, Sensitivity(options.sensitivity))
        if options.mode == "simulated":
            run_simulated(clip, simulated_guard(camera, net), ClipFit(ClipTruth(clip), one, count_full=False))
        else:
            run(clip, make_guard(camera, net, live=live, plan=LIVE if live else THOROUGH),
                ClipFit(ClipTruth(clip), one), live=live)
        _add(total, one)
        rows[clip.stem] = one.row()
    rows["all"] = total.row()
    if options.json:
        print(json.dumps(rows, indent=1))
        return 0
    for name in next(iter(rows.values())):
        print(f"{name:18s} " + " ".join(f"{row[name]:8.2f}" for row in rows.values()))
    return 0


def _add(total: Fit, one: Fit) -> None:
    for name, value in vars(one).items():
        before = getattr(total, name)
        setattr(total, name, max(before, value) if name == "longest" else before + value)


if __name__ == "__main__":
    sys.exit(main())
