"""Time of a frame on the camera's own line, whatever its timestamps do and however it arrives."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from aipg_plugin.frames import Frame

JUMP_S = 2.0                # a gap longer than this breaks a source's time: what was seen before counts no longer
BOUND_S = 3.0               # live: largest distance between a frame's time and its arrival; bursts of 2 s fit in
_NOMINAL_S = 1 / 25         # step taken where nothing better is known
_LEAST_LIVE_STEP_S = 0.001  # times of a live source rise by at least this
_LEAST_FILE_STEP_S = 0.002  # closer timestamps than this are repeats
_LATEST_S = 1e12            # beyond it a float cannot tell frames apart
_WINDOW_S = 2.5             # arrivals that the undelayed one is taken from: more than the longest burst of 2 s
_SLEW = 0.2                 # seconds of correction per second: a burst of 1.5 s is corrected in 8 s
_BACK_S = 0.5               # live: a timestamp this far back breaks the source's time, less is a repeat
_LIES, _LIES_WITHIN_S, _DISTRUST_S = 3, 30.0, 60.0  # so many breaks within this time: go by arrival for a while
_SETTLE_S = 1.0             # how long a stream's delay has to be watched before it can be compared with another's
_RATE_WINDOW_S = 4.0        # arrivals that the usual gap between frames is taken from
_BACKLOG_DECAY_S = 1.0      # without timestamps: how long a late frame may mean that more are late


@dataclass(frozen=True)
class Tick:
    """Time of a frame in seconds, always growing.

    `jumped` when the source's own time broke; `uncertainty_s` is how far off this time may be from the frames before
    and after it, inf while that cannot be told for a stream that is compared with another.
    """

    t_s: float
    jumped: bool
    uncertainty_s: float = 0.0


class Clock(Protocol):
    """Gives each frame of one stream its time."""

    @property
    def lead_s(self) -> float:
        """How far this stream's time is ahead of undelayed arrival."""
        ...

    @property
    def settled(self) -> bool:
        """Whether the delay has been watched for long enough to compare this stream with another."""
        ...

    def tick(self, frame: Frame, newest_s: float = -math.inf) -> Tick:
        """Time of the next frame; `newest_s` is the newest of any stream of the camera."""
        ...

    def restart(self) -> None:
        """The source was lost: the next frame is a jump."""
        ...


def _usable(stamp_s: float | None) -> float | None:
    return stamp_s if stamp_s is not None and abs(stamp_s) < _LATEST_S else None


class FileClock:
    """Times the frames of a file by `pts_s`; where they have none, by their count.

    A step backwards or over 2 s forward is a jump; time itself goes on by one nominal frame instead of back.
    """

    lead_s, settled = 0.0, True

    def __init__(self) -> None:
        self._raw_s: float | None = None
        self._offset_s = 0.0  # what the line is ahead of the source's own time
        self._t_s = -math.inf

    def tick(self, frame: Frame, newest_s: float = -math.inf) -> Tick:  # noqa: ARG002 - files have no other clock
        """Time of the next frame."""
        stamp_s, before_s = _usable(frame.pts_s), self._raw_s
        if stamp_s is None:
            stamp_s = 0.0 if before_s is None else before_s + _NOMINAL_S
        step_s = _NOMINAL_S if before_s is None else stamp_s - before_s
        self._raw_s = stamp_s
        if step_s < _LEAST_FILE_STEP_S:
            self._offset_s = self._t_s + _NOMINAL_S - stamp_s
        self._t_s = max(stamp_s + self._offset_s, self._t_s + _LEAST_FILE_STEP_S)
        return Tick(self._t_s, jumped=step_s < -_NOMINAL_S / 2 or step_s > JUMP_S)

    def restart(self) -> None:
        """Files are not lost."""


class LiveClock:
    """Times live frames by the source's timestamps, with an offset to arrival that is bounded and slowly corrected.

    Frames that a network hiccup delivers together keep the distances their timestamps say. The offset follows the
    least delayed arrival of the last 2.5 s by at most 0.2 s per second, so streams of a camera, which share no other
    clock, come together. Frames without (or with repeated) timestamps are timed by arrival, their uncertainty being
    how late they may be. Where timestamps and arrival differ by over 3 s the source's time has broken; where that
    happens often, the timestamps lie and arrival counts for a minute.

    Time never steps back. When the computer's clock is put back it goes on from the newest time of any stream.
    """

    def __init__(self) -> None:
        self._base_s = 0.0                     # what the line is ahead of the computer's clock
        self._offset_s: float | None = None    # what the line is ahead of the timestamps; None: by arrival
        self._arrival_s: float | None = None
        self._pts_s: float | None = None
        self._t_s = -math.inf
        self._delays: deque[tuple[float, float]] = deque()  # arrival on the line, arrival - pts; growing in both
        self._arrivals: deque[float] = deque()
        self._backlog_s = 0.0
        self._breaks: deque[float] = deque(maxlen=_LIES)
        self._distrust_until_s = -math.inf
        self._settled_s = math.inf
        self._lost = False

    @property
    def lead_s(self) -> float:
        """How far this stream's time is ahead of undelayed arrival."""
        if self._offset_s is None or not self._delays:
            return self._base_s
        return self._base_s + self._offset_s - self._delays[0][1]

    def restart(self) -> None:
        """The source was lost: the next frame is a jump."""
        self._lost = True

    def tick(self, frame: Frame, newest_s: float = -math.inf) -> Tick:
        """Time of the next frame; `newest_s` is the newest of any stream of the camera."""
        arrival_s, gap_s, put_back = self._arrive(frame.wall_time_s, newest_s)
        line_s = arrival_s + self._base_s
        pts_s, before_s = _usable(frame.pts_s), self._pts_s
        self._pts_s = pts_s
        step_s = None if pts_s is None or before_s is None else pts_s - before_s
        jumped = put_back or self._lost or self._broke(line_s, gap_s, step_s)
        if jumped or self._settled_s == math.inf:
            self._forget(line_s)
        by_pts = pts_s is not None and (step_s is None or jumped or step_s > 0) and line_s >= self._distrust_until_s
        if pts_s is not None and by_pts:
            t_s = self._stamped(pts_s, line_s, step_s or 0.0)
            if abs(t_s - line_s) > BOUND_S:
                jumped = True
                self._lie(line_s)
                self._base_s += max(0.0, t_s - line_s)
                self._forget(t_s)
                t_s = self._stamped(pts_s, max(t_s, line_s), 0.0)
            late_s = 0.0 if self._offset_s is None else max(0.0, self._delays[0][1] - self._offset_s)
        else:
            self._offset_s = None
            t_s = line_s
            late_s = self._backlog_s + max(0.0, self._t_s - line_s)
        least_s = _NOMINAL_S if jumped else _LEAST_LIVE_STEP_S
        self._t_s = max(t_s, self._t_s + least_s)
        return Tick(self._t_s, jumped, late_s)

    @property
    def settled(self) -> bool:
        """Whether the delay has been watched for long enough to compare this stream with another."""
        return self._t_s >= self._settled_s

    def _arrive(self, wall_s: float, newest_s: float) -> tuple[float, float, bool]:
        """Arrival, the gap before it, and whether the computer's clock was put back."""
        before_s = self._arrival_s
        arrival_s = wall_s if _usable(wall_s) is not None else (before_s or 0.0) + _NOMINAL_S
        self._arrival_s = arrival_s
        gap_s = _NOMINAL_S if before_s is None else arrival_s - before_s
        put_back = gap_s < -_NOMINAL_S / 2 or (before_s is None and arrival_s < newest_s - JUMP_S)
        if put_back:
            self._base_s = max(self._t_s, newest_s) + _NOMINAL_S - arrival_s
            self._arrivals.clear()
        self._count(arrival_s, max(gap_s, 0.0))
        return arrival_s, gap_s, put_back

    def _count(self, arrival_s: float, gap_s: float) -> None:
        """Learn the usual gap; frames that come late and then together may be as late as the backlog says."""
        self._arrivals.append(arrival_s)
        while self._arrivals[-1] - self._arrivals[0] > _RATE_WINDOW_S and len(self._arrivals) > 2:
            self._arrivals.popleft()
        span_s, count = self._arrivals[-1] - self._arrivals[0], len(self._arrivals) - 1
        usual_s = span_s / count if count >= 3 else _NOMINAL_S
        self._backlog_s = max(0.0, self._backlog_s * math.exp(-gap_s / _BACKLOG_DECAY_S) + gap_s - usual_s)

    def _broke(self, line_s: float, gap_s: float, step_s: float | None) -> bool:
        """Whether the source's time broke between the last frame and this one."""
        if step_s is None or line_s < self._distrust_until_s:
            return gap_s > JUMP_S
        if -_BACK_S < step_s <= 0:
            return gap_s > JUMP_S
        broke = step_s < 0 or step_s > JUMP_S
        if broke and abs(step_s - gap_s) > JUMP_S:
            self._lie(line_s)
        return broke

    def _lie(self, line_s: float) -> None:
        """A timestamp that contradicts arrival; several in a row and timestamps count no more for a while."""
        self._breaks.append(line_s)
        if len(self._breaks) == _LIES and line_s - self._breaks[0] < _LIES_WITHIN_S:
            self._distrust_until_s = line_s + _DISTRUST_S
            self._breaks.clear()

    def _forget(self, line_s: float) -> None:
        self._offset_s, self._lost = None, False
        self._delays.clear()
        self._settled_s = max(line_s, self._t_s) + _SETTLE_S

    def _stamped(self, pts_s: float, line_s: float, step_s: float) -> float:
        """Time by the timestamp, the offset corrected by what the step allows."""
        delay_s = line_s - pts_s
        while self._delays and self._delays[-1][1] >= delay_s:
            self._delays.pop()
        self._delays.append((line_s, delay_s))
        while line_s - self._delays[0][0] > _WINDOW_S and len(self._delays) > 1:
            self._delays.popleft()
        if self._offset_s is None:
            self._offset_s = max(line_s, self._t_s + _LEAST_LIVE_STEP_S) - pts_s
        most_s = _SLEW * step_s
        self._offset_s += min(most_s, max(-most_s, self._delays[0][1] - self._offset_s))
        return pts_s + self._offset_s
