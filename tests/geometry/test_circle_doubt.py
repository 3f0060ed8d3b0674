"""Image circles that cannot be are doubted, those of real lenses are not."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aipg_plugin.geometry import ImageCircle, default_circle, find_image_circle
from aipg_plugin.geometry.circle_doubt import ELLIPTIC, OUTSIDE, TWO, agrees, circle_doubt, shows_fisheye
from aipg_plugin.resources import resource_path
from tests.geometry.test_circle import CIRCLES, scene


def doubt_of(picture: np.ndarray) -> str:
    h, w = picture.shape[:2]
    return circle_doubt(picture, find_image_circle(picture) or default_circle((w, h)))


@pytest.mark.parametrize("name", CIRCLES)
@pytest.mark.parametrize("seed", range(3))
def test_circles_of_lenses_are_not_doubted(name: str, seed: int) -> None:
    size, truth = CIRCLES[name]
    picture = scene(size, truth, seed=seed, border=22 if "grey" in name else 4)
    assert doubt_of(picture) == ""
    assert circle_doubt(picture, truth) == ""


@pytest.mark.parametrize("size", [(1264, 954), (1920, 1080), (960, 960), (640, 480)])
def test_crops_without_a_rim_are_not_doubted(size: tuple[int, int]) -> None:
    assert doubt_of(scene(size, None)) == ""
    assert not shows_fisheye(scene(size, None))


@pytest.mark.parametrize("size_wh", [(480, 960), (960, 480), (704, 576), (1280, 960), (840, 960)])
@pytest.mark.parametrize("margin", [1, 30])
def test_a_squeezed_circle_is_elliptic(size_wh: tuple[int, int], margin: int) -> None:
    square = scene((960, 960), ImageCircle(480, 480, 480 - margin))
    assert doubt_of(cv2.resize(square, size_wh, interpolation=cv2.INTER_AREA)) == ELLIPTIC


@pytest.mark.parametrize("gap", [0, 3, 40])
@pytest.mark.parametrize("upright", [False, True])
def test_two_circles_are_named(gap: int, upright: bool) -> None:
    one, other = (scene((640, 640), ImageCircle(320, 320, 318 - gap), seed=seed) for seed in (1, 2))
    both = np.concatenate([one, other], axis=0 if upright else 1)
    assert doubt_of(both) == TWO


@pytest.mark.parametrize("circle", [ImageCircle(1500, 400, 300), ImageCircle(400, -20, 300),
                                    ImageCircle(400, 400, 2000)])
def test_a_circle_outside_the_picture_cannot_be(circle: ImageCircle) -> None:
    assert circle_doubt(scene((800, 800), ImageCircle(400, 400, 390)), circle) == OUTSIDE


def test_a_given_circle_is_held_against_the_picture() -> None:
    picture = scene((1280, 720), ImageCircle(420, 360, 340))
    assert not agrees(picture, ImageCircle(900, 360, 340))
    assert agrees(picture, ImageCircle(430, 350, 330))
    assert agrees(np.zeros((720, 1280, 3), np.uint8), ImageCircle(900, 360, 340))


def test_a_pool_of_light_at_night_is_no_squeezed_circle() -> None:
    picture = np.full((960, 960, 3), 4, np.uint8)
    cv2.ellipse(picture, (480, 520), (300, 180), 0, 0, 360, (90, 100, 110), -1)
    assert circle_doubt(picture, ImageCircle(480, 480, 470)) == ""


def test_a_dark_picture_gives_no_doubt() -> None:
    for picture in (np.zeros((480, 640, 3), np.uint8), np.zeros((0, 0, 3), np.uint8), np.full((480, 480), 7, np.uint8)):
        assert circle_doubt(picture, default_circle((640, 480))) == ""


def test_a_whole_circle_is_plainly_a_fisheye() -> None:
    assert shows_fisheye(scene((960, 960), ImageCircle(480, 480, 470)))
    assert shows_fisheye(scene((1280, 960), ImageCircle(640, 480, 470)))
    assert not shows_fisheye(np.zeros((960, 960, 3), np.uint8))


@given(st.integers(0, 2**31), st.integers(1, 90), st.integers(1, 90))
@settings(max_examples=20, deadline=None)
def test_any_picture_has_an_answer(seed: int, w: int, h: int) -> None:
    picture = np.random.default_rng(seed).integers(0, 256, (h, w, 3), dtype=np.uint8)
    assert isinstance(doubt_of(picture), str)
    assert shows_fisheye(picture) in {True, False}


def test_the_sample_is_not_doubted() -> None:
    picture = cv2.imread(str(resource_path("samples", "lobby_still.jpg")))
    assert doubt_of(picture) == ""
    assert shows_fisheye(picture)


def test_real_pictures_are_not_doubted() -> None:
    shared = Path(os.environ.get("AIPG_SHARED", Path(__file__).resolve().parents[3] / "shared"))
    folder = shared / "data" / "real_dev"
    if not folder.is_dir():
        pytest.skip(f"no real pictures at {folder}")
    for entry in json.loads((folder / "labels.json").read_text())["images"]:
        assert doubt_of(cv2.imread(str(folder / "images" / entry["file"]))) == "", entry["file"]
