"""Which detection belongs to which track."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aipg_plugin.geometry import Projection, seam
from aipg_plugin.geometry.arrays import Bools, Float64

# Chosen with `benchmarks.leak` on rendered clips.
FORBIDDEN = 1e6         # cost of a pair outside the gate, above any sum of allowed ones
_ALONE_COST = 1.0        # of a track without a detection: that of one as far away as the gate allows, not overlapping
_MOST_SIZE_RATIO = 2.5   # a box that is cut by furniture may be so much smaller
_GAP_PENALTY = 0.2       # of cost per second unseen: the track seen last goes first


@dataclass(frozen=True)
class Gate:
    """How far apart a track and a detection may be: a share of their size, or an overlap."""

    reach: float
    least_iou: float


CONFIDENT = Gate(reach=1.0, least_iou=0.15)
WEAK = Gate(reach=0.5, least_iou=0.25)


def match(projection: Projection, tracks: Float64, detections: Float64, gaps_s: Float64,
          gate: Gate) -> list[tuple[int, int]]:
    """Pairs (track, detection) of boxes (N, 5) and (M, 5), as cheap as possible in all; `gaps_s` (N,) since last seen.

    The cost is the centre distance in mean box sizes less the IoU.
    """
    if not len(tracks) or not len(detections):
        return []
    period_px = seam.period_of(projection.parts)
    dx = seam.shortest_dx(tracks[:, None, 0] - detections[None, :, 0], period_px)
    distance = np.hypot(dx, tracks[:, None, 1] - detections[None, :, 1])
    size_t, size_d = np.sqrt(tracks[:, 2] * tracks[:, 3]), np.sqrt(detections[:, 2] * detections[:, 3])
    slack = 0.7 + 0.8 * np.minimum(gaps_s, 1.0)
    reach = gate.reach * slack[:, None] * (size_t[:, None] + size_d[None]) / 2
    ratio = np.maximum(size_t[:, None] / size_d[None], size_d[None] / size_t[:, None])
    common = seam.iou(tracks, detections, period_px)
    allowed = ((distance < reach) & (ratio < _MOST_SIZE_RATIO)) | (common > gate.least_iou)
    if len(projection.parts) > 1:
        allowed &= projection.part_of(tracks[:, :2])[:, None] == projection.part_of(detections[:, :2])[None]
    cost = distance / reach - common + _GAP_PENALTY * np.minimum(gaps_s, 5.0)[:, None]
    return assign(np.where(allowed, cost, FORBIDDEN), allowed)


def assign(cost: Float64, allowed: Bools) -> list[tuple[int, int]]:
    """Pairs (row, column) of least total cost, (N, M) costs from -1 to about 1; `FORBIDDEN` where not `allowed`.

    Solved group by group: people far apart have nothing to do with each other.
    """
    pairs: list[tuple[int, int]] = []
    for rows, columns in _groups(allowed):
        if len(rows) == 1 or len(columns) == 1:
            best = int(cost[np.ix_(rows, columns)].argmin())
            pairs.append((rows[best // len(columns)], columns[best % len(columns)]))
            continue
        # A column for each track that stays without a detection, or two bad pairs would be made to avoid one of those.
        alone = np.where(np.eye(len(rows), dtype=bool), _ALONE_COST, FORBIDDEN)
        part = np.hstack([cost[np.ix_(rows, columns)], alone])
        for row, column in _hungarian(part):
            if column < len(columns) and part[row, column] < FORBIDDEN:
                pairs.append((rows[row], columns[column]))
    return pairs


def _groups(allowed: Bools) -> list[tuple[list[int], list[int]]]:
    """Connected groups of tracks and detections."""
    free = set(np.flatnonzero(allowed.any(axis=1)).tolist())
    groups = []
    while free:
        rows, columns, waiting = [], set(), [free.pop()]
        while waiting:
            row = waiting.pop()
            rows.append(row)
            for column in np.flatnonzero(allowed[row]).tolist():
                if column not in columns:
                    columns.add(column)
                    reached = free.intersection(np.flatnonzero(allowed[:, column]).tolist())
                    free -= reached
                    waiting.extend(reached)
        groups.append((sorted(rows), sorted(columns)))
    return groups


def _hungarian(cost: Float64) -> list[tuple[int, int]]:
    """Pairs (row, column) of least total cost: shortest augmenting paths (Jonker and Volgenant 1987)."""
    if cost.shape[0] > cost.shape[1]:
        return [(row, column) for column, row in _hungarian(cost.T)]
    n, m = cost.shape
    u, v = np.zeros(n + 1), np.zeros(m + 1)
    row_of = np.zeros(m + 1, dtype=np.intp)
    for row in range(1, n + 1):
        row_of[0], column = row, 0
        shortest, before = np.full(m + 1, np.inf), np.zeros(m + 1, dtype=np.intp)
        used = np.zeros(m + 1, dtype=bool)
        while row_of[column]:
            used[column] = True
            reduced = cost[row_of[column] - 1] - u[row_of[column]] - v[1:]
            better = ~used[1:] & (reduced < shortest[1:])
            shortest[1:][better], before[1:][better] = reduced[better], column
            following = int(np.where(used[1:], np.inf, shortest[1:]).argmin()) + 1
            delta = shortest[following]
            u[row_of[used]] += delta
            v[used] -= delta
            shortest[~used] -= delta
            column = following
        while column:
            row_of[column] = row_of[before[column]]
            column = int(before[column])
    return [(int(row_of[column]) - 1, column - 1) for column in range(1, m + 1) if row_of[column]]
