"""Snippets that make an NVR read guarded streams only, and the check that it does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import yaml

from aipg_plugin.credentials import redacted
from aipg_plugin.errors import HostError, Problem
from aipg_plugin.hosts.guarded_urls import Addresses, GuardedUrls, guarded_urls
from aipg_plugin.options import Settings

_URL = re.compile(r"(?:rtsps?|rtmps?|https?|udp|rtp|srt|onvif|tapo|kasa|wyze|bubble|dvrip|hass|homekit|nest|ring|isapi|"
                  r"webrtc|exec|ffmpeg|echo|expr|v4l2|file)://?[^\s\"'\]]+|/dev/video\d+", re.IGNORECASE)
_VIDEO = re.compile(r"^(?:rtsps?|rtmps?|udp|rtp|srt|onvif|tapo|kasa|wyze|bubble|dvrip|isapi)://", re.IGNORECASE)


@dataclass(frozen=True)
class Nvr:
    """What we know of one NVR: how its snippet is written, and how to find the addresses in its configuration."""

    name: str
    snippet: Callable[[list[GuardedUrls]], str]
    addresses: Callable[[str], Iterator[tuple[str, str]]] | None


def snippet(nvr: str, settings: Settings, host: str = "") -> str:
    """The configuration an NVR needs. Raises HostError when no stream has a served or published output."""
    urls = guarded_urls(settings, host)
    if not urls:
        raise HostError("no stream has an output that an NVR can read", path="cameras.*.streams.*.outputs",
                        cure="Add an output of kind rtsp_serve or http")
    return NVRS[nvr].snippet(urls)


def verify(nvr: str, text: str, settings: Settings) -> list[str]:
    """The guarded addresses an NVR's configuration reads.

    Raises HostError with a problem for every address that is not one of ours, or when there is none at all.
    """
    find = NVRS[nvr].addresses
    if find is None:
        raise HostError("the configuration of {nvr} lies in its database and cannot be verified", nvr=nvr,
                        cure="Compare its sources with what this command prints without --verify")
    known = Addresses(settings)
    guarded, problems = [], []
    for where, url in find(text):
        if known.is_guarded(url):
            guarded.append(url)
        else:
            kind = "is the raw camera" if known.is_raw(url) else "is no guarded stream of this configuration"
            problems.append(Problem("{url} " + kind, path=where, cure="Put the guarded address in its place",
                                    params={"url": redacted(url)}))
    if not guarded and not problems:
        problems.append(Problem("no video source was found", cure="Check that this is the NVR's configuration"))
    if problems:
        raise HostError("", problems=problems)
    return guarded


# --- Frigate -----------------------------------------------------------------------------------------


def _frigate_snippet(urls: list[GuardedUrls]) -> str:
    cameras: dict[str, Any] = {}
    for camera in dict.fromkeys(url.camera for url in urls):
        streams = [url for url in urls if url.camera == camera]
        inputs = [{"path": streams[0].video, "roles": ["record"] + (["detect"] if len(streams) == 1 else [])}]
        if len(streams) > 1:
            inputs.append({"path": streams[-1].video, "roles": ["detect"]})
        for entry, stream in zip(inputs, (streams[0], streams[-1]), strict=False):
            entry["input_args"] = "preset-rtsp-restream" if stream.rtsp else "preset-http-mpegts-generic"
        cameras[camera.replace(".", "_")] = {"ffmpeg": {"inputs": inputs}}
    return ("# Frigate: the guarded streams as the only inputs. Remove every raw URL, go2rtc entries too.\n"
            + yaml.safe_dump({"cameras": cameras}, sort_keys=False))


def _frigate_addresses(text: str) -> Iterator[tuple[str, str]]:
    document = _yaml(text)
    streams = _mapping(_mapping(document.get("go2rtc")).get("streams"))
    for where, url in _walk({"go2rtc": document.get("go2rtc"), "cameras": document.get("cameras"),
                             "ffmpeg": document.get("ffmpeg")}, ""):
        if not _is_own_restream(url, streams):
            yield where, url


def _is_own_restream(url: str, streams: dict[str, Any]) -> bool:
    """Whether an address is another go2rtc entry, which is checked where it is defined."""
    plain = url.removeprefix("ffmpeg:").split("#", 1)[0]
    if plain in streams:
        return True
    try:
        parts = urlsplit(plain)
        return (parts.scheme == "rtsp" and parts.hostname in ("127.0.0.1", "localhost") and parts.port == 8554
                and parts.path.strip("/") in streams)
    except ValueError:
        return False


# --- Viseron -----------------------------------------------------------------------------------------


def _viseron_snippet(urls: list[GuardedUrls]) -> str:
    cameras = {}
    for url in urls:
        parts = urlsplit(url.video)
        entry: dict[str, Any] = {"name": f"{url.camera} {url.stream}", "host": parts.hostname, "port": parts.port,
                                 "path": parts.path, "protocol": parts.scheme}
        if not url.rtsp:
            entry["stream_format"] = "mpegts"
        if parts.username:
            entry |= {"username": parts.username, "password": parts.password}
        cameras[f"{url.camera}_{url.stream}".lower()] = entry
    return ("# Viseron: the guarded streams as its cameras; it records by stream copy, so it must know no other.\n"
            + yaml.safe_dump({"ffmpeg": {"camera": cameras}}, sort_keys=False))


def _viseron_addresses(text: str) -> Iterator[tuple[str, str]]:
    document = _yaml(text)
    for component in ("ffmpeg", "gstreamer"):
        for name, camera in _mapping(_mapping(document.get(component)).get("camera")).items():
            where = f"{component}.camera.{name}"
            yield from _viseron_camera(where, _mapping(camera))
            substream = _mapping(camera).get("substream")
            if isinstance(substream, dict):
                yield from _viseron_camera(f"{where}.substream", {**_mapping(camera), **substream})
    go2rtc = _mapping(document.get("go2rtc"))
    yield from _walk({"go2rtc": go2rtc}, "")


def _viseron_camera(where: str, camera: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if camera.get("host"):
        scheme = str(camera.get("protocol") or ("rtsp" if camera.get("stream_format", "rtsp") == "rtsp" else "http"))
        port = camera.get("port", 554)
        path = str(camera.get("path", "")).lstrip("/")
        yield where, f"{scheme}://{camera['host']}:{port}/{path}"


# --- ZoneMinder, motion, Home Assistant -----------------------------------------------------------------


def _zoneminder_snippet(urls: list[GuardedUrls]) -> str:
    lines = ["# ZoneMinder: Console → Add; one monitor for each guarded stream, and none for the raw camera."]
    for url in urls:
        lines += [f"Monitor {url.camera}-{url.stream}:", "  General: Source Type  Ffmpeg, Function  Modect or Record",
                  f"  Source:  Source Path  {url.video}", "           Method       " + ("TCP" if url.rtsp else "-")]
    return "\n".join(lines) + "\n"


def _motion_snippet(urls: list[GuardedUrls]) -> str:
    parts = ["# motion: one file for each camera, named in motion.conf with `camera`."]
    for number, url in enumerate(urls, 1):
        parts += [f"# --- camera{number}.conf", f"camera_name {url.camera}_{url.stream}", f"netcam_url {url.video}"]
        if url.rtsp:
            parts.append("netcam_params rtsp_transport=tcp")
    return "\n".join(parts) + "\n"


def _motion_addresses(text: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        word, _, value = line.strip().partition(" ")
        if word in ("netcam_url", "netcam_high_url", "netcam_highres", "videodevice", "v4l2_device", "video_device"):
            yield f"line {number} ({word})", value.strip().strip('"')


def _homeassistant_snippet(urls: list[GuardedUrls]) -> str:
    cameras = []
    for url in urls:
        entry = {"platform": "ffmpeg", "name": f"{url.camera} {url.stream} guarded", "input": url.video}
        cameras.append(entry)
    return ("# Home Assistant: guarded cameras (configuration.yaml). Controls and sensors come by MQTT discovery.\n"
            + yaml.safe_dump({"camera": cameras}, sort_keys=False))


def _homeassistant_addresses(text: str) -> Iterator[tuple[str, str]]:
    document = _yaml(text)
    yield from _walk({key: document.get(key) for key in ("camera", "stream", "go2rtc", "ffmpeg")}, "", http=True)


# --- common ------------------------------------------------------------------------------------------


class _Lenient(yaml.SafeLoader):
    """Reads configurations with tags of the NVR's own (`!secret`, `!include`) as plain text."""


_Lenient.add_multi_constructor("!", lambda loader, suffix, node: getattr(node, "value", suffix))


def _yaml(text: str) -> dict[str, Any]:
    try:
        document = yaml.load(text, _Lenient)  # a SafeLoader
    except yaml.YAMLError as error:
        raise HostError("this is not YAML: {error}", error=str(error).splitlines()[0]) from error
    if not isinstance(document, dict):
        raise HostError("this is no NVR configuration: it is {kind}, not a mapping", kind=type(document).__name__)
    return document


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _walk(value: object, where: str, *, http: bool = True) -> Iterator[tuple[str, str]]:
    """Every address in a tree of values, with its dotted path."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _walk(below, f"{where}.{key}" if where else str(key), http=http)
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _walk(below, f"{where}.{index}", http=http)
    elif isinstance(value, str):
        for match in _URL.finditer(value):
            if http or _VIDEO.match(match.group()):
                yield where, match.group()


NVRS: dict[str, Nvr] = {
    "frigate": Nvr("frigate", _frigate_snippet, _frigate_addresses),
    "viseron": Nvr("viseron", _viseron_snippet, _viseron_addresses),
    "zoneminder": Nvr("zoneminder", _zoneminder_snippet, None),
    "motion": Nvr("motion", _motion_snippet, _motion_addresses),
    "homeassistant": Nvr("homeassistant", _homeassistant_snippet, _homeassistant_addresses),
}

