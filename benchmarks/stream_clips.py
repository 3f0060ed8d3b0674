"""Clips of one camera as busy or as calm as wanted, made from the sample and its exact truth, encoded once.

`busy` is the sample: seven people, five walking. `still` is its first picture held: seven people who do not move.
`empty` is the room with nobody in it, put together from what people uncover. The last two carry sensor noise, new in
every frame. The sample is played to and fro, so that a loop has no jump.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.resources import resource_path

Picture = NDArray[np.uint8]
_NOISE_LEVEL = 2.0    # standard deviation in grey levels: an indoor camera by day
_EVERY = 6            # of the sample's frames, for the empty room


class Scene(StrEnum):
    """What goes on before the camera."""

    BUSY = "busy"
    STILL = "still"
    EMPTY = "empty"


def make_clip(scene: Scene, folder: Path, *, side_px: int, fps: int, seconds: float, seed: int = 0) -> Path:
    """A square clip of `side_px`; the same arguments give the same pictures."""
    target = folder / f"{scene}_{side_px}_{fps}_{seconds:g}_{seed}.mp4"
    with av.open(str(target), "w") as out:
        video: Any = out.add_stream("libx264", rate=fps)
        video.width = video.height = side_px
        video.pix_fmt = "yuv420p"
        video.gop_size = 2 * fps
        video.options = {"crf": "20", "preset": "veryfast", "tune": "zerolatency"}
        rng = np.random.default_rng(seed)
        for index, picture in enumerate(_pictures(scene, side_px, fps, round(seconds * fps))):
            shown = picture if scene is Scene.BUSY else _noisy(picture, rng)
            frame = av.VideoFrame.from_ndarray(shown, format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, fps)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    return target


def _pictures(scene: Scene, side_px: int, fps: int, count: int) -> Iterator[Picture]:
    sample, sample_fps = _sample(side_px)
    match scene:
        case Scene.BUSY:
            to_and_fro = sample + sample[-2:0:-1]
            for index in range(count):
                yield to_and_fro[round(index * sample_fps / fps) % len(to_and_fro)]
        case Scene.STILL:
            yield from [sample[0]] * count
        case Scene.EMPTY:
            yield from [_empty_room(sample)] * count


def _sample(side_px: int) -> tuple[list[Picture], float]:
    with av.open(str(resource_path("samples", "lobby.mp4"))) as container:
        rate = container.streams.video[0].average_rate
        pictures = [np.asarray(cv2.resize(frame.to_ndarray(format="bgr24"), (side_px, side_px),
                                          interpolation=cv2.INTER_AREA), np.uint8)
                    for frame in container.decode(video=0)]
    return pictures, float(rate or 15)


def _empty_room(sample: list[Picture]) -> Picture:
    """The median of what is seen where nobody is; where somebody always is, filled in from around."""
    with np.load(resource_path("samples", "lobby.silhouettes.npz")) as data:
        ids = data["ids"]
    side = sample[0].shape[0]
    chosen = range(0, min(len(sample), len(ids)), _EVERY)
    grown = [cv2.dilate(np.asarray(ids[index] > 0, np.uint8), np.ones((7, 7), np.uint8)) for index in chosen]
    people = [cv2.resize(one, (side, side), interpolation=cv2.INTER_NEAREST) > 0 for one in grown]
    room = np.zeros((side, side, 3), np.uint8)
    never = np.logical_and.reduce(people)
    for row in range(side):
        seen = np.stack([np.where(one[row, :, None], np.nan, sample[index][row].astype(np.float32))
                         for index, one in zip(chosen, people, strict=True)])
        seen[:, never[row]] = 0
        room[row] = np.nanmedian(seen, axis=0)
    return np.asarray(cv2.inpaint(room, never.astype(np.uint8), 5, cv2.INPAINT_TELEA), np.uint8)


def _noisy(picture: Picture, rng: np.random.Generator) -> Picture:
    noise = rng.normal(0, _NOISE_LEVEL, picture.shape[:2]).astype(np.float32)
    lit = picture.max(axis=2) > 4  # outside the image circle a camera writes plain black
    return np.asarray(np.clip(picture + (noise * lit)[..., None], 0, 255), np.uint8)
