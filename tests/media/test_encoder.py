"""The encoder's threads: as few as pictures need that come in real time, since each holds pictures."""

from __future__ import annotations

from typing import Any

import pytest

from aipg_plugin.media.encoder import Encoder, EncoderSpec
from aipg_plugin.media.info import StreamInfo
from aipg_plugin.media.pictures import to_picture
from aipg_plugin.options import Output, OutputKind
from tests.media.clips import guarded

SIZE_WH = (320, 240)


def encoded(info: StreamInfo, *, live: bool, frames: int = 30) -> tuple[list[Any], list[int]]:
    """The packets, and how many had come out after each picture."""
    encoder = Encoder(Output(OutputKind.FILE, "x.mkv", encoder="libx264"), EncoderSpec.of(info, live=live))
    packets, count = list[Any](), list[int]()
    for number in range(frames):
        picture = to_picture(guarded(number, pts_s=number / 10, size_wh=info.size_wh, noise=True))
        packets += encoder.encode(picture, number / 10)
        count.append(len(packets))
    return packets + encoder.flush(), count


def test_a_live_picture_is_encoded_before_the_next_one_comes() -> None:
    _, count = encoded(StreamInfo(size_wh=SIZE_WH, fps=10.0, live=True), live=True)
    assert count == list(range(1, 31))


def test_a_recorder_of_a_live_stream_holds_what_x264_looks_ahead_at_and_no_more() -> None:
    packets, count = encoded(StreamInfo(size_wh=SIZE_WH, fps=10.0, live=True), live=False)
    assert len(packets) == 30
    assert count == [0] * 8 + list(range(22))


@pytest.mark.parametrize(("size_wh", "fps", "one"), [((960, 960), 10.0, True), ((3840, 2160), 25.0, False)])
def test_only_what_one_thread_can_do_gets_one(size_wh: tuple[int, int], fps: float, one: bool) -> None:
    spec = EncoderSpec.of(StreamInfo(size_wh=size_wh, fps=fps, live=True), live=False)
    encoder = Encoder(Output(OutputKind.FILE, "x.mkv", encoder="libx264"), spec)
    assert (encoder.context.thread_count == 1) is one
