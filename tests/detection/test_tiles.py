import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aipg_plugin.detection.preprocess import as_bgr, crop_tiles, extend_right
from aipg_plugin.detection.tiles import LIVE, PLANS, Tile, make_tiles, working_size
from aipg_plugin.errors import DetectionError
from aipg_plugin.geometry import FisheyeCamera, ImageCircle, LensLaw, Mount, make_projection
from aipg_plugin.geometry.gravity import up_angle_deg
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
    w, h = shape
    camera = FisheyeCamera(LAW, ImageCircle(cx * w, cy * h, radius * w), shape)
    tiles = make_tiles(camera, CEILING, PLANS[plan])
    y, x = np.nonzero(camera.valid_mask())
    px = np.stack([x, y], 1) + 0.5
    # The rim between two tiles' outer edges may show a sliver no tile sees: a few degrees above the horizon.
    inner = np.hypot(*(px - (cx * w, cy * h)).T) <= 0.92 * radius * w
    share = covered(tiles, px[inner]).mean()
    assert share > 0.995


@settings(max_examples=40)
@given(projections())
def test_tiles_stand_upright_and_cover_any_projection(case: tuple[object, Mount]) -> None:
    projection, mount = case
    tiles = make_tiles(projection, mount, LIVE)  # type: ignore[arg-type]
    assert 1 <= len(tiles) <= 60
    centres = np.array([tile.centre_px for tile in tiles])
    w, h = projection.size_wh  # type: ignore[attr-defined]
    inside = ((centres > 0) & (centres < (w, h))).all(1)
    if isinstance(projection, FisheyeCamera) and mount.kind is MountKind.CEILING:
        from_middle = np.hypot(*(centres - (projection.circle.cx_px, projection.circle.cy_px)).T)
        inside &= from_middle > 0.3 * projection.circle.radius_px
    up = up_angle_deg(projection, mount, centres)  # type: ignore[arg-type]
    off = (np.array([tile.angle_deg for tile in tiles]) - up + 180) % 360 - 180
    assert np.abs(off[inside]).max(initial=0) < 1e-6
    if not isinstance(projection, FisheyeCamera):
        y, x = np.nonzero(projection.valid_mask())  # type: ignore[attr-defined]
        px = np.stack([x, y], 1)[::7] + 0.5
        unrolled = np.concatenate([px, px + np.array([w, 0])])
        seen = covered(tiles, unrolled).reshape(2, -1).any(0)
        assert seen.mean() > 0.97 if len(px) else True


def test_crop_shows_what_the_matrix_says() -> None:
    rng = np.random.default_rng(3)
    picture = np.repeat(np.repeat(rng.integers(0, 255, (60, 80, 3), dtype=np.uint8), 8, 0), 8, 1)
    tile = Tile((300.0, 250.0), (128.0, 128.0), 90.0, 64)
    crop = crop_tiles(picture, [tile])[0]
    for u, v in ((10, 20), (50, 8), (33, 60)):
        x, y = tile.to_picture(np.array([[u + 0.5, v + 0.5]]))[0]
        block = picture[int(y), int(x)].astype(int)
        around = picture[int(y) - 1:int(y) + 2, int(x) - 1:int(x) + 2].reshape(-1, 3).astype(int)
        if (around == block).all():
            assert np.abs(crop[v, u].astype(int) - block).max() <= 1


def test_upright_tile_of_natural_size_is_a_plain_copy() -> None:
    picture = np.random.default_rng(1).integers(0, 255, (100, 120, 3), dtype=np.uint8)
    crop = crop_tiles(picture, [Tile((60.0, 50.0), (64.0, 64.0), 0.0, 64)])[0]
    assert np.array_equal(crop, picture[18:82, 28:92])
    edge = crop_tiles(picture, [Tile((120.0, 50.0), (64.0, 64.0), 0.0, 64)])[0]
    assert np.array_equal(edge[:, :32], picture[18:82, 88:])
    assert not edge[:, 32:].any()


def test_working_size_is_what_the_tiles_need_and_never_more() -> None:
    for side, radius in ((1920, 960.0), (400, 200.0)):
        camera = FisheyeCamera(LAW, ImageCircle(side / 2, side / 2, radius), (side, side))
        size = working_size(camera, make_tiles(camera, CEILING, LIVE))
        assert size[0] <= side
        zoom = min(LIVE.rings[0].zoom, LIVE.nadir_zoom)
        assert size[0] == min(side, round(side * LIVE.input_px / (zoom * radius)))


def test_panorama_tiles_reach_over_the_seam() -> None:
    panorama = make_projection(CaptureMode.PANORAMA, law=LAW, circle=ImageCircle(500, 500, 500), mount=CEILING,
                               size_wh=(1440, 360))
    tiles = make_tiles(panorama, CEILING, LIVE)
    assert max(tile.polygon[:, 0].max() for tile in tiles) > 1440
    assert {tile.angle_deg for tile in tiles} == {0.0}


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
