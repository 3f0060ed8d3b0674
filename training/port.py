"""Weights of published ONNX files, moved into our nets: YOLOX-nano and RTMDet-nano."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from training.net import YoloxPersonNet
from training.rtmdet import RtmPersonNet

PERSON = 0  # COCO's first class
AnyNet = YoloxPersonNet | RtmPersonNet


def focus_to_conv(weight: Tensor) -> Tensor:
    """(O, 12, 3, 3) acting on focus slices to the equal (O, 3, 6, 6) of stride 2.

    YOLOX stacks the slices (even, even), (odd, even), (even, odd), (odd, odd) as (y, x).
    """
    out = weight.new_zeros(weight.shape[0], 3, 6, 6)
    for i, (y, x) in enumerate(((0, 0), (1, 0), (0, 1), (1, 1))):
        out[:, :, y::2, x::2] = weight[:, 3 * i : 3 * i + 3]
    return out


def _run_order(net: AnyNet) -> list[nn.Conv2d]:
    """The net's base convolutions in the order they run, new branches left out."""
    order: list[nn.Conv2d] = []
    hooks = [
        m.register_forward_pre_hook(lambda mod, _args: order.append(mod))
        for name, m in net.named_modules()
        if isinstance(m, nn.Conv2d) and not is_new(name + ".weight")
    ]
    with torch.no_grad():
        net(torch.zeros(1, 3, 64, 64))
    for hook in hooks:
        hook.remove()
    return order


def _fill(net: AnyNet, path: Path) -> None:
    """Give the net's base convolutions the weights of an ONNX file's, both in the order they run.

    Raises ValueError if the file's convolutions don't match the layout.
    """
    graph = onnx.load(str(path)).graph
    tensors = {t.name: np.array(numpy_helper.to_array(t)) for t in graph.initializer}
    nodes = [n for n in graph.node if n.op_type == "Conv"]
    convs = _run_order(net)
    if len(convs) != len(nodes):
        raise ValueError(f"{path}: {len(nodes)} convolutions, expected {len(convs)}")
    for node, conv in zip(nodes, convs, strict=True):
        weight, bias = (torch.from_numpy(tensors[name]) for name in node.input[1:3])
        if conv.kernel_size == (6, 6) and weight.shape[1] == 12:
            weight = focus_to_conv(weight)
        if weight.shape != conv.weight.shape:
            raise ValueError(f"{path}: {node.name} is {tuple(weight.shape)}, expected {tuple(conv.weight.shape)}")
        conv.weight.data.copy_(weight)
        if conv.bias is not None:
            conv.bias.data.copy_(bias)


def load_yolox(path: Path) -> YoloxPersonNet:
    """An 80-class net that computes what the YOLOX-nano ONNX file does; raises ValueError as `_fill`."""
    net = YoloxPersonNet(classes=80).eval()
    _fill(net, path)
    return net


def load_rtmdet(path: Path) -> RtmPersonNet:
    """A net that computes what the RTMDet-nano person ONNX file does before its NMS; raises ValueError as `_fill`."""
    net = RtmPersonNet().eval()
    _fill(net, path)
    return net


def single_class(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A checkpoint's weights with the person channel alone, whatever other classes were trained beside it."""
    return {k: v[PERSON : PERSON + 1] if ".cls." in k else v for k, v in state.items()}


def is_new(name: str) -> bool:
    """Whether a parameter belongs to the branches that the published nets lack: silhouette and head point."""
    return "silhouette" in name or ".point." in name


def person_net(path: Path, classes: int = 1) -> YoloxPersonNet:
    """The net that starts from YOLOX-nano, new branches fresh: the person channel alone, or all 80 classes."""
    full, net = load_yolox(path), YoloxPersonNet(classes=classes)
    state = full.state_dict() if classes > 1 else single_class(full.state_dict())
    for key, value in net.state_dict().items():
        if is_new(key):
            state[key] = value
    net.load_state_dict(state)
    return net


@dataclass(frozen=True)
class Base:
    """A published net that training starts from: its file under `peers/`, and the net that its weights fill.

    `load` gives the person's channel alone, `load_all` all that is trained.
    """

    file: str
    load: Callable[[Path], AnyNet]
    load_all: Callable[[Path], AnyNet]
    classes: int
    credit: str


BASES = {
    "yolox_nano": Base("yolox_nano.onnx", person_net, partial(person_net, classes=80), 80,
                       "YOLOX-nano (Apache-2.0, Megvii)"),
    "rtmdet_nano": Base("rtmdet_nano_person.onnx", load_rtmdet, load_rtmdet, 1,
                        "RTMDet-nano person (OpenMMLab, Apache-2.0; the copy's own repository states no licence)"),
}


def base_of(state: dict[str, Tensor]) -> str:
    """The name in `BASES` of the net that a checkpoint's weights belong to."""
    return "rtmdet_nano" if any(key.startswith("neck.narrow.") for key in state) else "yolox_nano"


def net_of(state: dict[str, Tensor]) -> AnyNet:
    """A person net with a checkpoint's weights, the person's channel alone."""
    net: AnyNet = RtmPersonNet() if base_of(state) == "rtmdet_nano" else YoloxPersonNet()
    net.load_state_dict(single_class(state))
    return net
