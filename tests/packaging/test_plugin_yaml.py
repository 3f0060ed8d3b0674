"""plugin.yaml says what the code does: everything it names exists, under that name."""

from __future__ import annotations

import configparser
import hashlib
import importlib
import inspect
import json
from typing import Any

import pytest
import yaml

import aipg_plugin
from aipg_plugin.frames import PixelFormat
from aipg_plugin.hooks import Plugin
from aipg_plugin.hosts.nvr import NVRS
from aipg_plugin.plugin import GuardPlugin
from aipg_plugin.resources import languages, resource_path
from tests.needs import CHECKOUT

MANIFEST: dict[str, Any] = yaml.safe_load((CHECKOUT / "plugin.yaml").read_text(encoding="utf-8"))
KEYS = {"schema_version", "id", "name", "version", "description", "license", "python_requires", "entry_point",
        "contract", "hooks", "capabilities", "hosts", "settings", "models", "permissions", "translations"}


def named(reference: str) -> Any:
    """What `module:name` stands for."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


def public(owner: type) -> set[str]:
    """Methods and properties of a class, without the private ones."""
    return {name for name, value in vars(owner).items()
            if (inspect.isfunction(value) or isinstance(value, property)) and not name.startswith("_")}


def test_it_has_every_key_and_no_other() -> None:
    assert set(MANIFEST) == KEYS
    assert MANIFEST["schema_version"] == 1


def test_it_agrees_with_the_packaging() -> None:
    setup = configparser.ConfigParser()
    setup.read(CHECKOUT / "setup.cfg")
    assert MANIFEST["id"] == setup["metadata"]["name"]
    assert MANIFEST["version"] == aipg_plugin.__version__
    assert MANIFEST["license"] == setup["metadata"]["license"]
    assert MANIFEST["python_requires"] == setup["options"]["python_requires"]


def test_the_entry_point_makes_what_has_the_hooks() -> None:
    create = named(MANIFEST["entry_point"])
    assert create is aipg_plugin.create_plugin
    assert list(inspect.signature(create).parameters) == ["host", "settings"]
    for hook in MANIFEST["hooks"]:
        assert callable(getattr(GuardPlugin, hook)), hook


def test_the_hooks_are_those_of_the_contract() -> None:
    assert named(MANIFEST["contract"]) is Plugin
    contract = public(Plugin)
    assert contract == public(GuardPlugin)
    methods = {name for name in contract if inspect.isfunction(vars(Plugin)[name])}
    assert methods == set(MANIFEST["hooks"])
    for name in methods:
        wanted, has = (list(inspect.signature(getattr(owner, name)).parameters) for owner in (Plugin, GuardPlugin))
        assert has == wanted, name


def test_the_capabilities_are_the_formats_the_guard_takes() -> None:
    assert set(MANIFEST["capabilities"]["consumes"]) == {f"frames.{each.value}" for each in PixelFormat}
    assert "frames.guarded" in MANIFEST["capabilities"]["produces"]


@pytest.mark.parametrize("host", MANIFEST["hosts"], ids=lambda host: host["name"])
def test_hosts(host: dict[str, Any]) -> None:
    assert set(host) <= {"name", "integration", "entry_point", "tested_versions", "note"}
    assert host["integration"] in ("adapter", "restream", "mqtt")
    assert all(isinstance(version, str) for version in host["tested_versions"])
    if not host["tested_versions"]:
        assert "not run" in host["note"]
    if "entry_point" in host:
        assert callable(named(host["entry_point"]))


def test_every_nvr_we_write_snippets_for_is_a_host_and_documented() -> None:
    names = {host["name"] for host in MANIFEST["hosts"]}
    assert set(NVRS) <= names
    text = (CHECKOUT / "docs" / "hosts.md").read_text(encoding="utf-8").lower()
    for name in names:
        assert name.replace("homeassistant", "home assistant") in text


def test_settings_models_and_translations_exist() -> None:
    assert callable(named(MANIFEST["settings"]["schema"]))
    assert (CHECKOUT / MANIFEST["settings"]["reference"]).is_file()
    assert sorted(MANIFEST["translations"]) == sorted(languages())
    assert MANIFEST["models"]["manifest"] == "models/models.json"
    models = json.loads(resource_path("models", "models.json").read_text(encoding="utf-8"))["models"]
    assert models
    for entry in models:
        data = resource_path("models", entry["file"]).read_bytes()
        assert hashlib.new(MANIFEST["models"]["checksum"], data).hexdigest() == entry["sha256"], entry["file"]


def test_permissions_say_what_for() -> None:
    assert set(MANIFEST["permissions"]) == {"camera.read", "network.listen", "network.connect", "files.write"}
    assert all(isinstance(reason, str) and reason for reason in MANIFEST["permissions"].values())
