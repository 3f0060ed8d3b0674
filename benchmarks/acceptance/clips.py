"""Cases that need time, made from the sample clip and its truth: shaking, autofocus, delay; and single images of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from aipg_plugin.detection.onnx import PersonNet
from aipg_plugin.frames import Frame, GuardedFrame, PixelFormat
from aipg_plugin.guard.assembly import make_guard
from aipg_plugin.media.source import open_source
from aipg_plugin.options import Sensitivity, Source
from aipg_plugin.resources import resource_path
from benchmarks import leak
from benchmarks.acceptance.judge import Person, TruthPicture
from benchmarks.acceptance.spoils import UInt8, defocus, shifted

Warp = Callable[[int, UInt8], UInt8]
SINGLE_IMAGES = (12, 48, 84, 118)


def sample() -> Path:
    """The shipped clip."""
    return resource_path("samples", "lobby.mp4")


def frames(warp: Warp, last: int | None = None) -> Iterator[Frame]:
    """The clip's frames in BGR, each as `warp` of its number and picture."""
    with open_source(Source(str(sample()), realtime=False), "1") as opened:
        for item in opened:
            if isinstance(item, Frame):
                if last is not None and item.seq > last:
                    return
                bgr = np.ascontiguousarray(warp(item.seq, item.to_bgr()))
                yield replace(item, format=PixelFormat.BGR24, planes=(bgr,), wall_time_s=time.time())


@cache
def single_images() -> tuple[TruthPicture, ...]:
    """A few frames of the clip as pictures with truth."""
    truth = leak.ClipTruth(sample())
    return tuple(_single_image(truth, frame) for frame in frames(lambda _, p: p, max(SINGLE_IMAGES))
                 if frame.seq in SINGLE_IMAGES)


def _single_image(truth: leak.ClipTruth, frame: Frame) -> TruthPicture:
    w, h = frame.size_wh
    ids = cv2.resize(truth.ids[frame.seq].astype(np.uint8), (w, h), interpolation=cv2.INTER_NEAREST)
    people = tuple(Person(int(p["id"]), None if p["head"] is None else (p["head"][0], p["head"][1], p["head"][2]),
                          0.0 if p["ignore"] else float(p["visible"]))
                   for p in truth.frames[frame.seq]["persons"])
    return TruthPicture(np.asarray(frame.planes[0], np.uint8), np.asarray(ids, np.uint8), people, truth.circle_px,
                   truth.fov_deg, truth.height_m)


@dataclass
class ClipResult:
    """Leaks over the frames of a clip; `whole` frame numbers masked whole; `delays` frames a newcomer stayed clear."""

    tally: leak.ClipTally = field(default_factory=leak.ClipTally)
    whole: list[int] = field(default_factory=list)
    delays: list[int] = field(default_factory=list)
    reasons: set[str] = field(default_factory=set)
    sheet: list[UInt8] = field(default_factory=list)

    def result(self) -> dict[str, object]:
        """The figures, named as those of single images."""
        t = self.tally
        return {"pictures": t.frames, "people": t.bodies, "whole": len(self.whole), "heads": t.heads,
                "head_leaks": t.head_leaks, "body_leaks": t.body_leaks,
                "head_leak": round(t.head_leaks / max(1, t.heads), 4),
                "body_leak": round(t.body_leaks / max(1, t.bodies), 4),
                "over_mask": round(float(np.mean(t.over)), 4) if t.over else None,
                "reasons": sorted(self.reasons), **({"delays_frames": sorted(self.delays)} if self.delays else {})}


def watch(warp: Warp, net: PersonNet, level: Sensitivity, *, live: bool = False, last: int | None = None,
          moved: Callable[[int], tuple[float, float]] | None = None) -> ClipResult:
    """Guard the clip and judge every frame that leaves; `moved` says where `warp` shifted the truth to."""
    truth = leak.ClipTruth(sample())
    empty = TruthPicture(np.zeros((1, 1, 3), np.uint8), np.zeros((1280, 1280), np.uint8), (), truth.circle_px,
                    truth.fov_deg, truth.height_m)
    guard = make_guard(empty.camera(level), net, live=live)
    result, waits = ClipResult(), dict[int, list[int]]()
    for guarded in leak.played(lambda: frames(warp, last), guard, live=live):
        _judge(truth, guarded, result, waits, (0.0, 0.0) if moved is None else moved(guarded.seq))
    # Newcomers: first seen after the guard had started.
    result.delays = [_delay(states) for person, states in waits.items() if states[0] > 0 and person > 0]
    return result


def _judge(truth: leak.ClipTruth, guarded: GuardedFrame, result: ClipResult, waits: dict[int, list[int]],
           moved: tuple[float, float]) -> None:
    whole = guarded.state in ("failsafe", "starting")
    hidden = np.ones(guarded.size_wh[::-1], bool) if whole else leak.filled(guarded)
    if whole:
        result.whole.append(guarded.seq)
        result.reasons.add(guarded.reason)
    elif moved != (0.0, 0.0):
        hidden = shifted(-moved[0], -moved[1])(hidden.astype(np.uint8)) > 0
    one = leak.ClipTally()
    truth.judge(guarded.seq, hidden, one)
    _add(result.tally, one, whole)
    if guarded.seq % 24 == 12:
        result.sheet.append(guarded.to_bgr())
    for person in truth.frames[guarded.seq]["persons"]:
        if not person["ignore"] and person["visible"] >= leak.LEAST_VISIBLE:
            waits.setdefault(person["id"], [guarded.seq]).append(int(person["id"] in one.by_person))


def _add(total: leak.ClipTally, one: leak.ClipTally, whole: bool) -> None:
    total.frames += 1
    total.heads += one.heads
    total.head_leaks += one.head_leaks
    total.bodies += one.bodies
    total.body_leaks += one.body_leaks
    if not whole:
        total.over += one.over


def _delay(states: list[int]) -> int:
    """Frames from the first visible one to the first masked one: first entry is the frame number, then leaks."""
    leaks = states[1:]
    return leaks.index(0) if 0 in leaks else len(leaks)


def shake_px(seq: int) -> tuple[float, float]:
    """Where a shaking camera has swung to in a frame: nowhere for two seconds, then some 30 px about."""
    return (0.0, 0.0) if seq < 30 else (26.0 * np.sin(seq * 1.9), 32.0 * np.cos(seq * 2.3))


def shaking(seq: int, picture: UInt8) -> UInt8:
    """The picture of a camera that shakes."""
    return shifted(*shake_px(seq))(picture)


def hunting(seq: int, picture: UInt8) -> UInt8:
    """Autofocus that loses the scene for half a second every two seconds."""
    sigma = 8.0 * max(0.0, float(np.sin(2 * np.pi * seq / 30)) - 0.5)
    return defocus(sigma)(picture) if sigma > 0.1 else picture


def plain(_: int, picture: UInt8) -> UInt8:
    """The picture unchanged."""
    return picture


@dataclass(frozen=True)
class Case:
    """What happens to the clip; `moved` says where the truth went."""

    name: str
    warp: Warp
    live: bool = False
    moved: Callable[[int], tuple[float, float]] | None = None


CLIPS: dict[str, Case] = {
    "camera shaking": Case("30 px after 2 s", shaking, moved=shake_px),
    "autofocus": Case("hunting", hunting),
    "delay": Case("live", plain, live=True),
}
