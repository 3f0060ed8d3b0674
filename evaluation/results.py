"""What a system finds in labelled pictures, counted per scene, slice and sensitivity.

Scenes weigh the same, whatever their number of frames. Definitions: `evaluation.metrics`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.detection.detections import Detections
from aipg_plugin.options import Sensitivity
from aipg_plugin.thresholds import thresholds
from evaluation import metrics, overlays
from evaluation.masks import mask_of
from evaluation.pictures import LabelledPicture
from evaluation.systems import System

LEVELS = tuple(Sensitivity)
THIRDS = ("inner", "middle", "outer")


@dataclass
class SystemResult:
    """One system's tallies: by (level, scene) and by (level, slice); `ap` by scene."""

    name: str
    scenes: dict[tuple[str, str], metrics.AccuracyTally] = field(default_factory=dict)
    slices: dict[tuple[str, str], metrics.AccuracyTally] = field(default_factory=dict)
    ap: dict[str, float] = field(default_factory=dict)
    found: list[tuple[LabelledPicture, tuple[int, int], Detections]] = field(default_factory=list)
    ms_median: float = float("nan")

    def overall(self, level: str) -> dict[str, float]:
        """Mean over scenes at one sensitivity."""
        rates = metrics.mean_rates([t.rates() for (lv, _), t in self.scenes.items() if lv == level])
        return {"ap50": float(np.nanmean(list(self.ap.values()))), **rates}


def _slices(truth: LabelledPicture) -> dict[str, NDArray[np.bool_]]:
    third = truth.third()
    slices = {name: (third == i) & ~truth.difficult for i, name in enumerate(THIRDS)}
    return {**slices, "difficult": truth.difficult}


class Judged:
    """What comes of masking what scores at least `score` in one picture, with the margins of a sensitivity."""

    def __init__(self, found: Detections, truth: LabelledPicture, size_wh: tuple[int, int], level: Sensitivity,
                 score: float) -> None:
        chosen = found.select(found.scores >= score)
        mask = mask_of(chosen, truth.camera(size_wh), truth.mount, level)
        self._truth, self._has_head = truth, np.asarray(np.isfinite(truth.heads).all(1), bool)
        self._at_3, self._at_5 = (metrics.match(chosen, truth, limit) for limit in (0.3, 0.5))
        self._leaks = metrics.leaked_heads(mask, truth), metrics.leaked_bodies(mask, truth)
        self._over = metrics.over_mask(mask, truth)

    def count_people(self, tally: metrics.AccuracyTally, who: NDArray[np.bool_]) -> None:
        """Add the people `who` (P,)."""
        tally.add(self._at_3, self._at_5, self._leaks, self._has_head, who)

    def count(self, tally: metrics.AccuracyTally) -> None:
        """Add the picture: its people, difficult ones left out, its detections and its background."""
        self.count_people(tally, ~self._truth.difficult)
        tally.add_detections(self._at_3, self._over)


def _count(result: SystemResult, found: Detections, truth: LabelledPicture, size_wh: tuple[int, int]) -> None:
    for level in LEVELS:
        judged = Judged(found, truth, size_wh, level, thresholds(level).on_score)
        judged.count(result.scenes.setdefault((level.value, truth.scene), metrics.AccuracyTally()))
        for name, who in _slices(truth).items():
            judged.count_people(result.slices.setdefault((level.value, name), metrics.AccuracyTally()), who)


def evaluate(system: System, pictures: tuple[LabelledPicture, ...], sheets: Path | None = None) -> SystemResult:
    """Run one system over all pictures; writes an overlay per picture under `sheets`."""
    result = SystemResult(system.name)
    curves: dict[str, list[tuple[NDArray[np.float32], NDArray[np.bool_], int]]] = {}
    for truth in pictures:
        picture = truth.read()
        size_wh = (picture.shape[1], picture.shape[0])
        found = system.predict(picture, truth)
        result.found.append((truth, size_wh, found))
        at_5 = metrics.match(found, truth, 0.5)
        counted = ~at_5.neutral
        curves.setdefault(truth.scene, []).append(
            (found.scores[counted], at_5.right[counted], int((~truth.difficult).sum())))
        _count(result, found, truth, size_wh)
        if sheets is not None:
            level = Sensitivity.HIGH
            chosen = found.select(found.scores >= thresholds(level).on_score)
            mask = mask_of(chosen, truth.camera(size_wh), truth.mount, level)
            sheet = overlays.draw(picture, chosen, truth, mask)
            path = sheets / system.name.replace("/", "_").replace(" ", "_") / f"{truth.path.stem}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), sheet)
    for scene, parts in curves.items():
        result.ap[scene] = metrics.average_precision(np.concatenate([p[0] for p in parts]),
                                                     np.concatenate([p[1] for p in parts]), sum(p[2] for p in parts))
    result.ms_median = float(np.median(system.seconds) * 1000)
    return result


def at_over_mask(result: SystemResult, share: float) -> tuple[float, dict[str, float]]:
    """The lowest score with which at most `share` of the background is masked with the margins of medium, and the rates
    there: detectors of any calibration compare like this.
    """
    low, high = 0.01, 1.0
    best: dict[str, float] = {}
    for _ in range(9):
        score = float(np.sqrt(low * high))
        tallies: dict[str, metrics.AccuracyTally] = {}
        for truth, size_wh, found in result.found:
            judged = Judged(found, truth, size_wh, Sensitivity.MEDIUM, score)
            judged.count(tallies.setdefault(truth.scene, metrics.AccuracyTally()))
        rates = metrics.mean_rates([tally.rates() for tally in tallies.values()])
        if rates["over_mask"] > share:
            low = score
        else:
            high, best = score, rates
    return high, best or rates


_COLUMNS = ("recall_3", "recall_5", "precision_3", "head_leak", "body_leak", "over_mask")


def row(name: str, rates: dict[str, float], lead: str = "") -> str:
    cells = " ".join(f"{100 * rates[c]:6.1f}" if np.isfinite(rates[c]) else "     –" for c in _COLUMNS)
    return f"{name:34s} {lead:>6s} {cells}"


def table(result: SystemResult, details: bool) -> str:
    """The result as text, in percent."""
    head = f"{'':34s} {'AP50':>6s} " + " ".join(f"{c:>6s}" for c in ("r.3", "r.5", "p.3", "head", "body", "over"))
    lines = [f"{result.name}   ({result.ms_median:.0f} ms a picture)", head]
    for level in LEVELS:
        overall = result.overall(level.value)
        lines.append(row(f"  {level.value}: all scenes alike", overall, f"{100 * overall['ap50']:.1f}"))
        if details:
            lines += [row(f"    {scene}", tally.rates(), f"{100 * result.ap[scene]:.1f}")
                      for (lv, scene), tally in result.scenes.items() if lv == level.value]
            lines += [row(f"    {name} ({tally.people})", tally.rates())
                      for (lv, name), tally in result.slices.items() if lv == level.value]
    return "\n".join(lines)


def as_json(result: SystemResult) -> dict[str, object]:
    """Everything measured, as shares."""
    return {"name": result.name, "ms_median": result.ms_median, "ap50": result.ap,
            "overall": {level.value: result.overall(level.value) for level in LEVELS},
            "scenes": {f"{level}/{scene}": tally.rates() for (level, scene), tally in result.scenes.items()},
            "slices": {f"{level}/{name}": {"people": tally.people, **tally.rates()}
                       for (level, name), tally in result.slices.items()}}
