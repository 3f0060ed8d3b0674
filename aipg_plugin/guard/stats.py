"""What a stream's guard did, in numbers."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import asdict, dataclass

_WINDOW_S = 10.0  # that rates are averaged over


@dataclass(frozen=True)
class StreamStats:
    """One stream's figures: rates over the last 10 s, counts since the start."""

    fps_in: float
    fps_out: float
    evidence_age_s: float
    masked_share: float
    people: int
    frames_in: int
    frames_out: int
    full_mosaic_frames: int
    faults: int

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


class StatsKeeper:
    """Counts frames; written by one thread, read by any."""

    def __init__(self) -> None:
        self.frames_in = self.frames_out = self.full_mosaic_frames = self.faults = 0
        self.evidence_age_s = self.masked_share = 0.0
        self.people = 0
        self._in: deque[float] = deque(maxlen=1000)
        self._out: deque[float] = deque(maxlen=1000)

    def came(self) -> None:
        """A frame came in."""
        self.frames_in += 1
        self._in.append(time.monotonic())

    def left(self, *, full: bool, age_s: float, share: float, people: int) -> None:
        """A guarded frame left."""
        self.frames_out += 1
        self._out.append(time.monotonic())
        self.full_mosaic_frames += full
        self.evidence_age_s, self.masked_share, self.people = age_s, share, people

    def snapshot(self) -> StreamStats:
        """The figures now."""
        return StreamStats(_rate(self._in), _rate(self._out), round(self.evidence_age_s, 3),
                           round(self.masked_share, 4), self.people, self.frames_in, self.frames_out,
                           self.full_mosaic_frames, self.faults)


def _rate(times: deque[float]) -> float:
    now = time.monotonic()
    recent = [t for t in tuple(times) if now - t <= _WINDOW_S]
    if len(recent) < 2:
        return 0.0
    return round((len(recent) - 1) / max(recent[-1] - recent[0], 1e-6), 2)
