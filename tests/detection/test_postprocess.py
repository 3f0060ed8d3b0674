"""From a tile's candidates to boxes in the picture, on every lens and at its rim."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.detection import placing, postprocess
from aipg_plugin.detection.layouts import Candidates
from aipg_plugin.detection.placing import PlacedCandidates
from aipg_plugin.detection.tilegroup import TileGroup
from aipg_plugin.detection.tiles import LIVE, Tile, make_tiles
from aipg_plugin.detection.upright import UprightTile
from aipg_plugin.geometry import FisheyeCamera, ImageCircle, LensLaw, Mount
from aipg_plugin.geometry.arrays import Float32, Float64
from aipg_plugin.geometry.boxes import iou, to_local
from aipg_plugin.geometry.gravity import aligned
from aipg_plugin.options import LensModelName, MountKind
from tests.detection.painting import around, in_tile
from tests.strategies import lens_laws, mounts, numbers

SIDE = 320
WH = (40.0, 72.0)


def place(camera: FisheyeCamera, mount: Mount, tile: Tile, at: tuple[float, float],
          wh: tuple[float, float] = WH) -> PlacedCandidates:
    """One candidate with a head of radius 12 at the top of its box, in the picture."""
    found = Candidates(np.array([[*at, *wh]], np.float32), np.array([0.9], np.float32),
                       np.array([[at[0], at[1] - wh[1] / 3, 12]], np.float32))
    return placing.place([found], [tile], lambda boxes: aligned(camera, mount, boxes))


def support(box: Float64, tile: Tile, silhouette: Float32) -> float:
    """What a silhouette makes of a score of 0.9."""
    canvas = postprocess.silhouettes_around(box[None], [postprocess.Silhouette(tile, silhouette)])
    return float(postprocess.supported(np.array([0.9]), canvas)[0])


@given(law=lens_laws(), mount=mounts(), x=numbers(-40, 680), y=numbers(-40, 680))
def test_many_tiles_at_once_say_what_each_says_alone(law: LensLaw, mount: Mount, x: float, y: float) -> None:
    camera = FisheyeCamera(law, ImageCircle(320, 320, 320), (640, 640))
    tiles = make_tiles(camera, mount, LIVE, SIDE)
    group, of = TileGroup(tiles), np.arange(len(tiles))
    px = np.repeat([[x, y]], len(tiles), axis=0)
    alone = [np.concatenate([call(px[:1]) for call in calls]) for calls in (
        [tile.to_picture for tile in tiles], [tile.to_tile for tile in tiles], [tile.owns for tile in tiles])]
    together = group.to_picture(px, of), group.to_tile(px, of), group.owns(px, of)
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(other.astype(float), one.astype(float), rtol=1e-9, atol=1e-6)


@given(law=lens_laws(), mount=mounts(), which=st.integers(0, 99), x=numbers(0, SIDE), y=numbers(0, SIDE))
def test_what_is_placed_is_whole_and_so_is_its_silhouette(law: LensLaw, mount: Mount, which: int, x: float,
                                                          y: float) -> None:
    """Also where a part of the box lies beyond what the lens sees: somebody at the rim is somebody."""
    camera = FisheyeCamera(law, ImageCircle(320, 320, 320), (640, 640))
    tiles = [tile for tile in make_tiles(camera, mount, LIVE, SIDE) if isinstance(tile, UprightTile)]
    tile = tiles[which % len(tiles)]
    placed = place(camera, mount, tile, (x, y))
    if not np.isfinite(tile.to_picture([[x, y]])).all():
        assert not len(placed.scores)
        return
    assert np.isfinite(placed.boxes).all()
    assert np.isfinite(placed.heads).all(1) == pytest.approx(np.isfinite(placed.heads).any(1))
    full = np.ones((SIDE // 4, SIDE // 4), np.float32)
    beyond = np.isnan(camera.ray_to_pixel(tile.rays([[x, y]]))).any()
    border = min(x, y, SIDE - x, SIDE - y) < 0.6 * max(WH)
    for box in placed.boxes if not (border or beyond) else ():
        assert support(box, tile, full) > 0.9


@pytest.mark.parametrize(("name", "coefficients"), [
    (LensModelName.EQUIDISTANT, ()), (LensModelName.EQUISOLID, ()), (LensModelName.STEREOGRAPHIC, ()),
    (LensModelName.ORTHOGRAPHIC, ()), (LensModelName.KANNALA_BRANDT, (-0.06, -0.015))])
@pytest.mark.parametrize("kind", MountKind)
def test_a_box_that_reaches_over_the_rim_keeps_its_support(name: LensModelName, coefficients: tuple[float, ...],
                                                           kind: MountKind) -> None:
    camera = FisheyeCamera(LensLaw(name, 180.0, coefficients), ImageCircle(320, 320, 320), (640, 640))
    mount = Mount(kind, 2.5)
    tiles = [tile for tile in make_tiles(camera, mount, LIVE, SIDE) if isinstance(tile, UprightTile)]
    tile, at = (tiles[0], (160.0, 20.0)) if kind is MountKind.CEILING else (tiles[-1], (310.0, 160.0))
    placed = place(camera, mount, tile, at)
    assert len(placed.scores) == 1
    full = np.ones((SIDE // 4, SIDE // 4), np.float32)
    assert support(placed.boxes[0], tile, full) > 0.9


@given(mount=mounts(), which=st.integers(0, 99), x=numbers(0.2, 0.8), y=numbers(0.2, 0.8))
def test_a_placed_box_is_the_box_around_the_figure(mount: Mount, which: int, x: float, y: float) -> None:
    camera = FisheyeCamera(LensLaw(LensModelName.EQUIDISTANT, 180.0), ImageCircle(320, 320, 320), (640, 640))
    tiles = [tile for tile in make_tiles(camera, mount, LIVE, SIDE) if isinstance(tile, UprightTile)]
    tile = tiles[which % len(tiles)]
    at = (x * SIDE, y * SIDE)
    placed = place(camera, mount, tile, at)
    truth = around(camera, mount, in_tile(tile, (*at, *WH)))
    assert iou(truth[None], placed.boxes).min() > 0.7
    assert np.abs((placed.boxes[0, 4] - truth[4] + 180) % 360 - 180) < 4
    # The head is where the net said: in the upper half, in the middle.
    head = np.asarray(to_local(placed.boxes[0], placed.heads[:, :2]))[0]
    assert np.abs(head[0]) < 0.25
    assert -0.9 < head[1] < -0.4


def test_candidates_beyond_their_tile_and_beyond_its_reach_are_left_to_others() -> None:
    camera = FisheyeCamera(LensLaw(LensModelName.EQUIDISTANT, 180.0), ImageCircle(320, 320, 320), (640, 640))
    mount = Mount(MountKind.CEILING, 3.0)
    tiles = make_tiles(camera, mount, LIVE, SIDE)
    patch = next(tile for tile in tiles if not isinstance(tile, UprightTile))
    assert len(place(camera, mount, patch, (SIDE / 2, SIDE / 2)).scores) == 1
    assert not len(place(camera, mount, patch, (SIDE - 20.0, SIDE - 20.0)).scores)
    assert not len(place(camera, mount, tiles[0], (-3.0, 160.0)).scores)
