"""How well people keep their tracks: HOTA, identity switches and fragments, beside a plain ByteTrack.

    python -m benchmarks.tracks [CLIP ...] [--mode offline|live] [--sensitivity high] [--cache FOLDER]

CLIP and `--cache` as in `benchmarks.fit`. Both trackers get the same detections, look by look; what a look found of
each track is compared with the truth of that moment by the overlap of boxes. People less than 30 % visible and finds of
them are left out. Live, looks take 0.12 s of simulated time. Needs scipy, and `pip install --no-deps trackeval` (MIT)
for the measures: HOTA (Luiten et al. 2021) and those of CLEAR MOT (Bernardin and Stiefelhagen 2008).

- hota, deta, assa: detection and association, percent, mean over the overlaps asked for.
- switches, fragments: per person seen. tracks: numbers given per person seen.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aipg_plugin.detection.detector import FisheyeDetector
from aipg_plugin.detection.onnx import PersonNet
from aipg_plugin.detection.tiles import LIVE, THOROUGH
from aipg_plugin.geometry import Mount, Projection
from aipg_plugin.geometry import boxes as box_math
from aipg_plugin.guard.guard import Guard
from aipg_plugin.options import Camera, Sensitivity
from aipg_plugin.resources import resource_path
from aipg_plugin.scene.analyzer import SceneAnalyzer
from aipg_plugin.thresholds import Thresholds, thresholds
from aipg_plugin.tracking.hindsight import SUFFICES_S
from aipg_plugin.tracking.tracker import DetectionArrays, Tracker
from benchmarks.fit import as_video, asked, camera_for, frames_of
from benchmarks.leak import LEAST_VISIBLE, ClipTruth
from benchmarks.simulated import SIMULATED, SimulatedWorker

Float64 = NDArray[np.float64]
_ALL_S = 1e6              # history kept
_START_S = 1.7e9          # of the simulated clock
_SAME_IOU = 0.5           # of a find and somebody who is left out


@dataclass
class Seen:
    """What a tracker's looks found: for each look its time, the tracks' numbers and their boxes (N, 5) px."""

    times: list[float] = field(default_factory=list)
    numbers: list[list[int]] = field(default_factory=list)
    boxes: list[Float64] = field(default_factory=list)


class RecordingTracker(Tracker):
    """Keeps what it was given."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.given: list[tuple[float, DetectionArrays]] = []

    def update(self, detections: DetectionArrays, t_s: float, gone: Any = None, looked: Any = None,
               unchanged: Any = None) -> None:
        """As Tracker.update."""
        self.given.append((t_s, detections))
        super().update(detections, t_s, gone, looked, unchanged)

    def prune(self, before_s: float) -> None:
        """Everything is kept."""

    def seen(self, *, hindsight: bool) -> Seen:
        """The tracks' sightings; in `hindsight`, of tracks joined by what came later."""
        histories = self._in_hindsight() if hindsight else self._histories
        points = sorted(((point.t_s, history.id, point.box) for history in histories
                         for point in history.points), key=lambda one: one[:2])
        return _by_time([at_s for at_s, _ in self.given], points)


class ByteTrack:
    """The plain tracker (Zhang et al. 2022): upright boxes, constant velocity, IoU, two stages, lost tracks kept.

    Its parameters are those of the paper's code for video; the buffer is `hold_s`.
    """

    def __init__(self, limits: Thresholds, hold_s: float) -> None:
        self._limits, self._hold_s = limits, hold_s
        self._tracks: list[dict[str, Any]] = []
        self._next = 1

    def update(self, detections: DetectionArrays, t_s: float) -> list[tuple[float, int, Float64]]:
        """The tracks found in one look: time, number, box."""
        from scipy.optimize import linear_sum_assignment

        boxes, scores = np.asarray(detections.boxes, np.float64), np.asarray(detections.scores, np.float64)
        upright = _upright(boxes)
        strong = np.flatnonzero(scores >= self._limits.on_score)
        weak = np.flatnonzero((scores >= self._limits.keep_score) & (scores < self._limits.on_score))
        free, found = list(range(len(self._tracks))), []
        for chosen, least_iou in ((strong, 0.2), (weak, 0.5)):
            expected = np.array([self._tracks[k]["box"] + self._tracks[k]["speed"] * (t_s - self._tracks[k]["t_s"])
                                 for k in free]).reshape(-1, 4)
            overlap = _iou(expected, upright[chosen])
            rows, columns = linear_sum_assignment(1 - overlap)
            pairs = [(free[row], int(chosen[column])) for row, column in zip(rows, columns, strict=True)
                     if overlap[row, column] > least_iou]
            for k, index in pairs:
                track = self._tracks[k]
                passed_s = t_s - track["t_s"]
                track["speed"] = 0.5 * track["speed"] + 0.5 * (upright[index] - track["box"]) / passed_s
                track["box"], track["t_s"] = upright[index], t_s
                found.append((t_s, track["id"], boxes[index]))
            taken, used = {k for k, _ in pairs}, {index for _, index in pairs}
            free = [k for k in free if k not in taken]
            if chosen is strong:
                new = [int(index) for index in strong if int(index) not in used]
        for index in new:
            self._tracks.append({"id": self._next, "box": upright[index], "speed": np.zeros(4), "t_s": t_s})
            found.append((t_s, self._next, boxes[index]))
            self._next += 1
        self._tracks = [track for track in self._tracks if t_s - track["t_s"] <= self._hold_s]
        return found


def _upright(boxes: Float64) -> Float64:
    """(N, 4) x0, y0, x1, y1 around (N, 5) boxes."""
    corners = box_math.corners(boxes)
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)


def _iou(a: Float64, b: Float64) -> Float64:
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(axis=2)
    area_a, area_b = (a[:, 2:] - a[:, :2]).prod(axis=1), (b[:, 2:] - b[:, :2]).prod(axis=1)
    return np.asarray(common / np.maximum(area_a[:, None] + area_b[None] - common, 1e-9))


def _by_time(times: Sequence[float], points: Iterable[tuple[float, int, Float64]]) -> Seen:
    """Sightings sorted into the looks they are of."""
    seen = Seen(list(times), [[] for _ in times], [])
    boxes: list[list[Float64]] = [[] for _ in times]
    for t_s, number, box in points:
        row = int(np.abs(np.array(times) - t_s).argmin())
        seen.numbers[row].append(number)
        boxes[row].append(box)
    seen.boxes = [np.array(rows, np.float64).reshape(-1, 5) for rows in boxes]
    return seen


def scores(truth: ClipTruth, frame_times: Sequence[float], scale: float, seen: Seen) -> dict[str, float]:
    """The measures of one clip; `scale` from the sightings' pixels to the truth's. Raises ImportError."""
    from trackeval.metrics import CLEAR, HOTA

    gt_ids, tracker_ids, similarity = [], [], []
    people: dict[int, int] = {}
    numbers: dict[int, int] = {}
    for t_s, ids, boxes in zip(seen.times, seen.numbers, seen.boxes, strict=True):
        persons = truth.frames[int(np.abs(np.array(frame_times) - t_s).argmin())]["persons"]
        counted = [not p["ignore"] and p["visible"] >= LEAST_VISIBLE for p in persons]
        overlap = np.asarray(box_math.iou(boxes * (scale, scale, scale, scale, 1),
                                          np.array([p["box"] for p in persons]).reshape(-1, 5)))
        best = overlap.argmax(axis=1) if len(persons) else np.zeros(len(boxes), int)
        kept = [k for k in range(len(boxes))
                if not (len(persons) and overlap[k, best[k]] > _SAME_IOU and not counted[best[k]])]
        of = [k for k, yes in enumerate(counted) if yes]
        gt_ids.append(np.array([people.setdefault(persons[k]["id"], len(people)) for k in of], int))
        tracker_ids.append(np.array([numbers.setdefault(ids[k], len(numbers)) for k in kept], int))
        similarity.append(overlap[np.ix_(kept, of)].T)
    data = {"gt_ids": gt_ids, "tracker_ids": tracker_ids, "similarity_scores": similarity,
            "num_gt_ids": len(people), "num_tracker_ids": len(numbers), "num_timesteps": len(seen.times),
            "num_gt_dets": sum(map(len, gt_ids)), "num_tracker_dets": sum(map(len, tracker_ids))}
    hota = HOTA().eval_sequence(data)
    clear = CLEAR({"PRINT_CONFIG": False}).eval_sequence(data)
    return {**{name.lower(): 100 * float(np.mean(hota[name])) for name in ("HOTA", "DetA", "AssA")},
            "switches": clear["IDSW"] / len(people), "fragments": clear["Frag"] / len(people),
            "tracks": len(numbers) / len(people), "people": len(people)}


def watched(clip: Path, camera: Camera, net: PersonNet, *, live: bool) -> tuple[RecordingTracker, list[float], float]:
    """A clip looked at by the guard: its tracker, the frames' times, and the scale of its pixels to the picture's."""
    made: list[RecordingTracker] = []

    def analyzer(projection: Projection, mount: Mount, _camera: Camera) -> SceneAnalyzer:
        return SceneAnalyzer(FisheyeDetector(net, projection, mount, plan=LIVE if live else THOROUGH), mount,
                             live=False, single_image=False)

    def tracker(projection: Projection, mount: Mount, of: Camera) -> RecordingTracker:
        limits = thresholds(of.privacy_guard.sensitivity)
        made.append(RecordingTracker(projection, mount, of.privacy_guard.hold_s, limits.on_score, limits.keep_score,
                                     history_s=_ALL_S))
        return made[-1]

    guard = Guard(camera, analyzer, tracker, live=live, hindsight_s=0.0 if live else SUFFICES_S,
                  make_worker=SimulatedWorker)
    times = []
    for frame in frames_of(clip):
        for worker in SIMULATED:
            worker.now_s = frame.pts_s or 0.0
            worker.advance()
        guard.process(replace(frame, wall_time_s=_START_S + (frame.pts_s or 0.0)))
        times.append(guard.stream("1").now_s)
        width = frame.size_wh[0]
    wh = guard.picture_wh
    assert wh is not None
    guard.close()
    SIMULATED.clear()
    return made[-1], times, width / wh[0]


def main() -> int:
    """Run and print."""
    options, net = asked(__doc__)
    rows: dict[str, dict[str, dict[str, float]]] = {"ours": {}, "bytetrack": {}}
    for given in options.clips or [resource_path("samples", "lobby.mp4")]:
        clip = as_video(given)
        camera = camera_for(clip, Sensitivity(options.sensitivity))
        tracker, times, scale = watched(clip, camera, net, live=options.mode != "offline")
        truth = ClipTruth(clip)
        rows["ours"][clip.stem] = scores(truth, times, scale, tracker.seen(hindsight=options.mode == "offline"))
        plain = ByteTrack(thresholds(camera.privacy_guard.sensitivity), camera.privacy_guard.hold_s)
        points = [point for t_s, found in tracker.given for point in plain.update(found, t_s)]
        rows["bytetrack"][clip.stem] = scores(truth, times, scale, _by_time([t_s for t_s, _ in tracker.given], points))
    for name, of in rows.items():
        weights = [one["people"] for one in of.values()]
        of["all"] = {key: float(np.average([one[key] for one in of.values()], weights=weights))
                     for key in next(iter(of.values()))} | {"people": float(sum(weights))}
        rows[name] = of
    if options.json:
        print(json.dumps(rows, indent=1))
        return 0
    for name, of in rows.items():
        print(name)
        for key in next(iter(of.values())):
            print(f"  {key:10s} " + " ".join(f"{row[key]:8.2f}" for row in of.values()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
