"""`check` and `redact` say what is doubtful about a picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from aipg_plugin.cli.main import main
from aipg_plugin.cli.picture import picture_warnings
from aipg_plugin.geometry import ImageCircle
from aipg_plugin.options import Camera, CaptureMode, Lens, Source, Stream
from tests.geometry.test_circle import scene

ROUND = scene((480, 480), ImageCircle(240, 240, 236))


def warned(picture: np.ndarray, mode: CaptureMode = CaptureMode.FISHEYE,
           circle: tuple[float, float, float] | None = None) -> str:
    stream = Stream("1", Source("none"), capture_mode=mode)
    return "; ".join(picture_warnings(picture, Camera("a", streams=(stream,), lens=Lens(circle=circle)), stream))


def test_a_good_picture_gives_no_warning() -> None:
    assert warned(ROUND) == ""
    assert warned(ROUND, circle=(0.5, 0.5, 0.49)) == ""
    assert warned(scene((960, 480), None), CaptureMode.PANORAMA) == ""


@pytest.mark.parametrize(("picture", "circle", "says"), [
    (cv2.resize(ROUND, (480, 240)), None, "ellipse"), (np.concatenate([ROUND, ROUND], axis=1), None, "two image"),
    (ROUND, (2.0, 0.5, 0.5), "outside"), (scene((960, 540), None), None, "no rim"),
    (scene((960, 480), ImageCircle(240, 240, 230)), (0.75, 0.5, 0.24), "elsewhere")])
def test_circles_that_cannot_be_are_named(picture: np.ndarray, circle: tuple[float, float, float] | None,
                                          says: str) -> None:
    assert says in warned(picture, circle=circle)


@pytest.mark.parametrize("mode", [mode for mode in CaptureMode if mode is not CaptureMode.FISHEYE])
def test_a_capture_mode_that_the_picture_contradicts_is_named(mode: CaptureMode) -> None:
    assert f"capture_mode is {mode}" in warned(ROUND, mode)


def test_redact_says_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), cv2.resize(ROUND, (480, 240)))
    assert main(["redact", str(tmp_path / "a.png"), str(tmp_path / "b.png"), "--quiet"]) == 0
    told = capsys.readouterr()
    assert "a.png: warning: the image circle is an ellipse" in told.err
    assert "masked whole (the image circle is an ellipse" in told.out
