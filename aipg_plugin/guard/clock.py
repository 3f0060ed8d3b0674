"""Time of a frame on the camera's own line, whatever its timestamps do."""

from __future__ import annotations

from dataclasses import dataclass

from aipg_plugin.frames import Frame

JUMP_S = 2.0
_LEAST_LIVE_STEP_S = 0.001
_LEAST_FILE_STEP_S = 0.002  # closer timestamps than this are repeats


@dataclass(frozen=True)
class Tick:
    """Time of a frame in seconds, never running backwards; `jumped` when the source's own time broke."""

    t_s: float
    jumped: bool


class FrameClock:
    """Turns timestamps into a strictly increasing time.

    Live frames are timed by arrival (`wall_time_s`), since two streams of a camera share no other clock;
    frames of a file by `pts_s`. A step backwards or over 2 s forward is a jump: what was seen before counts no
    longer. Time itself never steps back: it goes on by one nominal frame instead.
    """

    def __init__(self, *, live: bool, nominal_s: float = 1 / 25) -> None:
        self._live = live
        self._nominal_s = nominal_s
        self._raw_s: float | None = None
        self._t_s = 0.0

    def tick(self, frame: Frame) -> Tick:
        """Time of the next frame."""
        raw_s = frame.wall_time_s if self._live or frame.pts_s is None else frame.pts_s
        if self._raw_s is None:
            self._raw_s = self._t_s = raw_s
            return Tick(raw_s, jumped=False)
        step_s = raw_s - self._raw_s
        self._raw_s = raw_s
        backwards = step_s < -self._nominal_s / 2
        least_s = _LEAST_LIVE_STEP_S if self._live else _LEAST_FILE_STEP_S
        self._t_s += self._nominal_s if backwards or (step_s < least_s and not self._live) else max(step_s, least_s)
        return Tick(self._t_s, jumped=backwards or step_s > JUMP_S)
