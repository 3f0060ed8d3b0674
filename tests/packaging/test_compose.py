"""deploy/compose.yaml: taken by Compose, its steps done as they stand there, and Frigate kept from the raw cameras."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from aipg_plugin.cli.main import main
from tests import needs
from tests.needs import CHECKOUT

FILE = CHECKOUT / "deploy" / "compose.yaml"
TEXT = FILE.read_text(encoding="utf-8")
MASQUERADE = "com.docker.network.bridge.enable_ip_masquerade"


@pytest.fixture
def document() -> Any:
    return yaml.safe_load(TEXT)


def test_compose_takes_it() -> None:
    """And asks for a password that has to be chosen."""
    compose = needs.need("docker-compose")
    chosen = {**os.environ, "WEB_PASSWORD": "x", "FRIGATE_IMAGE": "frigate"}
    for missing in (None, "WEB_PASSWORD"):
        environment = {name: value for name, value in chosen.items() if name != missing}
        done = subprocess.run([compose, "-f", str(FILE), "config", "-q"], env=environment, capture_output=True,
                              text=True, timeout=60, check=False)
        assert (done.returncode == 0) is (missing is None), done.stderr
        assert (missing or "") in done.stderr


def test_frigate_gets_no_answer_from_a_camera(document: Any) -> None:
    """A bridge network reaches what its host reaches, unless it is internal or not masqueraded (Docker's manual)."""
    (network,) = document["services"]["frigate"]["networks"]
    settings = document["networks"][network]
    assert settings.get("internal") or settings["driver_opts"][MASQUERADE] == "false"
    both = [name for name, service in document["services"].items() if set(service["networks"]) != {network}]
    assert both == ["aipg"]


def test_the_guard_has_a_read_only_root_and_no_capabilities(document: Any) -> None:
    guard = document["services"]["aipg"]
    assert guard["read_only"] is True
    assert guard["cap_drop"] == ["ALL"]
    assert guard["user"] == "10001"
    assert [volume.split(":")[1] for volume in guard["volumes"]] == ["/config", "/recordings"]


def test_its_steps_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                             capsys: pytest.CaptureFixture[str]) -> None:
    """Settings with the lines of step 1, Frigate's configuration by step 2, which step 2's check finds safe."""
    monkeypatch.setenv("WEB_PASSWORD", "long enough")
    lines = re.findall(r"(mqtt: \{broker.*?\})\s+(web: \{.*\})", TEXT)
    ((mqtt, web),) = lines
    config = tmp_path / "guard.yaml"
    config.write_text(f"""cameras:
  lobby:
    streams: {{"1": {{source: "rtsp://192.0.2.10/stream1", outputs: [rtsp_serve]}}}}
    privacy_guard: {{enabled: true, target_streams: all}}
{mqtt}
{web}
""")
    assert main(["nvr", "frigate", str(config), "--host", "aipg"]) == 0
    frigate = tmp_path / "config.yml"
    frigate.write_text(capsys.readouterr().out + "\nmqtt: {host: mosquitto}\n")
    assert main(["nvr", "frigate", "--verify", str(frigate), str(config)]) == 0
    (path,) = [each["path"] for each in yaml.safe_load(frigate.read_text())["cameras"]["lobby"]["ffmpeg"]["inputs"]]
    assert path == "rtsp://viewer:long%20enough@aipg:8554/lobby/1"
