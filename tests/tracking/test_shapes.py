"""Outlines put together."""

from dataclasses import replace

import numpy as np
import pytest

from aipg_plugin.geometry import Figure
from aipg_plugin.tracking.shapes import joined, united
from tests.tracking.walkers import OVAL, covered, painted

BOX = np.array([400.0, 400.0, 60.0, 120.0, 15.0])


@pytest.mark.parametrize("step_px", [(0, 0), (25, 10), (140, 60), (0, 300)])
def test_a_union_covers_both_and_little_else(step_px: tuple[int, int]) -> None:
    other = BOX + np.array([*step_px, 0, 0, 0])
    figure = Figure(1, BOX, united(BOX, OVAL, other, OVAL), np.full(3, np.nan), 1.0, 0.0)
    apart = tuple(replace(figure, box=box, outline=OVAL) for box in (BOX, other))
    mask, wanted = painted((figure,)), painted(apart)
    assert covered((figure,), BOX) > 0.99
    assert covered((figure,), other) > 0.99
    assert (mask & ~wanted).sum() < 0.13 * wanted.sum()
    hull = replace(figure, outline=joined(BOX, OVAL, other, OVAL))
    assert (painted((hull,)) & ~painted((figure,))).sum() > 0 or step_px == (0, 0)
