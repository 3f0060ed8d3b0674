"""Looks in simulated time, so that the speed of the machine plays no part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from random import Random
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from aipg_plugin.detection.detections import Detections
from aipg_plugin.detection.detector import FisheyeDetector
from aipg_plugin.guard.evidence import Evidence
from aipg_plugin.guard.looks import Shown
from aipg_plugin.guard.service import CameraWorker, DetectionService, _Waiting
from aipg_plugin.scene import analyzer as analyzer_module
from aipg_plugin.scene.picture import LookPicture

SIMULATED: list[SimulatedWorker] = []
_CLOSE_UP = 0.5  # of a tile's time
_GLANCE_S = 0.003
_SPIKE = 2.0     # times its usual time more that a look's tiles take at the worst


class SimulatedWorker:
    """Looks that take `look_s` of simulated time, the newest picture first."""

    now_s = 0.0
    look_s = 0.12

    def __init__(self, evidence: Evidence, _name: str) -> None:
        self._evidence = evidence
        self._job: tuple[LookPicture, float, Shown, float] | None = None
        SIMULATED.append(self)

    def advance(self) -> None:
        """Finish the look whose time is over."""
        if self._job is not None and self.now_s >= self._job[3]:
            picture, t_s, shown, _ = self._job
            self._job = None
            self._evidence.see(picture, t_s, shown)

    def wants(self, t_s: float, *, urgent: bool = False) -> bool:
        """Whether nothing is in hand and a look is due."""
        self.advance()
        return self._job is None and (urgent or self._evidence.due(t_s))

    def offer(self, picture: LookPicture, t_s: float, shown: Shown) -> None:
        """Begin a look."""
        self._job = picture, t_s, shown, self.now_s + self.look_s

    def close(self, _timeout_s: float = 0.0) -> None:
        """Drop the look in hand."""
        self._job = None


class DetectorClock:
    """In place of the module `time` for the analyzer: what the detector has taken so far."""

    def __init__(self) -> None:
        self.detector_s = 0.0

    def perf_counter(self) -> float:
        """Seconds."""
        return self.detector_s


class SimulatedService(DetectionService):
    """The product's detection service with one thread in simulated time, from `start_s` on.

    A look is over so long after it began as the one before it, of its camera, took: `beside_s` and the detector's time.
    """

    def __init__(self, clock: DetectorClock, start_s: float, *, beside_s: float = 0.02) -> None:
        self._now_s, self._detector, self._beside_s = start_s, clock, beside_s
        self._took_s = dict[CameraWorker, float]()
        self._in_work: tuple[CameraWorker, _Waiting, float] | None = None
        self.longest_s = 0.0
        super().__init__(1, clock=lambda: self._now_s)

    def _staff(self) -> None:
        """No threads."""

    def offer(self, seat: CameraWorker, waiting: _Waiting) -> None:
        """A camera's picture: taken at once if nothing is in work."""
        super().offer(seat, waiting)
        if self._in_work is None:
            self._begin()

    def _begin(self) -> None:
        with self._lock:
            taken = self._take()
        self._in_work = None if taken is None else (*taken, self._now_s)

    def advance(self, to_s: float) -> None:
        """Take and finish the looks that there is time for until a moment."""
        while True:
            if self._in_work is None:
                self._begin()
            if self._in_work is None:
                break
            seat, waiting, start_s = self._in_work
            end_s = start_s + (_GLANCE_S if waiting.first else self._took_s.get(seat, self._beside_s))
            if end_s > to_s:
                break
            self._now_s, before_s = end_s, self._detector.detector_s
            glance = self._look(seat, waiting, self.budget_s)
            if glance is None:
                self._took_s[seat] = self._beside_s + self._detector.detector_s - before_s
                self.longest_s = max(self.longest_s, self._took_s[seat])
            with self._lock:
                self._finish(seat, waiting, start_s, glance)
            self._in_work = None
        self._now_s = to_s


@contextmanager
def slow_detector(tile_s: Callable[[], float], rng: Random) -> Iterator[DetectorClock]:
    """Let every tile of the product's detector take so much of simulated time, now and then up to three times as much.
    """
    clock, detect = DetectorClock(), FisheyeDetector.detect

    def slow(detector: FisheyeDetector, picture_bgr: NDArray[np.uint8], tiles: Sequence[int] | None = None,
             expected: NDArray[np.float64] | None = None) -> Detections:
        count = len(detector.tiles if tiles is None else tiles) + _CLOSE_UP * (0 if expected is None else len(expected))
        clock.detector_s += count * tile_s() * (1 + _SPIKE * rng.random() ** 3)
        return detect(detector, picture_bgr, tiles, expected)

    with patch.object(FisheyeDetector, "detect", slow), patch.object(analyzer_module, "time", clock):
        yield clock
