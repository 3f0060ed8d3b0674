"""The folder beside the targets: what is done is known after a crash, and one run at a time works on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from aipg_plugin.errors import UsageError
from aipg_plugin.fleet.archive import STORE, Store, Task
from aipg_plugin.hosts.offline import Report


def task_in(folder: Path) -> Task:
    source = folder / "in.mp4"
    source.write_bytes(b"clear")
    return Task(source, folder / "out" / "deep" / "in.mp4")


def publish(store: Store, task: Task) -> None:
    attempt = store.attempt(task)
    attempt.write_bytes(b"guarded")
    assert not task.target.exists()
    store.publish(task, attempt, Report(str(task.source), str(attempt), frames_in=3))


def test_what_was_done_is_done_until_something_changes(tmp_path: Path) -> None:
    task, out = task_in(tmp_path), tmp_path / "out"
    with Store(out, {"method": "blurring"}).held() as store:
        assert store.done_before(task) is None
        publish(store, task)
    assert task.target.read_bytes() == b"guarded"
    with (out / STORE / "done.jsonl").open("a") as journal:
        journal.write('{"source": "cut off by a cra')
    with Store(out, {"method": "blurring"}).held() as store:
        report = store.done_before(task)
        assert report is not None
        assert (report.target, report.frames_in) == (str(task.target), 3)
    with Store(out, {"method": "filling"}).held() as store:
        assert store.done_before(task) is None, "other options"
    with Store(out, {"method": "blurring"}).held() as store:
        task.source.write_bytes(b"another")
        assert store.done_before(task) is None, "another source"
    task.target.unlink()
    with Store(out, {"method": "blurring"}).held() as store:
        assert store.done_before(task) is None, "no target"


def test_one_run_at_a_time_and_no_leftovers(tmp_path: Path) -> None:
    task, out = task_in(tmp_path), tmp_path / "out"
    with Store(out, {}).held() as store:
        store.attempt(task).write_bytes(b"half")
        with pytest.raises(UsageError, match="another run"), Store(out, {}).held():
            pass
    assert [path.name for path in sorted((out / STORE).iterdir())] == ["lock"]
