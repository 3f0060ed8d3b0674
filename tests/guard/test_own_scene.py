"""A frame leaves by evidence of its own scene, or masked: cuts, returns, people who appear, files of any pace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from aipg_plugin.frames import Frame, GuardedFrame
from aipg_plugin.guard.evidence import Evidence
from aipg_plugin.guard.looks import Shown
from aipg_plugin.options import Source, Stream
from aipg_plugin.scene.picture import LookPicture
from aipg_plugin.states import FULL_MOSAIC, State
from tests.guard.scenes import (
    SlowWorker,
    TruthAnalyzer,
    bare_share,
    camera,
    clear_share,
    frame,
    guard,
    hand_in,
    observed,
    person_xywh,
    room,
    slow_worker,
)

CHANCE = 0.12
NOBODY = np.zeros((0, 5))


@pytest.fixture(autouse=True)
def _worker() -> Iterator[None]:
    with slow_worker(0.1):
        yield


def shares(out: list[GuardedFrame], frames: list[Frame], places: list[tuple[int, int]]) -> list[float]:
    """How much of the person each frame shows."""
    assert [guarded.seq for guarded in out] == [one.seq for one in frames]
    _, _, w, h = person_xywh(0)
    return [round(bare_share(guarded, one, (*place, w, h)), 2)
            for guarded, one, place in zip(out, frames, places, strict=True)]


def two_rooms(order: str, fps: float) -> tuple[list[Frame], list[tuple[int, int]]]:
    """Frames of rooms "a", "b", ... with somebody at another place in each."""
    places = [{"a": (60, 180), "b": (200, 90), "c": (120, 40)}[name] for name in order]
    frames = [room(ord(name), person_at=place, t_s=seq / fps, seq=seq)
              for seq, (name, place) in enumerate(zip(order, places, strict=True))]
    return frames, places


@pytest.mark.parametrize("order", ["a" * 11 + "bbbb" + "a" * 10, "a" * 7 + "b" + "a" * 7, "aabbccaabbcc", "abcabcabc"])
@pytest.mark.parametrize("hindsight_s", [0.0, 0.2, 4.0])
def test_another_room_between_two_looks_shows_nobody(order: str, hindsight_s: float) -> None:
    frames, places = two_rooms(order, fps=25)
    subject = guard(camera(), hindsight_s=hindsight_s)
    out = [guarded for one in frames for guarded in subject.process(one)] + subject.flush("1")
    assert max(shares(out, frames, places)) < CHANCE
    assert {guarded.state for guarded in out} == {State.GUARDING}


@pytest.mark.parametrize("fps", [15, 25])
def test_in_a_time_lapse_looks_keep_up_with_what_changes(fps: int) -> None:
    """With every frame somebody is elsewhere in the same room; whom a mask covers in one need not be in the next."""
    places = [[(60, 180), (200, 90), (120, 40), (230, 190)][index % 4] for index in range(3 * fps)]
    frames = [room(7, person_at=place, t_s=seq / fps, seq=seq) for seq, place in enumerate(places)]
    analyzers: list[TruthAnalyzer] = []
    subject = guard(camera(), hindsight_s=4.0, analyzers=analyzers)
    out = [guarded for one in frames for guarded in subject.process(one)] + subject.flush("1")
    assert max(shares(out, frames, places)) < CHANCE
    assert analyzers[0].looks >= len(frames) // 2


@pytest.mark.parametrize("look_s", [0.03, 0.3, 0.9])
@pytest.mark.parametrize("order", ["a" * 30 + "b" * 4 + "a" * 40, "a" * 30 + "b" * 40, ("a" * 12 + "b" * 12) * 3])
def test_a_cut_that_looks_come_too_late_for_is_masked_whole(order: str, look_s: float) -> None:
    SlowWorker.look_s = look_s
    frames, places = two_rooms(order, fps=25)
    subject = guard(camera(lookahead_s=0.2), live=True, make_worker=SlowWorker)
    out = hand_in(subject, frames) + subject.flush("1")
    assert max(shares(out, frames, places)) < CHANCE


def test_a_frame_of_another_scene_says_so() -> None:
    frames, places = two_rooms("a" * 10 + "b" * 5, fps=25)
    subject = guard(camera(lookahead_s=0), live=True, make_worker=SlowWorker)
    out = hand_in(subject, frames[:10])
    SlowWorker.look_s = 100
    out += hand_in(subject, frames[10:])
    assert max(shares(out, frames, places)) < CHANCE
    assert {(guarded.state, guarded.reason) for guarded in out[10:]} == {
        (State.FAILSAFE, "another scene than was looked at")}


def test_who_appears_between_two_looks_is_covered_and_the_rest_is_not() -> None:
    """After the first look none is over any more; somebody else comes in 0.2 s later."""
    subject = guard(camera(lookahead_s=0), live=True, make_worker=SlowWorker)
    first = [room(1, t_s=seq / 25, seq=seq) for seq in range(8)]
    hand_in(subject, first)
    SlowWorker.look_s = 100
    later = [room(1, t_s=seq / 25, seq=seq) for seq in range(8, 14)]
    texture = np.random.default_rng(9).integers(0, 256, (80, 40), dtype=np.uint8)
    for one in later:
        one.planes[0][60:140, 220:260] = texture
    out = hand_in(subject, later)
    assert {guarded.state for guarded in out} <= {State.GUARDING, State.DEGRADED}
    for guarded, one in zip(out, later, strict=True):
        assert bare_share(guarded, one, (220, 60, 40, 80)) < CHANCE
        assert bare_share(guarded, one, (20, 20, 60, 60)) == 1.0


@pytest.mark.parametrize("lookahead_s", [0.0, 0.4])
def test_who_appears_where_nobody_has_looked_since_is_covered(lookahead_s: float) -> None:
    """Looks go on at the other half of the picture: they tell nothing of who has come into this one."""

    def half(look: int) -> object:
        return None if look == 1 else replace(observed(NOBODY), looked_grid=np.array([[True, False]]))

    subject = guard(camera(lookahead_s=lookahead_s), half, live=True, make_worker=SlowWorker)
    texture = np.random.default_rng(9).integers(0, 256, (80, 40), dtype=np.uint8)
    frames = [room(1, person_at=(60, 180), t_s=seq / 15, seq=seq) for seq in range(45)]
    for one in frames[15:]:
        one.planes[0][60:140, 220:260] = texture
    out = hand_in(subject, frames) + list(subject.flush("1"))
    assert [guarded.seq for guarded in out] == list(range(45))
    for guarded in out[15:]:
        assert bare_share(guarded, frames[guarded.seq], (220, 60, 40, 80)) < CHANCE, guarded.seq
    assert any(bare_share(guarded, frames[guarded.seq], (100, 40, 60, 60)) == 1.0 for guarded in out[15:])


@pytest.mark.parametrize("end", ["lost", "jump"])
def test_what_a_broken_stream_leaves_without_two_looks_after_it_is_masked_whole(end: str) -> None:
    """Somebody half hidden comes in, the one look since misses them, and the stream breaks off."""
    seen = camera(lookahead_s=0.5)
    subject = guard(seen, lambda look: observed(NOBODY), live=True, make_worker=SlowWorker)
    frames = [room(1, t_s=seq / 15, seq=seq) for seq in range(30)]
    out = hand_in(subject, frames)
    early = (subject.flush("1") if end == "lost"
             else hand_in(subject, [room(1, t_s=60.0, seq=30)])[:30 - len(out)])
    assert [guarded.seq for guarded in out + early] == list(range(30))
    assert out[-1].state == State.GUARDING
    assert {(guarded.state, guarded.reason) for guarded in early[-4:]} == {
        (State.FAILSAFE, "the stream broke off before what came after was looked at")}


def test_noise_light_and_a_shaking_camera_are_no_other_scene() -> None:
    rng = np.random.default_rng(4)
    subject = guard(camera(lookahead_s=0), lambda look: observed(NOBODY))
    base = room(1, person_at=(60, 180)).planes[0].astype(float)
    for seq in range(20):
        gain = 1 - 0.03 * (seq % 10)
        luma = (np.roll(base, seq % 2, axis=1) * gain + rng.normal(0, 6, base.shape)).clip(0, 255).astype(np.uint8)
        one = room(1, t_s=seq / 25, seq=seq)
        (guarded,) = subject.process(replace(one, planes=(luma, *one.planes[1:])))
        assert guarded.state == State.GUARDING
        assert np.array_equal(guarded.planes[0][:150], luma[:150]), seq


def test_after_a_return_nothing_leaves_before_a_sweep_and_a_background() -> None:
    analyzers: list[TruthAnalyzer] = []
    subject = guard(camera(lookahead_s=0.2), live=True, make_worker=SlowWorker, analyzers=analyzers)
    frames = [room(1, seq, t_s=seq / 25, seq=seq) for seq in range(30)]
    out = hand_in(subject, frames)
    out += subject.flush("1")
    assert subject.lost("1", "no picture") is not None
    analyzers[0].background_known = False
    again = [room(1, seq, t_s=5 + seq / 25, seq=seq) for seq in range(30, 90)]
    back = hand_in(subject, again[:40])
    analyzers[0].background_known = True
    back += hand_in(subject, again[40:])
    assert back[-1].state == State.GUARDING
    back += subject.flush("1")
    assert analyzers[0].sweeps.count(True) == 1
    assert {guarded.state for guarded in back[:30]} == {State.STARTING}
    assert max(shares(back, again, [person_xywh(one.seq)[:2] for one in again])) < CHANCE


def test_a_source_that_is_opened_anew_counts_as_returned() -> None:
    """The host ends a stream and starts it again at once, elsewhere: nothing seen before counts."""
    subject = guard(camera(lookahead_s=0), live=True, make_worker=SlowWorker)
    hand_in(subject, [room(1, t_s=seq / 25, seq=seq) for seq in range(20)])
    subject.flush("1")
    SlowWorker.look_s = 100
    (guarded,) = hand_in(subject, [room(1, t_s=0.84, seq=21)])
    assert guarded.state == State.STARTING


def test_sizes_that_change_and_come_back_keep_their_evidence() -> None:
    sizes = [(320, 320)] * 20 + [(480, 480)] * 10 + [(320, 320)] * 20
    frames = [frame(index, size_wh=size) for index, size in enumerate(sizes)]
    subject = guard(camera(), hindsight_s=4.0)
    out = [guarded for one in frames for guarded in subject.process(one)] + subject.flush("1")
    assert {guarded.state for guarded in out} == {State.GUARDING}
    assert max(clear_share(guarded, one) for guarded, one in zip(out, frames, strict=True)) < CHANCE
    far = np.s_[:60, :60]
    assert all(np.array_equal(guarded.planes[0][far], one.planes[0][far])
               for guarded, one in zip(out, frames, strict=True))


@pytest.mark.parametrize("step", [3, 8, 25])
def test_a_time_lapse_is_looked_at_by_what_it_shows(step: int) -> None:
    frames = [replace(room(1, index * step, t_s=index / 25, seq=index)) for index in range(40)]
    subject = guard(camera(), hindsight_s=4.0)
    out = [guarded for one in frames for guarded in subject.process(one)] + subject.flush("1")
    places = [person_xywh(index * step)[:2] for index in range(40)]
    assert max(shares(out, frames, places)) < CHANCE
    assert {guarded.state for guarded in out} == {State.GUARDING}


def test_a_quiet_recording_costs_no_more_looks() -> None:
    analyzers: list[TruthAnalyzer] = []
    subject = guard(camera(), hindsight_s=4.0, analyzers=analyzers)
    for index in range(100):
        subject.process(room(1, index // 3, t_s=index / 25, seq=index))
    assert analyzers[0].looks <= 22


def test_another_stream_is_compared_with_its_own_pictures() -> None:
    """Both streams switch to another room; the second one's frames leave before any look at it."""
    settings = camera(target_streams=("1", "2"), lookahead_s=0)
    settings = replace(settings, streams=(*settings.streams, Stream("2", Source("none"))))
    subject = guard(settings, live=True, make_worker=SlowWorker)
    frames, places = two_rooms("a" * 60 + "b" * 6, fps=25)
    out = []
    for one in frames:
        if one.seq == 60:
            SlowWorker.look_s = 100
        hand_in(subject, [one])
        out += subject.process(replace(one, stream="2", wall_time_s=one.wall_time_s + 0.005))
    assert max(shares(out, frames, places)) < CHANCE
    assert out[59].state == State.GUARDING
    assert {guarded.state for guarded in out[60:]} == {State.FAILSAFE}


@pytest.mark.parametrize("size_wh", [(320, 320), (480, 480)])
def test_in_another_stream_too_who_appears_where_nobody_has_looked_since_is_covered(size_wh: tuple[int, int]) -> None:
    """Looks at the first stream go on at the other half of the picture."""
    def half(look: int) -> object:
        return None if look == 1 else replace(observed(NOBODY), looked_grid=np.array([[True, False]]))

    settings = camera(target_streams=("1", "2"), lookahead_s=0.4)
    settings = replace(settings, streams=(*settings.streams, Stream("2", Source("none"))))
    subject = guard(settings, half, live=True, make_worker=SlowWorker)
    texture = np.random.default_rng(9).integers(0, 256, (80, 40), dtype=np.uint8)
    scale, out, sent = size_wh[0] / 320, [], {}
    for seq in range(60):
        one = room(1, t_s=seq / 15, seq=seq)
        if seq >= 15:
            one.planes[0][60:140, 220:260] = texture
        hand_in(subject, [one])
        planes = tuple(np.asarray(cv2.resize(plane, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST))
                       for plane in one.planes)
        sent[seq] = replace(one, stream="2", planes=planes, size_wh=size_wh, wall_time_s=one.wall_time_s + 0.005)
        out += subject.process(sent[seq])
    place = tuple(round(value * scale) for value in (220, 60, 40, 80))
    assert len(out) > 45
    for guarded in out[15:]:
        assert bare_share(guarded, sent[guarded.seq], place) < CHANCE, (guarded.seq, guarded.state)
    assert any(bare_share(guarded, sent[guarded.seq], (20, 20, 60, 60)) == 1.0 for guarded in out[15:])


EVENTS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 12), st.floats(0, 1.9), st.booleans()),
                  min_size=1, max_size=8)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture],
          phases=[Phase.explicit, Phase.reuse, Phase.generate])  # to shrink would take minutes
@given(EVENTS, st.floats(0.01, 1.5), st.sampled_from([0.0, 0.2, 0.4]))
def test_bursts_cuts_losses_and_late_looks_in_any_order_show_nobody(
        events: list[tuple[str, int, float, bool]], look_s: float, lookahead_s: float) -> None:
    """Each event: a room, how many frames of it, how late they arrive, and whether the source was lost before."""
    SlowWorker.look_s = look_s
    if hasattr(SlowWorker, "made"):
        del SlowWorker.made
    subject = guard(camera(lookahead_s=lookahead_s), live=True, make_worker=SlowWorker)
    index, arrival_s, worst = 0, 0.0, 0.0
    sent: dict[int, tuple[Frame, tuple[int, int]]] = {}

    def judge(out: list[GuardedFrame]) -> None:
        nonlocal worst
        for guarded in out:
            one, place = sent[guarded.seq]
            if guarded.state not in FULL_MOSAIC:
                worst = max(worst, bare_share(guarded, one, (*place, 40, 80)))

    for name, count, late_s, lost in events:
        if lost:
            judge(subject.flush("1"))
            subject.lost("1", "lost")
        for _ in range(count):
            captured_s = index / 25
            arrival_s = max(arrival_s + 1e-3, captured_s + late_s)
            x, y = {"a": (60, 170), "b": (90, 90), "c": (110, 40)}[name]  # inside the image circle all along
            place = x + 2 * (index % 40), y
            one = room(ord(name), person_at=place, t_s=captured_s, seq=index)
            sent[index] = one, place
            judge(hand_in(subject, [replace(one, wall_time_s=1000 + arrival_s)]))
            index += 1
    judge(subject.flush("1"))
    assert worst < 0.25, (events, look_s, lookahead_s)


@pytest.mark.parametrize("look_s", [0.05, 0.2, 0.35])
@pytest.mark.parametrize("phase_s", [0.0, 0.3, 0.9, 1.7, 2.6])
def test_whoever_guards_has_looked_at_what_came_after(look_s: float, phase_s: float) -> None:
    """1.5 s of every 4 s arrive together: a frame in "guarding" never rests on looks before it alone.

    Somebody who has just come in, too faint for the comparison of pictures, is known by the look after it only.
    """
    frames = []
    for seq in range(150):
        t_s = seq / 15
        within_s = (t_s + phase_s) % 4
        frames.append(replace(room(1, seq, t_s=t_s, seq=seq),
                              wall_time_s=1000 + t_s + (max(0.0, 4 - within_s) if within_s > 2.5 else 0.0)))
    subject = guard(camera(lookahead_s=0.4), live=True, make_worker=SlowWorker)
    looked: list[float] = []
    subject.on_look = lambda t_s, _tracks: looked.append(t_s)
    guarding = 0
    SlowWorker.look_s = look_s
    for one in frames:
        for guarded in hand_in(subject, [one]):
            if guarded.state == State.GUARDING:
                guarding += 1
                assert looked[-1] > 1000 + frames[guarded.seq].pts_s + 0.01, guarded.seq
    assert guarding > 40


class LateWorker:
    """As the service: a newer picture takes the place of one that waits, and looks begin when a thread gets to them."""

    made: LateWorker

    def __init__(self, evidence: Evidence, _name: str) -> None:
        self._evidence = evidence
        self._slot: tuple[LookPicture, float, Shown] | None = None
        self.looked: list[float] = []
        LateWorker.made = self

    def wants(self, t_s: float, *, urgent: bool = False) -> bool:
        if self._slot is None:
            return urgent or self._evidence.due(t_s)
        return t_s - self._slot[1] >= self._evidence.period_s

    def offer(self, picture: LookPicture, t_s: float, shown: Shown) -> None:
        self._slot = picture, t_s, shown

    def look(self) -> None:
        if self._slot is not None:
            slot, self._slot = self._slot, None
            self.looked.append(slot[1])
            self._evidence.look(*slot)

    def close(self, _timeout_s: float = 0.0) -> None:
        self._slot = None


def test_frames_that_arrive_together_are_looked_at_one_after_the_other() -> None:
    """The newest of a burst of 2 s took the place of those picked from it: nobody looked at the time between."""
    subject = guard(camera(lookahead_s=0.4), live=True, make_worker=LateWorker)
    for seq in range(75):
        t_s = seq / 15
        late_s = max(0.0, 4.0 - t_s) if t_s > 2 else 0.0
        subject.process(replace(room(1, seq, t_s=t_s, seq=seq), wall_time_s=1000 + t_s + late_s))
        if seq <= 30 or seq >= 58:  # the thread does not run while a burst is taken in
            LateWorker.made.look()
    burst = [t_s - 1000 for t_s in LateWorker.made.looked if 1001.8 < t_s < 1004]
    assert len(burst) >= 3, burst
    assert max(b - a for a, b in pairwise(burst)) < 1.0, burst
