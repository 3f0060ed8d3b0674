"""Recordings on a real disk: never overwritten, private, whole after a crash; a full disk is one output's trouble."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from aipg_plugin.errors import SinkError
from aipg_plugin.media.info import StreamInfo
from aipg_plugin.media.recorder import SegmentRecorder, segment_template
from aipg_plugin.media.sink import open_sink
from aipg_plugin.media.sinkset import SinkSet
from aipg_plugin.media.storage import Archive, Recording, at_time, disk_of
from aipg_plugin.options import Output, OutputKind
from tests import needs
from tests.media.clips import SIZE_WH, guarded, read_clip
from tests.servers import wait_for

INFO = StreamInfo(size_wh=SIZE_WH, fps=25.0, live=True)
START_S = datetime(2026, 3, 4, 5, 6, 7, 250_000, UTC).timestamp()


def output(kind: OutputKind, target: Path | str, **changes: object) -> Output:
    return replace(Output(kind, str(target), preset="ultrafast", segment_s=1.0, gop_s=1.0),
                   **changes)  # type: ignore[arg-type]


def record(to: Output, count: int, first: int = 0) -> None:
    sink = open_sink(to, INFO, name="a/1")
    for number in range(first, first + count):
        sink.write(guarded(number % 256, pts_s=number / 25, wall_time_s=START_S + number / 25))
    sink.close()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB of its own."""
    place = tmp_path / "small"
    place.mkdir()
    mount = needs.need("mount")
    done = subprocess.run([mount, "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        pytest.skip(f"needs the right to mount a tmpfs: {done.stderr.strip()}")
    yield place
    subprocess.run([needs.need("umount"), "-l", str(place)], check=True)


def test_directives_stand_for_the_time_and_all_else_stays() -> None:
    assert at_time("a/%Y-%m-%d/%H%M%S.%L %j 100% %% %x.mp4", START_S) == "a/2026-03-04/050607.250 063 100% %% %x.mp4"
    assert segment_template(Path("/rec")) == "/rec/%Y%m%dT%H%M%S.%LZ.mkv"
    assert segment_template(Path("/rec/*.mp4")) == "/rec/%Y%m%dT%H%M%S.%LZ.mp4"
    assert segment_template(Path("/rec/%Y/%H-%M-%S.mp4")) == "/rec/%Y/%H-%M-%S.mp4"
    assert segment_template(Path("/rec/%Y-%m-%d")) == "/rec/%Y-%m-%d/%Y%m%dT%H%M%S.%LZ.mkv"
    assert Archive("/rec/%Y/%H.mp4").root == Path("/rec")
    assert Archive("/rec/x/%H.mp4").root == Path("/rec/x")


def test_a_recording_never_takes_the_place_of_another(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    for first in (0, 10, 20):
        record(output(OutputKind.FILE, target), 10, first)
    assert [read_clip(tmp_path / name)[0] for name in ("out.mp4", "out-1.mp4", "out-2.mp4")] == [
        list(range(first, first + 10)) for first in (0, 10, 20)]


def test_segments_of_two_runs_stand_side_by_side(tmp_path: Path) -> None:
    for _ in range(2):
        record(output(OutputKind.SEGMENTS, tmp_path / "%Y-%m-%d" / "%H%M%S.mp4"), 40)
    day = tmp_path / "2026-03-04"
    assert sorted(path.name for path in day.iterdir()) == ["050607-1.mp4", "050607.mp4", "050608-1.mp4", "050608.mp4"]
    assert len(read_clip(day / "050607.mp4")[0]) == len(read_clip(day / "050607-1.mp4")[0]) == 25


def test_files_are_named_by_time(tmp_path: Path) -> None:
    record(output(OutputKind.FILE, tmp_path / "%Y" / "lobby-%m.mp4"), 3)
    now = datetime.now(UTC)
    assert (tmp_path / f"{now:%Y}" / f"lobby-{now:%m}.mp4").is_file()


@pytest.mark.parametrize(("setting", "file", "folder"), [("0600", 0o600, 0o700), ("0640", 0o640, 0o750),
                                                         ("0644", 0o644, 0o755)])
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_recordings_are_as_private_as_set(tmp_path: Path, setting: str, file: int, folder: int, umask: int) -> None:
    before = os.umask(umask)
    try:
        record(output(OutputKind.FILE, tmp_path / "a" / "b" / "out.mp4", recording_mode=setting), 3)
        record(output(OutputKind.SEGMENTS, tmp_path / "c" / "seg", recording_mode=setting), 30)
    finally:
        os.umask(before)
    assert mode(tmp_path / "a" / "b" / "out.mp4") == file
    assert {mode(path) for path in (tmp_path / "c" / "seg").iterdir()} == {file}
    assert {mode(tmp_path / name) for name in ("a", "a/b", "c", "c/seg")} == {folder}
    assert mode(tmp_path) == 0o700, "a folder that was there keeps its own"


def test_a_recording_without_a_picture_leaves_nothing(tmp_path: Path) -> None:
    for kind, name in ((OutputKind.FILE, "out.mp4"), (OutputKind.FILE, "out.mkv"), (OutputKind.SEGMENTS, "seg")):
        record(output(kind, tmp_path / name), 0)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("name", ["seg", "*.mp4"])
def test_what_a_crash_left_is_finished_or_removed(tmp_path: Path, name: str) -> None:
    script = textwrap.dedent(f"""
        import os, signal
        from tests.media.test_storage import *
        sink = open_sink(output(OutputKind.SEGMENTS, {str(tmp_path / name)!r}, segment_s=60.0), INFO, name="a/1")
        for number in range(150):
            sink.write(guarded(number, pts_s=number / 25, wall_time_s=START_S + number / 25))
        os.kill(os.getpid(), signal.SIGKILL)
        """)
    ended = subprocess.run([sys.executable, "-c", script], cwd=needs.CHECKOUT, check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    (left,) = tmp_path.rglob("*.part.*")
    empty = left.with_name("20260304T040000.000Z.part" + left.suffix)
    empty.write_bytes(b"")
    broken = left.with_name("20260304T040001.000Z.part" + left.suffix)
    broken.write_bytes(b"\x1aE\xdf\xa3 no film")
    foreign = left.with_name("holiday.part" + left.suffix)
    foreign.write_bytes(b"not ours")
    SegmentRecorder(output(OutputKind.SEGMENTS, tmp_path / name), INFO).close()
    lasting = left.with_name(left.name.replace(".part", ""))
    assert sorted(left.parent.iterdir()) == sorted([lasting, foreign])
    numbers, _ = read_clip(lasting, cut_off=True)
    assert len(numbers) >= 75
    assert numbers == list(range(len(numbers)))


def test_a_segment_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    to = output(OutputKind.SEGMENTS, tmp_path / "seg", segment_s=60.0)
    one = open_sink(to, INFO, name="a/1")
    one.write(guarded(0, pts_s=0.0, wall_time_s=START_S))
    (part,) = (tmp_path / "seg").iterdir()
    open_sink(to, INFO, name="a/1").close()
    code = "from tests.media.test_storage import *\nArchive(segment_template(Path(sys.argv[1]))).recover()"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "seg")], cwd=needs.CHECKOUT, check=True, timeout=60)
    assert part.exists()
    one.close()
    assert read_clip(part.with_name(part.name.replace(".part", "")))[0] == [0]


def old_segments(folder: Path, days: list[float], size: int = 1000) -> list[Path]:
    """Finished recordings of so many days ago, and a file that is none of ours."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for number, age in enumerate(days):
        path = folder / f"2026030{number}T000000.000Z.mkv"
        path.write_bytes(bytes(size))
        os.utime(path, (time.time() - age * 86_400,) * 2)
        made.append(path)
    foreign = folder / "holiday.mkv"
    foreign.write_bytes(bytes(size))
    os.utime(foreign, (1, 1))
    return [*made, foreign]


def test_old_segments_are_deleted_by_age_and_no_other_files(tmp_path: Path) -> None:
    files = old_segments(tmp_path / "seg", [9.0, 5.0, 1.0])
    record(output(OutputKind.SEGMENTS, tmp_path / "seg"), 3)
    assert all(path.exists() for path in files), "kept unless asked for"
    record(output(OutputKind.SEGMENTS, tmp_path / "seg", keep_days=4.0), 3)
    assert [path.exists() for path in files] == [False, False, True, True]


def test_the_oldest_go_while_the_disk_is_too_full(small_disk: Path) -> None:
    files = old_segments(small_disk / "seg", [9.0, 5.0, 1.0], size=1_900_000)
    sink = open_sink(output(OutputKind.SEGMENTS, small_disk / "seg", min_free_gb=0.003), INFO, name="a/1")
    assert [path.exists() for path in files] == [False, False, True, True]
    assert sink.problems() == {}
    sink.close()
    sink = open_sink(output(OutputKind.SEGMENTS, small_disk / "seg", min_free_gb=0.1), INFO, name="a/1")
    assert [path.exists() for path in files] == [False, False, False, True]
    (problem,) = sink.problems().values()
    assert str(small_disk) in problem
    assert "no old recording is left" in problem
    sink.close()


def test_folders_that_become_empty_go_too(tmp_path: Path) -> None:
    archive = Archive(str(tmp_path / "rec" / "%Y" / "%m" / "%H%M%S.mkv"))
    old = tmp_path / "rec" / "2025" / "01" / "000000.mkv"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"x")
    os.utime(old, (1, 1))
    assert archive.clean(keep_days=1.0, min_free_gb=0.0) == ""
    assert list(tmp_path.rglob("*")) == [tmp_path / "rec"]


def test_a_full_disk_is_named(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(bytes(shutil.disk_usage(small_disk).free - 100_000))
    assert disk_of(small_disk / "not" / "there") == small_disk
    with pytest.raises(SinkError) as caught:
        Recording(small_disk / "new" / "out.mp4", 0o600, part=False)
    text = str(caught.value)
    assert "No space left on device" in text
    assert f"the disk at {small_disk} has 0.1 MB of 8.4 MB free" in text
    assert not list(small_disk.rglob("*.mp4"))


@pytest.mark.parametrize("kind", [OutputKind.FILE, OutputKind.SEGMENTS])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_disk_that_fills_up_costs_one_output_and_nothing_else(small_disk: Path, tmp_path: Path, kind: OutputKind,
                                                                suffix: str) -> None:
    """The other recording is whole, memory and threads stay, what was written plays, and it goes on when there is room.
    """
    healthy = tmp_path / "healthy.mkv"
    target = small_disk / ("out" + suffix if kind is OutputKind.FILE else "*" + suffix)
    outputs = (output(kind, target, crf=0, segment_s=20.0, gop_s=0.4), output(OutputKind.FILE, healthy))
    noisy_wh = (320, 240)
    sinks = SinkSet(outputs, replace(INFO, size_wh=noisy_wh), name="a/1", first_retry_s=0.02)
    number = 0

    def feed() -> None:
        nonlocal number
        sinks.write(guarded(number % 256, pts_s=number / 25, wall_time_s=START_S + number / 25, size_wh=noisy_wh,
                            noise=True))
        number += 1
        time.sleep(0.01)

    def full() -> bool:
        feed()
        return bool(sinks.problems())

    wait_for(full, 60, "the disk being full")
    assert str(small_disk) in sinks.problems()[outputs[0].label]
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(max(0, shutil.disk_usage(small_disk).free - 1_000_000)))
    gc.collect()
    threads, memory = threading.active_count(), psutil.Process().memory_info().rss
    until_failures = sinks.stats()[outputs[0].label].failures + 6
    wait_for(lambda: (feed(), sinks.stats()[outputs[0].label].failures >= until_failures)[1], 60, "more tries")
    assert threading.active_count() <= threads
    assert psutil.Process().memory_info().rss - memory < 20_000_000
    written = [path for path in small_disk.iterdir() if path != ballast]
    assert all(len(read_clip(path, cut_off=True)[0]) > 0 for path in written), "no junk is left"
    before = sum(path.stat().st_size for path in written)
    for path in (*written, ballast):
        path.unlink()
    assert before > 1_000_000
    wait_for(lambda: (feed(), [path for path in small_disk.iterdir() if path.stat().st_size > 50_000])[1], 30,
             "recording again")
    sinks.close()
    assert sinks.stats()[outputs[1].label].lost == 0
    assert len(read_clip(healthy)[0]) == number
    assert all(len(read_clip(path)[0]) > 5 for path in small_disk.iterdir())


def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_bytes(b"")
    with pytest.raises(SinkError, match=r"Not a directory|File exists"):
        open_sink(output(OutputKind.SEGMENTS, in_the_way / "seg"), INFO, name="a/1").write(guarded(0, pts_s=0.0))
