"""Our net as Frigate's object detector: the answering side of its detector type `zmq`.

Frigate (0.17's `zmq_ipc` plugin) asks over a REQ socket: `{"model_request"}` and `{"model_data"}` once, then
`[{"shape", "dtype"}, tensor]` for each region it has cropped, and wants float32 (20, 6) rows
`class, score, y0, x0, y1, x1`, normalised by the region's size, zeros below.
"""

from __future__ import annotations

import json
import logging
import math
import threading
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.detection.onnx import PersonNet
from aipg_plugin.errors import DetectionError, HostError

_log = logging.getLogger(__name__)
ROWS, COLUMNS = 20, 6
PERSON = 0  # in Frigate's label maps
_MAX_BYTES = 256 << 20
_MAX_SIDE_PX = 4096
_IOU = 0.45
# Of benchmarks.frigate_regions: as many people found as with eight large turns, in under half the time.
_SIDE_PX = 320         # of a large look
_SMALL_PX = 128        # of a first look: people in a region are large
_CANDIDATE_SCORE = 0.05  # of a first look: enough to look again in that direction
_MOST_TURNS = 4        # large looks at a region
Float32 = NDArray[np.float32]


class RegionDetector:
    """Finds people in a region cropped from anywhere in a picture.

    Frigate doesn't say where it cropped, so which way is up is unknown. With several `turns` the region is first looked
    at small in that many directions, and then large in those where somebody may stand upright. 8 turns suit a ceiling
    fisheye; 1, which looks once and large, a panorama or a wall, where people stand upright.
    """

    def __init__(self, net: PersonNet, *, turns: int = 8, min_score: float = 0.25) -> None:
        self._net, self._min_score = net, min_score
        self._side_px = net.fixed_wh[0] if net.fixed_wh else _SIDE_PX
        self._small_px = self._side_px if net.fixed_wh else _SMALL_PX
        self._angles_deg = [360.0 * turn / turns for turn in range(turns)]

    def detect(self, region_bgr: NDArray[np.uint8]) -> Float32:
        """(H, W, 3) uint8 BGR -> (20, 6) float32 as Frigate wants it, best first."""
        angles_deg = self._angles_deg
        if len(angles_deg) > 1 and self._small_px < self._side_px:
            boxes, scores, turns = self._look(region_bgr, angles_deg, self._small_px, _CANDIDATE_SCORE)
            kept = _distinct(boxes, scores)
            angles_deg = [angles_deg[turn] for turn in dict.fromkeys(turns[kept].tolist())][:_MOST_TURNS]
        if not angles_deg:
            return np.zeros((ROWS, COLUMNS), np.float32)
        boxes, scores, _ = self._look(region_bgr, angles_deg, self._side_px, self._min_score)
        return _table(boxes, scores)

    def _look(self, region_bgr: NDArray[np.uint8], angles_deg: list[float], side_px: int,
              min_score: float) -> tuple[Float32, Float32, NDArray[np.intp]]:
        """Boxes (N, 4) normalised x0, y0, x1, y1, their scores (N,) and the indices (N,) of their turns."""
        height, width = region_bgr.shape[:2]
        turned = [_turn(angle_deg, (width, height), side_px) for angle_deg in angles_deg]
        tiles = np.stack([cv2.warpAffine(region_bgr, matrix, (side_px, side_px), flags=cv2.INTER_LINEAR)
                          for matrix in turned])
        raw, _ = self._net.run(np.asarray(tiles, np.uint8))
        found = [self._net.decode(rows, (side_px, side_px), min_score) for rows in raw]
        boxes = [_back(each.boxes, matrix, (width, height)) for each, matrix in zip(found, turned, strict=True)]
        return (np.concatenate(boxes), np.concatenate([each.scores for each in found]),
                np.repeat(np.arange(len(found)), [len(each.scores) for each in found]))


def _turn(angle_deg: float, size_wh: tuple[int, int], side_px: int) -> NDArray[np.float64]:
    """The 2 x 3 matrix from a region into a tile that shows it whole, turned about its centre."""
    width, height = size_wh
    radians = math.radians(angle_deg)
    reach = abs(math.cos(radians)) + abs(math.sin(radians))
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle_deg, side_px / max(width, height) / reach)
    shift = np.array([[0, 0, (side_px - width) / 2], [0, 0, (side_px - height) / 2]])
    return np.asarray(matrix + shift, np.float64)


def _back(boxes: Float32, matrix: NDArray[np.float64], size_wh: tuple[int, int]) -> Float32:
    """Boxes (N, 4) cx, cy, w, h of a tile as upright boxes x0, y0, x1, y1 around the turned ones, normalised."""
    centre, half = boxes[:, None, :2], boxes[:, None, 2:] / 2
    corners = centre + half * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], np.float32)
    inverse = cv2.invertAffineTransform(matrix)
    pixels = corners @ inverse[:, :2].T + inverse[:, 2]
    pixels = pixels / np.array(size_wh)
    upright = np.concatenate([pixels.min(axis=1), pixels.max(axis=1)], axis=1)
    return np.asarray(np.clip(upright, 0, 1), np.float32)


def _table(boxes: Float32, scores: Float32) -> Float32:
    table = np.zeros((ROWS, COLUMNS), np.float32)
    for row, index in enumerate(_distinct(boxes, scores)[:ROWS]):
        x0, y0, x1, y1 = boxes[index]
        table[row] = PERSON, scores[index], y0, x0, y1, x1
    return table


def _distinct(boxes: Float32, scores: Float32) -> list[int]:
    """Indices of the boxes (x0, y0, x1, y1) that no better one overlaps by `_IOU`, best first."""
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    waiting = [int(i) for i in np.argsort(-scores, kind="stable") if areas[i] > 0]
    kept = []
    while waiting:
        best = waiting.pop(0)
        kept.append(best)
        rest = np.array(waiting, int)
        low, high = np.maximum(boxes[best, :2], boxes[rest, :2]), np.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared = np.prod(np.clip(high - low, 0, None), axis=1)
        overlap = shared / (areas[best] + areas[rest] - shared)
        waiting = [int(i) for i in rest[overlap < _IOU]]
    return kept


def region_of(header: dict[str, Any], data: bytes, *, colour: str = "rgb") -> NDArray[np.uint8]:
    """The region in a request, (H, W, 3) uint8 BGR; NHWC or NCHW, uint8 or float of 0-1 or 0-255.

    Raises DetectionError for anything else.
    """
    try:
        shape = tuple(int(side) for side in header["shape"])
        dtype = np.dtype(str(header["dtype"]))
    except (KeyError, TypeError, ValueError) as error:
        raise DetectionError("the request has no shape and dtype") from error
    if dtype not in (np.dtype(np.uint8), np.dtype(np.float32), np.dtype(np.float16)) or len(shape) not in (3, 4):
        raise DetectionError("regions of {dtype} and shape {shape} are not known", dtype=dtype.name, shape=shape)
    if not all(0 < side <= _MAX_SIDE_PX for side in shape) or math.prod(shape) * dtype.itemsize != len(data):
        raise DetectionError("{size} bytes are no {dtype} tensor of shape {shape}", size=len(data), dtype=dtype.name,
                             shape=shape)
    tensor = np.frombuffer(data, dtype).reshape(shape)
    if len(shape) == 4:
        if shape[0] != 1:
            raise DetectionError("one region at a time, not {count}", count=shape[0])
        tensor = tensor[0]
    if tensor.shape[2] != 3 and tensor.shape[0] == 3:
        tensor = tensor.transpose(1, 2, 0)
    if tensor.shape[2] != 3:
        raise DetectionError("regions must have three colours, not shape {shape}", shape=shape)
    if tensor.dtype != np.uint8:
        tensor = np.nan_to_num(tensor.astype(np.float32), posinf=0, neginf=0)
        tensor = np.clip(tensor * (255 if tensor.max(initial=0) <= 1 else 1), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(tensor[..., ::-1] if colour == "rgb" else tensor)


class FrigateServer:
    """Answers Frigate's requests on a REP socket, one at a time, until closed. Bad input is answered with zeros."""

    def __init__(self, endpoint: str, detector: RegionDetector, *, colour: str = "rgb") -> None:
        self._endpoint, self._detector, self._colour = endpoint, detector, colour
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._context: Any = None
        self.answered = self.refused = 0

    def start(self) -> FrigateServer:
        """Bind and answer from now on. Raises HostError without pyzmq, or when the endpoint can't be bound."""
        try:
            import zmq
        except ImportError:
            raise HostError("Frigate's protocol needs pyzmq", cure="pip install pyzmq") from None
        self._context = zmq.Context()
        socket = self._context.socket(zmq.REP)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.MAXMSGSIZE, _MAX_BYTES)
        socket.setsockopt(zmq.RCVTIMEO, 200)
        try:
            socket.bind(self._endpoint)
        except zmq.ZMQError as error:
            socket.close()
            self._context.term()
            raise HostError("cannot listen on {endpoint}: {why}", endpoint=self._endpoint, why=str(error),
                            cure="Use a free tcp://address:port or ipc://path in --endpoint") from error
        self.endpoint = socket.getsockopt(zmq.LAST_ENDPOINT).decode().rstrip("\0")
        self._thread = threading.Thread(target=self._serve, args=(socket, zmq), name="aipg-frigate", daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop answering and free the endpoint. Safe to call twice."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(10.0)
            self._thread = None
            self._context.term()

    def _serve(self, socket: Any, zmq: Any) -> None:
        """The socket lives in this thread alone, for ZeroMQ's sockets may not be shared."""
        while not self._stop.is_set():
            try:
                frames = socket.recv_multipart()
            except zmq.Again:
                continue
            socket.send_multipart(self.answer(frames))
        socket.close()

    def answer(self, frames: list[bytes]) -> list[bytes]:
        """The reply to one request. Total."""
        try:
            header = json.loads(frames[0])
            if not isinstance(header, dict):
                raise DetectionError("the header is not a JSON object")
            if header.get("model_request"):
                return [_json({"model_available": True, "model_loaded": True})]
            if header.get("model_data"):  # we have a net of our own and keep none of theirs
                return [_json({"model_saved": True, "model_loaded": True})]
            table = self._detector.detect(region_of(header, frames[1], colour=self._colour))
            self.answered += 1
        except Exception as error:
            self.refused += 1
            level = logging.WARNING if self.refused <= 5 or self.refused % 100 == 0 else logging.DEBUG
            _log.log(level, "a request was answered with nobody: %s", str(error) or type(error).__name__)
            table = np.zeros((ROWS, COLUMNS), np.float32)
        return [_json({"shape": [ROWS, COLUMNS], "dtype": "float32"}), table.tobytes()]


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()
