"""Fixtures: brokers, cameras, a link with an app that remembers, guarded frames."""

from __future__ import annotations

import dataclasses
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aipg_plugin import frames
from aipg_plugin.errors import SettingsError
from aipg_plugin.mqtt import Command, MqttLink
from aipg_plugin.options import Area, Camera, Mqtt, PrivacyGuard, Source, Stream
from aipg_plugin.states import State
from tests.mqtt.broker import Mosquitto, Watcher
from tests.needs import need

SQUARE = ((0.2, 0.2), (0.4, 0.2), (0.4, 0.4), (0.2, 0.4))


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    left = [t for t in threading.enumerate() if t not in before and t.name.startswith("aipg-mqtt")]
    assert not left, left


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    server = Mosquitto(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    """Makes brokers for one test: `own_broker(extra_configuration)`."""
    started: list[Mosquitto] = []

    def make(extra: str = "allow_anonymous true") -> Mosquitto:
        started.append(Mosquitto(tmp_path, extra))
        return started[-1]

    yield make
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca.pem, server.pem/.key for 127.0.0.1, client.pem/.key, other_ca.pem."""
    program = need("openssl")
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*args: str) -> None:
        subprocess.run([program, *args], cwd=folder, check=True, capture_output=True)

    for ca in ("ca", "other_ca"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj", f"/CN={ca}", "-keyout", f"{ca}.key", "-out", f"{ca}.pem")
    (folder / "ext").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    for name in ("server", "client"):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
                "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "2", "-extfile", "ext", "-out", f"{name}.pem")
    return folder


def make_camera(camera_id: str = "lobby", *, streams: tuple[str, ...] = ("1", "2"), areas: tuple[int, ...] = (1, 3),
                name: str = "Lobby", **guard: Any) -> Camera:
    return Camera(camera_id, tuple(Stream(s, Source("sample.mp4")) for s in streams), name=name,
                  privacy_guard=PrivacyGuard(target_streams=streams, lookahead_s=0.0, prohibited_areas=tuple(
                      Area(n, SQUARE, name="till" if n == 3 else "") for n in areas), **guard))


class App:
    """Stands where app.py will: applies what is allowed and remembers it."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.threads: set[str] = set()
        self.delay = threading.Event()
        self.delay.set()
        self.on_apply: Callable[[Command], object] | None = None

    def apply(self, command: Command) -> object:
        self.delay.wait(10)
        self.threads.add(threading.current_thread().name)
        if command.key == "camera_height" and not 2.5 <= float(command.value or 0) <= 5.0:
            raise SettingsError("{value} is out of range", value=command.value, path="camera_height_m",
                                cure="2.5 to 5.0")
        self.commands.append(command)
        return self.on_apply(command) if self.on_apply else command.value


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def link(broker: Mosquitto, app: App) -> Iterator[Callable[..., MqttLink]]:
    """Starts links: `link(cameras=…, port=…, anything of options.Mqtt)`; stopped at the end."""
    started: list[MqttLink] = []

    def make(cameras: tuple[Camera, ...] | None = None, *, port: int | None = None, connect: bool = True,
             app: App = app, extra: dict[str, Any] | None = None, **options: Any) -> MqttLink:
        mqtt = dataclasses.replace(Mqtt(broker="127.0.0.1", port=port or broker.port,
                                        client_id=f"aipg-{len(started)}"), **options)
        made = MqttLink(mqtt, (make_camera(),) if cameras is None else cameras, version="1.2.3", apply=app.apply,
                        **(extra or {}))
        made.start()
        started.append(made)
        if connect:
            assert made.wait_connected(10)
        return made

    yield make
    for made in started:
        made.stop()


@pytest.fixture
def watcher(broker: Mosquitto) -> Iterator[Watcher]:
    """Watches everything on the broker."""
    made = Watcher(broker.port)
    yield made
    made.close()


def guarded_frame(stream: str = "1", size_wh: tuple[int, int] = (64, 48), grey: int = 90) -> frames.GuardedFrame:
    """A guarded frame as the guard would make it."""
    planes = tuple(np.full(shape, value, np.uint8) for shape, value in
                   zip(frames.plane_shapes(frames.PixelFormat.I420, size_wh), (grey, 128, 128), strict=True))
    return frames._mint_guarded(stream=stream, seq=1, pts_s=0.0, wall_time_s=0.0, format=frames.PixelFormat.I420,
                                size_wh=size_wh, planes=planes, state=State.GUARDING, reason="")
