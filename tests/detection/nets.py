"""Small ONNX nets made on the spot: matched filters that find red rectangles of 40 x 72 tile pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from aipg_plugin.detection.tiles import TilePlan, TileRing

FIGURE_WH = (40, 72)
ONE_RING = TilePlan("one ring", (TileRing(7, -70.0),), 0.9, 3, 416, 80.0)  # for a net of one scale
STRIDE = 8


def _constant(name: str, values: object) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(values, np.float32), name)


def _grid(side: int) -> tuple[np.ndarray, np.ndarray]:
    cells, strides = [], []
    for s in (8, 16, 32):
        y, x = np.mgrid[0:side // s, 0:side // s]
        cells.append(np.stack([x, y], -1).reshape(-1, 2))
        strides.append(np.full(x.size, s))
    return np.concatenate(cells), np.concatenate(strides)


def _rows(layout: str, classes: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights (1, F) of the score and biases (1 or A, F) of one layout."""
    w, h = FIGURE_WH
    if layout == "person":
        weight = np.zeros((1, 9))
        weight[0, 4] = 1
        bias = np.array([[0.5, 0.5, np.log(w / 8), np.log(h / 8), 0, 0.5, 0.5 - 3, np.log(1.5), 1.0]])
        return weight, bias
    cells, strides = _grid(side)
    objectness = layout != "yolov8"
    columns = 4 + objectness + classes
    weight = np.zeros((1, columns))
    weight[0, 4 + objectness] = 1
    bias = np.zeros((len(cells), columns))
    if objectness:
        bias[:, 4] = 1
    if layout == "yolox":
        bias[:, :4] = [0.5, 0.5, np.log(w / 8), np.log(h / 8)]
    else:
        bias[:, :2] = (cells + 0.5) * strides[:, None]
        bias[:, 2:4] = (w, h)
    return weight, bias


def red_net(path: Path, *, layout: str = "person", classes: int = 1, side: int | None = None, batch: int | None = None,
            silhouette: bool = True, scale: float = 1.0, rgb: bool = False) -> Path:
    """Write the net; `side` and `batch` freeze the input's size. Returns the path."""
    weight, bias = _rows(layout, classes, side or 416)
    nodes = [
        helper.make_node("Conv", ["image", "redness"], ["flat"], kernel_shape=[1, 1]),
        helper.make_node("Relu", ["flat"], ["red"]),
        helper.make_node("AveragePool", ["red"], ["silhouette"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("AveragePool", ["red"], ["s8"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Conv", ["s8", "window"], ["covered"], kernel_shape=[9, 5], pads=[4, 2, 4, 2]),
        helper.make_node("Sub", ["covered", "half"], ["above"]),
        helper.make_node("Relu", ["above"], ["all8"]),
        helper.make_node("MaxPool", ["all8"], ["peak8"], kernel_shape=[9, 5], pads=[4, 2, 4, 2]),
        helper.make_node("Equal", ["all8", "peak8"], ["is_peak"]),
        helper.make_node("Cast", ["is_peak"], ["peaks"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["all8", "peaks"], ["score8"]),
        helper.make_node("AveragePool", ["s8"], ["s16"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("AveragePool", ["s16"], ["s32"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Mul", ["s16", "zero"], ["score16"]),
        helper.make_node("Mul", ["s32", "zero"], ["score32"]),
        *(helper.make_node("Reshape", [f"score{s}", "column"], [f"rows{s}"]) for s in (8, 16, 32)),
        helper.make_node("Concat", ["rows8", "rows16", "rows32"], ["scores"], axis=1),
        helper.make_node("MatMul", ["scores", "weight"], ["spread"]),
        helper.make_node("Add", ["spread", "bias"], ["rows"]),
    ]
    if layout == "yolov8":
        nodes.append(helper.make_node("Transpose", ["rows"], ["raw"], perm=[0, 2, 1]))
    else:
        nodes.append(helper.make_node("Identity", ["rows"], ["raw"]))
    red = np.array([-0.5, -0.5, 1.0]) / 255 / scale
    initializers = [
        _constant("redness", (red[::-1] if rgb else red).reshape(1, 3, 1, 1)),
        _constant("window", np.full((1, 1, 9, 5), 2 / 45)), _constant("half", 1.0), _constant("zero", 0.0),
        _constant("weight", weight), _constant("bias", bias),
        numpy_helper.from_array(np.array([0, -1, 1], np.int64), "column")]
    size: object = side if side else None
    picture = helper.make_tensor_value_info("image", TensorProto.FLOAT,
                                            [batch or "n", 3, size or "h", size or "w"])
    outputs = [helper.make_tensor_value_info("raw", TensorProto.FLOAT, None)]
    if silhouette and layout == "person":
        outputs.append(helper.make_tensor_value_info("silhouette", TensorProto.FLOAT, None))
    graph = helper.make_graph(nodes, "red", [picture], outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
    return path
