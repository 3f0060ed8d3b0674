"""Tiles put people upright, and truth goes with the pixels."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.canvas import Canvas, clip_people, move_people
from training.dataset import collate
from training.scenes import ScenePool, load_scene, tile_people
from training.tiles import Tile, sector, sweep, turned_size


def write_scene(folder: Path, azimuth_deg: float) -> Path:
    """A ceiling picture with one bright radial ellipse as person and a head disc at its outer end."""
    folder.mkdir(parents=True, exist_ok=True)
    cx, cy, radius, r = 250.0, 240.0, 230.0, 150.0
    a = np.radians(azimuth_deg)
    x, y = cx + r * np.cos(a), cy + r * np.sin(a)
    image, instance = np.full((500, 520, 3), 30, np.uint8), np.zeros((500, 520), np.uint8)
    shape = ((x, y), (24.0, 70.0), azimuth_deg + 90)
    cv2.ellipse(image, shape, (240, 240, 240), -1)
    cv2.ellipse(instance, shape, 1, -1)
    stem = folder / "000000"
    cv2.imwrite(f"{stem}.jpg", image)
    cv2.imwrite(f"{stem}.png", instance)
    np.savez(
        f"{stem}.npz", circle_px=np.array([cx, cy, radius]), mount="ceiling",
        boxes=np.array([[x, y, 24, 70, azimuth_deg + 90]], np.float32),
        heads=np.array([[x + 30 * np.cos(a), y + 30 * np.sin(a), 6]], np.float32),
        visible=np.ones(1, np.float32), ignore=np.zeros(1, bool),
    )
    return stem


@given(st.floats(0, 360), st.sampled_from([1.0, 0.6]), st.floats(-1, 1), st.floats(-1, 1))
def test_outward_is_up_in_every_sector(azimuth: float, side: float, dx: float, dy: float) -> None:
    tile = sector(np.array([300 + dx, 310 + dy, 290.0]), azimuth, side)
    m = tile.to_picture(416)
    top, bottom = m @ [208, 0, 1], m @ [208, 416, 1]
    outward = np.array([np.cos(np.radians(azimuth)), np.sin(np.radians(azimuth))])
    assert (top - bottom) @ outward == pytest.approx(tile.side_px, rel=1e-6)
    assert np.hypot(*(top - [300 + dx, 310 + dy])) == pytest.approx(290, rel=1e-6)


def test_the_sweep_sees_every_place_in_the_circle() -> None:
    circle = np.array([200.0, 200, 190])
    seen = np.zeros((400, 400), np.uint8)
    for tile, _ in sweep(circle):
        corners = np.array([[0, 0, 1], [64, 0, 1], [64, 64, 1], [0, 64, 1]]) @ tile.to_picture(64).T
        cv2.fillConvexPoly(seen, np.round(corners).astype(np.int32), 1)
    y, x = np.mgrid[0:400, 0:400]
    inside = np.hypot(x - 200, y - 200) < 186
    assert seen[inside].mean() > 0.995


@pytest.mark.parametrize("azimuth", [0.0, 77.0, 200.0])
def test_truth_follows_the_pixels(tmp_path: Path, azimuth: float) -> None:
    scene = load_scene(write_scene(tmp_path / "set", azimuth))
    tile = sector(scene.circle_px, azimuth + 10, 1.0)
    people, _ = tile_people(scene, tile, 320)
    cut = tile.cut(scene.instance.astype(np.uint8), 320, cv2.INTER_NEAREST)
    ys, xs = np.nonzero(cut)
    scale = 320 / tile.side_px
    assert people[0, :2] == pytest.approx([xs.mean(), ys.mean()], abs=2)
    assert people[0, 2:4] == pytest.approx([24 * scale, 70 * scale], abs=1)
    assert people[0, 5] < people[0, 1] - 20  # the head is above
    assert tile.cut(scene.image, 320)[int(people[0, 1]), int(people[0, 0])].min() > 200


def test_the_pool_cuts_usable_tiles_and_skips_damaged_scenes(tmp_path: Path) -> None:
    write_scene(tmp_path / "set", 40)
    (tmp_path / "set" / "000001.npz").write_bytes(b"not a zip")
    rng = np.random.default_rng(3)
    pool = ScenePool(tmp_path, rng)
    assert pool.count() == 2
    for _ in range(8):
        image, silhouette, ignore, people = pool.cut(rng, 96)
        assert image.shape == (96, 96, 3)
        assert silhouette.shape == ignore.shape == (96, 96)
        assert people.shape == (1, 9)


@given(st.floats(1, 50), st.floats(1, 50), st.floats(-180, 180))
def test_turned_size_keeps_the_diagonal(w: float, h: float, deg: float) -> None:
    size = turned_size(np.array([w]), np.array([h]), np.array([deg]))[0]
    assert np.hypot(*size) == pytest.approx(np.hypot(w, h), rel=1e-4)


@settings(max_examples=30)
@given(st.floats(-40, 140), st.floats(-40, 140), st.floats(4, 60), st.floats(9, 90))
def test_people_stay_inside_the_tile(cx: float, cy: float, w: float, h: float) -> None:
    blank = Canvas.blank(96, np.zeros(3, np.float32))
    rows = move_people(
        np.array([[cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2]], np.float32),
        np.full((1, 3), np.nan, np.float32), np.eye(3),
    )
    blank.add(rows)
    for q in clip_people(blank):
        assert (q[:2] - q[2:4] / 2 >= -1e-3).all()
        assert (q[:2] + q[2:4] / 2 <= 96 + 1e-3).all()


def test_a_covered_person_becomes_an_ignored_place() -> None:
    canvas = Canvas.blank(96, np.zeros(3, np.float32))
    canvas.add(move_people(np.array([[20, 20, 40, 70]], np.float32), np.full((1, 3), np.nan, np.float32), np.eye(3)))
    on = np.zeros((96, 96), np.uint8)
    on[15:65, 15:45] = 1
    canvas.cover(on)
    image, t = collate([canvas])
    assert image.shape == (1, 3, 96, 96)
    assert t.count.tolist() == [0]
    assert t.ignore[0, 0, 30, 30] == 1
    assert t.ignore[0, 0, 5, 5] == 0
    assert t.silhouette_ignore[0, 0, 8, 8] == 1
    assert Tile((1, 1), 2, 0).to_picture(2)[0, 0] == 1
