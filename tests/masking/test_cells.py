"""Cell sizes: the ladder, the intensities, steadiness."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.masking.cells import LADDER_PX, SHRINK_AFTER_S, SteadyCells, cell_px_for, full_mosaic_cell_px, snap_up
from aipg_plugin.options import BlurIntensity


def test_sizes_hold_whole_chroma_samples() -> None:
    assert all(size % 2 == 0 and size >= 8 for size in LADDER_PX)
    assert list(LADDER_PX) == sorted(LADDER_PX)


@given(st.sampled_from(list(BlurIntensity)), st.floats(0, 1000))
def test_cells_are_never_finer_than_the_intensity_says(intensity: BlurIntensity, ppm: float) -> None:
    per_metre = {"low": 8, "middle": 5, "high": 3}[intensity]
    cell = cell_px_for(intensity, ppm)
    assert cell in LADDER_PX
    assert cell >= ppm / per_metre


def test_a_head_at_200_px_a_metre() -> None:
    assert [cell_px_for(intensity, 200.0) for intensity in BlurIntensity] == [32, 48, 96]


@pytest.mark.parametrize("doubtful", [math.nan, math.inf, -math.inf, 1e9])
def test_a_doubtful_size_is_the_largest(doubtful: float) -> None:
    assert snap_up(doubtful) == LADDER_PX[-1]


def test_the_full_mosaic_is_coarse_and_never_finer_than_the_setting() -> None:
    assert full_mosaic_cell_px((1920, 1920), 24) == 96
    assert full_mosaic_cell_px((640, 480), 8) == 32
    assert full_mosaic_cell_px((640, 480), 128) == 128


def test_cells_grow_at_once_and_shrink_late() -> None:
    steady = SteadyCells()
    assert steady.update({1: 24}, 0.0) == {1: 24}
    assert steady.update({1: 32}, 0.1) == {1: 32}
    assert steady.update({1: 24}, 0.2) == {1: 32}
    assert steady.update({1: 24}, 0.1 + SHRINK_AFTER_S) == {1: 24}


def test_forgotten_tracks_start_anew() -> None:
    steady = SteadyCells()
    steady.update({1: 96}, 0.0)
    steady.update({}, 0.1)
    assert steady.update({1: 8}, 0.2) == {1: 8}
