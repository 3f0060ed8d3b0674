"""Puts one camera's guard together: detector, schedule, tracker and analyzer around a loaded net."""

from __future__ import annotations

from aipg_plugin.detection.detector import FisheyeDetector
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


def make_guard(camera: Camera, net: PersonNet, *, live: bool, plan: TilePlan = LIVE, hindsight_s: float = SUFFICES_S,
               most_waiting: int = MOST_WAITING, single_image: bool = False,
               make_worker: MakeWorker = alone, turns: Turns | None = None, own_frames: bool = False) -> Guard:
    """A guard for one camera around a loaded net.

    `hindsight_s`, `most_waiting`: for files alone, see Guard; `single_image`: every frame is a picture of its own,
    without motion; `turns`, `own_frames`: see Guard.
    """
    if live or single_image:
        hindsight_s = 0.0

    def analyzer(projection: Projection, mount: Mount, of: Camera) -> Analyzer:
        drawn = bool(of.privacy_guard.prohibited_areas or of.privacy_guard.always_mask_areas)
        return SceneAnalyzer(FisheyeDetector(net, projection, mount, plan=plan), mount, live=live,
                             single_image=single_image, areas_drawn=drawn)

    def tracker(projection: Projection, mount: Mount, of: Camera) -> Tracker:
        limits = thresholds(of.privacy_guard.sensitivity)
        return Tracker(projection, mount, hold_s=of.privacy_guard.hold_s, on_score=limits.on_score,
                       keep_score=limits.keep_score, history_s=HISTORY_S + hindsight_s)

    return Guard(camera, analyzer, tracker, live=live, hindsight_s=hindsight_s, most_waiting=most_waiting,
                 make_worker=make_worker, turns=turns, own_frames=own_frames)
