"""A stream's outputs: one that breaks, hangs or cannot be opened is its own trouble, told and tried again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from aipg_plugin.errors import GuardError, SinkError
from aipg_plugin.frames import GuardedFrame, _mint_guarded
from aipg_plugin.media import sinkset
from aipg_plugin.media.info import AudioPacket, StreamInfo
from aipg_plugin.media.sink import sink_plans
from aipg_plugin.media.sinkset import SinkSet, SinkWorker
from aipg_plugin.options import Output, OutputKind
from aipg_plugin.states import State
from tests.media.clips import SIZE_WH, guarded, read_clip
from tests.servers import wait_for

INFO = StreamInfo(size_wh=SIZE_WH, fps=25.0, live=True)


class Scripted:
    """A sink that fails or hangs when it is told to."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        disk.opened += 1
        if disk.broken:
            raise SinkError("cannot write {target}: {why}", target="disk", why="it is broken")

    encoder = "none"
    encoded_size_wh = SIZE_WH
    frames = 0

    def write(self, frame: GuardedFrame) -> None:
        self._disk.hang.wait()
        if self._disk.broken:
            raise SinkError("cannot write {target}: {why}", target="disk", why="it is broken")
        self._disk.written.append(frame.seq)

    def write_audio(self, packet: AudioPacket) -> None:
        self._disk.written.append(packet)

    def problems(self) -> dict[str, str]:
        return {}

    def close(self) -> None:
        self._disk.closed += 1
        if self._disk.broken:
            raise OSError("cannot finish it")


class Disk:
    """What a scripted sink writes to."""

    def __init__(self) -> None:
        self.broken = False
        self.hang = threading.Event()
        self.hang.set()
        self.written: list[object] = []
        self.opened = self.closed = 0


@pytest.fixture
def disk() -> Iterator[Disk]:
    made = Disk()
    yield made
    made.hang.set()


def worker(disk: Disk, told: list[dict[str, str]] | None = None) -> SinkWorker:
    tell = (lambda: told.append(made.problems)) if told is not None else (lambda: None)
    made = SinkWorker("disk", lambda: Scripted(disk), stream="a/1", told=tell, first_retry_s=0.05)
    return made


def frames(first: int, count: int) -> list[GuardedFrame]:
    return [guarded(number % 256, pts_s=number / 25, wall_time_s=1.7e9 + number / 25)
            for number in range(first, first + count)]


def left_clear(frame: GuardedFrame) -> GuardedFrame:
    """The same, as it leaves while the guard is off."""
    return _mint_guarded(**{name: State.OFF if name == "state" else getattr(frame, name)
                            for name in GuardedFrame.__slots__})


def finish(made: SinkWorker) -> None:
    made.stop()
    assert made.join(10)


def test_everything_comes_through_in_order(disk: Disk) -> None:
    made = worker(disk)
    for frame in frames(0, 50):
        made.put(frame)
        made.put(AudioPacket(b"x", frame.pts_s or 0.0, 0.04))
        wait_for(lambda frame=frame: len(disk.written) >= 2 * frame.seq)  # type: ignore[misc]
    finish(made)
    assert [item for item in disk.written if isinstance(item, int)] == list(range(50))
    assert len(disk.written) == 100
    assert (made.stats().written, made.stats().lost, made.stats().failures) == (50, 0, 0)
    assert (disk.opened, disk.closed) == (1, 1)


def test_clear_frames_that_wait_are_dropped_once_the_guard_is_on(disk: Disk) -> None:
    made = worker(disk)
    disk.hang.clear()
    for frame in frames(0, 4):
        made.put(left_clear(frame))
        made.put(AudioPacket(b"x", frame.pts_s or 0.0, 0.04))
    wait_for(lambda: made._busy_since_s is not None)  # the first is in the output's hands
    for frame in frames(4, 3):
        made.put(frame)
    disk.hang.set()
    finish(made)
    assert [item for item in disk.written if isinstance(item, int)] in ([0, 4, 5, 6], [4, 5, 6])
    assert len([item for item in disk.written if isinstance(item, AudioPacket)]) == 4
    assert made.stats().lost in (3, 4)
    assert made._bytes == 0


def test_a_failure_is_told_and_tried_again_with_growing_pauses(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinkset, "_PROVEN_S", 0.0)
    told: list[dict[str, str]] = []
    made = worker(disk, told)
    made.put(frames(0, 1)[0])
    wait_for(lambda: disk.written == [0])
    disk.broken = True
    number = 1
    until_s = time.monotonic() + 1.0
    while time.monotonic() < until_s:
        made.put(frames(number, 1)[0])
        number += 1
        time.sleep(0.005)
    assert 3 <= disk.opened <= 8, "pauses of 25 to 50 ms that double"
    assert told[-1] == {"disk": "cannot write disk: it is broken"}
    assert len(told) == 1, "told once, not at every try"
    disk.broken = False

    def feed() -> bool:
        nonlocal number
        made.put(frames(number, 1)[0])
        number += 1
        return made.problems == {}

    wait_for(feed, 10, "the output's return")
    finish(made)
    assert told[-1] == {}
    assert made.stats().lost > 10
    assert made.stats().written + made.stats().lost == number


def test_a_sink_that_hangs_costs_bounded_memory_and_is_told(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinkset, "_STUCK_S", 0.1)
    told: list[dict[str, str]] = []
    made = worker(disk, told)
    disk.hang.clear()
    for frame in frames(0, 250):
        made.put(frame)
    assert len(made._items) <= sinkset._QUEUE_ITEMS
    wait_for(lambda: (made.put(frames(250, 1)[0]), told)[1], 5, "the word that it hangs")
    assert "nothing could be written" in told[-1]["disk"]
    made.stop()
    assert not made.join(0.1)
    disk.hang.set()
    assert made.join(10)
    assert disk.closed == 1


def test_large_pictures_are_held_by_their_bytes(disk: Disk) -> None:
    made = worker(disk)
    disk.hang.clear()
    for number in range(20):
        made.put(guarded(number, pts_s=number / 25, size_wh=(1920, 1920)))
    assert made._bytes <= sinkset._QUEUE_BYTES
    assert 3 <= len(made._items) <= 7
    disk.hang.set()
    finish(made)


def test_files_go_on_beside_an_output_that_cannot_be_opened(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.mkv", "/proc/none/bad.mkv"
    told: list[dict[str, str]] = []
    outputs = tuple(Output(OutputKind.FILE, str(target), preset="ultrafast") for target in (bad, good))
    before = threading.active_count()
    sinks = SinkSet(outputs, INFO, name="a/1", told=lambda problems: told.append(dict(problems)), first_retry_s=0.02)
    for frame in frames(0, 60):
        sinks.write(frame)
        time.sleep(0.01)
    wait_for(lambda: sinks.stats()[f"file {good}"].written == 60)
    assert list(sinks.problems()) == [f"file {bad}"]
    assert bad in told[-1][f"file {bad}"]
    assert sinks.stats()[f"file {bad}"].failures > 2
    sinks.close()
    assert threading.active_count() <= before
    assert read_clip(good)[0] == list(range(60))


def test_sinks_take_guarded_frames_only() -> None:
    sinks = SinkSet((), INFO, name="a/1")
    with pytest.raises(GuardError, match="guarded frames only"):
        sinks.write("clear")  # type: ignore[arg-type]
    sinks.write(frames(0, 1)[0])
    sinks.close()
    sinks.close()


def test_which_outputs_share_a_sink() -> None:
    http, rtsp = Output(OutputKind.HTTP), Output(OutputKind.RTSP_SERVE)
    push = Output(OutputKind.RTSP_PUBLISH, "rtsp://me:secret@127.0.0.1:8554/a")
    small = replace(http, crf=30)
    one, two = Output(OutputKind.FILE, "a.mp4"), Output(OutputKind.SEGMENTS, "b")
    assert sink_plans(()) == []
    assert [plan.outputs for plan in sink_plans((http, one, rtsp, small, two, push))] == [
        (one,), (two,), (http, rtsp, push), (small,)]
    assert [plan.label for plan in sink_plans((http, one, push))] == ["file a.mp4",
                                                                      "http, rtsp_publish rtsp://***@127.0.0.1:8554/a"]
