"""Scaling down by halves and blocks gives the mean of what lies under each pixel."""

import numpy as np
import pytest

from aipg_plugin.frames import shrunk


@pytest.mark.parametrize("size_wh", [(960, 960), (960, 480), (1280, 960), (330, 270)])
@pytest.mark.parametrize("factor", [2, 3, 4, 6, 12])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_each_pixel_is_the_mean_of_those_under_it(size_wh: tuple[int, int], factor: int,
                                                  channels: tuple[int, ...]) -> None:
    to_wh = size_wh[0] // factor, size_wh[1] // factor
    w, h = to_wh[0] * factor, to_wh[1] * factor
    picture = np.random.default_rng(1).integers(0, 256, (h, w, *channels), np.uint8)
    mean = picture.reshape(to_wh[1], factor, to_wh[0], factor, *channels).mean(axis=(1, 3))
    assert np.abs(shrunk(picture, to_wh) - mean).max() <= 1.6  # rounded at most three times
