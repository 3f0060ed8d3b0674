"""What cameras do to tiles: through a real codec, reproducibly, and nothing moves."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from training.augment import degrade, video


def _tile(h: int, w: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    blobs = cv2.GaussianBlur(rng.normal(0, 1, (h, w, 3)).astype(np.float32), (0, 0), 4)
    return np.clip(128 + blobs * 700, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("h", "w"), [(256, 256), (352, 352), (97, 130), (64, 61)])
def test_video_keeps_the_picture_in_its_place(h: int, w: int) -> None:
    tile = _tile(h, w)
    inner = (slice(8, -8), slice(8, -8))
    for seed in range(6):
        seen = video(np.random.default_rng(seed), tile)
        assert seen.shape == tile.shape
        assert seen.dtype == np.uint8
        assert 0.3 < np.abs(seen.astype(int) - tile).mean() < 20
        off = {shift: np.abs(np.roll(seen, shift, (0, 1)).astype(int) - tile)[inner].mean()
               for shift in ((0, 0), (2, 0), (-2, 0), (0, 2), (0, -2))}
        assert min(off, key=lambda shift: off[shift]) == (0, 0)


def test_the_same_seed_gives_the_same_tile() -> None:
    tile = _tile(160, 160)
    for seed in range(20):
        first, again = (degrade(np.random.default_rng(seed), tile.copy()) for _ in range(2))
        assert np.array_equal(first, again)
    assert not np.array_equal(video(np.random.default_rng(1), tile), video(np.random.default_rng(2), tile))
