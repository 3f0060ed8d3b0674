"""Weights averaged over checkpoints and with the base net."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from training import average
from training.net import YoloxPersonNet


def checkpoint(path: Path, value: float, classes: int = 1) -> Path:
    state = {k: torch.full_like(v, value) for k, v in YoloxPersonNet(classes=classes).state_dict().items()}
    torch.save({"ema": state}, path)
    return path


def test_the_mean_is_a_checkpoint_with_the_person_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "mean.pt"
    runs = [checkpoint(tmp_path / "a.pt", 1.0, classes=80), checkpoint(tmp_path / "b.pt", 4.0)]
    monkeypatch.setattr(sys, "argv", ["average", *map(str, runs), "--out", str(out)])
    average.main()
    net = YoloxPersonNet()
    net.load_state_dict(average.person_weights(out))
    assert all(bool((p == 2.5).all()) for p in net.parameters())


def test_branches_that_the_base_lacks_keep_their_weights() -> None:
    own = {k: torch.ones_like(v) for k, v in YoloxPersonNet().state_dict().items()}
    base = {k: torch.zeros_like(v) for k, v in own.items()}
    mixed = average.with_base(own, base, 0.25)
    kept = {k: float(v.flatten()[0]) for k, v in mixed.items() if v.numel()}
    assert {v for k, v in kept.items() if "silhouette" in k or ".point." in k} == {1.0}
    assert {v for k, v in kept.items() if not ("silhouette" in k or ".point." in k)} == {0.75}


def test_a_share_beyond_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                       capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["average", "a.pt", "--out", str(tmp_path / "x.pt"), "--base-share", "45"])
    with pytest.raises(SystemExit):
        average.main()
    assert "--base-share: 45.0 is not in 0–1" in capsys.readouterr().err
