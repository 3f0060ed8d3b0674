"""The guard of one stream: intake, settle, observe, release, in this order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from itertools import chain

from aipg_plugin.frames import Frame, GuardedFrame
from aipg_plugin.geometry.figure import Figure
from aipg_plugin.guard.areas import Projections
from aipg_plugin.guard.clock import Clock, FileClock, LiveClock
from aipg_plugin.guard.late import LatePlans
from aipg_plugin.guard.layout import Layout, LayoutFinder
from aipg_plugin.guard.looks import NOTHING_BESIDE
from aipg_plugin.guard.observer import Arrival, Observer
from aipg_plugin.guard.planned import Planned, Waiting, without_picture
from aipg_plugin.guard.release import Release
from aipg_plugin.guard.ring import MOST_WAITING, Ring
from aipg_plugin.guard.stats import StatsKeeper
from aipg_plugin.guard.turns import Turns
from aipg_plugin.masking.plan import FigureRegion
from aipg_plugin.options import Camera, Stream

_log = logging.getLogger(__name__)
Admitted = Arrival | Frame  # a frame that failed in the intake stays what it was, and is blanked


class StreamGuard:
    """One stream's frames, from intake to release. Used by one thread at a time; settings may change meanwhile."""

    def __init__(self, camera: Camera, stream: Stream, observer: Observer, *, live: bool,
                 projections: Projections, hindsight_s: float = 0.0, most_waiting: int = MOST_WAITING,
                 turns: Turns | None = None, own_frames: bool = False) -> None:
        self._camera = camera
        self._stream = stream
        self._observer = observer
        self._live = live
        self._hindsight_s = hindsight_s
        self._own_frames = own_frames
        self._clock: Clock = LiveClock() if live else FileClock()
        self._layouts = LayoutFinder(stream)
        self._now_s = -float("inf")
        self._lost = False
        self._late: LatePlans | None = None
        self.stats = StatsKeeper()
        self._release = Release(camera, stream, observer, self.stats, projections, live=live)
        self._turn: Callable[[], AbstractContextManager[None]] = nullcontext if turns is None else turns.turn
        self._ring: Ring[Waiting] = Ring(self._wait_s, most_waiting)

    @property
    def _wait_s(self) -> float:
        """How long frames wait for what is seen after them."""
        return self._release.lookahead_s if self._live else self._hindsight_s

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
        with self._turn():
            settled, due = self._step(self.admit(frame, newest_s=newest_s), keep=True)
        guarded = [*self._painted(settled), *self._guarded(due)]
        return may_leave(guarded, wanted=self._release.wanted)  # maybe since a moment ago: turns take time

    def plan(self, frame: Frame, *, newest_s: float = -float("inf"), keep: bool = True) -> list[Planned]:
        """The first half of `process`: those whose time has come and what to mask of them. Total.

        Without `keep` the pictures do not wait: `paint` is to be given each once more.
        """
        return self.plan_admitted(self.admit(frame, newest_s=newest_s, keep=keep), keep=keep)

    def admit(self, frame: Frame, *, newest_s: float = -float("inf"), keep: bool = True) -> Admitted:
        """The first step of `plan`, for each frame in order; a file's may run ahead in a thread of its own. Total."""
        try:
            arrival = self._intake(frame, newest_s)
            borrowed = keep and not self._own_frames
            own = replace(frame, planes=arrival.layout.pool.copy(frame.planes)) if borrowed else frame
            return replace(arrival, frame=own)
        except Exception:
            _log.exception("camera %s stream %s: a frame failed in the intake", self._camera.id, frame.stream)
            return frame

    def plan_admitted(self, arrival: Admitted, *, keep: bool = True) -> list[Planned]:
        """The rest of `plan`, of a frame that was admitted with the same `keep`. Total."""
        settled, due = self._step(arrival, keep=keep)
        if self._late is None:
            return settled + self._release.plans(due)
        self._late.add(due)
        return settled + self._late.take()

    def _late_ones(self) -> list[Planned]:
        return [] if self._late is None else self._late.finish()

    @contextmanager
    def planning_beside_looks(self) -> Iterator[None]:
        """Files: within this, frames are planned while the next picture is looked at, with the same result."""
        self._late = self._observer.beside = LatePlans(self._release.plans)
        try:
            yield
        finally:
            self._observer.beside = NOTHING_BESIDE
            self._late.close()
            self._late = None

    def paint(self, planned: Planned, again: Frame | None = None) -> GuardedFrame:
        """The second half of `process`, for each in order, by one thread. Total.

        `again`: the same frame, where its picture was not kept; a frame that is another one leaves as a blank.
        """
        return self._release.paint(planned if again is None else planned.with_picture(again))

    def flush(self) -> list[GuardedFrame]:
        """The source has ended or is lost: release all that waits. A frame that comes nevertheless is a return."""
        return self._painted(self.plan_rest())

    def plan_rest(self) -> Iterator[Planned]:
        """The first half of `flush`, planned one by one as they are taken."""
        self._lost = True
        self._clock.restart()
        rest = (planned for one in self._ring.drain() for planned in self._release.plans([one], early=True))
        return chain(self._late_ones(), rest)

    def placeholder(self, text: str) -> GuardedFrame | None:
        """The source is lost: the last guarded picture, masked whole and captioned; None if none has left."""
        self._lost = True
        self._clock.restart()
        return self._release.placeholder(text, self._layouts.current)

    def begin(self) -> None:
        """A source is opened, maybe another camera's than before: its image circle is looked for anew."""
        self._layouts.forget(self._stream)

    def figures(self, t_s: float | None = None) -> list[tuple[Figure, FigureRegion]]:
        """Everybody at a moment (None: of the newest frame), in the evidence's pixels, with the mask each gets here."""
        layout = self._layouts.current
        return [] if layout is None else self._release.figures(layout, self._now_s if t_s is None else t_s)

    def configure(self, camera: Camera, stream: Stream, *, moved: bool) -> None:
        """New settings from the next released frame on; `moved` when the geometry changed."""
        self._camera, self._stream = camera, stream
        self._release.configure(camera, stream)
        self._ring.lookahead_s = self._wait_s
        if moved:
            self._layouts.forget(stream)

    def _step(self, arrival: Admitted, *, keep: bool) -> tuple[list[Planned], list[Waiting]]:
        """One frame further: what must leave by the evidence of before, and the frames whose time has come. Total."""
        if isinstance(arrival, Frame):
            return [*self._late_ones(), *self._release.plans(self._ring.drain(), early=True),
                    self._release.failed(arrival)], []
        before = self._late_ones() if arrival.opened or arrival.jumped else []
        settled = self._settle(arrival, keep=keep)
        self._observe(arrival, [waiting.arrival for waiting in self._ring])
        return before + settled, self._ring.due(self._release.explained)

    def _guarded(self, due: list[Waiting]) -> list[GuardedFrame]:
        """Each with a turn of its own: other cameras have theirs between."""
        guarded = []
        for waiting in due:
            with self._turn():
                guarded += [self.paint(planned) for planned in self._release.plans((waiting,))]
        return guarded

    def _painted(self, planned: Iterable[Planned]) -> list[GuardedFrame]:
        return [self.paint(one) for one in planned]

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

    def _settle(self, arrival: Arrival, *, keep: bool) -> list[Planned]:
        """Plan what must leave by the evidence of its own time, and let the new frame wait, its picture if it is kept.
        """
        settled = self._release.plans(self._ring.drain() if arrival.opened or arrival.jumped else (), early=True)
        waiting = arrival if keep else replace(arrival, frame=without_picture(arrival.frame))
        self._release.remember(waiting)
        arrived_s = arrival.frame.wall_time_s if self._live else arrival.t_s
        self._ring.push(Waiting(waiting, arrived_s, self._release.wanted))
        return settled

    def _observe(self, arrival: Arrival, waiting: list[Arrival]) -> None:
        """Show a frame of the detection stream to the observer. Total."""
        try:
            if self._observer.watches(self._stream.id):
                self._observer.lead_s = self._clock.lead_s if self._clock.settled else float("inf")
                self._observer.observe(arrival, waiting)
        except Exception:
            _log.exception("camera %s: looking at a frame failed", self._camera.id)
            self.stats.faults += 1


def may_leave(guarded: list[GuardedFrame], *, wanted: bool) -> list[GuardedFrame]:
    """What may leave now: no clear frame if the guard is `wanted`, though it was not when the frame's turn came."""
    return [one for one in guarded if not (wanted and one.clear)]
