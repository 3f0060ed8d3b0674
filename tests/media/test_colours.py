"""Pixel formats, palettes and matrices: what comes out looks as what went in, and says so in its tags."""

from __future__ import annotations

import subprocess
from pathlib import Path

import av
import numpy as np
import pytest

from aipg_plugin.options import Audio
from tests import needs
from tests.media.test_tracks import through

# Four fields whose colours differ in every channel, with grey ramps between them.
FIELDS = "smptebars=s=160x120:r=10:d=0.5"


def made(path: Path, *options: str) -> Path:
    """A clip encoded by ffmpeg with these options."""
    subprocess.run([needs.need("ffmpeg"), "-v", "error", "-f", "lavfi", "-i", FIELDS, *options, f"file:{path}"],
                   check=True)
    return path


def rgb_of(path: Path) -> np.ndarray:
    """The third picture as ffmpeg shows it, the mean of each 8 x 8 block (palettes are dithered)."""
    raw = subprocess.run([needs.need("ffmpeg"), "-v", "error", "-i", f"file:{path}", "-vf", "select=eq(n\\,2)",
                          "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True,
                         check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(15, 8, 20, 8, 3).mean(axis=(1, 3))


@pytest.mark.parametrize(("suffix", "codec", "pix_fmt", "matrix"), [
    (".mov", "png", "pal8", 6), (".mov", "png", "ya8", 6), (".mov", "png", "monob", 6), (".mov", "png", "gray", 6),
    (".mov", "png", "rgb24", 6), (".mkv", "ffv1", "gbrp10le", 6), (".mkv", "ffv1", "gray16le", 2),
    (".mkv", "ffv1", "yuv410p", 2), (".mkv", "ffv1", "yuv422p10le", 2), (".gif", "gif", "rgb8", 6),
    (".avi", "rawvideo", "yuyv422", 2)])
def test_colours_and_tags(tmp_path: Path, suffix: str, codec: str, pix_fmt: str, matrix: int) -> None:
    clip = made(tmp_path / f"in{suffix}", "-pix_fmt", pix_fmt, "-c:v", codec)
    through(clip, tmp_path / "out.mp4", Audio.DROP)
    assert np.abs(rgb_of(clip) - rgb_of(tmp_path / "out.mp4")).mean() < 4
    with av.open(str(tmp_path / "out.mp4")) as box:
        assert int(next(box.decode(video=0)).colorspace) == matrix


@pytest.mark.parametrize("matrix", ["bt709", "smpte170m", "bt2020nc", "ycgco", "fcc", "smpte240m"])
def test_a_yuv_matrix_is_kept(tmp_path: Path, matrix: str) -> None:
    clip = made(tmp_path / "in.mkv", "-pix_fmt", "yuv444p", "-c:v", "libx264", "-colorspace", matrix)
    through(clip, tmp_path / "out.mp4", Audio.DROP)
    with av.open(str(clip)) as before, av.open(str(tmp_path / "out.mp4")) as after:
        first, ours = next(before.decode(video=0)), next(after.decode(video=0))
    assert int(first.colorspace) == int(ours.colorspace) != 2
    luma = [np.frombuffer(memoryview(f.planes[0]), np.uint8).reshape(-1, f.planes[0].line_size)[:, :160].astype(int)
            for f in (first, ours)]
    assert np.abs(luma[0] - luma[1]).mean() < 3


def test_frames_out_of_order_in_avi_keep_their_times_both_ways(tmp_path: Path) -> None:
    clip = made(tmp_path / "in.avi", "-c:v", "libx264", "-bf", "3", "-pix_fmt", "yuv420p")
    through(clip, tmp_path / "out.mp4", Audio.DROP)
    with av.open(str(tmp_path / "out.mp4")) as box:
        times = [float(picture.pts * picture.time_base) for picture in box.decode(video=0)]
    np.testing.assert_allclose(times, np.arange(5) / 10, atol=1e-3)


def test_an_avi_is_written_without_frames_out_of_order(tmp_path: Path) -> None:
    through(made(tmp_path / "in.mkv", "-c:v", "libx264", "-pix_fmt", "yuv420p"), tmp_path / "out.avi", Audio.DROP,
            preset="medium")
    with av.open(str(tmp_path / "out.avi")) as box:
        assert not box.streams.video[0].codec_context.has_b_frames
        assert sum(1 for _ in box.decode(video=0)) == 5
