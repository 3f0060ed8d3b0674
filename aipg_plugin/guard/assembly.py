"""Puts one camera's guard together: detector, schedule, tracker and analyzer around a loaded net."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from aipg_plugin.detection.detector import Detector, FisheyeDetector
from aipg_plugin.detection.onnx import PersonNet
from aipg_plugin.detection.tiles import LIVE, TilePlan
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.guard.guard import Guard
from aipg_plugin.guard.observer import MakeWorker
from aipg_plugin.guard.ring import MOST_WAITING
from aipg_plugin.guard.service import alone
from aipg_plugin.guard.turns import Turns
from aipg_plugin.options import Camera
from aipg_plugin.scene.analyzer import SceneAnalyzer
from aipg_plugin.scene.observation import Analyzer
from aipg_plugin.thresholds import thresholds
from aipg_plugin.tracking.hindsight import SUFFICES_S
from aipg_plugin.tracking.tracker import HISTORY_S, Tracker


class MakeDetector(Protocol):
    """Makes a camera's detector."""

    def __call__(self, projection: Projection, mount: Mount, *, plan: TilePlan) -> Detector: ...


def make_guard(camera: Camera, net: PersonNet, *, live: bool, plan: TilePlan = LIVE, hindsight_s: float = SUFFICES_S,
               most_waiting: int = MOST_WAITING, single_image: bool = False,
               make_worker: MakeWorker = alone, make_detector: MakeDetector | None = None,
               turns: Turns | None = None) -> Guard:
    """A guard for one camera around a loaded net.

    `hindsight_s`, `most_waiting`: for files alone, see Guard; `single_image`: every frame is a picture of its own,
    without motion; `make_detector`: in place of one in this process around the net; `turns`: see Guard.
    """
    making = make_detector or partial(FisheyeDetector, net)
    if live or single_image:
        hindsight_s = 0.0

    def analyzer(projection: Projection, mount: Mount, of: Camera) -> Analyzer:
        drawn = bool(of.privacy_guard.prohibited_areas or of.privacy_guard.always_mask_areas)
        return SceneAnalyzer(making(projection, mount, plan=plan), mount, live=live, single_image=single_image,
                             areas_drawn=drawn)

    def tracker(projection: Projection, mount: Mount, of: Camera) -> Tracker:
        limits = thresholds(of.privacy_guard.sensitivity)
        return Tracker(projection, mount, hold_s=of.privacy_guard.hold_s, on_score=limits.on_score,
                       keep_score=limits.keep_score, history_s=HISTORY_S + hindsight_s)

    return Guard(camera, analyzer, tracker, live=live, hindsight_s=hindsight_s, most_waiting=most_waiting,
                 make_worker=make_worker, turns=turns)
