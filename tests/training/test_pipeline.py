"""The one command: what is there is not made again, and all kinds of scenes are there early."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from training.pipeline import CHUNK, TRAINING_SETS, Pipeline, chunks


class Recorded(Pipeline):
    """Notes commands and makes the file that the last argument names."""

    def __init__(self, work: Path) -> None:
        super().__init__(work, work / "data", idle=False)
        self.commands: list[tuple[str, ...]] = []

    def run(self, *command: str) -> None:
        self.commands.append(command)
        if command[0] == "training.train":
            run = Path(command[command.index("--run") + 1])
            run.mkdir(parents=True, exist_ok=True)
            (run / "last.pt").touch()


def test_every_set_has_scenes_after_the_first_turn_and_all_in_the_end() -> None:
    turns = chunks(TRAINING_SETS)
    assert [s.name for s, _ in turns[: len(TRAINING_SETS)]] == [s.name for s in TRAINING_SETS]
    assert {count for _, count in turns[: len(TRAINING_SETS)]} == {CHUNK}
    last = {s.name: count for s, count in turns}
    assert last == {s.name: s.count for s in TRAINING_SETS}


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    pipeline = Recorded(tmp_path)
    (tmp_path / "there").touch()
    pipeline.made(tmp_path / "there", "rendering", "props")
    pipeline.made(tmp_path / "new", "rendering", "bodies")
    assert pipeline.commands == [("rendering", "bodies")]


def test_a_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    pipeline, run = Recorded(tmp_path), tmp_path / "runs" / "a"
    run.mkdir(parents=True)
    (run / "last.pt").touch()
    pipeline.train(run, "rtmdet_nano", 100)
    assert "--resume" in pipeline.commands[0]
    pipeline.train(run, "rtmdet_nano", 100)
    assert len(pipeline.commands) == 1


def test_what_was_started_ends_with_the_pipeline(tmp_path: Path) -> None:
    class Interrupted(Pipeline):
        def start(self, *_command: str, alone: bool = False) -> Any:
            self.process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
            wait, calls = self.process.wait, iter((True, False))

            def first_interrupted(timeout: float | None = None) -> int:
                if next(calls):
                    raise KeyboardInterrupt
                return wait(timeout)

            self.process.wait = first_interrupted  # type: ignore[method-assign]
            return self.process

    pipeline = Interrupted(tmp_path, tmp_path, idle=False)
    with pytest.raises(KeyboardInterrupt):
        pipeline.run("rendering", "scenes")
    assert pipeline.process.poll() is not None


def test_a_failing_step_stops_the_pipeline(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="rendering"):
        Pipeline(tmp_path, tmp_path, idle=False).run("rendering", "no-such-command")
