"""The sample clip, spoilt in every way a real picture gets spoilt, through the shipped net: nobody leaves clear."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from aipg_plugin.detection.onnx import PersonNet, load_model
from aipg_plugin.frames import Frame, PixelFormat
from aipg_plugin.guard.assembly import make_guard
from aipg_plugin.options import Camera, Lens, Models, PrivacyGuard, Sensitivity, Source, Stream
from tests import samples

SIDE_PX = 640
FPS = 5  # every third picture of the clip: each is looked at
SPOILT_FROM = 7
CUT_FROM = 11  # the check takes a scene for the usual one after 2 s
LEAST_PX = 60  # a silhouette smaller than this is nobody yet

Picture = NDArray[np.uint8]


@cache
def _clip(count: int) -> tuple[tuple[Picture, Picture], ...]:
    """Pictures with the silhouettes in them, (H, W) person ids."""
    import av

    with np.load(samples.CLIP.with_name("lobby.silhouettes.npz")) as kept:
        ids = kept["ids"]
    found: list[tuple[Picture, Picture]] = []
    with av.open(str(samples.CLIP)) as container:
        for index, decoded in enumerate(container.decode(video=0)):
            if index % 3 == 0 and len(found) < count:
                bgr = cv2.resize(decoded.to_ndarray(format="bgr24"), (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
                who = cv2.resize(ids[index], (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_NEAREST)
                found.append((np.asarray(bgr, np.uint8), np.asarray(who, np.uint8)))
    return tuple(found)


@pytest.fixture(scope="module")
def net() -> PersonNet:
    return load_model(Models(threads=2))


def _camera() -> Camera:
    told = samples.truth()
    w, h = told["size_wh"]
    cx, cy, radius = told["circle_px"]
    return Camera("lobby", streams=(Stream("1", Source("none")),), lens=Lens(circle=(cx / w, cy / h, radius / w)),
                  camera_height_m=told["height_m"],
                  privacy_guard=PrivacyGuard(enabled=True, target_streams=("1",), sensitivity=Sensitivity.MEDIUM))


def _redacted(net: PersonNet, clip: list[tuple[Picture, Picture]], step_s: float = 1 / FPS,
              ) -> tuple[list[tuple[str, str]], float]:
    """State and reason of every frame, and the largest clear share of anybody in it."""
    guard = make_guard(_camera(), net, live=False)
    size_wh = (SIDE_PX, SIDE_PX)
    frames = [Frame("1", index, index * step_s, index * step_s, PixelFormat.BGR24, size_wh, (bgr,))
              for index, (bgr, _) in enumerate(clip)]
    out = [guarded for frame in frames for guarded in guard.process(frame)] + guard.flush("1")
    told, worst = [], 0.0
    known = set(np.unique(np.stack([who for _, who in clip[:SPOILT_FROM]])).tolist()) - {0}
    for guarded, (bgr, who) in zip(out, clip, strict=True):
        told.append((guarded.state, guarded.reason))
        same = (np.abs(guarded.planes[0].astype(int) - bgr.astype(int)) <= 2).all(2)
        shares = [float(same[who == one].mean()) for one in known if (who == one).sum() > LEAST_PX]
        worst = max(worst, *shares) if guarded.state != "failsafe" else worst
    return told, worst


def _black(bgr: Picture, since: int) -> Picture:
    return np.asarray(bgr * max(0.0, 1 - 0.25 * since), np.uint8)


def _blurred(bgr: Picture, since: int) -> Picture:
    return np.asarray(cv2.GaussianBlur(bgr, (0, 0), 6), np.uint8)


def _covered(bgr: Picture, since: int) -> Picture:
    return np.asarray(90 + np.random.default_rng(since).integers(0, 4, bgr.shape), np.uint8)


@pytest.mark.parametrize(("spoil", "reason", "within"), [
    (_black, "too dark", 5), (_blurred, "out of focus", 1), (_covered, "covered", 1)])
def test_a_spoilt_picture_is_masked_whole(net: PersonNet, spoil: Callable[[Picture, int], Picture], reason: str,
                                          within: int) -> None:
    clip = [pair if index < SPOILT_FROM else (spoil(pair[0], index - SPOILT_FROM + 1), pair[1])
            for index, pair in enumerate(_clip(15))]
    told, worst = _redacted(net, clip)
    assert worst < 0.3
    assert all(state == "guarding" for state, _ in told[:SPOILT_FROM - 1])
    assert set(told[SPOILT_FROM + within - 1:]) == {("failsafe", reason)}


def test_a_frozen_picture_is_masked_whole(net: PersonNet) -> None:
    clip = [*_clip(3), *[_clip(3)[-1]] * 13]
    told, worst = _redacted(net, clip, step_s=1.9)
    assert worst < 0.3
    assert told[-1] == ("failsafe", "frozen")


@pytest.mark.parametrize("change", [lambda picture: picture[:, ::-1], np.rot90], ids=["cut", "turned"])
def test_another_scene_from_one_frame_to_the_next_bares_nobody(
        net: PersonNet, change: Callable[[Picture], Picture]) -> None:
    clip = [pair if index < CUT_FROM else (np.ascontiguousarray(change(pair[0])), np.ascontiguousarray(
        change(pair[1]))) for index, pair in enumerate(_clip(20))]
    told, worst = _redacted(net, clip)
    assert worst < 0.3
    assert told[-1] == ("failsafe", "scene shifted")
