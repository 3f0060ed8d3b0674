"""Clips: people keep to their paths, files keep to their size, and the shipped sample keeps to its truth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from aipg_plugin.geometry.boxes import contains
from aipg_plugin.media.source import open_source
from aipg_plugin.options import Source

pytest.importorskip("moderngl", reason="rendering needs moderngl (pip install .[train])")

from benchmarks.leak import ClipTruth
from rendering.clip import Actor, ceiling_shot, encode, write_clip
from rendering.people import Outfit, random_outfit
from rendering.textures import TextureBank
from rendering.truth import assemble

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


class Unmoving:
    """A film of two frames in which a square stands still."""

    def __init__(self, side_px: int) -> None:
        self.shot = ceiling_shot(np.random.default_rng(0), side_px)

    def frames(self, _renderer: object, _actors: object, _fps: float, count: int) -> Iterator[Any]:
        """As `Film.frames`."""
        ids = np.zeros(self.shot.camera.size_wh[::-1], np.uint8)
        ids[40:80, 60:80] = 1
        truth = assemble(ids, {}, {}, self.shot.camera, self.shot.mount)
        for _ in range(count):
            yield np.full((*ids.shape, 3), 120, np.uint8), ids, truth, SimpleNamespace(people=[])


def test_a_clip_is_what_the_leak_benchmark_reads(tmp_path: Path) -> None:
    film: Any = Unmoving(128)
    nothing: Any = None
    write_clip(film, nothing, nothing, tmp_path / "hall", fps=5, seconds=0.4, seed=1)
    truth = ClipTruth(tmp_path / "hall.mp4")
    assert len(truth.frames) == len(truth.ids) == 2
    assert truth.fov_deg == 180
    assert truth.circle_px == pytest.approx((64, 64, 128 * 0.49))
    with open_source(Source(str(tmp_path / "hall.mp4"), realtime=False), "1") as opened:
        assert opened.info.size_wh == (128, 128)


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
