"""From any picture to BGR, and from a BGR picture to the tiles a net sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aipg_plugin.detection.tiles import Tile
from aipg_plugin.errors import DetectionError
from aipg_plugin.geometry.arrays import UInt8


def as_bgr(picture: NDArray[np.generic]) -> UInt8:
    """(H, W, 3) uint8 BGR of a grey (H, W) or (H, W, 1), BGR or BGRA picture, uint8 or uint16.

    16-bit values keep their upper byte. Raises DetectionError on anything else.
    """
    if picture.ndim not in (2, 3) or picture.size == 0:
        raise DetectionError("a picture must be (H, W) or (H, W, 1|3|4) and not empty, got shape {got}",
                             got=picture.shape)
    if picture.dtype == np.uint16:
        picture = (picture.astype(np.uint16) >> 8).astype(np.uint8)
    if picture.dtype != np.uint8:
        raise DetectionError("a picture must be uint8 or uint16, got {got}", got=str(picture.dtype))
    channels = 1 if picture.ndim == 2 else picture.shape[2]
    match channels:
        case 1:
            return np.repeat(picture.reshape(*picture.shape[:2], 1), 3, axis=2)
        case 3:
            return np.ascontiguousarray(picture)
        case 4:
            return np.ascontiguousarray(picture[..., :3])
        case _:
            raise DetectionError("a picture must have 1, 3 or 4 channels, got shape {got}", got=picture.shape)


def crop_tiles(picture_bgr: UInt8, tiles: Sequence[Tile]) -> UInt8:
    """(N, S, S, 3) uint8 tiles of one `input_px`, black outside the picture."""
    crops = np.empty((len(tiles), tiles[0].input_px, tiles[0].input_px, 3), np.uint8)
    for crop, tile in zip(crops, tiles, strict=True):
        tile.crop(picture_bgr, crop)
    return crops


def extend_right(picture_bgr: UInt8, extra_px: int) -> UInt8:
    """The picture with its left edge repeated on the right, for pictures whose borders meet."""
    return np.concatenate([picture_bgr, picture_bgr[:, :extra_px]], axis=1)
