"""The learned empty scene must not show anybody who was missed while it was learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from aipg_plugin.frames import GuardedFrame, PixelFormat
from aipg_plugin.options import Area, Camera, MaskingMethod
from tests.guard.scenes import SIZE_WH, camera, clear_share, frame, guard, observed

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
        if index >= 70:
            inside = np.s_[190:270, x:x + 40]
            assert (guarded.planes[0][inside] == room[inside]).mean() > 0.9, index
