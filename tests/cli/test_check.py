"""`aipg check`: what it finds wrong, what it warns of, and its exit codes."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from aipg_plugin.cli import check
from aipg_plugin.cli.main import main
from aipg_plugin.errors import HostError, MediaError
from aipg_plugin.options import Output, OutputKind
from tests.mqtt.broker import Mosquitto, Watcher, wait_for
from tests.servers import free_port


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the model and the sources, which have tests of their own."""
    monkeypatch.setattr(check, "_check_model", lambda settings: ("model", []))
    monkeypatch.setattr(check, "_check", lambda camera, stream: ("source", []))


def write(folder: Path, *, guard: dict[str, Any] | None = None, outputs: list[Any] | None = None, **more: Any) -> Path:
    file = folder / "guard.yaml"
    file.write_text(yaml.safe_dump({
        "cameras": {"lobby": {"streams": {"1": {"source": "clip.mp4", "outputs": outputs or ["http"]}},
                              "privacy_guard": guard or {"enabled": True, "target_streams": "all"}}},
        "web": {"port": free_port(), "rtsp_port": free_port()}, **more}))
    return file


def results(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    return {row["what"]: row for row in json.loads(capsys.readouterr().out)}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("guard", [{"enabled": False}, {"enabled": True, "target_streams": "off"}])
def test_an_open_guard_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str], guard: dict[str, Any]) -> None:
    file = write(tmp_path, guard=guard)
    assert main(["check", str(file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("WARN settings: cameras.lobby.streams.1.outputs: people will be visible")
               for line in lines)
    assert not any(line.startswith("ok") and "people" in line for line in lines)
    assert main(["check", str(file), "--strict"]) == 3
    capsys.readouterr()
    assert main(["check", str(file), "--strict", "--json"]) == 3
    assert "people will be visible" in results(capsys)["settings"]["warnings"][0]


@pytest.mark.usefixtures("quick")
def test_nothing_to_warn_of(tmp_path: Path) -> None:
    assert main(["check", str(write(tmp_path)), "--strict"]) == 0


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


@pytest.mark.usefixtures("quick")
def test_a_taken_port_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str], taken: int) -> None:
    file = write(tmp_path, outputs=["http", "rtsp_serve"], web={"port": free_port(), "rtsp_port": taken})
    assert main(["check", str(file), "--json"]) == 1
    found = results(capsys)
    assert found["web.port"]["ok"]
    assert not found["web.rtsp_port"]["ok"]
    assert f"{taken} on 127.0.0.1 is taken" in found["web.rtsp_port"]["message"]


def test_ports(taken: int) -> None:
    for host in ("127.0.0.1", "localhost", "0.0.0.0", "::1", "::"):
        check.check_port("web.port", host, free_port())
    with pytest.raises(HostError, match="is taken"):
        check.check_port("web.port", "0.0.0.0", taken)
    with pytest.raises(HostError, match=r"cannot listen on 192\.0\.2\.1"):
        check.check_port("web.port", "192.0.2.1", free_port())
    with pytest.raises(HostError, match="cannot listen"):
        check.check_port("web.port", "no-such-host.invalid", free_port())


@pytest.mark.parametrize(("kind", "target"), [
    (OutputKind.FILE, "out.mp4"), (OutputKind.FILE, "new/deeper/out.mkv"), (OutputKind.SEGMENTS, "segments"),
    (OutputKind.SEGMENTS, "rec/%Y/%m-%d"), (OutputKind.FILE, "%Y%m%d.mp4")])
def test_folders_that_can_be_written(tmp_path: Path, kind: OutputKind, target: str) -> None:
    message, _ = check.check_folder(Output(kind, str(tmp_path / target)))
    assert f"{tmp_path} can be written" in message
    assert not list(tmp_path.iterdir())


def test_folders_that_cannot(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for target in (tmp_path / "file" / "out.mp4", Path("/proc/out.mp4"), Path("/sys/new/out.mp4")):
        with pytest.raises(MediaError, match="cannot write in"):
            check.check_folder(Output(OutputKind.FILE, str(target)))


@pytest.mark.usefixtures("quick")
def test_a_read_only_folder_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "full"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)], capture_output=True,
                      check=False).returncode:
        pytest.skip("cannot mount")
    try:
        file = write(tmp_path, outputs=[{"kind": "segments", "target": str(folder / "rec")}])
        assert main(["check", str(file), "--json"]) == 1
        assert "Read-only file system" in results(capsys)["lobby/1 segments"]["message"]
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_settings_file_that_cannot_keep_commands(tmp_path: Path) -> None:
    file = write(tmp_path)
    assert check.check_settings_file(file) == (f"{file} can be written", [])
    _, warnings = check.check_settings_file(tmp_path / "gone.yaml")
    assert "lost at the next start" in warnings[0]


def test_snippets_for_nvrs_say_what_is_clear(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nvr", "frigate", str(write(tmp_path, guard={"enabled": False}))]) == 0
    assert capsys.readouterr().out.startswith("# WARNING: lobby/1: no guard on this stream, people will be visible\n")
    assert main(["nvr", "frigate", str(write(tmp_path))]) == 0
    assert "WARNING" not in capsys.readouterr().out


@pytest.mark.usefixtures("quick")
def test_the_broker_is_tried_and_nothing_left_on_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broker = Mosquitto(tmp_path)
    watcher = Watcher(broker.port)
    file = write(tmp_path, mqtt={"broker": "127.0.0.1", "port": broker.port, "persist_commands": True})
    assert main(["check", str(file), "--json"]) == 0
    found = results(capsys)
    assert found["mqtt"]["message"] == f"127.0.0.1:{broker.port} answers"
    assert found["mqtt.persist_commands"]["ok"]
    watcher.publish("aipg/announced/cafe", json.dumps({"topics": ["aipg/lobby/person", "aipg/errors"]}), retain=True)
    wait_for(lambda: watcher.last.get("aipg/announced/cafe"))
    assert main(["check", str(file), "--json"]) == 0
    assert "installation cafe has camera lobby" in results(capsys)["mqtt"]["warnings"][0]
    assert set(watcher.last) == {"aipg/announced/cafe"}
    watcher.close()
    broker.stop()


@pytest.mark.usefixtures("quick")
def test_a_broker_that_refuses_or_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    closed = Mosquitto(tmp_path, "allow_anonymous false")
    for port, why in ((closed.port, "Not authorized"), (free_port(), "refused")):
        file = write(tmp_path, mqtt={"broker": "127.0.0.1", "port": port})
        assert main(["check", str(file), "--json"]) == 1
        assert why in results(capsys)["mqtt"]["message"]
    closed.stop()
