"""The picture as each of its places was last looked at: a look at some tiles says nothing about the others."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from aipg_plugin.geometry import Figure, to_pixels
from aipg_plugin.geometry.arrays import Bools
from aipg_plugin.scene.change import Thumbnail
from aipg_plugin.scene.grid import drawn


class LookedAt:
    """Puts thumbnails of a picture of `size_wh` together, each place from the last look at it.

    Where somebody known is or was at the look before counts as looked at: what they leave behind is explained by them.
    """

    def __init__(self, size_wh: tuple[int, int]) -> None:
        self._size_wh = size_wh
        self.restart()

    def restart(self) -> None:
        """Nothing has been looked at."""
        self._picture: Thumbnail | None = None
        self._people: Bools | None = None

    def update(self, thumbnail: Thumbnail, looked: Bools | None,
               figures: Iterable[Figure]) -> tuple[Thumbnail, Bools | None]:
        """The picture after a look at some places (`looked`, cells of any size; None: all) that found `figures`, and
        which of its pixels (h, w) are of this look (None: all, and there was none before).
        """
        before, shape = self._picture, thumbnail.luma.shape
        people_before, self._people = self._people, self._drawn(figures, shape)
        if before is None or people_before is None or before.luma.shape != shape:
            self._picture = thumbnail
            return thumbnail, None
        if looked is None:
            looked = np.ones((1, 1), bool)
        shown = cv2.resize(looked.astype(np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
        places = np.asarray(shown | self._people | people_before, bool)
        self._picture = before.with_places_of(thumbnail, places)
        return self._picture, places

    def _drawn(self, figures: Iterable[Figure], shape: tuple[int, ...]) -> Bools:
        """(h, w) bool: where people are, and the pixels next to them."""
        there = drawn([to_pixels(figure.box, figure.outline) for figure in figures], shape, self._size_wh)
        return np.asarray(cv2.dilate(there, np.ones((3, 3), np.uint8)) > 0, bool)
