"""Which tiles to look at next: motion, tracks at risk, what has changed and old evidence first."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike

from aipg_plugin.detection.coverage import TileCoverage
from aipg_plugin.detection.tiles import Tile
from aipg_plugin.geometry.arrays import Bools, Float64

# Priorities, chosen with `benchmarks.leak --mode live`.
_MOTION_WORTH, _TRACK_WORTH = 2.0, 1.0  # of a point in a tile, in units of `max_age_s` of waiting of all its places
_OLDEST_WORTH = 0.5                     # of the place that waits longest, beside the mean of all that a tile shows
_BESIDES_LATE = 1                       # urgent tiles that are looked at besides the late ones
_MOST_URGENT = 4.0                      # of a tile: what moves on and on must not keep others waiting for ever
_LATE_FACTOR, _FIRST_FACTOR = 2.5, 8.0  # a given budget times this is the most that late tiles, or a first sweep, take
_COST_SMOOTHING = 0.2                   # share of the newest measurement in the learned cost of a tile
_OVERLAP = 1.5                          # tiles to cover an area, over that without overlap
_NEWCOMERS = 2.5                        # a place that changes and is nobody's known waits so much faster …
_FEW_CELLS, _FEW_LATER = 4.0, 1.5       # fewer late places than these, a head far away, may wait so much longer
_COVER_WORTH = 4.0                      # of all late places, while there is time for all: so fewer tiles show them
_PRESSED_SWEEPS = 2                     # times its usual time that a routine sweep takes where time is short
_ROUTINE_AT_ONCE = 2                    # tiles of a routine sweep: a look costs as much again as a tile
_LEAST_FOR_NEWCOMERS = 4                # … as long as there is time for so many tiles: it must not starve the others
_LEAST_TO_KEEP_UP = 2                   # with time for fewer tiles, who comes in may be found too late
_LONGEST_S, _LONGEST_LATE_S = 0.3, 0.4  # how long enough tiles for newcomers, or late ones, may take on a slow machine
_LOOKS_AFTER_CHANGE = 2                 # of a place that has changed, until looking again tells nothing new
_LOOKS_AT_START = 8                     # … and of all places at first, where there is time: who comes in later is
                                        # seen on their way too
_BESIDE = np.ones((5, 5), np.uint8)     # two cells to each side
_MOST_NEWCOMERS = 0.1                   # of all places; more that changes at once is nobody coming in


class SweepSchedule:
    """Spreads a sweep over decisions within a time budget.

    A decision looks at the tiles where something is urgent, and at its share of the rest. Every place that changes
    is looked at again within `max_age_s` (if `sparing`, one smaller than a head within 1.5 times that, and by as few
    tiles as do) until two looks have shown it as it is now, or eight after a restart. From then on nothing new is to
    be seen there, and a routine sweep, each tile once in `sweep_s`, guards against changes that nobody told of. Until
    `changed` is called, everything counts as changing.
    `budget_s` is the time one decision may take (None: always a full sweep); only tiles that would be late, and an
    urgent one beside them, exceed it. The cost of a tile is learned from `done`.

    A budget given to `next` bounds these too. Then `left` says which places have changed and have not been looked at
    since: nobody knows who is there, so they are to be covered. They are left until they are looked at. While there is
    less time than usual that holds for places that are not late yet too: frames leave before these are looked at. It
    does not for what is at people who are known, and it does until the second look for what is far from them, since
    the first one may miss who is coming in. `hurried`: there was time for one tile beside the late ones at most, so
    that who comes in may be found too late.
    """

    def __init__(self, tiles: Sequence[Tile], size_wh: tuple[int, int], *, budget_s: float | None = 0.08,
                 max_age_s: float = 2.0, sweep_s: float = 10.0, first_cost_s: float = 0.015,
                 sparing: bool = True) -> None:
        self._count, self._budget_s, self._max_age_s, self._sweep_s = len(tiles), budget_s, max_age_s, sweep_s
        self.coverage = TileCoverage(tiles, size_wh)
        self._shown = self.coverage.shown
        self._somewhere = self._shown.any(0)
        self._usual_cells = max(1.0, float(self._shown.sum(1).mean())) if self._count else 1.0
        self._oldest_worth = _OLDEST_WORTH * self._usual_cells
        self._cost_s = first_cost_s
        self._few_cells, self._cover_worth = (_FEW_CELLS, _COVER_WORTH) if sparing else (1.0, 0.0)
        self._at_once = _ROUTINE_AT_ONCE if sparing else 1
        self.restart()

    def restart(self) -> None:
        """Next time, sweep everything: at the start, after a scene change or a gap."""
        self._seen_s = np.full(self._count, -np.inf)
        cells = self._shown.shape[1]
        self._cell_since_s, self._cell_left = np.full(cells, -np.inf), np.full(cells, _LOOKS_AT_START)
        self._cell_must = np.full(cells, _LOOKS_AFTER_CHANGE)  # of these, where time is short
        self._cell_pace = np.ones(cells)
        self._unseen: Bools = np.zeros(cells, bool)
        self._foreign: Bools = np.zeros(cells, bool)   # of these, what is not at people who are known …
        self._newcomers: Bools = np.zeros(cells, bool)  # … and what is far from them, until two looks have shown it
        self.left: Bools = np.zeros(self.coverage.grid_wh[::-1], bool)
        self._late_left: Bools = np.zeros(cells, bool)  # of these
        self.hurried = False
        self._told = False
        self._credit = 0.0
        self._last_s: float | None = None
        self._given_s: float | None = None

    @property
    def complete(self) -> bool:
        """Whether every tile has been looked at since the last restart."""
        return bool(np.isfinite(self._seen_s).all())

    def changed(self, cells: Bools, t_s: float, unexplained: Bools | None = None, foreign: Bools | None = None) -> None:
        """Tell which cells (h, w) of `coverage`'s grid have changed at `t_s`, and which of them far from all who are
        known: somebody may be coming in there, so they are looked at again in 0.4 of `max_age_s`. `foreign` are those
        that are not at anybody who is known, though maybe beside them (not given: none).
        """
        self._told = True
        new = cells.reshape(-1)
        if unexplained is not None:
            self._cell_pace[new] = np.where(unexplained.reshape(-1)[new], _NEWCOMERS, 1.0)
            self._newcomers |= unexplained.reshape(-1)
        if foreign is not None:
            self._foreign |= foreign.reshape(-1)
        self._cell_since_s[new & (self._cell_left <= 0)] = t_s
        self._cell_left[new] = np.maximum(self._cell_left[new], _LOOKS_AFTER_CHANGE)
        self._cell_must[new] = _LOOKS_AFTER_CHANGE
        self._unseen |= new

    def next(self, t_s: float, *, motion_px: ArrayLike = (), tracks_px: ArrayLike = (),
             budget_s: float | None = None) -> tuple[int, ...]:
        """Indices of the tiles to look at now, most urgent first.

        `motion_px` (K, 2) places that move and no track explains, `tracks_px` (M, 2) centres of tracks at risk (old
        evidence, low score). `budget_s` is the time that this decision may take, if that is less than the schedule's
        own: it leaves fewer urgent tiles besides the late ones, bounds those, gives the routine sweep twice as long,
        and looks at what has not changed since the start no more than at anything else.
        """
        self._given_s = budget_s
        if self._budget_s is None:
            return self._first_sweep(budget_s)
        pressed = budget_s is not None and budget_s < self._budget_s
        affordable = self._affordable(min(self._budget_s, budget_s or self._budget_s))
        most = self._count if budget_s is None else self._affordable(_LATE_FACTOR * budget_s)
        if not pressed:
            affordable = max(affordable, min(_LEAST_FOR_NEWCOMERS, self._affordable(_LONGEST_S)))
            most = max(most, min(2 * _LEAST_FOR_NEWCOMERS, self._affordable(_LONGEST_LATE_S)))
        self.hurried = affordable < _LEAST_TO_KEEP_UP
        if not self.complete:
            return self._first_sweep(budget_s)
        period_s = max(t_s - self._last_s, 0.0) if self._last_s is not None else 0.0
        pace = self._cell_pace if affordable >= _LEAST_FOR_NEWCOMERS else 1.0
        age, cell_age = t_s - self._seen_s, (t_s - self._cell_since_s + period_s) * pace - period_s
        open_cells = self._open_cells(pressed=pressed)
        waiting = np.where(open_cells, cell_age / self._max_age_s / self._usual_cells, 0.0).astype(np.float32)
        # No place that changes may wait longer than max_age_s (a few cells alone: a little longer), and no tile longer
        # than sweep_s.
        is_late = open_cells & (cell_age + period_s > self._max_age_s)
        alone = (self._cell_pace > 1) | (cell_age + period_s > _FEW_LATER * self._max_age_s)
        late = np.where(alone, self._few_cells, 1.0).astype(np.float32) * is_late
        unseen = self._unseen_cells()
        sweep_s = self._sweep_s * (_PRESSED_SWEEPS if pressed else 1)
        routine = age + period_s > sweep_s
        self._credit = min(self._credit + self._fair_share(open_cells, max(period_s, 1e-3), sweep_s), self._count)
        asked, worth = self._asked(motion_px, tracks_px)
        chosen: list[int] = []
        urgent_chosen, short = 0, False
        while len(chosen) < self._count:
            urgent = asked @ worth
            if len(chosen) >= affordable and urgent_chosen >= _BESIDES_LATE:
                urgent[:] = 0
            must = (self._shown @ (late * unseen) >= self._few_cells) | (urgent > 0)
            # What has been looked at since it changed is looked at again while there is time.
            late_shown = self._shown @ late
            needed = must if pressed and len(chosen) >= affordable else must | routine | (late_shown >= self._few_cells)
            if not needed.any() and (len(chosen) >= int(self._credit) or self._credit < self._at_once):
                break
            if len(chosen) >= most:
                short = bool(must.any())
                break
            # Many places that wait, and the one that waits longest: a few must not wait for ever.
            value = np.minimum(urgent, _MOST_URGENT) + self._shown @ waiting + age / self._sweep_s \
                + (self._shown * waiting).max(1, initial=0) * self._oldest_worth
            if not pressed:
                value += self._cover_worth * late_shown / max(1.0, float(late.sum()))
            value[chosen] = -np.inf
            tile = int(np.where(needed, value, -np.inf).argmax() if needed.any() else value.argmax())
            chosen.append(tile)
            urgent_chosen += bool(urgent[tile] > 0)
            shown = self._shown[tile] > 0
            late[shown], waiting[shown], routine[tile], worth[asked[tile]] = 0, 0, False, 0
        self._leave(chosen, short=short, pressed=pressed)
        return tuple(chosen)

    def done(self, tiles: Sequence[int], t_s: float, took_s: float) -> None:
        """Tell that these tiles were looked at in the picture of `t_s`, and how long it took."""
        self._last_s = t_s
        if not tiles:
            return
        chosen = list(tiles)
        self._seen_s[chosen] = t_s
        shown = self._shown[chosen].any(0)
        self._cell_since_s[shown] = t_s
        self._cell_left[shown] -= 1
        self._cell_must[shown] -= 1
        self._unseen[shown] = self._foreign[shown] = False
        self._newcomers &= self._cell_must > 0
        self._credit = max(0.0, self._credit - len(chosen))
        self._cost_s += _COST_SMOOTHING * (max(took_s, 0.0) / len(tiles) - self._cost_s)

    def rests(self, t_s: float) -> bool:
        """Whether nothing need be looked at now, if nothing has changed; if so, this decision is over."""
        before = self._credit, self.hurried, self.left, self._late_left
        if not self.complete or self.next(t_s, budget_s=self._given_s):
            self._credit, self.hurried, self.left, self._late_left = before
            return False
        self._last_s = t_s
        return True

    def serves(self, tiles: Sequence[int], px: ArrayLike) -> Bools:
        """(K,) bool: whether a tile that shows a point (K, 2) well, if there is one, is among `tiles`."""
        answers = self.coverage.answers(px)
        return np.asarray(answers[list(tiles)].any(0) | ~answers.any(0), bool)

    def and_showing(self, tiles: Sequence[int], px: ArrayLike) -> tuple[int, ...]:
        """`tiles`, and as few others as it takes for points (K, 2) to be shown well."""
        answers = self.coverage.answers(px)
        chosen = list(tiles)
        left = ~answers[chosen].any(0)
        while (gain := (answers & left).sum(1)).any():
            chosen.append(int(gain.argmax()))
            left &= ~answers[chosen[-1]]
        return tuple(chosen)

    def looked_at(self, tiles: Sequence[int], px: ArrayLike) -> Bools:
        """(K,) bool: which points (K, 2) lie well inside one of `tiles`, so that somebody there would be found."""
        return self.coverage.shows(tiles, px)

    def shown_by(self, tiles: Sequence[int]) -> Bools:
        """(h, w) bool: the cells of `coverage`'s grid where somebody is shown by one of `tiles`, or that no tile shows.
        """
        shown = (self._shown[list(tiles)] > 0).any(0) | ~self._somewhere
        return np.asarray(shown.reshape(self.coverage.grid_wh[::-1]), bool)

    @property
    def left_share(self) -> float:
        """Share of the places that tiles show which are `left` because they are late, or were."""
        return float(self._late_left.sum()) / max(1.0, float(self._somewhere.sum()))

    def _leave(self, chosen: list[int], *, short: bool, pressed: bool = False) -> None:
        """Note what has changed and these tiles do not show, if there was too little time, now or when it changed."""
        shown = self._shown[chosen].any(0)
        shape = self.left.shape
        self._late_left = left = self._unseen_cells() & ~shown & (self._late_left | short)
        if pressed:
            once = self._somewhere & self._newcomers & (self._cell_must > shown)
            if np.count_nonzero(once) > _MOST_NEWCOMERS * np.count_nonzero(self._somewhere):
                once[:] = False  # that is light, not somebody: one look will do
            waits = once | (self._somewhere & self._foreign & ~shown)
            # A far head changes too little for itself, and in a place of its own.
            beside = cv2.dilate(waits.reshape(shape).view(np.uint8), _BESIDE).reshape(-1) > 0
            left = left | waits | (self._unseen_cells() & ~shown & beside)
        self.left = left.reshape(shape)

    def _affordable(self, budget_s: float) -> int:
        """How many tiles can be looked at in this time: one at least."""
        return max(1, int(budget_s / max(self._cost_s, 1e-6)))

    def _first_sweep(self, budget_s: float | None) -> tuple[int, ...]:
        """Every tile, or as many of those not looked at yet as there is time for."""
        if self._budget_s is None or budget_s is None:
            return tuple(range(self._count))
        unseen = np.flatnonzero(~np.isfinite(self._seen_s))
        chosen = unseen[:self._affordable(_FIRST_FACTOR * budget_s)].tolist()
        self._leave(chosen, short=True)  # what has changed since the sweep began is covered when it ends
        return tuple(chosen)

    def _unseen_cells(self) -> Bools:
        """(K,) bool: the cells that have changed since they were looked at."""
        return np.asarray(self._somewhere & (self._unseen if self._told else True), bool)

    def _open_cells(self, *, pressed: bool) -> Bools:
        """(K,) bool: the cells of which another look may tell something new."""
        if not self._told:
            return np.asarray(self._somewhere, bool)
        return np.asarray(self._somewhere & ((self._cell_must if pressed else self._cell_left) > 0), bool)

    def _fair_share(self, open_cells: Bools, period_s: float, sweep_s: float) -> float:
        """How many tiles to look at in a decision, so that none need be late."""
        enough = min(float(self._count), _OVERLAP * float(open_cells.sum()) / self._usual_cells)
        return period_s * (enough / self._max_age_s + self._count / sweep_s)

    def _asked(self, motion_px: ArrayLike, tracks_px: ArrayLike) -> tuple[Bools, Float64]:
        """(T, K) bool: which tiles show which points well enough, and (K,) what those are worth."""
        motion, tracks = (np.asarray(px, np.float64).reshape(-1, 2) for px in (motion_px, tracks_px))
        points = np.concatenate([motion, tracks])
        worth = np.repeat([_MOTION_WORTH, _TRACK_WORTH], [len(motion), len(tracks)])
        return self.coverage.answers(points), worth
