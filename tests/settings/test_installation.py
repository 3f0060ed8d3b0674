"""Ids made from the machine: stable, different, telling nothing; and names that the user chose stay."""

import re
import socket
from pathlib import Path

import pytest

from aipg_plugin.settings import installation, load, to_dict, validate
from aipg_plugin.settings.installation import installation_id


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "machine-id"
    file.write_text("0123456789abcdef0123456789abcdef\n")
    monkeypatch.setattr(installation, "_MACHINE_IDS", (tmp_path / "none", file))
    return file


def test_stable_and_different(machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = installation_id(tmp_path / "a.yaml")
    monkeypatch.chdir(tmp_path)
    assert first == installation_id("a.yaml") == installation_id(tmp_path / "x" / ".." / "a.yaml")
    assert re.fullmatch("[0-9a-f]{8}", first)
    assert first[:4] not in machine.read_text()
    others = {installation_id(tmp_path / "b.yaml"), installation_id()}
    machine.write_text("fedcba9876543210fedcba9876543210\n")
    others.add(installation_id(tmp_path / "a.yaml"))
    assert len(others | {first}) == 4


@pytest.mark.parametrize("text", ["", "uninitialized\n", None])
def test_without_a_machine_id_the_host_name_tells(machine: Path, monkeypatch: pytest.MonkeyPatch,
                                                  text: str | None) -> None:
    if text is None:
        machine.unlink()
    else:
        machine.write_text(text)
    monkeypatch.setattr(socket, "gethostname", lambda: "guard-1")
    first = installation_id()
    monkeypatch.setattr(socket, "gethostname", lambda: "guard-2")
    assert installation_id() != first


@pytest.mark.usefixtures("machine")
def test_names_of_two_files_differ_and_chosen_ones_stay(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text("{}")
    a, b = (load(tmp_path / f"{name}.yaml").settings for name in ("a", "b"))
    assert a.instance_id == installation_id(tmp_path / "a.yaml")
    assert a.mqtt.client_id == f"aipg-{a.instance_id}"
    assert a.instance_id != b.instance_id
    assert validate(to_dict(a)) == a
    chosen = validate({"instance_id": "shop"})
    assert (chosen.instance_id, chosen.mqtt.client_id) == ("shop", "aipg-shop")
    assert validate({"instance_id": "shop", "mqtt": {"client_id": "till"}}).mqtt.client_id == "till"
    assert len(validate({"instance_id": "x" * 64}).mqtt.client_id) == 64
