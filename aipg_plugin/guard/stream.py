"""The guard of one stream: intake, settle, observe, release, in this order."""

from __future__ import annotations

import logging
from dataclasses import replace

from aipg_plugin.frames import Frame, GuardedFrame
from aipg_plugin.geometry.figure import Figure
from aipg_plugin.guard.areas import Projections
from aipg_plugin.guard.clock import Clock, FileClock, LiveClock
from aipg_plugin.guard.layout import Layout, LayoutFinder
from aipg_plugin.guard.observer import Arrival, Observer
from aipg_plugin.guard.release import Release, Waiting
from aipg_plugin.guard.ring import Ring
from aipg_plugin.guard.stats import StatsKeeper
from aipg_plugin.masking.plan import FigureRegion
from aipg_plugin.options import Camera, Stream

_log = logging.getLogger(__name__)


class StreamGuard:
    """One stream's frames, from intake to release. Used by one thread at a time; settings may change meanwhile."""

    def __init__(self, camera: Camera, stream: Stream, observer: Observer, *, live: bool,
                 projections: Projections) -> None:
        self._camera = camera
        self._stream = stream
        self._observer = observer
        self._live = live
        self._clock: Clock = LiveClock() if live else FileClock()
        self._layouts = LayoutFinder(stream)
        self._now_s = -float("inf")
        self._lost = False
        self.stats = StatsKeeper()
        self._release = Release(camera, stream, observer, self.stats, projections, live=live)
        self._ring: Ring[Waiting] = Ring(self._release.lookahead_s)

    @property
    def now_s(self) -> float:
        """Time of the newest frame."""
        return self._now_s

    @property
    def layout(self) -> Layout | None:
        """Layout of the newest frame."""
        return self._layouts.current

    def process(self, frame: Frame, *, newest_s: float = -float("inf")) -> list[GuardedFrame]:
        """Take one frame and return those whose time has come. Total; `newest_s` is the camera's on any stream."""
        try:
            arrival = self._intake(frame, newest_s)
        except Exception:
            _log.exception("camera %s stream %s: a frame failed in the intake", self._camera.id, frame.stream)
            return [*self._release.frames(self._ring.drain()), self._release.last_resort(frame)]
        settled, arrival = self._settle(arrival)
        self._observe(arrival, [waiting.arrival for waiting in self._ring])
        return settled + self._release.frames(self._ring.due(self._release.explained))

    def scout(self, frame: Frame) -> None:
        """Show a frame to the observer and keep nothing of it. May raise."""
        self._observe(self._intake(frame), [])

    def flush(self) -> list[GuardedFrame]:
        """The source has ended or is lost: release all that waits. A frame that comes nevertheless is a return."""
        self._lost = True
        self._clock.restart()
        return self._release.frames(self._ring.drain())

    def placeholder(self, text: str) -> GuardedFrame | None:
        """The source is lost: the last guarded picture, masked whole and captioned; None if none has left."""
        self._lost = True
        self._clock.restart()
        return self._release.placeholder(text, self._layouts.current)

    def figures(self) -> list[tuple[Figure, FigureRegion]]:
        """Everybody at the time of the newest frame, in the evidence's pixels, with the mask each gets here."""
        layout = self._layouts.current
        return [] if layout is None else self._release.figures(layout, self._now_s)

    def rewind(self) -> None:
        """The same frames come once more: start their time again."""
        self._clock = LiveClock() if self._live else FileClock()
        self._ring.drain()
        self.stats = self._release.stats = StatsKeeper()

    def configure(self, camera: Camera, stream: Stream, *, moved: bool) -> None:
        """New settings from the next released frame on; `moved` when the geometry changed."""
        self._camera, self._stream = camera, stream
        self._release.configure(camera, stream)
        self._ring.lookahead_s = self._release.lookahead_s
        if moved:
            self._layouts.forget(stream)

    def _intake(self, frame: Frame, newest_s: float = -float("inf")) -> Arrival:
        """Give a frame its time and its layout."""
        self.stats.came()
        tick = self._clock.tick(frame, newest_s)
        self._now_s = tick.t_s
        self._release.lead_s = self._clock.lead_s
        returned, self._lost = self._lost, False
        camera = self._camera
        layout, opened = self._layouts.find(frame, camera, tick.t_s)
        if camera is not self._camera:  # settings that came meanwhile open it anew with the next frame
            self._layouts.forget(self._stream)
        thumbnail = layout.comparator.thumbnail(frame.format, frame.planes)
        watched = self._observer.watches(self._stream.id)
        uncertainty_s = tick.uncertainty_s if watched or self._clock.settled else float("inf")
        return Arrival(frame, tick.t_s, layout, thumbnail, jumped=tick.jumped, returned=returned, opened=opened,
                       uncertainty_s=uncertainty_s)

    def _settle(self, arrival: Arrival) -> tuple[list[GuardedFrame], Arrival]:
        """Release what must leave by the evidence of its own time, and let the new frame wait, in a copy."""
        leaving = self._ring.drain() if arrival.opened or arrival.jumped else []
        settled = self._release.frames(leaving)
        planes = arrival.layout.pool.copy(arrival.frame.planes)
        arrival = replace(arrival, frame=replace(arrival.frame, planes=planes))
        self._release.remember(arrival)
        self._ring.push(Waiting(arrival, self._release.wanted))
        return settled, arrival

    def _observe(self, arrival: Arrival, waiting: list[Arrival]) -> None:
        """Show a frame of the detection stream to the observer. Total."""
        try:
            if self._observer.watches(self._stream.id):
                self._observer.lead_s = self._clock.lead_s
                self._observer.observe(arrival, waiting)
        except Exception:
            _log.exception("camera %s: looking at a frame failed", self._camera.id)
            self.stats.faults += 1
