"""Guards in processes of their own: what they give, what becomes of frames when they die, hang or are closed."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.detection.onnx import load_model
from aipg_plugin.errors import GuardError
from aipg_plugin.frames import Frame, GuardedFrame, PixelFormat
from aipg_plugin.guard import processes, remote
from aipg_plugin.guard.assembly import make_guard
from aipg_plugin.guard.held import StreamFrames
from aipg_plugin.guard.remote import GuardProcesses, RemoteGuard
from aipg_plugin.guard.slots import SharedMemory, SharedPool, SharedViews
from aipg_plugin.options import Camera, CustomModel, Models, Source, Stream
from aipg_plugin.states import FULL_MOSAIC, State
from tests.detection.nets import red_net
from tests.detection.painting import picture_of
from tests.guard import scenes
from tests.servers import wait_for

BOXES = np.array([[320.0, 100.0, 40.0, 72.0, 0.0], [540.0, 320.0, 40.0, 72.0, 90.0]])


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """The red net, as somebody's own model: it finds nobody in grey rooms."""
    path = red_net(tmp_path_factory.mktemp("net") / "red.onnx", layout="yolox", side=416)
    return Models(custom=CustomModel(str(path), classes=1), threads=1)


@pytest.fixture
def made(models: Models) -> Iterator[Callable[[Camera], RemoteGuard]]:
    """Makes guards in one process."""
    apart = GuardProcesses(models, 1, 1, 2)
    net, guards = load_model(models), list[RemoteGuard]()

    def make(camera: Camera) -> RemoteGuard:
        guards.append(apart.guard(camera, lambda settings: make_guard(settings, net, live=True)))
        return guards[-1]

    yield make
    for guard in guards:
        guard.close()
    apart.close()


@pytest.fixture
def guard(made: Callable[[Camera], RemoteGuard]) -> RemoteGuard:
    return made(scenes.camera())


def shown(index: int, **options: object) -> Frame:
    """A frame of now."""
    return scenes.frame(index, wall_time_s=time.time(), pts_s=index / scenes.FPS, **options)  # type: ignore[arg-type]


def children() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if "guard.worker" in " ".join(one.cmdline())]


def fed(guard: RemoteGuard, start: int, count: int, **options: object) -> list[GuardedFrame]:
    """What comes out of so many frames."""
    return [out for index in range(start, start + count) for out in guard.process(shown(index, **options))]


def is_blank(guarded: GuardedFrame) -> bool:
    return guarded.state is State.FAILSAFE and all(len(np.unique(plane)) == 1 for plane in guarded.planes)


@pytest.mark.parametrize("pixel_format", PixelFormat)
@pytest.mark.parametrize("size_wh", [(320, 320), (321, 361)])
def test_frames_pass_as_they_are_while_the_guard_is_off(made: Callable[[Camera], RemoteGuard],
                                                        pixel_format: PixelFormat, size_wh: tuple[int, int]) -> None:
    guard = made(scenes.camera(enabled=False, lookahead_s=0.0))
    frames = [shown(index, pixel_format=pixel_format, size_wh=size_wh) for index in range(3)]
    for frame in frames:
        (out,) = guard.process(frame)
        assert (out.seq, out.pts_s, out.wall_time_s, out.state) == (frame.seq, frame.pts_s, frame.wall_time_s,
                                                                    State.OFF)
        for plane, original in zip(out.planes, frame.planes, strict=True):
            np.testing.assert_array_equal(plane, original)
            assert not plane.flags.writeable
    assert len(children()) == 1


def test_frames_are_masked_and_come_in_order(guard: RemoteGuard) -> None:
    looks: list[float] = []
    guard.on_look = lambda t_s, tracks: looks.append(t_s)
    out, index = list[GuardedFrame](), 0
    while index < 20 or (not (looks and guard.picture_wh) and index < 600):
        out += guard.process(shown(index))
        index += 1
        time.sleep(0.02)
    out += guard.flush("1")
    assert [one.seq for one in out] == list(range(index))
    assert all(one.state is not State.OFF for one in out)
    assert looks
    assert guard.picture_wh is not None
    assert guard.shown("1").size_wh == scenes.SIZE_WH  # type: ignore[union-attr]
    assert guard.stats()["1"].frames_in == index
    still = guard.lost("1", "gone")
    assert still is not None
    assert still.state is State.LOST


def test_people_are_masked_where_their_frames_lie(made: Callable[[Camera], RemoteGuard]) -> None:
    guard = made(scenes.camera())
    y, x = np.mgrid[:640, :640] - 319.5
    noise = np.random.default_rng(1)
    room = np.kron(noise.integers(0, 60, (40, 40, 1)), np.ones((16, 16, 1), int))  # or the lens would count as covered
    people = picture_of((640, 640), BOXES)
    painted = np.where((people == people[0, 0]).all(2, keepdims=True), people // 2 + room, people)
    painted = painted * (np.hypot(x, y) < 318)[..., None]  # black beyond the image circle
    out, index = list[GuardedFrame](), 0
    while not (out and out[-1].state in (State.GUARDING, State.DEGRADED)) and index < 600:
        picture = np.asarray(painted + noise.integers(0, 3, painted.shape).clip(0, 255 - painted), np.uint8)
        now_s = time.time()
        out += guard.process(Frame("1", index, index / scenes.FPS, now_s, PixelFormat.BGR24, (640, 640), (picture,)))
        index += 1
        time.sleep(0.02)
    (masked,) = out[-1].planes
    assert guard.stats()["1"].people >= len(BOXES)
    for column, row, *_ in BOXES.astype(int):
        assert abs(masked[row, column].astype(int) - painted[row, column]).max() > 3
    assert abs(masked[600, 320].astype(int) - painted[600, 320]).max() < 3, out[-1].reason


def test_what_is_handed_out_stays_as_it_is(made: Callable[[Camera], RemoteGuard]) -> None:
    guard = made(scenes.camera(enabled=False, lookahead_s=0.0))
    kept = fed(guard, 0, 5)
    copies = [[np.array(plane) for plane in one.planes] for one in kept]
    fed(guard, 5, 40)
    for one, copy in zip(kept, copies, strict=True):
        for plane, before in zip(one.planes, copy, strict=True):
            np.testing.assert_array_equal(plane, before)


def test_what_a_killed_process_held_leaves_as_blanks(guard: RemoteGuard) -> None:
    before = fed(guard, 0, 4)
    (first,) = children()
    first.kill()
    first.wait(5)
    after = guard.process(shown(4))
    assert [one.seq for one in before + after] == list(range(5))
    assert after
    assert all(map(is_blank, after))
    out = fed(guard, 5, 10) + guard.flush("1")
    assert [one.seq for one in out] == list(range(5, 15))
    assert not any(one.state is State.OFF for one in out)
    assert max(scenes.clear_share(one, scenes.frame(one.seq)) for one in out) < 0.02  # it starts anew
    (second,) = children()
    assert second.pid != first.pid


def test_frames_of_the_other_stream_leave_as_blanks_too(made: Callable[[Camera], RemoteGuard]) -> None:
    camera = scenes.camera(target_streams=("1", "2"))
    guard = made(replace(camera, streams=(*camera.streams, Stream("2", Source("none")))))
    assert not [*fed(guard, 0, 3), *fed(guard, 0, 3, stream="2")]
    children()[0].kill()
    assert [one.seq for one in guard.process(shown(3))] == list(range(4))
    others = guard.flush("2")
    assert [(one.stream, one.seq) for one in others] == [("2", index) for index in range(3)]
    assert all(map(is_blank, others))


def test_a_process_that_hangs_is_ended(guard: RemoteGuard, monkeypatch: pytest.MonkeyPatch) -> None:
    fed(guard, 0, 2)
    (hung,) = children()
    hung.suspend()
    monkeypatch.setattr(remote, "_ANSWERS_S", 0.2)
    assert all(map(is_blank, guard.process(shown(2))))
    assert not hung.is_running()
    monkeypatch.undo()
    fed(guard, 3, 2)
    assert len(children()) == 1


def test_an_answer_that_was_not_taken_is_not_the_next_ones(made: Callable[[Camera], RemoteGuard],
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    guard = made(scenes.camera(enabled=False, lookahead_s=0.0))
    fed(guard, 0, 1)

    def out_of_memory(_connection: object) -> None:
        raise MemoryError

    monkeypatch.setattr(remote.Connection, "recv", out_of_memory)
    (lost,) = guard.process(shown(1))
    monkeypatch.undo()
    assert is_blank(lost)
    (out,) = guard.process(shown(2))
    assert out.seq == 2
    np.testing.assert_array_equal(out.planes[0], shown(2).planes[0])


@pytest.mark.parametrize("wrong", [{"seq": 7}, {"place": -1}])
def test_a_frame_that_is_not_the_one_put_there_leaves_as_a_blank(made: Callable[[Camera], RemoteGuard],
                                                                 monkeypatch: pytest.MonkeyPatch,
                                                                 wrong: dict[str, int]) -> None:
    """What lies at a place may be another frame by now, under the masks of the first."""
    guard = made(scenes.camera(enabled=False, lookahead_s=0.0))
    fed(guard, 0, 2)
    (process,) = children()
    ask = guard._ask

    def mixed_up(*message: object) -> object:
        left = ask(*message)
        return [one._replace(**wrong) for one in left] if message[0] == "process" else left

    monkeypatch.setattr(guard, "_ask", mixed_up)
    (lost,) = guard.process(shown(2))
    assert (lost.seq, is_blank(lost)) == (2, True)
    monkeypatch.undo()
    assert not process.is_running()  # nobody knows what it holds
    (out,) = guard.process(shown(3))
    np.testing.assert_array_equal(out.planes[0], shown(3).planes[0])


def taken(lock: threading.RLock) -> bool:  # type: ignore[valid-type]
    """Whether another thread has a lock."""
    free = lock.acquire(blocking=False)  # type: ignore[attr-defined]
    if free:
        lock.release()  # type: ignore[attr-defined]
    return not free


@pytest.mark.parametrize("step", ["process", "flush"])
def test_a_guard_that_is_switched_on_while_the_process_is_at_it_lets_nothing_clear_out(
        made: Callable[[Camera], RemoteGuard], step: str) -> None:
    off, on = scenes.camera(enabled=False, lookahead_s=10.0), scenes.camera(lookahead_s=10.0)
    guard = made(off)
    fed(guard, 0, 2)
    (process,) = children()
    process.suspend()
    out = list[GuardedFrame]()

    def asked() -> None:
        out.extend(guard.process(shown(2)) if step == "process" else guard.flush("1"))

    threads = [threading.Thread(target=asked, daemon=True),
               threading.Thread(target=guard.configure, args=(on,), daemon=True)]
    threads[0].start()
    wait_for(lambda: taken(guard._lock), what="the process is asked")
    threads[1].start()
    wait_for(lambda: guard.camera is on)
    process.resume()
    for thread in threads:
        thread.join(20)
    assert not any(one.clear for one in out)


def test_a_frame_without_memory_leaves_as_a_blank(guard: RemoteGuard, monkeypatch: pytest.MonkeyPatch) -> None:
    fed(guard, 0, 1)

    def full(_size: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(guard._memory, "make", full)
    out = [one for index in range(1, 40) for one in guard.process(shown(index))]
    assert [one.seq for one in out if is_blank(one)]
    monkeypatch.undo()
    assert not any(one.clear for one in out)


def test_cameras_are_guarded_here_when_processes_die_again_and_again(guard: RemoteGuard) -> None:
    index = 0
    for _ in range(processes._MOST_DEATHS):
        fed(guard, index, 2)
        children()[0].kill()
        guard.process(shown(index + 2))
        index += 3
    out = fed(guard, index, 8) + guard.flush("1")
    assert [one.seq for one in out] == list(range(index, index + 8))
    assert all(one.state in FULL_MOSAIC for one in out[:3])
    assert not children()


def test_a_process_that_cannot_be_started(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    apart, net = GuardProcesses(models, 1, 1, 2), load_model(models)
    guard = apart.guard(scenes.camera(), lambda settings: make_guard(settings, net, live=True))
    open_before = psutil.Process().num_fds()
    for index in range(processes._MOST_DEATHS):
        (out,) = guard.process(shown(index))
        assert is_blank(out)
        assert out.seq == index
    assert psutil.Process().num_fds() == open_before  # it is tried again every minute
    assert not any(map(is_blank, fed(guard, 5, 8) + guard.flush("1")))
    guard.close()
    apart.close()


def test_what_fails_in_the_process_ends_nobody_elses_guard(made: Callable[[Camera], RemoteGuard],
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = made(scenes.camera()), made(scenes.camera(enabled=False, lookahead_s=0.0))
    fed(one, 0, 2)
    fed(other, 0, 1)
    (process,) = children()
    monkeypatch.setattr(StreamFrames, "hold", lambda _self, frame: SimpleNamespace(frame=frame, place=-4096))
    assert all(map(is_blank, one.process(shown(2))))
    monkeypatch.undo()
    (out,) = other.process(shown(1))
    np.testing.assert_array_equal(out.planes[0], shown(1).planes[0])
    assert children() == [process]
    assert [each.seq for each in fed(one, 3, 8) + one.flush("1")] == list(range(3, 11))


def test_streams_that_are_not_the_cameras(guard: RemoteGuard) -> None:
    for step in (lambda: guard.process(shown(0, stream="9")), lambda: guard.flush("9"), lambda: guard.begin("9"),
                 lambda: guard.shown("9"), lambda: guard.lost("9")):
        with pytest.raises(GuardError, match="not a stream"):
            step()
    guard.begin("1")
    assert guard.flush("1") == []
    assert guard.lost("1") is None
    assert guard.stats() == {}


def test_new_settings_count_from_the_next_frame_on(made: Callable[[Camera], RemoteGuard]) -> None:
    guard = made(scenes.camera(enabled=False, lookahead_s=0.0))
    assert [one.state for one in fed(guard, 0, 2)] == [State.OFF] * 2
    guard.configure(scenes.camera(lookahead_s=0.0))
    out = fed(guard, 2, 3)
    assert [one.seq for one in out] == [2, 3, 4]
    assert all(one.state in FULL_MOSAIC for one in out)
    assert max(scenes.clear_share(one, scenes.frame(one.seq)) for one in out) < 0.02
    children()[0].kill()
    fed(guard, 5, 1)
    assert all(one.state in FULL_MOSAIC for one in fed(guard, 6, 2)), "a process that starts anew has the new settings"


def test_a_frame_that_was_clear_when_the_guard_was_switched_on_meanwhile(made: Callable[[Camera], RemoteGuard],
                                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    guard = made(scenes.camera(enabled=False, lookahead_s=0.0))
    fed(guard, 0, 1)
    released = guard._released

    def switched_on(*arguments: object) -> list[GuardedFrame]:
        out = released(*arguments)  # type: ignore[arg-type]
        threading.Thread(target=guard.configure, args=(scenes.camera(),), daemon=True).start()
        wait_for(lambda: guard.camera.privacy_guard.enabled or time.sleep(0.1) or True, what="the other thread asks")
        return out

    monkeypatch.setattr(guard, "_released", switched_on)
    monkeypatch.setattr(guard, "_lock", _NoLock())  # as if it came between the answer and what becomes of it
    assert guard.process(shown(1)) == []


class _NoLock:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def test_a_camera_that_is_closed_gives_blanks_and_no_memory_is_left(made: Callable[[Camera], RemoteGuard]) -> None:
    guard = made(scenes.camera(enabled=False))
    fed(guard, 0, 3)
    guard.close()
    (out,) = guard.process(shown(3))
    assert is_blank(out)
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(guard._memory.fd)


def test_what_lies_in_the_folder_it_is_started_in_is_not_run(guard: RemoteGuard, tmp_path: Path,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('a stranger')")
    monkeypatch.chdir(tmp_path)
    assert not any(map(is_blank, fed(guard, 0, 6)))
    assert children()


def test_signals_to_all_and_core_files(guard: RemoteGuard) -> None:
    fed(guard, 0, 2)
    (process,) = children()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        process.send_signal(number)
    assert not any(map(is_blank, fed(guard, 2, 6)))
    assert process.is_running()
    assert process.rlimit(psutil.RLIMIT_CORE)[0] <= 1  # of 0, cores would still be piped to a crash reporter


def test_log_records_get_here(guard: RemoteGuard, monkeypatch: pytest.MonkeyPatch,
                              caplog: pytest.LogCaptureFixture) -> None:
    fed(guard, 0, 1)
    monkeypatch.setattr(StreamFrames, "hold", lambda _self, frame: SimpleNamespace(frame=frame, place=-4096))
    guard.process(shown(1))
    wait_for(lambda: "a guard process failed at process" in caplog.text, what="the record")


def test_it_ends_with_the_process_that_started_it(models: Models, tmp_path: Path) -> None:
    program = tmp_path / "main.py"
    program.write_text(
        "import os, psutil\n"
        "from tests.guard.test_remote import GuardProcesses, scenes, shown\n"
        "from aipg_plugin.options import CustomModel, Models\n"
        f"models = Models(custom=CustomModel({models.custom and models.custom.file!r}, classes=1), threads=1)\n"
        "guard = GuardProcesses(models, 1, 1, 2).guard(scenes.camera(), lambda camera: None)\n"
        "guard.process(shown(0))\n"
        "print(psutil.Process().children()[0].pid, flush=True)\n"
        "os._exit(1)\n")
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=False, cwd=root,
                          env={**os.environ, "PYTHONPATH": str(root)})
    assert done.returncode == 1, done.stderr
    pid = int(done.stdout)
    wait_for(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE,
             what="the guard process ends")


@given(sizes=st.lists(st.integers(1, 20_000), min_size=1, max_size=20), kept=st.integers(0, 2**20))
def test_buffers_never_overlap_and_both_sides_see_the_same(sizes: list[int], kept: int) -> None:
    memory = SharedMemory()
    views = SharedViews(memory.fd)
    held: dict[int, np.ndarray] = {}
    for number, size in enumerate(sizes):
        buffer = memory.make(size)
        buffer[:] = number % 251
        held[number] = buffer
        view = views.view(memory.place_of(buffer), size)
        assert views.place_of(view) == memory.place_of(buffer)
        assert (view == number % 251).all()
        if not kept >> number & 1:
            del held[number], buffer
    assert all((buffer == number % 251).all() for number, buffer in held.items())
    memory.close()


def test_memory_that_nobody_refers_to_goes_back_to_the_system() -> None:
    memory = SharedMemory()
    pool = SharedPool(memory, PixelFormat.I420, (640, 640))
    planes = scenes.frame(0, size_wh=(640, 640)).planes
    copies = [pool.copy(planes) for _ in range(10)]
    taken = os.fstat(memory.fd).st_blocks
    assert taken * 512 > 10 * 640 * 640
    del copies
    for _ in range(300):
        pool.copy(planes)
    gc.collect()
    assert os.fstat(memory.fd).st_blocks < taken / 3
    memory.close()
