"""What counts as a change of a place, and what does not: painted rooms with exact truth, noise and real compression."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from aipg_plugin.scene.tile_change import TileChange
from tests.scene.rooms import disc, room, shot

SIDE = 960
HEAD_PX = 24.0  # diameter of a head half way out in a 960 px picture


def _grey(picture: np.ndarray) -> np.ndarray:
    """As the analyzer makes it: the picture in grey, halved while it is larger than 320 px."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.resize(grey, (SIDE // 2, SIDE // 2), interpolation=cv2.INTER_AREA), np.uint8)


def _subject() -> TileChange:
    return TileChange(disc(SIDE), (320, 320))


def _scene() -> np.ndarray:
    return np.asarray(cv2.resize(room(3), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR) * disc(SIDE)[..., None])


def _warm(subject: TileChange, scene: np.ndarray, rng: np.random.Generator, noise: float, looks: int = 60) -> float:
    for index in range(looks):
        subject.update(_grey(shot(scene, rng, noise=noise)), index / 5)
    return looks / 5


def _patched(scene: np.ndarray, level: float, x: int = 480, y: int = 250) -> np.ndarray:
    """A disc the size of a head, brighter by `level`."""
    patch = np.zeros(scene.shape[:2], np.float32)
    cv2.circle(patch, (x, y), round(HEAD_PX / 2), 1.0, cv2.FILLED)
    return np.asarray(scene + level * patch[..., None], np.float32)


@pytest.mark.parametrize("noise", [1.0, 2.0, 4.0])
def test_noise_is_no_change(noise: float) -> None:
    rng, subject, scene = np.random.default_rng(1), _subject(), _scene()
    start_s = _warm(subject, scene, rng, noise)
    shares = [subject.update(_grey(shot(scene, rng, noise=noise)), start_s + index / 5).mean() for index in range(50)]
    assert np.mean(shares) < 2e-4


@pytest.mark.parametrize(("noise", "level"), [(1.0, 1.0), (2.0, 1.0), (2.0, -1.0), (4.0, 2.0)])
def test_a_faint_patch_the_size_of_a_head_counts(noise: float, level: float) -> None:
    """Half a grey level over its window: a person dressed like the floor."""
    rng, subject, scene = np.random.default_rng(2), _subject(), _scene()
    start_s = _warm(subject, scene, rng, noise)
    box = np.array([[480.0, 250.0, HEAD_PX, HEAD_PX, 0.0]])
    faint = _patched(scene, level)
    for index in range(10):
        subject.update(_grey(shot(faint, rng, noise=noise)), start_s + index / 5)
    assert not subject.unchanged(box, np.array([start_s - 0.1])).any()
    far = np.array([[480.0, 700.0, HEAD_PX, HEAD_PX, 0.0]])
    assert subject.unchanged(far, np.array([start_s - 0.1])).all()


def test_half_a_grey_level_counts_where_there_is_no_noise() -> None:
    subject, rng = _subject(), np.random.default_rng(3)
    scene = _scene()
    start_s = _warm(subject, scene, rng, 0.7)
    for index in range(10):
        subject.update(_grey(shot(_patched(scene, 0.75), rng, noise=0.7)), start_s + index / 5)
    assert not subject.unchanged(np.array([[480.0, 250.0, HEAD_PX, HEAD_PX, 0.0]]), np.array([start_s - 0.1])).any()


@pytest.mark.parametrize("speed_px_s", [0.5, 3.0])
def test_slow_movement_adds_up(speed_px_s: float) -> None:
    """From one look to the next nothing is to be seen of it."""
    rng, subject, scene = np.random.default_rng(4), _subject(), _scene()
    start_s = _warm(subject, _patched(scene, 12.0), rng, 2.0)
    moved_px = 0.0
    for index in range(100):
        moved_px = speed_px_s * index / 5
        moved = _patched(scene, 12.0, x=480 + round(moved_px))
        subject.update(_grey(shot(moved, rng, noise=2.0)), start_s + index / 5)
        if not subject.unchanged(np.array([[480.0, 250.0, 40.0, 40.0, 0.0]]), np.array([start_s - 0.1])).any():
            break
    assert moved_px <= 6.0


def test_a_change_of_exposure_is_no_change_of_places_and_light_that_fades_in_one_corner_is() -> None:
    rng, subject, scene = np.random.default_rng(5), _subject(), _scene()
    start_s = _warm(subject, scene, rng, 1.5)
    gains = np.linspace(1.0, 1.06, 50)
    shares = [subject.update(_grey(shot(scene * np.float32(gain), rng, noise=1.5)), start_s + index / 5).mean()
              for index, gain in enumerate(gains)]
    assert np.mean(shares) < 0.02
    corner = np.array([[300.0, 300.0, 60.0, 60.0, 0.0]])
    middle_s = start_s + 10
    for index in range(50):
        faded = scene.copy()
        faded[200:400, 200:400] *= np.float32(1.06 * (1 - 0.002 * index))
        faded[400:] *= np.float32(1.06)
        subject.update(_grey(shot(faded, rng, noise=1.5)), middle_s + index / 5)
    assert not subject.unchanged(corner, np.array([middle_s - 0.1])).any()


def test_compression_is_no_change_and_a_person_in_it_is() -> None:
    """H.264 at a low rate, key frames every 2 s: what an idle camera sends."""
    rng, scene = np.random.default_rng(6), _scene()
    subject = _subject()
    people = np.array([[480.0, 300.0, 40.0, 90.0, 0.0]])
    pictures = (shot(scene, rng, noise=2.0, people=people if index >= 150 else None, colour=(132, 131, 128))
                for index in range(170))
    shares = []
    for index, picture in enumerate(_compressed(pictures)):
        changed = subject.update(_grey(picture), index / 5)
        if 100 <= index < 150:
            shares.append(changed.mean())
    assert np.mean(shares) < 2e-3
    assert not subject.unchanged(people, np.array([29.9])).any()


def test_who_stays_is_held_and_who_leaves_is_not() -> None:
    rng, subject, scene = np.random.default_rng(7), _subject(), _scene()
    people = np.array([[480.0, 300.0, 40.0, 90.0, 0.0], [600.0, 500.0, 40.0, 90.0, 0.0]])
    for index in range(60):
        subject.update(_grey(shot(scene, rng, noise=2.0, people=people)), index / 5)
    for index in range(60, 65):
        subject.update(_grey(shot(scene, rng, noise=2.0, people=people[:1])), index / 5)
    assert subject.unchanged(people, np.full(2, 11.9)).tolist() == [True, False]
    assert subject.unchanged(people * (-1, 1, 1, 1, 1), np.full(2, 11.9)).tolist() == [False, False]  # no such place
    assert subject.unchanged(people[:0], np.zeros(0)).shape == (0,)
    subject.restart()
    assert not subject.unchanged(people, np.full(2, 99.0)).any()


def _compressed(pictures: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width = encoder.height = SIDE
    encoder.pix_fmt, encoder.time_base, encoder.framerate = "yuv420p", Fraction(1, 5), Fraction(5)
    encoder.gop_size, encoder.thread_count = 10, 1
    encoder.options = {"preset": "veryfast", "tune": "zerolatency", "crf": "30"}
    decoder = av.CodecContext.create("h264", "r")
    for index, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format="yuv420p")
        frame.pts = index
        for packet in encoder.encode(frame):
            for out in decoder.decode(packet):
                yield out.to_ndarray(format="bgr24")
