"""Owns looking: which frames the analyzer sees, when, in which thread, and the evidence that comes of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from aipg_plugin.frames import Frame
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.guard.cover import masked_share, places_of, unexplained
from aipg_plugin.guard.evidence import Evidence
from aipg_plugin.guard.layout import Layout, detection_stream, mount_of
from aipg_plugin.guard.looks import NOTHING_BESIDE, Beside, Shown, Urgency
from aipg_plugin.guard.planner import MaskPlanner, planner_of
from aipg_plugin.guard.service import alone
from aipg_plugin.options import Camera
from aipg_plugin.scene.change import Thumbnail
from aipg_plugin.scene.observation import NOWHERE, Analyzer
from aipg_plugin.scene.picture import LookPicture
from aipg_plugin.tracking.track import Track
from aipg_plugin.tracking.tracker import Tracker

MakeAnalyzer = Callable[[Projection, Mount, Camera], Analyzer]
MakeTracker = Callable[[Projection, Mount, Camera], Tracker]
OnLook = Callable[[float, tuple[Track, ...]], None]

_SEEN_PERIODS = 1.5  # who was not seen in the last look explains no change: they may be gone
_SOONEST = 0.5       # periods from a look to one that a newcomer's motion asks for
_QUIET_S = 0.9       # files: from one look to the next while nothing changes; a new track goes back a little longer
_BURST_PACE = 1.5   # frames that come this many times faster than they were taken have been held up and arrive together
_HELD_UP_S = 0.5    # a picture that was held up and handed over is awaited for as long
_BURST_STEP = 0.33  # of what has not been looked at, from one look to the next: as many as there is time for


class LookWorker(Protocol):
    """Runs looks beside the frames (`service.CameraWorker`; measurements bring their own)."""

    def wants(self, t_s: float, *, urgent: bool = False) -> bool: ...

    def offer(self, picture: LookPicture, t_s: float, shown: Shown) -> None: ...

    def close(self, timeout_s: float = 0.0, /) -> None: ...


MakeWorker = Callable[[Evidence, str], LookWorker]


@dataclass(frozen=True, eq=False)
class Arrival:
    """A frame that came in: its time, its layout, its thumbnail, and what breaks with the frame before it.

    `jumped`: time broke, `returned`: because the source had been lost; `opened`: the layout was opened for this frame.
    """

    frame: Frame
    t_s: float
    layout: Layout
    thumbnail: Thumbnail
    jumped: bool = False
    returned: bool = False
    opened: bool = False
    uncertainty_s: float = 0.0


@dataclass(frozen=True, eq=False)
class Known:
    """The evidence that counts for a stretch of time, the projection of its figures, and its pictures' layout."""

    evidence: Evidence
    source: Projection
    layout: Layout


class Observer:
    """Looks at the frames of a camera's detection stream; every stream asks it what is known.

    `observe` is called by the thread of the detection stream alone; the rest by any.
    """

    def __init__(self, camera: Camera, make_analyzer: MakeAnalyzer, make_tracker: MakeTracker, *, live: bool,
                 hindsight_s: float = 0.0, make_worker: MakeWorker = alone) -> None:
        self._camera = camera
        self._make_analyzer = make_analyzer
        self._make_tracker = make_tracker
        self._make_worker = make_worker if live else None
        self._hindsight_s = hindsight_s
        self._lock = threading.RLock()
        self._known: tuple[float, Known] | None = None  # and from when on it counts
        self._worker: LookWorker | None = None
        self._planner: MaskPlanner | None = None
        self._last: Thumbnail | None = None  # thumbnail of the picture looked at last
        self._looking = True
        self._handed: tuple[float, float] | None = None  # time of the last picture handed over, awaited until then
        self._now_s = self._last_s = -float("inf")
        self.lead_s = 0.0  # how far the detection stream's time is ahead of undelayed arrival, inf while not known
        self.on_look: OnLook | None = None
        self.beside: Beside = NOTHING_BESIDE  # what needs what is known as it is

    def known(self, t_s: float = float("inf")) -> Known | None:
        """What counts for a moment; None before the first look, and after geometry changed."""
        since = self._known
        return since[1] if since is not None and t_s >= since[0] else None

    def watches(self, stream_id: str) -> bool:
        """Whether looks are at this stream."""
        return stream_id == detection_stream(self._camera).id

    def observe(self, arrival: Arrival, waiting: Sequence[Arrival] = ()) -> None:
        """Look at a frame of the detection stream if it is due, or if what it shows has not been looked at.

        `waiting` are the frames that have not left yet: of those that arrived together, some are looked at as well.
        """
        if not self._looking:
            return
        self._now_s = arrival.t_s
        known = self.known()
        if not self._camera.privacy_guard.enabled:
            return
        if arrival.jumped and known is not None:
            self.beside.settle()
            known.evidence.reset(returned=arrival.returned)
            self._last = self._handed = None
        if known is None or arrival.layout is not known.layout:
            known = self._open(arrival)
            if known is None:
                return
        worker = self._worker
        if worker is not None:
            newest, arrival = arrival, self._pick(arrival, waiting)
            if self._awaits_a_look(newest, known) or not worker.wants(arrival.t_s, urgent=True):
                return
        shown = self._compare(arrival, known)
        if worker is not None:
            if worker.wants(arrival.t_s, urgent=shown.urgency >= Urgency.NEWCOMER):
                self._last, self._last_s = arrival.thumbnail, arrival.t_s
                awaited_s = known.evidence.period_s if arrival is newest else _HELD_UP_S
                self._handed = arrival.t_s, newest.frame.wall_time_s + awaited_s
                worker.offer(LookPicture.of(arrival.frame, known.source.size_wh), arrival.t_s, shown)
        elif self._nothing_new(arrival.t_s, shown, known):
            self.beside.settle(known.evidence.extends_from_s)
            known.evidence.extend(arrival.t_s)
            self.beside.begin()
        elif shown.new_scene or len(shown.changed_px) or known.evidence.due(arrival.t_s):
            self._last, self._last_s = arrival.thumbnail, arrival.t_s
            known.evidence.look(LookPicture.of(arrival.frame, known.source.size_wh), arrival.t_s, shown,
                                beside=self.beside)

    def configure(self, camera: Camera, *, void: bool) -> None:
        """Put new settings in force; `void` when what was found before counts no longer."""
        with self._lock:
            before, self._camera = self._camera, camera
            known = self.known()
            if void:
                self._drop()
            elif known is not None:
                known.evidence.tune(camera.privacy_guard)
                if camera.privacy_guard.enabled and not before.privacy_guard.enabled:
                    known.evidence.reset()  # nobody looked meanwhile

    def close(self, timeout_s: float) -> None:
        """Stop the detector's thread and forget everything."""
        with self._lock:
            self._looking = False
            worker = self._worker
            self._drop()
        if worker is not None:
            worker.close(timeout_s)

    def _pick(self, newest: Arrival, waiting: Sequence[Arrival]) -> Arrival:
        """The frame to look at: the newest, but of many that arrived together one after the other."""
        behind_s = newest.t_s - self._last_s
        step_s = max(1 / self._camera.privacy_guard.detect_hz, behind_s * _BURST_STEP)
        for one in waiting:
            together_s = newest.frame.wall_time_s - one.frame.wall_time_s
            if one.t_s >= self._last_s + step_s and newest.t_s - one.t_s > _BURST_PACE * together_s + step_s:
                return one
        return newest

    def _awaits_a_look(self, newest: Arrival, known: Known) -> bool:
        """Whether the picture handed over last is still to be looked at: a newer one would take its place, and of many
        that arrive together nobody would have looked at the time between.
        """
        return (self._handed is not None and known.evidence.looked_until_s < self._handed[0]
                and 0 < self._handed[1] - newest.frame.wall_time_s <= _HELD_UP_S)

    def _nothing_new(self, t_s: float, shown: Shown, known: Known) -> bool:
        """Whether a picture shows just what was looked at last, and a look at it can wait: each is compared anew."""
        return (shown.urgency is Urgency.ROUTINE and t_s - self._last_s < _QUIET_S
                and self._hindsight_s > 0 and known.evidence.settled)

    def _compare(self, arrival: Arrival, known: Known) -> Shown:
        """What sets a frame apart from the one looked at last."""
        if self._last is None:
            return Shown(arrival.thumbnail, arrival.uncertainty_s)
        change = arrival.layout.comparator.compare(self._last, arrival.thumbnail)
        if change.scene:
            return Shown(arrival.thumbnail, arrival.uncertainty_s, new_scene=True, urgency=Urgency.SCENE)
        if not change.different.any():
            return Shown(arrival.thumbnail, arrival.uncertainty_s)
        soon = self._worker is not None and arrival.t_s - self._last_s < _SOONEST * known.evidence.period_s
        changed_px = NOWHERE if soon else self._unexplained(change.different, arrival, known)
        return Shown(arrival.thumbnail, arrival.uncertainty_s,
                     changed_px=changed_px if self._worker is None else NOWHERE,
                     urgency=Urgency.NEWCOMER if len(changed_px) else Urgency.MOVING)

    def _unexplained(self, different: NDArray[np.bool_], arrival: Arrival, known: Known) -> NDArray[np.float64]:
        """(N, 2) px where a picture differs from the one looked at last and nobody who was seen then is masked."""
        self.beside.end()
        guard, planner = self._camera.privacy_guard, self._planner_of(known)
        figures = known.evidence.figures(arrival.t_s, sensitivity=guard.sensitivity, expected=True)
        seen = tuple(figure for figure in figures if figure.age_s <= _SEEN_PERIODS * known.evidence.period_s)
        masked = masked_share(planner.regions(seen, guard), different.shape, arrival.layout.size_wh, different)
        return places_of(unexplained(different, masked), known.source.size_wh)

    def _planner_of(self, known: Known) -> MaskPlanner:
        """The planner of the detection stream."""
        if self._planner is None or self._planner.source is not known.source:
            self._planner = planner_of(self._camera, known.layout, known.source)
        return self._planner

    def _open(self, arrival: Arrival) -> Known | None:
        """Evidence for pictures of a new layout; none once this is closed, or a seat in the service would be left."""
        self.beside.settle()
        with self._lock:
            self._drop()
            if not self._looking:
                return None
            mount = mount_of(self._camera)
            analyzer = self._make_analyzer(arrival.layout.projection, mount, self._camera)
            source = analyzer.projection
            evidence = Evidence(analyzer, self._make_tracker(source, mount, self._camera),
                                period_s=1 / self._camera.privacy_guard.detect_hz, hindsight_s=self._hindsight_s)
            evidence.on_look = self._tell
            if self._make_worker is not None:
                self._worker = self._make_worker(evidence, self._camera.id)
            known = Known(evidence, source, arrival.layout)
            self._known = arrival.t_s, known
            self._last = self._planner = self._handed = None
            return known

    def _drop(self) -> None:
        if self._worker is not None:
            self._worker.close()
        self._worker = self._planner = self._last = None
        self._known = None

    def _tell(self, t_s: float, tracks: tuple[Track, ...]) -> None:
        if self.on_look is not None:
            self.on_look(t_s, tracks)
