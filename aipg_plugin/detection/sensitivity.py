"""The one place where a sensitivity becomes numbers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from aipg_plugin.options import Sensitivity


class MaskedForeground(StrEnum):
    """Which foreground regions are masked though the detector is not sure of them."""

    ALL = "all"
    NEAR_TRACK = "near_track"
    NONE = "none"


@dataclass(frozen=True)
class Thresholds:
    """`on_score` starts a track, `keep_score` feeds one that lives; `foreground`: which foreground is masked."""

    on_score: float
    keep_score: float
    foreground: MaskedForeground


_TABLE = {
    Sensitivity.LOW: Thresholds(0.38, 0.18, MaskedForeground.NONE),
    Sensitivity.MEDIUM: Thresholds(0.29, 0.12, MaskedForeground.NEAR_TRACK),
    Sensitivity.HIGH: Thresholds(0.14, 0.08, MaskedForeground.ALL),
}
FLOOR_SCORE = min(row.keep_score for row in _TABLE.values())


def thresholds(sensitivity: Sensitivity) -> Thresholds:
    """The thresholds of a sensitivity: higher sensitivity, lower scores."""
    return _TABLE[sensitivity]
