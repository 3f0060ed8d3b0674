"""The set of clips: each is made and judged once, and a run that was stopped goes on."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import leak_set
from benchmarks.leak import ClipTally
from benchmarks.leak_set import CLIPS, ClipSpec, table


def test_the_set_has_calm_and_busy_rooms_and_three_rates_of_the_same_people() -> None:
    names = [spec.name for spec in CLIPS]
    assert len(set(names)) == len(names)
    assert {"office_calm_10fps", "office_busy_10fps"} <= set(names)
    rates = [spec for spec in CLIPS if (spec.room, spec.walkers) == ("lobby", leak_set.BUSY)]
    assert {spec.fps for spec in rates} == {5.0, 10.0, 25.0}
    assert len({spec.seed for spec in rates}) == 1


def test_a_stopped_run_goes_on_and_judges_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                        capsys: pytest.CaptureFixture[str]) -> None:
    judged: list[str] = []

    def measure(clip: Path, *_: object, **__: object) -> ClipTally:
        judged.append(clip.stem)
        if len(judged) == 2:
            raise KeyboardInterrupt
        return ClipTally(frames=10, heads=20, head_leaks=1, bodies=20, longest_clear=2, over=[0.05])

    def made(spec: ClipSpec, folder: Path) -> Path:
        clip = folder / f"{spec.name}.mp4"
        clip.with_suffix(".truth.json").write_text(
            json.dumps({"frames": [{"persons": [{"ignore": False, "visible": 1.0}] * 3}], "circle_px": [8, 8, 8],
                        "fov_deg": 180, "height_m": 3.0}), encoding="utf-8")
        np.savez(clip.with_suffix(".silhouettes.npz"), ids=np.zeros((1, 4, 4)), step_px=4)
        return clip

    monkeypatch.setattr(leak_set, "measure", measure)
    monkeypatch.setattr(leak_set, "made", made)
    monkeypatch.setattr(sys, "argv", ["leak_set", "--work", str(tmp_path), "--only", "lobby"])
    with pytest.raises(KeyboardInterrupt):
        leak_set.main()
    capsys.readouterr()
    assert leak_set.main() == 0
    lobby = [spec.name for spec in CLIPS if spec.room == "lobby"]
    assert judged == [lobby[0], lobby[1], *lobby[1:]]
    told = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in told[1:]] == lobby
    assert told[-1].split()[1:6] == ["3.00", "5.00", "0.00", "5.00", "0.08"]


def test_the_table_has_a_line_for_each_clip() -> None:
    row = {"people": 3.0, "head_leak": 0.01, "body_leak": 0.0, "over_mask": 0.04, "longest_clear_s": 0.4,
           "full_mosaic_frames": 2}
    lines = table({"a": row, "b": row}).splitlines()
    assert len(lines) == 3
    assert lines[1].split() == ["a", "3.00", "1.00", "0.00", "4.00", "0.40", "2.00"]
