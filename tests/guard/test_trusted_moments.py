"""Evidence counts only while it is there, for the scene that it is of, and by the settings in force."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from aipg_plugin.frames import Frame
from aipg_plugin.geometry.figure import Figure
from aipg_plugin.guard.evidence import Evidence
from aipg_plugin.options import Sensitivity, Source, Stream
from aipg_plugin.states import FULL_MOSAIC, State
from tests.guard.scenes import (
    SlowWorker,
    TruthAnalyzer,
    bare_share,
    camera,
    guard,
    hand_in,
    person_xywh,
    room,
    slow_worker,
)

CHANCE = 0.12


@pytest.fixture(autouse=True)
def _worker() -> Iterator[None]:
    with slow_worker(0.05):
        yield


def test_a_reset_in_the_middle_of_a_release_bares_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream looked at returns, in its own thread, while a frame of another one is planned."""
    settings = camera(target_streams=("1", "2"))
    subject = guard(replace(settings, streams=(*settings.streams, Stream("2", Source("none")))), live=True,
                    make_worker=SlowWorker)
    frames = [room(1, t_s=seq / 25, seq=seq) for seq in range(40)]
    for one in frames[:39]:
        hand_in(subject, [one])
        before = subject.process(replace(one, stream="2", wall_time_s=one.wall_time_s + 0.002))
    assert before[-1].state == State.GUARDING
    plain = Evidence.figures

    def interrupted(self: Evidence, t_s: float, *, sensitivity: Sensitivity,
                    expected: bool = False) -> tuple[Figure, ...]:
        self.reset(returned=True)
        return plain(self, t_s, sensitivity=sensitivity, expected=expected)

    monkeypatch.setattr(Evidence, "figures", interrupted)
    out = subject.process(replace(frames[39], stream="2"))
    assert out
    for guarded in out:
        assert bare_share(guarded, frames[guarded.seq], person_xywh(0)) < CHANCE, guarded.state
        assert guarded.state == State.STARTING


def with_somebody_faint(one: Frame, place: tuple[int, int]) -> Frame:
    """Of a texture that small pictures do not show: only a look can find them."""
    x, y = place
    pattern = 24 * (np.indices((80, 40)).sum(0) % 2 * 2 - 1)
    luma = one.planes[0].astype(int)
    luma[y:y + 80, x:x + 40] += pattern
    return replace(one, planes=(luma.clip(0, 255).astype(np.uint8), *one.planes[1:]))


@pytest.mark.parametrize("cut", [35, 37, 39])
def test_who_came_in_after_the_last_look_at_a_scene_is_masked_when_it_is_cut(cut: int) -> None:
    """What was looked at after them shows another room."""
    frames = [room(1, person_at=(60, 180), t_s=seq / 25, seq=seq) if seq < cut else
              room(2, person_at=(120, 40), t_s=seq / 25, seq=seq) for seq in range(70)]
    subject = guard(camera(lookahead_s=0.4), live=True, make_worker=SlowWorker)
    looked: list[float] = []
    subject.on_look = lambda t_s, _tracks: looked.append(t_s - 1000)
    hand_in(subject, frames)
    last = max(t_s for t_s in looked if t_s < cut / 25 - 1e-3)
    came = round(last * 25) + 1
    del SlowWorker.made
    subject = guard(camera(lookahead_s=0.4), live=True, make_worker=SlowWorker)
    out = hand_in(subject, [with_somebody_faint(one, (200, 60)) if came <= one.seq < cut else one for one in frames])
    assert cut > came
    for guarded in out[came:cut]:
        assert guarded.state in FULL_MOSAIC, (guarded.seq, guarded.reason)
    assert out[came - 2].state == State.GUARDING


def test_a_higher_sensitivity_looks_everywhere_again() -> None:
    """Who was not sure enough before sits where nothing changes: the schedule would come by seconds later."""
    analyzers: list[TruthAnalyzer] = []
    subject = guard(camera(sensitivity=Sensitivity.MEDIUM), live=True, make_worker=SlowWorker, analyzers=analyzers)
    frames = [room(1, t_s=seq / 25, seq=seq) for seq in range(70)]
    swept = []
    for start, sensitivity in ((0, Sensitivity.MEDIUM), (20, Sensitivity.LOW), (40, Sensitivity.HIGH)):
        subject.configure(camera(sensitivity=sensitivity))
        before = len(analyzers[0].sweeps) if analyzers else 0
        hand_in(subject, frames[start:start + 20])
        swept.append(sum(analyzers[0].sweeps[before:]))
    assert swept == [0, 0, 1]
