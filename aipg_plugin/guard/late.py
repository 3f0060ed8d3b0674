"""Plans that are made beside the next look: while the net runs, the frames whose time has come are planned."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from aipg_plugin.guard.looks import Beside
from aipg_plugin.guard.planned import Planned, Waiting

_MOST = 16  # frames that wait to be planned


class LatePlans(Beside):
    """Frames to plan by the evidence as it is now, at the latest just before it changes (`evidence.Beside`).

    So it makes no difference when, or in which thread, but for the time it takes. All is called by one thread; the work
    is done in another.
    """

    def __init__(self, plans: Callable[[Iterable[Waiting]], list[Planned]]) -> None:
        self._plans = plans
        self._waiting: list[Waiting] = []
        self._begun: Future[list[Planned]] | None = None
        self._made: list[Planned] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="plan")

    def add(self, due: list[Waiting]) -> None:
        """Frames whose time has come, oldest first."""
        self._waiting += due
        if len(self._waiting) > _MOST:
            self.settle()

    def begin(self) -> None:
        """Begin with those that wait."""
        self.end()
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._begun = self._thread.submit(self._plans, waiting)

    def end(self) -> None:
        """Wait until those are planned that have been begun with."""
        begun, self._begun = self._begun, None
        if begun is not None:
            self._made += begun.result()

    def settle(self, from_s: float = -math.inf) -> None:
        """Plan all that wait, but not if none is of a moment from `from_s` on: what is known of those is to change."""
        self.end()
        if self._waiting and self._waiting[-1].t_s >= from_s:
            self.begin()
            self.end()

    def take(self) -> list[Planned]:
        """Those planned since the last call, in order."""
        made, self._made = self._made, []
        return made

    def finish(self) -> list[Planned]:
        """All that were added and not taken."""
        self.settle()
        return self.take()

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()
