"""Frigate's detector protocol with a real ZeroMQ client that asks as Frigate's `zmq_ipc` plugin (0.17) does."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.detection.onnx import load_model
from aipg_plugin.errors import HostError
from aipg_plugin.hosts.frigate import FrigateServer, RegionDetector, region_of
from aipg_plugin.options import CustomModel, Models
from tests import needs
from tests.hosts.walk import walker_net
from tests.servers import Process, free_port, wait_for

SIDE_PX = 320


class Frigate:
    """The asking side: REQ, two-part requests, 20 x 6 float32 replies."""

    def __init__(self, endpoint: str) -> None:
        import zmq

        self._context = zmq.Context()
        self.socket = self._context.socket(zmq.REQ)
        self.socket.setsockopt(zmq.RCVTIMEO, 8000)
        self.socket.setsockopt(zmq.SNDTIMEO, 2000)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.connect(endpoint)

    def ask(self, *frames: bytes) -> list[bytes]:
        self.socket.send_multipart(frames)
        return list(self.socket.recv_multipart())

    def tell(self, header: dict[str, Any], *frames: bytes) -> dict[str, Any]:
        (reply,) = self.ask(json.dumps(header).encode(), *frames)
        return dict(json.loads(reply))

    def detect(self, tensor: np.ndarray) -> np.ndarray:
        header = {"shape": list(tensor.shape), "dtype": tensor.dtype.name, "model_type": "yolox"}
        return self.table(self.ask(json.dumps(header).encode(), tensor.tobytes()))

    @staticmethod
    def table(reply: list[bytes]) -> np.ndarray:
        header = json.loads(reply[0])
        assert header == {"shape": [20, 6], "dtype": "float32"}
        return np.frombuffer(reply[1], header["dtype"]).reshape(header["shape"])

    def close(self) -> None:
        self.socket.close()
        self._context.term()


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> RegionDetector:
    file = walker_net(tmp_path_factory.mktemp("net") / "walker.onnx")
    return RegionDetector(load_model(Models(threads=1, custom=CustomModel(str(file), classes=1))), turns=4)


@pytest.fixture
def server(detector: RegionDetector) -> Iterator[FrigateServer]:
    needs.need_module("zmq")
    running = FrigateServer("tcp://127.0.0.1:*", detector).start()
    yield running
    running.close()


@pytest.fixture
def frigate(server: FrigateServer) -> Iterator[Frigate]:
    asking = Frigate(server.endpoint)
    yield asking
    asking.close()


def region(x: int = 100, y: int = 60, w: int = 56, h: int = 104, side: int = SIDE_PX) -> np.ndarray:
    """(1, S, S, 3) uint8 RGB with somebody red."""
    picture = np.full((1, side, side, 3), 100, np.uint8)
    picture[0, y:y + h, x:x + w] = (255, 0, 0)
    return picture


def covers(table: np.ndarray, x: int, y: int, w: int, h: int) -> bool:
    """Whether a row covers the person's middle."""
    rows = table[table[:, 1] > 0.25]
    cx, cy = (x + w / 2) / SIDE_PX, (y + h / 2) / SIDE_PX
    return bool(((rows[:, 2] < cy) & (cy < rows[:, 4]) & (rows[:, 3] < cx) & (cx < rows[:, 5])).any())


def test_the_handshake(frigate: Frigate) -> None:
    assert frigate.tell({"model_request": True, "model_name": "yolo.onnx"}) == {
        "model_available": True, "model_loaded": True}
    assert frigate.tell({"model_data": True, "model_name": "yolo.onnx"}, b"\x08weights") == {
        "model_saved": True, "model_loaded": True}
    assert covers(frigate.detect(region()), 100, 60, 56, 104)


@pytest.mark.parametrize(("x", "y", "w", "h"), [(100, 60, 56, 104), (20, 200, 104, 56), (200, 150, 60, 100)])
def test_people_are_found_whichever_way_is_up(frigate: Frigate, x: int, y: int, w: int, h: int) -> None:
    table = frigate.detect(region(x, y, w, h))
    assert covers(table, x, y, w, h)
    rows = table[table[:, 1] > 0]
    assert (rows[:, 0] == 0).all()
    assert (rows[:, 2:] >= 0).all()
    assert (rows[:, 2:] <= 1).all()
    assert (rows[:, 4] > rows[:, 2]).all()
    assert (rows[:, 5] > rows[:, 3]).all()
    assert (np.diff(table[:, 1]) <= 0).all()


def test_an_empty_region_gives_zeros(frigate: Frigate) -> None:
    assert not frigate.detect(np.full((1, SIDE_PX, SIDE_PX, 3), 100, np.uint8)).any()


@pytest.mark.parametrize("change", [
    lambda rgb: rgb, lambda rgb: rgb.transpose(0, 3, 1, 2), lambda rgb: rgb.astype(np.float32),
    lambda rgb: rgb.astype(np.float32) / 255, lambda rgb: rgb.transpose(0, 3, 1, 2).astype(np.float32) / 255])
def test_every_tensor_frigate_can_be_set_to(frigate: Frigate, change: Any) -> None:
    assert covers(frigate.detect(np.ascontiguousarray(change(region()))), 100, 60, 56, 104)


def test_every_angle(detector: RegionDetector) -> None:
    """Eight directions: a person at 45° on a ceiling fisheye is found too, and boxed where they are."""
    picture = np.full((SIDE_PX, SIDE_PX, 3), 100, np.uint8)
    corners = cv2.boxPoints(((160.0, 160.0), (56.0, 104.0), 45.0))
    cv2.fillConvexPoly(picture, corners.astype(np.int32), (0, 0, 255))
    eight = RegionDetector(detector._net, turns=8)
    assert covers(eight.detect(picture), 132, 108, 56, 104)


@pytest.mark.parametrize("frames", [
    [b""], [b"not json"], [b"[]"], [b"{}"], [b"{}", b""], [b"\xff\xfe", b"x"], [b'{"shape": [1, 4, 4, 3]}', b"x" * 48],
    [b'{"shape": [1, 4, 4, 3], "dtype": "uint8"}'], [b'{"shape": [1, 4, 4, 3], "dtype": "uint8"}', b"short"],
    [b'{"shape": [1, 4, 4, 3], "dtype": "object"}', b"x" * 384], [b'{"shape": "x", "dtype": "uint8"}', b""],
    [b'{"shape": [1, 99999, 99999, 3], "dtype": "uint8"}', b""], [b'{"shape": [-1, 4, 4, 3], "dtype": "uint8"}', b""],
    [b'{"shape": [2, 4, 4, 3], "dtype": "uint8"}', b"x" * 96],
    [b'{"shape": [1, 4, 4, 5], "dtype": "uint8"}', b"x" * 80],
    [b'{"shape": [0, 0, 0, 3], "dtype": "uint8"}', b""]])
def test_bad_input_is_answered_with_nobody(server: FrigateServer, frigate: Frigate, frames: list[bytes]) -> None:
    assert not frigate.table(frigate.ask(*frames)).any()
    assert server.refused == 1
    assert covers(frigate.detect(region()), 100, 60, 56, 104)


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=3))
def test_no_request_is_fatal(frames: list[bytes]) -> None:
    class Nobody:
        def detect(self, bgr: np.ndarray) -> np.ndarray:
            raise AssertionError("never reached")

    reply = FrigateServer("unused", Nobody()).answer(frames)  # type: ignore[arg-type]
    assert not Frigate.table(reply).any()


def test_floats_that_are_not_finite() -> None:
    tensor = np.full((1, 8, 8, 3), np.nan, np.float32)
    tensor[0, 0, 0] = np.inf
    header = {"shape": list(tensor.shape), "dtype": "float32"}
    assert region_of(header, tensor.tobytes()).dtype == np.uint8


def test_several_frigates_at_once(server: FrigateServer) -> None:
    def one(number: int) -> bool:
        asking = Frigate(server.endpoint)
        try:
            return all(covers(asking.detect(region(x)), x, 60, 56, 104) for x in range(20 + number, 220, 60))
        finally:
            asking.close()

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(one, range(4)))
    assert server.refused == 0


def test_a_taken_endpoint_is_named(server: FrigateServer, detector: RegionDetector) -> None:
    with pytest.raises(HostError, match=server.endpoint):
        FrigateServer(server.endpoint, detector).start()
    server.close()
    again = FrigateServer(server.endpoint, detector).start()
    again.close()
    again.close()


def test_the_command(tmp_path: Path) -> None:
    needs.need_module("zmq")
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    config = tmp_path / "guard.yaml"
    net = walker_net(tmp_path / "walker.onnx")
    config.write_text("cameras: {a: {streams: {'1': {source: none.mp4, outputs: [http]}}}}\n"
                      f"models: {{threads: 1, custom: {{file: '{net}', classes: 1}}}}\n")
    with Process([sys.executable, "-m", "aipg_plugin", "frigate-detector", "--endpoint", endpoint, "--turns", "4",
                  "--config", str(config)]) as command:
        wait_for(lambda: "answers Frigate" in command.output() or not command.running, 30, "the detector")
        asking = Frigate(endpoint)
        assert covers(asking.detect(region()), 100, 60, 56, 104)
        asking.close()
        os.kill(command.pid, signal.SIGTERM)
        wait_for(lambda: not command.running, 10, "the end")
        assert command._popen.returncode == 0, command.output()
