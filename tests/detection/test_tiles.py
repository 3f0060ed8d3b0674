import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aipg_plugin.detection.flat import FlatTile
from aipg_plugin.detection.preprocess import as_bgr, crop_tiles, extend_right
from aipg_plugin.detection.tiles import LIVE, PLANS, Tile, make_tiles, working_size
from aipg_plugin.detection.upright import UprightTile
from aipg_plugin.errors import DetectionError
from aipg_plugin.geometry import FisheyeCamera, ImageCircle, LensLaw, Mount, Projection, make_projection
from aipg_plugin.geometry.gravity import up_angle_deg
from aipg_plugin.geometry.projection import scaled
from aipg_plugin.options import CaptureMode, LensModelName, MountKind
from tests.strategies import numbers, projections

LAW = LensLaw(LensModelName.EQUIDISTANT, 180.0)
CEILING, WALL = Mount(MountKind.CEILING, 3.0), Mount(MountKind.WALL, 2.5)


def covered(tiles: tuple[Tile, ...], px: np.ndarray, slack: float = 1e-6) -> np.ndarray:
    """(N,) bool: some tile shows the pixel."""
    seen = np.zeros(len(px), bool)
    for tile in tiles:
        local = tile.to_tile(px)
        seen |= ((local >= -slack) & (local <= tile.input_px + slack)).all(1)
    return seen


@given(plan=st.sampled_from(sorted(PLANS)), cx=numbers(0.3, 0.7), cy=numbers(0.3, 0.7), radius=numbers(0.35, 0.75),
       shape=st.sampled_from([(640, 480), (480, 480), (640, 360)]))
def test_ceiling_tiles_cover_the_circle(plan: str, cx: float, cy: float, radius: float, shape: tuple[int, int]) -> None:
    """From the nadir to the rim; where the picture cuts the circle, slivers too small to be worth a tile may go."""
    w, h = shape
    camera = FisheyeCamera(LAW, ImageCircle(cx * w, cy * h, radius * w), shape)
    tiles = make_tiles(camera, CEILING, PLANS[plan])
    y, x = np.nonzero(camera.valid_mask())
    share = covered(tiles, np.stack([x, y], 1)[::3] + 0.5).mean()
    assert share > 0.995


@settings(max_examples=40)
@given(projections())
def test_tiles_stand_upright_and_cover_any_projection(case: tuple[Projection, Mount]) -> None:
    projection, mount = case
    tiles = make_tiles(projection, mount, LIVE)
    assert 1 <= len(tiles) <= 60
    if isinstance(projection, FisheyeCamera):
        assert any(isinstance(tile, UprightTile) for tile in tiles)
        return
    flat = [tile for tile in tiles if isinstance(tile, FlatTile)]
    assert len(flat) == len(tiles)
    centres = np.array([tile.centre_px for tile in flat])
    w, h = projection.size_wh
    inside = ((centres > 0) & (centres < (w, h))).all(1)
    off = (np.array([tile.angle_deg for tile in flat]) - up_angle_deg(projection, mount, centres) + 180) % 360 - 180
    assert np.abs(off[inside]).max(initial=0) < 1e-6
    y, x = np.nonzero(projection.valid_mask())
    px = np.stack([x, y], 1)[::7] + 0.5
    unrolled = np.concatenate([px, px + np.array([w, 0])])
    seen = covered(tiles, unrolled).reshape(2, -1).any(0)
    assert seen.mean() > 0.97 if len(px) else True


@given(plan=st.sampled_from(sorted(PLANS)), fov=numbers(100, 220))
def test_ceiling_rings_go_around_and_end_at_the_horizon_or_the_rim(plan: str, fov: float) -> None:
    camera = FisheyeCamera(LensLaw(LensModelName.EQUIDISTANT, fov), ImageCircle(320, 320, 320), (640, 640))
    tiles = [tile for tile in make_tiles(camera, CEILING, PLANS[plan]) if isinstance(tile, UprightTile)]
    assert len(tiles) == sum(ring.count for ring in PLANS[plan].rings)
    top = np.degrees(np.arcsin(np.tanh([tile.middle + tile.span / 2 for tile in tiles])))
    rim = min(fov / 2 - 90, 10)
    assert (top >= rim - 1e-9).all()
    assert (top < rim + 5).all()
    for span in {tile.span for tile in tiles}:
        ring = np.sort([tile.azimuth_deg for tile in tiles if tile.span == span])
        # Neighbours overlap: nobody stands on a border of all tiles.
        assert np.diff(np.append(ring, ring[0] + 360)).max() < 0.8 * np.degrees(span)


@given(plan=st.sampled_from(sorted(PLANS)), turn=numbers(0, 360), below=numbers(-48, -1))
def test_somebody_answers_for_every_place_and_far_from_its_own_border(plan: str, turn: float, below: float) -> None:
    camera = FisheyeCamera(LAW, ImageCircle(320, 320, 320), (640, 640))
    a, e = np.radians(turn), np.radians(below)
    px = camera.to_pixel(CEILING.rays_to(np.array([[np.sin(a) * np.cos(e), np.cos(a) * np.cos(e), 3 + np.sin(e)]])))
    tiles = [t for t in make_tiles(camera, CEILING, PLANS[plan]) if isinstance(t, UprightTile) and t.owns(px)[0]]
    assert tiles
    for tile in tiles:
        across = tile.to_tile(px)[0, 0] / tile.input_px
        assert 0.1 < across < 0.9


def test_crop_shows_what_the_matrix_says() -> None:
    rng = np.random.default_rng(3)
    picture = np.repeat(np.repeat(rng.integers(0, 255, (60, 80, 3), dtype=np.uint8), 8, 0), 8, 1)
    tile = FlatTile((300.0, 250.0), (128.0, 128.0), 90.0, 64)
    crop = crop_tiles(picture, [tile])[0]
    for u, v in ((10, 20), (50, 8), (33, 60)):
        x, y = tile.to_picture(np.array([[u + 0.5, v + 0.5]]))[0]
        block = picture[int(y), int(x)].astype(int)
        around = picture[int(y) - 1:int(y) + 2, int(x) - 1:int(x) + 2].reshape(-1, 3).astype(int)
        if (around == block).all():
            assert np.abs(crop[v, u].astype(int) - block).max() <= 1


def test_unturned_tile_of_natural_size_is_a_plain_copy() -> None:
    picture = np.random.default_rng(1).integers(0, 255, (100, 120, 3), dtype=np.uint8)
    crop = crop_tiles(picture, [FlatTile((60.0, 50.0), (64.0, 64.0), 0.0, 64)])[0]
    assert np.array_equal(crop, picture[18:82, 28:92])
    edge = crop_tiles(picture, [FlatTile((120.0, 50.0), (64.0, 64.0), 0.0, 64)])[0]
    assert np.array_equal(edge[:, :32], picture[18:82, 88:])
    assert not edge[:, 32:].any()


@pytest.mark.parametrize("mount", [CEILING, WALL], ids=["ceiling", "wall"])
@pytest.mark.parametrize("plan", sorted(PLANS))
def test_working_size_is_what_the_tiles_need_and_never_more(plan: str, mount: Mount) -> None:
    for side in (3840, 400):
        camera = FisheyeCamera(LAW, ImageCircle(side / 2, side / 2, side / 2), (side, side))
        size = working_size(camera, make_tiles(camera, mount, PLANS[plan]))
        assert 1 <= size[0] <= side
        small = scaled(camera, size)
        scales = [tile.scale for tile in make_tiles(small, mount, PLANS[plan])]
        # The tile that shows most detail has a picture pixel to each of its own; of a small picture nothing is lost.
        assert min(scales) == pytest.approx(1, abs=0.01) if size[0] < side else min(scales) <= 1.001


def test_panorama_tiles_reach_over_the_seam() -> None:
    panorama = make_projection(CaptureMode.PANORAMA, law=LAW, circle=ImageCircle(500, 500, 500), mount=CEILING,
                               size_wh=(1440, 360))
    tiles = make_tiles(panorama, CEILING, LIVE)
    flat = [tile for tile in tiles if isinstance(tile, FlatTile)]
    assert len(flat) == len(tiles)
    assert max(tile.to_picture(np.array([[tile.input_px, 0.0]]))[0, 0] for tile in flat) > 1440
    assert {tile.angle_deg for tile in flat} == {0.0}


@pytest.mark.parametrize("picture", [
    np.zeros((4, 4), np.uint8), np.zeros((4, 4, 1), np.uint8), np.zeros((4, 4, 4), np.uint8),
    np.zeros((4, 4), np.uint16), np.zeros((1, 1, 3), np.uint8), np.zeros((4, 4, 3), np.uint16)])
def test_every_usual_picture_becomes_bgr(picture: np.ndarray) -> None:
    bgr = as_bgr(picture)
    assert bgr.dtype == np.uint8
    assert bgr.shape == (*picture.shape[:2], 3)


def test_values_survive_conversion() -> None:
    assert as_bgr(np.array([[0, 0x7FFF, 0xFFFF]], np.uint16)).tolist() == [[[0] * 3, [127] * 3, [255] * 3]]
    assert as_bgr(np.array([[[1, 2, 3, 4]]], np.uint8)).tolist() == [[[1, 2, 3]]]


@pytest.mark.parametrize("picture", [np.zeros((0, 4, 3), np.uint8), np.zeros(5, np.uint8), np.zeros((4, 4, 3)),
                                     np.zeros((4, 4, 2), np.uint8), np.zeros((2, 4, 4, 3), np.uint8)])
def test_other_arrays_are_clear_errors(picture: np.ndarray) -> None:
    with pytest.raises(DetectionError, match="must"):
        as_bgr(picture)


def test_extend_right_repeats_the_left_edge() -> None:
    picture = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert np.array_equal(extend_right(picture, 2)[:, 4:], picture[:, :2])
