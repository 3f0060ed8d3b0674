"""Mounts: gravity and the floor."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.errors import GeometryError
from aipg_plugin.geometry import Mount
from tests.strategies import mounts, numbers


@given(mounts(), st.lists(st.tuples(numbers(-20, 20), numbers(-20, 20)), max_size=20))
def test_floor_places_come_back(mount: Mount, places: list[tuple[float, float]]) -> None:
    points = np.array([(*p, 0.0) for p in places]).reshape(-1, 3)
    rays = mount.rays_to(points)
    np.testing.assert_allclose(np.linalg.norm(rays, axis=1), 1)
    np.testing.assert_allclose(mount.floor_xy_m(rays), points[:, :2], atol=1e-6)


def test_up_and_the_axes_of_the_floor() -> None:
    np.testing.assert_array_equal(Mount("ceiling", 3).up, (0, 0, -1))
    np.testing.assert_array_equal(Mount("wall", 3).up, (0, -1, 0))
    # Right of the picture is x; its top (ceiling), or the way the camera looks (wall), is y.
    np.testing.assert_allclose(Mount("ceiling", 3).rays_to([[3, 0, 0], [0, 3, 0]]) * np.sqrt(2),
                               [[1, 0, 1], [0, -1, 1]], atol=1e-12)
    np.testing.assert_allclose(Mount("wall", 3).rays_to([[3, 0, 3], [0, 3, 0]]) * [[1], [np.sqrt(2)]],
                               [[1, 0, 0], [0, 1, 1]], atol=1e-12)


def test_rays_that_never_reach_the_floor() -> None:
    mount = Mount("wall", 2.5)
    assert np.isnan(mount.floor_xy_m([[0, 0, 1.0], [0, -0.5, 0.5], [np.nan] * 3])).all()
    assert mount.floor_xy_m([]).shape == (0, 2)
    assert np.isnan(mount.rays_to([[0, 0, 2.5]])).all()


@pytest.mark.parametrize("height", [0, -1, float("nan"), float("inf")])
def test_impossible_heights_are_refused(height: float) -> None:
    with pytest.raises(GeometryError):
        Mount("ceiling", height)
