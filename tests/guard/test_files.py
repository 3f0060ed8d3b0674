"""Files: a frame leaves once a few seconds of what follows have been looked at; time or pictures break in between."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from aipg_plugin.frames import Frame, GuardedFrame
from tests.guard.scenes import camera, clear_share, frame, guard, observed

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
