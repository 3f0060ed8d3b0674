"""When a head or a body counts as leaked, the same in every benchmark."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Bool = NDArray[np.bool_]
HEAD_UNCOVERED, BODY_UNCOVERED = 0.25, 0.5   # shares; more than this is a leak


def disc(shape: tuple[int, ...], circle: tuple[float, float, float]) -> Bool:
    """(H, W) bool: a circle (x, y, r) px, at least a pixel."""
    drawn = np.zeros(shape, np.uint8)
    x, y, radius = circle
    cv2.circle(drawn, (round(x), round(y)), max(1, round(radius)), 1, cv2.FILLED)
    return np.asarray(drawn > 0)


def uncovered(part: Bool, hidden: Bool) -> float:
    """Share of `part` (H, W) that is not `hidden` (H, W); 0 where there is no such part."""
    return 1 - float(hidden[part].mean()) if part.any() else 0.0


@dataclass
class LeakCount:
    """Heads and bodies judged, and how many of them leaked."""

    heads: int = 0
    head_leaks: int = 0
    bodies: int = 0
    body_leaks: int = 0

    def add_person(self, head: float | None, body: float) -> bool:
        """Count somebody by the uncovered shares of head (None: unknown) and body; True when either leaks."""
        head_leaks, body_leaks = head is not None and head > HEAD_UNCOVERED, body > BODY_UNCOVERED
        self.heads += head is not None
        self.head_leaks += head_leaks
        self.bodies += 1
        self.body_leaks += body_leaks
        return head_leaks or body_leaks
