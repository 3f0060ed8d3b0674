"""A clip of somebody walking through a fisheye room, made so that a clear pixel of them gives itself away.

The room is smooth and grey, the walker a board of hard red squares: whatever is masked is smooth, so roughness in a
frame is the walker in clear. That needs no knowledge of which frame of the clip one looks at. `walker_net` is a
detector (a `models.custom`) for which whatever is red is a person.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

SIDE_PX = 480
FPS = 10
WALKER_WH = (40, 90)


def picture(index: int, room: int = 3) -> NDArray[np.uint8]:
    """Frame `index`, (480, 480, 3) uint8 BGR; the walker goes to and fro in the lower left. `room` is a seed."""
    w, h = WALKER_WH
    x, y = 120 + int(8 * abs(index * 0.2 % 24 - 12)), 325
    squares = np.array([(0, 0, 90), (90, 90, 255)], np.uint8)[np.random.default_rng(7).integers(0, 2, (h // 5, w // 5))]
    bgr = _room(room).copy()
    bgr[y:y + h, x:x + w] = cv2.resize(squares, (w, h), interpolation=cv2.INTER_NEAREST)
    return bgr


@cache
def _room(seed: int) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).integers(0, 256, (SIDE_PX, SIDE_PX, 1), dtype=np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), 12).astype(float)
    room = np.asarray(70 + 100 * (smooth - smooth.min()) / np.ptp(smooth), np.uint8)
    inside = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    cv2.circle(inside, (SIDE_PX // 2, SIDE_PX // 2), SIDE_PX // 2 - 4, 1, -1)
    return np.repeat(np.asarray(room * inside, np.uint8)[..., None], 3, axis=2)


def walker_net(path: Path) -> Path:
    """Write an ONNX net in the layout `yolox`, one class: every 8 px cell amid red gives a box of 144 x 240 px.

    The score is highest in the middle of what is red, and the box covers the walker of `picture` in every kind of tile.
    """
    def constant(name: str, values: object) -> onnx.TensorProto:
        return numpy_helper.from_array(np.asarray(values, np.float32), name)

    around_x, around_y = (np.exp(-0.5 * (np.arange(-reach, reach + 1) / (reach / 3)) ** 2) for reach in (9, 15))
    window = np.outer(around_y, around_x)
    nodes = [
        helper.make_node("Conv", ["image", "redness"], ["signed"], kernel_shape=[1, 1]),
        helper.make_node("Relu", ["signed"], ["red"]),
        helper.make_node("AveragePool", ["red"], ["s8"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Conv", ["s8", "window"], ["score8"], kernel_shape=[31, 19], pads=[15, 9, 15, 9]),
        helper.make_node("AveragePool", ["s8"], ["s16"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("AveragePool", ["s16"], ["s32"], kernel_shape=[2, 2], strides=[2, 2]),
        *(helper.make_node("Mul", [f"s{stride}", "zero"], [f"score{stride}"]) for stride in (16, 32)),
        *(helper.make_node("Reshape", [f"score{stride}", "column"], [f"rows{stride}"]) for stride in (8, 16, 32)),
        helper.make_node("Concat", ["rows8", "rows16", "rows32"], ["scores"], axis=1),
        helper.make_node("MatMul", ["scores", "weight"], ["spread"]),
        helper.make_node("Add", ["spread", "bias"], ["raw"])]
    initializers = [
        constant("redness", np.array([-0.5, -0.5, 1.0]).reshape(1, 3, 1, 1) / 255),
        constant("window", 2.5 * window[None, None] / window.sum()), constant("zero", 0.0),
        constant("weight", [[0, 0, 0, 0, 1, 0]]),
        constant("bias", [[0.5, 0.5, np.log(144 / 8), np.log(240 / 8), 0, 1]]),
        numpy_helper.from_array(np.array([0, -1, 1], np.int64), "column")]
    picture_in = helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, ["n", 3, "h", "w"])
    raw = helper.make_tensor_value_info("raw", onnx.TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "walker", [picture_in], [raw], initializers)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def write_walk(path: Path, frames: int = 240, cut_every: int = 0) -> Path:
    """Write the clip as H.264; 240 frames are one round, so that it loops without a jump.

    `cut_every` frames the scene is cut to another room, in which the walker is elsewhere.
    """
    with av.open(str(path), "w") as box:
        video: Any = box.add_stream("libx264", rate=FPS)
        video.width = video.height = SIDE_PX
        video.pix_fmt = "yuv420p"
        video.codec_context.options = {"preset": "ultrafast", "crf": "14"}
        video.codec_context.gop_size = FPS // 2
        for index in range(frames):
            cuts = index // cut_every if cut_every else 0
            frame = av.VideoFrame.from_ndarray(picture(index + 60 * cuts, 3 + cuts % 2), format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            box.mux(video.encode(frame))
        box.mux(video.encode(None))
    return path


def clear_share(bgr: NDArray[np.uint8]) -> float:
    """How much of the walker is clear: hard edges inside the image circle, as a share of those in the clip."""
    return min(1.0, _rough_px(bgr) / _CLEAR_PX)


def _rough_px(bgr: NDArray[np.uint8]) -> int:
    grey = cv2.cvtColor(bgr[_WALKED], cv2.COLOR_BGR2GRAY).astype(np.int16)
    steps = np.maximum(np.abs(np.diff(grey, axis=0))[:, :-1], np.abs(np.diff(grey, axis=1))[:-1])
    return int((steps > 60).sum())


_WALKED = np.s_[305:425, 110:270]  # where the walker ever is
_CLEAR_PX = _rough_px(picture(0))


def frames_of(path: Path) -> list[NDArray[np.uint8]]:
    """Every frame of a recording; a decoding error raises."""
    with av.open(str(path)) as box:
        return [frame.to_ndarray(format="bgr24") for frame in box.decode(video=0)]
