"""Choice among systems that is not made on the pictures it is reported on: cross-validation and intervals.

Systems are compared at exactly the same over-mask, between two scores where need be. A system is chosen, and the score
that keeps its over-mask, on all scenes but one, and its figures are taken on that one (leave-one-group-out
cross-validation). Intervals are percentiles of a bootstrap over scenes and the pictures in them
(Efron and Tibshirani 1993, chapter 13).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aipg_plugin.options import Sensitivity
from evaluation.metrics import AccuracyTally
from evaluation.results import Judged, SystemResult

SCORES = np.geomspace(0.02, 0.9, 28)
RATES = ("recall_3", "recall_5", "precision_3", "head_leak", "body_leak", "over_mask")
# Counts of a picture that a rate divides: (part, whole).
_PARTS = {"recall_3": ("found_3", "people"), "recall_5": ("found_5", "people"), "head_leak": ("head_leaks", "heads"),
          "body_leak": ("body_leaks", "people"), "precision_3": ("right_3", "detections"),
          "over_mask": ("over", "pictures")}
_COUNTS = ("people", "heads", "found_3", "found_5", "head_leaks", "body_leaks", "right_3", "detections", "over",
           "pictures")


@dataclass(frozen=True, eq=False)
class Counts:
    """Of one system: `table` (pictures, scores, counts) in the order of `_COUNTS`; `scene` (pictures,) names."""

    name: str
    scene: NDArray[np.str_]
    table: NDArray[np.float64]
    ms_median: float

    def scenes(self) -> list[str]:
        """Names of the scenes, sorted."""
        return sorted(set(self.scene.tolist()))

    def of_scene(self, name: str) -> NDArray[np.float64]:
        """(scores, counts) summed over the pictures of a scene."""
        return np.asarray(self.table[self.scene == name].sum(0))


def count(result: SystemResult, level: Sensitivity) -> Counts:
    """Counts of what a system found, masked with the margins of a sensitivity, at every score of `SCORES`."""
    rows, scenes = [], []
    for truth, size_wh, found in result.found:
        row, chosen = list[list[float]](), -1
        for score in SCORES:
            if (left := int((found.scores >= score).sum())) == chosen:  # the same people are masked
                row.append(row[-1])
                continue
            tally, chosen = AccuracyTally(), left
            Judged(found, truth, size_wh, level, float(score)).count(tally)
            row.append([tally.people, tally.heads, tally.found_3, tally.found_5, tally.head_leaks, tally.body_leaks,
                        tally.right_3, tally.right_3 + tally.wrong_3, tally.over[0], 1.0])
        rows.append(row)
        scenes.append(truth.scene)
    return Counts(result.name, np.array(scenes), np.array(rows, np.float64), result.ms_median)


def mean_rates(per_scene: list[NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Rates (scores,) as means over scenes that weigh the same, from each scene's (scores, counts); NaN if unknown."""
    rates = {}
    for name, (part, whole) in _PARTS.items():
        columns = _COUNTS.index(part), _COUNTS.index(whole)
        with np.errstate(invalid="ignore", divide="ignore"):
            values = np.stack([counts[:, columns[0]] / counts[:, columns[1]] for counts in per_scene])
        known = np.isfinite(values)
        total = np.where(known, values, 0.0).sum(0)
        rates[name] = np.where(known.any(0), total / np.maximum(known.sum(0), 1), np.nan)
    return rates


def position(rates: dict[str, NDArray[np.float64]], over_mask: float) -> float:
    """Where on `SCORES` exactly `over_mask` of the background is masked, between two of them where need be.

    0 if even the lowest score masks less, the last index if the highest masks more.
    """
    over = rates["over_mask"]
    within = np.flatnonzero(over <= over_mask)
    if not len(within):
        return len(SCORES) - 1.0
    i = int(within[0])
    return float(i) if i == 0 else i - float((over_mask - over[i]) / (over[i - 1] - over[i]))


def counts_at(counts: NDArray[np.float64], at: float) -> NDArray[np.float64]:
    """(1, counts) of (scores, counts) at a position on `SCORES`, linear between two scores."""
    low = min(int(at), len(SCORES) - 2)
    return np.asarray(counts[low] + (at - low) * (counts[low + 1] - counts[low]))[None]


def _rates_at(per_scene: list[NDArray[np.float64]], over_mask: float) -> tuple[float, dict[str, float]]:
    """Position on `SCORES` and rates where `over_mask` of the background is masked."""
    at = position(mean_rates(per_scene), over_mask)
    rates = mean_rates([counts_at(counts, at) for counts in per_scene])
    return at, {name: float(value[0]) for name, value in rates.items()}


def at_over_mask(counts: Counts, over_mask: float) -> tuple[float, dict[str, float]]:
    """Score and rates of a system at an over-mask."""
    at, rates = _rates_at([counts.of_scene(name) for name in counts.scenes()], over_mask)
    return float(np.exp(np.interp(at, np.arange(len(SCORES)), np.log(SCORES)))), rates


@dataclass(frozen=True)
class Chosen:
    """Cross-validated figures: `rates` on the scenes left out, `systems` the one chosen for each."""

    rates: dict[str, float]
    systems: dict[str, str]


def cross_validated(systems: list[Counts], over_mask: float) -> Chosen:
    """What choosing among these systems is worth on a scene that took no part in the choice.

    For each scene, the system with the lowest sum of head and body leak at the over-mask on the other scenes, at the
    score that keeps it there: on the scene itself more or less may be masked.
    """
    held_out, names = [], {}
    for scene in systems[0].scenes():
        others = [_rates_at([s.of_scene(name) for name in s.scenes() if name != scene], over_mask) for s in systems]
        best = int(np.argmin([rates["head_leak"] + rates["body_leak"] for _, rates in others]))
        names[scene] = systems[best].name
        held_out.append(counts_at(systems[best].of_scene(scene), others[best][0]))
    return Chosen({name: float(value[0]) for name, value in mean_rates(held_out).items()}, names)


def intervals(one: Counts, other: Counts | None, over_mask: float, draws: int = 1000, seed: int = 1,
              ) -> dict[str, tuple[float, float]]:
    """95 % intervals of every rate of `one` at an over-mask, or of the difference `one` - `other`, paired by picture.

    Scenes are drawn with replacement, then pictures within each. Both systems must have seen the same pictures. With as
    few scenes as `real_dev` has, such intervals are rather too narrow (Cameron, Gelbach and Miller 2008).
    """
    rng, differences = np.random.default_rng(seed), []
    scenes = one.scenes()
    for _ in range(draws):
        drawn = [rng.choice(np.flatnonzero(one.scene == scenes[k]), int((one.scene == scenes[k]).sum()))
                 for k in rng.integers(len(scenes), size=len(scenes))]
        ours = _drawn_rates(one, drawn, over_mask)
        differences.append(ours if other is None else ours - _drawn_rates(other, drawn, over_mask))
    low, high = np.nanpercentile(np.array(differences), [2.5, 97.5], axis=0)
    return {name: (float(low[i]), float(high[i])) for i, name in enumerate(RATES)}


def _drawn_rates(system: Counts, drawn: list[NDArray[np.intp]], over_mask: float) -> NDArray[np.float64]:
    """The rates of `RATES` at an over-mask, from the pictures drawn of each scene."""
    _, rates = _rates_at([np.asarray(system.table[pictures].sum(0)) for pictures in drawn], over_mask)
    return np.array([rates[name] for name in RATES])
