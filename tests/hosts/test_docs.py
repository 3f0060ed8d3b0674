"""docs/hosts.md: its example host runs as printed, its configurations are taken."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import cv2
import yaml

from aipg_plugin.hosts.viseron.safety import refuse_unsafe
from tests.hosts.walk import SIDE_PX, write_walk
from tests.needs import CHECKOUT

PAGE = (CHECKOUT / "docs" / "hosts.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_example_host_runs(tmp_path: Path) -> None:
    (code,) = blocks("python")
    assert len(code.splitlines()) <= 60
    script = tmp_path / "host.py"
    script.write_text(code)
    clip = write_walk(tmp_path / "in.mp4", frames=25)
    done = subprocess.run([sys.executable, str(script), str(clip), str(tmp_path / "out.mp4")], capture_output=True,
                          text=True, timeout=90, check=False, env={"PYTHONPATH": str(CHECKOUT), "PATH": ""})
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("25 frames, at most ")
    out = cv2.VideoCapture(str(tmp_path / "out.mp4"))
    assert int(out.get(cv2.CAP_PROP_FRAME_COUNT)) == 25
    assert int(out.get(cv2.CAP_PROP_FRAME_WIDTH)) == SIDE_PX


def test_the_viseron_example_is_safe() -> None:
    (example,) = [text for text in blocks("yaml") if "aipg:\n  guarded" in text]
    ours = refuse_unsafe(yaml.safe_load(example))
    assert all("name" in camera for camera in yaml.safe_load(example)["ffmpeg"]["camera"].values()), "required"
    assert ours.settings.cameras[0].privacy_guard.enabled
