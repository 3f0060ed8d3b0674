"""Files: a frame leaves once a few seconds of what follows have been looked at; time or pictures break in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from aipg_plugin.frames import Frame, GuardedFrame, Planes
from tests.guard.scenes import TruthAnalyzer, camera, clear_share, frame, guard, observed

NOBODY = np.zeros((0, 5))


def redacted(frames: list[Frame], fault: Callable[[int], object] = lambda look: None) -> list[GuardedFrame]:
    subject = guard(camera(), fault, hindsight_s=4.0)
    return [guarded for one in frames for guarded in subject.process(one)] + subject.flush("1")


def assert_nobody_leaves(out: list[GuardedFrame], frames: list[Frame]) -> None:
    assert [guarded.seq for guarded in out] == [one.seq for one in frames]
    shares = [round(clear_share(guarded, one), 2) for guarded, one in zip(out, frames, strict=True)]
    assert max(shares) < 0.1, shares


@pytest.mark.parametrize("jump_s", [-100.0, 100.0], ids=["back", "ahead"])
def test_nobody_is_carried_over_a_jump(jump_s: float) -> None:
    """Missed just before the jump, and afterwards somebody else stands near: a figure between the two bares both."""
    frames = [frame(0, pts_s=index / 10) for index in range(20)]
    frames += [frame(15, pts_s=index / 10 + jump_s) for index in range(20, 40)]
    out = redacted(frames, lambda look: observed(NOBODY) if 7 <= look <= 10 else None)
    assert_nobody_leaves(out, frames)
    assert {guarded.state for guarded in out} == {"guarding"}


def test_a_size_that_changes_in_the_middle_bares_nobody_before_it() -> None:
    """Stands before the change, elsewhere after it."""
    frames = [frame(0, pts_s=index / 10) for index in range(20)]
    frames += [frame(index, size_wh=(480, 480)) for index in range(20, 40)]
    out = redacted(frames)
    assert_nobody_leaves(out, frames)
    assert out[-1].state == "guarding"


def test_a_variable_frame_rate_is_looked_at_by_time() -> None:
    rng = np.random.default_rng(2)
    times = np.cumsum(rng.choice([0.01, 0.04, 0.3, 1.2], 40))
    frames = [frame(index, pts_s=float(t_s)) for index, t_s in enumerate(times)]
    assert_nobody_leaves(redacted(frames), frames)


def test_a_picture_that_does_not_change_is_looked_at_less_often() -> None:
    analyzers: list[TruthAnalyzer] = []
    subject = guard(camera(), hindsight_s=4.0, analyzers=analyzers)
    frames = [replace(frame(0), seq=index, pts_s=index / 25) for index in range(101)]
    out = [guarded for one in frames for guarded in subject.process(one)] + subject.flush("1")
    assert analyzers[0].looks <= 8
    assert {guarded.state for guarded in out} == {"guarding"}
    assert max(clear_share(guarded, frame(0)) for guarded in out) < 0.1


@pytest.mark.parametrize("detect_hz", [1.0, 2.0, 5.0, 10.0])
def test_somebody_who_comes_into_a_quiet_scene_is_looked_at_soon_and_masked_from_the_first(detect_hz: float) -> None:
    analyzers: list[TruthAnalyzer] = []
    subject = guard(camera(detect_hz=detect_hz), hindsight_s=4.0, analyzers=analyzers)
    empty = [replace(frame(0), planes=_room(), seq=index, pts_s=index / 25) for index in range(62)]
    later = [replace(frame(0), seq=index, pts_s=index / 25) for index in range(62, 100)]
    out = [guarded for one in empty for guarded in subject.process(one)]
    before = analyzers[0].looks
    out += [guarded for one in later[:5] for guarded in subject.process(one)]
    assert analyzers[0].looks > before
    out += [guarded for one in later[5:] for guarded in subject.process(one)] + subject.flush("1")
    assert {guarded.state for guarded in out} == {"guarding"}
    assert max(clear_share(guarded, frame(0)) for guarded in out[62:]) < 0.1


@pytest.mark.parametrize("spoilt", [observed(NOBODY, doubt="dark"), RuntimeError("no detector")],
                         ids=["doubtful", "failed"])
def test_a_doubtful_look_is_soon_followed_by_another(spoilt: object) -> None:
    analyzers: list[TruthAnalyzer] = []
    subject = guard(camera(), lambda look: spoilt if look > 1 else None, hindsight_s=4.0, analyzers=analyzers)
    for index in range(101):
        subject.process(replace(frame(0), seq=index, pts_s=index / 25))
    assert analyzers[0].looks >= 17


def _room() -> Planes:
    """The scene without anybody."""
    ramp = (80 + 40 * np.linspace(0, 1, 320)[None, :] + np.zeros((320, 1))).astype(np.uint8)
    return ramp, np.full((160, 160), 128, np.uint8), np.full((160, 160), 128, np.uint8)
