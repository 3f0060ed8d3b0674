"""What is counted of a guarded clip: leaks by frame and person, and how long somebody stayed clear at a time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from benchmarks.leak import ClipTally, ClipTruth


def truth(folder: Path, frames: int) -> ClipTruth:
    """Two people in a picture of 80 px, one at the left and one at the right, in every frame."""
    people = [{"id": i, "head": [x, 20.0, 4.0], "visible": 1.0, "ignore": False} for i, x in ((1, 20.0), (2, 60.0))]
    document = {"frames": [{"persons": people}] * frames, "circle_px": [40, 40, 40], "fov_deg": 180, "height_m": 3.0}
    (folder / "hall.truth.json").write_text(json.dumps(document), encoding="utf-8")
    ids = np.zeros((frames, 20, 20), np.uint8)
    ids[:, 4:15, 3:7], ids[:, 4:15, 13:17] = 1, 2
    np.savez(folder / "hall.silhouettes.npz", ids=ids, step_px=4)
    return ClipTruth(folder / "hall.mp4")


def test_the_longest_clear_run_is_one_persons(tmp_path: Path) -> None:
    hall, tally = truth(tmp_path, 8), ClipTally()
    left, right = np.zeros((80, 80), bool), np.zeros((80, 80), bool)
    left[:, :40], right[:, 40:] = True, True
    # The right one leaks for two frames, then both are hidden, then the left one for three, then the right one again.
    for index, masked in enumerate([left, left, left | right, right, right, right, left, left | right]):
        hall.judge(index, masked, tally)
    result = tally.result()
    assert result["longest_clear_frames"] == 3
    assert result["leaks_by_person"] == {"1": 3, "2": 3}
    assert result["frames_with_a_leak"] == 6 / 8


def test_nobody_clear_gives_no_run(tmp_path: Path) -> None:
    hall, tally = truth(tmp_path, 2), ClipTally()
    for index in range(2):
        hall.judge(index, np.ones((80, 80), bool), tally)
    assert tally.result()["longest_clear_frames"] == 0
    assert tally.result()["head_leak"] == 0.0
