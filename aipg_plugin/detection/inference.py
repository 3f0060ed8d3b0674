"""Runs the net on the tiles of a picture, as many at a time as the net takes best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aipg_plugin.detection.onnx import PersonNet
from aipg_plugin.detection.preprocess import crop_tiles
from aipg_plugin.detection.tiles import Tile
from aipg_plugin.geometry.arrays import Float32, UInt8


def run_on(net: PersonNet, picture_bgr: UInt8, tiles: Sequence[Tile],
           most: int) -> Iterator[tuple[Float32, Float32 | None]]:
    """Raw output and silhouette (h, w), or None, of each tile in order; tiles of one `input_px`.

    A net of one thread takes up to `most` at once; one of several takes them one by one, and the next are cut out
    meanwhile. Raises DetectionError when the runtime fails.
    """
    if not tiles:
        return
    step = net.at_once(most, tiles[0].input_px)
    batches = (crop_tiles(picture_bgr, tiles[start:start + step]) for start in range(0, len(tiles), step))
    in_turn = net.in_turn if len(tiles) > step else map
    for raw, maps in in_turn(net.run, batches):
        for k, row in enumerate(raw):
            yield row, None if maps is None else maps[k, 0]
