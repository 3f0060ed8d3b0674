"""Detectors in processes of their own: what they find, what becomes of them when they die, hang or are closed."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from aipg_plugin.detection import remote
from aipg_plugin.detection.looker import NICE
from aipg_plugin.detection.onnx import load_model
from aipg_plugin.detection.remote import DetectorProcesses, RemoteDetector
from aipg_plugin.detection.tiles import PLANS
from aipg_plugin.errors import DetectionError
from aipg_plugin.geometry import FisheyeCamera, ImageCircle, LensLaw, Mount, make_projection
from aipg_plugin.options import CaptureMode, CustomModel, LensModelName, Models, MountKind
from tests.detection.nets import ONE_RING, red_net
from tests.detection.painting import picture_of
from tests.servers import wait_for

MOUNT = Mount(MountKind.CEILING, 3.0)
BOXES = np.array([[320.0, 100.0, 40.0, 72.0, 0.0], [540.0, 320.0, 40.0, 72.0, 90.0]])


def camera(side: int = 640) -> FisheyeCamera:
    law, circle = LensLaw(LensModelName.EQUIDISTANT, 180.0), ImageCircle(side / 2, side / 2, side / 2)
    return FisheyeCamera(law, circle, (side, side))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """The red net, as somebody's own model."""
    path = red_net(tmp_path_factory.mktemp("net") / "red.onnx", layout="yolox", side=416)
    return Models(custom=CustomModel(str(path), classes=1), threads=1)


@pytest.fixture
def processes(models: Models) -> Iterator[DetectorProcesses]:
    made = DetectorProcesses(load_model(models), models, 1)
    yield made
    made.close()


@pytest.fixture
def detector(processes: DetectorProcesses) -> RemoteDetector:
    """The first camera's."""
    return processes.detector(camera(), MOUNT, plan=ONE_RING)


@pytest.fixture
def shown(detector: RemoteDetector) -> np.ndarray:
    """What it is shown."""
    return picture(detector)


def children() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if "detection.looker" in " ".join(one.cmdline())]


def picture(detector: RemoteDetector) -> np.ndarray:
    return picture_of(detector.size_wh, BOXES * (*([detector.size_wh[0] / 640] * 4), 1))


def test_finds_what_a_detector_in_this_process_finds(detector: RemoteDetector, shown: np.ndarray) -> None:
    for tiles in (None, (0, 1), ()):
        here, there = (one.detect(shown, tiles) for one in (detector._here, detector))
        assert len(here) or tiles == ()
        for one, other in zip((here.boxes, here.scores, here.heads, *here.outlines),
                              (there.boxes, there.scores, there.heads, *there.outlines), strict=True):
            np.testing.assert_array_equal(one, other)
    assert len(children()) == 1
    with pytest.raises(DetectionError, match="no such tile"):
        detector.detect(shown, (999,))
    assert len(detector.detect(shown)) == 2  # a request that fails ends nothing


@pytest.mark.parametrize("mode", CaptureMode)
@pytest.mark.parametrize("lens", LensModelName)
def test_every_projection_gets_there(mode: CaptureMode, lens: LensModelName) -> None:
    law = LensLaw(lens, 170.0, (0.01, 0.002) if lens is LensModelName.KANNALA_BRANDT else ())
    mount = Mount(MountKind.WALL, 3.0) if mode is CaptureMode.CORRIDOR else MOUNT
    size_wh = {CaptureMode.FISHEYE: (640, 640), CaptureMode.CORRIDOR: (640, 960)}.get(mode, (1280, 720))
    projection = make_projection(mode, law=law, circle=None, mount=mount, size_wh=size_wh)
    there = pickle.loads(pickle.dumps(projection))
    px = np.random.default_rng(0).uniform(0, 600, (50, 2))
    np.testing.assert_array_equal(there.pixel_to_ray(px), projection.pixel_to_ray(px))
    for plan in PLANS.values():
        assert pickle.loads(pickle.dumps(plan)) == plan


def test_two_cameras_ask_at_once(processes: DetectorProcesses) -> None:
    detectors = [processes.detector(camera(side), MOUNT, plan=ONE_RING) for side in (640, 800)]
    shown = [picture(one) for one in detectors]
    expected = [one._here.detect(two).boxes for one, two in zip(detectors, shown, strict=True)]
    wrong: list[int] = []

    def ask(index: int) -> None:
        for _ in range(5):
            if not np.array_equal(detectors[index].detect(shown[index]).boxes, expected[index]):
                wrong.append(index)

    threads = [threading.Thread(target=ask, args=(index,)) for index in (0, 1, 0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(children()) == 1


def test_a_picture_larger_than_all_before(processes: DetectorProcesses, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_FIRST_BYTES", 4096)
    small, large = (processes.detector(camera(side), MOUNT, plan=ONE_RING) for side in (320, 800))
    assert large.size_wh > small.size_wh
    for detector in (small, large, small):
        shown = picture(detector)
        np.testing.assert_array_equal(detector.detect(shown).boxes, detector._here.detect(shown).boxes)


def test_a_killed_process_fails_one_look_and_is_started_again(detector: RemoteDetector, shown: np.ndarray) -> None:
    detector.detect(shown)
    (first,) = children()
    first.kill()
    with pytest.raises(DetectionError, match="ended"):
        detector.detect(shown)
    assert len(detector.detect(shown)) == 2
    (second,) = children()
    assert second.pid != first.pid


def test_a_process_that_hangs_is_ended(detector: RemoteDetector, shown: np.ndarray,
                                       monkeypatch: pytest.MonkeyPatch) -> None:
    detector.detect(shown)
    (hung,) = children()
    hung.suspend()
    monkeypatch.setattr(remote, "_ANSWERS_S", 0.2)
    with pytest.raises(DetectionError, match="ended"):
        detector.detect(shown)
    assert not hung.is_running()
    monkeypatch.undo()
    assert len(detector.detect(shown)) == 2


def test_an_answer_that_was_not_taken_is_not_the_next_ones(detector: RemoteDetector, shown: np.ndarray,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(detector.detect(shown)) == 2

    def out_of_memory(_connection: object) -> None:
        raise MemoryError

    monkeypatch.setattr(remote.Connection, "recv", out_of_memory)
    with pytest.raises((DetectionError, MemoryError)):
        detector.detect(shown)
    monkeypatch.undo()
    assert len(detector.detect(np.zeros_like(shown))) == 0


def test_looks_go_on_here_when_processes_die_again_and_again(detector: RemoteDetector, shown: np.ndarray) -> None:
    for _ in range(remote._MOST_DEATHS):
        detector.detect(shown)
        children()[0].kill()
        with pytest.raises(DetectionError, match="ended"):
            detector.detect(shown)
    assert len(detector.detect(shown)) == 2
    assert not children()


def test_a_process_that_cannot_be_started(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    processes = DetectorProcesses(load_model(models), models, 1)
    detector = processes.detector(camera(), MOUNT, plan=ONE_RING)
    shown = picture(detector)
    open_before = psutil.Process().num_fds()
    for _ in range(remote._MOST_DEATHS):
        with pytest.raises(DetectionError, match="ended"):
            detector.detect(shown)
    assert len(detector.detect(shown)) == 2
    assert psutil.Process().num_fds() == open_before  # it is tried again every minute
    processes.close()


def test_what_lies_in_the_folder_it_is_started_in_is_not_run(detector: RemoteDetector, shown: np.ndarray,
                                                              tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('a stranger')")
    monkeypatch.chdir(tmp_path)
    assert len(detector.detect(shown)) == 2
    assert children()


def test_signals_to_all_and_core_files(detector: RemoteDetector, shown: np.ndarray) -> None:
    detector.detect(shown)
    (process,) = children()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        process.send_signal(number)
    assert len(detector.detect(shown)) == 2
    assert process.is_running()
    assert process.rlimit(psutil.RLIMIT_CORE)[0] <= 1  # of 0, cores would still be piped to a crash reporter
    assert process.nice() == max(NICE, psutil.Process().nice())


def test_who_leaves_is_forgotten(processes: DetectorProcesses) -> None:
    detectors = [processes.detector(camera(side), MOUNT, plan=ONE_RING) for side in (640, 800)]
    for detector in detectors:
        detector.detect(picture(detector))
    process = processes._processes[0]
    assert process.cameras == 2
    assert len(process._known) == 2
    del detector
    detectors.pop()
    gc.collect()
    assert process.cameras == 1
    detectors[0].detect(picture(detectors[0]))
    assert len(process._known) == 1


def test_closing_ends_it_and_what_is_asked_later_runs_here(processes: DetectorProcesses, detector: RemoteDetector,
                                                              shown: np.ndarray) -> None:
    detector.detect(shown)
    (process,) = children()
    processes.close()
    assert not process.is_running()
    assert len(detector.detect(shown)) == 2
    assert not children()


def test_it_ends_with_the_process_that_started_it(models: Models, tmp_path: Path) -> None:
    program = tmp_path / "main.py"
    program.write_text(
        "import os, psutil\n"
        "from tests.detection.test_remote import MOUNT, ONE_RING, camera, picture\n"
        "from aipg_plugin.detection.onnx import load_model\n"
        "from aipg_plugin.detection.remote import DetectorProcesses\n"
        "from aipg_plugin.options import CustomModel, Models\n"
        f"models = Models(custom=CustomModel({models.custom and models.custom.file!r}, classes=1), threads=1)\n"
        "detector = DetectorProcesses(load_model(models), models, 1).detector(camera(), MOUNT, plan=ONE_RING)\n"
        "detector.detect(picture(detector))\n"
        "print(psutil.Process().children()[0].pid, flush=True)\n"
        "os._exit(1)\n")
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=False, cwd=root,
                          env={**os.environ, "PYTHONPATH": str(root)})
    assert done.returncode == 1, done.stderr
    pid = int(done.stdout)
    wait_for(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE,
             what="the detector process ends")
