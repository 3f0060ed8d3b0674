"""Every threshold of scores and every margin of masks, each with what set it. Scores are the net's, 0 to 1."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from aipg_plugin.options import Sensitivity


class MaskedForeground(StrEnum):
    """Which foreground regions are masked when the detector is not sure of them."""

    ALL = "all"
    NEAR_TRACK = "near_track"
    NONE = "none"


@dataclass(frozen=True)
class Thresholds:
    """What a sensitivity stands for.

    `on_score` starts a track, `keep_score` continues one; `foreground`: which foreground is masked; `margin_m` is
    added around a figure.
    """

    on_score: float
    keep_score: float
    foreground: MaskedForeground
    margin_m: float


# Scores: chosen on the head leak and over-mask that `benchmarks.accuracy` measures on real_dev at each of them; that of
# HIGH again on rendered rooms when scores below the camera were raised.
# Margins, with SILHOUETTE_LEVEL: the tightest masks that leave no more of people clear (`benchmarks.fit`). A low level
# and a narrow margin follow unclear limbs, and are closer to what is clear than a high level and a wide margin.
_TABLE = {
    Sensitivity.LOW: Thresholds(0.38, 0.18, MaskedForeground.NONE, 0.01),
    Sensitivity.MEDIUM: Thresholds(0.29, 0.12, MaskedForeground.NEAR_TRACK, 0.015),
    Sensitivity.HIGH: Thresholds(0.16, 0.08, MaskedForeground.ALL, 0.02),
}
MIN_SCORE = min(row.keep_score for row in _TABLE.values())  # detections below it are of no use to anybody

# Close-ups (chosen with `benchmarks.accuracy` on real_dev).
RECHECK_SCORE = 0.12       # candidates below it are not looked at again
SURE_SCORE = 0.7           # nor are whole candidates from it on: AP and leaks stay as they are (at 0.6 AP falls)
UNDECIDED_SCORE = 0.2      # a candidate is as likely a person as not; those nearest are looked at first
LOWEST_OPINION = 0.05      # a close-up's score counts as at least this: one look that shows nobody is no proof
UNSEEN_SCORE = 0.01        # of a candidate whom the close-up does not show
OTHER_PERSON_SCORE = 0.03  # of somebody else in a close-up

# Straight below the camera, chosen on 68 rendered pictures (training/log/2026-11-27-second.md).
BELOW_LOGIT = 0.5          # added to a score's logit there
BELOW_DEG, BELOW_FADE_DEG = 30.0, 9.0  # how far from straight down; over how many degrees it fades out

# Size (training/log/2026-11-28.md): people's boxes have 2.7 m² at most; nine in ten have 3.1 at most where the camera
# hangs a quarter lower than set.
LARGEST_M2 = 3.0

# Merging (chosen with `benchmarks.accuracy` on real_dev).
TRUNCATED_WEIGHT = 0.6     # factor on the score of a box truncated by its tile's border, when tiles compete
SILHOUETTE_WEIGHT = 0.4    # exponent of the silhouette's support in a detection's score
SILHOUETTE_LEVEL = 0.16    # of the silhouette's probability: from here on a pixel is masked (`benchmarks.fit`)

# Tracks.
GLIMPSE_SCORE = 0.5        # a person seen only once and below this score is held for a shorter time

# Metres of margin for each metre of camera height above the lowest that can be set, up to the default height, and for
# each square metre above it: a figure at mid radius is then masked about a third wider at 5.0 m than at 2.5 m
# (test_planner_margin.py), and hardly wider at the heights of most rooms, where silhouettes are as sure as at 3.0 m.
MARGIN_PER_HEIGHT, MARGIN_PER_SQUARE_HEIGHT = 0.025, 0.0375
LOWEST_HEIGHT_M, DEFAULT_HEIGHT_M = 2.5, 3.0
MIN_MARGIN_SHARE = 0.02    # of the shorter side of the figure's box


def thresholds(sensitivity: Sensitivity) -> Thresholds:
    """The thresholds of a sensitivity: higher sensitivity, lower scores."""
    return _TABLE[sensitivity]


def margin_m(sensitivity: Sensitivity, camera_height_m: float) -> float:
    """Metres added around a figure's outline (the reference product: the higher the camera, the wider the mask)."""
    low_m = min(max(0.0, camera_height_m - LOWEST_HEIGHT_M), DEFAULT_HEIGHT_M - LOWEST_HEIGHT_M)
    high_m = max(0.0, camera_height_m - DEFAULT_HEIGHT_M)
    return _TABLE[sensitivity].margin_m + MARGIN_PER_HEIGHT * low_m + MARGIN_PER_SQUARE_HEIGHT * high_m ** 2
