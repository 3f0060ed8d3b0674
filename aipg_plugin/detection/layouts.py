"""How a net's raw output is laid out, and its decoding into boxes in tile pixels.

`person` and `yolox`: YOLOX decoding (Ge et al. 2021, arXiv 2107.08430): centre = (cell + d) · stride,
size = exp(log) · stride over strides 8, 16, 32. `yolov8` and `yolov5`: already decoded by the exported graph.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from aipg_plugin.errors import ModelError
from aipg_plugin.geometry.arrays import Float32, Ints

STRIDES = (8, 16, 32)      # YOLOX's own
_LOG_SIZE_LIMIT = 8.0      # e^8 cells are wider than any picture; more would overflow float32


@dataclass(frozen=True)
class Candidates:
    """Boxes of one tile before merging, tile pixels: `boxes` (N, 4) cx, cy, w, h; `scores` (N,);
    `heads` (N, 3) x, y, radius, NaN when the net says unseen or has no head output.
    """

    boxes: Float32
    scores: Float32
    heads: Float32


def anchor_count(size_wh: tuple[int, int]) -> int:
    """Anchors of a net over strides 8, 16, 32 for a tile of this size."""
    return sum((size_wh[0] // s) * (size_wh[1] // s) for s in STRIDES)


@lru_cache(maxsize=16)
def _anchors(size_wh: tuple[int, int]) -> tuple[Float32, Float32]:
    cells, strides = [], []
    for s in STRIDES:
        y, x = np.mgrid[0:size_wh[1] // s, 0:size_wh[0] // s]
        cells.append(np.stack([x, y], -1).reshape(-1, 2))
        strides.append(np.full((x.size, 1), s))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)


def _yolox_boxes(raw: Float32, keep: Ints, size_wh: tuple[int, int]) -> Float32:
    cells, strides = _anchors(size_wh)
    stride = strides[keep]
    centre = (raw[keep, :2] + cells[keep]) * stride
    size = np.exp(np.minimum(raw[keep, 2:4], _LOG_SIZE_LIMIT)) * stride
    return np.concatenate([centre, size], 1)


def _no_heads(n: int) -> Float32:
    return np.full((n, 3), np.nan, np.float32)


def _person(raw: Float32, size_wh: tuple[int, int], min_score: float, _cls: int) -> Candidates:
    keep = np.flatnonzero(raw[:, 4] >= min_score)
    cells, strides = _anchors(size_wh)
    stride = strides[keep]
    centre = (raw[keep, 5:7] + cells[keep]) * stride
    radius = np.exp(np.minimum(raw[keep, 7:8], _LOG_SIZE_LIMIT)) * stride
    heads = np.concatenate([centre, radius], 1)
    heads[raw[keep, 8] < 0.5] = np.nan
    return Candidates(_yolox_boxes(raw, keep, size_wh), raw[keep, 4], heads)


def _yolox(raw: Float32, size_wh: tuple[int, int], min_score: float, person_class: int) -> Candidates:
    scores = raw[:, 4] * raw[:, 5 + person_class]
    keep = np.flatnonzero(scores >= min_score)
    return Candidates(_yolox_boxes(raw, keep, size_wh), scores[keep], _no_heads(len(keep)))


def _yolov5(raw: Float32, _size_wh: tuple[int, int], min_score: float, person_class: int) -> Candidates:
    scores = raw[:, 4] * raw[:, 5 + person_class]
    keep = np.flatnonzero(scores >= min_score)
    return Candidates(raw[keep, :4], scores[keep], _no_heads(len(keep)))


def _yolov8(raw: Float32, _size_wh: tuple[int, int], min_score: float, person_class: int) -> Candidates:
    scores = raw[4 + person_class]
    keep = np.flatnonzero(scores >= min_score)
    return Candidates(raw[:4, keep].T, scores[keep], _no_heads(len(keep)))


_DECODERS: dict[str, Callable[[Float32, tuple[int, int], float, int], Candidates]] = {
    "person": _person, "yolox": _yolox, "yolov5": _yolov5, "yolov8": _yolov8}
LAYOUTS = tuple(name for name in _DECODERS if name != "person")


def decode(layout: str, raw: Float32, size_wh: tuple[int, int], min_score: float, person_class: int = 0) -> Candidates:
    """Candidates of one tile with a score of at least `floor`.

    `raw` is one picture's output: (A, 9) person, (A, 5 + C) yolox and yolov5, (4 + C, A) yolov8.
    Rows with values that are not finite, or with an empty box, are dropped.
    """
    found = _DECODERS[layout](raw, size_wh, min_score, person_class)
    good = np.isfinite(found.boxes).all(1) & np.isfinite(found.scores) & (found.boxes[:, 2:] > 0).all(1)
    return Candidates(found.boxes[good].astype(np.float32), np.clip(found.scores[good], 0, 1).astype(np.float32),
                      found.heads[good].astype(np.float32))


def check_output(layout: str, shape: tuple[int, ...], size_wh: tuple[int, int], classes: int, file: str) -> None:
    """Raise ModelError when an output of this shape cannot be of the layout."""
    anchors = anchor_count(size_wh)
    wanted: tuple[object, ...]
    match layout:
        case "person":
            wanted, fits = (1, anchors, 9), shape[1:] == (anchors, 9)
        case "yolox":
            wanted, fits = (1, anchors, 5 + classes), shape[1:] == (anchors, 5 + classes)
        case "yolov5":
            wanted, fits = (1, "A", 5 + classes), len(shape) == 3 and shape[2] == 5 + classes
        case "yolov8":
            wanted, fits = (1, 4 + classes, "A"), len(shape) == 3 and shape[1] == 4 + classes
        case _:
            raise ModelError("unknown model layout {layout}", path="models.custom.layout", layout=layout,
                             cure="Use one of: {known}", known=", ".join(LAYOUTS))
    if not fits:
        raise ModelError("model file {file} gives an output of shape {got} for a tile of {tile}; "
                         "layout {layout} with {classes} classes needs {wanted}", file=file, got=shape, tile=size_wh,
                         layout=layout, classes=classes, wanted=wanted, path="models.custom" if layout != "person"
                         else "models", cure="Check layout, classes and tile_px of the model")
