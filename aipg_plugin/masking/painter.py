"""Paints a plan into a picture's planes: compose, take the colours due, then paint."""

from __future__ import annotations

import math
from collections import Counter

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.frames import PixelFormat, Planes
from aipg_plugin.geometry.arrays import UInt8
from aipg_plugin.masking.cells import LADDER_PX, SteadyCells
from aipg_plugin.masking.effects import Mosaic, fill_colour, outline_colour
from aipg_plugin.masking.plan import Background, MaskPlan
from aipg_plugin.masking.planes import PicturePlanes, bands, native_colour
from aipg_plugin.masking.region import BlockRect, MaskPart, RegionMap
from aipg_plugin.options import MaskingMethod

_VANISH_SHARE, _VANISHED_SHARE = 0.95, 0.85  # of what a figure covers known: from then on it vanishes, and goes on to
_NEAR = np.ones((3, 3), np.uint8)
_SOFT_BELOW_PX = 960   # longer side of pictures in which steps of 2 px are seen
_OUTLINE_SHARE = 1600  # of the picture's longer side is one block of an outline's width


class MaskPainter:
    """Masks the pictures of one stream, in place. Not thread-safe: one painter per stream.

    It remembers the mosaic's colours and the figures' cell sizes, so pictures should come in order of time.
    """

    def __init__(self, pixel_format: PixelFormat, size_wh: tuple[int, int]) -> None:
        self._format = pixel_format
        self._size_wh = size_wh
        self._region = RegionMap(size_wh)
        self._mosaic = Mosaic(pixel_format, size_wh)
        self._steady = SteadyCells()
        self._vanished: set[int] = set()  # figures in whose place the empty scene was shown last
        self._t_s = 0.0

    @property
    def mask(self) -> UInt8:
        """(H, W) uint8, 255 where the last picture was masked, 0 elsewhere; whole 2 × 2 px blocks."""
        w, h = self._size_wh
        return np.repeat(np.repeat((self._region.level > 0) * np.uint8(255), 2, axis=0), 2, axis=1)[:h, :w]

    def paint(self, planes: Planes, plan: MaskPlan, t_s: float, background: Background | None = None) -> float:
        """Mask `planes` as planned; `t_s` is the picture's time. Returns the masked share of the picture, 0–1.

        Geometry never makes it raise: what can't be drawn masks the whole picture. Raises GuardError when the planes
        (or the background's) don't fit the format and size, are read-only or have no contiguous rows.
        """
        picture = PicturePlanes(self._format, self._size_wh, planes)
        picture.check_writeable()
        if math.isfinite(t_s):
            self._t_s = t_s
        self._mosaic.cell_share, self._mosaic.t_s = plan.cell_share, self._t_s
        cells = self._steady.update({figure.key: figure.cell_px for figure in plan.figures}, self._t_s)
        self._region.compose(plan, cells)
        filling = fill_colour(plan, self._format)
        if filling is not None:
            self._fill(picture, filling, self._region.level)
            if plan.fill_outline:
                self._outline(picture, outline_colour(self._format, plan.fill_colour_bgr))
            self._soften(picture, plan)
            self._blacken(picture)
            return self._region.share()
        parts = [(part, None if self._region.full else self._bits(part)) for part in self._region.parts]
        # All colours are taken before anything is painted, since cells of neighbours overlap: by who is on top first.
        for part, bits in reversed(parts):
            self._mosaic.sample(picture, part, bits, self._region.nothing)
        _paint(picture, parts, self._mosaic)
        if plan.method is MaskingMethod.BACKGROUND and background is not None:
            self._copy_background(picture, background)
        self._soften(picture, plan)
        self._blacken(picture)
        return self._region.share()

    def _bits(self, part: MaskPart) -> UInt8:
        """(h, w) 1 for the part's blocks that have its level, else 0."""
        return np.asarray(self._region.level[part.rect.slices] == part.level).view(np.uint8) & part.patch.bits

    def _outline(self, picture: PicturePlanes, colour: UInt8) -> None:
        """A line along the inner edge of each part; parts cover each other's in their order."""
        wide = 2 * max(1, round(max(self._size_wh) / _OUTLINE_SHARE)) + 1
        lines = np.zeros_like(self._region.level)
        for part in self._region.parts:
            bits, target = part.patch.bits, lines[part.rect.slices]
            inner = cv2.erode(bits, np.ones((wide, wide), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
            cv2.copyTo(bits - np.asarray(inner, np.uint8), bits, target)
        for part in self._region.parts:
            picture.fill_blocks(part.rect, lines[part.rect.slices], colour)

    def _soften(self, picture: PicturePlanes, plan: MaskPlan) -> None:
        """Smooth the steps of the figures' edges: their outermost blocks take in some of what is shown beside them.

        After everything is painted, so that nothing under a mask is in it. In large pictures the steps are too small to
        be seen.
        """
        if max(self._size_wh) >= _SOFT_BELOW_PX:
            return
        for part in self._region.parts:
            if part.least_blocks and not (plan.method is MaskingMethod.BACKGROUND and part.key in self._vanished):
                bits = part.patch.bits
                picture.soften(part.rect, bits - np.asarray(cv2.erode(bits, _NEAR), np.uint8))

    def _blacken(self, picture: PicturePlanes) -> None:
        """Black where the lens shows nothing: masks, and the mosaic's cells, would reach over its rim."""
        nothing = self._region.nothing
        if nothing is None:
            return
        masked = np.asarray(cv2.copyTo(self._region.level, nothing), np.uint8)
        self._fill(picture, native_colour(self._format, (0, 0, 0)), masked)

    def _fill(self, picture: PicturePlanes, colour: UInt8, blocks: NDArray[np.integer]) -> None:
        """One colour where `blocks` (H/2, W/2) are not 0."""
        x, y, w, h = cv2.boundingRect(blocks)
        for band in bands(BlockRect(x, y, x + w, y + h)) if w and h else ():
            picture.fill_blocks(band, np.asarray(blocks[band.slices], np.uint8), colour)

    def _copy_background(self, picture: PicturePlanes, background: Background) -> None:
        """The empty scene where it is known, under figures only: areas hide the scene itself.

        A figure vanishes as a whole or not at all, since half of one is a ghost: not while more than a little of what
        it covers is unknown. What is unknown, and what another figure covers that stays, is a mosaic in any case.
        """
        scene = PicturePlanes(self._format, self._size_wh, background.planes)
        figures = [(part, [(band, part.within(band) & _known_blocks(background.known, band))
                           for band in bands(part.rect)]) for part in self._region.parts if part.least_blocks]
        blocks, known = Counter[int](), Counter[int]()
        for part, found in figures:
            blocks[part.key] += cv2.countNonZero(part.patch.bits)
            known[part.key] += sum(cv2.countNonZero(bits) for _, bits in found)
        self._vanished = {key for key, count in blocks.items() if known[key] >= count * (
            _VANISHED_SHARE if key in self._vanished else _VANISH_SHARE)}
        stays = np.array(self._region.area)
        for part, _ in figures:
            if part.key not in self._vanished:
                stays[part.rect.slices] |= part.patch.bits
        for part, found in figures:
            for band, bits in found if part.key in self._vanished else ():
                picture.copy_blocks(scene, band, bits & (1 - stays[band.slices]))


def _paint(picture: PicturePlanes, parts: list[tuple[MaskPart, UInt8 | None]], mosaic: Mosaic) -> None:
    """Paint each part's blocks (None: all of the picture)."""
    for part, bits in parts:
        cell_px = LADDER_PX[part.level - 1]
        if bits is None:
            picture.paint_all(cell_px, mosaic.colours(part, part.rect))
            continue
        for band in bands(part.rect):
            rows = bits[band.y0 - part.rect.y0:band.y1 - part.rect.y0]
            picture.paint_cells(band, rows, cell_px, mosaic.colours(part, band))


def _known_blocks(known: NDArray[np.generic], rect: BlockRect) -> UInt8:
    """(h, w) 1 for the blocks of `rect` all of whose pixels are known; `known` is (H, W)."""
    part = (known[rect.y0 * 2:rect.y1 * 2, rect.x0 * 2:rect.x1 * 2] != 0) * np.uint8(255)
    h, w = part.shape
    if h % 2 or w % 2:
        part = cv2.copyMakeBorder(part, 0, h % 2, 0, w % 2, cv2.BORDER_REPLICATE)
    blocks = cv2.resize(part, (rect.x1 - rect.x0, rect.y1 - rect.y0), interpolation=cv2.INTER_AREA)
    return np.asarray(blocks == 255).view(np.uint8)
