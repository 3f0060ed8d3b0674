"""One stream's frames in a guard process: those it has, and those that ended with it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from aipg_plugin.frames import Frame, GuardedFrame, Planes, _mint_guarded
from aipg_plugin.guard import placeholder
from aipg_plugin.guard.slots import SharedMemory, SharedPool
from aipg_plugin.guard.worker import Left
from aipg_plugin.states import State

_ENDED = "the guard's process ended"


@dataclass(frozen=True, eq=False)
class Held:
    """A frame that the process has: where it lies, and our hold on its memory."""

    frame: Frame
    place: int


class StreamFrames:
    """The frames of one stream that the process has, in order, the last it gave back, which it may still look at, and
    those that are to leave as blanks.
    """

    def __init__(self, stream_id: str, memory: SharedMemory) -> None:
        self._stream, self._memory = stream_id, memory
        self._pool: SharedPool | None = None
        self._held: deque[Held] = deque()
        self._last: Planes | None = None
        self._fallen: list[Frame] = []

    def hold(self, frame: Frame) -> Held:
        """A copy of a frame where the process sees it, which is its own until it gives it back.

        Raises OSError or MemoryError where there is no memory for it.
        """
        pool = self._pool
        if pool is None or (pool.format, pool.size_wh) != (frame.format, frame.size_wh):
            pool = self._pool = SharedPool(self._memory, frame.format, frame.size_wh)
        planes = pool.copy(frame.planes)
        own = Frame(frame.stream, frame.seq, frame.pts_s, frame.wall_time_s, frame.format, frame.size_wh, planes)
        held = Held(own, self._memory.place_of(planes[0].base))  # type: ignore[arg-type]  # an array of the pool
        self._held.append(held)
        return held

    def given_back(self, left: Iterable[Left]) -> list[GuardedFrame] | None:
        """The guarded frames that the process gives back; None where one is not the frame that was put there.

        Frames that came before them and are not among them are gone.
        """
        guarded = []
        for one in left:
            planes = one.planes if one.place is None else self._planes(one)
            if planes is None:
                return None
            guarded.append(_mint_guarded(stream=self._stream, seq=one.seq, pts_s=one.pts_s,
                                         wall_time_s=one.wall_time_s, format=one.format, size_wh=one.size_wh,
                                         planes=planes, state=one.state, reason=one.reason))
        return guarded

    def refuse(self, frame: Frame) -> None:
        """A frame that the process does not get."""
        self._fallen.append(frame)

    def fall(self) -> None:
        """The process has ended."""
        self._fallen += [held.frame for held in self._held]
        self._held.clear()
        self._last = None

    def blanks(self) -> list[GuardedFrame]:
        """Blanks in place of the frames that have not been given back and never will be; once."""
        fallen, self._fallen = self._fallen, []
        return [_mint_guarded(stream=one.stream, seq=one.seq, pts_s=one.pts_s, wall_time_s=one.wall_time_s,
                              format=one.format, size_wh=one.size_wh,
                              planes=placeholder.blank(one.format, one.size_wh), state=State.FAILSAFE, reason=_ENDED)
                for one in fallen]

    def _planes(self, left: Left) -> Planes | None:
        for index, held in enumerate(self._held):
            if held.place == left.place:
                own = held.frame
                if (own.seq, own.format, own.size_wh) != (left.seq, left.format, left.size_wh):
                    return None
                for _ in range(index + 1):
                    self._held.popleft()
                self._last = own.planes
                return own.planes
        return None
