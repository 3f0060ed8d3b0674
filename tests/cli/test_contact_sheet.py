"""`aipg contact-sheet`: every look in one picture, and nobody clear on it."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from aipg_plugin.cli import contact_sheet
from aipg_plugin.cli.main import main
from aipg_plugin.options import BlurIntensity, MaskingMethod
from aipg_plugin.resources import resource_path


def test_there_is_a_tile_for_every_method_and_intensity() -> None:
    looks = contact_sheet.STYLES
    assert {look.method for look in looks} == set(MaskingMethod)
    assert {look.intensity for look in looks if look.method is MaskingMethod.BLURRING} == set(BlurIntensity)
    assert len({look.label for look in looks}) == len(looks)


def test_tiles_of_any_shape_stand_in_rows() -> None:
    wide = [(str(n), np.full((90, 300, 3), 40 * n, np.uint8)) for n in range(5)]
    made = contact_sheet.sheet(wide)
    assert made.shape[1] > made.shape[0]
    assert len(np.unique(made.reshape(-1, 3), axis=0)) >= 5
    assert contact_sheet.sheet(wide[:1]).shape[1] < 450


def test_a_picture_gives_a_sheet_without_anybody_clear(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    still, target = resource_path("samples", "lobby_still.jpg"), tmp_path / "sheet.png"
    assert main(["contact-sheet", str(target), str(still), "--tier", "small"]) == 0
    assert "6 looks" in capsys.readouterr().out           # background needs a video
    made, before = cv2.imread(str(target)), cv2.imread(str(still))
    assert made is not None
    assert before is not None
    side, top, gap = contact_sheet._TILE_PX, contact_sheet._LABEL_PX, contact_sheet._GAP_PX
    small = cv2.resize(before, (side, side), interpolation=cv2.INTER_AREA).astype(int)
    tiles = [made[y + top:y + top + side, x:x + side].astype(int) for y in (0, top + side + gap)
             for x in range(gap, made.shape[1] - side + 1, side + gap)][:6]
    changed = [(np.abs(tile - small).max(axis=2) > 25) for tile in tiles]
    assert all(0.01 < each.mean() < 0.6 for each in changed)
    assert all(np.abs(tile - other).max() > 20 for n, tile in enumerate(tiles) for other in tiles[:n])


def test_a_video_gives_a_sheet_with_the_learned_background_too(tmp_path: Path,
                                                              capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "sheet.jpg"
    assert main(["contact-sheet", str(target), "--at", "0.2", "--tier", "small"]) == 0
    assert "7 looks" in capsys.readouterr().out
    assert cv2.imread(str(target)) is not None


@pytest.mark.parametrize(("at_s", "shown"), [(1.0, 15), (None, 113), (0.0, 0)])
def test_a_video_is_looked_at_for_a_second_after_the_moment_shown(at_s: float | None, shown: int) -> None:
    """A mask that nothing is known after reaches wherever somebody may have walked."""
    frames = contact_sheet._Frames(resource_path("samples", "lobby.mp4"), at_s)
    assert frames.shown_seq == shown
    assert max(frame.seq for frame in frames) == shown + 15


@pytest.mark.parametrize("arguments", [["sheet.txt"], ["sheet.png", "nothing.jpg"], ["sheet.png", "--at", "-1"]])
def test_what_cannot_be_done_is_said(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["contact-sheet", *arguments]) in {2, 5}
    assert not list(tmp_path.iterdir())
