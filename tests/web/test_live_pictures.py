"""What pages are shown first: never what left the guard once, while it was off."""

from __future__ import annotations

import numpy as np
import pytest

from aipg_plugin import frames
from aipg_plugin.facade import pictures as pictures_module
from aipg_plugin.facade.pictures import LivePictures
from aipg_plugin.fleet.relay import RelayedStream
from aipg_plugin.frames import GuardedFrame, PixelFormat
from aipg_plugin.media.encoded import EncodedStream
from aipg_plugin.media.info import StreamInfo
from aipg_plugin.options import Output, OutputKind
from aipg_plugin.states import State

KEY = ("lobby", "1")


def frame(state: State, grey: int = 90) -> GuardedFrame:
    planes = tuple(np.full(shape, grey, np.uint8) for shape in frames.plane_shapes(PixelFormat.I420, (64, 48)))
    return frames._mint_guarded(stream="1", seq=1, pts_s=0.0, wall_time_s=0.0, format=PixelFormat.I420,
                                size_wh=(64, 48), planes=planes, state=state, reason="")


def served() -> EncodedStream:
    return EncodedStream(Output(OutputKind.HTTP), StreamInfo((64, 48), fps=25.0), name="lobby/1")


@pytest.fixture
def pictures() -> LivePictures:
    """Somebody has watched while the guard was off."""
    made = LivePictures()
    made.want(KEY, 320)
    made.offer(KEY, frame(State.OFF))
    still = made.newest(KEY, 320)
    assert still is not None
    assert still.state == State.OFF
    return made


def test_a_picture_of_the_time_before_is_not_shown_to_who_comes_later(pictures: LivePictures,
                                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        later.setattr(pictures_module, "_INTEREST_S", -1.0)
        pictures.want(KEY, 320)
        pictures.offer(KEY, frame(State.GUARDING))  # nobody looks
    assert pictures.newest(KEY, 320) is None
    assert pictures.seq(KEY) == 0
    pictures.offer(KEY, frame(State.GUARDING))
    still = pictures.newest(KEY, 320)
    assert still is not None
    assert still.state == State.GUARDING


def test_a_change_forgets_clear_pictures_though_no_frame_follows(pictures: LivePictures) -> None:
    pictures.forget({"lobby"})
    assert pictures.newest(KEY, 320) is None
    pictures.offer(KEY, frame(State.LOST))
    pictures.forget({"lobby"})
    assert pictures.newest(KEY, 320) is not None


def test_a_served_still_is_clear_no_longer_than_the_guard_is_off() -> None:
    stream = served()
    stream.write(frame(State.OFF, 90))
    clear = stream.jpeg()
    assert clear is not None
    stream.forget_clear()
    assert stream.jpeg() is None
    stream.write(frame(State.OFF, 90))
    stream.write(frame(State.GUARDING, 20))  # within the second for which a still is kept
    assert clear != stream.jpeg() is not None
    stream.forget_clear()
    assert stream.jpeg() is not None
    stream.close()


@pytest.mark.parametrize("told", [True, False])
def test_a_slow_reader_is_sent_nothing_clear_once_the_guard_is_on(told: bool) -> None:
    stream = served()
    slow, quick = (stream.subscribe(stream.packets, lambda: None) for _ in range(2))
    for _ in range(5):
        stream.write(frame(State.OFF))
        quick.take()
    if told:
        stream.forget_clear()
        assert not slow.take()
    for _ in range(3):
        stream.write(frame(State.GUARDING, 20))
    first, *_ = slow.take()
    assert first.key
    assert quick.take()[0].pts == first.pts  # who has kept up misses nothing
    stream.close()


def test_a_slow_reader_of_a_nodes_stream_is_sent_nothing_of_before_a_change() -> None:
    stream = RelayedStream(Output(OutputKind.HTTP), StreamInfo((64, 48), fps=25.0), name="lobby/1")
    slow = stream.subscribe(stream.packets, lambda: None)
    for index, key in enumerate((True, False)):
        stream.pass_on(b"\0\0\1\x65", index / 25, key=key, size_wh=(64, 48))
    stream.forget_clear()
    assert not slow.take()
    for index, key in enumerate((False, True), 2):
        stream.pass_on(b"\0\0\1\x65", index / 25, key=key, size_wh=(64, 48))
    assert [chunk.key for chunk in slow.take()] == [True]
    stream.close()
