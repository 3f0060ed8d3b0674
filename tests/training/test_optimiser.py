"""Steps are shares of each filter's size."""

from __future__ import annotations

import pytest
import torch

from training.dataset import mirror
from training.losses import Targets
from training.net import ExportNet, YoloxPersonNet
from training.optimiser import RelativeAdam, filter_scale


def test_large_and_small_filters_move_by_the_same_share() -> None:
    weight = torch.nn.Parameter(torch.stack([torch.full((3, 3), 20.0), torch.full((3, 3), 4.0)])[:, None])
    before = weight.detach().clone()
    optimiser = RelativeAdam([{"params": [weight]}], lr=0.01)
    (weight * torch.tensor([1e-3, 1e3])[:, None, None, None]).sum().backward()
    optimiser.step()
    assert ((before - weight.detach()) / before).flatten().tolist() == pytest.approx([0.01] * 18, rel=1e-3)


def test_fresh_zero_layers_can_move() -> None:
    assert (filter_scale(torch.zeros(4, 8, 1, 1)) > 0).all()
    assert (filter_scale(torch.zeros(4)) > 0).all()


def test_it_finds_a_minimum() -> None:
    torch.manual_seed(0)
    x = torch.nn.Parameter(torch.tensor([[1.0, -2.0, 3.0]]))
    optimiser = RelativeAdam([{"params": [x]}], lr=0.01)
    for _ in range(400):
        optimiser.zero_grad()
        (x - torch.tensor([0.5, 1.0, 2.0])).square().sum().backward()
        optimiser.step()
    assert torch.allclose(x, torch.tensor([[0.5, 1.0, 2.0]]), atol=0.05)


def test_the_score_shift_moves_the_logit_and_nothing_else() -> None:
    torch.manual_seed(0)
    net, image = YoloxPersonNet().eval(), torch.rand(1, 3, 64, 64) * 255
    with torch.no_grad():
        plain, shifted = ExportNet(net)(image)[0], ExportNet(net, -1.1)(image)[0]
    assert torch.allclose(torch.logit(shifted[..., 4]), torch.logit(plain[..., 4]) - 1.1, atol=1e-3)
    rest = [0, 1, 2, 3, 5, 6, 7, 8]
    assert torch.equal(plain[..., rest], shifted[..., rest])


def test_a_mirrored_batch_twice_is_itself() -> None:
    t = Targets(
        torch.rand(2, 3, 4), torch.rand(2, 3, 4), torch.tensor([3, 1]),
        torch.rand(2, 1, 8, 8), torch.rand(2, 1, 2, 2), torch.rand(2, 1, 2, 2),
    )
    image = torch.rand(2, 3, 8, 8)
    again, back = mirror(*mirror(image, t))
    assert torch.equal(again, image)
    assert torch.allclose(back.boxes, t.boxes, atol=1e-5)
    assert torch.equal(back.silhouette, t.silhouette)
    assert not torch.equal(mirror(image, t)[1].boxes, t.boxes)
