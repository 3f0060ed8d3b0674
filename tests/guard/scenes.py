"""A scene with known truth for the guard's tests: one walking figure of noise over a noisy room."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.detection.detections import Detections
from aipg_plugin.frames import Frame, GuardedFrame, PixelFormat, Planes
from aipg_plugin.geometry.figure import Figure
from aipg_plugin.geometry.gravity import aligned
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.guard.evidence import Evidence
from aipg_plugin.guard.guard import Guard
from aipg_plugin.guard.looks import Shown
from aipg_plugin.guard.observer import MakeWorker
from aipg_plugin.guard.service import alone
from aipg_plugin.options import Camera, Lens, PrivacyGuard, Sensitivity, Source, Stream
from aipg_plugin.scene.foreground import NO_FOREGROUND
from aipg_plugin.scene.observation import Analyzer, Glance, Observation
from aipg_plugin.scene.picture import LookPicture
from aipg_plugin.thresholds import thresholds
from aipg_plugin.tracking.tracker import Tracker
from benchmarks.simulated import SIMULATED, SimulatedWorker

SIZE_WH = (320, 320)
FPS = 10
_SQUARE = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], np.float32)


def camera(**guard: object) -> Camera:
    """A ceiling camera with one guarded fisheye stream."""
    settings: dict[str, object] = {"enabled": True, "target_streams": ("1",), "lookahead_s": 0.4,
                                   "sensitivity": Sensitivity.LOW, **guard}
    return Camera("lobby", streams=(Stream("1", Source("none")),), lens=Lens(circle=(0.5, 0.5, 0.5)),
                  privacy_guard=PrivacyGuard(**settings))  # type: ignore[arg-type]


def person_xywh(index: int, size_wh: tuple[int, int] = SIZE_WH) -> tuple[int, int, int, int]:
    """Where the person stands in frame `index`: a slow walk to and fro in the lower half."""
    scale = size_wh[0] / SIZE_WH[0]
    x = 110 + 4 * min(index % 50, 50 - index % 50)
    return int(x * scale), int(190 * scale), int(40 * scale), int(80 * scale)


def frame(index: int, *, size_wh: tuple[int, int] = SIZE_WH, pixel_format: PixelFormat = PixelFormat.I420,
          pts_s: float | None = None, stream: str = "1", wall_time_s: float | None = None) -> Frame:
    """Frame `index`: grey smooth room, the person in coarse random texture on every plane."""
    w, h = size_wh
    ramp = (80 + 40 * np.linspace(0, 1, w)[None, :] + np.zeros((h, 1))).astype(np.uint8)
    texture = np.random.default_rng(7)
    x, y, pw, ph = person_xywh(index, size_wh)
    luma_texture = texture.integers(0, 256, (ph, pw), dtype=np.uint8)
    planes: Planes
    if pixel_format is PixelFormat.BGR24:
        picture = np.repeat(ramp[..., None], 3, axis=2)
        picture[y:y + ph, x:x + pw] = texture.integers(0, 256, (ph, pw, 3), dtype=np.uint8)
        planes = (picture,)
    else:
        luma = ramp.copy()
        luma[y:y + ph, x:x + pw] = luma_texture
        half = ((h + 1) // 2, (w + 1) // 2)
        chroma = np.full((*half, 2), 128, np.uint8)
        rows, cols = slice(y // 2, (y + ph) // 2), slice(x // 2, (x + pw) // 2)
        chroma[rows, cols] = texture.integers(0, 256, chroma[rows, cols].shape, dtype=np.uint8)
        planes = ((luma, chroma) if pixel_format is PixelFormat.NV12 else
                  (luma, np.ascontiguousarray(chroma[..., 0]), np.ascontiguousarray(chroma[..., 1])))
    t_s = index / FPS if pts_s is None else pts_s
    return Frame(stream, index, t_s, t_s if wall_time_s is None else wall_time_s, pixel_format, size_wh, planes)


def clear_share(guarded: GuardedFrame, original: Frame) -> float:
    """Share of the person's samples that left as they came in (within 2 levels), over all planes.

    Chance, for a constant colour against uniform noise, is 5/256 = 2 %.
    """
    if guarded.size_wh != original.size_wh:
        return 0.0
    x, y, w, h = person_xywh(original.seq, original.size_wh)
    same = []
    for index, (out, came) in enumerate(zip(guarded.planes, original.planes, strict=True)):
        f = 1 if index == 0 else 2
        area = np.s_[y // f:(y + h) // f, x // f:(x + w) // f]
        same.append((np.abs(out[area].astype(int) - came[area].astype(int)) <= 2).ravel())
    return float(np.concatenate(same).mean())


@dataclass
class TruthAnalyzer:
    """Sees exactly the person, unless `fault` makes this look go wrong."""

    projection: Projection
    mount: Mount
    fault: Callable[[int], object] = lambda look: None
    score: float = 0.9
    looks: int = 0
    swept: bool = False
    sweeps: list[bool] = field(default_factory=list)  # whether each look was told to sweep all
    background_known: bool = True

    def look(self, picture: LookPicture, t_s: float, figures: tuple[Figure, ...], *,
             sweep_all: bool = False, **_asked: object) -> Observation:
        self.looks += 1
        self.sweeps.append(sweep_all)
        outcome = self.fault(self.looks)
        if isinstance(outcome, BaseException):
            raise outcome
        if isinstance(outcome, Observation):
            return outcome
        self.swept = True
        seen = observed(self.boxes(picture.bgr), score=self.score)
        return replace(seen, background_known=self.background_known)

    def boxes(self, picture_bgr: NDArray[np.uint8]) -> NDArray[np.float64]:
        """The person, found by its texture."""
        grey = picture_bgr.astype(int).sum(2)
        rough = np.abs(np.diff(grey, axis=1)) > 60
        ys, xs = np.nonzero(rough)
        if len(xs) < 50:
            return np.zeros((0, 5))
        x0, x1, y0, y1 = xs.min(), xs.max() + 2, ys.min(), ys.max() + 1
        centre = np.array([[(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0]], np.float64)
        box = np.asarray(aligned(self.projection, self.mount, centre), np.float64)
        box[:, 2:4] = np.hypot(x1 - x0, y1 - y0)  # covers the upright square at any angle
        return box

    def glance(self, _picture: LookPicture, _t_s: float, _boxes: NDArray[np.float64]) -> Glance:
        return Glance.NEWS

    def reset(self) -> None:
        self.swept = False


def observed(boxes: NDArray[np.float64], doubt: str = "", score: float = 0.9) -> Observation:
    """An observation of these boxes."""
    count = len(boxes)
    found = Detections(boxes.astype(np.float32), np.full(count, score, np.float32),
                       np.full((count, 3), np.nan, np.float32), (_SQUARE,) * count)
    return Observation(found, doubt, NO_FOREGROUND, complete=not doubt, gone=lambda track: None)


def guard(settings: Camera, fault: Callable[[int], object] = lambda look: None, *, live: bool = False,
          hindsight_s: float = 0.0, most_waiting: int = 2000, score: float = 0.9, opened: list[Camera] | None = None,
          analyzers: list[TruthAnalyzer] | None = None, make_worker: MakeWorker = alone) -> Guard:
    """A guard whose analyzer sees the truth but for its faults.

    `opened` gets the settings it is opened with, `analyzers` each analyzer that is made.
    """

    def analyzer(projection: Projection, mount: Mount, of: Camera) -> Analyzer:
        if opened is not None:
            opened.append(of)
        made = TruthAnalyzer(projection, mount, fault, score)
        if analyzers is not None:
            analyzers.append(made)
        return made

    def tracker(projection: Projection, mount: Mount, of: Camera) -> Tracker:
        limits = thresholds(of.privacy_guard.sensitivity)
        return Tracker(projection, mount, hold_s=of.privacy_guard.hold_s, on_score=limits.on_score,
                       keep_score=limits.keep_score, history_s=10.0 + hindsight_s)

    return Guard(settings, analyzer, tracker, live=live, hindsight_s=hindsight_s, most_waiting=most_waiting,
                 make_worker=make_worker)


class SlowWorker(SimulatedWorker):
    """Looks that are over `look_s` of arrival time after they began; `now_s` is set by whoever hands frames in."""

    look_s = 0.1
    made: SlowWorker

    def __init__(self, evidence: Evidence, name: str) -> None:
        super().__init__(evidence, name)
        SIMULATED.remove(self)  # nobody else lets it go on
        SlowWorker.made = self

    def offer(self, picture: LookPicture, t_s: float, shown: Shown) -> None:
        super().offer(picture, t_s, shown)
        self.advance()


@contextmanager
def slow_worker(look_s: float) -> Iterator[None]:
    """Looks of SlowWorker take so long; afterwards none is left over for the next test."""
    SlowWorker.now_s, SlowWorker.look_s = 0.0, look_s
    yield
    if hasattr(SlowWorker, "made"):
        del SlowWorker.made


def hand_in(subject: Guard, frames: list[Frame]) -> list[GuardedFrame]:
    """Frames given to a guard with a SlowWorker, each at its arrival."""
    out = []
    for one in frames:
        SlowWorker.now_s = one.wall_time_s
        if hasattr(SlowWorker, "made"):
            SlowWorker.made.advance()
        out += subject.process(one)
    return out


def room(seed: int, index: int = 0, *, size_wh: tuple[int, int] = SIZE_WH, person_at: tuple[int, int] | None = None,
         t_s: float = 0.0, seq: int = 0) -> Frame:
    """A room with soft detail of its own, and the textured person of `frame(index)` or one at `person_at`."""
    w, h = size_wh
    coarse = np.random.default_rng(seed).integers(50, 170, (9, 9)).astype(np.float32)
    luma = cv2.resize(coarse, size_wh, interpolation=cv2.INTER_CUBIC).clip(30, 200).astype(np.uint8)
    texture = np.random.default_rng(7)
    x, y, pw, ph = person_xywh(index, size_wh)
    x, y = person_at or (x, y)
    luma[y:y + ph, x:x + pw] = texture.integers(0, 256, (ph, pw), dtype=np.uint8)
    chroma = [np.full(((h + 1) // 2, (w + 1) // 2), 128, np.uint8) for _ in range(2)]
    return Frame("1", seq, t_s, 1000 + t_s, PixelFormat.I420, size_wh, (luma, *chroma))


def bare_share(guarded: GuardedFrame, original: Frame, place_xywh: tuple[int, int, int, int]) -> float:
    """Share of the luma samples of a place that left as they came in (within 2 levels)."""
    x, y, w, h = place_xywh
    place = np.s_[y:y + h, x:x + w]
    return float((np.abs(guarded.planes[0][place].astype(int) - original.planes[0][place]) <= 2).mean())
