"""Planes of any picture: views where they can be, one conversion where not; every pixel in its place."""

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.frames import GuardedFrame, PixelFormat, Planes, _mint_guarded, plane_shapes
from aipg_plugin.guard.ring import BufferPool
from aipg_plugin.media.pictures import colour_of, even, letterboxed, planes_of, to_picture
from aipg_plugin.states import State
from tests.media.clips import guarded, number_of, numbered, picture_of

SIDES = st.integers(2, 70)


@given(SIDES, SIDES, st.sampled_from([PixelFormat.I420, PixelFormat.NV12]), st.randoms())
def test_what_goes_out_comes_back_whole(w: int, h: int, pixel_format: PixelFormat, random: object) -> None:
    rng = np.random.default_rng(random.getrandbits(32))  # type: ignore[attr-defined]
    planes = tuple(rng.integers(0, 256, shape, np.uint8) for shape in plane_shapes(pixel_format, (w, h)))
    frame = _mint_guarded(stream="1", seq=0, pts_s=0.0, wall_time_s=0.0, format=pixel_format, size_wh=(w, h),
                          planes=planes, state=State.GUARDING, reason="")
    picture = to_picture(frame)
    assert (picture.width, picture.height) == even((w, h))
    back_format, back = planes_of(picture)
    assert back_format is pixel_format
    for plane, returned in zip(planes, back, strict=True):
        np.testing.assert_array_equal(returned[:plane.shape[0], :plane.shape[1]], plane)
        assert not returned.flags.writeable
    luma = back[0]
    np.testing.assert_array_equal(luma[:, -1][:h], planes[0][:, -1])
    np.testing.assert_array_equal(luma[-1, :w], planes[0][-1])


def test_a_guarded_frame_is_encoded_where_it_lies_and_its_memory_is_held_meanwhile() -> None:
    pool = BufferPool(PixelFormat.I420, (64, 48))
    picture = to_picture(_minted((64, 48), pool.copy(_planes(7))))
    other = pool.copy(_planes(9))
    assert all((plane == 7).all() for plane in planes_of(picture)[1])
    at = _memory_of(picture)
    assert at != other[0].ctypes.data
    del picture
    assert pool.copy(_planes(8))[0].ctypes.data == at


def _planes(value: int) -> Planes:
    return tuple(np.full(shape, value, np.uint8) for shape in plane_shapes(PixelFormat.I420, (64, 48)))


def _minted(size_wh: tuple[int, int], planes: Planes) -> GuardedFrame:
    return _mint_guarded(stream="1", seq=0, pts_s=0.0, wall_time_s=0.0, format=PixelFormat.I420, size_wh=size_wh,
                         planes=planes, state=State.GUARDING, reason="")


def _memory_of(picture: av.VideoFrame) -> int:
    """Where a picture's luma lies."""
    return np.frombuffer(memoryview(picture.planes[0]), np.uint8).ctypes.data


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuvj420p", "nv12"])
def test_native_planes_are_views(pixel_format: str) -> None:
    picture = av.VideoFrame(66, 34, pixel_format)
    _, planes = planes_of(picture)
    memory = np.frombuffer(memoryview(picture.planes[0]), np.uint8)
    assert np.shares_memory(planes[0], memory)
    assert all(plane.base is not None for plane in planes)


@pytest.mark.parametrize("size_wh", [(64, 48), (65, 49)])
@pytest.mark.parametrize("pixel_format", ["gray", "yuv422p", "yuvj422p", "yuv444p", "yuv420p10le", "yuv422p10le"])
def test_other_formats_keep_their_luma(pixel_format: str, size_wh: tuple[int, int]) -> None:
    luma = numbered(0b10110101, size_wh)
    picture = picture_of(luma, pixel_format)
    got, planes = planes_of(picture)
    assert got is PixelFormat.I420
    assert tuple(plane.shape for plane in planes) == plane_shapes(PixelFormat.I420, size_wh)
    assert np.abs(planes[0].astype(int) - luma).max() <= 1
    assert all(np.abs(plane.astype(int) - 128).max() <= 1 for plane in planes[1:])


def test_rgb_becomes_limited_range() -> None:
    white = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 255, np.uint8), format="rgb24")
    _, planes = planes_of(white)
    assert abs(int(planes[0].min()) - 235) <= 1
    assert not colour_of(white).full_range


def test_full_range_is_remembered_and_untouched() -> None:
    picture = av.VideoFrame(32, 32, "yuvj420p")
    np.frombuffer(memoryview(picture.planes[0]), np.uint8).reshape(32, -1)[:] = 255
    assert colour_of(picture).full_range
    assert planes_of(picture)[1][0].min() == 255


def test_letterbox_keeps_the_whole_picture() -> None:
    picture = letterboxed(to_picture(guarded(77, pts_s=0.0, size_wh=(160, 120))), (320, 120))
    luma = planes_of(picture)[1][0]
    assert luma.shape == (120, 320)
    assert (luma[:, :76] == 16).all()
    assert (luma[:, 244:] == 16).all()
    assert number_of(luma[:, 80:240]) == 77
