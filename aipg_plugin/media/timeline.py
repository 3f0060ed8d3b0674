"""Strictly rising timestamps from those of any source."""

from __future__ import annotations

import math

_JUMP_S = 2.0


class Timeline:
    """Turns a source's timestamps into strictly rising ones.

    Good timestamps pass unchanged. A repeat or a step back of up to two frames is nudged one tick past the last;
    a longer step back shifts all that follows. On a live stream a leap forward that the wall clock did not see is
    taken out too; in a file it is a gap of the recording and stays. All values are seconds.
    """

    def __init__(self, *, frame_s: float, tick_s: float, live: bool) -> None:
        self.offset_s = 0.0
        self._frame_s = frame_s
        self._tick_s = tick_s
        self._live = live
        self._last_s: float | None = None
        self._last_wall_s = 0.0

    def next(self, pts_s: float | None, wall_time_s: float) -> float:
        """The output time of a frame with source time `pts_s` (None or NaN if unknown), seen at `wall_time_s`."""
        if pts_s is not None and not math.isfinite(pts_s):
            pts_s = None
        last_s = self._last_s
        waited_s = max(wall_time_s - self._last_wall_s, 0.0)
        if last_s is None:
            out_s = 0.0 if pts_s is None else pts_s
        else:
            step_s = max(waited_s, self._tick_s) if self._live else self._frame_s
            out_s = last_s + step_s if pts_s is None else self._placed(pts_s, last_s, step_s, waited_s)
        self._last_s, self._last_wall_s = out_s, wall_time_s
        return out_s

    def _placed(self, pts_s: float, last_s: float, step_s: float, waited_s: float) -> float:
        out_s = pts_s + self.offset_s
        if out_s > last_s:
            if not self._live or out_s - last_s <= _JUMP_S + 2 * waited_s:
                return max(out_s, last_s + self._tick_s)
        elif last_s - out_s <= 2 * self._frame_s:
            return last_s + self._tick_s
        self.offset_s = last_s + step_s - pts_s
        return last_s + step_s
