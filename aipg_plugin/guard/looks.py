"""What goes into a look and comes of it: how urgent a picture is, what it shows that is new, what can be trusted."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from aipg_plugin.geometry.arrays import Bools
from aipg_plugin.scene.change import Thumbnail
from aipg_plugin.scene.foreground import NO_FOREGROUND, ForegroundRegions
from aipg_plugin.scene.observation import NOWHERE


class Urgency(IntEnum):
    """The weight of a picture among those of all cameras that wait for a look."""

    ROUTINE = 1   # it looks as it did
    MOVING = 2    # something has moved
    NEWCOMER = 4  # something has moved that no mask covers
    SCENE = 8     # it shows another scene


@dataclass(frozen=True, eq=False)
class Shown:
    """What is known of a picture before it is looked at.

    `thumbnail` as the stream's comparator makes it; `uncertainty_s` of its time; `new_scene`: it shows another scene
    than the picture looked at before; `changed_px` (N, 2): where it differs from that one and no track explains it, in
    the pixels of the picture to look at.
    """

    thumbnail: Thumbnail | None = None
    uncertainty_s: float = 0.0
    new_scene: bool = False
    changed_px: NDArray[np.float64] = field(default_factory=lambda: NOWHERE)
    urgency: Urgency = Urgency.ROUTINE


@dataclass(frozen=True, eq=False)
class Look:
    """One look: when, at what, and what came of it apart from the tracks; up to `until_s` there was nothing new.

    `left`: places that have changed and that there was no time to look at; `short`: of time, for these or newcomers.
    `places` (h, w) bool: the thumbnail's pixels that are of this look, None where all are and nothing was before.
    """

    t_s: float
    doubt: str
    swept: bool
    foreground: ForegroundRegions
    thumbnail: Thumbnail | None = None
    uncertainty_s: float = 0.0
    until_s: float = -float("inf")
    left: ForegroundRegions = NO_FOREGROUND
    short: bool = False
    places: Bools | None = None

    def age_s(self, t_s: float) -> float:
        """How far a moment is from it."""
        return max(self.t_s - t_s, t_s - max(self.t_s, self.until_s), 0.0)


@dataclass(frozen=True)
class Status:
    """How far the evidence for a moment can be trusted.

    `age_s` to the nearest look, `gap_s` from the last look before to the first one after: inf while there is none
    after at this scene, since a single look misses who comes in half hidden; else 0 where the frame itself was looked
    at, unless the next look came out of turn. `short`: there was no time to look at all that has changed, or for
    newcomers.
    """

    age_s: float
    doubt: str
    swept: bool
    uncertainty_s: float = 0.0
    gap_s: float = 0.0
    short: bool = False


NOTHING_KNOWN = Shown()


class Beside:
    """Work that needs what is known as it is, and may be done beside a look; this one has none."""

    def begin(self) -> None:
        """Begin with all that waits."""

    def end(self) -> None:
        """Wait for what has been begun: other questions are asked only then."""

    def settle(self, from_s: float = -float("inf")) -> None:
        """What is known of moments from `from_s` on is to change: do what needs it, if anything does."""


NOTHING_BESIDE = Beside()
