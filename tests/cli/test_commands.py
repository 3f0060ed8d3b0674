"""The command line as a person meets it: help, errors in one line, exit codes, and real output."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from aipg_plugin.cli.main import COMMANDS, main
from aipg_plugin.resources import resource_path

STILL = resource_path("samples", "lobby_still.jpg")


def test_help_teaches_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert all(name in text for name in COMMANDS)
    assert "exit codes" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    assert f"aipg {name}" in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "code", "says"), [
    ([], 2, ""),
    (["redact", "/nowhere/a.jpg", "b.jpg"], 5, "/nowhere/a.jpg does not exist"),
    (["redact", str(STILL), "out.txt"], 2, "no picture file"),
    (["detect", "/nowhere"], 5, "/nowhere does not exist"),
    (["redact", str(STILL), "o.jpg", "--height", "9"], 2, "--height: 9 is not in 2.5–5"),
    (["redact", str(STILL), "o.jpg", "--circle", "1,2"], 2, "is not CX,CY,R"),
    (["redact", str(STILL), "o.jpg", "--camera", "x"], 2, "--camera needs --config"),
    (["run", "/nowhere.yaml"], 3, "/nowhere.yaml"),
    (["check", "/nowhere.yaml"], 3, "/nowhere.yaml"),
])
def test_errors_say_what_and_where_in_one_line(arguments: list[str], code: int, says: str, tmp_path: Path,
                                               capsys: pytest.CaptureFixture[str],
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == code
    told = capsys.readouterr().err
    assert says in told
    assert "Traceback" not in told
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_never_redacted_onto_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "a.jpg"
    picture.write_bytes(STILL.read_bytes())
    assert main(["redact", str(picture), str(picture)]) == 2
    assert "would be lost" in capsys.readouterr().err
    assert picture.read_bytes() == STILL.read_bytes()


def test_a_damaged_picture_leaves_no_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damaged = tmp_path / "bad.jpg"
    damaged.write_bytes(b"\xff\xd8 not a picture")
    assert main(["redact", str(damaged), str(tmp_path / "out.jpg")]) == 5
    assert "bad.jpg" in capsys.readouterr().err
    assert not (tmp_path / "out.jpg").exists()


def test_redact_and_detect_agree_on_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target, overlay = tmp_path / "guarded.png", tmp_path / "overlay.png"
    assert main(["redact", str(STILL), str(target), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert main(["detect", str(STILL), "--overlay", str(overlay)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert report["people"] == len(found["figures"]) > 2
    clear, guarded = cv2.imread(str(STILL)), cv2.imread(str(target))
    changed = (clear != guarded).any(axis=2)
    covered = np.zeros(changed.shape, np.uint8)
    for figure in found["figures"]:
        for polygon in figure["mask"]:
            cv2.fillPoly(covered, [np.round(polygon).astype(np.int32)], 1)
    assert not changed[cv2.dilate(covered, np.ones((5, 5), np.uint8)) == 0].any()
    assert changed[covered == 1].mean() > 0.9
    assert overlay.is_file()


def test_models_are_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["models"]
    assert rows
    assert all(row["state"] == "ok" for row in rows)


def test_check_reports_each_part_and_fails_for_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "guard.yaml"
    config.write_text(f"""
cameras:
  lobby:
    streams:
      "1": {{source: {resource_path('samples', 'lobby.mp4')}}}
      "2": {{source: /nowhere/clip.mp4}}
    privacy_guard: {{enabled: true, target_streams: ["1"]}}
""", encoding="utf-8")
    assert main(["check", str(config), "--json"]) == 1
    findings = {row["what"]: row for row in json.loads(capsys.readouterr().out)}
    assert findings["model"]["ok"]
    assert findings["lobby/1"]["ok"]
    assert "image circle" in findings["lobby/1"]["message"]
    assert not findings["lobby/2"]["ok"]
    assert "/nowhere/clip.mp4" in findings["lobby/2"]["message"]


def test_importing_the_package_is_light() -> None:
    heavy = subprocess.run([sys.executable, "-c", "import sys, aipg_plugin.cli.main; "
                            "print([m for m in ('cv2', 'onnxruntime', 'av', 'torch') if m in sys.modules])"],
                           capture_output=True, text=True, check=True).stdout.strip()
    assert heavy == "[]"
