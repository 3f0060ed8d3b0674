"""`redact` on the sample clip: every frame comes out, everybody is masked, little else is."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from aipg_plugin.cli.demo import settings_for
from aipg_plugin.detection.onnx import load_model
from aipg_plugin.errors import MediaError
from aipg_plugin.hosts.offline import redact_video
from aipg_plugin.options import MaskingMethod, Models, Output, OutputKind, Web
from tests.samples import CLIP, truth
from tests.servers import wait_for


def luma(path: Path) -> list[np.ndarray]:
    """Luma planes of all frames."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample, filled with mid-grey, at high quality."""
    target = tmp_path_factory.mktemp("offline") / "out.mp4"
    camera = settings_for(str(CLIP), Web()).cameras[0]
    guard = replace(camera.privacy_guard, masking_method=MaskingMethod.FILLING)
    report = redact_video(CLIP, target, replace(camera, privacy_guard=guard), load_model(Models()),
                          Output(OutputKind.FILE, preset="veryfast", crf=12))
    assert report.frames_in == report.frames_out == len(truth()["frames"])
    assert report.full_mosaic_frames == 0
    return target


def test_heads_are_masked_in_every_frame(guarded: Path) -> None:
    clear, masked = luma(CLIP), luma(guarded)
    assert len(clear) == len(masked)
    leaks = heads = 0
    for index, frame in enumerate(truth()["frames"]):
        for person in frame["persons"]:
            if person["ignore"] or person["head"] is None or person["visible"] < 0.3:
                continue
            x, y, radius = (round(value) for value in person["head"])
            spot = np.s_[max(0, y - radius // 2):y + radius // 2 + 1, max(0, x - radius // 2):x + radius // 2 + 1]
            heads += 1
            leaks += bool(masked[index][spot].std() > 6 and clear[index][spot].std() > 12)
    assert heads > 500
    assert leaks <= 0.01 * heads


def test_most_of_the_room_is_as_it_was(guarded: Path) -> None:
    clear, masked = luma(CLIP), luma(guarded)
    for index in (20, 80):
        same = np.abs(clear[index].astype(int) - masked[index].astype(int)) < 12
        assert same.mean() > 0.75


def test_an_output_that_fails_leaves_nothing_and_the_old_file_alone(tmp_path: Path) -> None:
    camera = settings_for(str(CLIP), Web()).cameras[0]
    old = tmp_path / "old.mp4"
    old.write_bytes(b"precious")
    with pytest.raises(MediaError, match="nonsense"):
        redact_video(CLIP, old, camera, load_model(Models()), Output(OutputKind.FILE, encoder="nonsense"))
    assert old.read_bytes() == b"precious"
    assert [path.name for path in tmp_path.iterdir()] == ["old.mp4"]


def test_a_full_disk_is_told_with_the_name_asked_for(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="no limits here")
    done = subprocess.run([sys.executable, "-m", "aipg_plugin", "redact", str(CLIP), str(tmp_path / "out.mp4")],
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)),
                          capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 5
    assert f"cannot write {tmp_path / 'out.mp4'}: " in done.stderr
    assert "partial" not in done.stderr
    assert "keep_days" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_redact_leaves_no_clear_or_partial_file(tmp_path: Path) -> None:
    import signal

    target = tmp_path / "out.mp4"
    process = subprocess.Popen([sys.executable, "-m", "aipg_plugin", "redact", str(CLIP), str(target), "--quiet"],
                               stderr=subprocess.PIPE, text=True)
    wait_for(lambda: any(tmp_path.iterdir()) or process.poll() is not None, 60, "the first output")
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    if process.returncode == 0:
        pytest.skip("it was done before the signal came")
    assert process.returncode == 130, told
    assert list(tmp_path.iterdir()) == []


def test_the_report_is_json(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "aipg_plugin", "redact", str(CLIP), str(tmp_path / "o.mkv"), "--json",
                           "--quiet"], capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    assert report["frames_in"] == report["frames_out"] == len(truth()["frames"])
    assert report["people"] >= 6
