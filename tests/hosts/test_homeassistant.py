"""Home Assistant itself, in an environment of its own: what a user sees of `aipg run`, and what the controls do.

Its environment is kept beside this one, so that it is made once.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import needs
from tests.hosts.guarding import Guard, filled_px
from tests.hosts.walk import write_walk
from tests.mqtt.broker import Mosquitto
from tests.servers import wait_for

VERSIONS = {(3, 11): "2024.3.3"}  # by the Python that carries them: this one takes one discovery message an entity
AT_WORK = ("guarding", "degraded", "failsafe")  # a busy machine masks whole pictures
SHOWN = {"switch.aipg_lobby_1_guard": "on", "switch.aipg_lobby_1_circumferential_mosaic": "off",
         "select.aipg_lobby_1_masking_method": "filling", "select.aipg_lobby_1_sensitivity": "high",
         "number.aipg_lobby_1_camera_height": "3", "binary_sensor.aipg_lobby_1_occupancy": "on",
         "binary_sensor.aipg_connection": "on", "sensor.aipg_weakened": "0"}
HERE = Path(__file__).resolve().parent
REQUIREMENTS = """
import json
from importlib.metadata import distribution
of = distribution("homeassistant")
heavy = ("home-assistant-bluetooth", "hass-nabucasa")
needed = [each for each in of.requires if not each.startswith(heavy)]
for component in ("mqtt", "file_upload", "image_upload", "camera"):
    file = of.locate_file(f"homeassistant/components/{component}/manifest.json")
    needed += json.loads(file.read_text()).get("requirements", [])
print(json.dumps(needed))
"""
pytestmark = pytest.mark.timeout(600)


def interpreter(python: tuple[int, int]) -> str:
    """A Python of this version; skips without one, unless it is our own."""
    if sys.version_info[:2] == python:
        return sys.executable
    name = f"{python[0]}.{python[1]}"
    found = next(map(str, Path.home().glob(f".pyenv/versions/{name}.*/bin/python")), shutil.which(f"python{name}"))
    if found is None or subprocess.run([found, "-c", "import venv, ensurepip"], check=False).returncode:
        pytest.skip(f"needs Python {name}")
    return found


def environment(python: tuple[int, int]) -> Path:
    """The Python of an environment with the version of Home Assistant that `python` carries.

    Bluetooth and the cloud are left out: nothing here uses them, and they take minutes to install.
    """
    version = VERSIONS[python]
    folder = Path(sys.prefix) / f".homeassistant-{version}"
    inside, ready = folder / "bin" / "python", folder / ".ready"
    if not ready.exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([interpreter(python), "-m", "venv", str(folder)], check=True, timeout=120)
        _pip(inside, "--no-deps", f"homeassistant=={version}")
        _pip(inside, *json.loads(subprocess.run([str(inside), "-c", REQUIREMENTS], capture_output=True, check=True,
                                                timeout=60).stdout))
        ready.touch()
    return inside


def _pip(python: Path, *what: str) -> None:
    command = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--prefer-binary",
               "--no-compile", *what]
    for last in (False, True):
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode == 0:
            return
        if last:
            needs.missing(f"needs {' '.join(what)} from the package index: {done.stderr[-500:]}")


class HomeAssistant:
    """One that runs; `states()` is what its dashboard shows."""

    def __init__(self, python: Path, folder: Path, port: int) -> None:
        self._log = (folder / "log").open("w")
        self._popen = subprocess.Popen([str(python), str(HERE / "ha_run.py"), str(folder), str(port)], text=True,
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, cwd=folder)
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


@pytest.fixture(params=sorted(VERSIONS), ids=VERSIONS.get)
def version(request: pytest.FixtureRequest) -> tuple[int, int]:
    """The Python of a version of Home Assistant; skips those that are not here, our own always is."""
    python: tuple[int, int] = request.param
    interpreter(python)
    return python


@pytest.fixture
def home(version: tuple[int, int], broker: Mosquitto, tmp_path: Path) -> Iterator[HomeAssistant]:
    (tmp_path / "home").mkdir()
    running = HomeAssistant(environment(version), tmp_path / "home", broker.port)
    yield running
    running.stop()


def test_a_user_sees_and_controls_the_guard(home: HomeAssistant, broker: Mosquitto, tmp_path: Path) -> None:
    """Entities and what their controls do; then the guard returns under another instance id."""
    walk = write_walk(tmp_path / "walk.mp4")

    def guard(instance: str) -> Guard:
        return Guard(tmp_path, {"url": str(walk), "loop": True}, outputs=["http"], masks=False, instance_id=instance,
                     mqtt={"broker": "127.0.0.1", "port": broker.port, "discovery_format": "entity"})

    with guard("first") as running:
        for entity, state in SHOWN.items():
            home.wait(entity, state, 30)
        home.wait("sensor.aipg_lobby_1_state", AT_WORK.__contains__)
        seen = home.states()
        assert {name.split(".")[0] for name in seen} >= {"button", "event", "image", "sensor"}
        assert not [name for name, state in seen.items() if state["state"] == "unavailable"]
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
    home.wait("switch.aipg_lobby_1_guard", "unavailable")
    with guard("second"):
        home.wait("switch.aipg_lobby_1_guard", "on")
        wait_for(lambda: set(home.states()) == set(seen), 20, "the same entities, none of them twice")
        home.wait("sensor.aipg_lobby_1_state", AT_WORK.__contains__)
    log = home.log.read_text()
    assert [line for line in log.splitlines() if "mqtt" in line and ("ERROR" in line or "undefined" in line)] == []
