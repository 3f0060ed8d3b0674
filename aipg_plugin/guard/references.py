"""What a stream showed when another one of its camera was looked at, to compare its frames with."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from aipg_plugin.geometry.arrays import Bools
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.guard.hidden import middles_in
from aipg_plugin.guard.layout import Layout
from aipg_plugin.guard.looks import Look
from aipg_plugin.scene.change import Thumbnail

_NEAR_S = 0.6    # a picture of this stream stands for the one looked at if it is this near in time
_KEPT_S = 10.0   # pictures are kept this long, longer than evidence is
_MOST_LOOKS = 8  # that are kept: frames that wait ask for the last few


class References:
    """Thumbnails of one stream, and of each look at the other stream the picture as every place was last looked at.

    A stream that shows another scene while the one looked at goes on as before has been turned elsewhere (a camera's
    own digital PTZ): where its people are is not known, so it has no reference until it shows the scene of before.
    """

    def __init__(self) -> None:
        self._shown: deque[tuple[float, Thumbnail]] = deque()
        self._looks: dict[Look, Thumbnail] = {}
        self._newest: Thumbnail | None = None
        self._map: tuple[Projection, Projection, tuple[int, ...], tuple[int, ...], _Cells] | None = None

    def remember(self, t_s: float, thumbnail: Thumbnail) -> None:
        """Keep what the stream showed."""
        self._shown.append((t_s, thumbnail))
        while self._shown[0][0] < t_s - _KEPT_S:
            self._shown.popleft()

    def restart(self) -> None:
        """The stream may show another scene from here on: it was away, or has other settings."""
        self._newest = None
        self._looks.clear()

    def of(self, look: Look, layout: Layout, source: Projection) -> Thumbnail | None:
        """What the stream showed at a look at a picture of `source`; None if that is not known."""
        if look in self._looks:
            return self._looks[look]
        t_s, thumbnail = min(self._shown, key=lambda kept: abs(kept[0] - look.t_s), default=(np.inf, None))
        if thumbnail is None or abs(t_s - look.t_s) > _NEAR_S:
            return None
        before = self._newest
        if look.places is not None and before is not None and before.luma.shape == thumbnail.luma.shape:
            if layout.comparator.compare(before, thumbnail).scene:
                return None
            cells = self._cells(layout.projection, source, thumbnail.luma.shape, look.places.shape)
            thumbnail = before.with_places_of(thumbnail, cells.carried(look.places))
        if self._shown[-1][0] < look.t_s:
            return thumbnail  # a nearer one may still come
        self._looks[look] = self._newest = thumbnail
        while len(self._looks) > _MOST_LOOKS:
            del self._looks[next(iter(self._looks))]
        return thumbnail

    def _cells(self, own: Projection, source: Projection, shape: tuple[int, ...], looked: tuple[int, ...]) -> _Cells:
        kept = self._map
        if kept is None or kept[0] is not own or kept[1] is not source or kept[2:4] != (shape, looked):
            kept = self._map = (own, source, shape, looked, _Cells(own, source, shape, looked))
        return kept[4]


class _Cells:
    """For each pixel of a thumbnail (h, w) of `own` the cell of a grid over `source` that shows the same."""

    def __init__(self, own: Projection, source: Projection, shape: tuple[int, ...], looked: tuple[int, ...]) -> None:
        h, w = shape
        px = middles_in(own, source, shape)
        self._seen: Bools = np.isfinite(px).all(1).reshape(h, w)
        cell = np.nan_to_num(px) / source.size_wh * looked[::-1]
        self._column, self._row = (np.clip(one, 0, most - 1).astype(np.intp).reshape(h, w)
                                   for one, most in zip(cell.T, looked[::-1], strict=True))

    def carried(self, places: NDArray[np.bool_]) -> Bools:
        """(h, w) bool: `places` as this picture shows them, and what the other one does not show."""
        return np.asarray(places[self._row, self._column] | ~self._seen, bool)
