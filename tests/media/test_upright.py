"""What leaves a source is what a player shows: upright, square pixels, for every display matrix and pixel aspect."""

from __future__ import annotations

import itertools
import struct
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.frames import Frame, PixelFormat, plane_shapes
from aipg_plugin.media.sink import open_sink
from aipg_plugin.media.source import open_source
from aipg_plugin.media.upright import Orientation, Shape
from aipg_plugin.options import Output, OutputKind, Source
from tests import needs
from tests.media.clips import as_guarded

ONE = 1 << 16
# All eight ways a picture can lie: (a, b, c, d) of the display matrix.
MATRICES = [(s, 0, 0, t) for s, t in itertools.product((ONE, -ONE), repeat=2)] + \
           [(0, s, t, 0) for s, t in itertools.product((ONE, -ONE), repeat=2)]
CORNERS = np.array([[40, 90], [150, 220]], np.uint8)  # luma of the four quarters: no two alike


def quarters(size_wh: tuple[int, int]) -> np.ndarray:
    w, h = size_wh
    return np.kron(CORNERS, np.ones((h // 2, w // 2), np.uint8))


def four_lumas(luma: np.ndarray) -> np.ndarray:
    """Mean luma of the four quarters, without their borders."""
    h, w = (side // 2 for side in luma.shape)
    return np.array([[luma[y * h + h // 4:y * h + 3 * h // 4, x * w + w // 4:x * w + 3 * w // 4].mean()
                      for x in (0, 1)] for y in (0, 1)])


def write(path: Path, *, size_wh: tuple[int, int] = (96, 64), matrix: tuple[int, ...] | None = None,
          aspect: Fraction | None = None, frames: int = 3, codec: str = "libx264") -> Path:
    with av.open(str(path), "w") as box:
        video: Any = box.add_stream(codec, rate=10)
        video.width, video.height = size_wh
        video.pix_fmt = "yuv420p"
        if aspect:
            video.codec_context.sample_aspect_ratio = aspect
        if matrix:
            a, b, c, d = matrix
            video.set_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30])
        for number in range(frames):
            picture = av.VideoFrame(*size_wh, "yuv420p")
            for index, plane in enumerate(picture.planes):
                rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
                rows[:, :plane.width] = 128 if index else quarters(size_wh)
            picture.pts, picture.time_base = number, Fraction(1, 10)
            box.mux(video.encode(picture))
        box.mux(video.encode(None))
    return path


def frames_of(path: Path) -> list[Frame]:
    with open_source(Source(str(path)), "1") as source:
        seen = [item for item in source if isinstance(item, Frame)]
        assert {frame.size_wh for frame in seen} == {source.info.size_wh}
    return seen


def redone(source: Path, target: Path) -> Path:
    """The file passed through source and sink, nothing masked."""
    with open_source(Source(str(source)), "1") as frames:
        sink = open_sink(Output(OutputKind.FILE, str(target), preset="ultrafast", crf=5), frames.info, name="a/1")
        for frame in frames:
            assert isinstance(frame, Frame)
            sink.write(as_guarded(frame))
        sink.close()
    return target


def as_played(path: Path) -> np.ndarray:
    """First picture as ffmpeg shows it: turned, and with square pixels."""
    out = subprocess.run([needs.need("ffmpeg"), "-v", "error", "-i", str(path), "-frames:v", "1",
                          "-vf", "scale=trunc(iw*sar/2+0.5)*2:ih,setsar=1", "-f", "image2pipe", "-c:v", "pgm", "-"],
                         capture_output=True, check=True).stdout
    _, size, _, pixels = out.split(b"\n", 3)
    w, h = map(int, size.split())
    full = np.frombuffer(pixels, np.uint8).reshape(h, w)  # PGM is full range
    return np.asarray(np.round(full * (219 / 255) + 16))


@pytest.mark.parametrize("matrix", MATRICES)
def test_a_turned_or_mirrored_video_comes_as_players_show_it_and_leaves_without_a_note(
        tmp_path: Path, matrix: tuple[int, ...]) -> None:
    clip = write(tmp_path / "in.mp4", matrix=matrix)
    shown = as_played(clip)
    for frame in frames_of(clip):
        assert frame.planes[0].shape == shown.shape
        np.testing.assert_allclose(four_lumas(frame.planes[0]), four_lumas(shown), atol=4)
    out = redone(clip, tmp_path / "out.mp4")
    np.testing.assert_allclose(four_lumas(as_played(out)), four_lumas(shown), atol=6)
    with av.open(str(out)) as box:
        picture = next(box.decode(video=0))
        assert picture.rotation == 0
        assert (picture.width, picture.height) == shown.shape[::-1]
        np.testing.assert_allclose(four_lumas(picture.to_ndarray()[:picture.height]), four_lumas(shown), atol=6)


@pytest.mark.parametrize(("size_wh", "aspect", "shown_wh"), [
    ((96, 64), Fraction(2), (192, 64)), ((96, 64), Fraction(1, 2), (96, 128)),
    ((704, 576), Fraction(12, 11), (768, 576)), ((720, 480), Fraction(8, 9), (720, 540)),
    ((96, 64), None, (96, 64)), ((96, 64), Fraction(1, 255), (96, 64)),
    ((96, 64), Fraction(999, 1000), (96, 64))])
@pytest.mark.parametrize("suffix", [".mp4", ".ts", ".mkv"])
def test_pixels_become_square(tmp_path: Path, size_wh: tuple[int, int], aspect: Fraction | None,
                              shown_wh: tuple[int, int], suffix: str) -> None:
    clip = write(tmp_path / f"in{suffix}", size_wh=size_wh, aspect=aspect, frames=2)
    frames = frames_of(clip)
    assert frames[0].size_wh == shown_wh
    np.testing.assert_allclose(four_lumas(frames[0].planes[0]), CORNERS, atol=6)
    with av.open(str(redone(clip, tmp_path / "out.mp4"))) as box:
        track = box.streams.video[0]
        assert (track.width, track.height) == size_wh, "as large as the source"
        assert (track.sample_aspect_ratio or 1) == (aspect if shown_wh != size_wh else 1)
        picture = next(box.decode(track)).to_ndarray(format="gray")
        np.testing.assert_allclose(four_lumas(picture), four_lumas(decoded(clip)), atol=6)


def decoded(clip: Path) -> np.ndarray:
    with av.open(str(clip)) as box:
        return next(box.decode(video=0)).to_ndarray(format="gray")


def test_pixels_are_squared_before_the_picture_is_turned(tmp_path: Path) -> None:
    clip = write(tmp_path / "in.mp4", aspect=Fraction(2), matrix=(0, ONE, -ONE, 0))
    frame = frames_of(clip)[0]
    assert frame.size_wh == (64, 192)
    np.testing.assert_allclose(four_lumas(frame.planes[0]), four_lumas(as_played(clip)), atol=6)
    with av.open(str(redone(clip, tmp_path / "out.mp4"))) as box:
        track = box.streams.video[0]
        assert (track.width, track.height, track.sample_aspect_ratio) == (64, 96, Fraction(1, 2))


def test_an_aspect_that_changes_within_a_stream_is_followed(tmp_path: Path) -> None:
    parts = [write(tmp_path / f"{n}.ts", aspect=aspect, frames=8).read_bytes()
             for n, aspect in enumerate((Fraction(1), Fraction(2)))]
    (tmp_path / "both.ts").write_bytes(b"".join(parts))
    with open_source(Source(str(tmp_path / "both.ts")), "1") as source:
        sizes = [item.size_wh for item in source if isinstance(item, Frame)]
    assert sizes[0] == (96, 64)
    assert sizes[-1] == (192, 64)


@given(st.sampled_from(MATRICES), st.sampled_from(list(PixelFormat)), st.integers(1, 9), st.integers(1, 9))
def test_turning_moves_every_pixel_where_the_matrix_says(matrix: tuple[int, ...], pixel_format: PixelFormat, w: int,
                                                         h: int) -> None:
    a, b, c, d = (value // ONE for value in matrix)
    shape = Shape.of(None, struct.pack("=9i", *(v * ONE for v in (a, b, 0, c, d, 0, 0, 0)), 1 << 30))
    planes = tuple(np.arange(np.prod(s), dtype=np.uint8).reshape(s) for s in plane_shapes(pixel_format, (w, h)))
    shown = shape.shown(pixel_format, (w, h), planes)
    assert tuple(p.shape for p in shown) == plane_shapes(pixel_format, shape.shown_wh((w, h)))
    for old, new in zip(planes, shown, strict=True):
        rows, columns = old.shape[:2]
        assert new is old or not new.flags.writeable
        for y, x in itertools.product(range(rows), range(columns)):
            to_x, to_y = a * x + c * y, b * x + d * y
            to_x += (columns - 1) * (a < 0) + (rows - 1) * (c < 0)
            to_y += (columns - 1) * (b < 0) + (rows - 1) * (d < 0)
            assert np.array_equal(new[to_y, to_x], old[y, x])


@pytest.mark.parametrize(("degrees", "turned"), [
    (0, Orientation()), (3, Orientation()), (88, Orientation(True, True)), (180, Orientation(False, True, True)),
    (-91, Orientation(True, False, True))])
def test_odd_angles_go_to_the_next_quarter(degrees: float, turned: Orientation) -> None:
    cos, sin = (round(f(np.radians(degrees)) * ONE) for f in (np.cos, np.sin))
    assert Orientation.of_matrix(struct.pack("=9i", cos, sin, 0, -sin, cos, 0, 0, 0, 1 << 30)) == turned


@pytest.mark.parametrize("matrix", [None, b"", bytes(36), b"short"])
def test_no_matrix_is_upright(matrix: bytes | None) -> None:
    assert Shape.of(None, matrix).plain
