"""Every benchmark starts: its help, bad arguments, and a run with small settings."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

import benchmarks
from tests.needs import need_module
from tests.samples import CLIP

FOLDER = Path(benchmarks.__file__).parent
COMMANDS = sorted([path.stem for path in FOLDER.glob("*.py") if "__main__" in path.read_text(encoding="utf-8")]
                  + [path.parent.name for path in FOLDER.glob("*/__main__.py")])


def run(name: str, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Exit status of a benchmark, run in this process."""
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    path = f"benchmarks.{name}.__main__" if (FOLDER / name).is_dir() else f"benchmarks.{name}"
    try:
        return int(importlib.import_module(path).main() or 0)
    except SystemExit as stop:
        return int(stop.code or 0)


@pytest.fixture(autouse=True)
def modules() -> None:
    need_module("psutil")


def test_there_are_benchmarks() -> None:
    assert {"acceptance", "accuracy", "attack", "leak", "throughput"} <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_what_it_measures(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
                                    ) -> None:
    assert run(name, "--help", monkeypatch=monkeypatch) == 0
    told = capsys.readouterr().out
    assert "usage:" in told
    assert len(told.split("options:")[0].split()) > 12


@pytest.mark.parametrize("name", COMMANDS)
def test_unknown_options_are_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(name, "--no-such-option", monkeypatch=monkeypatch) == 2


@pytest.mark.parametrize(("name", "arguments", "key"), [
    ("mask_speed", ["--size", "256", "--people", "2", "--frames", "2", "--json"], None),
    ("floor", [str(CLIP), "--frames", "6", "--rounds", "1"], "cpu_ratio"),
    ("memory", ["--frames", "6", "--size", "256", "--json"], "peak_mib"),
])
def test_small_runs_give_figures(name: str, arguments: list[str], key: str | None, monkeypatch: pytest.MonkeyPatch,
                                 capsys: pytest.CaptureFixture[str]) -> None:
    assert run(name, *arguments, monkeypatch=monkeypatch) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures
    if key is not None:
        assert figures[key] > 0


def test_the_wait_of_newcomers_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("latency", "--levels", "high", "--frames", "19", monkeypatch=monkeypatch) == 0
    told = capsys.readouterr().out
    assert told.startswith("high: ")
    assert float(told.split(";")[1].split("%")[0]) > 10  # of the people who stand there from the start


def test_accuracy_without_its_data_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
                                           capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("AIPG_SHARED", str(tmp_path))
    assert run("accuracy", monkeypatch=monkeypatch) == 0
    assert "skipped" in capsys.readouterr().out
