"""Home Assistant itself, in an environment of its own: what a user sees of `aipg run`, and what the controls do.

Its environment is kept beside this one, so that it is made once.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from aipg_plugin.cli.main import main
from tests import needs
from tests.hosts.guarding import MASKED, Guard, filled_px
from tests.hosts.walk import clear_share, write_walk
from tests.mqtt.broker import Mosquitto
from tests.servers import free_port, wait_for

AT_WORK = ("guarding", "degraded", "failsafe")  # a busy machine masks whole pictures
SHOWN = {"switch.aipg_lobby_1_guard": "on", "switch.aipg_lobby_1_circumferential_mosaic": "off",
         "select.aipg_lobby_1_masking_method": "filling", "select.aipg_lobby_1_sensitivity": "high",
         "number.aipg_lobby_1_camera_height": "3", "binary_sensor.aipg_lobby_1_occupancy": "on",
         "binary_sensor.aipg_connection": "on", "sensor.aipg_weakened": "0"}
HERE = Path(__file__).resolve().parent
REQUIREMENTS = """
import json, sys
from importlib.metadata import distribution
of = distribution("homeassistant")
for component in ("mqtt", "file_upload", "image_upload", "camera", "ffmpeg", "http", *sys.argv[1:]):
    file = of.locate_file(f"homeassistant/components/{component}/manifest.json")
    print(*json.loads(file.read_text()).get("requirements", []), sep="\\n")
"""
pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True)
class Release:
    """A version of Home Assistant and the Python it runs on; `formats` are the discovery formats it takes."""

    version: str
    python: tuple[int, int]
    formats: tuple[str, ...] = ("device", "entity")
    integrations: tuple[str, ...] = ()  # more of them, whose requirements need no compiler
    also: tuple[str, ...] = ()  # imported at its start, and named by no requirement of what we use
    always: bool = True


RELEASES = (Release("2024.3.3", (3, 11), formats=("entity",)), Release("2025.4.4", (3, 13), always=False),
            Release("2026.2.3", (3, 13), integrations=("onvif",), also=("habluetooth",)))  # newest that 3.13 carries


def interpreter(python: tuple[int, int]) -> str:
    """A Python of this version; skips without one, unless it is our own."""
    if sys.version_info[:2] == python:
        return sys.executable
    name = f"{python[0]}.{python[1]}"
    found = next(map(str, Path.home().glob(f".pyenv/versions/{name}.*/bin/python")), shutil.which(f"python{name}"))
    if found is None or subprocess.run([found, "-c", "import ctypes, sqlite3"], check=False).returncode:
        pytest.skip(f"needs Python {name}")
    return found


def environment(release: Release) -> Path:
    """The Python of an environment with this version of Home Assistant."""
    folder = Path(sys.prefix) / f".homeassistant-{release.version}"
    inside, ready = folder / "bin" / "python", folder / ".ready-with-cameras"
    if not ready.exists():
        python = interpreter(release.python)
        shutil.rmtree(folder, ignore_errors=True)
        _uv("venv", "--python", python, str(folder))
        _uv_install(inside, release, f"homeassistant=={release.version}", *release.also)
        needed = subprocess.run([str(inside), "-c", REQUIREMENTS, *release.integrations], capture_output=True,
                                text=True, check=True, timeout=60)
        _uv_install(inside, release, *needed.stdout.split())
        ready.touch()
    return inside


def _uv_install(inside: Path, release: Release, *what: str) -> None:
    """Home Assistant asks for the latest patch of its Python for faults that touch nothing here."""
    latest = f"{release.python[0]}.{release.python[1]}.99"
    _uv("pip", "install", "--python", str(inside), "--python-version", latest, *what)


def _uv(*what: str) -> None:
    needs.need_module("uv")
    for last in (False, True):
        done = subprocess.run([sys.executable, "-m", "uv", "-q", *what], capture_output=True, text=True, timeout=400,
                              check=False)
        if done.returncode == 0:
            return
        if last:
            needs.missing(f"needs the package index: {done.stderr[-500:]}")


class HomeAssistant:
    """One that runs; `states()` is what its dashboard shows."""

    def __init__(self, python: Path, folder: Path, port: int) -> None:
        self._log = (folder / "log").open("w")
        command = [str(python), str(HERE / "ha_run.py"), str(folder), str(port), str(free_port())]
        self._popen = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=self._log, cwd=folder)
        self.log = folder / "log"
        assert self._line() == "ready"

    def _line(self) -> Any:
        assert self._popen.stdout is not None
        line = self._popen.stdout.readline()
        assert line, self.log.read_text()
        return json.loads(line)

    def ask(self, *what: object) -> Any:
        assert self._popen.stdin is not None
        self._popen.stdin.write(json.dumps(what) + "\n")
        self._popen.stdin.flush()
        return self._line()

    def states(self) -> dict[str, dict[str, Any]]:
        return {name: state for name, state in self.ask("states").items() if "aipg" in name}

    def wait(self, entity: str, state: str | Callable[[str], bool], seconds: float = 20) -> None:
        holds = state if callable(state) else state.__eq__
        try:
            wait_for(lambda: holds(self.states().get(entity, {"state": ""})["state"]), seconds, f"{entity} {state}")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.states()}\n{self.log.read_text()}") from None

    def stop(self) -> None:
        assert self._popen.stdin is not None
        self._popen.stdin.close()
        try:
            self._popen.wait(30)
        except subprocess.TimeoutExpired:
            self._popen.kill()
        self._log.close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    needs.need("mosquitto")
    running = Mosquitto(tmp_path)
    yield running
    running.stop()


@pytest.fixture(params=RELEASES, ids=lambda release: release.version)
def release(request: pytest.FixtureRequest) -> Release:
    """Skips a release whose Python is not here; those that install slowly are run on demand."""
    chosen: Release = request.param
    if not (chosen.always or os.environ.get("AIPG_TEST_ALL_RELEASES")):
        pytest.skip("run with AIPG_TEST_ALL_RELEASES=1")
    interpreter(chosen.python)
    return chosen


@pytest.fixture
def home(release: Release, broker: Mosquitto, tmp_path: Path) -> Iterator[HomeAssistant]:
    (tmp_path / "home").mkdir(exist_ok=True)
    running = HomeAssistant(environment(release), tmp_path / "home", broker.port)
    yield running
    running.stop()


def test_a_user_sees_and_controls_the_guard(release: Release, home: HomeAssistant, broker: Mosquitto,
                                            tmp_path: Path) -> None:
    """Entities and what their controls do; then the other discovery format, and another instance id."""
    walk = write_walk(tmp_path / "walk.mp4")

    def guard(instance: str, discovery: str) -> Guard:
        return Guard(tmp_path, {"url": str(walk), "loop": True}, outputs=["http"], masks=False, instance_id=instance,
                     mqtt={"broker": "127.0.0.1", "port": broker.port, "discovery_format": discovery})

    with guard("first", release.formats[0]) as running:
        for entity, state in SHOWN.items():
            home.wait(entity, state, 30)
        home.wait("sensor.aipg_lobby_1_state", AT_WORK.__contains__)
        seen = home.states()
        assert {name.split(".")[0] for name in seen} >= {"button", "event", "image", "sensor"}
        assert not [name for name, state in seen.items() if state["state"] == "unavailable"]
        devices = home.ask("devices")
        home.ask("call", "select", "select_option",
                 {"entity_id": "select.aipg_lobby_1_masking_method", "option": "blurring"})
        home.wait("select.aipg_lobby_1_masking_method", "blurring")
        wait_for(lambda: filled_px(running.picture()) < 100, 20, "another method in the picture")
        home.ask("call", "switch", "turn_off", {"entity_id": "switch.aipg_lobby_1_guard"})
        home.wait("switch.aipg_lobby_1_guard", "off")
        home.wait("sensor.aipg_lobby_1_state", "off")
        home.wait("sensor.aipg_weakened", lambda text: int(text or 0) > 0)
        home.ask("call", "switch", "turn_on", {"entity_id": "switch.aipg_lobby_1_guard"})
        home.wait("sensor.aipg_lobby_1_state", AT_WORK.__contains__)
    for instance, discovery in [*(("first", each) for each in release.formats[1:]), ("second", release.formats[0])]:
        home.wait("switch.aipg_lobby_1_guard", "unavailable")
        with guard(instance, discovery):
            home.wait("switch.aipg_lobby_1_guard", "on")
            wait_for(lambda: set(home.states()) == set(seen), 20, "the same entities, none of them twice")
            home.wait("sensor.aipg_lobby_1_state", AT_WORK.__contains__)
            assert {name: set(has) for name, has in home.ask("devices").items()} == \
                {name: set(has) for name, has in devices.items()}
    told = [line for line in home.log.read_text().splitlines() if "mqtt" in line or "aipg" in line]
    assert [line for line in told if "ERROR" in line or "WARNING" in line or "undefined" in line] == []


def test_its_cameras_are_the_guarded_streams(release: Release, broker: Mosquitto, tmp_path: Path,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    """What `aipg nvr homeassistant` prints, pasted as it is, and what ONVIF finds; its own files pass the check."""
    python, folder = environment(release), tmp_path / "home"
    folder.mkdir()
    with Guard(tmp_path, {"url": str(write_walk(tmp_path / "walk.mp4")), "loop": True},
               outputs=["rtsp_serve", "http"], web={"onvif": True}) as guard:
        config, entries = folder / "configuration.yaml", folder / ".storage" / "core.config_entries"
        assert main(["nvr", "homeassistant", str(guard.config)]) == 0
        config.write_text(capsys.readouterr().out)
        assert main(["nvr", "homeassistant", "--verify", str(config), str(guard.config)]) == 0
        home = HomeAssistant(python, folder, broker.port)
        try:
            if "onvif" in release.integrations:
                home.ask("onvif", guard.port)
            cameras = [name for name in home.ask("states") if name.startswith("camera.")]
            assert "camera.lobby_1_guarded" in cameras
            assert len(cameras) == 1 + len(release.integrations)
            assert max(clear_share(bgr) for camera in cameras for bgr in _shown_until_masked(home, camera)) < MASKED
        finally:
            home.stop()
        capsys.readouterr()
        assert main(["nvr", "homeassistant", "--verify", str(entries), str(guard.config)]) == 0
        said = "all 1 sources are guarded" if release.integrations else "no camera in it"
        assert capsys.readouterr().out == f"{entries}: {said}\n"


def _shown_until_masked(home: HomeAssistant, camera: str) -> list[NDArray[np.uint8]]:
    """What the dashboard shows of a camera until a figure is masked in it: a busy machine masks whole pictures."""
    seen: list[NDArray[np.uint8]] = []

    def masked() -> bool:
        jpeg = np.frombuffer(b64decode(home.ask("picture", camera)), np.uint8)
        seen.append(np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8))
        return filled_px(seen[-1]) > 1000

    wait_for(masked, 60, f"a masked figure in {camera}")
    return seen
