"""Files in, files out: every frame, its time, its size, one slice each, and never a clear one."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from aipg_plugin.errors import GuardError, MediaError
from aipg_plugin.frames import Frame, PixelFormat
from aipg_plugin.media.encoded import nal_units
from aipg_plugin.media.info import Colour, StreamInfo
from aipg_plugin.media.sink import open_sink
from aipg_plugin.media.source import open_source
from aipg_plugin.options import Audio, Output, OutputKind, Source
from tests import needs
from tests.media.clips import SIZE_WH, as_guarded, guarded, number_of, read_clip, write_clip

INFO = StreamInfo(size_wh=SIZE_WH, fps=25.0)


def file_output(path: Path, **changes: object) -> Output:
    return replace(Output(OutputKind.FILE, str(path), preset="ultrafast"), **changes)  # type: ignore[arg-type]


def pass_through(source: Path, target: Path, **changes: object) -> StreamInfo:
    with open_source(Source(str(source)), "1") as frames:
        sink = open_sink(file_output(target, **changes), frames.info, name="a/1")
        frames.on_audio = sink.write_audio
        for frame in frames:
            assert isinstance(frame, Frame)
            sink.write(as_guarded(frame))
        sink.close()
        sink.close()
        return frames.info


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_every_frame_and_its_time_come_out(tmp_path: Path, suffix: str) -> None:
    info = pass_through(write_clip(tmp_path / "in.mp4", frames=40), tmp_path / f"out{suffix}")
    assert (info.frame_count, info.size_wh, info.fps, info.codec) == (40, SIZE_WH, 25.0, "h264")
    numbers, times_s = read_clip(tmp_path / f"out{suffix}")
    assert numbers == list(range(40))
    np.testing.assert_allclose(times_s, np.arange(40) / 25, atol=6e-4)


def test_uneven_times_are_kept(tmp_path: Path) -> None:
    pts = [0, 40, 41, 120, 500, 3000, 3033, 3100, 9000, 9040]
    pass_through(write_clip(tmp_path / "in.mkv", frames=10, pts=pts), tmp_path / "out.mp4")
    numbers, times_s = read_clip(tmp_path / "out.mp4")
    assert numbers == list(range(10))
    np.testing.assert_allclose(times_s, np.array(pts) / 1000, atol=1.1e-3)


def test_times_that_jump_and_repeat_lose_no_frame(tmp_path: Path) -> None:
    times: list[float | None] = [0.0, 0.04, 0.04, 0.08, 5.0, 0.12, 0.16, None, None, 0.2]
    sink = open_sink(file_output(tmp_path / "out.mp4"), INFO, name="a/1")
    for number, pts_s in enumerate(times):
        sink.write(guarded(number, pts_s=pts_s))
    sink.close()
    numbers, times_s = read_clip(tmp_path / "out.mp4")
    assert numbers == list(range(10))
    assert all(np.diff(times_s) > 0)


def test_a_live_recording_starts_at_zero(tmp_path: Path) -> None:
    sink = open_sink(file_output(tmp_path / "out.mp4"), replace(INFO, live=True), name="a/1")
    for number in range(5):
        sink.write(guarded(number, pts_s=90_000 + number / 25, wall_time_s=1.7e9 + number / 25))
    sink.close()
    np.testing.assert_allclose(read_clip(tmp_path / "out.mp4")[1], np.arange(5) / 25, atol=1e-3)


@pytest.mark.parametrize("size_wh", [(161, 120), (160, 121), (161, 121)])
def test_odd_sizes_gain_a_row_or_column_and_lose_none(tmp_path: Path, size_wh: tuple[int, int]) -> None:
    sink = open_sink(file_output(tmp_path / "out.mkv", crf=1), replace(INFO, size_wh=size_wh), name="a/1")
    frame = guarded(201, pts_s=0.0, size_wh=size_wh)
    sink.write(frame)
    sink.close()
    even_wh = (size_wh[0] + size_wh[0] % 2, size_wh[1] + size_wh[1] % 2)
    assert sink.encoded_size_wh == even_wh
    with av.open(str(tmp_path / "out.mkv")) as box:
        picture = next(box.decode(video=0))
    assert (picture.width, picture.height) == even_wh
    luma = picture.to_ndarray()[:size_wh[1], :size_wh[0]].astype(int)
    assert np.abs(luma - frame.planes[0]).mean() < 3


def test_odd_sources_come_in_whole(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "in.mkv", frames=3, size_wh=(163, 121), codec="ffv1")
    with open_source(Source(str(clip)), "1") as frames:
        assert frames.info.size_wh == (163, 121)
        seen = [frame for frame in frames if isinstance(frame, Frame)]
    assert [frame.planes[0].shape for frame in seen] == [(121, 163)] * 3
    assert [frame.planes[2].shape for frame in seen] == [(61, 82)] * 3
    assert [number_of(frame.planes[0]) for frame in seen] == [0, 1, 2]


@pytest.mark.parametrize("pix_fmt", ["gray", "yuv422p", "yuv444p", "yuv420p10le", "bgr0", "nv12"])
def test_every_pixel_format_goes_through(tmp_path: Path, pix_fmt: str) -> None:
    codec = "rawvideo" if pix_fmt == "nv12" else "ffv1"
    clip = write_clip(tmp_path / "in.mkv", frames=4, codec=codec, pix_fmt=pix_fmt)
    info = pass_through(clip, tmp_path / "out.mp4")
    assert info.format is (PixelFormat.NV12 if pix_fmt == "nv12" else PixelFormat.I420)
    assert read_clip(tmp_path / "out.mp4")[0] == [0, 1, 2, 3]


@pytest.mark.parametrize("full_range", [False, True])
def test_range_flag_and_values_are_kept(tmp_path: Path, full_range: bool) -> None:
    clip = write_clip(tmp_path / "in.mp4", frames=3, full_range=full_range)
    info = pass_through(clip, tmp_path / "out.mp4", crf=1)
    assert info.colour.full_range is full_range
    with av.open(str(tmp_path / "out.mp4")) as box, av.open(str(clip)) as original:
        ours, first = next(box.decode(video=0)), next(original.decode(video=0))
    assert (ours.color_range == 2) is full_range
    assert np.abs(ours.to_ndarray().astype(int) - first.to_ndarray()).mean() < 2


def test_hevc_when_asked_for(tmp_path: Path) -> None:
    sink = open_sink(file_output(tmp_path / "out.mp4", codec="hevc", encoder="libx265"), INFO, name="a/1")
    for number in range(10):
        sink.write(guarded(number, pts_s=number / 25))
    sink.close()
    assert pass_through(tmp_path / "out.mp4", tmp_path / "again.mp4").codec == "hevc"
    assert read_clip(tmp_path / "again.mp4")[0] == list(range(10))


def test_one_slice_per_frame_in_the_bitstream(tmp_path: Path) -> None:
    size_wh = (640, 640)
    sink = open_sink(file_output(tmp_path / "out.ts"), replace(INFO, size_wh=size_wh), name="a/1")
    for number in range(10):
        sink.write(guarded(number, pts_s=number / 25, size_wh=size_wh))
    sink.close()
    with av.open(str(tmp_path / "out.ts")) as box:
        slices = [sum(unit[0] & 0x1F in (1, 5) for unit in nal_units(bytes(packet)))
                  for packet in box.demux(video=0) if packet.size]
    assert slices == [1] * 10


def test_key_frames_come_by_time_even_at_odd_rates(tmp_path: Path) -> None:
    sink = open_sink(file_output(tmp_path / "out.mkv", gop_s=1.0), replace(INFO, fps=None), name="a/1")
    for number in range(30):
        sink.write(guarded(number, pts_s=number / 7))
    sink.close()
    with av.open(str(tmp_path / "out.mkv")) as box:
        keys = [float(p.pts * p.time_base) for p in box.demux(video=0) if p.size and p.is_keyframe]
    assert max(np.diff(keys)) <= 1.0 + 1 / 7


def test_another_size_is_letterboxed_into_a_file(tmp_path: Path) -> None:
    sink = open_sink(file_output(tmp_path / "out.mp4"), INFO, name="a/1")
    for number, size_wh in enumerate([SIZE_WH, SIZE_WH, (320, 240), (80, 120), SIZE_WH]):
        sink.write(guarded(number, pts_s=number / 25, size_wh=size_wh))
    sink.close()
    numbers, _ = read_clip(tmp_path / "out.mp4")
    assert len(numbers) == 5
    assert numbers[:3] == [0, 1, 2]
    assert numbers[4] == 4


def test_another_format_goes_on(tmp_path: Path) -> None:
    sink = open_sink(file_output(tmp_path / "out.mp4"), INFO, name="a/1")
    for number, pixel_format in enumerate([PixelFormat.I420, PixelFormat.NV12, PixelFormat.BGR24, PixelFormat.I420]):
        sink.write(guarded(number, pts_s=number / 25, pixel_format=pixel_format))
    sink.close()
    assert read_clip(tmp_path / "out.mp4")[0] == [0, 1, 2, 3]


def test_segments_are_cut_named_and_whole(tmp_path: Path) -> None:
    output = Output(OutputKind.SEGMENTS, str(tmp_path / "seg"), preset="ultrafast", segment_s=1.0, gop_s=5.0)
    sink = open_sink(output, INFO, name="a/1")
    for number in range(60):
        size_wh = SIZE_WH if number < 55 else (320, 240)
        sink.write(guarded(number, pts_s=number / 25, wall_time_s=1.7e9 + number / 25, size_wh=size_wh))
        open_parts = list((tmp_path / "seg").glob("*.part.mkv"))
        assert len(open_parts) == 1
    sink.close()
    files = sorted((tmp_path / "seg").iterdir())
    assert [file.name for file in files] == ["20231114T221320.000Z.mkv", "20231114T221321.000Z.mkv",
                                             "20231114T221322.000Z.mkv", "20231114T221322.200Z.mkv"]
    assert [number for file in files for number in read_clip(file)[0]] == list(range(60))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_audio_passes_only_on_request(tmp_path: Path, suffix: str) -> None:
    clip = write_clip(tmp_path / "in.mp4", frames=25, audio=True)
    pass_through(clip, tmp_path / f"mute{suffix}")
    info = pass_through(clip, tmp_path / f"loud{suffix}", audio=Audio.PASS)
    assert info.audio is not None
    assert (info.audio.codec, info.audio.sample_rate_hz) == ("aac", 48000)
    with av.open(str(tmp_path / f"mute{suffix}")) as mute, av.open(str(tmp_path / f"loud{suffix}")) as loud:
        assert not mute.streams.audio
        heard = [float(frame.pts * frame.time_base) for frame in loud.decode(audio=0)]
    assert len(heard) >= 40
    assert 0.85 < heard[-1] - heard[0] < 1.1


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_a_file_without_frames_closes(tmp_path: Path, suffix: str) -> None:
    sink = open_sink(file_output(tmp_path / f"out{suffix}"), INFO, name="a/1")
    sink.close()
    assert sink.frames == 0
    with pytest.raises(MediaError, match="closed"):
        sink.write(guarded(0, pts_s=0.0))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_what_a_crash_leaves_plays(tmp_path: Path, suffix: str) -> None:
    script = textwrap.dedent(f"""
        import os, signal
        from tests.media.test_files import *
        sink = open_sink(file_output(Path({str(tmp_path / ('out' + suffix))!r}), gop_s=1.0), INFO, name="a/1")
        for number in range(150):
            sink.write(guarded(number, pts_s=number / 25))
        os.kill(os.getpid(), signal.SIGKILL)
        """)
    ended = subprocess.run([sys.executable, "-c", script], cwd=needs.CHECKOUT, check=False, timeout=60)
    assert ended.returncode == -9
    numbers, _ = read_clip(tmp_path / f"out{suffix}")
    assert len(numbers) >= 75
    assert numbers == list(range(len(numbers)))


def test_sinks_refuse_all_but_guarded_frames(tmp_path: Path) -> None:
    clear = Frame("1", 0, 0.0, 0.0, PixelFormat.I420, SIZE_WH, guarded(1, pts_s=0.0).planes)
    outputs = [file_output(tmp_path / "a.mp4"),
               Output(OutputKind.SEGMENTS, str(tmp_path / "s")), Output(OutputKind.RTSP_PUBLISH, "rtsp://127.0.0.1:1/a")]
    for output in outputs:
        sink = open_sink(output, INFO, name="a/1")
        for wrong in (clear, None, "frame", clear.planes):
            with pytest.raises(GuardError, match="guarded frames only"):
                sink.write(wrong)  # type: ignore[arg-type]
        sink.close()


@pytest.mark.parametrize(("target", "word"), [("/proc/none/out.mp4", "/proc/none/out.mp4"), ("out.xyz", "out.xyz")])
def test_unwritable_targets_are_named(target: str, word: str) -> None:
    with pytest.raises(MediaError) as caught:
        open_sink(file_output(Path(target)), INFO, name="a/1")
    assert word in str(caught.value)
    assert caught.value.problems[0].cure
    assert caught.value.problems[0].path == "output.target"


def test_an_encoder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="h264_nonsense") as caught:
        open_sink(file_output(tmp_path / "a.mp4", encoder="h264_nonsense"), INFO, name="a/1")
    assert caught.value.problems[0].path == "output.encoder"
    assert open_sink(file_output(tmp_path / "b.mp4"), INFO, name="a/1").encoder.startswith(("libx264", "h264_"))


def test_colour_description_reaches_the_stream(tmp_path: Path) -> None:
    info = replace(INFO, colour=Colour(full_range=True, matrix=1, primaries=1, transfer=1))
    sink = open_sink(file_output(tmp_path / "a.mp4"), info, name="a/1")
    sink.write(guarded(1, pts_s=0.0))
    sink.close()
    with av.open(str(tmp_path / "a.mp4")) as box:
        picture = next(box.decode(video=0))
    assert (picture.color_range, picture.colorspace, picture.color_primaries, picture.color_trc) == (2, 1, 1, 1)
