"""Assignment of people to anchors (SimOTA) and the loss."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as fn

from training.net import Prediction, anchor_grid


@dataclass(frozen=True)
class Targets:
    """Truth of a batch; P people at most, padded."""

    boxes: Tensor  # (N, P, 4) cx, cy, w, h px
    heads: Tensor  # (N, P, 4) x, y, r px, visible 0/1; NaN unknown
    count: Tensor  # (N,) people
    ignore: Tensor  # (N, 1, H, W) 1 where nothing is known about people
    silhouette: Tensor  # (N, 1, H/4, W/4) share of person
    silhouette_ignore: Tensor  # (N, 1, H/4, W/4)

    def to(self, device: torch.device) -> Targets:
        return Targets(*(getattr(self, f).to(device) for f in self.__dataclass_fields__))


def decode(p: Prediction, height_px: int, width_px: int) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes (N, A, 4) cx, cy, w, h px; cell corners (A, 2); strides (A,)."""
    cells, strides = anchor_grid(height_px, width_px, p.box.device)
    centre = (p.box[..., :2] + cells) * strides[:, None]
    size = p.box[..., 2:].clamp(max=8).exp() * strides[:, None]
    return torch.cat([centre, size], -1), cells, strides


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Overlap of boxes cx, cy, w, h, broadcast over leading axes."""
    low = torch.maximum(a[..., :2] - a[..., 2:] / 2, b[..., :2] - b[..., 2:] / 2)
    high = torch.minimum(a[..., :2] + a[..., 2:] / 2, b[..., :2] + b[..., 2:] / 2)
    inter = (high - low).clamp(min=0).prod(-1)
    return inter / (a[..., 2:].prod(-1) + b[..., 2:].prod(-1) - inter + 1e-6)


@torch.no_grad()
def assign(boxes: Tensor, score: Tensor, centres: Tensor, strides: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """SimOTA (YOLOX, section 2): anchor indices and the person each one answers for.

    boxes (A, 4), score (A,), centres (A, 2) px, strides (A,), truth (P, 4).
    """
    offset = (centres[None] - truth[:, None, :2]).abs()
    in_box = (offset < truth[:, None, 2:] / 2).all(-1)
    in_centre = (offset < 2.5 * strides[None, :, None]).all(-1)
    near = (in_box | in_centre).any(0).nonzero()[:, 0]
    if not len(near):
        return near, near
    both = (in_box & in_centre)[:, near]
    overlap = iou(truth[:, None], boxes[None, near])  # (P, M)
    s = score[near].clamp(1e-6, 1 - 1e-6)
    cost = -s.log()[None] - 3 * (overlap + 1e-8).log() + 1e5 * ~both
    k = overlap.topk(min(10, len(near)), 1).values.sum(1).int().clamp(min=1)
    rank = cost.argsort(1).argsort(1)
    match = rank < k[:, None]
    cost = torch.where(match, cost, torch.inf)
    chosen = match.any(0)
    return near[chosen], cost[:, chosen].argmin(0)


def loss(p: Prediction, t: Targets, size_hw: tuple[int, int]) -> dict[str, Tensor]:
    """The parts of the loss, weighted; their sum is what is minimised."""
    boxes, cells, strides = decode(p, *size_hw)
    centres = (cells + 0.5) * strides[:, None]
    score = p.score().float().clamp(1e-6, 1 - 1e-6)
    want, weight = torch.zeros_like(score), torch.ones_like(score)
    rows, cols = (centres[:, 1].long(), centres[:, 0].long())
    weight = 1 - t.ignore[:, 0, rows, cols]
    n_idx, a_idx, p_idx = [], [], []
    for n in range(len(boxes)):
        if t.count[n]:
            a, who = assign(boxes[n], score[n], centres, strides, t.boxes[n, : t.count[n]])
            n_idx.append(torch.full_like(a, n))
            a_idx.append(a)
            p_idx.append(who)
    zero = score.sum() * 0
    parts = {"box": zero, "head": zero, "seen": zero}
    found = 1
    if n_idx:
        at, a, who = torch.cat(n_idx), torch.cat(a_idx), torch.cat(p_idx)
        found = max(1, len(at))
        overlap = iou(boxes[at, a], t.boxes[at, who])
        parts["box"] = 5 * (1 - overlap**2).sum() / found
        want[at, a] = overlap.detach().clamp(min=0.3)
        weight = weight.index_put((at, a), torch.ones_like(want[at, a]))
        points, cell, stride = p.point[at, a], cells[a], strides[a]
        parts["head"], parts["seen"] = _head_loss(points, t.heads[at, who], cell, stride)
    weight = torch.where(want > 0, weight, weight * (1 + 3 * score.detach()))  # hard negatives count more
    parts["score"] = (fn.binary_cross_entropy(score, want, reduction="none") * weight).sum() / found
    parts["silhouette"] = silhouette_loss(p.silhouette.float(), t)
    return parts


def keeping_loss(p: Prediction, base: Prediction) -> Tensor:
    """How far the class scores have drifted from the base net's, where that sees things other than people.

    Li and Hoiem 2016 ("Learning without Forgetting"). Both predictions have all of the base's classes; class 0,
    the person, is left to the labels. Raises ValueError for a base net without objectness.
    """
    if base.obj is None:
        raise ValueError("the base net has no other classes to keep")
    wanted = torch.sigmoid(base.cls[..., 1:].float())
    weight = torch.sigmoid(base.obj.float()) * wanted.amax(-1)
    weight = torch.where(weight > 0.1, weight, 0.0)
    drift = fn.binary_cross_entropy_with_logits(p.cls[..., 1:], wanted, reduction="none").sum(-1)
    return (drift * weight).sum() / weight.sum().clamp(min=1.0)


def _head_loss(point: Tensor, truth: Tensor, cells: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
    """Place and visibility, for matched anchors: point (M, 4), truth (M, 4), cells (M, 2), strides (M,)."""
    known = torch.isfinite(truth[:, 3])
    seen = known & (truth[:, 3] > 0.5)
    zero = point.sum() * 0
    place, visible = zero, zero
    if seen.any():
        q, g, sc = point[seen], truth[seen], s[seen]
        xy = (q[:, :2] + cells[seen]) * sc[:, None]
        # Distances in head radii, so that small heads count as much as large ones.
        off = (xy - g[:, :2]).abs().sum(1) / g[:, 2].clamp(min=2)
        size = (q[:, 2] + sc.log() - g[:, 2].clamp(min=1).log()).abs()
        place = (fn.smooth_l1_loss(off, torch.zeros_like(off), beta=0.2) + size.mean()) * 0.7
    if known.any():
        visible = fn.binary_cross_entropy_with_logits(point[known, 3], truth[known, 3]) * 0.5
    return place, visible


def silhouette_loss(logit: Tensor, t: Targets) -> Tensor:
    """BCE, people counting more, plus dice, outside the ignored places."""
    w = 1 - t.silhouette_ignore
    bce = fn.binary_cross_entropy_with_logits(logit, t.silhouette, reduction="none")
    bce = (bce * w * (1 + t.silhouette)).sum() / w.sum().clamp(min=1)
    q, truth = torch.sigmoid(logit) * w, t.silhouette * w
    dice = 1 - (2 * (q * truth).sum() + 1) / (q.sum() + truth.sum() + 1)
    return 4 * bce + dice
