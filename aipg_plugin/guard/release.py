"""Release: a waiting frame becomes a guarded frame, by the evidence of its time. The only place that makes them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from aipg_plugin.frames import Frame, GuardedFrame, Planes, _mint_guarded
from aipg_plugin.geometry.figure import Figure
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.guard import placeholder
from aipg_plugin.guard.evidence import Status
from aipg_plugin.guard.layout import Layout, mount_of, same_view
from aipg_plugin.guard.observer import Known, Observer
from aipg_plugin.guard.planner import MaskPlanner
from aipg_plugin.guard.policy import Facts, age_of, decide
from aipg_plugin.guard.stats import StatsKeeper
from aipg_plugin.masking.cells import default_cell_px
from aipg_plugin.masking.painter import MaskPainter
from aipg_plugin.masking.plan import FigureRegion, MaskPlan
from aipg_plugin.options import Camera, MaskingMethod, Stream
from aipg_plugin.states import FULL_MOSAIC, State

_log = logging.getLogger(__name__)
_UNSEEN = Status(age_s=float("inf"), doubt="", swept=False)


@dataclass(frozen=True)
class Waiting:
    """A frame in the ring: our own copy of its planes, still clear, never handed out unmasked."""

    frame: Frame
    planes: Planes
    t_s: float
    layout: Layout
    wanted: bool  # guarded when it came: it never leaves clear, even if the guard is switched off in between


class Release:
    """Masks one stream's frames by the settings in force when they leave. Used by the stream's thread."""

    def __init__(self, camera: Camera, stream: Stream, observer: Observer, stats: StatsKeeper) -> None:
        self._camera = camera
        self._stream = stream
        self._observer = observer
        self._planner: tuple[Layout, Projection, Camera, MaskPlanner] | None = None
        self._last: GuardedFrame | None = None
        self.stats = stats

    @property
    def wanted(self) -> bool:
        """Whether the settings want this stream guarded."""
        guard = self._camera.privacy_guard
        return guard.enabled and self._stream.id in guard.target_streams

    def configure(self, camera: Camera, stream: Stream) -> None:
        """New settings from the next frame on."""
        self._camera, self._stream = camera, stream

    def frames(self, waiting: Iterable[Waiting]) -> list[GuardedFrame]:
        """Mask frames. Total: where that fails a frame leaves as a blank."""
        return [self._one(frame) for frame in waiting]

    def last_resort(self, frame: Frame) -> GuardedFrame:
        """A blank in place of a frame that could not be guarded."""
        self.stats.faults += 1
        self.stats.left(full=True, age_s=float("inf"), share=1.0, people=0)
        return _mint(frame, placeholder.blank(frame.format, frame.size_wh), State.FAILSAFE, "masking failed")

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
        known = self._observer.known
        if known is None:
            return []
        guard = self._camera.privacy_guard
        found = known.evidence.figures(t_s, sensitivity=guard.sensitivity)
        regions = {region.key: region for region in self._planner_of(layout, self._camera, known).regions(found, guard)}
        return [(figure, regions[figure.id]) for figure in found if figure.id in regions]

    def _one(self, waiting: Waiting) -> GuardedFrame:
        try:
            guarded = self._mask(waiting)
        except Exception:
            _log.exception("camera %s stream %s: masking failed, frame blanked", self._camera.id, self._stream.id)
            guarded = self.last_resort(waiting.frame)
        self._last = guarded
        return guarded

    def _mask(self, waiting: Waiting) -> GuardedFrame:
        camera, known = self._camera, self._observer.known
        guard = camera.privacy_guard
        status = known.evidence.status(waiting.t_s) if known is not None else _UNSEEN
        doubt = waiting.layout.doubt or (known.doubt if known is not None else "") or status.doubt
        state, reason = decide(Facts(
            enabled=waiting.wanted or self.wanted, frames=True, doubt=doubt,
            swept=status.swept, age=age_of(status.age_s, 1 / guard.detect_hz)))
        full = state in FULL_MOSAIC
        share, people = 0.0, 0
        if state is not State.OFF:
            figures = () if full or known is None else known.evidence.figures(
                waiting.t_s, sensitivity=guard.sensitivity)
            people = sum(figure.id >= 0 for figure in figures)
            plan = self._planner_of(waiting.layout, camera, known).plan(figures, guard, full=full)
            share = _paint(waiting, plan, learn=state is State.GUARDING)
        self.stats.left(full=full, age_s=status.age_s, share=share, people=people)
        return _mint(waiting.frame, waiting.planes, state, reason)

    def _planner_of(self, layout: Layout, camera: Camera, known: Known | None) -> MaskPlanner:
        """The planner of a layout, kept until layout, evidence or settings change."""
        source = known.source if known is not None else layout.projection
        kept = self._planner
        if kept is not None and kept[0] is layout and kept[1] is source and kept[2] is camera:
            return kept[3]
        planner = MaskPlanner(layout.projection, source, mount_of(camera), same_view(layout.projection, source),
                              self._stream.id)
        self._planner = (layout, source, camera, planner)
        return planner


def _paint(waiting: Waiting, plan: MaskPlan, *, learn: bool) -> float:
    """Mask a frame in place, with the background image where that is wanted and known; returns the masked share."""
    painter, background = waiting.layout.painter, waiting.layout.background
    if plan.method is not MaskingMethod.BACKGROUND:
        background.forget()
        return painter.paint(waiting.planes, plan, waiting.t_s)
    share = painter.paint(waiting.planes, plan, waiting.t_s, background.known())
    if background.covered(painter.mask):
        painter.paint(waiting.planes, plan, waiting.t_s, background.known())
    if learn:
        background.learn(waiting.planes, painter.mask, waiting.t_s)
    return share


def _mint(frame: Frame, planes: Planes, state: State, reason: str) -> GuardedFrame:
    return _mint_guarded(stream=frame.stream, seq=frame.seq, pts_s=frame.pts_s, wall_time_s=frame.wall_time_s,
                         format=frame.format, size_wh=frame.size_wh, planes=planes, state=state, reason=reason)
