"""Compares pictures of one fixed camera at low resolution: is it the same scene, and where does it differ?"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.frames import PixelFormat, Planes, shrunk
from aipg_plugin.geometry.arrays import Bools, Float32, UInt8

THUMBNAIL_PX = 80        # longer side: a head covers one or two pixels, and comparing takes a tenth of a millisecond
_ROWS = 640              # rows of the picture that the thumbnail is made from, at least; every second row is as good
_DETAIL_PX = 9           # scenes are compared by detail finer than this: light and shade count less
# Correlation of detail: pictures of other rooms reach 0.1, of one room with other people 0.44 to 1, one shifted by
# 2 % of its side 0.57 (measured on 68 real pictures and the sample clip).
_SAME_SCENE = 0.4
_SCENE_SHARE = 0.1       # less is people in a room without detail (other rooms differ in 0.15 to 0.84 of the picture)
_DIFFERENT_LEVEL = 14.0  # grey levels: people differ from what was there by 65 to 140 (quartiles, sample clip)
_DIFFERENT_COLOUR = 7.0  # chroma levels: clothes as bright as the floor
_SAME_LEVEL, _SAME_COLOUR = 5, 3  # nothing that differs by no more than this anywhere can reach these
_RANGE_SHARE = 0.35      # of the range of the pixels around: a shift by half a pixel is no difference
_LEAST_PX = 2            # connected pixels; compression and noise change single ones
_GAIN_RANGE = (0.25, 4.0)  # exposure steps that are divided out
_MEDIAN_EVERY = 3        # of the pixels
_GAIN_OFFSET = 8.0       # grey levels added before dividing, so that black does not decide


@dataclass(frozen=True, eq=False)
class Thumbnail:
    """A small picture: `luma` (h, w) and `chroma` (h/2, w/2, 2), uint8, each pixel the mean of those under it."""

    luma: UInt8
    chroma: UInt8

    def with_places_of(self, newer: Thumbnail, places: Bools) -> Thumbnail:
        """This thumbnail with the pixels of a newer one of the same size where `places` (h, w) is set."""
        coarse = cv2.resize(places.astype(np.uint8), self.chroma.shape[1::-1], interpolation=cv2.INTER_AREA) > 0
        return Thumbnail(np.where(places, newer.luma, self.luma),
                         np.where(coarse[..., None], newer.chroma, self.chroma))


@dataclass(frozen=True, eq=False)
class PictureChange:
    """What changed from one picture to another: the `scene`, or the places where `different` (h, w) bool is set."""

    scene: bool
    different: Bools


class SceneComparator:
    """Makes and compares thumbnails of pictures of one size. `valid` (H, W) bool is where the lens shows something."""

    def __init__(self, valid: NDArray[np.bool_]) -> None:
        h, w = valid.shape
        factor = min(1.0, THUMBNAIL_PX / max(w, h))
        self.size_wh = (max(1, round(w * factor)), max(1, round(h * factor)))
        self._half_wh = ((self.size_wh[0] + 1) // 2, (self.size_wh[1] + 1) // 2)
        seen = cv2.resize(valid.astype(np.float32), self.size_wh, interpolation=cv2.INTER_AREA)
        self.valid: Bools = np.asarray(seen > 0.5, bool)
        if not self.valid.any():
            self.valid = np.ones(self.size_wh[::-1], bool)
        self._half_valid: Bools = np.asarray(
            cv2.resize(self.valid.astype(np.uint8), self._half_wh, interpolation=cv2.INTER_NEAREST) > 0, bool)
        # Medians of some of the pixels are as good, and sorting is most of a comparison.
        self._some = np.flatnonzero(self.valid)[::_MEDIAN_EVERY]
        self._some_half = np.flatnonzero(self._half_valid)[::_MEDIAN_EVERY]
        self._valid_px = max(1.0, float(np.count_nonzero(self.valid)))

    def thumbnail(self, pixel_format: PixelFormat, planes: Planes) -> Thumbnail:
        """The thumbnail of a picture."""
        if pixel_format is PixelFormat.BGR24:
            packed = cv2.cvtColor(shrunk(_some_rows(planes[0]), self.size_wh), cv2.COLOR_BGR2YCrCb)
            chroma = cv2.resize(packed[..., 2:0:-1], self._half_wh, interpolation=cv2.INTER_AREA)
            return Thumbnail(np.ascontiguousarray(packed[..., 0]).astype(np.uint8), np.asarray(chroma, np.uint8))
        luma = shrunk(_some_rows(planes[0]), self.size_wh)
        parts = [shrunk(_some_rows(plane), self._half_wh) for plane in planes[1:]]
        return Thumbnail(luma, parts[0] if len(parts) == 1 else np.dstack(parts).astype(np.uint8))

    def compare(self, before: Thumbnail, now: Thumbnail) -> PictureChange:
        """What changed between two thumbnails; other sizes than this comparator's are another scene."""
        if not before.luma.shape == now.luma.shape == self.valid.shape:
            return PictureChange(True, self.valid)
        if cv2.norm(before.luma, now.luma, cv2.NORM_INF) <= _SAME_LEVEL and (
                cv2.norm(before.chroma, now.chroma, cv2.NORM_INF) <= _SAME_COLOUR):
            return PictureChange(False, np.zeros_like(self.valid))
        one, two = before.luma.astype(np.float32), now.luma.astype(np.float32)
        different = self._brighter(one, two)
        share = float(np.count_nonzero(different)) / self._valid_px
        if share > _SCENE_SHARE and self._correlation(one, two) < _SAME_SCENE:
            return PictureChange(True, different)
        return PictureChange(False, large(different | self._coloured(before.chroma, now.chroma), _LEAST_PX))

    def _correlation(self, one: Float32, two: Float32) -> float:
        """Of the detail of two thumbnails, 1 where neither has any."""
        first, second = self._detail(one), self._detail(two)
        norm = float(np.linalg.norm(first) * np.linalg.norm(second))
        return float(np.vdot(first, second)) / norm if norm > 1e-3 else 1.0

    def _detail(self, picture: Float32) -> Float32:
        root = np.sqrt(picture)  # so that lamps do not decide
        return np.asarray((root - cv2.blur(root, (_DETAIL_PX, _DETAIL_PX))) * self.valid, np.float32)

    def _brighter(self, before: Float32, now: Float32) -> Bools:
        """(h, w) bool: brighter or darker than before, exposure divided out."""
        ratio = (now.take(self._some) + _GAIN_OFFSET) / (before.take(self._some) + _GAIN_OFFSET)
        gain = float(np.clip(np.median(ratio), *_GAIN_RANGE))
        expected = (before + _GAIN_OFFSET) * gain - _GAIN_OFFSET
        limit = _DIFFERENT_LEVEL + _RANGE_SHARE * _range(expected)
        return np.asarray((np.abs(now - expected) > limit) & self.valid, bool)

    def _coloured(self, before: UInt8, now: UInt8) -> Bools:
        """(h, w) bool: of another colour than before, a cast of the whole picture taken out."""
        step = now.astype(np.float32) - before
        step -= [float(np.median(step[..., channel].take(self._some_half))) for channel in (0, 1)]
        limit = _DIFFERENT_COLOUR + _RANGE_SHARE * _range(before.astype(np.float32))
        half = (np.abs(step) > limit).any(axis=2).astype(np.uint8)
        return np.asarray((cv2.resize(half, self.size_wh, interpolation=cv2.INTER_NEAREST) > 0) & self.valid, bool)


def _some_rows(plane: UInt8) -> UInt8:
    return plane[::max(1, plane.shape[0] // _ROWS)]


def _range(picture: Float32) -> Float32:
    """How much the 3 x 3 pixels around each differ."""
    kernel = np.ones((3, 3), np.uint8)
    return np.asarray(cv2.dilate(picture, kernel) - cv2.erode(picture, kernel), np.float32)


def large(mask: Bools, least_px: int) -> Bools:
    """(h, w) bool: the connected regions of a mask of at least `least_px` pixels."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count == 1:
        return mask
    kept = stats[:, cv2.CC_STAT_AREA] >= least_px
    kept[0] = False
    return np.asarray(kept[labels], bool)
