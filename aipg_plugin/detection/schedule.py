"""Which tiles to look at next: motion, tracks at risk and old evidence first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from aipg_plugin.detection.tiles import Tile
from aipg_plugin.geometry.arrays import Bools, Float64, Ints

# Priorities, chosen with `benchmarks.leak --mode live`.
_MOTION_WORTH, _TRACK_WORTH = 2.0, 1.0  # of a point in a tile, in units of `max_age_s` of waiting
_BESIDES_LATE = 1                       # urgent tiles that are looked at besides the late ones
_WELL_INSIDE = 0.08                     # of a tile's side from its border: half the width of a person
_COST_SMOOTHING = 0.2                   # share of the newest measurement in the learned cost of a tile


def _inside_depth(tile: Tile, px: Float64) -> Float64:
    """(K,) how deep points lie inside a tile: 0.5 in its middle, 0 on its border, negative outside."""
    depth = 0.5 - np.abs(tile.to_tile(px) / tile.input_px - 0.5).max(1)
    return np.where(tile.owns(px) & np.isfinite(depth), depth, -1.0)


class SweepSchedule:
    """Spreads a sweep over decisions within a time budget.

    A decision looks at the tiles where something is urgent, and at its share of the rest: `max_age_s` is the age by
    which every tile has been looked at again. `budget_s` is the time one decision may take (None: always a full sweep);
    only tiles that would be late, and an urgent one beside them, exceed it. The cost of a tile is learned from `done`.
    """

    def __init__(self, tiles: Sequence[Tile], *, budget_s: float | None = 0.08, max_age_s: float = 2.0,
                 first_cost_s: float = 0.015) -> None:
        self._tiles, self._budget_s, self._max_age_s = tuple(tiles), budget_s, max_age_s
        self._cost_s = first_cost_s
        self.restart()

    def restart(self) -> None:
        """Next time, sweep everything: at the start, after a scene change or a gap."""
        self._seen_s = np.full(len(self._tiles), -np.inf)
        self._last_s: float | None = None

    @property
    def complete(self) -> bool:
        """Whether every tile has been looked at since the last restart."""
        return bool(np.isfinite(self._seen_s).all())

    def next(self, t_s: float, *, motion_px: ArrayLike = (), tracks_px: ArrayLike = (),
             budget_s: float | None = None) -> tuple[int, ...]:
        """Indices of the tiles to look at now, most urgent first.

        `motion_px` (K, 2) places that move and no track explains, `tracks_px` (M, 2) centres of tracks at risk (old
        evidence, low score). `budget_s` is all the time there is for this decision: tiles are late rather than dear.
        """
        everything = tuple(range(len(self._tiles)))
        if self._budget_s is None or not self.complete:
            return everything
        period_s = t_s - self._last_s if self._last_s is not None else 0.0
        age = t_s - self._seen_s
        urgent = _MOTION_WORTH * self._served(motion_px) + _TRACK_WORTH * self._served(tracks_px)
        order = np.argsort(-(urgent + age / self._max_age_s), kind="stable")
        affordable = max(1, int(self._budget_s / max(self._cost_s, 1e-6)))
        # Whatever the budget, no tile may wait longer than max_age_s.
        late = age + max(period_s, 0.0) > self._max_age_s
        fair = int(np.ceil(len(everything) * min(1.0, max(period_s, 1e-3) / self._max_age_s)))
        waiting, asked = int(late.sum()), int(((urgent > 0) & ~late).sum())
        count = max(fair, min(affordable, waiting + asked), waiting + min(asked, _BESIDES_LATE))
        if budget_s is not None and (most := max(1, int(budget_s / max(self._cost_s, 1e-6)))) < count:
            return tuple(int(i) for i in order[:most])
        ranked = [int(i) for i in order if late[i]] + [int(i) for i in order if not late[i]]
        return tuple(ranked[:count])

    def done(self, tiles: Sequence[int], t_s: float, took_s: float) -> None:
        """Tell that these tiles were looked at in the picture of `t_s`, and how long it took."""
        if not tiles:
            return
        self._seen_s[list(tiles)] = t_s
        self._last_s = t_s
        self._cost_s += _COST_SMOOTHING * (max(took_s, 0.0) / len(tiles) - self._cost_s)

    def serves(self, tiles: Sequence[int], px: ArrayLike) -> Bools:
        """(K,) bool: whether the tile that shows a point (K, 2) best, if there is one, is among `tiles`."""
        return np.isin(self._best(px), (-1, *tiles))

    def showing(self, px: ArrayLike) -> tuple[int, ...]:
        """The tiles that show points (K, 2) best."""
        best = self._best(px)
        return tuple(np.unique(best[best >= 0]).tolist())

    def looked_at(self, tiles: Sequence[int], px: ArrayLike) -> Bools:
        """(K,) bool: which points (K, 2) lie well inside one of `tiles`, so that somebody there would be found."""
        points = np.asarray(px, np.float64).reshape(-1, 2)
        if not tiles:
            return np.zeros(len(points), bool)
        depth = np.stack([_inside_depth(self._tiles[index], points) for index in tiles])
        return np.asarray(depth.max(0) > _WELL_INSIDE, bool)

    def _best(self, px: ArrayLike) -> Ints:
        """(K,) index of the tile that each point (K, 2) lies deepest in, -1 for none."""
        points = np.asarray(px, np.float64).reshape(-1, 2)
        if not len(points) or not self._tiles:
            return np.full(len(points), -1, np.intp)
        depth = np.stack([_inside_depth(tile, points) for tile in self._tiles])
        return np.where(depth.max(0) > 0, depth.argmax(0), -1)

    def _served(self, px: ArrayLike) -> Float64:
        """(T,) how many points each tile serves best, at most 2."""
        best = self._best(px)
        return np.minimum(np.bincount(best[best >= 0], minlength=len(self._tiles)), 2.0)
