"""What the guard reports of one track: place and time; never pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from aipg_plugin.errors import MqttError
from aipg_plugin.options import Point
from aipg_plugin.tracking.track import Track


@dataclass(frozen=True, slots=True)
class TrackReport:
    """One track at one moment.

    `box` is (cx, cy, w, h, angle_deg), gravity-aligned, normalised: cx and w by the picture's width, cy and h by its
    height, angle in degrees clockwise. `floor_xy_m` is None where the floor position is unknown. `first_seen_s` uses
    the clock of the reports' `t_s`. Raises MqttError on a number that is not finite.
    """

    id: int
    box: tuple[float, float, float, float, float]
    score: float
    floor_xy_m: Point | None
    first_seen_s: float

    def __post_init__(self) -> None:
        floor = self.floor_xy_m
        if floor is not None and not (math.isfinite(floor[0]) and math.isfinite(floor[1])):
            object.__setattr__(self, "floor_xy_m", None)
        if len(self.box) != 5 or not all(math.isfinite(v) for v in (*self.box, self.score, self.first_seen_s)):
            raise MqttError("a track report needs five finite numbers for its box, a score and a time; got {box}",
                            box=self.box)

    @classmethod
    def of(cls, track: Track, size_wh: tuple[int, int]) -> TrackReport:
        """Of a track in pixels of a picture of `size_wh`."""
        w, h = size_wh
        cx, cy, bw, bh, angle_deg = (float(value) for value in track.box)
        floor = track.floor_xy_m
        return cls(track.id, (cx / w, cy / h, bw / w, bh / h, angle_deg), float(track.score),
                   None if floor is None else (float(floor[0]), float(floor[1])), track.first_seen_s)

    def as_json(self) -> dict[str, Any]:
        floor = self.floor_xy_m
        return {
            "box": [round(float(v), 4) for v in self.box],
            "score": round(float(self.score), 3),
            "floor_xy_m": None if floor is None else [round(float(v), 2) for v in floor],
            "first_seen_s": round(float(self.first_seen_s), 3),
        }
