"""`aipg addon`: run as a Home Assistant add-on: options to settings, broker from the Supervisor, pages by ingress."""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError

import yaml

from aipg_plugin.cli import run as run_command
from aipg_plugin.errors import SettingsError

_log = logging.getLogger(__name__)
OPTIONS = Path("/data/options.json")      # written by the Supervisor from what the user entered
SETTINGS = Path("/config/guard.yaml")     # the folder that `map: addon_config` gives
SUPERVISOR = "http://supervisor"          # the only other machine that an add-on may ask
INGRESS_PROXY = "172.30.32.2"             # from which ingress sends requests, with the user's name in a header
INGRESS_USER = "X-Remote-User-Name"
_NO_BROKER = {"host": "off", "port": "1883", "username": "nobody", "password": "unused"}  # what the service would give
_HEAD = "# Made from the add-on's options at its first start; since then the pages and this file have the settings.\n"


@dataclass(frozen=True)
class AddonCamera:
    """A camera as the options have it."""

    name: str
    url: str
    mount: str = "ceiling"
    camera_height: float = 3.0
    guard: bool = True


@dataclass(frozen=True)
class AddonOptions:
    """The add-on's options."""

    username: str
    password: str
    cameras: tuple[AddonCamera, ...] = ()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `aipg addon`."""
    parser.epilog = "For the Supervisor of Home Assistant; see addon/README.md."
    parser.add_argument("--options", type=Path, default=OPTIONS, help="options file (default %(default)s)")
    parser.add_argument("--settings", type=Path, default=SETTINGS, help="settings file (default %(default)s)")
    parser.add_argument("--supervisor", default=SUPERVISOR, help="address of the Supervisor (default %(default)s)")
    parser.add_argument("--seconds", type=float, help="stop after this long (for trials)")


def run(options: argparse.Namespace) -> int:
    """Make the settings if there are none, then guard until stopped. Raises SettingsError."""
    os.environ |= prepare(options.options, options.settings, options.supervisor)
    return run_command.run(argparse.Namespace(config=str(options.settings), seconds=options.seconds))


def prepare(options: Path, settings: Path, supervisor: str) -> dict[str, str]:
    """Write the settings file if there is none; returns the variables it refers to. Raises SettingsError."""
    given = read_options(options)
    if not settings.exists():
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.touch(mode=0o600)  # before the text, which may hold a camera's password
        settings.write_text(settings_text(given), encoding="utf-8")
        _log.info("settings written to %s from the add-on's options", settings)
    return {"AIPG_PASSWORD": given.password, **broker(supervisor)}


def read_options(file: Path) -> AddonOptions:
    """The options. Raises SettingsError when the file can't be read or lacks something."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        cameras = tuple(AddonCamera(**{key: value for key, value in camera.items() if value is not None})
                        for camera in data.get("cameras") or ())
        return AddonOptions(data["username"], data["password"] or "", cameras)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError("the add-on's options cannot be read: {why}", why=type(error).__name__, path=str(file),
                            cure="Save them on the add-on's page") from error


def broker(supervisor: str) -> dict[str, str]:
    """The MQTT service as variables for the settings; without one MQTT stays off."""
    request = urllib.request.Request(f"{supervisor}/services/mqtt", headers={
        "Authorization": f"Bearer {os.environ.get('SUPERVISOR_TOKEN', '')}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            data: Mapping[str, Any] = json.load(response)["data"]
        return {f"AIPG_MQTT_{name.upper()}": str(data[name]) for name in _NO_BROKER}
    except (URLError, OSError, ValueError, KeyError, TypeError) as error:
        _log.warning("the Supervisor offers no MQTT broker (%s); install the Mosquitto add-on to have controls and "
                     "sensors in Home Assistant", type(error).__name__)
        return {f"AIPG_MQTT_{name.upper()}": value for name, value in _NO_BROKER.items()}


def settings_text(options: AddonOptions) -> str:
    """The first settings of the add-on, as YAML. Secrets stay variables."""
    cameras = {_identifier(camera.name): {
        "name": camera.name, "mount": camera.mount, "camera_height": camera.camera_height,
        "streams": {"1": {"source": camera.url, "outputs": ["rtsp_serve", "http"]}},
        "privacy_guard": {"enabled": camera.guard, "target_streams": "all"}} for camera in options.cameras}
    settings = {
        "cameras": cameras,
        "mqtt": {"broker": "${AIPG_MQTT_HOST}", "port": "${AIPG_MQTT_PORT}", "username": "${AIPG_MQTT_USERNAME}",
                 "password": "${AIPG_MQTT_PASSWORD}", "persist_commands": True},
        "web": {"host": "0.0.0.0", "username": options.username, "password": "${AIPG_PASSWORD}",
                "trusted_proxies": [INGRESS_PROXY], "user_header": INGRESS_USER},
    }
    return _HEAD + yaml.safe_dump(settings, sort_keys=False, allow_unicode=True, width=1000)


def _identifier(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "camera"
