"""Accuracy and leak figures, each defined once.

- A detection is right when its rotated IoU with a person not yet taken reaches the limit, best score first.
  Difficult people and ignore regions are neutral: matching them is neither right nor wrong.
- AP50: area under the precision-recall curve at IoU 0.5, precision made monotone (all points).
- Head leak: share of people with a known head of whose head disc more than 25 % is uncovered.
- Body leak: share of people of whose box ellipse more than 50 % is uncovered.
- Over-mask: masked share of the image circle's pixels outside every person's box and every ignore region.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.detection.detections import Detections
from aipg_plugin.geometry import boxes as box_math
from evaluation.pictures import LabelledPicture
from evaluation.uncovered import BODY_UNCOVERED, HEAD_UNCOVERED, disc, uncovered

Mask = NDArray[np.uint8]


@dataclass(frozen=True)
class Match:
    """Of one picture at one IoU limit: per detection `right` and `neutral`, per person `found`."""

    right: NDArray[np.bool_]
    neutral: NDArray[np.bool_]
    found: NDArray[np.bool_]


def match(found: Detections, truth: LabelledPicture, limit: float) -> Match:
    """Greedy matching of detections, best score first."""
    overlap = box_math.iou(found.boxes, truth.boxes) if len(found) and len(truth.boxes) else np.zeros(
        (len(found), len(truth.boxes)))
    right, neutral = np.zeros(len(found), bool), np.zeros(len(found), bool)
    taken = np.zeros(len(truth.boxes), bool)
    for i in np.argsort(-found.scores, kind="stable"):
        free = np.where(taken | truth.difficult, -1.0, overlap[i])
        best = int(free.argmax()) if free.size else -1
        if best >= 0 and free[best] >= limit:
            taken[best] = right[i] = True
        elif (truth.difficult & (overlap[i] >= min(limit, 0.3))).any() or _ignored(found.boxes[i], truth):
            neutral[i] = True
    for j in np.flatnonzero(truth.difficult):
        taken[j] = bool((overlap[:, j] >= limit).any())
    return Match(right, neutral, taken)


def _ignored(box: NDArray[np.floating], truth: LabelledPicture) -> bool:
    x, y = float(box[0]), float(box[1])
    return bool(((truth.ignore[:, 0] <= x) & (x <= truth.ignore[:, 2]) & (truth.ignore[:, 1] <= y)
                 & (y <= truth.ignore[:, 3])).any())


def average_precision(scores: NDArray[np.floating], right: NDArray[np.bool_], people: int) -> float:
    """Area under the precision-recall curve; NaN without people."""
    if people == 0:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(right[order])
    precision = hits / np.arange(1, len(order) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    recall = np.concatenate([[0.0], hits / people])
    return float((np.diff(recall) * precision).sum()) if len(order) else 0.0


def _box_polygon(box: NDArray[np.floating]) -> NDArray[np.int32]:
    return np.asarray(np.round(box_math.corners(box[None])[0]), np.int32)


def leaked_heads(mask: Mask, truth: LabelledPicture) -> NDArray[np.bool_]:
    """(P,) bool; False where the head is unknown."""
    leaked = np.zeros(len(truth.boxes), bool)
    for i in np.flatnonzero(np.isfinite(truth.heads).all(1)):
        x, y, radius = truth.heads[i]
        leaked[i] = uncovered(disc(mask.shape, (x, y, radius)), mask > 0) > HEAD_UNCOVERED
    return leaked


def leaked_bodies(mask: Mask, truth: LabelledPicture) -> NDArray[np.bool_]:
    """(P,) bool."""
    leaked = np.zeros(len(truth.boxes), bool)
    for i, box in enumerate(truth.boxes):
        body = np.zeros_like(mask)
        cv2.ellipse(body, ((box[0], box[1]), (box[2], box[3]), box[4]), 1, -1)
        leaked[i] = uncovered(body > 0, mask > 0) > BODY_UNCOVERED
    return leaked


def over_mask(mask: Mask, truth: LabelledPicture) -> float:
    """Masked share of the background inside the image circle."""
    background = np.zeros_like(mask)
    cx, cy, radius = truth.circle_px
    cv2.circle(background, (round(cx), round(cy)), round(radius), 1, -1)
    for box in truth.boxes:
        cv2.fillConvexPoly(background, _box_polygon(box), 0)
    for x0, y0, x1, y1 in truth.ignore.astype(int):
        background[y0:y1, x0:x1] = 0
    return float((background & (mask > 0)).sum() / max(1, background.sum()))


@dataclass
class AccuracyTally:
    """Sums over the pictures of one scene (or one slice of people)."""

    people: int = 0
    heads: int = 0
    found_3: int = 0
    found_5: int = 0
    head_leaks: int = 0
    body_leaks: int = 0
    right_3: int = 0
    wrong_3: int = 0
    over: list[float] = field(default_factory=list)

    def add(self, at_3: Match, at_5: Match, leaks: tuple[NDArray[np.bool_], NDArray[np.bool_]],
            has_head: NDArray[np.bool_], who: NDArray[np.bool_]) -> None:
        """Count the people `who` (P,) of one picture."""
        self.people += int(who.sum())
        self.heads += int((who & has_head).sum())
        self.found_3 += int((at_3.found & who).sum())
        self.found_5 += int((at_5.found & who).sum())
        self.head_leaks += int((leaks[0] & who).sum())
        self.body_leaks += int((leaks[1] & who).sum())

    def add_detections(self, at_3: Match, over: float) -> None:
        """Count one picture's right and wrong detections."""
        self.right_3 += int(at_3.right.sum())
        self.wrong_3 += int((~at_3.right & ~at_3.neutral).sum())
        self.over.append(over)

    def rates(self) -> dict[str, float]:
        """Shares; NaN where nothing was counted."""
        def share(part: int, whole: int) -> float:
            return part / whole if whole else float("nan")
        return {"recall_3": share(self.found_3, self.people), "recall_5": share(self.found_5, self.people),
                "precision_3": share(self.right_3, self.right_3 + self.wrong_3),
                "head_leak": share(self.head_leaks, self.heads), "body_leak": share(self.body_leaks, self.people),
                "over_mask": float(np.mean(self.over)) if self.over else float("nan")}


def mean_rates(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """Mean over scenes, each counting the same; NaNs left out."""
    keys = rows[0].keys() if rows else ()
    means = {}
    for key in keys:
        values = [row[key] for row in rows if np.isfinite(row[key])]
        means[key] = float(np.mean(values)) if values else float("nan")
    return means
