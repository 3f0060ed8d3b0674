"""Compares pictures of one fixed camera at low resolution: is it the same scene, and where does it differ?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

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
_AROUND = np.ones((3, 3), np.uint8)
_BESIDE = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], np.uint8)
_GAIN_RANGE = (0.25, 4.0)  # exposure steps that are divided out
_MEDIAN_EVERY = 3        # of the pixels
_GAIN_OFFSET = 8.0       # grey levels added before dividing, so that black does not decide


@dataclass(frozen=True, eq=False)
class Thumbnail:
    """A small picture: `luma` (h, w) and `chroma` (h/2, w/2, 2), uint8, each pixel the mean of those under it."""

    luma: UInt8
    chroma: UInt8

    @cached_property
    def levels(self) -> Float32:
        """(h, w) luma, to be divided by another's."""
        return np.asarray(self.luma + np.float32(_GAIN_OFFSET), np.float32)

    @cached_property
    def slack(self) -> Float32:
        """(h, w) levels: how far luma may be off where edges shift by half a pixel."""
        return np.asarray(_range(self.luma) * np.float32(_RANGE_SHARE), np.float32)

    @cached_property
    def most_colour(self) -> Float32:
        """(h/2, w/2, 2) levels: how far chroma may be off."""
        return np.asarray(_DIFFERENT_COLOUR + _range(self.chroma) * np.float32(_RANGE_SHARE), np.float32)

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
        self._nowhere: Bools = np.zeros_like(self.valid)
        self._nowhere.setflags(write=False)

    def thumbnail(self, pixel_format: PixelFormat, planes: Planes) -> Thumbnail:
        """The thumbnail of a picture."""
        if pixel_format is PixelFormat.BGR24:
            packed = cv2.cvtColor(shrunk(_some_rows(planes[0]), self.size_wh), cv2.COLOR_BGR2YCrCb)
            chroma = cv2.resize(packed[..., 2:0:-1], self._half_wh, interpolation=cv2.INTER_AREA)
            return Thumbnail(np.ascontiguousarray(packed[..., 0]).astype(np.uint8), np.asarray(chroma, np.uint8))
        luma = shrunk(_some_rows(planes[0]), self.size_wh)
        parts = [shrunk(_some_rows(plane), self._half_wh) for plane in planes[1:]]
        return Thumbnail(luma, parts[0] if len(parts) == 1 else np.asarray(cv2.merge(parts), np.uint8))

    def compare(self, before: Thumbnail, now: Thumbnail) -> PictureChange:
        """What changed between two thumbnails; other sizes than this comparator's are another scene."""
        if not before.luma.shape == now.luma.shape == self.valid.shape:
            return PictureChange(True, self.valid)
        same_colour = cv2.norm(before.chroma, now.chroma, cv2.NORM_INF) <= _SAME_COLOUR
        if same_colour and cv2.norm(before.luma, now.luma, cv2.NORM_INF) <= _SAME_LEVEL:
            return PictureChange(False, self._nowhere)
        different = self._brighter(before, now)
        share = float(np.count_nonzero(different)) / self._valid_px
        if share > _SCENE_SHARE and self._correlation(before.luma.astype(np.float32),
                                                      now.luma.astype(np.float32)) < _SAME_SCENE:
            return PictureChange(True, different)
        if not same_colour:
            different |= self._coloured(before, now)
        return PictureChange(False, _not_alone(different))

    def _correlation(self, one: Float32, two: Float32) -> float:
        """Of the detail of two thumbnails, 1 where neither has any."""
        first, second = self._detail(one), self._detail(two)
        norm = float(np.linalg.norm(first) * np.linalg.norm(second))
        return float(np.vdot(first, second)) / norm if norm > 1e-3 else 1.0

    def _detail(self, picture: Float32) -> Float32:
        root = np.sqrt(picture)  # so that lamps do not decide
        return np.asarray((root - cv2.blur(root, (_DETAIL_PX, _DETAIL_PX))) * self.valid, np.float32)

    def _brighter(self, before: Thumbnail, now: Thumbnail) -> Bools:
        """(h, w) bool: brighter or darker than before, exposure divided out."""
        gain = float(np.clip(_median(now.levels.take(self._some) / before.levels.take(self._some)), *_GAIN_RANGE))
        off = cv2.scaleAdd(before.slack, -gain, cv2.absdiff(now.levels, before.levels * gain))
        return np.asarray((off > _DIFFERENT_LEVEL) & self.valid, bool)

    def _coloured(self, before: Thumbnail, now: Thumbnail) -> Bools:
        """(h, w) bool: of another colour than before, a cast of the whole picture taken out."""
        step = np.asarray(cv2.subtract(now.chroma, before.chroma, dtype=cv2.CV_32F), np.float32)
        step -= _median(step.reshape(-1, 2).take(self._some_half, axis=0))
        half = np.asarray((np.abs(step) > before.most_colour).any(axis=2)).view(np.uint8)
        whole = np.asarray(cv2.resize(half, self.size_wh, interpolation=cv2.INTER_NEAREST), np.uint8)
        return np.asarray(whole.view(np.bool_) & self.valid, bool)


def _some_rows(plane: UInt8) -> UInt8:
    return plane[::max(1, plane.shape[0] // _ROWS)]


def _range(picture: UInt8) -> UInt8:
    """How much the 3 x 3 pixels around each differ."""
    return np.asarray(cv2.morphologyEx(picture, cv2.MORPH_GRADIENT, _AROUND), np.uint8)


def _median(values: Float32) -> Float32:
    """Of (N, ...) values along the first axis; np.median takes a dozen calls more."""
    middle = [(len(values) - 1) // 2, len(values) // 2]
    low, high = np.partition(values, middle, axis=0)[middle]
    return np.asarray((low + high) / 2, np.float32)


def _not_alone(mask: Bools) -> Bools:
    """(h, w) bool: the set pixels beside other ones; compression and noise change single ones."""
    beside = np.asarray(cv2.dilate(mask.view(np.uint8), _BESIDE), np.uint8)
    return np.asarray(mask & beside.view(np.bool_), bool)


def large(mask: Bools, least_px: int) -> Bools:
    """(h, w) bool: the connected regions of a mask of at least `least_px` pixels."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count == 1:
        return mask
    kept = stats[:, cv2.CC_STAT_AREA] >= least_px
    kept[0] = False
    return np.asarray(kept[labels], bool)
