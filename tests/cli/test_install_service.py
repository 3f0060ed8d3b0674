"""`aipg install-service`: a unit that systemd accepts and rates well, and credentials as files."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from aipg_plugin.cli import install_service
from aipg_plugin.cli.main import main
from aipg_plugin.errors import UsageError
from aipg_plugin.settings.loader import load
from tests.needs import need

CONFIG = """cameras:
  lobby:
    streams: {"1": {source: "rtsp://viewer:${LOBBY_PASSWORD}@192.0.2.10/stream1", outputs: [http]}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "guard.yaml"
    file.write_text(CONFIG)
    return file


def test_systemd_rates_the_unit_as_well_protected(tmp_path: Path) -> None:
    analyze = need("systemd-analyze")
    unit = tmp_path / "aipg.service"
    unit.write_text(install_service.unit_text(Path("/opt/aipg/bin/aipg"), ["LOBBY_PASSWORD=/root/lobby.password"]))
    assert "LoadCredential=LOBBY_PASSWORD:/root/lobby.password\n" in unit.read_text()
    done = subprocess.run([analyze, "security", "--offline=true", "--no-pager", str(unit)], capture_output=True,
                          text=True, timeout=60, check=False)
    exposure = re.search(r"exposure level for aipg.service: ([0-9.]+)", done.stdout)
    assert exposure is not None, done.stdout + done.stderr
    assert float(exposure[1]) < 3


def test_print_changes_nothing(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                               capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(install_service, "UNIT_DIR", tmp_path / "units")
    assert main(["install-service", str(config), "--print"]) == 0
    assert "ExecStart=" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["guard.yaml"]


def test_it_writes_the_unit_and_keeps_the_settings_that_were_there(config: Path, tmp_path: Path,
                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    units, state, password = tmp_path / "units", tmp_path / "state", tmp_path / "password"
    units.mkdir()
    password.write_text("s3cret\n")
    monkeypatch.setattr(install_service, "UNIT_DIR", units)
    monkeypatch.setattr(install_service, "STATE_DIR", state)
    arguments = ["install-service", str(config), "--credential", f"LOBBY_PASSWORD={password}"]
    assert main(arguments) == 0
    assert (state / "guard.yaml").read_text() == CONFIG
    assert (state / "guard.yaml").stat().st_mode & 0o777 == 0o600
    assert "s3cret" not in (units / "aipg.service").read_text()
    config.write_text(CONFIG + "language: de\n")
    assert main(arguments) == 0
    assert (state / "guard.yaml.before").read_text() == CONFIG
    config.write_text("cameras: {}\nunknown: 1\n")
    assert main(arguments) == 3
    assert (state / "guard.yaml").read_text() == CONFIG + "language: de\n"


def test_a_credential_must_be_a_file_by_its_full_path() -> None:
    with pytest.raises(UsageError):
        install_service.unit_text(Path("/opt/aipg/bin/aipg"), ["LOBBY_PASSWORD=s3cret"])


def test_settings_take_credentials_where_the_environment_has_no_variable(config: Path, tmp_path: Path,
                                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "LOBBY_PASSWORD").write_text("from-file\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    monkeypatch.delenv("LOBBY_PASSWORD", raising=False)
    assert "from-file" in load(config).settings.cameras[0].streams[0].source.url.revealed()
    monkeypatch.setenv("LOBBY_PASSWORD", "from-variable")
    assert "from-variable" in load(config).settings.cameras[0].streams[0].source.url.revealed()
