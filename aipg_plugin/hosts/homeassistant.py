"""Where Home Assistant's video comes from: configuration.yaml, and what was added on its pages (`.storage`).

Facts are from the source of Home Assistant 2024.3 to 2026.2.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from aipg_plugin.hosts.nvr_sources import (
    ADDRESS,
    CANNOT_BE_JUDGED,
    IS_A_VARIABLE,
    Found,
    Go2rtc,
    Tagged,
    as_text,
    found_at,
    hidden,
    listed,
    mapping,
    parsed,
)

_REGISTRY = "core.entity_registry"
_BY_ADDRESS = frozenset({"generic", "mjpeg", "ffmpeg"})  # cameras whose entries hold the address
_NO_VIDEO = frozenset({"demo", "mqtt", "template", "push", "local_file", "proxy", "buienradar", "environment_canada",
                       "hyperion", "neato", "trafikverket_camera"})  # and maps, cars and weather
_CAMERA_DOMAINS = frozenset({
    "agent_dvr", "amcrest", "android_ip_webcam", "arlo", "axis", "blink", "canary", "dahua", "doorbird", "ezviz",
    "foscam", "hikvision", "lorex", "motioneye", "nest", "netatmo", "onvif", "reolink", "ring", "skybell",
    "tapo_control", "unifiprotect", "vivotek", "yi"})


def read(path: Path) -> str:
    """Text of a configuration; for core.config_entries with the cameras that the entity registry beside it names.

    Raises OSError or UnicodeDecodeError.
    """
    text = path.read_text(encoding="utf-8-sig")
    registry = path.with_name(_REGISTRY)
    if path.name != "core.config_entries" or not registry.is_file() or not is_config_entries(text):
        return text
    entities = listed(mapping(parsed(registry.read_text(encoding="utf-8-sig")).get("data")).get("entities"))
    cameras = {as_text(entity.get("config_entry_id")) for entity in map(mapping, entities)
               if as_text(entity.get("entity_id")).startswith("camera.")}
    return json.dumps({**parsed(text), _REGISTRY: sorted(cameras)})


def sources(text: str, _environ: Mapping[str, str]) -> Iterator[Found]:
    """Cameras of configuration.yaml, its packages too, or of .storage/core.config_entries for those of the pages."""
    document = parsed(text)
    if is_config_entries(text):
        yield from _config_entries(document["data"]["entries"], frozenset(listed(document.get(_REGISTRY))))
        return
    yield from _package("", document)
    core = document.get("homeassistant")
    packages = core if isinstance(core, Tagged) else mapping(core).get("packages")
    if isinstance(packages, Tagged):
        yield Found("homeassistant", as_text(packages), CANNOT_BE_JUDGED)
    for name, package in mapping(packages).items():
        where = f"homeassistant.packages.{name}"
        if isinstance(package, Tagged):
            yield Found(where, as_text(package), CANNOT_BE_JUDGED)
        yield from _package(f"{where}.", mapping(package))


def may_be_empty(text: str) -> bool:
    """Whether this is a file of Home Assistant's that is complete without a camera: they may be added on its pages."""
    return is_config_entries(text) or not parsed(text).keys().isdisjoint({"default_config", "homeassistant"})


def is_config_entries(text: str) -> bool:
    """Whether this is Home Assistant's .storage/core.config_entries, which lists integrations of every kind."""
    return isinstance(mapping(parsed(text).get("data")).get("entries"), list)


def _package(where: str, document: dict[str, Any]) -> Iterator[Found]:
    """Sources of configuration.yaml or of a package; `where` is what comes before its keys."""
    for key, value in document.items():
        base = str(key).split(" ", 1)[0]
        if base in ("camera", "stream", "ffmpeg", "go2rtc") and isinstance(value, Tagged):
            yield Found(f"{where}{key}", as_text(value), CANNOT_BE_JUDGED)
        if base != "camera":
            continue
        for index, camera in enumerate(listed(value)):
            yield from _camera(f"{where}{key}.{index}", mapping(camera))
    yield from Go2rtc(document.get("go2rtc"), {}, f"{where}go2rtc").sources()
    for key in ("stream", "ffmpeg", "homekit", "image_processing"):
        yield from hidden(mapping(document.get(key)), f"{where}{key}")


def _camera(where: str, camera: dict[str, Any]) -> Iterator[Found]:
    platform = as_text(camera.get("platform"))
    seen = False
    for key in ("input", "stream_source", "still_image_url", "mjpeg_url"):
        value = camera.get(key)
        if value:
            seen = True
            addresses = [] if isinstance(value, Tagged) else ADDRESS.findall(as_text(value))
            yield from (found_at(f"{where}.{key}", url) for url in addresses)
            if not addresses:
                yield Found(f"{where}.{key}", as_text(value), IS_A_VARIABLE)
    if not seen and platform not in _NO_VIDEO:
        yield Found(where, f"{platform}://{as_text(camera.get('host'))}")


def _config_entries(entries: list[Any], cameras: frozenset[str]) -> Iterator[Found]:
    """`cameras` are ids of entries that the entity registry has a camera of. What a user ignores shows nothing."""
    for entry in map(mapping, entries):
        domain = as_text(entry.get("domain"))
        if entry.get("source") == "ignore" or domain in _NO_VIDEO:
            continue
        values = {**mapping(entry.get("data")), **mapping(entry.get("options"))}
        where = f"{domain} “{entry.get('title', '')}”"
        for key in ("stream_source", "still_image_url", "mjpeg_url", "input"):
            if values.get(key):
                yield found_at(f"{where}.{key}", as_text(values[key]))
        if domain in _CAMERA_DOMAINS or (entry.get("entry_id") in cameras and domain not in _BY_ADDRESS):
            port = f":{values['port']}" if values.get("port") else ""
            yield Found(where, f"{domain}://{as_text(values.get('host'))}{port}")
