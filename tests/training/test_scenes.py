"""Tiles of scenes: truth goes with the pixels, in upright tiles, in the patch straight below, and in the mirror."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.detection.flat import FlatTile
from aipg_plugin.detection.upright import UprightTile
from training.config import Config
from training.dataset import Tiles, collate
from training.scenes import (
    F32,
    U8,
    ScenePool,
    StoredScene,
    crop_tile,
    load_scene,
    patch_people,
    turned_size,
    upright_people,
)

SIZE_PX = 256
BLUE, GREEN, RED = (230, 30, 30), (30, 230, 30), (30, 30, 230)


def write_scene(folder: Path, place: str) -> Path:
    """One elliptic person, its own left half blue, its right half red, a green head beside its middle line.

    `place`: `wall`, or the azimuth in degrees on a ceiling picture.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cx, cy, radius, away = 250.0, 240.0, 230.0, 150.0
    wall = place == "wall"
    a = np.radians(0.0 if wall else float(place))
    x, y, deg = (270.0, 290.0, 0.0) if wall else (cx + away * np.cos(a), cy + away * np.sin(a), np.degrees(a) + 90)
    right = np.array([np.cos(np.radians(deg)), np.sin(np.radians(deg))])
    down = np.array([-right[1], right[0]])
    head = np.array([x, y]) + 4 * right - 25 * down
    pixels = np.stack(np.meshgrid(np.arange(520), np.arange(500)), -1) + 0.5
    across, along = (pixels - (x, y)) @ right, (pixels - (x, y)) @ down
    body = (across / 15) ** 2 + (along / 35) ** 2 <= 1
    image = np.full((500, 520, 3), 90, np.uint8)
    image[body] = np.where(across[body, None] < 0, BLUE, RED)
    image[np.hypot(*np.moveaxis(pixels - head, -1, 0)) <= 5] = GREEN
    stem = folder / "000000"
    cv2.imwrite(f"{stem}.jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 98])
    cv2.imwrite(f"{stem}.png", 3 * body.astype(np.uint8))
    np.savez(
        f"{stem}.npz", circle_px=np.array([cx, cy, radius]), mount="wall" if wall else "ceiling", lens="equidistant",
        fov_deg=180.0, coefficients=np.zeros(0), height_m=2.8, ids=np.array([3]),
        boxes=np.array([[x, y, 30, 70, deg]], np.float32), heads=np.array([[*head, 5]], np.float32),
        visible=np.ones(1, np.float32), ignore=np.zeros(1, bool),
    )
    return stem


@pytest.fixture(scope="module", params=["wall", "0", "77", "200"])
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> StoredScene:
    return load_scene(write_scene(tmp_path_factory.mktemp("scene"), request.param))


def tile_beside(scene: StoredScene, east: float = 0.0, north: float = 0.0, span: float = 1.0, roll: float = 0.0,
                ) -> UprightTile:
    """A tile whose centre lies this share of its side from the person's."""
    right, down, forward = scene.camera.to_ray(scene.boxes[:1, :2])[0] @ scene.mount.level
    azimuth = np.degrees(np.arctan2(right, forward) + east * span)
    return UprightTile(scene.camera, scene.mount, float(azimuth), float(-np.arctanh(down) + north * span), span,
                       SIZE_PX, roll)


def seen_at(scene: StoredScene, tile: UprightTile | FlatTile) -> tuple[np.ndarray, float]:
    """Where the tile sees the person's pixels (N, 2), and how far apart it sees two of them."""
    y, x = np.nonzero(scene.instance == 3)
    px = np.stack([x, y], 1) + 0.5
    at = tile.to_tile(px)
    return at, float(np.abs(tile.to_tile(px + 1.0) - at).max())


@given(east=st.floats(-0.7, 0.7), north=st.floats(-0.7, 0.7), span=st.floats(0.6, 1.6), roll=st.floats(-6, 6))
def test_upright_boxes_hold_what_the_tile_shows_of_a_person(scene: StoredScene, east: float, north: float, span: float,
                                                            roll: float) -> None:
    tile = tile_beside(scene, east, north, span, roll)
    _, instance = crop_tile(scene, tile)
    people, ignore = upright_people(scene, tile, instance)
    at, step = seen_at(scene, tile)
    inside = ((at >= 0) & (at < SIZE_PX)).all(1)
    assert not ignore.any()
    if inside.mean() < 0.05:
        assert (people[:, 8] < 0.12).all()
        return
    x, y, w, h, *_, share = people[0]
    low, high = np.array([x - w / 2, y - h / 2]), np.array([x + w / 2, y + h / 2])
    # Pixels of picture and tile fall differently: what surely shows is in the box, what surely does not is outside.
    surely = at[((at >= 2 * step) & (at < SIZE_PX - 2 * step)).all(1)]
    maybe = at[((at >= -2 * step) & (at < SIZE_PX + 2 * step)).all(1)]
    assert (surely >= low - step - 1).all()
    assert (surely <= high + step + 1).all()
    assert (low >= maybe.min(0) - step - 1).all()
    assert (high <= maybe.max(0) + step + 1).all()
    assert low.min() >= 0
    assert high.max() <= SIZE_PX
    assert abs(share - inside.mean()) < 0.12


@pytest.mark.parametrize("edge", [(0.5, 0.0), (-0.5, 0.0), (0.0, 0.5), (0.0, -0.5)])
def test_a_person_cut_by_the_border_is_boxed_up_to_it(scene: StoredScene, edge: tuple[float, float]) -> None:
    tile = tile_beside(scene, *edge)
    people, _ = upright_people(scene, tile, crop_tile(scene, tile)[1])
    axis = 0 if edge[0] else 1
    sides = people[0, axis] + np.array([-0.5, 0.5]) * people[0, 2 + axis]
    border = 0 if edge[0] > 0 or edge[1] < 0 else SIZE_PX
    assert np.abs(sides - border).min() <= 1
    assert 0.3 < people[0, 8] < 0.7


@pytest.mark.parametrize("roll", [0.0, 5.0])
def test_heads_lie_in_their_boxes_and_on_their_pixels(scene: StoredScene, roll: float) -> None:
    tile = tile_beside(scene, 0.1, 0.05, roll=roll)
    image, instance = crop_tile(scene, tile)
    x, y, w, h, head_x, head_y, radius, seen, _ = upright_people(scene, tile, instance)[0][0]
    assert seen == 1
    assert abs(head_x - x) < w / 2
    assert y - h / 2 < head_y < y - h / 5
    green = image[..., 1].astype(int) - image[..., [0, 2]].max(-1) > 60
    rows, columns = np.nonzero(green)
    assert [head_x, head_y] == pytest.approx([columns.mean() + 0.5, rows.mean() + 0.5], abs=2)
    assert radius == pytest.approx(np.sqrt(green.sum() / np.pi), rel=0.25)  # JPEG's colours are coarse
    left, right = (image[int(y + h / 6), int(x + side * w / 4)].astype(int) for side in (-1, 1))
    assert left[0] > left[2] + 60
    assert right[2] > right[0] + 60


def test_hidden_heads_and_ignored_people(scene: StoredScene) -> None:
    tile = tile_beside(scene)
    _, instance = crop_tile(scene, tile)
    people, _ = upright_people(replace(scene, heads=np.full((1, 3), np.nan, np.float32)), tile, instance)
    assert np.isnan(people[0, 4:7]).all()
    assert people[0, 7] == 0
    people, ignore = upright_people(replace(scene, ignore=np.ones(1, bool)), tile, instance)
    assert len(people) == 0
    assert ignore[instance == 3].all()
    assert ignore.mean() < 0.5


def test_truth_follows_the_pixels_into_a_patch(tmp_path: Path) -> None:
    scene = load_scene(write_scene(tmp_path, "77"))
    for turn_deg, own in ((85.0, True), (200.0, True), (77.0, False)):
        x, y = (float(v) for v in scene.boxes[0, :2])
        tile = FlatTile((x + 10, y - 20), (180.0, 180.0), turn_deg if not own else turn_deg + 90, 224)
        image, instance = crop_tile(scene, tile)
        people, _ = patch_people(scene, tile)
        at, _ = seen_at(scene, tile)
        rows, columns = np.nonzero(instance)
        assert people[0, :2] == pytest.approx([columns.mean() + 0.5, rows.mean() + 0.5], abs=1)
        assert people[0, :2] == pytest.approx(at.mean(0), abs=1)
        if not own:
            assert people[0, 2:4] == pytest.approx(np.ptp(at, axis=0), abs=3)
        pixel = image[int(people[0, 5]), int(people[0, 4])]
        assert pixel[1] > int(max(pixel[0], pixel[2])) + 60


def test_people_who_lean_in_a_patch_keep_their_own_size(tmp_path: Path) -> None:
    scene = load_scene(write_scene(tmp_path, "77"))
    for lean_deg in (0.0, 30.0, -30.0):
        tile = FlatTile((250, 240), (460.0, 460.0), 167 + lean_deg, 230)
        assert patch_people(scene, tile)[0][0, 2:4] == pytest.approx([15, 35], abs=0.1)


def test_the_pool_cuts_usable_tiles_and_skips_damaged_scenes(tmp_path: Path) -> None:
    write_scene(tmp_path / "set", "40")
    (tmp_path / "set" / "000001.npz").write_bytes(b"not a zip")
    rng = np.random.default_rng(3)
    pool = ScenePool(tmp_path, rng)
    assert pool.count() == 2
    found = 0
    for _ in range(20):
        image, silhouette, ignore, people = pool.crop(rng, 96)
        assert image.shape == (96, 96, 3)
        assert silhouette.shape == ignore.shape == (96, 96)
        assert people.shape in ((0, 9), (1, 9))
        found += len(people)
    assert found >= 8


def test_sets_of_few_scenes_are_shown_more_often_than_their_share(tmp_path: Path) -> None:
    for name, count in (("many", 16), ("few", 1)):
        (tmp_path / name).mkdir()
        for i in range(count):
            (tmp_path / name / f"{i:06d}.npz").touch()
    pool = ScenePool(tmp_path, np.random.default_rng(5))
    assert pool.count() == 17
    assert {stems[0].parent.name: share for stems, share in zip(pool.sets, pool.shares, strict=True)} == {
        "few": pytest.approx(0.2), "many": pytest.approx(0.8)}


class OnePerson:
    """A pool of scenes that shows the same person again and again."""

    def count(self) -> int:
        return 1000

    def crop(self, rng: np.random.Generator, size_px: int) -> tuple[U8, U8, U8, F32]:
        blank = np.zeros((size_px, size_px), np.uint8)
        silhouette = blank.copy()
        silhouette[20:60, 30:50] = 1
        person = np.array([[40, 40, 20, 40, 40, 25, 4, 1, 1]], np.float32)
        return np.zeros((size_px, size_px, 3), np.uint8), silhouette, blank, person


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_silhouettes_of_a_share_of_rendered_tiles_are_learnt(share: float) -> None:
    """The others' people keep their boxes and say nothing about silhouettes."""
    tiles = Tiles.__new__(Tiles)
    tiles.config = Config(scene_share=1.0, scene_silhouettes=share, cutouts=False)
    rng, pool = np.random.default_rng(2), cast(ScenePool, OnePerson())
    made = [tiles.tile(rng, 96, pool) for _ in range(100)]
    assert all(len(tile.people) == 1 and not tile.ignore.any() for tile in made)
    learnt = [collate([tile])[1].silhouette_ignore.max().item() == 0 for tile in made]
    assert np.mean(learnt) == pytest.approx(share, abs=0.12)
    unknown = next((tile for tile, known in zip(made, learnt, strict=True) if not known), None)
    assert unknown is None or (unknown.silhouette == 2).all()


def test_mirrored_tiles_keep_their_truth(tmp_path: Path) -> None:
    write_scene(tmp_path / "set", "wall")
    rng = np.random.default_rng(4)
    pool = ScenePool(tmp_path, rng)
    mirrored = []
    for _ in range(60):
        image, silhouette, _, people = pool.crop(rng, SIZE_PX)
        if not len(people) or people[0, 8] < 1:
            continue
        x, y, w, h = cv2.boundingRect(silhouette)
        assert people[0, :4] == pytest.approx([x + w / 2, y + h / 2, w, h])
        head = image[int(people[0, 5]), int(people[0, 4])].astype(int)
        assert head[1] > max(head[0], head[2]) + 40
        left = image[int(people[0, 1] + h / 6), int(people[0, 0] - w / 4)].astype(int)
        mirrored.append(bool(left[2] > left[0]))
    assert len(mirrored) > 10
    assert set(mirrored) == {True, False}


@given(st.floats(1, 50), st.floats(1, 50), st.floats(-180, 180))
def test_turned_size_keeps_the_diagonal(w: float, h: float, deg: float) -> None:
    size = turned_size(*np.array([[w], [h], [deg]], np.float32))[0]
    assert np.hypot(*size) == pytest.approx(np.hypot(w, h), rel=1e-4)
