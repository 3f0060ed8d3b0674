"""The witness and what it has learned."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from aipg_plugin.detection.detections import Detections
from aipg_plugin.detection.detector import FisheyeDetector
from aipg_plugin.frames import Frame
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.guard.evidence import Witness
from aipg_plugin.guard.guard import Guard
from aipg_plugin.guard.witness import SceneWitness
from aipg_plugin.options import Camera
from aipg_plugin.tracking.tracker import Tracker
from tests.guard.scenes import SIZE_WH, TruthWitness, camera, clear_share, frame, person_xywh, sighting


@dataclass
class ScriptedDetector:
    """A detector of the textured person that sees them only in some of its looks."""

    projection: Projection
    mount: Mount
    sees: range | tuple[int, ...]
    looks: int = 0

    @property
    def size_wh(self) -> tuple[int, int]:
        return self.projection.size_wh

    @property
    def tiles(self) -> tuple[()]:
        return ()

    def detect(self, picture_bgr: NDArray[np.uint8], tiles: object = None) -> Detections:
        self.looks += 1
        if self.looks not in self.sees:
            return Detections.empty()
        return sighting(TruthWitness(self.projection, self.mount).boxes(picture_bgr)).detections


def _guard(sees: range | tuple[int, ...]) -> Guard:
    def witness(projection: Projection, mount: Mount, of: Camera) -> Witness:
        detector = cast("FisheyeDetector", ScriptedDetector(projection, mount, sees))
        return SceneWitness(detector, mount, live=False, still=False)

    return Guard(camera(hold_s=3.0), witness, lambda projection, mount, of: Tracker(projection, mount), live=False)


def test_a_person_learned_into_the_empty_scene_stays_masked_once_found() -> None:
    """Nobody saw them for 8 s, so their place counts as empty; then they are seen every sixth look."""
    subject = _guard(tuple(range(40, 80, 6)))
    frames = [replace(_room(), seq=index, pts_s=index / 5, wall_time_s=index / 5) for index in range(70)]
    out = [guarded for one in frames for guarded in subject.process(one)]
    assert {guarded.state for guarded in out} == {"guarding"}
    shares = [clear_share(guarded, frames[0]) for guarded in out]
    assert shares[20] > 0.9
    assert max(shares[40:]) < 0.1


def _room() -> Frame:
    """The person in a room with edges enough to pass the picture check."""
    rng = np.random.default_rng(5)
    w, h = SIZE_WH
    luma = np.kron(rng.integers(90, 108, (h // 5, w // 5)), np.ones((5, 5))).astype(np.uint8)
    empty = frame(0)
    x, y, pw, ph = person_xywh(0)
    luma[y:y + ph, x:x + pw] = empty.planes[0][y:y + ph, x:x + pw]
    return replace(empty, planes=(luma, *empty.planes[1:]))
