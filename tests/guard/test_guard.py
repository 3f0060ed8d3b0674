"""The guard on frames whose truth is known: in every fault no clear pixel of the person leaves."""

from __future__ import annotations

import copy
import pickle
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from aipg_plugin.errors import GuardError
from aipg_plugin.frames import Frame, GuardedFrame, PixelFormat
from aipg_plugin.guard.guard import Guard
from aipg_plugin.options import MaskingMethod, Source, Stream
from tests.guard import scenes
from tests.guard.scenes import camera, clear_share, frame, guard, observed, person_xywh

CHANCE = 0.10  # noise agrees with a mosaic of itself now and then; a clear person agrees everywhere


def run(subject: Guard, frames: list[Frame]) -> list[GuardedFrame]:
    out = [guarded for one in frames for guarded in subject.process(one)]
    return out + subject.flush("1")


def assert_nobody_leaves(out: list[GuardedFrame], frames: list[Frame]) -> None:
    by_seq = {one.seq: one for one in frames}
    assert [guarded.seq for guarded in out] == [one.seq for one in frames]
    shares = [clear_share(guarded, by_seq[guarded.seq]) for guarded in out]
    assert max(shares) < CHANCE, [round(share, 2) for share in shares]


def test_the_measure_can_fail() -> None:
    one = frame(3)
    off = guard(camera(enabled=False))
    (guarded,) = off.process(one)
    assert guarded.state == "off"
    assert clear_share(guarded, one) == 1.0


@pytest.mark.parametrize("pixel_format", list(PixelFormat))
@pytest.mark.parametrize("method", list(MaskingMethod))
def test_a_walking_person_is_masked_and_the_room_is_not(pixel_format: PixelFormat, method: MaskingMethod) -> None:
    frames = [frame(index, pixel_format=pixel_format) for index in range(30)]
    out = run(guard(camera(masking_method=method)), frames)
    assert_nobody_leaves(out, frames)
    assert {guarded.state for guarded in out} == {"guarding"}
    for guarded, original in zip(out, frames, strict=True):
        far = np.s_[:60, :60]
        assert np.array_equal(guarded.planes[0][far], original.planes[0][far])


def _nan(_look: int) -> object:
    boxes = np.full((1, 5), np.nan)
    return observed(boxes)


FAULTS: dict[str, Callable[[int], object]] = {
    "raises": lambda look: RuntimeError("boom") if look > 3 else None,
    "raises always": lambda look: RuntimeError("boom"),
    "raises now and then": lambda look: ValueError("x") if look % 3 == 0 else None,
    "memory error": lambda look: MemoryError() if look > 2 else None,
    "nan": lambda look: _nan(look) if look > 3 else None,
    "doubtful picture": lambda look: observed(np.zeros((0, 5)), doubt="too dark") if look > 3 else None,
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_detector_never_lets_anybody_through(name: str) -> None:
    frames = [frame(index) for index in range(40)]
    out = run(guard(camera(), FAULTS[name]), frames)
    assert_nobody_leaves(out, frames)
    assert any(guarded.state == "failsafe" for guarded in out)


def test_a_hanging_detector_makes_the_live_guard_fail_safe() -> None:
    def hang(look: int) -> object:
        if look > 2:
            time.sleep(3)
        return None

    subject = guard(camera(lookahead_s=0.2), hang, live=True)
    frames, out = [], []
    start_s = time.time()
    for index in range(24):
        one = frame(index, wall_time_s=time.time())
        frames.append(one)
        out += subject.process(one)
        time.sleep(max(0.0, start_s + (index + 1) / scenes.FPS - time.time()))
    waited = out[-1]
    out += subject.flush("1")
    subject.close()
    assert_nobody_leaves(out, frames)
    assert (waited.state, waited.reason) == ("failsafe", "the detector is late")
    assert out[-1].state == "failsafe"


def test_live_guard_back_fills_the_first_frames() -> None:
    subject = guard(camera(lookahead_s=0.4), live=True)
    frames, out = [], []
    for index in range(12):
        one = frame(index, wall_time_s=time.time())
        frames.append(one)
        out += subject.process(one)
        time.sleep(1 / scenes.FPS)
    out += subject.flush("1")
    subject.close()
    assert_nobody_leaves(out, frames)
    assert out[0].state == "guarding"


def test_size_and_format_may_change_mid_stream() -> None:
    changes = [((320, 320), PixelFormat.I420), ((480, 480), PixelFormat.I420), ((480, 480), PixelFormat.NV12),
               ((321, 321), PixelFormat.NV12), ((320, 320), PixelFormat.BGR24)]
    frames = [frame(index, size_wh=changes[index // 8][0], pixel_format=changes[index // 8][1])
              for index in range(8 * len(changes))]
    assert_nobody_leaves(run(guard(camera()), frames), frames)


@pytest.mark.parametrize("stamps", [
    lambda index: index / 10 if index < 15 else index / 10 - 100, lambda index: index / 10 + (index >= 15) * 100,
    lambda index: 1.0, lambda index: index // 5 / 2, lambda index: None, lambda index: -index / 10,
], ids=["back", "ahead", "same", "steps", "none", "reversed"])
def test_timestamps_may_jump_repeat_or_lack(stamps: Callable[[int], float | None]) -> None:
    frames = [replace(frame(index, wall_time_s=1000 + index / 10), pts_s=stamps(index)) for index in range(30)]
    assert_nobody_leaves(run(guard(camera()), frames), frames)


def test_settings_change_between_frames_without_a_clear_one() -> None:
    subject = guard(camera())
    frames = [frame(index) for index in range(24)]
    out: list[GuardedFrame] = []
    for index, one in enumerate(frames):
        changed = camera(masking_method=list(MaskingMethod)[index % 3], lookahead_s=0.1 * (index % 4))
        if index == 12:
            changed = replace(changed, lens=replace(changed.lens, fov_deg=190))
        subject.configure(changed)
        out += subject.process(one)
    assert_nobody_leaves(out + subject.flush("1"), frames)


def test_a_person_first_seen_late_is_masked_in_the_frames_already_waiting() -> None:
    frames = [frame(index) for index in range(20)]
    subject = guard(camera(), lambda look: observed(np.zeros((0, 5))) if look == 3 else None, hindsight_s=4.0)
    assert_nobody_leaves(run(subject, frames), frames)


def test_masking_that_fails_blanks_the_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = guard(camera())
    frames = [frame(index) for index in range(6)]
    out = subject.process(frames[0])
    layout = subject.stream("1").layout
    assert layout is not None
    monkeypatch.setattr(layout.painter, "paint", lambda *args: 1 / 0)
    for one in frames[1:]:
        out += subject.process(one)
    assert_nobody_leaves(out, frames)
    assert out[-1].reason == "masking failed"
    assert subject.stats()["1"].faults > 0


def test_one_figure_is_masked_in_every_stream_of_the_camera() -> None:
    settings = camera(target_streams=("1", "2"))
    settings = replace(settings, streams=(*settings.streams, Stream("2", Source("none"))))
    subject = guard(settings)
    for index in range(12):
        main, sub = frame(index), frame(index, size_wh=(160, 160), stream="2")
        (first,) = subject.process(main)
        (second,) = subject.process(sub)
        assert clear_share(first, main) < CHANCE
        assert clear_share(second, sub) < CHANCE


def test_a_stream_that_is_no_target_passes_and_says_so() -> None:
    one = frame(0)
    (guarded,) = guard(camera(target_streams=())).process(one)
    assert guarded.state == "off"
    assert np.array_equal(guarded.planes[0], one.planes[0])


def test_a_lost_source_leaves_a_masked_captioned_still() -> None:
    subject = guard(camera())
    assert subject.lost("1") is None
    frames = [frame(index) for index in range(5)]
    run(subject, frames)
    still = subject.lost("1", "camera unplugged")
    assert still is not None
    assert (still.state, still.reason) == ("lost", "camera unplugged")
    assert clear_share(still, frames[-1]) < CHANCE


def test_guarded_frames_cannot_be_forged_or_changed() -> None:
    with pytest.raises(GuardError):
        GuardedFrame()
    (guarded,) = guard(camera()).process(frame(0))
    with pytest.raises(GuardError):
        guarded.planes = ()
    with pytest.raises(GuardError):
        del guarded.planes
    with pytest.raises(ValueError, match="read-only"):
        guarded.planes[0][0, 0] = 1
    for forge in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(GuardError):
            forge(guarded)
    with pytest.raises(GuardError):
        type("Clear", (GuardedFrame,), {})


def test_an_unknown_stream_is_refused_with_its_name() -> None:
    with pytest.raises(GuardError, match="'9' is not a stream of camera 'lobby'"):
        guard(camera()).process(frame(0, stream="9"))


def test_prohibited_areas_leave_who_is_inside_clear() -> None:
    from aipg_plugin.options import Area

    whole = Area(1, ((0, 0), (1, 0), (1, 1), (0, 1)), enabled=True)
    frames = [frame(index) for index in range(6)]
    out = run(guard(camera(prohibited_areas=(whole,))), frames)
    assert clear_share(out[-1], frames[-1]) == 1.0
    x, y, w, _h = person_xywh(5)
    half = Area(1, ((0, 0), ((x + w / 2) / 320, 0), ((x + w / 2) / 320, 1), (0, 1)), enabled=True)
    out = run(guard(camera(prohibited_areas=(half,))), frames)
    assert clear_share(out[-1], frames[-1]) < CHANCE, y


