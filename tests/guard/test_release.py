"""What a frame may leave by: the evidence of its own time, and settings that never bare it afterwards."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from aipg_plugin.frames import Frame, GuardedFrame
from aipg_plugin.geometry.camera import FisheyeCamera
from aipg_plugin.geometry.figure import Figure
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection, scaled
from aipg_plugin.guard.evidence import Evidence
from aipg_plugin.guard.guard import Guard
from aipg_plugin.options import Area, Camera, MountKind, Sensitivity, Source, Stream
from aipg_plugin.scene.observation import Analyzer
from aipg_plugin.tracking.tracker import Tracker
from tests.guard.scenes import TruthAnalyzer, camera, clear_share, frame, guard, observed

CHANCE = 0.10
NOBODY = np.zeros((0, 5))


def live(subject: Guard, frames: list[Frame]) -> list[GuardedFrame]:
    """Frames through a live guard at the times they carry, each with time for its look."""
    out = []
    for one in frames:
        out += subject.process(one)
        time.sleep(0.01)
    return out


def assert_nobody_leaves(out: list[GuardedFrame], frames: list[Frame]) -> None:
    by_seq = {one.seq: one for one in frames}
    assert sorted(guarded.seq for guarded in out) == sorted(by_seq)
    shares = {guarded.seq: round(clear_share(guarded, by_seq[guarded.seq]), 2) for guarded in out}
    assert max(shares.values()) < CHANCE, shares


def two_streams(**settings: object) -> Camera:
    one = camera(target_streams=("1", "2"), **settings)
    return replace(one, streams=(*one.streams, Stream("2", Source("none"))))


def test_frames_from_before_a_cut_do_not_leave_by_what_came_after_it() -> None:
    """The clock steps back and the picture shows somebody elsewhere: the frames still waiting show the old place."""
    frames = [frame(index, wall_time_s=100 + index / 10) for index in range(8)]
    frames += [frame(index, wall_time_s=50 + index / 10) for index in range(25, 37)]
    subject = guard(camera(), live=True)
    out = live(subject, frames)
    assert out[-1].state == "guarding"
    assert_nobody_leaves(out + subject.flush("1"), frames)


def test_frames_from_before_a_change_of_size_do_not_leave_by_what_came_after_it() -> None:
    frames = [frame(index, wall_time_s=100 + index / 10) for index in range(8)]
    frames += [frame(index, wall_time_s=98.3 + index / 10, size_wh=(480, 480)) for index in range(25, 37)]
    subject = guard(camera(), live=True)
    assert_nobody_leaves(live(subject, frames) + subject.flush("1"), frames)


def test_a_stream_that_stalled_does_not_bare_what_it_still_held() -> None:
    """Stream 2 stops with frames waiting; when they are flushed, the figures of their time are long forgotten."""
    subject = guard(two_streams(), live=True)
    second = [frame(index, stream="2", wall_time_s=100 + index / 10) for index in range(6)]
    out = []
    for index in range(200):
        subject.process(frame(index, wall_time_s=100 + index / 10 - 0.001))
        if index < len(second):
            out += subject.process(second[index])
        time.sleep(0.002)
    assert_nobody_leaves(out + subject.flush("2"), second)


def test_a_stream_that_stopped_does_not_make_evidence_pile_up() -> None:
    subject = guard(two_streams(), live=True)
    subject.stream("2")
    live(subject, [frame(index, wall_time_s=100 + index) for index in range(60)])
    known = subject._observer.known()
    assert known is not None
    assert len(known.evidence._looks) < 20


def test_a_frame_that_came_guarded_leaves_guarded() -> None:
    subject = guard(camera(), live=True)
    before = [frame(index, wall_time_s=100 + index / 10) for index in range(6)]
    after = [frame(index, wall_time_s=100 + index / 10) for index in range(6, 16)]
    out = live(subject, before)
    subject.configure(camera(enabled=False))
    out += live(subject, after[:5])
    subject.configure(camera())
    out += live(subject, after[5:]) + subject.flush("1")
    was_off = {one.seq for one in after[:5]}
    assert_nobody_leaves([one for one in out if one.seq not in was_off],
                         [one for one in before + after if one.seq not in was_off])
    assert any(one.state == "off" for one in out if one.seq in was_off)


class _HalfSizeAnalyzer(TruthAnalyzer):
    """Wants pictures of half the size, so that its pixels are not the stream's."""

    def __init__(self, projection: Projection, mount: Mount) -> None:
        super().__init__(scaled(projection, (160, 160)), mount)


def test_settings_that_change_in_the_middle_of_a_release_do_not_misplace_the_mask(
        monkeypatch: pytest.MonkeyPatch) -> None:
    def analyzer(projection: Projection, mount: Mount, of: Camera) -> Analyzer:
        return _HalfSizeAnalyzer(projection, mount)

    subject = Guard(camera(), analyzer, lambda projection, mount, of: Tracker(projection, mount), live=False)
    frames = [frame(index) for index in range(8)]
    out = [guarded for one in frames[:5] for guarded in subject.process(one)]
    plain = Evidence.figures

    def interrupted(self: Evidence, t_s: float, *, sensitivity: Sensitivity) -> tuple[Figure, ...]:
        found = plain(self, t_s, sensitivity=sensitivity)
        subject.configure(replace(camera(), lens=replace(camera().lens, fov_deg=185)))
        return found

    monkeypatch.setattr(Evidence, "figures", interrupted)
    out += subject.process(frames[5])
    monkeypatch.undo()
    out += [guarded for one in frames[6:] for guarded in subject.process(one)]
    assert_nobody_leaves(out, frames)


def test_a_higher_sensitivity_counts_at_once() -> None:
    low, high = camera(sensitivity=Sensitivity.LOW, lookahead_s=0), camera(sensitivity=Sensitivity.HIGH, lookahead_s=0)
    subject = guard(low, score=0.3)
    frames = [frame(index) for index in range(16)]
    out = [guarded for one in frames[:8] for guarded in subject.process(one)]
    assert clear_share(out[-1], frames[7]) > 0.9  # below what low asks for
    subject.configure(high)
    out = [guarded for one in frames[8:] for guarded in subject.process(one)]
    assert_nobody_leaves(out[2:], frames[10:])


def test_a_longer_hold_counts_at_once() -> None:
    def missed_later(look: int) -> object:
        return observed(NOBODY) if look > 4 else None

    subject = guard(camera(hold_s=0.5), missed_later)
    frames = [replace(frame(0), seq=index, pts_s=index / 10, wall_time_s=index / 10) for index in range(30)]
    for one in frames[:8]:
        subject.process(one)
    subject.configure(camera(hold_s=10.0))
    out = [guarded for one in frames[8:] for guarded in subject.process(one)]
    assert max(clear_share(guarded, frames[0]) for guarded in out) < CHANCE


@pytest.mark.parametrize("changed", [
    replace(camera(), camera_height_m=4.2), replace(camera(), mount=MountKind.WALL),
    camera(prohibited_areas=(Area(1, ((0, 0), (0.1, 0), (0.1, 0.1)), enabled=True),)),
], ids=["height", "mount", "areas"])
def test_settings_that_detection_rests_on_open_it_anew(changed: Camera) -> None:
    opened: list[Camera] = []
    subject = guard(camera(), opened=opened)
    frames = [frame(index) for index in range(8)]
    out = [guarded for one in frames[:4] for guarded in subject.process(one)]
    subject.configure(changed)
    out += [guarded for one in frames[4:] for guarded in subject.process(one)]
    assert_nobody_leaves(out, frames)
    assert opened == [camera(), changed]


def test_an_image_circle_that_the_first_picture_lacks_is_found_later() -> None:
    """A camera that starts in the dark must not be taken for one with a circle that fills the picture, for good."""
    settings = replace(camera(), lens=replace(camera().lens, circle=None))
    ys, xs = np.mgrid[:320, :320]
    dark_outside = np.hypot(xs - 165, ys - 160) > 130
    frames = [frame(index) for index in range(40)]
    for one in frames:
        one.planes[0][dark_outside if one.seq >= 12 else ...] = 16
        for chroma in one.planes[1:]:
            chroma[dark_outside[::2, ::2] if one.seq >= 12 else ...] = 128
    subject = guard(settings)
    out = [guarded for one in frames for guarded in subject.process(one)]
    layout = subject.stream("1").layout
    assert layout is not None
    assert isinstance(layout.projection, FisheyeCamera)
    circle = layout.projection.circle
    assert np.hypot(circle.cx_px - 165, circle.cy_px - 160) < 4
    assert abs(circle.radius_px - 130) < 4
    assert_nobody_leaves(out[12:], frames[12:])
    assert out[-1].state == "guarding"


def test_whoever_listens_to_looks_cannot_stop_them() -> None:
    subject = guard(camera(), live=True)

    def listener(t_s: float, tracks: object) -> None:
        raise ConnectionError("the broker is away")

    subject.on_look = listener
    frames = [frame(index, wall_time_s=100 + index / 10) for index in range(30)]
    out = live(subject, frames)
    assert out[-1].state == "guarding"
    assert_nobody_leaves(out + subject.flush("1"), frames)


def test_closing_or_new_geometry_does_not_wait_for_a_hanging_detector() -> None:
    subject = guard(camera(), lambda look: time.sleep(3), live=True)
    subject.process(frame(0, wall_time_s=100.0))
    start_s = time.monotonic()
    subject.configure(replace(camera(), lens=replace(camera().lens, fov_deg=185)))
    out = subject.process(frame(1, wall_time_s=100.1)) + subject.flush("1")
    subject.close(timeout_s=0.05)
    assert time.monotonic() - start_s < 1.0
    assert_nobody_leaves(out, [frame(0), frame(1)])


def test_a_closed_guard_masks_whole_and_starts_nothing() -> None:
    subject = guard(camera(lookahead_s=0))
    subject.process(frame(0))
    subject.close()
    (guarded,) = subject.process(frame(1))
    assert guarded.state == "starting"
    assert clear_share(guarded, frame(1)) < CHANCE


def test_a_file_without_timestamps_is_masked_by_its_own_looks() -> None:
    """It is read as fast as the machine can, so the time of day says nothing."""
    subject = guard(camera(), hindsight_s=0.4)
    frames = [replace(frame(index, wall_time_s=5000 + index / 500), pts_s=None) for index in range(30)]
    out = [guarded for one in frames for guarded in subject.process(one)] + subject.flush("1")
    assert_nobody_leaves(out, frames)
    assert {guarded.state for guarded in out} == {"guarding"}


def test_evidence_vouches_for_nothing_before_its_first_look() -> None:
    """The second stream came first: who stood there then is not known."""
    subject = guard(two_streams(lookahead_s=0.4), live=True)
    early = [frame(index, stream="2", wall_time_s=100 + index / 10) for index in range(4)]
    out = live(subject, early)
    live(subject, [frame(index, wall_time_s=100 + index / 10 - 2.1) for index in range(25, 29)])
    late = [frame(index, stream="2", wall_time_s=100 + index / 10 - 2.1) for index in range(25, 35)]
    out += live(subject, late) + subject.flush("2")
    assert_nobody_leaves([one for one in out if one.seq < 10], early)
