"""Upright tiles: where their pixels lie, which way is up in them, and what they show."""

import math
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from aipg_plugin.detection.tiles import LIVE, PLANS, Tile, TilePlan, make_tiles
from aipg_plugin.detection.upright import UprightTile, northing
from aipg_plugin.geometry import FisheyeCamera, ImageCircle, LensLaw, Mount
from aipg_plugin.geometry.gravity import up_angle_deg
from aipg_plugin.options import LensModelName, MountKind
from tests.strategies import lens_laws, mounts, numbers

SIDE = 64
STEPS = np.eye(2) * 1e-3
plans = st.sampled_from([PLANS[name] for name in sorted(PLANS)])
mapping_lenses = st.one_of(lens_laws(), st.builds(LensLaw, st.sampled_from(
    [name for name in LensModelName if name is not LensModelName.KANNALA_BRANDT]), numbers(150, 180)))


@st.composite
def tiles(draw: st.DrawFn, roll: bool = False) -> UprightTile:
    """A tile of `SIDE` pixels anywhere around the camera, of any lens, on either mount."""
    radius = draw(numbers(20, 900))
    circle = ImageCircle(draw(numbers(-200, 1200)), draw(numbers(-200, 1200)), radius)
    camera = FisheyeCamera(draw(mapping_lenses), circle, (1000, 1000))
    return UprightTile(camera, draw(mounts()), draw(numbers(-540, 540)), draw(numbers(-2.0, 0.6)),
                       draw(numbers(0.3, 2.2)), SIDE, draw(numbers(-180, 180)) if roll else 0.0)


def spread(side: int = SIDE, count: int = 9) -> np.ndarray:
    """(N, 2) tile pixels, corners included."""
    steps = np.linspace(0, side, count)
    return np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)


def sharp(tile: UprightTile, px: np.ndarray) -> np.ndarray:
    """(N,) bool: the lens shows these tile pixels, and its law does not run flat there (then r says nothing of θ)."""
    rays = tile.rays(px)
    theta = np.arccos(np.clip(rays[:, 2], -1, 1))
    near = np.stack([tile.camera.law.theta_to_r(np.clip(theta + step, 0, None)) for step in (-1e-3, 1e-3)])
    slope = (near[1] - near[0]) / 2e-3
    seen = np.isfinite(tile.camera.ray_to_pixel(rays)).all(1)
    return np.asarray(seen & (slope > 1e-2) & (theta > 1e-3) & (theta < 3.0))


@given(tiles(roll=True))
def test_there_and_back(tile: UprightTile) -> None:
    px = spread()
    px = px[sharp(tile, px)]
    assert tile.to_tile(tile.to_picture(px)) == pytest.approx(px, abs=1e-3)


@pytest.mark.parametrize("kind", MountKind)
@given(azimuth=numbers(170, 190), turns=st.integers(-1, 1))
def test_the_seam_of_azimuths_is_none(kind: MountKind, azimuth: float, turns: int) -> None:
    camera = FisheyeCamera(LensLaw(LensModelName.EQUIDISTANT, 300.0), ImageCircle(300, 300, 300), (600, 600))
    tile = UprightTile(camera, Mount(kind, 3.0), azimuth + 360 * turns, -0.6, 1.7, SIDE)
    px = spread()
    px = px[np.isfinite(camera.ray_to_pixel(tile.rays(px))).all(1)]
    assert kind is MountKind.WALL or len(px) == 81
    assert tile.to_tile(tile.to_picture(px)) == pytest.approx(px, abs=1e-6)


@given(tiles(roll=True))
def test_angles_are_kept_and_nothing_is_mirrored(tile: UprightTile) -> None:
    px, ray = spread(), tile.rays(spread())
    across = (tile.rays(px + STEPS[0]) - tile.rays(px - STEPS[0])) / 2e-3
    along = (tile.rays(px + STEPS[1]) - tile.rays(px - STEPS[1])) / 2e-3
    size = np.linalg.norm(across, axis=1)
    assert np.linalg.norm(along, axis=1) == pytest.approx(size, rel=1e-4)
    assert np.einsum("ni,ni->n", across, along) / size ** 2 == pytest.approx(0, abs=1e-4)
    # Right, down and forward are right-handed, as for whoever looks that way.
    assert np.einsum("ni,ni->n", np.cross(across, along), ray) / size ** 2 == pytest.approx(1, rel=1e-3)
    assert np.linalg.norm(ray, axis=1) == pytest.approx(1)


@given(tiles())
def test_up_in_the_tile_is_up_in_the_world_everywhere(tile: UprightTile) -> None:
    px = spread()
    px = px[sharp(tile, px)]
    assume(len(px))
    step = tile.to_picture(px - STEPS[1]) - tile.to_picture(px + STEPS[1])
    there = tile.to_picture(px)
    angle = np.degrees(np.arctan2(step[:, 0], -step[:, 1]))
    off = (angle - up_angle_deg(tile.camera, tile.mount, there) + 180) % 360 - 180
    known = np.isfinite(step).all(1)
    assert np.abs(off[known]).max(initial=0) < 0.5


@given(st.sampled_from(MountKind), numbers(-180, 180), numbers(2, 5))
def test_a_tile_shows_the_scene_as_a_passer_by_would_see_it(kind: MountKind, azimuth: float, away_m: float) -> None:
    """A post with its top above its foot, and what stands clockwise of it (seen from above) to its right."""
    mount = Mount(kind, 3.0)
    camera = FisheyeCamera(LensLaw(LensModelName.EQUISOLID, 350.0), ImageCircle(300, 300, 300), (600, 600))
    tile = UprightTile(camera, mount, azimuth, -0.6, 1.75, 320)
    a, b = np.radians([azimuth, azimuth + 8])
    points = np.array([[np.sin(a), np.cos(a), 0.1 / away_m], [np.sin(a), np.cos(a), 1.8 / away_m],
                       [np.sin(b), np.cos(b), 0.1 / away_m]]) * away_m
    foot, head, right = tile.to_tile(camera.to_pixel(mount.rays_to(points)))
    assert foot[0] == pytest.approx(160, abs=1e-6)
    assert head[0] == pytest.approx(160, abs=1e-6)
    assert head[1] < foot[1] - 10
    assert right[0] - foot[0] == pytest.approx(math.radians(8) / 1.75 * 320, abs=1e-6)
    assert right[1] == pytest.approx(foot[1], abs=1e-6)
    # Heights are true to the horizon: level with the camera is northing 0.
    assert tile.to_tile(camera.to_pixel(mount.rays_to([[*points[0, :2], mount.height_m]])))[0, 1] == pytest.approx(
        160 + tile.middle / tile.span * 320, abs=1e-6)


@settings(max_examples=30)
@given(law=lens_laws(), mount=mounts(), radius=numbers(150, 420), plan=plans)
def test_the_sampling_follows_the_map(law: LensLaw, mount: Mount, radius: float, plan: TilePlan) -> None:
    camera = FisheyeCamera(law, ImageCircle(radius, radius, radius), (math.ceil(2 * radius),) * 2)
    for tile in make_tiles(camera, mount, plan)[:3]:
        if not isinstance(tile, UprightTile):
            continue
        at = tile.sampling()
        assert np.isfinite(at).all()
        n = tile.input_px
        assert at.shape == (n, n, 2)
        y, x = (v.ravel() for v in np.mgrid[0:n:3, 0:n:3])
        px = np.stack([x, y], 1) + 0.5
        # A cell that the lens sees only in part is not interpolated well; nor is the fold straight behind the lens.
        theta = np.arccos(np.clip(tile.rays(px)[:, 2], -1, 1))
        around = np.stack([tile.to_picture(px + 8 * np.array(d)) for d in ((-1, -1), (-1, 1), (1, -1), (1, 1))])
        ok = np.isfinite(around).all((0, 2)) & (theta < min(law.half_fov_rad, 2.5))
        off = np.abs(at[y[ok], x[ok]] + 0.5 - tile.to_picture(px[ok]))
        assert off.max(initial=0) < 0.25
        unseen = np.isnan(around).all((0, 2))
        assert (at[y[unseen], x[unseen]] < -1).all()


@settings(max_examples=25)
@given(law=lens_laws(), mount=mounts(), plan=plans, dx=numbers(-40, 40), dy=numbers(-40, 40))
def test_a_cut_shows_what_lies_there(law: LensLaw, mount: Mount, plan: TilePlan, dx: float, dy: float) -> None:
    camera = FisheyeCamera(law, ImageCircle(150 + dx, 160 + dy, 140), (300, 320))
    y, x = np.mgrid[0:320, 0:300] + 0.5
    ramps = np.stack([40 + 0.5 * x, 40 + 0.5 * y, np.full_like(x, 200)], -1)
    picture = np.round(ramps).astype(np.uint8)
    for tile in [t for t in make_tiles(camera, mount, plan, 96) if isinstance(t, UprightTile)][:4]:
        crop = tile.crop(picture)
        assert crop.shape == (96, 96, 3)
        assert crop.dtype == np.uint8
        at = tile.sampling() + 0.5
        inside = ((at > 1) & (at < (299, 319))).all(-1)
        assert np.abs(crop[inside][:, :2] - (40 + 0.5 * at[inside])).max(initial=0) <= 1.5
        outside = ((at < -1) | (at > (301, 321))).any(-1)
        assert not crop[outside].any()


def test_the_maps_of_many_cameras_take_bounded_memory_and_those_of_equal_geometry_none() -> None:
    kept: list[UprightTile] = []

    def cropped(radius_px: float) -> list[np.ndarray]:
        law = LensLaw(LensModelName.EQUIDISTANT, 185.0)
        camera = FisheyeCamera(law, ImageCircle(480, 480, radius_px), (960, 960))
        mine = [tile for tile in make_tiles(camera, Mount(), LIVE) if isinstance(tile, UprightTile)]
        kept.extend(mine)
        return [tile.crop(picture) for tile in mine]

    picture = np.random.default_rng(0).integers(0, 256, (960, 960, 3), np.uint8)
    first = cropped(470.0)
    tracemalloc.start()
    try:
        again = cropped(470.0)
        crops = sum(crop.nbytes for crop in again)
        assert tracemalloc.get_traced_memory()[0] < crops + 1_000_000
        for radius_px in range(460, 470):  # as much as 140 MB
            cropped(radius_px)
        assert tracemalloc.get_traced_memory()[0] < crops + 60_000_000
    finally:
        tracemalloc.stop()
    assert all(np.array_equal(one, other) for one, other in zip(first, cropped(470.0), strict=True))


@given(law=lens_laws(), mount=mounts(), plan=plans, cx=numbers(0, 640), cy=numbers(0, 480), radius=numbers(60, 700))
@settings(max_examples=40)
def test_scales_are_positive_numbers(law: LensLaw, mount: Mount, plan: TilePlan, cx: float, cy: float,
                                     radius: float) -> None:
    camera = FisheyeCamera(law, ImageCircle(cx, cy, radius), (640, 480))
    for tile in make_tiles(camera, mount, plan):
        assert 0 < tile.scale < math.inf


def shown(found: tuple[Tile, ...], px: np.ndarray) -> np.ndarray:
    """(N,) bool: some tile shows the place and may answer for it."""
    seen = np.zeros(len(px), bool)
    for tile in found:
        local = tile.to_tile(px)
        seen |= ((local >= -1e-6) & (local <= tile.input_px + 1e-6)).all(1) & tile.owns(px)
    return seen


@settings(max_examples=40)
@given(name=st.sampled_from([n for n in LensModelName if n is not LensModelName.KANNALA_BRANDT]),
       fov=numbers(120, 180), plan=plans, elevation=st.lists(numbers(-70, 25), min_size=20, max_size=60),
       seed=st.integers(0, 99))
def test_wall_tiles_cover_what_the_camera_sees(name: LensModelName, fov: float, plan: TilePlan,
                                               elevation: list[float], seed: int) -> None:
    camera = FisheyeCamera(LensLaw(name, fov), ImageCircle(320, 320, 320), (640, 640))
    mount = Mount(MountKind.WALL, 2.5)
    e = np.radians(elevation)
    a = np.radians(np.random.default_rng(seed).uniform(-90, 90, len(e)))
    px = camera.ray_to_pixel(np.stack([np.sin(a) * np.cos(e), -np.sin(e), np.cos(a) * np.cos(e)], 1))
    px = px[np.isfinite(px).all(1)]
    assert shown(make_tiles(camera, mount, plan), px).all()


@settings(max_examples=40)
@given(name=st.sampled_from([n for n in LensModelName if n is not LensModelName.KANNALA_BRANDT]),
       fov=numbers(120, 220), plan=plans)
def test_ceiling_tiles_answer_for_the_whole_circle(name: LensModelName, fov: float, plan: TilePlan) -> None:
    """All of it up to the horizon, on any lens, from the nadir on."""
    camera = FisheyeCamera(LensLaw(name, min(fov, 180) if name is LensModelName.ORTHOGRAPHIC else fov),
                           ImageCircle(200, 200, 200), (400, 400))
    y, x = np.nonzero(camera.valid_mask())
    px = np.stack([x, y], 1)[::5] + 0.5
    px = px[camera.pixel_to_ray(px)[:, 2] >= 0]
    assert shown(make_tiles(camera, Mount(MountKind.CEILING, 3.0), plan), px).all()


@pytest.mark.parametrize("kind", MountKind)
@pytest.mark.parametrize("size", [(64, 48), (48, 64), (640, 480), (960, 540)])
@pytest.mark.parametrize("fov", [150.0, 180.0, 200.0])
@pytest.mark.parametrize("centre", [(0.5, 0.5), (0.3, 0.7), (0.0, 0.5), (1.1, -0.1)])
@pytest.mark.parametrize("reach", [0.3, 0.5, 1.2])
def test_every_camera_has_tiles_that_can_be_cut(kind: MountKind, size: tuple[int, int], fov: float,
                                                centre: tuple[float, float], reach: float) -> None:
    w, h = size
    circle = ImageCircle(centre[0] * w, centre[1] * h, reach * max(size))
    camera = FisheyeCamera(LensLaw(LensModelName.EQUIDISTANT, fov), circle, size)
    picture = np.full((h, w, 3), 120, np.uint8)
    found = make_tiles(camera, Mount(kind, 3.0), LIVE, 64)
    assert 1 <= len(found) <= 40
    lit = [tile.crop(picture).max() for tile in found]
    assert max(lit) == 120 or not camera.valid_mask().any()


def test_northing_is_mercator() -> None:
    assert northing(0) == 0
    assert northing(-40) == -northing(40)
    assert northing(60) == pytest.approx(math.log(math.tan(math.radians(75))))


def test_a_tile_cropped_once_shows_the_same_as_one_kept() -> None:
    camera = FisheyeCamera(LensLaw(LensModelName.EQUIDISTANT, 180.0), ImageCircle(320, 320, 310), (640, 640))
    tile = UprightTile(camera, Mount(MountKind.CEILING, 3.0), 40.0, -0.8, 0.7, 192)
    y, x = np.mgrid[:640, :640]
    picture = np.stack([x * 255 / 640, y * 255 / 640, (x + y) * 127 / 640], -1).astype(np.uint8)
    kept, into = tile.crop(picture), np.full((192, 192, 3), 7, np.uint8)
    once = replace(tile, passing=True).crop(picture, into)
    assert np.shares_memory(once, into)
    assert np.abs(once.astype(int) - kept).max() <= 1
    assert kept.std() > 5
