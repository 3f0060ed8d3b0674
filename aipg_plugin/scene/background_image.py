"""The learned empty scene of one stream at full resolution, for `masking_method: background`."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.frames import PixelFormat, Planes
from aipg_plugin.masking.plan import Background

_BLOCK_PX = 16      # side of the blocks that are learned as one
_LEARN_EVERY_S = 0.5  # least time between two looks
_CLEAN_LOOKS = 10   # a block is learned after this many looks in a row without a mask: 5 s
_REACH_BLOCKS = 2   # blocks next to a mask are not clean: shadows, hair and hands


class BackgroundImage:
    """Remembers each block of the picture as it looked when nobody had been near it for a while.

    A mask that appears where none was near, beside another one or not, covers somebody who had been there unseen, so
    what was learned there shows them and is forgotten. The same goes for one that moves by over 32 px from picture to
    picture: the mosaic shows there.
    """

    def __init__(self, pixel_format: PixelFormat, size_wh: tuple[int, int]) -> None:
        self._format = pixel_format
        self._size_wh = size_wh
        self._fresh = False
        self.forget()

    def forget(self) -> None:
        """Start anew: the scene may be another one, or nobody watched it."""
        if self._fresh:
            return
        self._fresh = True
        w, h = self._size_wh
        self._clean = np.zeros((-(-h // _BLOCK_PX), -(-w // _BLOCK_PX)), np.uint8)
        self._touched = np.ones_like(self._clean)
        self._planes: Planes | None = None
        self._known: NDArray[np.uint8] = np.zeros((h, w), np.uint8)
        self._next_s = -float("inf")

    def known(self) -> Background | None:
        """Planes and known mask so far; None while nothing is known."""
        return Background(self._planes, self._known) if self._planes is not None else None

    def covered(self, mask: NDArray[np.uint8]) -> bool:
        """Take in every picture's mask (H, W); true if it covers somebody whom the scene had learned, now forgotten."""
        self._fresh = False
        touched = self._blocks(mask)
        reach = np.ones((2 * _REACH_BLOCKS + 1,) * 2, np.uint8)
        near, self._touched = cv2.dilate(self._touched, reach) > 0, touched  # nothing is learned so near to a mask
        sudden = cv2.dilate(np.where(near, np.uint8(0), touched), reach) > 0
        shown = sudden & (self._clean >= _CLEAN_LOOKS)  # else the scene there is older than the person
        self._clean[sudden] = 0
        if not shown.any():
            return False
        w, h = self._size_wh
        self._known[np.kron(shown, np.ones((_BLOCK_PX, _BLOCK_PX), bool))[:h, :w]] = 0
        return True

    def learn(self, planes: Planes, mask: NDArray[np.uint8], t_s: float) -> None:
        """Look at a masked picture; `mask` (H, W) uint8 is non-zero where it was painted over."""
        if t_s < self._next_s:
            return
        self._next_s = t_s + _LEARN_EVERY_S
        near = cv2.dilate(self._blocks(mask), np.ones((2 * _REACH_BLOCKS + 1,) * 2, np.uint8)) > 0
        self._clean = np.where(near, 0, np.minimum(self._clean.astype(np.int16) + 1, 255)).astype(np.uint8)
        ready = self._clean >= _CLEAN_LOOKS
        if self._planes is None:
            self._planes = tuple(np.zeros_like(plane) for plane in planes)
        w, h = self._size_wh
        full = cv2.resize(ready.astype(np.uint8), None, fx=_BLOCK_PX, fy=_BLOCK_PX,
                          interpolation=cv2.INTER_NEAREST)[:h, :w]
        half = cv2.resize(ready.astype(np.uint8), None, fx=_BLOCK_PX // 2, fy=_BLOCK_PX // 2,
                          interpolation=cv2.INTER_NEAREST)[:(h + 1) // 2, :(w + 1) // 2]
        for index, (mine, theirs) in enumerate(zip(self._planes, planes, strict=True)):
            chosen = (full if index == 0 else half) > 0
            mine[chosen] = theirs[chosen]
        np.bitwise_or(self._known, full.astype(np.uint8), out=self._known)

    def _blocks(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(rows, cols) uint8, 1 for blocks with a masked pixel."""
        rows, cols = self._clean.shape
        masked = cv2.copyMakeBorder(mask, 0, rows * _BLOCK_PX - mask.shape[0], 0, cols * _BLOCK_PX - mask.shape[1],
                                    cv2.BORDER_CONSTANT)
        return np.asarray(masked.reshape(rows, _BLOCK_PX, cols, _BLOCK_PX).max(axis=(1, 3)) > 0, np.uint8)

