"""Whether a Viseron configuration can leak: its recorder copies each camera's main stream as it comes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
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


class SourceJudge:
    """Whether a source may be in Viseron.

    The main stream of each of our cameras is recorded by copy, so it must be a guarded address; a sub-stream may be
    raw, for Viseron only decodes it and its frames pass through us. What shows the host of such a raw sub-stream under
    another name is as bad, so hosts are remembered.
    """

    def __init__(self, ours: Ours) -> None:
        self._addresses = Addresses(ours.settings, ours.guarded_sources)
        self.names = {camera.id for camera in ours.settings.cameras}
        self._raw_hosts: set[str] = set()

    def learn(self, streams: Iterable[tuple[str, Found]]) -> None:
        """Remember the hosts of our cameras' raw sub-streams."""
        self._raw_hosts |= {_host(found.url) for name, found in streams
                            if name in self.names and _is_raw(found, self._addresses)}

    def problems(self, streams: Iterable[tuple[str, Found]]) -> list[Problem]:
        """What must not be, of the sources of cameras; each is a camera's name and a source."""
        risky = [found for name, found in streams
                 if (name in self.names and not found.where.endswith(".substream")) or
                 (name not in self.names and (found.doubt == "" and _host(found.url) in self._raw_hosts))]
        return judge(risky, self._addresses)[1]

    def camera_faults(self, name: str, camera: Mapping[str, Any]) -> list[str]:
        """Texts of `problems` for one camera as Viseron has it now, which is remembered too."""
        streams = [(name, found) for found in viseron_camera(name, camera)]
        self.learn(streams)
        return [problem.text() for problem in self.problems(streams)]

    def go2rtc_faults(self, section: object) -> list[str]:
        """Texts of `problems` for a go2rtc section."""
        return [problem.text() for problem in self.problems(_go2rtc({"go2rtc": section}))]


def judged(config: Mapping[str, Any]) -> tuple[Ours, SourceJudge]:
    """Our part of Viseron's configuration, if it is safe to start, and the judge of what comes later.

    Raises HostError with every place that is not safe.
    """
    ours = read_key(config.get(COMPONENT))
    judge_ = SourceJudge(ours)
    streams = list(_streams(config))
    judge_.learn(streams)
    problems = judge_.problems(streams)
    known = {camera for camera, _ in streams}
    problems += [Problem("{camera} is no camera of Viseron's", path=f"{COMPONENT}.cameras", params={"camera": name},
                         cure="Use the camera identifiers of Viseron's ffmpeg or gstreamer component")
                 for name in sorted(judge_.names - known)]
    if problems:
        raise HostError("", problems=problems)
    return ours, judge_


def refuse_unsafe(config: Mapping[str, Any]) -> Ours:
    """Our part of Viseron's configuration, if it is safe to start. Raises as `judged` does."""
    return judged(config)[0]


def _streams(config: Mapping[str, Any]) -> Iterator[tuple[str, Found]]:
    for component in ("ffmpeg", "gstreamer"):
        section = config.get(component)
        cameras = section.get("camera") if isinstance(section, dict) else None
        for name, camera in cameras.items() if isinstance(cameras, dict) else ():
            for found in viseron_camera(f"{component}.camera.{name}", camera if isinstance(camera, dict) else {}):
                yield name, found
    yield from _go2rtc(config)


def _go2rtc(config: Mapping[str, Any]) -> Iterator[tuple[str, Found]]:
    for found in Go2rtc(config.get("go2rtc"), {}).sources():
        yield [*found.where.split("."), "", "", ""][2], found


def _is_raw(found: Found, addresses: Addresses) -> bool:
    return found.where.endswith(".substream") and not addresses.is_guarded(found.url)


def _host(url: str) -> str:
    return url.partition("://")[2].split("/", 1)[0].rpartition("@")[2].partition(":")[0].lower()
