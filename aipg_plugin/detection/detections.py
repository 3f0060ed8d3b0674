"""What a detector found: a struct of arrays, checked once at the border."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from aipg_plugin.errors import DetectionError
from aipg_plugin.geometry.arrays import Float32


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """People found in one picture.

    `boxes` (N, 5) float32 gravity-aligned, pixels and degrees; `scores` (N,) float32 in 0–1; `heads` (N, 3) float32
    x, y, radius in pixels, NaN when unseen; `outlines` N arrays (K, 2) float32 in the box's local units, K ≥ 3.
    Raises DetectionError naming the shape or value that does not fit.
    """

    boxes: Float32
    scores: Float32
    heads: Float32
    outlines: tuple[Float32, ...]

    def __post_init__(self) -> None:
        n = len(self.boxes)
        for name, array, shape in (("boxes", self.boxes, (n, 5)), ("scores", self.scores, (n,)),
                                   ("heads", self.heads, (n, 3))):
            if array.shape != shape:
                raise DetectionError("detections: {name} have shape {got}, expected {wanted}",
                                     name=name, got=array.shape, wanted=shape)
        if len(self.outlines) != n:
            raise DetectionError("detections: {got} outlines for {wanted} boxes", got=len(self.outlines), wanted=n)
        for outline in self.outlines:
            if outline.ndim != 2 or outline.shape[1] != 2 or len(outline) < 3:
                raise DetectionError("detections: outlines must be (K, 2) with K >= 3, got {got}", got=outline.shape)
            if not np.isfinite(outline).all():
                raise DetectionError("detections: an outline has a value that is not finite")
        if not np.isfinite(self.boxes).all() or (n and self.boxes[:, 2:4].min() <= 0):
            raise DetectionError("detections: boxes must be finite and have w, h > 0")
        if n and not (self.scores.min() >= 0 and self.scores.max() <= 1):
            raise DetectionError("detections: scores must lie in 0-1")

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def of(cls, boxes: ArrayLike, scores: ArrayLike, heads: ArrayLike | None = None,
           outlines: Iterable[ArrayLike] | None = None) -> Detections:
        """Build from anything array-like; heads default to unseen, outlines to the rounded box."""
        box_array = np.asarray(boxes, np.float32).reshape(-1, 5) if np.size(boxes) == 0 else np.asarray(
            boxes, np.float32)
        n = len(box_array)
        head_array = np.full((n, 3), np.nan, np.float32) if heads is None else np.asarray(heads, np.float32)
        shapes = (rounded_box(),) * n if outlines is None else tuple(np.asarray(o, np.float32) for o in outlines)
        return cls(box_array, np.asarray(scores, np.float32), head_array, shapes)

    @classmethod
    def empty(cls) -> Detections:
        """Nobody."""
        return cls(np.zeros((0, 5), np.float32), np.zeros(0, np.float32), np.zeros((0, 3), np.float32), ())

    def select(self, index: ArrayLike) -> Detections:
        """The detections at `index`: a boolean mask (N,) or integer indices."""
        chosen = np.asarray(index)
        if chosen.dtype == bool:
            if chosen.shape != (len(self),):
                raise DetectionError("detections: mask has shape {got}, expected {wanted}",
                                     got=chosen.shape, wanted=(len(self),))
            chosen = np.flatnonzero(chosen)
        chosen = chosen.astype(np.intp).reshape(-1)
        return Detections(self.boxes[chosen], self.scores[chosen], self.heads[chosen],
                          tuple(self.outlines[i] for i in chosen))


def concatenate(parts: Iterable[Detections]) -> Detections:
    """All detections of `parts`, in order."""
    known = [part for part in parts if len(part)]
    if not known:
        return Detections.empty()
    return Detections(np.concatenate([p.boxes for p in known]), np.concatenate([p.scores for p in known]),
                      np.concatenate([p.heads for p in known]), tuple(o for p in known for o in p.outlines))


@lru_cache(maxsize=8)
def rounded_box(points: int = 24, exponent: float = 3.0) -> Float32:
    """Outline (K, 2) of the superellipse |x|^n + |y|^n = 1 in local units: the box without its corners. Read-only.

    An ellipse (n = 2) would cut heads at the top of the box; the full rectangle masks floor in its corners.
    """
    t = np.linspace(0, 2 * np.pi, points, endpoint=False)
    c, s = np.cos(t), np.sin(t)
    power = 2.0 / exponent
    shape = np.stack([np.sign(c) * np.abs(c) ** power, np.sign(s) * np.abs(s) ** power], 1).astype(np.float32)
    shape.setflags(write=False)
    return shape
