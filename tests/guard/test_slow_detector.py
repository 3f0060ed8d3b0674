"""A detector that is too slow: what nobody had time to look at is covered, and looks take no longer for being rare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import cast

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from aipg_plugin.detection.coverage import TileCoverage
from aipg_plugin.detection.detections import Detections
from aipg_plugin.detection.detector import FisheyeDetector
from aipg_plugin.detection.tiles import LIVE, Tile, make_tiles
from aipg_plugin.frames import Frame, GuardedFrame, PixelFormat
from aipg_plugin.geometry.gravity import aligned
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.guard.guard import Guard
from aipg_plugin.options import Camera, Sensitivity
from aipg_plugin.scene import analyzer as analyzer_module
from aipg_plugin.scene.analyzer import SceneAnalyzer
from aipg_plugin.scene.observation import Analyzer
from aipg_plugin.states import FULL_MOSAIC, State
from aipg_plugin.thresholds import thresholds
from aipg_plugin.tracking.tracker import Tracker
from benchmarks.simulated import DetectorClock, SimulatedService
from tests.guard.scenes import camera, observed

SIZE_WH = (320, 320)
WALKER_WH = (30, 40)
FPS, EPOCH_S = 10, 1000.0
START = 70   # frames until the scene is known: every camera is swept first


@dataclass
class ExactDetector:
    """Finds everybody by their texture, in the tiles it looks at alone; a tile takes `tile_s`."""

    projection: Projection
    mount: Mount
    clock: DetectorClock
    tile_s: float
    follows: bool = False
    tiles: tuple[Tile, ...] = ()
    coverage: TileCoverage = field(init=False)

    def __post_init__(self) -> None:
        self.tiles = make_tiles(self.projection, self.mount, LIVE)
        self.coverage = TileCoverage(self.tiles, self.projection.size_wh)

    @property
    def size_wh(self) -> tuple[int, int]:
        return self.projection.size_wh

    def detect(self, picture_bgr: NDArray[np.uint8], tiles: Sequence[int] = (),
               expected: NDArray[np.float64] | None = None) -> Detections:
        self.clock.detector_s += self.tile_s * len(tiles)
        grey = picture_bgr.astype(np.int16).sum(2)
        rough = np.zeros(grey.shape, np.uint8)
        rough[:, 1:] = np.abs(np.diff(grey, axis=1)) > 75
        _, _, stats, centres = cv2.connectedComponentsWithStats(
            cv2.morphologyEx(rough, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)))
        people = np.array([[x, y, stat[2] + 2, stat[3] + 2] for stat, (x, y) in
                           zip(stats[1:], centres[1:], strict=True) if stat[4] > 300], np.float64).reshape(-1, 4)
        people = people[self.coverage.answers(people[:, :2])[list(tiles)].any(0)]
        boxes = np.asarray(aligned(self.projection, self.mount, people), np.float64).reshape(-1, 5)
        boxes[:, 2:4] = np.hypot(people[:, 2], people[:, 3])[:, None]
        return observed(boxes).detections


@cache
def _room() -> NDArray[np.uint8]:
    coarse = np.random.default_rng(5).integers(40, 170, (17, 17)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, SIZE_WH, interpolation=cv2.INTER_CUBIC).clip(30, 180), np.uint8)


def places(index: int, *, busy: bool) -> list[tuple[int, int]]:
    """Where people stand in a frame: one who sits, and in a busy room four who walk round, two of them faintly seen.

    Who sits is out of their way: two who touch are one to this detector.
    """
    found = [(135, 140)]
    if busy:
        for number in range(4):
            angle = number * np.pi / 2 + index / FPS * (0.5 if number % 2 else -0.4)
            reach = 95 + 10 * number
            found.append((int(160 + reach * np.cos(angle)) - 15, int(160 + reach * np.sin(angle)) - 20))
    return found


def picture(index: int, *, busy: bool, seed: int) -> Frame:
    """A frame: the faint are nearly as bright as the room, their texture finer than a thumbnail."""
    rng, texture = np.random.default_rng(100 * index + seed), np.random.default_rng(3)
    luma = _room().astype(np.float32)
    pw, ph = WALKER_WH
    for number, (x, y) in enumerate(places(index, busy=busy)):
        faint = number in (2, 3)
        there = np.s_[y:y + ph, x:x + pw]
        luma[there] = (luma[there] + 8 if faint else 150) + (24 if faint else 60) * texture.choice([-1, 1], (ph, pw))
    luma += rng.normal(0, 1.0, luma.shape)
    chroma = [np.full((SIZE_WH[1] // 2, SIZE_WH[0] // 2), 128, np.uint8) for _ in range(2)]
    t_s = index / FPS
    return Frame("1", index, t_s, EPOCH_S + t_s, PixelFormat.I420, SIZE_WH,
                 (luma.clip(0, 255).astype(np.uint8), *chroma))


def bare(guarded: GuardedFrame, *, busy: bool, seed: int) -> list[float]:
    """How much of each person left as it came in."""
    came, (pw, ph) = picture(guarded.seq, busy=busy, seed=seed), WALKER_WH
    return [float((np.abs(guarded.planes[0][y:y + ph, x:x + pw].astype(int)
                          - came.planes[0][y:y + ph, x:x + pw]) <= 2).mean())
            for x, y in places(guarded.seq, busy=busy)]


def _guard(service: SimulatedService, clock: DetectorClock, tile_s: float) -> Guard:
    def analyzer(projection: Projection, mount: Mount, _of: Camera) -> Analyzer:
        detector = cast("FisheyeDetector", ExactDetector(projection, mount, clock, tile_s))
        return SceneAnalyzer(detector, mount, live=True, single_image=False)

    def tracker(projection: Projection, mount: Mount, of: Camera) -> Tracker:
        limits = thresholds(of.privacy_guard.sensitivity)
        return Tracker(projection, mount, hold_s=of.privacy_guard.hold_s, on_score=limits.on_score,
                       keep_score=limits.keep_score)

    return Guard(camera(sensitivity=Sensitivity.MEDIUM), analyzer, tracker, live=True, make_worker=service.worker)


@pytest.mark.parametrize(("busy", "calm", "tile_s"), [(1, 0, 0.015), (1, 0, 0.06), (2, 6, 0.015), (2, 6, 0.03)])
def test_nobody_is_clear_and_looks_stay_short_however_slow_the_detector(
        monkeypatch: pytest.MonkeyPatch, busy: int, calm: int, tile_s: float) -> None:
    clock = DetectorClock()
    monkeypatch.setattr(analyzer_module, "time", clock)
    service = SimulatedService(clock, EPOCH_S)
    guards = [_guard(service, clock, tile_s) for _ in range(busy + calm)]
    states = {True: Counter[State](), False: Counter[State]()}
    clear = list[str]()
    for index in range(START + 60):
        if index == START:
            service.longest_s = 0.0
        for number, subject in enumerate(guards):
            is_busy = number < busy
            service.advance(EPOCH_S + index / FPS + 0.001 * number)
            for guarded in subject.process(picture(index, busy=is_busy, seed=number)):
                if guarded.seq < START:
                    continue
                states[is_busy][guarded.state] += 1
                clear += [f"camera {number} frame {guarded.seq} person {who} {share:.2f} {guarded.state}"
                          for who, share in enumerate(bare(guarded, busy=is_busy, seed=number)) if share > 0.5]
    for subject in guards:
        subject.close()
    print(states, service.longest_s, service.load())
    assert not clear, (clear, states)
    whole = {kind: sum(seen[state] for state in FULL_MOSAIC) / max(1, seen.total()) for kind, seen in states.items()}
    assert whole[False] <= 0.05, states
    assert whole[True] <= 0.1, states
    assert service.longest_s <= max(0.35, 2.5 * tile_s * 4)
