"""Weights of the published YOLOX-nano ONNX file, moved into `PersonNet`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from training.net import PersonNet

PERSON = 0  # COCO's first class


def focus_to_conv(weight: Tensor) -> Tensor:
    """(O, 12, 3, 3) acting on focus slices to the equal (O, 3, 6, 6) of stride 2.

    YOLOX stacks the slices (even, even), (odd, even), (even, odd), (odd, odd) as (y, x).
    """
    out = weight.new_zeros(weight.shape[0], 3, 6, 6)
    for i, (y, x) in enumerate(((0, 0), (1, 0), (0, 1), (1, 1))):
        out[:, :, y::2, x::2] = weight[:, 3 * i : 3 * i + 3]
    return out


def _run_order(net: PersonNet) -> list[nn.Conv2d]:
    """The net's base convolutions in the order they run, new branches left out."""
    order: list[nn.Conv2d] = []
    new = {id(h.point) for h in net.heads} | {id(m) for m in net.silhouette.modules()}
    hooks = [
        m.register_forward_pre_hook(lambda mod, _args: order.append(mod))
        for m in net.modules()
        if isinstance(m, nn.Conv2d) and id(m) not in new
    ]
    with torch.no_grad():
        net(torch.zeros(1, 3, 64, 64))
    for hook in hooks:
        hook.remove()
    return order


def load_yolox(path: Path) -> PersonNet:
    """An 80-class net that computes what the YOLOX-nano ONNX file does.

    Raises ValueError if the file's convolutions don't match the layout.
    """
    graph = onnx.load(str(path)).graph
    tensors = {t.name: np.array(numpy_helper.to_array(t)) for t in graph.initializer}
    nodes = [n for n in graph.node if n.op_type == "Conv"]
    net = PersonNet(classes=80).eval()
    convs = _run_order(net)
    if len(convs) != len(nodes):
        raise ValueError(f"{path}: {len(nodes)} convolutions, expected {len(convs)}")
    for i, (node, conv) in enumerate(zip(nodes, convs, strict=True)):
        weight, bias = (torch.from_numpy(tensors[name]) for name in node.input[1:3])
        if i == 0:
            weight = focus_to_conv(weight)
        if weight.shape != conv.weight.shape:
            raise ValueError(f"{path}: {node.name} is {tuple(weight.shape)}, expected {tuple(conv.weight.shape)}")
        conv.weight.data.copy_(weight)
        if conv.bias is not None:
            conv.bias.data.copy_(bias)
    return net


def single_class(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A checkpoint's weights with the person channel alone, whatever other classes were trained beside it."""
    return {k: v[PERSON : PERSON + 1] if ".cls." in k else v for k, v in state.items()}


def is_new(name: str) -> bool:
    """Whether a parameter belongs to the branches that YOLOX-nano lacks: silhouette and head point."""
    return "silhouette" in name or ".point." in name


def person_net(path: Path, classes: int = 1) -> PersonNet:
    """The net that starts from YOLOX-nano, new branches fresh: the person channel alone, or all 80 classes."""
    full, net = load_yolox(path), PersonNet(classes=classes)
    state = full.state_dict() if classes > 1 else single_class(full.state_dict())
    for key, value in net.state_dict().items():
        if is_new(key):
            state[key] = value
    net.load_state_dict(state)
    return net
