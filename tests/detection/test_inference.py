"""The net on the tiles of a picture: all of them, in order, however many at a time and in however many threads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aipg_plugin.detection.flat import FlatTile
from aipg_plugin.detection.inference import run_on
from aipg_plugin.detection.onnx import open_file
from aipg_plugin.detection.preprocess import crop_tiles
from aipg_plugin.errors import DetectionError
from tests.detection.nets import red_net

SIDE = 128
PICTURE = np.random.default_rng(3).integers(0, 255, (300, 300, 3), np.uint8)
TILES = [FlatTile((40.0 + 30 * k, 150.0), (90.0, 90.0), 20.0 * k, SIDE) for k in range(7)]


@pytest.mark.parametrize("batch", [None, 2])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("count", [0, 1, 7])
def test_every_tile_is_told_of_in_order(tmp_path: Path, batch: int | None, threads: int, count: int) -> None:
    net = open_file(red_net(tmp_path / "n.onnx", side=SIDE, batch=batch), tile_px=SIDE, threads=threads)
    told = list(run_on(net, PICTURE, TILES[:count], 4))
    assert len(told) == count
    for tile, (raw, silhouette) in zip(TILES, told, strict=False):
        wanted, map_wanted = net.run(crop_tiles(PICTURE, [tile]))
        assert map_wanted is not None
        assert silhouette is not None
        assert np.array_equal(raw, wanted[0])
        assert np.array_equal(silhouette, map_wanted[0, 0])


@pytest.mark.parametrize("threads", [1, 2])
def test_a_net_that_fails_says_so(tmp_path: Path, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    net = open_file(red_net(tmp_path / "n.onnx", side=SIDE), tile_px=SIDE, threads=threads)
    monkeypatch.setattr(net, "_input", "no such input")
    with pytest.raises(DetectionError, match="failed"):
        list(run_on(net, PICTURE, TILES, 4))
