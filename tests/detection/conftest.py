"""The red net, loaded once, and painters of red figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from aipg_plugin.detection.onnx import PersonNet, open_file
from tests.detection.nets import red_net


@pytest.fixture(scope="session")
def net(tmp_path_factory: pytest.TempPathFactory) -> PersonNet:
    """The red net in the shipped layout."""
    path: Path = red_net(tmp_path_factory.mktemp("net") / "red.onnx")
    net = open_file(path, tile_px=320, threads=1)
    net.any_size = False  # it knows figures of one size alone
    return net
