"""What later looks say of each track: fragments joined, and nobody held for longer than the looks allow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from aipg_plugin.geometry import share_inside
from aipg_plugin.geometry.arrays import Bools, Float64
from aipg_plugin.tracking.association import FORBIDDEN, assign
from aipg_plugin.tracking.track import TrackHistory

# Chosen with `benchmarks.fit` on rendered clips.
SUFFICES_S = 4.0              # of what follows a moment, to tell of it all that matters here
_LONGEST_GAP_S = 3.0          # between two fragments of one track
_REACH_M, _REACH_M_S = 0.3, 1.2  # how far apart they may be, at once and per second of gap: an unhurried walk
_MOST_SIZE_RATIO = 1.8        # of their boxes
_MISSED_LOOKS = 4             # looks in a row that miss somebody who used to be found easily: gone or hidden
_EASY_SCORE, _EASY_POINTS = 0.3, 6  # found easily: the middle score of so many last points is at least this
_WALKING_M_S = 0.4            # somebody slower may be standing
_LONGEST_BRIDGE_S = 1.5       # away from a place and back
_JUMP_SHARE = 0.1             # of a box's size from one point to the next: looked at more closely
_LEFT_SHARE = 0.85            # of the box before within those after it: less is left, no less is back


def revised(histories: list[TrackHistory]) -> list[TrackHistory]:
    """Tracks by what is known now, those of one person joined and ended when they were gone.

    What comes of it for a moment is final once `SUFFICES_S` of what follows have been looked at, unless somebody is
    found again after a longer time in a place that never looked empty.
    """
    joined = [_ended(history) for history in _joined(histories)]
    return joined + [bridge for history in joined for bridge in _bridges(history)]


def _bridges(history: TrackHistory) -> list[TrackHistory]:
    """Stretches in which a track's boxes left a place and came back: maybe two people, and a look finds one or both.

    Whoever is seen before and after at a place is there in between too.
    """
    boxes = np.stack([point.box for point in history.points])
    steps = np.hypot(*np.diff(boxes[:, :2], axis=0).T)
    jumps = np.flatnonzero(steps > _JUMP_SHARE * np.sqrt(boxes[:-1, 2] * boxes[:-1, 3]))
    bridges = []
    for start in jumps.tolist():
        end = int(np.searchsorted(history.times, history.times[start] + _LONGEST_BRIDGE_S, side="right"))
        later = boxes[start + 1:end]
        # Half of a box lies outside every other one that its middle lies outside of.
        if not (np.hypot(*(later[1:, :2] - boxes[start, :2]).T) <= np.hypot(*later[1:, 2:4].T) / 2).any():
            continue
        covered = share_inside(boxes[start:start + 1], later)[0]
        back = np.flatnonzero((covered > _LEFT_SHARE) & (np.maximum.accumulate(covered) == covered))
        if len(back) and back[0] > 0 and covered[:back[0]].max() < _LEFT_SHARE:
            ends = [history.points[start], history.points[start + 1 + int(back[0])]]
            bridges.append(replace(history, points=ends, end_s=ends[1].t_s, lead_s=0.0, unsure_lead_s=0.0, misses=[],
                                   skipped=set(), _speeds={}))
    return bridges


def _ended(history: TrackHistory) -> TrackHistory:
    gone_s = _gone_s(history)
    if gone_s is None or (history.end_s is not None and history.end_s <= gone_s):
        return history
    return replace(history, end_s=gone_s)


def _gone_s(history: TrackHistory) -> float | None:
    """When somebody who was never seen again was gone: the first look that found nobody, and the place empty.

    Where the background is not known, no number of looks proves that: a detector misses people for seconds. But who was
    found easily, was walking, and is missed by several looks in a row has walked on. A place that is known not to be
    empty is held.
    """
    empty_s = next((miss.t_s for miss in history.misses if miss.looked and miss.empty), None)
    return empty_s if empty_s is not None else walked_on_s(history, _MISSED_LOOKS)


def walked_on_s(history: TrackHistory, missed_looks: int) -> float | None:
    """When a walker who was found easily has been missed by so many looks at where they are expected, in a row."""
    looked_s = [miss.t_s for miss in history.misses if miss.looked]
    if len(looked_s) < missed_looks or any(miss.empty is False for miss in history.misses):
        return None
    walking = float(np.hypot(*history.speeds()[0])) >= _WALKING_M_S  # not so where the floor is not known
    score = float(np.median([point.score for point in history.points[-_EASY_POINTS:]]))
    return looked_s[missed_looks - 1] if walking and score >= _EASY_SCORE else None


def _joined(histories: list[TrackHistory]) -> list[TrackHistory]:
    """Fragments put together, each with at most one before and one after it."""
    if len(histories) < 2:
        return histories
    cost, allowed = _costs(histories)
    following = dict(assign(cost, allowed))
    starts = set(range(len(histories))) - set(following.values())
    joined = []
    for start in sorted(starts):
        chain = [histories[start]]
        index = start
        while index in following:
            index = following[index]
            chain.append(histories[index])
        joined.append(chain[0] if len(chain) == 1 else replace(
            chain[0], points=[point for part in chain for point in part.points], end_s=chain[-1].end_s,
            misses=chain[-1].misses, skipped=set[float]().union(*(part.skipped for part in chain)), _speeds={}))
    return joined


def _costs(histories: list[TrackHistory]) -> tuple[Float64, Bools]:
    """(N, N) cost (0 to about 1) of taking the second history for the rest of the first, and where that is possible."""
    ends, begins = [h.last for h in histories], [h.points[0] for h in histories]
    gap_s = np.array([p.t_s for p in begins])[None] - np.array([p.t_s for p in ends])[:, None]
    step_m = np.linalg.norm(np.stack([p.place_m for p in begins])[None] - np.stack([p.place_m for p in ends])[:, None],
                            axis=2)
    sizes = [np.sqrt([p.box[2] * p.box[3] for p in points]) for points in (ends, begins)]
    ratio = np.maximum(sizes[0][:, None] / sizes[1][None], sizes[1][None] / sizes[0][:, None])
    reach_m = _REACH_M + _REACH_M_S * np.maximum(gap_s, 0.0)
    segment = np.array([h.segment for h in histories])
    allowed = ((gap_s > 0) & (gap_s < _LONGEST_GAP_S) & (step_m < reach_m) & (ratio < _MOST_SIZE_RATIO)
               & (segment[:, None] == segment[None]))
    cost = (step_m / reach_m + np.log(ratio) + gap_s / _LONGEST_GAP_S) / 3
    return np.where(allowed, cost, FORBIDDEN), allowed
