"""Whether a Viseron configuration can leak: its recorder copies each camera's main stream as it comes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aipg_plugin.errors import HostError, Problem
from aipg_plugin.hosts.guarded_urls import Addresses
from aipg_plugin.hosts.nvr import judge
from aipg_plugin.hosts.nvr_sources import Found, Go2rtc, viseron_camera
from aipg_plugin.options import Settings
from aipg_plugin.settings.loader import validate

COMPONENT = "aipg"
_OURS = ("guarded_sources", "object_detector")


@dataclass(frozen=True)
class Ours:
    """What stands under `aipg:` in Viseron's YAML: our settings, the addresses of guarded restreams that may be
    recorded, and what Viseron's object detector domain wants to know.
    """

    settings: Settings
    guarded_sources: tuple[str, ...]
    object_detector: dict[str, Any]


def read_key(value: object) -> Ours:
    """Check the value of the key `aipg`. Raises SettingsError or HostError."""
    if not isinstance(value, Mapping):
        raise HostError("the key has no settings", path=COMPONENT, cure="Add cameras below it, see docs/hosts.md")
    sources = value.get("guarded_sources") or []
    if not isinstance(sources, list) or not all(isinstance(url, str) for url in sources):
        raise HostError("guarded_sources is not a list of addresses", path=f"{COMPONENT}.guarded_sources",
                        cure="List the rtsp:// or http:// addresses of guarded streams")
    settings = validate({key: below for key, below in value.items() if key not in _OURS})
    return Ours(settings, tuple(sources), dict(value.get("object_detector") or {}))


def recorded_sources(config: Mapping[str, Any]) -> list[str]:
    """The guarded addresses that Viseron records with our component in it. Raises as `refuse_unsafe` does."""
    names = {camera.id for camera in refuse_unsafe(config).settings.cameras}
    return [found.url for name, found in _streams(config) if name in names and not found.where.endswith(".substream")]


def refuse_unsafe(config: Mapping[str, Any]) -> Ours:
    """Our part of Viseron's configuration, if it is safe to start.

    The main stream of each of our cameras is recorded by copy, so it must be a guarded address; a sub-stream may be
    raw, for Viseron only decodes it and its frames pass through us. Raises HostError with every place that is not so.
    """
    ours = read_key(config.get(COMPONENT))
    addresses = Addresses(ours.settings, ours.guarded_sources)
    names = {camera.id for camera in ours.settings.cameras}
    raw_hosts = {_host(found.url) for name, found in _streams(config) if name in names and _is_raw(found, addresses)}
    risky = [found for name, found in _streams(config)
             if (name in names and not found.where.endswith(".substream")) or
             (name not in names and (found.doubt == "" and _host(found.url) in raw_hosts))]
    known = {camera for camera, _ in _streams(config)}
    problems = judge(risky, addresses)[1]
    problems += [Problem("{camera} is no camera of Viseron's", path=f"{COMPONENT}.cameras", params={"camera": name},
                         cure="Use the camera identifiers of Viseron's ffmpeg or gstreamer component")
                 for name in sorted(names - known)]
    if problems:
        raise HostError("", problems=problems)
    return ours


def _streams(config: Mapping[str, Any]) -> Iterator[tuple[str, Found]]:
    for component in ("ffmpeg", "gstreamer"):
        section = config.get(component)
        cameras = section.get("camera") if isinstance(section, dict) else None
        for name, camera in cameras.items() if isinstance(cameras, dict) else ():
            for found in viseron_camera(f"{component}.camera.{name}", camera if isinstance(camera, dict) else {}):
                yield name, found
    for found in Go2rtc(config.get("go2rtc"), {}).sources():
        yield [*found.where.split("."), "", "", ""][2], found


def _is_raw(found: Found, addresses: Addresses) -> bool:
    return found.where.endswith(".substream") and not addresses.is_guarded(found.url)


def _host(url: str) -> str:
    return url.partition("://")[2].split("/", 1)[0].rpartition("@")[2].partition(":")[0].lower()
