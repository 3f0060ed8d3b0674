"""What one look at a picture gives, and who can look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from aipg_plugin.detection.detections import Detections
from aipg_plugin.geometry.figure import Figure
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.scene.foreground import NO_FOREGROUND, ForegroundRegions
from aipg_plugin.scene.picture import LookPicture
from aipg_plugin.tracking.track import Track

NOWHERE: NDArray[np.float64] = np.zeros((0, 2))
NOWHERE.setflags(write=False)


@dataclass(frozen=True)
class Observation:
    """What one look at a picture gave, in the pixels of that picture.

    `doubt` says why the picture can't be trusted ("" if it can); `complete` that every tile has been swept since
    the last reset; `foreground` are human-sized regions that differ from the empty scene; `gone` tells of a
    track whether its place looks empty again (None: can't tell); `looked` which of (N, 2) places were looked at;
    `unchanged` which of (N, 5) boxes show places that have not changed since moments (N,) (not given: none);
    `looked_grid` (h, w) bool, cells over the whole picture: where it was looked at (not given: everywhere);
    `scene_change` that this is another scene than before; `background_known` that most of the scene is known as it
    looks with nobody there. `left` are places that have changed and that there was no time to look at, `left_share`
    how much of the picture that is: nobody knows who is there. `hurried`: who comes in may be found too late.
    """

    detections: Detections
    doubt: str
    foreground: ForegroundRegions
    complete: bool
    gone: Callable[[Track], bool | None]
    looked: Callable[[NDArray[np.float64]], NDArray[np.bool_]] | None = None
    unchanged: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.bool_]] | None = None
    looked_grid: NDArray[np.bool_] | None = None
    scene_change: bool = False
    background_known: bool = True
    left: ForegroundRegions = NO_FOREGROUND
    left_share: float = 0.0
    hurried: bool = False


class Glance(Enum):
    """What comparing a picture with the last one looked at says."""

    NEWS = "news"  # it is to be looked at, as if nobody had compared it
    DUE = "due"    # it shows the same, and some of it is to be looked at again
    SAME = "same"  # it shows the same, and that is all


class Analyzer(Protocol):
    """Looks at pictures for the guard: detector, motion and picture quality in one."""

    @property
    def projection(self) -> Projection:
        """Projection of the pictures it wants to be handed; observations are in their pixels."""
        ...

    def look(self, picture: LookPicture, t_s: float, figures: tuple[Figure, ...], *,
             sweep_all: bool = False, changed_px: NDArray[np.float64] = NOWHERE,
             budget_s: float | None = None) -> Observation:
        """One look, knowing where everybody is expected; may raise anything, the guard survives it.

        `sweep_all`: much has changed since the last look, so every part of the picture is due; `changed_px` (N, 2):
        these places have, and must be looked at now. `budget_s` is the detector's time that this look may take, when
        cameras compete for it; None is the analyzer's own measure.
        """
        ...

    def glance(self, picture: LookPicture, t_s: float, boxes: NDArray[np.float64]) -> Glance:
        """Whether a picture shows what the last look showed, but for places too small for a person and not at one of
        the people known, in `boxes` (N, 5). Never while a look is on; may raise anything.
        """
        ...

    def reset(self) -> None:
        """Forget everything learned about the scene; the next look is a full sweep."""
        ...

