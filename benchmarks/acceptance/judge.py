"""One picture with exact truth, guarded as `aipg redact` would, and what of its people stayed clear."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from aipg_plugin.detection.onnx import PersonNet
from aipg_plugin.detection.tiles import THOROUGH
from aipg_plugin.frames import Frame, PixelFormat
from aipg_plugin.guard.assembly import make_guard
from aipg_plugin.options import (
    Camera,
    Lens,
    LensModelName,
    MaskingMethod,
    PrivacyGuard,
    Sensitivity,
    Source,
    Stream,
)
from benchmarks.leak import LEAST_VISIBLE, filled
from evaluation.uncovered import BODY_UNCOVERED, Bool, LeakCount, disc, uncovered

FILL = "#ff00ff"
UInt8 = NDArray[np.uint8]


@dataclass(frozen=True)
class Person:
    """`head` (x, y, r) px or None when hidden; `visible` share of the silhouette; value in the picture of ids."""

    id: int
    head: tuple[float, float, float] | None
    visible: float


@dataclass(frozen=True, eq=False)
class TruthPicture:
    """`bgr` (H, W, 3) and `ids` (H, W) uint8 (0: nobody); the ceiling camera that took it."""

    bgr: UInt8
    ids: UInt8
    people: tuple[Person, ...]
    circle_px: tuple[float, float, float]
    fov_deg: float
    height_m: float

    def spoilt(self, bgr: UInt8) -> TruthPicture:
        """The same scene as another picture of the same size."""
        return replace(self, bgr=np.ascontiguousarray(bgr))

    def camera(self, level: Sensitivity) -> Camera:
        """Settings of its camera, filling with a colour that stands out."""
        (cx, cy, radius), (h, w) = self.circle_px, self.ids.shape
        guard = PrivacyGuard(enabled=True, target_streams=("1",), masking_method=MaskingMethod.FILLING,
                             fill_colour=FILL, sensitivity=level)
        return Camera("acceptance", (Stream("1", Source("none")),),
                      lens=Lens(LensModelName.EQUIDISTANT, self.fov_deg, (cx / w, cy / h, radius / w)),
                      camera_height_m=min(5.0, max(2.5, self.height_m)), privacy_guard=guard)


@dataclass(frozen=True, eq=False)
class Guarded:
    """What left: the picture (H, W, 3), what of it is hidden (H, W), and why all of it, if so."""

    bgr: UInt8
    hidden: Bool
    whole: bool
    reason: str
    seconds: float


def guard_single_image(picture: TruthPicture, net: PersonNet, level: Sensitivity) -> Guarded:
    """One picture through the guard that `redact` uses for single pictures."""
    h, w = picture.ids.shape
    guard = make_guard(picture.camera(level), net, live=False, plan=THOROUGH, single_image=True)
    start_s = time.perf_counter()
    (left,) = guard.process(Frame("1", 0, 0.0, time.time(), PixelFormat.BGR24, (w, h), (picture.bgr,)))
    took_s = time.perf_counter() - start_s
    whole = left.state in ("failsafe", "starting")
    return Guarded(left.to_bgr(), np.ones((h, w), bool) if whole else filled(left), whole, left.reason, took_s)


@dataclass
class CaseTally(LeakCount):
    """Sums over the pictures of one case. A head or body behind a whole-picture mosaic is hidden."""

    pictures: int = 0
    whole: int = 0
    silhouette_px: int = 0
    masked_px: int = 0
    clear: list[float] = field(default_factory=list)
    over: list[float] = field(default_factory=list)
    reasons: set[str] = field(default_factory=set)

    def add(self, picture: TruthPicture, guarded: Guarded,
            visible: tuple[float, float] = (LEAST_VISIBLE, 1.01)) -> set[int]:
        """Count the people of a picture who are this much visible; returns the ids of those who leak."""
        self.pictures += 1
        self.whole += guarded.whole
        if guarded.whole:
            self.reasons.add(guarded.reason)
        leaking = {person.id for person in picture.people if visible[0] <= person.visible < visible[1]
                   and self._leaks(person, picture, guarded.hidden, guarded.whole)}
        if not guarded.whole:
            inside = disc(picture.ids.shape, picture.circle_px)
            self.over.append(float(guarded.hidden[inside & (picture.ids == 0)].mean()))
            self.masked_px += int(guarded.hidden[inside].sum())
            self.silhouette_px += int((picture.ids > 0).sum())
        return leaking

    def _leaks(self, person: Person, picture: TruthPicture, hidden: Bool, whole: bool) -> bool:
        clear = uncovered(picture.ids == person.id, hidden)
        if clear <= BODY_UNCOVERED and not whole:
            self.clear.append(clear)
        head = None if person.head is None else uncovered(disc(picture.ids.shape, person.head), hidden)
        return self.add_person(head, clear)

    def result(self) -> dict[str, object]:
        """The figures: counts, and shares 0–1 or None where there is nothing to divide by.

        `limbs_clear`: mean clear share of the silhouette of people whose body is masked; `mask_ratio`: masked over
        silhouette area.
        """
        def share(part: float, of: float) -> float | None:
            return round(part / of, 4) if of else None
        return {"pictures": self.pictures, "people": self.bodies, "whole": self.whole, "heads": self.heads,
                "head_leaks": self.head_leaks, "body_leaks": self.body_leaks,
                "head_leak": share(self.head_leaks, self.heads), "body_leak": share(self.body_leaks, self.bodies),
                "limbs_clear": share(sum(self.clear), len(self.clear)),
                "over_mask": share(sum(self.over), len(self.over)),
                "mask_ratio": share(self.masked_px, self.silhouette_px), "reasons": sorted(self.reasons)}
