"""Puts one camera's guard together: detector, schedule, tracker and witness around a loaded net."""

from __future__ import annotations

from aipg_plugin.detection.detector import FisheyeDetector
from aipg_plugin.detection.onnx import PersonNet
from aipg_plugin.detection.sensitivity import thresholds
from aipg_plugin.detection.tiles import LIVE, TilePlan
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.guard.evidence import Witness
from aipg_plugin.guard.guard import Guard
from aipg_plugin.guard.witness import SceneWitness
from aipg_plugin.options import Camera
from aipg_plugin.tracking.tracker import Tracker


def make_guard(camera: Camera, net: PersonNet, *, live: bool, plan: TilePlan = LIVE, keep_all: bool = False,
               still: bool = False) -> Guard:
    """A guard for one camera around a loaded net.

    `keep_all`: for two-pass offline masking; `still`: every frame is a picture of its own, without motion.
    """

    def witness(projection: Projection, mount: Mount, of: Camera) -> Witness:
        drawn = bool(of.privacy_guard.prohibited_areas or of.privacy_guard.always_mask_areas)
        return SceneWitness(FisheyeDetector(net, projection, mount, plan=plan), mount, live=live, still=still,
                            areas_drawn=drawn)

    def tracker(projection: Projection, mount: Mount, of: Camera) -> Tracker:
        limits = thresholds(of.privacy_guard.sensitivity)
        return Tracker(projection, mount, hold_s=of.privacy_guard.hold_s, on_score=limits.on_score,
                       keep_score=limits.keep_score, offline=keep_all)

    return Guard(camera, witness, tracker, live=live, keep_all=keep_all)
