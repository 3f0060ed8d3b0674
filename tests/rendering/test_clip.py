"""Clips: people keep to their paths, files keep to their size, and the shipped sample keeps to its truth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from aipg_plugin.geometry.boxes import contains

pytest.importorskip("moderngl", reason="rendering needs moderngl (pip install .[train])")

from rendering.clip import Actor, encode
from rendering.people import Outfit, random_outfit
from rendering.textures import TextureBank

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


@pytest.fixture
def outfit() -> Outfit:
    groups = {name: np.array([0]) for name in ("cloth", "photocloth")}
    return random_outfit(np.random.default_rng(0), TextureBank(np.zeros((1, 256, 256, 3), np.uint8), groups), "walk")


def test_a_walker_moves_along_its_way_and_faces_it(outfit: Outfit) -> None:
    part = Actor(0, outfit, np.array([[1.0, 0, 0], [3.0, 2, 0], [5.0, 2, -2]]))
    assert part.at(0.0) == pytest.approx([0, 0])
    assert part.at(2.0) == pytest.approx([1, 0])
    assert part.walked_m(4.0) == pytest.approx(3.0)
    assert part.speed(2.0) == pytest.approx(1.0)
    assert part.speed(9.0) == 0
    # Bodies face −y; yaw turns them counter-clockwise seen from above.
    assert part.yaw(2.0) == pytest.approx(np.pi / 2)
    assert part.yaw(4.5) == pytest.approx(0.0)
    assert part.yaw(9.0) == pytest.approx(0.0)


def test_one_who_never_moves_faces_as_told(outfit: Outfit) -> None:
    part = Actor(0, outfit, np.array([[0.0, 1, 1]]), yaw_rad=0.7)
    assert part.yaw(3.0) == pytest.approx(0.7)
    assert part.walked_m(3.0) == 0


def test_a_clip_stays_within_its_bytes_or_says_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    noise = [rng.integers(0, 255, (96, 96, 3)).astype(np.uint8) for _ in range(12)]
    encode(tmp_path / "a.mp4", noise, 12.0, 60_000)
    assert 0 < (tmp_path / "a.mp4").stat().st_size <= 60_000
    with pytest.raises(RuntimeError, match="shorten"):
        encode(tmp_path / "b.mp4", noise, 12.0, 500)


def test_the_samples_boxes_enclose_its_silhouettes() -> None:
    truth = json.loads((SAMPLES / "lobby.truth.json").read_text(encoding="utf-8"))
    with np.load(SAMPLES / "lobby.silhouettes.npz") as data:
        ids, step = data["ids"], int(data["step_px"])
    assert len(truth["frames"]) == len(ids)
    for frame, mask in zip(truth["frames"], ids, strict=True):
        people = {p["id"]: p for p in frame["persons"]}
        assert set(np.unique(mask)) - {0} <= set(people)
        for number, person in people.items():
            y, x = np.nonzero(mask == number)
            pixels = np.stack([x, y], 1) * step + step / 2 + 0.5
            box = np.array([person["box"]])
            box[:, 2:4] += 1.0
            assert contains(box, pixels).all()
