"""`aipg addon`: with a stand-in for the Supervisor's API and a real broker."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml

from aipg_plugin.cli.addon import SETTINGS, broker, prepare, read_options, settings_text
from aipg_plugin.cli.main import main
from aipg_plugin.errors import SettingsError
from aipg_plugin.settings.loader import validate
from tests.mqtt.broker import Mosquitto
from tests.needs import CHECKOUT

OPTIONS = {"username": "viewer", "password": "long enough", "cameras": [
    {"name": "Lobby ü", "url": str(CHECKOUT / "samples" / "lobby.mp4"), "mount": None, "camera_height": 2.8}]}


class Supervisor:
    """Answers `/services/mqtt` as the Supervisor's API does, to whoever brings the token."""

    def __init__(self, mqtt_port: int | None) -> None:
        answer = {"result": "ok", "data": {"host": "127.0.0.1", "port": mqtt_port, "ssl": False, "username": "addons",
                                           "password": "p@ss"}}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                allowed = self.headers["Authorization"] == "Bearer token-of-the-add-on"
                good = allowed and mqtt_port is not None and self.path == "/services/mqtt"
                self.send_response(200 if good else 400)
                self.end_headers()
                self.wfile.write(json.dumps(answer if good else {"result": "error"}).encode())

            def log_message(self, *_: object) -> None: ...

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def with_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Supervisor, Mosquitto]]:
    monkeypatch.setenv("SUPERVISOR_TOKEN", "token-of-the-add-on")
    mosquitto = Mosquitto(tmp_path)
    supervisor = Supervisor(mosquitto.port)
    yield supervisor, mosquitto
    supervisor.close()
    mosquitto.stop()


def test_a_first_start_writes_settings_and_guards(with_broker: tuple[Supervisor, Mosquitto], tmp_path: Path) -> None:
    supervisor, _ = with_broker
    options, settings = tmp_path / "options.json", tmp_path / "config" / "guard.yaml"
    options.write_text(json.dumps(OPTIONS))
    environ = prepare(options, settings, supervisor.url)
    text = settings.read_text()
    assert all(environ[name] not in text for name in ("AIPG_PASSWORD", "AIPG_MQTT_PASSWORD"))
    assert settings.stat().st_mode & 0o777 == 0o600
    lobby = yaml.safe_load(text)["cameras"]["lobby"]
    assert (lobby["name"], lobby["mount"], lobby["camera_height"]) == ("Lobby ü", "ceiling", 2.8)
    mine = text.replace("web:\n", "web:\n  port: 0\n  rtsp_port: 0\n")
    settings.write_text(mine)
    options.write_text(json.dumps({**OPTIONS, "cameras": []}))
    assert main(["addon", "--options", str(options), "--settings", str(settings), "--supervisor", supervisor.url,
                 "--seconds", "1"]) == 0
    assert settings.read_text() == mine, "the options' cameras count at the first start only"


def test_the_broker_is_the_supervisors(with_broker: tuple[Supervisor, Mosquitto]) -> None:
    supervisor, mosquitto = with_broker
    assert broker(supervisor.url) == {"AIPG_MQTT_HOST": "127.0.0.1", "AIPG_MQTT_PORT": str(mosquitto.port),
                                      "AIPG_MQTT_USERNAME": "addons", "AIPG_MQTT_PASSWORD": "p@ss"}


@pytest.mark.parametrize("service", [True, False])
def test_the_settings_are_good_with_and_without_a_broker(service: bool, tmp_path: Path,
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPERVISOR_TOKEN", "token-of-the-add-on")
    file = tmp_path / "options.json"
    file.write_text(json.dumps(OPTIONS))
    given = read_options(file)
    supervisor = Supervisor(1883 if service else None)
    environ = {"AIPG_PASSWORD": given.password, **broker(supervisor.url)}
    supervisor.close()
    settings = validate(yaml.safe_load(settings_text(given)), environ=environ)
    assert settings.mqtt.broker == ("127.0.0.1" if service else "off")
    assert settings.cameras[0].privacy_guard.enabled
    assert settings.web.trusted_proxies == ("172.30.32.2",)


@pytest.mark.parametrize("text", ["", "[]", '{"username": "x"}', '{"username": "x", "password": "y", "cameras": [1]}'])
def test_bad_options_are_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "options.json").write_text(text)
    with pytest.raises(SettingsError):
        read_options(tmp_path / "options.json")


def test_the_manifest_agrees_with_the_command() -> None:
    manifest = yaml.safe_load((CHECKOUT / "addon" / "config.yaml").read_text())
    assert set(manifest["schema"]) == set(manifest["options"]) == {"username", "password", "cameras"}
    assert {key.rstrip("?") for key in manifest["schema"]["cameras"][0]} == {
        "name", "url", "mount", "camera_height", "guard"}
    assert manifest["ingress_port"] == 8097
    assert str(SETTINGS).startswith("/config/")
    for language in ("en", "de"):
        texts = yaml.safe_load((CHECKOUT / "addon" / "translations" / f"{language}.yaml").read_text())
        assert set(texts["configuration"]) == set(manifest["schema"])
        assert set(texts["network"]) == set(manifest["ports"])
