"""Before a track begins: the looks that did not begin it, and what they found that was too weak to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from aipg_plugin.geometry import Projection, share_inside
from aipg_plugin.geometry.arrays import Bools, Float64
from aipg_plugin.tracking.association import WEAK, match
from aipg_plugin.tracking.track import Miss, TrackPoint

Looked = Callable[[Float64], Bools]

WEAK_S = 3.0          # weak sightings are kept; less than files wait for what follows (`hindsight.SUFFICES_S`)
_LONGEST_GAP_S = 1.0  # between two of one person: a place that stays as it is may be looked at no sooner
_PART_SHARE = 0.5     # of a weak detection inside somebody seen: it is a part of them


class Beginnings:
    """The last looks and their weak sightings that were nobody's.

    Whom one look is sure of is the person whom weaker sightings showed there before it, as they are after it.
    `backfill_s`: so long before somebody's first sighting they may have been there at most.
    """

    def __init__(self, projection: Projection, backfill_s: float) -> None:
        self._projection, self._backfill_s = projection, backfill_s
        self._looks: list[tuple[float, Looked]] = []
        self._weak: list[list[TrackPoint]] = []

    def add(self, t_s: float, looked: Looked, weak: Sequence[TrackPoint], people: Sequence[Float64]) -> None:
        """Remember a look: which places it `looked` at, and the `weak` sightings beside the `people` (5,) it saw."""
        self._looks = [*((at_s, there) for at_s, there in self._looks if at_s > t_s - WEAK_S - self._backfill_s),
                       (t_s, looked)]
        self._weak = [look for look in self._weak if look[0].t_s > t_s - WEAK_S]
        if weak and people:
            shares = share_inside(np.stack([point.box for point in weak]), np.stack(people)).max(axis=1)
            weak = [point for point, share in zip(weak, shares, strict=True) if share <= _PART_SHARE]
        if weak:
            self._weak.append(list(weak))

    def take(self, first: TrackPoint) -> list[TrackPoint]:
        """The weak sightings that lead up to one that begins a track, oldest first; they are given out once."""
        found = [first]
        for look in reversed(self._weak):
            gap_s = found[-1].t_s - look[0].t_s
            if gap_s > _LONGEST_GAP_S:
                break
            pairs = match(self._projection, found[-1].box[None], np.stack([point.box for point in look]),
                          np.array([gap_s]), WEAK)
            if pairs:
                found.append(look.pop(pairs[0][1]))
        self._weak = [look for look in self._weak if look]
        return found[:0:-1]

    def misses(self, before: TrackPoint, after: TrackPoint) -> list[Miss]:
        """The looks between two sightings of one person, which missed them."""
        return [Miss(at_s, True, None) for at_s, looked in self._looks
                if before.t_s < at_s < after.t_s and looked(before.box[None, :2])[0]]

    def leads_s(self, first: TrackPoint) -> tuple[float, float]:
        """How long before its first point somebody may have been there: since the last look at the place, and since the
        one before, if the last one missed who was just coming in, half hidden by a door.
        """
        gaps_s = [first.t_s - at_s for at_s, looked in reversed(self._looks)
                  if at_s < first.t_s and looked(first.box[None, :2])[0]]
        last_s, before_s, *_ = *gaps_s, self._backfill_s, self._backfill_s
        return min(self._backfill_s, last_s), min(self._backfill_s, before_s)

    def clear(self) -> None:
        """Forget all of it."""
        self._looks.clear()
        self._weak.clear()
