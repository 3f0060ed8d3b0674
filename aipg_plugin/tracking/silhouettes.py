"""How a person's silhouette changes over time, in their own frame: out at once, in slowly, alike between sightings."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

import cv2
import numpy as np

from aipg_plugin.geometry import to_pixels
from aipg_plugin.geometry.arrays import Float32, Float64
from aipg_plugin.tracking.shapes import seamed
from aipg_plugin.tracking.track import Pose, TrackHistory, TrackPoint

_SIDE = 64               # cells of a field's side
_REACH_CELLS = 29        # a silhouette reaches no farther from the middle
_CELL_STEP = 1.25        # cells grow by this factor when a silhouette does not fit
_MOST_FIELDS, _MOST_CALM = 512, 256  # that are kept, 16 KiB each and up to 80 KiB each, …
_UNUSED_S = 2.0          # … and for so long after they were last asked for
_FAR_M = 9.0             # beyond a field, nobody is anywhere near
_NOWHERE = np.full((_SIDE, _SIDE), -_FAR_M, np.float32)
_FINE = 2                # contours are drawn at this many times a field's size
# Chosen with `benchmarks.fit`, and no less than `benchmarks.field_faults` asks for (0.2 m leaked in a burst).
SHRINK_M_S = 0.5         # a silhouette's edge comes in no faster than this …
SHRINK_M = 0.1           # … and no farther, however long ago;
KNOWN_SHRINK_M_S, KNOWN_SHRINK_M = 2.0, 0.4  # the same where what came after is known (files)
WINDOW_S = 0.3           # sightings shape those around them, and the next ones in any case;
STILL_S = 2.0            # who stays where they are is as wide as any sightings of so long a time show them …
STILL_SHRINK_M = 0.02    # … less this …
STILL_VOTES = 3          # … but not for fewer of them than these: a box may be off once or twice
STILL_M, STILL_M_S, STILL_MOST_M = 0.06, 0.15, 0.25  # who moves less at once, per second and in all, stays
HEAD_S = 0.6             # a head that a sighting so near has is there where this one lacks it …
SMALLER_HEAD = 1.2       # … or has it smaller by this factor,
SHORTER, RAISED_M = 0.97, 0.12  # … or the box is shorter by this factor, which has it lower by no more than this
_UPRIGHT = 1.6           # height over width of the box of somebody who stands
_FEET = np.array([[0.0, 1.0]])  # in the box's own coordinates
_LARGEST_HEAD = 0.3      # radius over the box's longer side; a larger disc is a mistake
_COLUMNS = (np.arange(_SIDE, dtype=np.float32) - (_SIDE - 1) / 2)[None]
_ROWS = _COLUMNS.T
K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True, eq=False)
class _Calm:
    """A sighting's calm field, its outline once asked for, and the `count` sightings it is put together of.

    `widest`: of those around it, less what may have shrunk; `highest`: the STILL_VOTES highest values of each cell, of
    the `votes` sightings that show somebody who stayed.
    """

    cell_m: float
    first: TrackPoint
    last: TrackPoint
    count: int
    widest: Float32
    highest: list[Float32]
    votes: int
    field: Float32
    outline: Float64 | None = None

    def is_of(self, sightings: list[TrackPoint], cell_m: float) -> bool:
        """Whether it is put together of just these."""
        return (self.last is sightings[-1] and self.first is sightings[0] and self.count == len(sightings)
                and self.cell_m == cell_m)


class _Recent(Generic[K, V]):
    """What was asked for of late, `most` at most."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._now_s = -math.inf
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()  # with when each was asked for last, in order

    def come(self, t_s: float) -> None:
        """Somebody asks for a moment."""
        self._now_s = max(self._now_s, t_s)

    def get(self, key: K) -> V | None:
        """What is kept under a key."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return None
        self._entries[key] = self._now_s, entry[1]
        return entry[1]

    def keep(self, key: K, value: V) -> V:
        """Keep something, in place of what was kept under the key, and let go of what nobody asks for any more."""
        self._entries.pop(key, None)
        self._entries[key] = self._now_s, value
        while len(self._entries) > self._most or next(iter(self._entries.values()))[0] < self._now_s - _UNUSED_S:
            self._entries.popitem(last=False)
        return value


class Silhouettes:
    """Fields of signed distances to silhouettes, metres, positive inside, in people's own frames.

    A field is (64, 64), its middle at the pose's origin, its y axis along the pose's "down". Those asked for of late
    are kept.
    """

    def __init__(self) -> None:
        self._kept = _Recent[tuple[TrackPoint, float], Float32](_MOST_FIELDS)
        self._made = _Recent[tuple[TrackPoint, bool], _Calm](_MOST_CALM)

    def come(self, t_s: float) -> None:
        """Outlines of a moment are asked for."""
        self._kept.come(t_s)
        self._made.come(t_s)

    def at(self, history: TrackHistory, a: TrackPoint, b: TrackPoint | None = None, share: float = 0.0, *,
           hindsight: bool = False) -> Float64:
        """(K, 2) the outline at sighting `a`, or at `share` of the way to `b`: metres in the person's own frame."""
        if b is not None and b.sighting is a.sighting:
            b = None
        a = a.sighting
        later = self._calm(history, b, hindsight).field if b is not None and share > 0 else None
        calm = self._calm(history, a, hindsight)  # after the other's, for which cells may have grown
        if later is not None:
            between = np.asarray(cv2.addWeighted(later, share, calm.field, 1 - share, 0), np.float32)
            return _contour(between, history.cells.size_m)
        if calm.outline is None:
            calm.outline = _contour(calm.field, history.cells.size_m)
        return calm.outline

    def _calm(self, history: TrackHistory, point: TrackPoint, hindsight: bool) -> _Calm:
        """A sighting's field and those around it, less what may have shrunk in between; where somebody stays, also what
        several sightings farther off agree on, and heads that it lacks. What came since it was last asked for is added.
        """
        key = (point, hindsight)
        calm = self._made.get(key)
        longer = [one for one in history.near(point.t_s, STILL_S)
                  if one is point or one.sighting is not point] or [point]  # who is held may outlast their sighting
        if calm is not None and calm.is_of(longer, history.cells.size_m):
            return calm
        for one in longer:
            _fit(history, one)
        cell_m = history.cells.size_m
        if calm is None or not calm.is_of(longer[:calm.count], cell_m):
            own = self._own(point, cell_m)
            calm = self._made.keep(key, _Calm(cell_m, longer[0], longer[0], 0, own, [_NOWHERE] * STILL_VOTES, 0, own))
        self._add(calm, point, longer[calm.count:], set(history.near(point.t_s, WINDOW_S)), hindsight)
        return calm

    def _add(self, calm: _Calm, point: TrackPoint, new: list[TrackPoint], around: set[TrackPoint],
             hindsight: bool) -> None:
        """Add sightings to a calm field, some of which are around it."""
        for one in new:
            if one is point:
                continue
            if one in around:
                shrunk = _shrunk(abs(one.t_s - point.t_s), hindsight=hindsight, head=_head_m(point) > 0)
                calm.widest = np.maximum(calm.widest, self._own(one, calm.cell_m) - shrunk)
            for centre_m, radius_m in _heads_lacked(point, one):
                calm.widest = np.maximum(calm.widest, _disc(centre_m, radius_m, calm.cell_m))
            if _stays(point, one):
                shifted = self._shifted(one, point, calm.cell_m)
                for _ in range(min(max(1, one.holds), STILL_VOTES)):
                    calm.votes += 1
                    _insert(calm.highest, shifted)
        calm.last, calm.count = new[-1], calm.count + len(new)
        calm.field, calm.outline = calm.widest, None
        if calm.votes >= STILL_VOTES:
            calm.field = np.maximum(calm.widest, calm.highest[-1] - np.float32(STILL_SHRINK_M))

    def _shifted(self, one: TrackPoint, point: TrackPoint, cell_m: float) -> Float32:
        """A sighting's field where it lies in the picture, to half a cell, in the frame of another."""
        step = np.array([one.pose.x_px - point.pose.x_px, one.pose.y_px - point.pose.y_px])
        dx, dy = (step @ _turn(point.pose.angle_deg) / point.pose.per_metre / cell_m).tolist()
        matrix = np.array([[1.0, 0.0, dx], [0.0, 1.0, dy]])
        return np.asarray(cv2.warpAffine(self._own(one, cell_m), matrix, (_SIDE, _SIDE), flags=cv2.INTER_NEAREST,
                                         borderMode=cv2.BORDER_CONSTANT, borderValue=-_FAR_M), np.float32)

    def _own(self, point: TrackPoint, cell_m: float) -> Float32:
        point = point.sighting
        key = (point, cell_m)
        own = self._kept.get(key)
        if own is None:
            own = self._kept.keep(key, _drawn(own_frame(point, to_pixels(point.box, point.outline)), cell_m))
        return own


def _head_m(point: TrackPoint) -> float:
    """The radius of a sighting's head, metres; 0 if it shows none."""
    x_px, y_px, radius_px = point.head.tolist()
    shown = math.isfinite(x_px + y_px) and radius_px < _LARGEST_HEAD * max(point.box[2], point.box[3])
    return float(radius_px / point.pose.per_metre) if shown else 0.0


def _heads_lacked(point: TrackPoint, one: TrackPoint) -> list[tuple[Float64, float]]:
    """Middle (2,) and radius in metres where another sighting's head is that one lacks, has smaller, or has lower.

    A head is lower where the box has lost its upper end: as high above the feet as before it still is.
    """
    if abs(one.t_s - point.t_s) > HEAD_S:
        return []
    radius_m = _head_m(one)
    lacked = radius_m > SMALLER_HEAD * _head_m(point)
    shorter = (radius_m > 0 and point.box[3] / point.pose.per_metre < SHORTER * one.box[3] / one.pose.per_metre
               and point.box[3] > _UPRIGHT * point.box[2])
    if not lacked and not shorter:
        return []
    centre_m = own_frame(one, one.head[None, :2])[0]
    heads = [(centre_m, radius_m)] if lacked else []
    raised_m = _feet_m(one) - _feet_m(point) if shorter else 0.0
    if 0 < raised_m < RAISED_M:
        heads.append((centre_m - (0.0, raised_m), radius_m))
    return heads


def _feet_m(point: TrackPoint) -> float:
    """How far below the origin of a sighting's own frame its box ends, metres."""
    return float(own_frame(point, to_pixels(point.box, _FEET))[0, 1])


def _disc(centre_m: Float64, radius_m: float, cell_m: float) -> Float32:
    """(64, 64) signed distances, metres, to a disc."""
    x, y = (centre_m / cell_m).tolist()
    return np.asarray(radius_m - cell_m * np.hypot(_COLUMNS - np.float32(x), _ROWS - np.float32(y)), np.float32)


def _stays(point: TrackPoint, one: TrackPoint) -> bool:
    """Whether somebody was at the same place at two sightings."""
    step_m = math.hypot(one.x_px - point.x_px, one.box[1] - point.box[1]) / point.pose.per_metre
    return step_m < min(STILL_M + STILL_M_S * abs(one.t_s - point.t_s), STILL_MOST_M)


def _insert(highest: list[Float32], one: Float32) -> None:
    """Put a field among the highest values of each cell, which are in falling order."""
    for rank, before in enumerate(highest):
        highest[rank] = np.maximum(before, one)
        if rank + 1 < len(highest):
            one = np.minimum(before, one)


def _shrunk(dt_s: float, *, hindsight: bool, head: bool) -> Float32:
    """(64, 1) metres by which a silhouette may have shrunk in a time, by the field's rows.

    Limbs swing, and in hindsight each swing is known. A head that one look leaves out is there still: the upper half of
    a sighting without one (`head`) shrinks slowly all the same.
    """
    shrunk = np.full((_SIDE, 1), min(SHRINK_M_S * dt_s, SHRINK_M), np.float32)
    if hindsight:
        shrunk[0 if head else _SIDE // 2:] = min(KNOWN_SHRINK_M_S * dt_s, KNOWN_SHRINK_M)
    return shrunk


def own_frame(point: TrackPoint, px: Float64) -> Float64:
    """(N, 2) metres in a sighting's own frame of pixels on its side of the seam."""
    pose = point.pose
    origin = np.array([point.box[0] + pose.x_px - point.x_px, pose.y_px])
    return np.asarray((px - origin) @ _turn(pose.angle_deg) / pose.per_metre)


def in_picture(pose: Pose, own_m: Float64, *, shifted_px: float = 0.0) -> Float64:
    """(N, 2) pixels of metres in a pose's frame; `shifted_px` from the unrolled x to the picture's."""
    origin = np.array([pose.x_px + shifted_px, pose.y_px])
    return np.asarray(own_m @ _turn(pose.angle_deg).T * pose.per_metre + origin)


def _turn(angle_deg: float) -> Float64:
    angle = math.radians(angle_deg)
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])


def _fit(history: TrackHistory, point: TrackPoint) -> None:
    """Make a history's cells large enough for a sighting."""
    point = point.sighting
    if point in history.cells.fitted:
        return
    history.cells.fitted.add(point)
    reach_m = float(np.abs(own_frame(point, to_pixels(point.box, point.outline))).max())
    while history.cells.size_m * _REACH_CELLS < reach_m:
        history.cells.size_m *= _CELL_STEP


def _drawn(polygon_m: Float64, cell_m: float) -> Float32:
    """(64, 64) signed distances, metres, to a polygon (K, 2)."""
    inside = np.zeros((_SIDE, _SIDE), np.uint8)
    cells = polygon_m / cell_m + (_SIDE - 1) / 2
    cv2.fillPoly(inside, [np.round(cells * 16).astype(np.int32)], 1, shift=4)
    within = cv2.distanceTransform(inside, cv2.DIST_L2, 3)
    beyond = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 3)
    field = np.where(inside > 0, within - 0.5, 0.5 - beyond) * np.float32(cell_m)
    return np.asarray(field, np.float32)


def _contour(field: Float32, cell_m: float) -> Float64:
    """(K, 2) metres: the outline of where a field is positive, parts joined by seams; if nowhere, a cell."""
    out = np.empty((_SIDE * _FINE,) * 2, np.float32)
    fine = cv2.resize(field, out.shape, dst=out, interpolation=cv2.INTER_LINEAR)
    # A cell's middle lies half a cell within the border, on average; that is given back.
    covered = (fine > np.float32(-cell_m / (2 * _FINE))).view(np.uint8)
    contours, _ = cv2.findContours(covered, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    parts = [np.asarray(cv2.approxPolyDP(contour, 0.8, True), np.int32).reshape(-1, 2) for contour in contours
             if len(contour) > 2]
    if not parts:
        return np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]]) * cell_m
    parts.sort(key=len, reverse=True)
    points = parts[0].astype(np.float64)
    for part in parts[1:]:
        points = seamed(points, part.astype(np.float64))
    return np.asarray(((points + 0.5) / _FINE - _SIDE / 2) * cell_m, np.float64)
