"""Time and waiting."""

import gc
from collections import deque
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.frames import Frame, PixelFormat
from aipg_plugin.guard.clock import FileClock, LiveClock
from aipg_plugin.guard.ring import BufferPool
from tests.guard.scenes import frame


@given(st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=2, max_size=30))
def test_time_always_grows_whatever_the_timestamps(stamps: list[float]) -> None:
    clock = FileClock()
    times = [clock.tick(frame(0, size_wh=(8, 8), pts_s=pts_s)).t_s for pts_s in stamps]
    assert all(later > earlier for earlier, later in pairwise(times))


def test_jumps_are_told_and_steady_time_is_not() -> None:
    clock = FileClock()
    told = [clock.tick(frame(0, size_wh=(8, 8), pts_s=pts_s)).jumped for pts_s in (0, 0.1, 0.2, 0.2, 50, 50.1, 3, 3.1)]
    assert told == [False, False, False, False, True, False, True, False]


def test_buffers_are_used_again_only_when_nobody_holds_them() -> None:
    pool = BufferPool(PixelFormat.I420, (16, 16))
    source = frame(0, size_wh=(16, 16)).planes
    held = pool.copy(source)
    address = held[0].__array_interface__["data"][0]
    other = pool.copy(source)
    assert other[0].__array_interface__["data"][0] != address
    assert not np.shares_memory(held[0], other[0])
    del held
    gc.collect()
    assert pool.copy(source)[0].__array_interface__["data"][0] == address


def test_buffers_that_a_delay_took_are_let_go_after_it_and_those_in_use_are_kept() -> None:
    pool = BufferPool(PixelFormat.I420, (16, 16))
    one = frame(0, size_wh=(16, 16)).planes
    waiting = deque(pool.copy(one) for _ in range(40))
    assert len(pool) == 40
    kept = waiting.popleft()
    while len(waiting) > 5:
        waiting.popleft()
    for number in range(300):
        waiting.popleft()
        waiting.append(pool.copy(tuple(np.full_like(plane, number % 256) for plane in one)))
    assert len(pool) <= 7
    assert [int(planes[0][0, 0]) for planes in waiting] == [number % 256 for number in range(295, 300)]
    assert all(np.array_equal(mine, plane) for mine, plane in zip(kept, one, strict=True))


def test_a_pool_that_was_too_small_for_a_while_keeps_its_buffers() -> None:
    pool = BufferPool(PixelFormat.I420, (16, 16), keep=10)
    one = frame(0, size_wh=(16, 16)).planes
    for _ in range(40):
        waiting = [pool.copy(one) for _ in range(12)]
        assert len(pool) == 10
        assert len({planes[0].ctypes.data for planes in waiting}) == 12


def test_live_time_does_not_drift_from_arrival() -> None:
    """Arrival times that jitter, now and then backwards, must not add up: two streams would drift apart."""
    jitter = np.random.default_rng(3).uniform(-0.009, 0.009, 3000)
    clock = LiveClock()
    for index, off_s in enumerate(jitter):
        stamp_s = 1000 + index / 60 + off_s
        tick = clock.tick(frame(0, size_wh=(8, 8), wall_time_s=stamp_s))
        assert not tick.jumped
        assert abs(tick.t_s - stamp_s) < 0.05


def test_streams_of_a_camera_stay_together_when_the_clock_is_put_back() -> None:
    """Stream 2 stood still while the clock was put back; a third one starts afterwards."""
    one, two, three = (LiveClock() for _ in range(3))

    def at(wall_s: float) -> Frame:
        return frame(0, size_wh=(8, 8), wall_time_s=wall_s)

    two.tick(at(1000.0))
    newest_s = one.tick(at(1010.0)).t_s
    newest_s = one.tick(at(510.0)).t_s
    assert newest_s > 1010
    for late in (two, three):
        assert abs(late.tick(at(510.02), newest_s).t_s - newest_s) < 0.1
        assert abs(late.tick(at(512.0), newest_s).t_s - one.tick(at(512.0)).t_s) < 0.1


@given(st.lists(st.one_of(st.none(), st.floats()), min_size=2, max_size=30))
def test_timestamps_that_are_no_numbers_do_not_stop_time(stamps: list[float | None]) -> None:
    clock = FileClock()
    one = frame(0, size_wh=(8, 8))
    times = [clock.tick(replace(one, pts_s=pts_s)).t_s for pts_s in stamps]
    assert all(np.isfinite(times))
    assert np.isfinite(clock.tick(replace(one, pts_s=float("nan"))).t_s)


@pytest.mark.parametrize("pixel_format", list(PixelFormat))
def test_a_piece_of_a_picture_still_shown_keeps_its_buffer(pixel_format: PixelFormat) -> None:
    pool = BufferPool(pixel_format, (16, 16))
    source = frame(0, size_wh=(16, 16), pixel_format=pixel_format).planes
    for piece_of in (lambda planes: planes[0], lambda planes: planes[-1][2:4, :3],
                     lambda planes: memoryview(planes[0])):
        piece = piece_of(pool.copy(source))
        before = bytes(piece)
        for _ in range(3):
            other = pool.copy(tuple(np.zeros_like(plane) for plane in source))
            assert not np.shares_memory(np.asarray(piece), other[0])
        assert bytes(piece) == before
