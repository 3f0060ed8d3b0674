"""Time of a frame on the camera's own line, whatever its timestamps do."""

from __future__ import annotations

import math
from dataclasses import dataclass

from aipg_plugin.frames import Frame

JUMP_S = 2.0
_LEAST_LIVE_STEP_S = 0.001
_LEAST_FILE_STEP_S = 0.002  # closer timestamps than this are repeats
_LATEST_S = 1e12            # beyond it a float cannot tell frames apart


@dataclass(frozen=True)
class Tick:
    """Time of a frame in seconds, never running backwards; `jumped` when the source's own time broke."""

    t_s: float
    jumped: bool


class FrameClock:
    """Turns timestamps into a strictly increasing time.

    Live frames are timed by arrival (`wall_time_s`), since two streams of a camera share no other clock;
    frames of a file by `pts_s`, where they have none by their count. A step backwards or over 2 s forward is a jump:
    what was seen before counts no longer. Time itself never steps back: it goes on by one nominal frame instead,
    live from the newest time of any stream of the camera, so that its streams stay together.
    """

    def __init__(self, *, live: bool, nominal_s: float = 1 / 25) -> None:
        self._live = live
        self._nominal_s = nominal_s
        self._raw_s: float | None = None
        self._offset_s = 0.0  # what the line is ahead of the source's own time
        self._t_s = -math.inf

    def tick(self, frame: Frame, newest_s: float = -math.inf) -> Tick:
        """Time of the next frame; `newest_s` is the newest of any stream of the camera."""
        stamp_s = frame.wall_time_s if self._live else frame.pts_s
        before_s, least_s = self._raw_s, _LEAST_LIVE_STEP_S if self._live else _LEAST_FILE_STEP_S
        if stamp_s is None or not abs(stamp_s) < _LATEST_S:
            stamp_s = 0.0 if before_s is None else before_s + self._nominal_s
        step_s = self._nominal_s if before_s is None else stamp_s - before_s
        self._raw_s = stamp_s
        late_start = self._live and before_s is None and stamp_s < newest_s - JUMP_S  # the clock was put back before
        backwards = step_s < -self._nominal_s / 2
        if backwards or late_start or (step_s < least_s and not self._live):
            newest_s = newest_s if self._live else -math.inf
            self._offset_s = max(self._t_s, newest_s) + self._nominal_s - stamp_s
        self._t_s = max(stamp_s + self._offset_s, self._t_s + least_s)
        return Tick(self._t_s, jumped=backwards or step_s > JUMP_S)
