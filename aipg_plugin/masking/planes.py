"""The planes of a picture, written natively and in place: I420, NV12 and BGR24 through one table.

Rows may be apart (a padded or cropped plane), but the samples of a row must be contiguous and writeable.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.errors import GuardError
from aipg_plugin.frames import PixelFormat, Planes, check_planes
from aipg_plugin.geometry.arrays import Float32, Ints, UInt8
from aipg_plugin.masking.region import BlockRect

BAND_BLOCKS = 1 << 15           # so many are painted at a time: temporaries then stay in the cache


@dataclass(frozen=True)
class PlaneLayout:
    """One plane: a sample per `step` × `step` px, holding these channels of a colour."""

    step: int
    channels: tuple[int, ...]


LAYOUTS = {
    PixelFormat.I420: (PlaneLayout(1, (0,)), PlaneLayout(2, (1,)), PlaneLayout(2, (2,))),
    PixelFormat.NV12: (PlaneLayout(1, (0,)), PlaneLayout(2, (1, 2))),
    PixelFormat.BGR24: (PlaneLayout(1, (0, 1, 2)),),
}


@dataclass(frozen=True, eq=False)
class PicturePlanes:
    """The planes of one picture. Raises GuardError unless they have the format's shapes, are uint8 and have
    contiguous rows."""

    format: PixelFormat
    size_wh: tuple[int, int]
    planes: Planes

    def __post_init__(self) -> None:
        check_planes(self.format, self.size_wh, self.planes)
        for plane in self.planes:
            if not _contiguous_rows(plane):
                raise GuardError("a plane's rows are not contiguous (strides {strides})", strides=plane.strides,
                                 cure="pass np.ascontiguousarray(plane)")

    def check_writeable(self) -> None:
        """Raise GuardError if a plane is read-only."""
        if not all(plane.flags.writeable for plane in self.planes):
            raise GuardError("a plane is read-only", cure="mask a copy of it")

    def window_means(self, cell_px: int, cells: Ints, window: int, nothing: UInt8 | None = None) -> Float32:
        """Means (N, C) of the first plane, which has the luma, around cells (N, 2), given as row and column.

        The window is that many times as wide as the cell, centred on it, cut at the picture's edge, and without the
        blocks where `nothing` (H/2, W/2) is 1.
        """
        plane, reach = self.planes[0], (window - 1) * cell_px // 2
        means = []
        for y, x in (cells * cell_px).tolist():
            rows = slice(max(y - reach, 0), y + cell_px + reach)
            columns = slice(max(x - reach, 0), x + cell_px + reach)
            part = plane[rows, columns]
            shown = None if nothing is None else _shown_in(nothing, rows, columns, part)
            means.append(cv2.mean(part) if shown is None else cv2.mean(part, shown))
        return np.array(means, np.float32)[:, :len(LAYOUTS[self.format][0].channels)]

    def masked_mean(self, rect: BlockRect, bits: UInt8) -> Float32:
        """Mean colour (3,) of the blocks of `rect` where `bits` (h, w) is 1, in the format's channels."""
        mean = np.zeros(3, np.float32)
        for layout, plane in self._layouts():
            first, count = layout.channels[0], len(layout.channels)
            target = _part(plane, rect, 2 // layout.step)
            mean[first:first + count] = cv2.mean(target, _samples(bits, target, 2 // layout.step))[:count]
        return mean

    def paint_cells(self, rect: BlockRect, bits: UInt8, cell_px: int, colours: UInt8) -> None:
        """Paint the blocks of `rect` where `bits` (h, w) is nonzero with their cells' colours.

        `colours` (rows, columns, 3) holds the cells that `rect` touches; they have one hue: chroma planes get the
        first's.
        """
        for layout, plane in self._layouts():
            scale, side = 2 // layout.step, cell_px // layout.step
            target = _part(plane, rect, scale)
            if layout.step == 2:
                _fill(target, _samples(bits, target, scale), _channels(colours[0, 0], layout))
                continue
            source = _enlarged(_channels(colours, layout), side)
            y, x = rect.y0 * scale % side, rect.x0 * scale % side
            cv2.copyTo(source[y:y + target.shape[0], x:x + target.shape[1]], _samples(bits, target, scale), target)

    def soften(self, rect: BlockRect, bits: UInt8) -> None:
        """Blur the first plane, which has the luma, by a pixel where `bits` (h, w) is nonzero."""
        target = _part(self.planes[0], rect, 2)
        cv2.copyTo(cv2.blur(target, (3, 3), borderType=cv2.BORDER_REPLICATE), _samples(bits, target, 2), target)

    def fill_blocks(self, rect: BlockRect, bits: UInt8, colour: UInt8) -> None:
        """Paint the blocks of `rect` where `bits` (h, w) is nonzero in one colour (3,) of the format's channels."""
        for layout, plane in self._layouts():
            scale = 2 // layout.step
            target = _part(plane, rect, scale)
            _fill(target, _samples(bits, target, scale), _channels(colour, layout))

    def paint_all(self, cell_px: int, colours: UInt8) -> None:
        """Paint everything with the colours (rows, columns, 3) of all cells."""
        for layout, plane in self._layouts():
            source = _enlarged(_channels(colours, layout), cell_px // layout.step)
            np.copyto(plane, source[:plane.shape[0], :plane.shape[1]])

    def copy_blocks(self, source: PicturePlanes, rect: BlockRect, bits: UInt8) -> None:
        """Copy the blocks of `rect` where `bits` (h, w) is nonzero from another picture of this format and size."""
        for (layout, plane), from_plane in zip(self._layouts(), source.planes, strict=True):
            scale = 2 // layout.step
            target = _part(plane, rect, scale)
            cv2.copyTo(_part(from_plane, rect, scale), _samples(bits, target, scale), target)

    def _layouts(self) -> Iterator[tuple[PlaneLayout, UInt8]]:
        return zip(LAYOUTS[self.format], self.planes, strict=True)


def native_colour(pixel_format: PixelFormat, bgr: tuple[int, int, int]) -> UInt8:
    """A BGR colour in the format's channels, (3,) uint8 (BT.601 video range for YUV, as planes_to_bgr reads it)."""
    if pixel_format is PixelFormat.BGR24:
        return np.array(bgr, np.uint8)
    packed = cv2.cvtColor(np.full((2, 2, 3), bgr, np.uint8), cv2.COLOR_BGR2YUV_I420).reshape(-1)
    return np.array([packed[0], packed[4], packed[5]], np.uint8)


def bands(rect: BlockRect) -> list[BlockRect]:
    """The rectangle cut into bands of about BAND_BLOCKS blocks."""
    if (rect.x1 - rect.x0) * (rect.y1 - rect.y0) <= BAND_BLOCKS:
        return [rect]
    rows = max(BAND_BLOCKS // max(rect.x1 - rect.x0, 1), 1)
    return [BlockRect(rect.x0, y, rect.x1, min(y + rows, rect.y1)) for y in range(rect.y0, rect.y1, rows)]


def _contiguous_rows(plane: UInt8) -> bool:
    samples = plane.shape[2] if plane.ndim == 3 else 1
    inner = (samples, 1) if plane.ndim == 3 else (1,)
    in_row = plane.shape[1] == 1 or plane.strides[1:] == inner
    rows_apart = plane.shape[0] == 1 or plane.strides[0] >= plane.shape[1] * samples
    return in_row and rows_apart


def _part(plane: UInt8, rect: BlockRect, scale: int) -> UInt8:
    return plane[rect.y0 * scale:rect.y1 * scale, rect.x0 * scale:rect.x1 * scale]


def _fill(target: UInt8, chosen: UInt8, colour: UInt8) -> None:
    """One colour, of one channel () or of several (C,), where `chosen` (h, w) is nonzero."""
    source = np.empty(target.shape, np.uint8)
    source[:] = colour
    cv2.copyTo(source, chosen, target)


def _enlarged(colours: UInt8, side: int) -> UInt8:
    """Cells (rows, columns[, C]) with `side` × `side` samples each."""
    return colours.repeat(side, axis=1).repeat(side, axis=0)


def _channels(colours: UInt8, layout: PlaneLayout) -> UInt8:
    part = colours[..., layout.channels[0]:layout.channels[-1] + 1]
    return part[..., 0] if len(layout.channels) == 1 else part


def _shown_in(nothing: UInt8, rows: slice, columns: slice, part: NDArray[Any]) -> UInt8 | None:
    """1 for the pixels of a part, which starts at even ones, where the lens shows something; None for all or none."""
    blocks = nothing[rows.start // 2:-(-rows.stop // 2), columns.start // 2:-(-columns.stop // 2)]
    black = cv2.countNonZero(blocks)
    return None if black in {0, blocks.size} else _samples(1 - blocks, part, 2)


def _samples(bits: UInt8, target: NDArray[Any], scale: int) -> UInt8:
    """One mask value per sample of `target` from one per block; cut where an odd picture cuts its last block."""
    if scale == 1:
        return bits
    pairs = bits.astype(np.uint16) * 257  # each byte twice; several times as fast as cv2.resize
    full = pairs.view(np.uint8).repeat(2, axis=0)
    return full[:target.shape[0], :target.shape[1]]
