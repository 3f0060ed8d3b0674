"""Figures of whom only motion tells: the foreground regions of the looks around a moment."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aipg_plugin.geometry.boxes import contains
from aipg_plugin.geometry.figure import Figure
from aipg_plugin.scene.foreground import ForegroundRegions
from aipg_plugin.tracking.figures import glimpse_uncertainty_m

_STEP_M = 0.05  # live, uncertainty is rounded up to: masks are drawn anew a few times a second, not for each frame
_NO_HEAD = np.full(3, np.nan)


@dataclass(frozen=True, eq=False)
class Glimpse:
    """A region seen to differ from the empty scene, or to have changed: when, its box (5,), its outline (K, 2)."""

    seen_s: float
    box: NDArray[np.float64]
    outline: NDArray[np.float64]


def glimpses(regions: ForegroundRegions, seen_s: float) -> list[Glimpse]:
    """Each region of a look."""
    return [Glimpse(seen_s, box, outline) for box, outline in regions.each]


def near_any(glimpse: Glimpse, boxes: Iterable[NDArray[np.float64]]) -> bool:
    """Whether a region lies next to one of some boxes."""
    return any(_near(glimpse.box, box) for box in boxes)


def figures_of(found: Sequence[Glimpse], t_s: float, people: tuple[Figure, ...], *,
               known_after: bool = False) -> tuple[Figure, ...]:
    """Figures at `t_s` for regions of the looks around it, less certain the longer ago.

    Where a region is also in the other look, or one of the `people` explains it, both looks show where they are; as
    they do where all that came after is known (`known_after`), for who walks on from there is tracked.
    """
    step_m = 0.0 if known_after else _STEP_M
    return tuple(_figure(index, one, t_s, step_m, bracketed=known_after or _shown_again(one, found, people))
                 for index, one in enumerate(found))


def _figure(index: int, glimpse: Glimpse, t_s: float, step_m: float, *, bracketed: bool) -> Figure:
    age_s = abs(t_s - glimpse.seen_s)
    uncertainty_m = glimpse_uncertainty_m(age_s, bracketed=bracketed)
    if step_m:
        uncertainty_m = math.ceil(uncertainty_m / step_m) * step_m
    return Figure(id=-1 - index, box=glimpse.box, outline=glimpse.outline, head=_NO_HEAD, score=0.0,
                  seen_s=glimpse.seen_s, age_s=age_s, position_uncertainty_m=uncertainty_m)


def _shown_again(one: Glimpse, found: Sequence[Glimpse], people: tuple[Figure, ...]) -> bool:
    return (near_any(one, (other.box for other in found if other.seen_s != one.seen_s))
            or bool(people and contains([figure.box for figure in people], one.box[None, :2]).any()))


def _near(box: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    reach_px = (max(box[2], box[3]) + max(other[2], other[3])) / 2
    return bool(np.hypot(*(box[:2] - other[:2])) <= reach_px)
