"""An image circle that cannot be right masks the picture whole, until the picture shows a better one."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from aipg_plugin.frames import Frame, PixelFormat
from aipg_plugin.geometry import FisheyeCamera, ImageCircle
from aipg_plugin.geometry.circle_doubt import ELLIPTIC, OUTSIDE, TWO
from aipg_plugin.options import Lens, Source, Stream
from tests.geometry.test_circle import scene
from tests.guard.scenes import camera, guard

ROUND = scene((480, 480), ImageCircle(240, 240, 236))
SQUEEZED = cv2.resize(ROUND, (480, 240), interpolation=cv2.INTER_AREA)


def frames(picture: np.ndarray, first: int = 0, count: int = 12, stream: str = "1") -> list[Frame]:
    h, w = picture.shape[:2]
    return [Frame(stream, index, index / 10, 1.7e9 + index / 10, PixelFormat.BGR24, (w, h), (picture,))
            for index in range(first, first + count)]


@pytest.mark.parametrize(("picture", "circle", "reason"), [
    (SQUEEZED, None, ELLIPTIC), (np.concatenate([ROUND, ROUND], axis=1), None, TWO),
    (ROUND, (1.6, 0.5, 0.4), OUTSIDE)])
def test_the_whole_picture_is_masked_with_the_reason(picture: np.ndarray, circle: tuple[float, float, float] | None,
                                                     reason: str) -> None:
    subject = guard(replace(camera(), lens=Lens(circle=circle)))
    out = [guarded for frame in frames(picture) for guarded in subject.process(frame)]
    assert {(str(guarded.state), guarded.reason) for guarded in out} == {("failsafe", reason)}
    assert all((guarded.planes[0] != picture).any(axis=2).mean() > 0.5 for guarded in out)


def test_the_other_streams_are_masked_too_when_theirs_is_fine() -> None:
    one = camera(target_streams=("1", "2"))
    subject = guard(replace(one, lens=Lens(), streams=(*one.streams, Stream("2", Source("none")))))
    states = []
    for first, second in zip(frames(SQUEEZED), frames(ROUND, stream="2"), strict=True):
        subject.process(first)
        states += [guarded.reason for guarded in subject.process(second)]
    assert states[-1] == ELLIPTIC


def test_a_better_picture_lifts_the_doubt() -> None:
    subject = guard(replace(camera(), lens=Lens()))
    bad = scene((480, 480), ImageCircle(240, 240, 236))
    bad = cv2.resize(cv2.resize(bad, (480, 300)), (480, 300))
    bad = cv2.copyMakeBorder(bad, 90, 90, 0, 0, cv2.BORDER_CONSTANT, value=(4, 4, 4))
    shown = [*frames(bad), *frames(ROUND, first=12, count=30)]
    out = [guarded for frame in shown for guarded in subject.process(frame)]
    assert out[0].reason == ELLIPTIC
    assert str(out[-1].state) == "guarding"


def test_another_source_has_its_own_image_circle() -> None:
    """Under the same name and in the same size: what lies outside the circle of before would be nobody's concern."""
    small = cv2.copyMakeBorder(cv2.resize(ROUND, (300, 300), interpolation=cv2.INTER_AREA), 90, 90, 90, 90,
                               cv2.BORDER_CONSTANT)
    subject = guard(replace(camera(), lens=Lens()))
    for frame in frames(small):
        subject.process(frame)
    subject.flush("1")
    subject.stream("1").begin()
    out = [guarded for frame in frames(ROUND, first=12) for guarded in subject.process(frame)]
    layout = subject.stream("1").layout
    assert layout is not None
    assert isinstance(layout.projection, FisheyeCamera)
    assert abs(layout.projection.circle.radius_px - 236) < 6
    assert out[-1].state == "guarding"
