"""Plans that are made beside the next look: while the net runs, the frames whose time has come are planned."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from aipg_plugin.guard.evidence import End, nothing_to_do
from aipg_plugin.guard.release import Planned, Waiting

_MOST = 16  # frames that wait to be planned


class LatePlans:
    """Frames to plan by the evidence as it is now, at the latest just before it changes.

    So it makes no difference when, or in which thread, but for the time it takes. `begin` and `take` are called by one
    thread; the work is done in another.
    """

    def __init__(self, plans: Callable[[Iterable[Waiting]], list[Planned]]) -> None:
        self._plans = plans
        self._waiting: list[Waiting] = []
        self._made: list[Planned] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="plan")

    def add(self, due: list[Waiting]) -> None:
        """Frames whose time has come, oldest first."""
        self._waiting += due
        if len(self._waiting) > _MOST:
            self.begin()()

    def begin(self) -> End:
        """Begin with those that wait; what is returned waits until they are planned, and is to be called once."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return nothing_to_do()
        future = self._thread.submit(self._plans, waiting)

        def end() -> None:
            self._made += future.result()

        return end

    def take(self) -> list[Planned]:
        """Those planned since the last call, in order."""
        made, self._made = self._made, []
        return made

    def finish(self) -> list[Planned]:
        """All that were added and not taken."""
        self.begin()()
        return self.take()

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()

