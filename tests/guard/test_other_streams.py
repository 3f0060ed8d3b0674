"""Streams that nobody looks at leave by what was seen in another one: only what that one shows, and at its time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from aipg_plugin.frames import Frame, GuardedFrame
from aipg_plugin.geometry.camera import FisheyeCamera, ImageCircle
from aipg_plugin.geometry.figure import Figure
from aipg_plugin.geometry.lens import LensLaw
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection, make_projection
from aipg_plugin.guard.hidden import hidden_places
from aipg_plugin.guard.layout import same_view
from aipg_plugin.guard.planner import MaskPlanner
from aipg_plugin.options import (
    Camera,
    CaptureMode,
    LensModelName,
    MountKind,
    PrivacyGuard,
    Source,
    Stream,
    View,
)
from aipg_plugin.scene.change import SceneComparator
from aipg_plugin.states import FULL_MOSAIC, State
from tests.guard.scenes import SlowWorker, bare_share, camera, guard, hand_in, observed, person_xywh, room, slow_worker

NOBODY = np.zeros((0, 5))
CHANCE = 0.12
LAW = LensLaw(LensModelName.EQUIDISTANT, 180.0, ())
CEILING = Mount(MountKind.CEILING, 3.0)


@pytest.fixture(autouse=True)
def _worker() -> Iterator[None]:
    with slow_worker(0.05):
        yield


def two(second: Stream | None = None, **settings: object) -> Camera:
    one = camera(target_streams=("1", "2"), **settings)
    return replace(one, streams=(*one.streams, second or Stream("2", Source("none"))))


def clear(out: list[GuardedFrame], sent: dict[int, Frame], places: dict[int, tuple[int, int]]) -> list[str]:
    """The frames that show somebody and do not say that they are masked whole."""
    shown = {one.seq: bare_share(one, sent[one.seq], (*places[one.seq], 40, 80)) for one in out}
    return [f"{one.seq} {one.state} {shown[one.seq]:.2f}" for one in out
            if one.state not in FULL_MOSAIC and shown[one.seq] > CHANCE]


def test_a_stream_that_shows_what_the_detector_does_not_see_is_masked_whole() -> None:
    ptz = Stream("1", Source("none"), capture_mode=CaptureMode.SINGLE_PTZ, view=View(0, -30, 0, 60))
    away = replace(ptz, id="2", view=View(180, -30, 0, 60))
    subject = guard(replace(two(), streams=(ptz, away)), lambda look: observed(NOBODY), live=True,
                    make_worker=SlowWorker)
    sent = {seq: replace(room(1, t_s=seq / 25, seq=seq), stream="2") for seq in range(60)}
    out = []
    for seq, one in sent.items():
        hand_in(subject, [room(3, person_at=(270, 230), t_s=seq / 25, seq=seq)])
        out += subject.process(one)
    assert not clear(out, sent, dict.fromkeys(sent, person_xywh(0)[:2]))
    assert (out[-1].state, out[-1].reason) == (
        State.FAILSAFE, "the stream that is looked at does not show all of this picture")


def share_hidden(own: Projection, source: Projection) -> float:
    valid = SceneComparator(own.valid_mask()).valid
    return float(hidden_places(own, source, valid).mean())


def fisheye(radius: float, size_wh: tuple[int, int] = (640, 640)) -> FisheyeCamera:
    w, h = size_wh
    return FisheyeCamera(LAW, ImageCircle(w / 2, h / 2, radius * w), size_wh)


@pytest.mark.parametrize("mode", [CaptureMode.PANORAMA, CaptureMode.DOUBLE_PANORAMA, CaptureMode.QUAD_PTZ])
@pytest.mark.parametrize("size_wh", [(1280, 640), (1000, 333)])
def test_a_fisheye_picture_hides_nothing_of_its_dewarped_ones(mode: CaptureMode, size_wh: tuple[int, int]) -> None:
    own = make_projection(mode, law=LAW, circle=None, mount=CEILING, size_wh=size_wh)
    assert share_hidden(own, fisheye(0.48)) == 0


def test_what_a_crop_of_the_picture_hides_is_told() -> None:
    assert share_hidden(fisheye(0.5), fisheye(0.49, (320, 320))) == 0  # found a little apart
    cut = share_hidden(fisheye(0.5), fisheye(0.5, (640, 360)))  # above and below
    assert 0.2 < cut < 0.45


@pytest.mark.parametrize(("radius_px", "dx_px"), [(300, 0), (299, 1), (295, 0), (291, 0), (300, 3), (297, 6)])
def test_masks_are_only_scaled_to_a_stream_that_shows_the_same(radius_px: float, dx_px: float) -> None:
    """A sub-stream whose crop differs by a few per cent put every mask at the rim a head's width off."""
    main = FisheyeCamera(LAW, ImageCircle(960, 960, 900), (1920, 1920))
    sub = FisheyeCamera(LAW, ImageCircle(320 + dx_px, 320, radius_px), (640, 640))
    polar, around = np.radians(np.mgrid[0:86:5, 0:360:30].reshape(2, -1))
    rays = np.stack([np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)], axis=1)
    off_deg = np.hypot(*(main.ray_to_pixel(rays) / 3 - sub.ray_to_pixel(rays)).T).max() * 90 / radius_px
    assert same_view(sub, main) == bool(off_deg < 0.8)


def test_masks_follow_a_stream_of_a_slightly_other_shape() -> None:
    source = FisheyeCamera(LAW, ImageCircle(960, 540, 540), (1920, 1080))
    target = FisheyeCamera(LAW, ImageCircle(352, 200, 199), (704, 400))
    oval = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], np.float64)
    figure = Figure(0, np.array([960.0, 1000.0, 40.0, 60.0, 0.0]), oval, np.full(3, np.nan), 0.9, 0)
    (region,) = MaskPlanner(target, source, CEILING, same=True).regions((figure,), PrivacyGuard())
    assert region.polygons_px[0].mean(0) == pytest.approx((352, 1000 * 400 / 1080), abs=0.1)


def test_a_small_place_that_the_detector_does_not_see_stays_covered() -> None:
    """The second stream shows a little more above: who stands there is masked, the rest is shown."""
    ptz = Stream("1", Source("none"), capture_mode=CaptureMode.SINGLE_PTZ, view=View(0, -33, 0, 60))
    higher = replace(ptz, id="2", view=View(0, -30, 0, 60))
    subject = guard(replace(two(), streams=(ptz, higher)), lambda look: observed(NOBODY), live=True,
                    make_worker=SlowWorker)
    out, sent = [], {}
    for seq in range(60):
        sent[seq] = replace(room(1, person_at=(150, -0), t_s=seq / 25, seq=seq), stream="2")
        hand_in(subject, [room(1, person_at=(270, 230), t_s=seq / 25, seq=seq)])
        out += subject.process(sent[seq])
    assert out[-1].state == State.GUARDING
    assert bare_share(out[-1], sent[out[-1].seq], (150, 0, 40, 12)) < CHANCE
    assert bare_share(out[-1], sent[out[-1].seq], (20, 200, 60, 60)) == 1.0


def test_the_other_stream_waits_for_the_clock_of_the_one_looked_at() -> None:
    """It comes back with pictures 0.8 s late and catches up after 0.9 s: until then nobody can tell how late it is."""
    def at(seq: int) -> tuple[int, int]:
        t_s = seq / 25
        return int(60 + 60 * min(t_s % 6, 6 - t_s % 6)), 150

    subject = guard(two(), live=True, make_worker=SlowWorker)
    events = []
    for seq in range(200):
        t_s = seq / 25
        if t_s < 3:
            events.append((t_s, "1", seq))
        elif t_s >= 3.2:
            events.append((t_s + 0.8 if t_s < 4.1 else max(t_s, 4.9), "1", seq))
        events.append((t_s + 0.003, "2", seq))
    out, sent, lost = [], {}, False
    for arrival_s, stream, seq in sorted(events):
        one = replace(room(1, person_at=at(seq), t_s=seq / 25, seq=seq), stream=stream, wall_time_s=1000 + arrival_s)
        if stream == "1":
            if arrival_s > 3.5 and not lost:
                subject.flush("1")
                lost = True
            hand_in(subject, [one])
        else:
            sent[seq] = one
            out += subject.process(one)
    assert not clear(out, sent, {seq: at(seq) for seq in sent})
    assert sum(one.state == State.GUARDING for one in out) > 80


def test_a_stream_whose_view_is_turned_while_the_other_goes_on_is_masked_whole_until_it_is_back() -> None:
    """A camera's own digital PTZ: the other stream's people lie elsewhere in this picture now."""
    subject = guard(two(lookahead_s=0.4), live=True, make_worker=SlowWorker)
    out, sent, places = [], {}, {}
    for seq in range(120):
        turned = 40 <= seq < 80
        t_s = seq / 15
        hand_in(subject, [room(1, seq, t_s=t_s, seq=seq)])
        places[seq] = (60, 40) if turned else person_xywh(seq)[:2]
        sent[seq] = replace(room(2 if turned else 1, seq, t_s=t_s, seq=seq, person_at=places[seq]), stream="2",
                            wall_time_s=1000.005 + t_s)
        out += subject.process(sent[seq])
    assert len(out) > 105
    assert not clear(out, sent, places)
    states = {one.seq: one.state for one in out}
    assert all(states[seq] in FULL_MOSAIC for seq in range(40, 80)), states
    assert {states[38], states[100]} == {State.GUARDING}
