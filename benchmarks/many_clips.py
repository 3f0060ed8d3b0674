"""Clips with exact truth for many cameras, made from the sample: busy ones play it to and fro, calm ones show its room
with sensor noise, into which somebody walks once.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.frames import GuardedFrame
from aipg_plugin.resources import resource_path
from benchmarks.leak import LEAST_VISIBLE, ClipTruth
from evaluation.uncovered import LeakCount, disc, uncovered

SIDE_PX, FPS = 960, 10
STEP_PX = 4                    # every so many pixels masks are judged
_NOISE = 2.0                   # grey levels, standard deviation
_CALM_FRAMES = 160
_WALKS = ((2, 35), (7, 20), (1, 10))  # who walks into a calm room, from which frame of the sample on
_WALK_FRAMES = 45
_SECTION = 6                   # rows of noise are drawn from a bank of so many pictures: drawing it takes long


@dataclass(frozen=True)
class ShownPerson:
    """Somebody in a frame; `head` (x, y, r) in pixels of the judged grid, None if it is not seen."""

    id: int
    head: tuple[float, float, float] | None
    box: tuple[float, float]


@dataclass(frozen=True, eq=False)
class CameraClip:
    """A clip, who is visible in each of its frames, and the silhouettes (h, w) uint8 of the judged grid.

    `newcomer`: who walks in, in which frame; None for a busy clip.
    """

    path: Path
    people: tuple[tuple[ShownPerson, ...], ...]
    silhouettes: tuple[NDArray[np.uint8], ...]
    newcomer: tuple[int, int] | None


class ClipMaker:
    """Writes clips into a folder, for one version of this file and of the sample: those that are not there yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        sample = resource_path("samples", "lobby.mp4")
        self.truth = ClipTruth(sample)
        with av.open(str(sample)) as box:
            self._pictures = [np.asarray(cv2.resize(frame.to_ndarray(format="bgr24"), (SIDE_PX, SIDE_PX),
                                                    interpolation=cv2.INTER_AREA)) for frame in box.decode(video=0)]
        scale = SIDE_PX / STEP_PX / 1280
        grid = SIDE_PX // STEP_PX
        self._silhouettes = [np.asarray(cv2.resize(ids, (grid, grid), interpolation=cv2.INTER_NEAREST), np.uint8)
                             for ids in self.truth.ids]
        self._people = [tuple(
            ShownPerson(one["id"], None if one["head"] is None else tuple(scale * value for value in one["head"]),
                   (scale * one["box"][0], scale * one["box"][1]))
            for one in frame["persons"] if not one["ignore"] and one["visible"] >= LEAST_VISIBLE)
            for frame in self.truth.frames]
        every = np.stack(self._pictures[::8])
        self._room = np.median(every, axis=0).astype(np.uint8)
        seen_always = [set(np.unique(ids)) for ids in self._silhouettes]
        moving = {walker for walker, _ in _WALKS}
        self._seated = {int(number) for number in set.intersection(*seen_always) if number} - moving

    def busy(self) -> CameraClip:
        """The sample to and fro, at 10 frames a second."""
        forth = [int(1.5 * index) for index in range(int(len(self._pictures) / 1.5))]
        order = forth + forth[-2:0:-1]
        path = self._write("busy.mp4", (self._pictures[index] for index in order))
        return CameraClip(path, tuple(self._people[index] for index in order),
                    tuple(self._silhouettes[index] for index in order), None)

    def calm(self, number: int) -> CameraClip:
        """The room with those who sit in it, and somebody who walks through, at another time in each of three clips."""
        number %= len(_WALKS)
        walker, first = _WALKS[number]
        start = 70 + 13 * number % 40  # so that they do not all walk in at once
        rng = np.random.default_rng(number)
        noise = [rng.normal(0, _NOISE, (SIDE_PX, SIDE_PX, 1)).astype(np.int16) for _ in range(_SECTION)]
        pictures, people, silhouettes = [], list[tuple[ShownPerson, ...]](), list[NDArray[np.uint8]]()
        seated = tuple(one for one in self._people[0] if one.id in self._seated)
        base = np.where(np.isin(self._silhouettes[0], list(self._seated)), self._silhouettes[0], 0).astype(np.uint8)
        for index in range(_CALM_FRAMES):
            source = min(max(0, first + int(1.5 * (index - start))), len(self._pictures) - 1)
            there = start <= index < start + _WALK_FRAMES
            here = there and any(one.id == walker for one in self._people[source])
            picture, ids = self._room, base
            if there:
                picture, ids = self._with(walker, source, base)
            pictures.append((picture, noise[int(rng.integers(_SECTION))]))
            people.append((*seated, *(one for one in self._people[source] if here and one.id == walker)))
            silhouettes.append(ids)
        entry = next(index for index, seen in enumerate(people) if len(seen) > len(seated))
        path = self._write(f"calm{number}.mp4", (
            np.clip(picture.astype(np.int16) + np.roll(grain, 7 * index, axis=0), 0, 255).astype(np.uint8)
            for index, (picture, grain) in enumerate(pictures)))
        return CameraClip(path, tuple(people), tuple(silhouettes), (walker, entry))

    def _with(self, walker: int, source: int,
              base: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The room with the walker of one frame of the sample in it."""
        small = (self._silhouettes[source] == walker).astype(np.uint8)
        large = cv2.dilate(cv2.resize(small, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_NEAREST), np.ones((9, 9)))
        picture = self._room.copy()
        picture[large > 0] = self._pictures[source][large > 0]
        return picture, np.where(small > 0, walker, base).astype(np.uint8)

    def _write(self, name: str, pictures: object) -> Path:
        path, begun = self._folder / name, self._folder / f"{os.getpid()}-{name}"
        if path.exists():
            return path
        with av.open(str(begun), "w") as out:
            video = out.add_stream("libx264", rate=FPS)
            video.width = video.height = SIDE_PX
            video.pix_fmt = "yuv420p"
            video.options = {"preset": "fast", "crf": "23"}  # as cameras encode: little of the noise is left
            for picture in pictures:  # type: ignore[attr-defined]
                out.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
            out.mux(video.encode(None))
        begun.replace(path)
        return path


def clips_folder() -> Path:
    """Where the clips of this version of the benchmark are kept from one run to the next."""
    made_by = hashlib.sha256(Path(__file__).read_bytes() + resource_path("samples", "lobby.mp4").read_bytes())
    folder = Path(tempfile.gettempdir()) / f"aipg-clips-{made_by.hexdigest()[:12]}"
    folder.mkdir(exist_ok=True)
    return folder


def hidden(guarded: GuardedFrame) -> NDArray[np.bool_]:
    """(h, w) bool of the judged grid: what is masked, by the fill colour or because all of it is."""
    luma, u, v = guarded.planes
    if guarded.state in ("failsafe", "starting", "lost"):
        return np.ones(luma[::STEP_PX, ::STEP_PX].shape, bool)
    half = STEP_PX // 2
    return np.asarray((u[half // 2::half, half // 2::half] > 170) & (v[half // 2::half, half // 2::half] > 190))


class MaskJudge(LeakCount):
    """Heads and bodies of one camera, and how much of the room is masked."""

    over: float = 0.0
    frames: int = 0

    def judge(self, clip: CameraClip, index: int, masked: NDArray[np.bool_]) -> None:
        """Add one frame."""
        ids = clip.silhouettes[index]
        for person in clip.people[index]:
            head = None if person.head is None else uncovered(disc(masked.shape, person.head), masked)
            self.add_person(head, uncovered(ids == person.id, masked))
        self.frames += 1
        self.over += float(masked[ids == 0].mean())

    def result(self) -> dict[str, float]:
        """Shares."""
        return {"head_leak": round(self.head_leaks / max(1, self.heads), 4),
                "body_leak": round(self.body_leaks / max(1, self.bodies), 4),
                "masked": round(self.over / max(1, self.frames), 4)}
