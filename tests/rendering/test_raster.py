"""The rasteriser in tensors against points tried one by one."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rendering import raster
from rendering.raster import SUBPIXELS, rasterise

W, H = 14, 11
_SUBPIXEL = st.integers(-3 * SUBPIXELS, (W + 3) * SUBPIXELS)
# Pixel centres and borders too, where points lie exactly on edges.
_COORDINATE = st.one_of(_SUBPIXEL, st.integers(-4, 2 * W + 4).map(lambda half: half * SUBPIXELS // 2))
_POINT = st.tuples(_COORDINATE, _COORDINATE)
_TRIANGLES = st.lists(st.tuples(_POINT, _POINT, _POINT), min_size=1, max_size=7)
_DEPTHS = st.lists(st.integers(0, 1000), min_size=21, max_size=21)


def _shares(triangle: tuple[tuple[int, int], ...], x: int, y: int) -> tuple[Fraction, ...] | None:
    """Barycentric coordinates of a point in subpixels; None where the triangle has no area."""
    (ax, ay), (bx, by), (cx, cy) = triangle
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    if not area:
        return None
    b = Fraction((x - ax) * (cy - ay) - (y - ay) * (cx - ax), area)
    c = Fraction((bx - ax) * (y - ay) - (by - ay) * (x - ax), area)
    return 1 - b - c, b, c


def _draw(triangles: list[tuple[tuple[int, int], ...]], depth: np.ndarray,
          margin: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    points = torch.tensor(triangles, dtype=torch.float64).reshape(-1, 2) / SUBPIXELS
    faces = torch.arange(len(points)).reshape(-1, 3)
    cut = None if margin is None else torch.as_tensor(margin)
    face, found = rasterise(points, torch.as_tensor(depth), faces, (W, H), cut)
    return face.reshape(H, W).numpy(), found.reshape(H, W).numpy()


@settings(deadline=None, max_examples=80)
@given(_TRIANGLES, _DEPTHS)
def test_the_nearest_triangle_is_drawn_at_every_pixel(triangles: list[tuple[tuple[int, int], ...]],
                                                      depths: list[int]) -> None:
    depth = np.array(depths[:3 * len(triangles)]) / 1000
    face, found = _draw(triangles, depth)
    for row in range(H):
        for column in range(W):
            inside, touched = {}, {}
            for k, triangle in enumerate(triangles):
                shares = _shares(triangle, column * SUBPIXELS + SUBPIXELS // 2, row * SUBPIXELS + SUBPIXELS // 2)
                if shares is not None and min(shares) >= 0:
                    at = float(sum(s * Fraction(float(d)) for s, d in zip(shares, depth[3 * k:3 * k + 3], strict=True)))
                    touched[k] = at
                    if min(shares) > 0:
                        inside[k] = at
            drawn = int(face[row, column])
            if drawn < 0:
                assert not inside
                assert found[row, column] == 1
            else:
                assert drawn in touched
                assert touched[drawn] <= min(inside.values(), default=1.0) + 1e-6
                assert found[row, column] == pytest.approx(touched[drawn], abs=1e-6)


def _split(tiles: list[tuple[tuple[int, int], ...]], point: tuple[int, int]) -> list[tuple[tuple[int, int], ...]]:
    """The same area with a corner more: the tile that holds the point falls into up to three."""
    for k, tile in enumerate(tiles):
        shares = _shares(tile, *point)
        if shares is not None and min(shares) >= 0:
            parts = [(tile[i - 1], tile[i], point) for i in range(3)]
            return [*tiles[:k], *(t for t in parts if _shares(t, 0, 0) is not None), *tiles[k + 1:]]
    return tiles


@settings(deadline=None, max_examples=150)
@given(st.lists(_POINT, min_size=1, max_size=12))
def test_faces_that_share_edges_share_no_pixel_and_leave_no_gap(corners: list[tuple[int, int]]) -> None:
    low, right, bottom = -5 * SUBPIXELS, (W + 5) * SUBPIXELS, (W + 5) * SUBPIXELS
    tiles = [((low, low), (right, low), (right, bottom)), ((right, bottom), (low, bottom), (low, low))]
    for corner in corners:
        tiles = _split(tiles, corner)
    count = sum((_draw([tile], np.zeros(3))[0] >= 0).astype(int) for tile in tiles)
    assert (count == 1).all()


def test_of_faces_equally_near_the_first_is_drawn_and_nothing_past_the_margin() -> None:
    whole = ((-2000, -2000), (20000, -2000), (-2000, 20000))
    assert (_draw([whole, whole[::-1]], np.full(6, 0.5))[0] == 0).all()
    left = np.array([p[0] / SUBPIXELS for p in whole])
    face, _ = _draw([whole], np.zeros(3), 6.5 - left)
    assert (face[:, :7] == 0).all()
    assert (face[:, 7:] == -1).all()


def test_the_size_of_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    triangles = [tuple((int(x), int(y)) for x, y in t) for t in rng.integers(-500, 4000, (40, 3, 2))]
    depth, margin = rng.uniform(0, 1, 120), rng.uniform(-1, 3, 120)
    whole = _draw(triangles, depth, margin)
    monkeypatch.setattr(raster, "_CHUNK", 5)
    chunked = _draw(triangles, depth, margin)
    assert np.array_equal(whole[0], chunked[0])
    assert np.array_equal(whole[1], chunked[1])
    assert len(np.unique(whole[0])) > 10


def test_where_there_is_nothing_to_draw_nothing_is_drawn() -> None:
    flat = ((0, 0), (SUBPIXELS, SUBPIXELS), (5 * SUBPIXELS, 5 * SUBPIXELS))
    beside = ((-900, 0), (-300, 0), (-300, 900))
    for triangles in ([], [flat], [beside]):
        face, depth = _draw(triangles, np.zeros(3 * len(triangles)))
        assert (face == -1).all()
        assert (depth == 1).all()
