"""Assignment and loss behave: right anchors, nothing learnt from ignored places, and it can learn."""

from __future__ import annotations

import dataclasses

import torch

from training.losses import Targets, assign, decode, iou, keeping_loss, loss
from training.net import Prediction, YoloxPersonNet, anchor_grid


def targets(size_px: int = 64) -> Targets:
    boxes = torch.zeros(1, 2, 4)
    boxes[0, 0] = torch.tensor([24.0, 30.0, 16.0, 36.0])
    heads = torch.full((1, 2, 4), torch.nan)
    heads[0, 0] = torch.tensor([24.0, 16.0, 4.0, 1.0])
    quarter = torch.zeros(1, 1, size_px // 4, size_px // 4)
    silhouette = quarter.clone()
    silhouette[0, 0, 3:12, 4:8] = 1
    return Targets(boxes, heads, torch.tensor([1]), torch.zeros(1, 1, size_px, size_px), silhouette, quarter)


def test_iou_of_known_boxes() -> None:
    a = torch.tensor([[10.0, 10, 4, 4], [10, 10, 4, 4], [10, 10, 4, 4]])
    b = torch.tensor([[10.0, 10, 4, 4], [12, 10, 4, 4], [20, 10, 4, 4]])
    assert torch.allclose(iou(a, b), torch.tensor([1.0, 1 / 3, 0.0]), atol=1e-4)


def test_every_person_gets_anchors_near_by() -> None:
    cells, strides = anchor_grid(128, 128, torch.device("cpu"))
    centres = (cells + 0.5) * strides[:, None]
    boxes = torch.cat([centres, torch.full_like(centres, 20.0)], 1)
    truth = torch.tensor([[30.0, 30, 20, 20], [90, 70, 20, 24]])
    a, who = assign(boxes, torch.full((len(boxes),), 0.1), centres, strides, truth)
    assert set(who.tolist()) == {0, 1}
    assert len(set(a.tolist())) == len(a)
    assert ((centres[a] - truth[who, :2]).abs() < 2.5 * strides[a][:, None] + 1).all()


def test_ignored_places_teach_no_score() -> None:
    torch.manual_seed(0)
    net, image = YoloxPersonNet(), torch.rand(1, 3, 64, 64) * 255
    empty = dataclasses.replace(targets(), count=torch.tensor([0]))
    everywhere = dataclasses.replace(empty, ignore=torch.ones(1, 1, 64, 64))
    with torch.no_grad():
        p = net(image)
        assert loss(p, empty, (64, 64))["score"] > 0.1
        assert loss(p, everywhere, (64, 64))["score"] == 0


def test_unknown_heads_cost_nothing_and_gradients_stay_finite() -> None:
    torch.manual_seed(0)
    net, t = YoloxPersonNet(), targets()
    t.heads[:] = torch.nan
    parts = loss(net(torch.rand(1, 3, 64, 64) * 255), t, (64, 64))
    assert parts["head"] == 0
    assert parts["seen"] == 0
    torch.stack(list(parts.values())).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


def test_a_perfect_prediction_costs_almost_nothing() -> None:
    t = targets()
    cells, strides = anchor_grid(64, 64, torch.device("cpu"))
    n = len(cells)
    box = torch.zeros(1, n, 4)
    box[0, :, :2] = t.boxes[0, 0, :2] / strides[:, None] - cells
    box[0, :, 2:] = (t.boxes[0, 0, 2:] / strides[:, None]).log()
    p = Prediction(box, torch.zeros(1, n), torch.zeros(1, n, 1), torch.zeros(1, n, 4), torch.zeros(1, 1, 16, 16))
    assert torch.allclose(decode(p, 64, 64)[0][0, 5], t.boxes[0, 0], atol=1e-3)
    assert loss(p, t, (64, 64))["box"] < 1e-3


def test_it_learns_one_picture() -> None:
    torch.manual_seed(0)
    net, image, t = YoloxPersonNet(), torch.rand(1, 3, 64, 64) * 255, targets()
    optimiser = torch.optim.AdamW(net.parameters(), 1e-3)
    values = []
    for _ in range(60):
        total = torch.stack(list(loss(net(image), t, (64, 64)).values())).sum()
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        values.append(total.item())
    assert values[-1] < 0.6 * values[0]


def eighty(cls: torch.Tensor, obj_logit: float = 3.0) -> Prediction:
    """A prediction of two anchors with these class logits (1, 2, 80)."""
    return Prediction(torch.zeros(1, 2, 4), torch.full((1, 2), obj_logit), cls, torch.zeros(1, 2, 4),
                      torch.zeros(1, 1, 4, 4))


def test_what_the_base_knew_costs_more_the_further_it_is_left() -> None:
    torch.manual_seed(0)
    known = torch.randn(1, 2, 80) * 3
    base = eighty(known)
    own = known.clone().requires_grad_()
    at_base = keeping_loss(eighty(own), base)
    at_base.backward()
    assert own.grad is not None
    assert own.grad.abs().max() < 1e-6
    away = torch.randn(1, 2, 80)
    costs = [keeping_loss(eighty(known + far * away), base).item() for far in (0.0, 0.5, 1.0, 2.0)]
    assert costs == sorted(costs)
    assert costs[1] > costs[0] + 0.01


def test_the_person_is_left_to_the_labels() -> None:
    torch.manual_seed(0)
    known = torch.randn(1, 2, 80)
    moved = known.clone()
    moved[..., 0] += 5
    moved.requires_grad_()
    cost = keeping_loss(eighty(moved), eighty(known))
    assert cost == keeping_loss(eighty(known), eighty(known))
    cost.backward()
    assert moved.grad is not None
    assert not moved.grad[..., 0].any()


def test_where_the_base_saw_nothing_or_people_alone_there_is_nothing_to_keep() -> None:
    torch.manual_seed(0)
    known = torch.randn(1, 2, 80)
    assert keeping_loss(eighty(torch.randn(1, 2, 80)), eighty(known, obj_logit=-9.0)) == 0
    person = torch.full((1, 2, 80), -9.0)
    person[..., 0] = 9.0
    assert keeping_loss(eighty(torch.randn(1, 2, 80)), eighty(person)) == 0
