"""What of a picture is masked, asked for everywhere and where it matters alone."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.guard.cover import masked_share
from aipg_plugin.masking.plan import FigureRegion
from tests.strategies import numbers

CORNERS = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], np.float32)


@given(st.lists(st.tuples(numbers(-80, 420), numbers(-80, 320), numbers(1, 60), numbers(0, 30)), max_size=5),
       st.lists(st.tuples(st.integers(0, 59), st.integers(0, 79)), max_size=6))
def test_where_it_is_asked_for_it_is_as_everywhere(boxes: list[tuple[float, ...]],
                                                   asked: list[tuple[int, int]]) -> None:
    regions = [FigureRegion(key, (CORNERS * size + (x, y),), margin, 16)
               for key, (x, y, size, margin) in enumerate(boxes)]
    there = np.zeros((60, 80), bool)
    for row, column in asked:
        there[row, column] = True
    whole = masked_share(regions, (60, 80), (320, 240))
    some = masked_share(regions, (60, 80), (320, 240), there)
    np.testing.assert_array_equal(some[there], whole[there])


def test_what_is_not_finite_is_left_out() -> None:
    region = FigureRegion(1, (np.full((3, 2), np.nan, np.float32),), 1.0, 16)
    assert not masked_share([region], (60, 80), (320, 240), np.ones((60, 80), bool)).any()
