"""The learned empty scene must not show anybody who was missed while it was learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from aipg_plugin.frames import GuardedFrame, PixelFormat
from aipg_plugin.geometry.gravity import aligned
from aipg_plugin.guard.guard import Guard
from aipg_plugin.options import Area, Camera, MaskingMethod
from aipg_plugin.tracking.tracker import Tracker
from tests.guard.scenes import (
    SIZE_WH,
    TruthAnalyzer,
    bare_share,
    camera,
    clear_share,
    frame,
    guard,
    observed,
    room,
)

NOBODY = np.zeros((0, 5))
BACKGROUND = camera(masking_method=MaskingMethod.BACKGROUND)


def _still(count: int, fault: Callable[[int], object], settings: Camera = BACKGROUND,
           pixel_format: PixelFormat = PixelFormat.I420) -> list[GuardedFrame]:
    """Somebody stands where they stand for all frames, five a second."""
    subject = guard(settings, fault)
    frames = [replace(frame(0, pixel_format=pixel_format), seq=index, pts_s=index / 5) for index in range(count)]
    return [guarded for one in frames for guarded in subject.process(one)]


@pytest.mark.parametrize("pixel_format", list(PixelFormat))
def test_somebody_missed_for_long_is_not_shown_by_the_scene_that_learned_them(pixel_format: PixelFormat) -> None:
    out = _still(60, lambda look: observed(NOBODY) if look < 40 else None, pixel_format=pixel_format)
    original = frame(0, pixel_format=pixel_format)
    assert clear_share(out[37], original) > 0.9
    assert max(clear_share(guarded, original) for guarded in out[41:]) < 0.1


def test_somebody_who_stood_in_a_prohibited_area_is_not_shown_once_it_is_off() -> None:
    def settings(*, enabled: bool) -> Camera:
        whole = Area(1, ((0, 0), (1, 0), (1, 1), (0, 1)), enabled=enabled)
        return camera(masking_method=MaskingMethod.BACKGROUND, prohibited_areas=(whole,))

    subject = guard(settings(enabled=True))
    frames = [replace(frame(0), seq=index, pts_s=index / 5) for index in range(60)]
    out = [guarded for one in frames[:40] for guarded in subject.process(one)]
    assert clear_share(out[-1], frames[0]) == 1.0
    subject.configure(settings(enabled=False))
    out = [guarded for one in frames[40:] for guarded in subject.process(one)]
    assert max(clear_share(guarded, frames[0]) for guarded in out) < 0.1


def test_a_method_changed_to_and_fro_starts_the_scene_anew() -> None:
    """Nobody watched the scene meanwhile: whoever was missed then may have been learned before."""
    subject = guard(BACKGROUND, lambda look: observed(NOBODY) if look < 40 else None)
    frames = [replace(frame(0), seq=index, pts_s=index / 5) for index in range(60)]
    out = []
    for one in frames:
        if one.seq in (38, 44):
            subject.configure(BACKGROUND if one.seq == 44 else camera())
        out += subject.process(one)
    assert max(clear_share(guarded, frames[0]) for guarded in out[40:]) < 0.1


@pytest.mark.parametrize("gap_px", [0, 10, 30])
def test_somebody_missed_for_long_beside_a_masked_person_is_not_shown_by_the_scene(gap_px: int) -> None:
    """The mask of who sits there grows at once, by somebody whom the scene has learned."""
    sitting, beside = (300, 300, 40, 80), (340 + gap_px, 260, 130, 200)

    class Two(TruthAnalyzer):
        def boxes(self, picture_bgr: NDArray[np.uint8]) -> NDArray[np.float64]:
            there = [sitting, beside][:1 + (self.looks > 40)]
            centres = np.array([[x + w / 2, y + h / 2, w, h] for x, y, w, h in there], np.float64)
            found = np.asarray(aligned(self.projection, self.mount, centres), np.float64)
            found[:, 2:4] = np.hypot(centres[:, 2], centres[:, 3])[:, None]
            return found

    subject = Guard(BACKGROUND, lambda projection, mount, of: Two(projection, mount),
                    lambda projection, mount, of: Tracker(projection, mount), live=False)
    x, y, w, h = beside
    texture = np.random.default_rng(9).integers(0, 256, (h, w), dtype=np.uint8)
    shown = []
    for seq in range(50):
        one = room(1, size_wh=(640, 640), person_at=sitting[:2], t_s=seq / 5, seq=seq)
        one.planes[0][y:y + h, x:x + w] = texture
        shown += [bare_share(guarded, one, beside) for guarded in subject.process(one)]
    assert shown[39] > 0.8
    assert max(shown[41:]) < 0.1


def test_somebody_who_walks_through_still_vanishes_into_the_scene() -> None:
    """What was learned before they came is kept, on their whole way."""
    subject = guard(BACKGROUND)
    grey = np.full((SIZE_WH[1] // 2, SIZE_WH[0] // 2), 128, np.uint8)
    room = np.repeat(frame(0).planes[0][:1], SIZE_WH[1], axis=0)
    person = np.random.default_rng(7).integers(0, 256, (80, 40), dtype=np.uint8)
    for index in range(80):
        picture, x = room.copy(), 8 * (index - 45)
        if index >= 45:
            picture[190:270, x:x + 40] = person
        one = replace(frame(0), seq=index, pts_s=index / 5, planes=(picture, grey, grey.copy()))
        (guarded,) = subject.process(one)
        if 70 <= index < 78:  # from then on they reach out of the image circle, where masks are black
            inside = np.s_[190:270, x:x + 40]
            assert (guarded.planes[0][inside] == room[inside]).mean() > 0.9, index
