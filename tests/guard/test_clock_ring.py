"""Time and waiting."""

import gc
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.frames import PixelFormat
from aipg_plugin.guard.clock import FrameClock
from aipg_plugin.guard.ring import BufferPool
from tests.guard.scenes import frame


@given(st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=2, max_size=30))
def test_time_always_grows_whatever_the_timestamps(stamps: list[float]) -> None:
    clock = FrameClock(live=False)
    times = [clock.tick(frame(0, size_wh=(8, 8), pts_s=pts_s)).t_s for pts_s in stamps]
    assert all(later > earlier for earlier, later in pairwise(times))


def test_jumps_are_told_and_steady_time_is_not() -> None:
    clock = FrameClock(live=False)
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
