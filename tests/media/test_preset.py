"""Which preset `auto` stands for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aipg_plugin.media.encoder import Encoder, EncoderSpec
from aipg_plugin.media.info import StreamInfo
from aipg_plugin.media.preset import with_preset, with_presets
from aipg_plugin.options import Camera, Output, OutputKind, Source, Stream

INFO = StreamInfo((960, 960), fps=10.0)
AUTO = Output(OutputKind.FILE, "out.mp4")


@pytest.mark.parametrize(("streams", "cores", "preset", "crf"), [
    (1, 1, "veryfast", 23), (2, 2, "veryfast", 23), (6, 2, "veryfast", 23), (7, 2, "ultrafast", 26),
    (8, 2, "ultrafast", 26), (8, 8, "veryfast", 23), (4, 1, "ultrafast", 26)])
def test_the_more_there_is_to_encode_the_faster(streams: int, cores: int, preset: str, crf: int) -> None:
    found = with_preset(AUTO, INFO, streams=streams, cores=cores)
    assert (found.preset, found.crf) == (preset, crf)


def test_a_preset_that_was_chosen_stays() -> None:
    chosen = replace(AUTO, preset="slow")
    assert with_preset(chosen, INFO, streams=100) == chosen
    assert with_preset(replace(AUTO, crf=51), INFO, streams=100).crf == 51


def test_streams_without_outputs_and_cameras_that_are_off_do_not_count() -> None:
    stream = Stream("1", Source("one"), outputs=(AUTO, replace(AUTO, preset="medium")))
    idle = Stream("2", Source("two"))
    cameras = [Camera("a", streams=(stream, idle)), Camera("b", streams=(stream,), enabled=False)]
    assert [one.preset for one in with_presets(stream, INFO, cameras, 1)] == ["veryfast", "medium"]
    busy = [Camera(str(number), streams=(stream,)) for number in range(8)]
    assert [one.preset for one in with_presets(stream, INFO, busy, 2)] == ["ultrafast", "medium"]


def test_an_encoder_opens_with_auto() -> None:
    spec = EncoderSpec.of(StreamInfo((64, 64), fps=10.0), live=True)
    assert Encoder(replace(AUTO, encoder="libx264"), spec).context.options["preset"] == "veryfast"
