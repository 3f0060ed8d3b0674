"""Frames on their way through the guard, still clear: those that wait, and those of which is known what to mask."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from aipg_plugin.frames import Frame
from aipg_plugin.guard.layout import Layout
from aipg_plugin.guard.observer import Arrival
from aipg_plugin.masking.plan import MaskPlan
from aipg_plugin.scene.change import Thumbnail
from aipg_plugin.states import State


@dataclass(frozen=True, eq=False)
class Waiting:
    """A frame in the ring: our own copy of its planes, still clear, never handed out unmasked."""

    arrival: Arrival
    arrived_s: float  # by the computer's clock; a file's frames arrive at their own time
    wanted: bool  # guarded when it came: it never leaves clear, even if the guard is switched off in between

    @property
    def t_s(self) -> float:
        """Time of the frame."""
        return self.arrival.t_s


@dataclass(frozen=True, eq=False)
class Planned:
    """A frame, still clear, and what is to be masked of it: `Release.paint` makes a guarded frame of it.

    Without a plan it is blanked, unless the guard is off. `age_s` of the evidence and `people` are for the statistics,
    `thumbnail` for a picture that is handed in again.
    """

    frame: Frame
    t_s: float
    layout: Layout | None
    plan: MaskPlan | None
    state: State
    reason: str
    age_s: float = float("inf")
    people: int = 0
    thumbnail: Thumbnail | None = None

    def with_picture(self, again: Frame) -> Planned:
        """The same with a copy of the picture, which was not kept; to be blanked if it is of another frame, or shows
        something else (the file was written to meanwhile).
        """
        own = self.frame
        same = (again.seq, again.pts_s, again.format, again.size_wh) == (own.seq, own.pts_s, own.format, own.size_wh)
        if not same or self.layout is None or not self._shows_the_same(again, self.layout):
            return replace(self, plan=None, state=State.FAILSAFE)
        return replace(self, frame=replace(again, planes=self.layout.pool.copy(again.planes)))

    def _shows_the_same(self, again: Frame, layout: Layout) -> bool:
        if self.thumbnail is None:
            return False
        change = layout.comparator.compare(self.thumbnail, layout.comparator.thumbnail(again.format, again.planes))
        return not change.scene and not change.different.any()


def without_picture(frame: Frame) -> Frame:
    """A frame whose planes show nothing and take no memory."""
    black = np.zeros(1, np.uint8)
    return replace(frame, planes=tuple(np.broadcast_to(black, plane.shape) for plane in frame.planes))
