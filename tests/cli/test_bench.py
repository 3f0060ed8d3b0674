"""`aipg bench --cameras`: measured on a real clip, and what follows from the measures."""

import json
from pathlib import Path

import av
import numpy as np
import pytest

from aipg_plugin.cli.bench_cameras import capacity
from aipg_plugin.cli.main import main


def test_a_machine_carries_fewer_cameras_the_more_one_takes() -> None:
    four = capacity(4, (960, 960), 10.0, 0.2, 0.4)
    assert (four.cameras, four.cameras_slower) == (5, 8)
    assert capacity(4, (960, 960), 10.0, 0.2, 1.4).cameras < four.cameras
    assert capacity(8, (960, 960), 10.0, 0.2, 0.4).cameras > four.cameras
    assert "carries 5 of them, and 8 with half as many looks" in four.text


def test_the_cost_of_a_camera_is_measured_on_a_clip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = tmp_path / "room.mp4"
    rng = np.random.default_rng(1)
    with av.open(str(clip), "w") as out:
        video = out.add_stream("libx264", rate=10)
        video.width = video.height = 320
        video.pix_fmt = "yuv420p"
        room = rng.integers(60, 180, (320, 320, 3)).astype(np.uint8)
        for _ in range(15):
            out.mux(video.encode(av.VideoFrame.from_ndarray(room, format="rgb24")))
        out.mux(video.encode(None))
    assert main(["bench", "--cameras", "--clip", str(clip), "--tier", "small", "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["size_wh"] == [320, 320]
    assert found["video"] > 0
    assert found["looks"] > 0
    assert 0 <= found["cameras"] <= found["cameras_slower"]
