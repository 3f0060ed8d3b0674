"""The guard of one stream: intake, state, masking, release."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

import numpy as np

from aipg_plugin.frames import Frame, GuardedFrame, PixelFormat, Planes, _mint_guarded
from aipg_plugin.geometry.camera import ImageCircle, default_circle
from aipg_plugin.geometry.figure import Figure
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.guard import placeholder
from aipg_plugin.guard.clock import FrameClock
from aipg_plugin.guard.evidence import Evidence, Status
from aipg_plugin.guard.planner import MaskPlanner, locate_circle, mount_of, project, same_view
from aipg_plugin.guard.policy import Facts, age_of, decide
from aipg_plugin.guard.ring import BufferPool, Ring, Waiting
from aipg_plugin.guard.stats import StatsKeeper
from aipg_plugin.masking.cells import default_cell_px
from aipg_plugin.masking.painter import MaskPainter
from aipg_plugin.masking.plan import FigureRegion, MaskPlan
from aipg_plugin.options import Camera, CaptureMode, MaskingMethod, Stream
from aipg_plugin.scene.background_image import BackgroundImage
from aipg_plugin.states import FULL_MOSAIC, State

_log = logging.getLogger(__name__)
_UNSEEN = Status(age_s=float("inf"), doubt="", swept=False)
_CIRCLE_SIDE_PX = 640
_SEARCH_S = (1.0, 60.0)  # an image circle the first picture could not show is looked for again, ever more seldom
_LIT_DEVIATION = 12.0


@dataclass(frozen=True)
class Layout:
    """Everything that hangs on the size and format of a stream's pictures."""

    format: PixelFormat
    size_wh: tuple[int, int]
    pool: BufferPool
    painter: MaskPainter
    projection: Projection
    background: BackgroundImage
    circle_wanting: bool  # a picture too dark to show its image circle: the default stands in for now

    @classmethod
    def of(cls, frame: Frame, camera: Camera, stream: Stream) -> Layout:
        """Open the geometry of a frame: the image circle is found in it if the settings do not give it."""
        fisheye = stream.capture_mode is CaptureMode.FISHEYE
        circle, settled = find_circle(frame, camera) if fisheye else (None, True)
        projection = project(camera, stream, frame.size_wh, circle or default_circle(frame.size_wh))
        return cls(frame.format, frame.size_wh, BufferPool(frame.format, frame.size_wh),
                   MaskPainter(frame.format, frame.size_wh), projection, BackgroundImage(frame.format, frame.size_wh),
                   not settled)

    def fits(self, frame: Frame) -> bool:
        """Whether a frame has this layout."""
        return frame.format is self.format and frame.size_wh == self.size_wh


def find_circle(frame: Frame, camera: Camera) -> tuple[ImageCircle | None, bool]:
    """The image circle of a fisheye frame, as given or as seen, and whether that is settled.

    A lit picture without one has none; a dark or flat one cannot tell.
    """
    ratio = min(1.0, _CIRCLE_SIDE_PX / max(frame.size_wh))
    small_wh = (max(1, round(frame.size_wh[0] * ratio)), max(1, round(frame.size_wh[1] * ratio)))
    small = frame.to_bgr(small_wh)
    circle = locate_circle(camera, frame.size_wh, small)
    return circle, circle is not None or float(small.std()) >= _LIT_DEVIATION


@dataclass(frozen=True)
class Intake:
    """What follows from a new frame: `leaving` must be released before what was seen until now is forgotten."""

    leaving: list[Waiting]
    jumped: bool


@dataclass(frozen=True)
class _Seen:
    evidence: Evidence
    source: Projection


class StreamGuard:
    """One stream's frames, from intake to release. Used by one thread at a time; settings may change meanwhile."""

    def __init__(self, camera: Camera, stream: Stream, *, live: bool) -> None:
        self._camera = camera
        self._stream = stream
        self._live = live
        self._clock = FrameClock(live=live)
        self._ring = Ring(camera.privacy_guard.lookahead_s if live else 0.0)
        self._layout: Layout | None = None
        self._seen: _Seen | None = None
        self._planner: tuple[Layout, Projection, Camera, MaskPlanner] | None = None
        self._last: GuardedFrame | None = None
        self._now_s = self._search_s = -float("inf")
        self._search_wait_s = _SEARCH_S[0]
        self.stats = StatsKeeper()

    @property
    def now_s(self) -> float:
        """Time of the newest frame."""
        return self._now_s

    @property
    def oldest_s(self) -> float:
        """Time of the oldest frame that still waits."""
        oldest_s = self._ring.oldest_s
        return self._now_s if oldest_s is None else oldest_s

    @property
    def layout(self) -> Layout | None:
        """Layout of the newest frame."""
        return self._layout

    def take(self, frame: Frame, *, newest_s: float = -float("inf"), keep: bool = True) -> Intake:
        """Copy a frame into the ring; `newest_s` is the camera's newest time on any stream."""
        self.stats.came()
        tick = self._clock.tick(frame, newest_s)
        self._now_s = tick.t_s
        camera, layout = self._camera, self._layout
        opened = layout is None or not layout.fits(frame) or self._circle_came(layout, frame, camera)
        if layout is None or opened:
            layout = Layout.of(frame, camera, self._stream)
            # Settings that came meanwhile open it anew with the next frame.
            self._layout = layout if camera is self._camera else None
        leaving = self._ring.drain() if opened or tick.jumped else []
        if keep:
            self._ring.push(Waiting(frame, layout.pool.copy(frame.planes), tick.t_s, layout, self._wanted(camera)))
        return Intake(leaving, tick.jumped)

    def due(self) -> list[Waiting]:
        """Frames whose look-ahead is over."""
        return self._ring.due(self._now_s)

    def drain(self) -> list[Waiting]:
        """Frames still waiting."""
        return self._ring.drain()

    def rewind(self) -> None:
        """The same frames come once more: start their time again."""
        self._clock = FrameClock(live=self._live)
        self._ring.drain()
        self.stats = StatsKeeper()

    def configure(self, camera: Camera, stream: Stream, *, moved: bool) -> None:
        """New settings from the next released frame on; `moved` when the geometry changed."""
        self._camera, self._stream = camera, stream
        self._ring.lookahead_s = camera.privacy_guard.lookahead_s if self._live else 0.0
        if moved:
            self._layout = None

    def see(self, evidence: Evidence, source: Projection) -> None:
        """Tell where the evidence comes from, and in which projection its figures are."""
        if self._seen is None or self._seen.evidence is not evidence:
            self._seen = _Seen(evidence, source)

    def forget_evidence(self) -> None:
        """The evidence is void: whole pictures until there is new."""
        self._seen = None

    def figures(self) -> list[tuple[Figure, FigureRegion]]:
        """Everybody at the time of the newest frame, in the evidence's pixels, with the mask each gets here."""
        layout, seen = self._layout, self._seen
        if layout is None or seen is None:
            return []
        guard = self._camera.privacy_guard
        found = seen.evidence.figures(self._now_s, sensitivity=guard.sensitivity)
        regions = {region.key: region for region in self._planner_of(layout, self._camera, seen).regions(found, guard)}
        return [(figure, regions[figure.id]) for figure in found if figure.id in regions]

    def release(self, waiting: Waiting) -> GuardedFrame:
        """Mask a frame by the evidence there is. Total: if anything fails the frame leaves as a blank."""
        try:
            guarded = self._mask(waiting)
        except Exception:
            _log.exception("camera %s stream %s: masking failed, frame blanked", self._camera.id, self._stream.id)
            guarded = self.last_resort(waiting.frame)
        self._last = guarded
        return guarded

    def last_resort(self, frame: Frame) -> GuardedFrame:
        """A blank in place of a frame that could not be guarded."""
        self.stats.faults += 1
        reason = "masking failed"
        self.stats.left(full=True, age_s=float("inf"), share=1.0, people=0)
        return _mint(frame, placeholder.blank(frame.format, frame.size_wh), State.FAILSAFE, reason)

    def placeholder(self, text: str) -> GuardedFrame | None:
        """The last guarded picture, masked whole and captioned, stamped now; None if there was none."""
        last, layout = self._last, self._layout
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

    def _mask(self, waiting: Waiting) -> GuardedFrame:
        camera, seen = self._camera, self._seen
        guard = camera.privacy_guard
        status = seen.evidence.status(waiting.t_s) if seen is not None else _UNSEEN
        state, reason = decide(Facts(
            enabled=waiting.wanted or self._wanted(camera), frames=True, doubt=status.doubt,
            swept=status.swept, age=age_of(status.age_s, 1 / guard.detect_hz)))
        full = state in FULL_MOSAIC
        share, people = 0.0, 0
        if state is not State.OFF:
            figures = () if full or seen is None else seen.evidence.figures(
                waiting.t_s, sensitivity=guard.sensitivity)
            people = sum(figure.id >= 0 for figure in figures)
            plan = self._planner_of(waiting.layout, camera, seen).plan(figures, guard, full=full)
            share = self._paint(waiting, plan, learn=state is State.GUARDING)
        self.stats.left(full=full, age_s=status.age_s, share=share, people=people)
        return _mint(waiting.frame, waiting.planes, state, reason)

    def _paint(self, waiting: Waiting, plan: MaskPlan, *, learn: bool) -> float:
        """Mask a frame in place, into the empty scene where that is wanted and known; returns the masked share."""
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

    def _circle_came(self, layout: Layout, frame: Frame, camera: Camera) -> bool:
        """Whether a picture shows the image circle that the first one lacked."""
        if not layout.circle_wanting:
            self._search_wait_s, self._search_s = _SEARCH_S[0], -float("inf")
            return False
        if self._now_s < self._search_s:
            return False
        self._search_s = self._now_s + self._search_wait_s
        self._search_wait_s = min(2 * self._search_wait_s, _SEARCH_S[1])
        circle, settled = find_circle(frame, camera)
        if settled and circle is None:
            self._search_s = float("inf")
        return circle is not None

    def _wanted(self, camera: Camera) -> bool:
        guard = camera.privacy_guard
        return guard.enabled and self._stream.id in guard.target_streams

    def _planner_of(self, layout: Layout, camera: Camera, seen: _Seen | None) -> MaskPlanner:
        """The planner of a layout, kept until layout, evidence or settings change."""
        source = seen.source if seen is not None else layout.projection
        kept = self._planner
        if kept is not None and kept[0] is layout and kept[1] is source and kept[2] is camera:
            return kept[3]
        planner = MaskPlanner(layout.projection, source, mount_of(camera), same_view(layout.projection, source),
                      self._stream.id)
        self._planner = (layout, source, camera, planner)
        return planner


def _mint(frame: Frame, planes: Planes, state: State, reason: str) -> GuardedFrame:
    return _mint_guarded(stream=frame.stream, seq=frame.seq, pts_s=frame.pts_s, wall_time_s=frame.wall_time_s,
                         format=frame.format, size_wh=frame.size_wh, planes=planes, state=state, reason=reason)



