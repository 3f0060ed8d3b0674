"""Adam with steps relative to each filter's size.

Folding batch norms leaves filters whose weights differ ten-thousandfold in size between
channels. Adam's steps are absolute: what is a nudge for one filter erases another. Here
every filter moves by the same share of its own root mean square.
"""

from __future__ import annotations

import torch
from torch import Tensor


def filter_scale(weight: Tensor) -> Tensor:
    """Root mean square per output channel, not below a tenth of the whole tensor's."""
    whole = weight.pow(2).mean().sqrt()
    if whole == 0:
        return torch.full_like(weight, 0.05)
    if weight.dim() < 2:
        return whole.clamp(min=0.05).expand_as(weight).clone()
    each = weight.pow(2).mean(tuple(range(1, weight.dim())), keepdim=True).sqrt()
    return torch.maximum(each, 0.1 * whole).clamp(min=1e-4)


class RelativeAdam(torch.optim.Optimizer):
    """Adam (Kingma & Ba 2015) whose rate is a share of `filter_scale`, taken when it is made."""

    def __init__(self, params: list[dict[str, object]], lr: float, betas: tuple[float, float] = (0.9, 0.99)) -> None:
        super().__init__(params, {"lr": lr, "betas": betas})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        assert closure is None
        for group in self.param_groups:
            b1, b2 = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["t"] = torch.zeros(())
                    state["m"], state["v"] = torch.zeros_like(p), torch.zeros_like(p)
                    state["scale"] = filter_scale(p.detach())
                state["t"] += 1
                t = float(state["t"])
                state["m"].lerp_(p.grad, 1 - b1)
                state["v"].lerp_(p.grad.square(), 1 - b2)
                size = (state["v"] / (1 - b2**t)).sqrt_().add_(1e-12)
                p.sub_(state["m"] / size * state["scale"] * (group["lr"] / (1 - b1**t)))
