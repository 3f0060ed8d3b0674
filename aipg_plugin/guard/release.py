"""Release: a waiting frame becomes a guarded frame, by the evidence of its time. The only place that makes them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from aipg_plugin.frames import Frame, GuardedFrame, Planes, _mint_guarded
from aipg_plugin.geometry.figure import Figure
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.guard import placeholder
from aipg_plugin.guard.areas import Projections, areas_of
from aipg_plugin.guard.cover import MOST_UNEXPLAINED, Shares, covers, masked_share, unmasked
from aipg_plugin.guard.hidden import hidden_places
from aipg_plugin.guard.layout import Layout
from aipg_plugin.guard.looks import Look, Status
from aipg_plugin.guard.observer import Arrival, Known, Observer
from aipg_plugin.guard.planned import Planned, Waiting
from aipg_plugin.guard.planner import MaskPlanner, planner_of
from aipg_plugin.guard.policy import Facts, age_of, decide
from aipg_plugin.guard.references import References
from aipg_plugin.guard.stats import StatsKeeper
from aipg_plugin.masking.cells import default_cell_px
from aipg_plugin.masking.painter import MaskPainter
from aipg_plugin.masking.plan import FigureRegion, MaskPlan
from aipg_plugin.options import Camera, MaskingMethod, PrivacyGuard, Stream
from aipg_plugin.scene.change import PictureChange
from aipg_plugin.states import FULL_MOSAIC, State

_log = logging.getLogger(__name__)
_UNSEEN = Status(age_s=float("inf"), doubt="", swept=False)


_MOST_UNCERTAIN_S = 0.35  # a time less certain than this is no ground to place masks on; at a walk, half a metre
_WALKING_M_S = 1.4        # masks are widened by this for each second of uncertainty (a brisk walk)
_UNCERTAIN = "the source's clock is uncertain"
_CHANGED = "much has changed since the last look"
_BROKEN_OFF = "the stream broke off before what came after was looked at"
_HIDDEN = "the stream that is looked at does not show all of this picture"
_LOOKS_AFTER = 2  # who comes in half hidden is missed by the first look, and found by the next


class Release:
    """Masks one stream's frames by the settings in force when they leave. Used by the stream's thread."""

    def __init__(self, camera: Camera, stream: Stream, observer: Observer, stats: StatsKeeper,
                 projections: Projections, *, live: bool) -> None:
        self._camera = camera
        self._live = live
        self._stream = stream
        self._observer = observer
        self._projections = projections
        self._planner: tuple[Layout, Projection, Camera, tuple[Projection | None, ...], MaskPlanner] | None = None
        self._last: GuardedFrame | None = None
        self._references = References()
        self._hidden: tuple[Projection, Layout, NDArray[np.bool_]] | None = None
        self._masked_then: dict[Look, Shares] = {}
        self.lead_s = 0.0  # how far this stream's time is ahead of undelayed arrival
        self.stats = stats

    @property
    def wanted(self) -> bool:
        """Whether the settings want this stream guarded."""
        return self._camera.privacy_guard.guards(self._stream.id)

    @property
    def lookahead_s(self) -> float:
        """How long frames wait for what is seen after them; a file's do not, what came after is known or never will."""
        return self._camera.privacy_guard.lookahead_s if self._live else 0.0

    def configure(self, camera: Camera, stream: Stream) -> None:
        """New settings from the next frame on."""
        self._camera, self._stream = camera, stream

    def remember(self, arrival: Arrival) -> None:
        """Keep what another stream than the one looked at showed, to compare its frames with."""
        if not self._observer.watches(self._stream.id):
            if arrival.opened or arrival.jumped:
                self._references.restart()
            self._references.remember(arrival.t_s, arrival.thumbnail)

    def plans(self, waiting: Iterable[Waiting], *, early: bool = False) -> list[Planned]:
        """What to mask of frames, by what is known now. Total: where that fails the frame is to be blanked.

        `early`: they leave before their look-ahead is over, because the stream broke off.
        """
        return [self._planned(frame, early=early) for frame in waiting]

    def explained(self, waiting: Waiting) -> bool:
        """Whether waiting any longer is of no use: somebody looked at what came after, or nobody is going to."""
        if not self.wanted or waiting.arrival.layout.doubt:
            return True
        guard = self._camera.privacy_guard
        known = self._observer.known(waiting.t_s)
        return (known is None or self.lookahead_s < 1 / guard.detect_hz
                or known.evidence.looks_after(waiting.t_s) > 0)

    def paint(self, planned: Planned) -> GuardedFrame:
        """Mask a frame by its plan, one after the other in order. Total: where that fails it leaves as a blank.

        May run in another thread than the rest, if that is the same one for all of a stream's frames.
        """
        guarded = self._painted(planned)
        self._last = guarded
        return guarded

    def failed(self, frame: Frame) -> Planned:
        """A frame that nothing could be planned for: it is to be blanked."""
        return Planned(frame, 0.0, None, None, State.FAILSAFE, "masking failed")

    def placeholder(self, text: str, layout: Layout | None) -> GuardedFrame | None:
        """The last guarded picture, masked whole and captioned, stamped now; None if none of this layout has left."""
        last = self._last
        if last is None or layout is None or last.size_wh != layout.size_wh:
            return None
        planes: Planes = tuple(np.array(plane) for plane in last.planes)
        try:
            plan = MaskPlan(full=True, default_cell_px=default_cell_px(last.size_wh))
            MaskPainter(last.format, last.size_wh).paint(planes, plan, last.wall_time_s)
            placeholder.caption(last.format, planes, text)
        except Exception:
            _log.exception("camera %s stream %s: placeholder blanked", self._camera.id, self._stream.id)
            planes = placeholder.blank(last.format, last.size_wh)
        now_s = time.time()
        pts_s = None if last.pts_s is None else last.pts_s + max(0.0, now_s - last.wall_time_s)
        self.stats.left(full=True, age_s=0.0, share=1.0, people=0)
        return _mint_guarded(stream=last.stream, seq=last.seq + 1, pts_s=pts_s, wall_time_s=now_s, format=last.format,
                             size_wh=last.size_wh, planes=planes, state=State.LOST, reason=text)

    def figures(self, layout: Layout, t_s: float) -> list[tuple[Figure, FigureRegion]]:
        """Everybody at one moment, in the evidence's pixels, with the mask each gets in this layout."""
        known = self._observer.known(t_s)
        if known is None:
            return []
        guard = self._camera.privacy_guard
        found = known.evidence.figures(t_s, sensitivity=guard.sensitivity)
        regions = {region.key: region for region in self._planner_of(layout, self._camera, known).regions(found, guard)}
        return [(figure, regions[figure.id]) for figure in found if figure.id in regions]

    def _planned(self, waiting: Waiting, *, early: bool) -> Planned:
        try:
            return self._plan(waiting, early=early)
        except Exception:
            _log.exception("camera %s stream %s: planning failed, frame blanked", self._camera.id, self._stream.id)
            return self.failed(waiting.arrival.frame)

    def _painted(self, planned: Planned) -> GuardedFrame:
        frame, share = planned.frame, 0.0
        if planned.state is not State.OFF:
            if planned.plan is None or planned.layout is None:
                return self._blank(frame)
            try:
                share = _paint(frame.planes, planned.layout, planned.plan, planned.t_s,
                               learn=planned.state is State.GUARDING)
            except Exception:
                _log.exception("camera %s stream %s: masking failed, frame blanked", self._camera.id, self._stream.id)
                return self._blank(frame)
        self.stats.left(full=planned.state in FULL_MOSAIC, age_s=planned.age_s, share=share, people=planned.people)
        return _mint(frame, frame.planes, planned.state, planned.reason)

    def _blank(self, frame: Frame) -> GuardedFrame:
        """A blank in place of a frame that could not be guarded."""
        self.stats.faults += 1
        self.stats.left(full=True, age_s=float("inf"), share=1.0, people=0)
        return _mint(frame, placeholder.blank(frame.format, frame.size_wh), State.FAILSAFE, "masking failed")

    def _plan(self, waiting: Waiting, *, early: bool) -> Planned:
        camera, arrival = self._camera, waiting.arrival
        guard, known = camera.privacy_guard, self._known(arrival)
        epoch = known.evidence.epoch if known is not None else 0
        status, changes = self._judge(arrival, known)
        planner = self._planner_of(arrival.layout, camera, known)
        status = replace(status, doubt=status.doubt or planner.areas.missing)
        if early and known is not None and status.swept and self._unfinished(known, arrival.t_s):
            status = replace(status, doubt=status.doubt or _BROKEN_OFF)
        state, reason = self._decide(waiting, status, guard)
        if state is State.OFF:
            return Planned(arrival.frame, arrival.t_s, arrival.layout, None, state, reason, status.age_s,
                           thumbnail=arrival.thumbnail)
        figures = () if state in FULL_MOSAIC or known is None else self._figures(known, arrival.t_s, status)
        plan = planner.plan(figures, guard, full=state in FULL_MOSAIC)
        open_places = self._open_places(arrival, known, changes, plan, planner)
        if open_places.mean() > MOST_UNEXPLAINED:
            state, reason = self._decide(waiting, replace(status, doubt=_CHANGED), guard)
            plan = planner.plan((), guard, full=True)
        elif not plan.full:
            hidden = self._hidden_from(known, arrival.layout) if known is not None else None
            if hidden is not None:
                open_places |= hidden
            covered = covers(open_places, arrival.layout.size_wh, plan.default_cell_px)
            plan = replace(plan, figures=(*plan.figures, *covered))
        if known is not None and known.evidence.epoch != epoch:
            return self._plan(waiting, early=early)  # reset by another thread: the figures are gone that were trusted
        people = sum(figure.id >= 0 for figure in figures)
        return Planned(arrival.frame, arrival.t_s, arrival.layout, plan, state, reason, status.age_s, people,
                       arrival.thumbnail)

    def _unfinished(self, known: Known, t_s: float) -> bool:
        """Whether the looks that the look-ahead waits for are not over."""
        return (self.lookahead_s >= 1 / self._camera.privacy_guard.detect_hz
                and known.evidence.looks_after(t_s) < _LOOKS_AFTER)

    def _decide(self, waiting: Waiting, status: Status, guard: PrivacyGuard) -> tuple[State, str]:
        age = age_of(status.age_s, 1 / guard.detect_hz, status.gap_s, self.lookahead_s, short=status.short)
        return decide(Facts(enabled=waiting.wanted or self.wanted, frames=True, doubt=status.doubt, swept=status.swept,
                            age=age))

    def _known(self, arrival: Arrival) -> Known | None:
        """The evidence for a frame; none if it was found in pictures of this stream that had another size."""
        known = self._observer.known(arrival.t_s)
        if known is not None and self._observer.watches(self._stream.id) and (
                known.layout.size_wh != arrival.layout.size_wh):
            return None
        return known

    def _judge(self, arrival: Arrival, known: Known | None) -> tuple[Status, dict[Look, PictureChange]]:
        """Trust in the evidence for a frame, and how the frame differs from the pictures that it rests on."""
        comparator = arrival.layout.comparator
        changes: dict[Look, PictureChange] = {}
        if known is None:
            return replace(_UNSEEN, doubt=arrival.layout.doubt), changes
        for look in known.evidence.around(arrival.t_s):
            reference = (look.thumbnail if self._observer.watches(self._stream.id)
                         else self._references.of(look, arrival.layout, known.source))
            if reference is not None:
                changes[look] = comparator.compare(reference, arrival.thumbnail)

        def same_scene(look: Look) -> bool:
            return look in changes and not changes[look].scene

        status = known.evidence.status(arrival.t_s, same_scene)
        uncertain_s = max(status.uncertainty_s, arrival.uncertainty_s)
        if not self._observer.watches(self._stream.id):
            uncertain_s += abs(self.lead_s - self._observer.lead_s)
        doubt = arrival.layout.doubt or known.layout.doubt or status.doubt
        hidden = self._hidden_from(known, arrival.layout)
        if not doubt and hidden is not None and hidden.mean() > MOST_UNEXPLAINED:
            doubt = _HIDDEN
        elif not doubt and uncertain_s > _MOST_UNCERTAIN_S:
            doubt = _UNCERTAIN
        return replace(status, doubt=doubt, uncertainty_s=uncertain_s), changes

    def _hidden_from(self, known: Known, layout: Layout) -> NDArray[np.bool_] | None:
        """(h, w) bool: the thumbnail's pixels of another stream that the pictures looked at do not show, if any."""
        if self._observer.watches(self._stream.id):
            return None
        kept = self._hidden
        if kept is None or not _the_same(kept[:2], (known.source, layout)):
            found = hidden_places(layout.projection, known.source, layout.comparator.valid)
            kept = self._hidden = (known.source, layout, found)
        return kept[2]

    def _open_places(self, arrival: Arrival, known: Known | None, changes: dict[Look, PictureChange], plan: MaskPlan,
                     planner: MaskPlanner) -> NDArray[np.bool_]:
        """(h, w) bool: the thumbnail's pixels that a plan leaves clear and no look has covered."""
        shape = arrival.thumbnail.luma.shape
        same_scene = [(look, change.different) for look, change in changes.items() if not change.scene]
        if plan.full or known is None or not any(different.any() for _, different in same_scene):
            return np.zeros(shape, bool)

        def masked_then(look: Look) -> Shares:
            """What was masked when the look was taken, kept for the looks around the last frame."""
            if look not in self._masked_then:
                figures = known.evidence.figures(look.t_s, sensitivity=self._camera.privacy_guard.sensitivity)
                regions = planner.regions(figures, self._camera.privacy_guard)
                self._masked_then[look] = masked_share(regions, shape, arrival.layout.size_wh)
            return self._masked_then[look]

        self._masked_then = {look: kept for look, kept in self._masked_then.items()
                             if look in changes and kept.shape == shape}
        return unmasked([(different, partial(masked_then, look)) for look, different in same_scene],
                        masked_share(plan.figures, shape, arrival.layout.size_wh,
                                     np.logical_or.reduce([different for _, different in same_scene])))

    def _figures(self, known: Known, t_s: float, status: Status) -> tuple[Figure, ...]:
        """Everybody at one moment, known less well where the time is less certain."""
        figures = known.evidence.figures(t_s, sensitivity=self._camera.privacy_guard.sensitivity)
        astray_m = _WALKING_M_S * status.uncertainty_s
        if astray_m == 0:
            return figures
        return tuple(replace(figure, position_uncertainty_m=figure.position_uncertainty_m + astray_m)
                     for figure in figures)

    def _planner_of(self, layout: Layout, camera: Camera, known: Known | None) -> MaskPlanner:
        """The planner of a layout, kept until layouts (other streams' too), evidence or settings change."""
        source = known.source if known is not None else layout.projection
        others = tuple(self._projections(stream.id) for stream in camera.streams if stream.id != self._stream.id)
        kept = self._planner
        if kept is not None and _the_same(kept[:3], (layout, source, camera)) and _the_same(kept[3], others):
            return kept[4]
        areas = areas_of(camera.privacy_guard, self._stream.id, layout.projection, self._projections)
        planner = planner_of(camera, layout, source, areas)
        self._planner = (layout, source, camera, others, planner)
        return planner


def _the_same(one: Sequence[object], other: Sequence[object]) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))


def _paint(planes: Planes, layout: Layout, plan: MaskPlan, t_s: float, *, learn: bool) -> float:
    """Mask planes in place, with the background image where that is wanted and known; returns the masked share."""
    painter, background = layout.painter, layout.background
    if plan.method is not MaskingMethod.BACKGROUND:
        background.forget()
        return painter.paint(planes, plan, t_s)
    share = painter.paint(planes, plan, t_s, background.known())
    if background.covered(painter.mask):
        painter.paint(planes, plan, t_s, background.known())
    if learn:
        background.learn(planes, painter.mask, t_s)
    return share


def _mint(frame: Frame, planes: Planes, state: State, reason: str) -> GuardedFrame:
    return _mint_guarded(stream=frame.stream, seq=frame.seq, pts_s=frame.pts_s, wall_time_s=frame.wall_time_s,
                         format=frame.format, size_wh=frame.size_wh, planes=planes, state=state, reason=reason)
