"""Figures of a net in training are the benchmark's, through the product's own detector."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from aipg_plugin.detection.onnx import open_file
from aipg_plugin.detection.tiles import make_tiles
from aipg_plugin.detection.upright import UprightTile
from aipg_plugin.geometry.camera import FisheyeCamera, ImageCircle
from evaluation.pictures import LENS, MOUNT
from rendering.truth import gravity_box
from tests.detection.nets import FIGURE_WH, ONE_RING, red_net
from tests.detection.painting import FLOOR, RED
from training import evaluate
from training.config import Config
from training.curves import append_row, draw_curves, read_columns
from training.net import YoloxPersonNet

SIZE_PX, CIRCLE = 500, (250.0, 250.0, 240.0)
PLAN = ONE_RING


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pictures of a hall and one of a shop, each with a red figure that fills a net's window in one tile."""
    folder = tmp_path_factory.mktemp("dev")
    (folder / "images").mkdir()
    camera = FisheyeCamera(LENS, ImageCircle(*CIRCLE), (SIZE_PX, SIZE_PX))
    steps = np.arange(SIZE_PX) + 0.5
    pixels = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
    rows = []
    for k, scene in enumerate(("hall", "hall", "hall", "shop")):
        tile = make_tiles(camera, MOUNT, PLAN)[2 * k]
        assert isinstance(tile, UprightTile)
        offset = np.abs(tile.to_tile(pixels) - tile.input_px / 2)
        figure = (offset < np.array(FIGURE_WH) / 2).all(1).reshape(SIZE_PX, SIZE_PX)
        picture = np.full((SIZE_PX, SIZE_PX, 3), FLOOR, np.uint8)
        picture[figure] = RED
        box = gravity_box(figure.astype(np.uint8), camera, MOUNT).tolist()
        cv2.imwrite(str(folder / "images" / f"{k}.png"), picture)
        rows.append({"file": f"{k}.png", "scene": scene, "circle_px": CIRCLE, "ignore_xyxy": [],
                     "persons": [{"box": box, "head": [*box[:2], 3.0], "difficult": False}]})
    (folder / "labels.json").write_text(json.dumps({"images": rows}), encoding="utf-8")
    return folder


def silent_net(classes: int) -> YoloxPersonNet:
    """A net that finds nobody."""
    net = YoloxPersonNet(classes=classes).eval()
    for name, parameter in net.named_parameters():
        if name.endswith((".cls.bias", ".obj.bias")):
            torch.nn.init.constant_(parameter, -20.0)
    return net


def test_a_net_that_sees_everybody_gets_full_marks(dev: Path, tmp_path: Path) -> None:
    net = open_file(red_net(tmp_path / "red.onnx"))
    result = evaluate.measure(net, evaluate.dev_pictures(dev, quick=False), PLAN)
    rates = result.overall("medium")
    assert rates["ap50"] == pytest.approx(1)
    assert (rates["recall_3"], rates["recall_5"], rates["head_leak"], rates["body_leak"]) == (1, 1, 0, 0)
    assert rates["precision_3"] == 1
    assert 0 < rates["over_mask"] < 0.05
    assert {scene for _, scene in result.scenes} == {"hall", "shop"}


def test_quick_takes_two_pictures_a_scene(dev: Path, tmp_path: Path) -> None:
    assert [p.path.name for p in evaluate.dev_pictures(dev, quick=True)] == ["0.png", "1.png", "3.png"]
    assert len(evaluate.dev_pictures(dev, quick=False)) == 4
    with pytest.raises(FileNotFoundError, match=r"no labels\.json"):
        evaluate.dev_pictures(tmp_path, quick=True)


@pytest.mark.parametrize("classes", [1, 80])
def test_a_blind_net_in_training_gets_none_and_no_gaps(dev: Path, tmp_path: Path, classes: int) -> None:
    report = evaluate.evaluate_net(silent_net(classes), dev, tmp_path / "sheet.jpg")
    assert report == {"ap50": 0, "recall_3": 0, "recall_5": 0, "precision_3": 0, "head_leak": 1, "body_leak": 1,
                      "over_mask": 0}
    assert evaluate.one_line(report).startswith("ap50 0.000 recall_3 0.000")
    sheet = cv2.imread(str(tmp_path / "sheet.jpg"))
    assert sheet is not None
    assert sheet.shape == (640, 3 * 640, 3)
    append_row(tmp_path / "dev.csv", {"step": 1, **report})
    draw_curves(tmp_path)


def test_the_command_measures_files_and_checkpoints(dev: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                    capsys: pytest.CaptureFixture[str]) -> None:
    red_net(tmp_path / "red.onnx")
    torch.save({"ema": silent_net(80).state_dict()}, tmp_path / "last.pt")
    recalls = []
    for model in ("red.onnx", "last.pt"):
        monkeypatch.setattr(sys, "argv", ["evaluate", "--model", str(tmp_path / model), "--dev", str(dev), "--quick",
                                          "--plan", "live", "--size", "416", "--sheet", str(tmp_path / "sheet.png")])
        evaluate.main()
        table = capsys.readouterr().out.splitlines()
        recalls.append(float(next(row for row in table if "medium" in row).split()[5]))
        assert any(row.split()[0] == "shop" for row in table)
    assert recalls == [100.0, 0.0]
    assert (tmp_path / "sheet.png").stat().st_size > 1000


def test_config_and_curves_survive_the_disk(tmp_path: Path) -> None:
    config = Config(batch=3, sizes_px=(64, 96))
    config.save(tmp_path / "config.json")
    assert Config.load(tmp_path / "config.json") == config
    for step in (50, 100):
        append_row(tmp_path / "log.csv", {"step": step, "box": 1.0 / step})
    assert read_columns(tmp_path / "log.csv") == {"step": [50, 100], "box": [0.02, 0.01]}
    draw_curves(tmp_path)
    assert (tmp_path / "curves.png").stat().st_size > 1000
