"""Render one projection from the picture of another through cached fixed-point maps."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from aipg_plugin.frames import PixelFormat, Planes, check_planes
from aipg_plugin.geometry import Projection
from aipg_plugin.geometry.arrays import Float64, UInt8

_BLOCK_ROWS = 128
_BLACK_LUMA, _BLACK_CHROMA = 16, 128         # BT.601 video range


class _Map:
    """A fixed-point map (cv2.convertMaps) from the pixels of one plane to those of another."""

    def __init__(self, source_px: Float64, source_wh: tuple[int, int], subsampling: int) -> None:
        """`source_px` (H, W, 2): where each target pixel lies in the full-size source, NaN for nowhere."""
        w, h = source_wh
        inside = np.asarray(((source_px >= 0) & (source_px <= (w, h))).all(axis=-1))
        index = np.where(inside[..., None], source_px / subsampling - 0.5, 0.0)
        # cv2's pixel centres are whole numbers; the outer half pixel repeats the edge instead of mixing in black.
        last = np.array([-(-w // subsampling), -(-h // subsampling)], dtype=np.float64) - 1
        index = np.clip(index, 0.0, last).astype(np.float32)
        self._outside = ~inside
        self._whole = bool(inside.all())
        self._maps: tuple[Any, Any] = cv2.convertMaps(index[..., 0], index[..., 1], cv2.CV_16SC2)

    def render(self, plane: UInt8, black: int) -> UInt8:
        """A new plane of the target, `black` where the source shows nothing."""
        picture = cv2.remap(plane, *self._maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        if not self._whole:
            picture[self._outside] = black
        return np.asarray(picture, dtype=np.uint8)


def _source_pixels(source: Projection, target: Projection, subsampling: int) -> Float64:
    """(H, W, 2) source pixels of the centres of the target's pixels (of its chroma samples for subsampling 2)."""
    w, h = (-(-side // subsampling) for side in target.size_wh)
    px = np.empty((h, w, 2))
    # In an odd picture the last chroma sample's centre lies on the edge.
    x = np.minimum((np.arange(w) + 0.5) * subsampling, target.size_wh[0] - 0.5)
    y = np.minimum((np.arange(h) + 0.5) * subsampling, target.size_wh[1] - 0.5)
    for top in range(0, h, _BLOCK_ROWS):
        grid = np.stack(np.meshgrid(x, y[top:top + _BLOCK_ROWS]), axis=-1)
        rays = target.pixel_to_ray(grid.reshape(-1, 2))
        px[top:top + _BLOCK_ROWS] = source.ray_to_pixel(rays).reshape(grid.shape)
    return px


class Dewarper:
    """Shows `target` from pictures of `source`; the maps are made once, on first use of each kind."""

    def __init__(self, source: Projection, target: Projection) -> None:
        self.source, self.target = source, target
        self._cached: dict[int, _Map] = {}

    def _map(self, subsampling: int) -> _Map:
        if subsampling not in self._cached:
            px = _source_pixels(self.source, self.target, subsampling)
            self._cached[subsampling] = _Map(px, self.source.size_wh, subsampling)
        return self._cached[subsampling]

    def image(self, bgr: UInt8) -> UInt8:
        """A new (H, W, 3) picture of `target` from one of `source`, black outside. Raises GuardError on its size."""
        return self.planes(PixelFormat.BGR24, (bgr,))[0]

    def planes(self, pixel_format: PixelFormat, planes: Planes) -> Planes:
        """New planes of `target` from planes of `source` (see `frames.plane_shapes`), video black (16, 128) outside.

        Raises GuardError when the planes are not those of a picture of the source's size.
        """
        check_planes(pixel_format, self.source.size_wh, planes)
        if pixel_format is PixelFormat.BGR24:
            return (self._map(1).render(planes[0], 0),)
        luma = self._map(1).render(planes[0], _BLACK_LUMA)
        return (luma, *(self._map(2).render(plane, _BLACK_CHROMA) for plane in planes[1:]))
