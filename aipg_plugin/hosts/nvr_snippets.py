"""What to write into an NVR's configuration so that guarded streams are all it knows."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

from aipg_plugin.hosts.guarded_urls import GuardedUrls

# Frigate's presets for HTTP are for MJPEG and FLV; its default expects RTSP.
_FRIGATE_TS_ARGS = "-fflags +genpts+discardcorrupt -rw_timeout 10000000"


def frigate(urls: list[GuardedUrls]) -> str:
    """Cameras with the first stream recorded and the last one detected on."""
    cameras: dict[str, Any] = {}
    for camera in dict.fromkeys(url.camera for url in urls):
        streams = [url for url in urls if url.camera == camera]
        roles = [["record", "detect"]] if len(streams) == 1 else [["record"], ["detect"]]
        inputs = [{"path": stream.video, "input_args": "preset-rtsp-restream" if stream.rtsp else _FRIGATE_TS_ARGS,
                   "roles": role} for stream, role in zip((streams[0], streams[-1]), roles, strict=False)]
        cameras[_word(camera)] = {"ffmpeg": {"inputs": inputs}, "detect": {"enabled": True},
                                  "record": {"enabled": True}}
    return ("# Frigate: the guarded streams as the only inputs. Remove every raw URL, go2rtc entries too.\n"
            "# Frigate detects and records only where it is enabled; how long it keeps recordings is for you to set.\n"
            + _dump({"cameras": cameras}))


def viseron(urls: list[GuardedUrls]) -> str:
    """One camera for each guarded stream."""
    return ("# Viseron: the guarded streams as its cameras; it records by stream copy, so it must know no other.\n"
            + _dump(_viseron(urls)))


def viseron_client(urls: list[GuardedUrls], pages_url: str, login: tuple[str, str]) -> str:
    """The same for the component that `aipg nvr viseron --component` copies; `login` is that of the pages."""
    cameras = {_viseron_name(url): {"camera": url.camera, "sources": [_without_login(url.video)]} for url in urls}
    detector = {name: {"labels": [{"label": "person", "confidence": 0.2}]} for name in cameras}
    ours = {"url": pages_url, **({"username": login[0], "password": login[1]} if login[0] else {}),
            "cameras": cameras, "object_detector": {"cameras": detector}}
    return ("# Viseron with the component aipg: it stops a camera that has another source than those listed, and its\n"
            "# object detector are the people that aipg run sees.\n" + _dump({**_viseron(urls), "aipg": ours}))


def _viseron(urls: list[GuardedUrls]) -> dict[str, Any]:
    cameras = {}
    for url in urls:
        parts = urlsplit(url.video)
        host = parts.hostname or ""
        entry: dict[str, Any] = {"name": f"{url.camera} {url.stream}", "host": f"[{host}]" if ":" in host else host,
                                 "port": parts.port or 554, "path": parts.path}
        if not url.rtsp:
            entry["stream_format"] = "mjpeg"  # its word for HTTP; ffmpeg finds out that it is MPEG-TS
        if parts.username:
            entry |= {"username": unquote(parts.username), "password": unquote(parts.password or "")}
        cameras[_viseron_name(url)] = entry
    return {"ffmpeg": {"camera": cameras}}


def _viseron_name(url: GuardedUrls) -> str:
    return _word(f"{url.camera}_{url.stream}").lower().replace("-", "_")


def _without_login(url: str) -> str:
    scheme, _, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    return f"{scheme}://{place.rpartition('@')[2]}{slash}{path}"


def motion(urls: list[GuardedUrls]) -> str:
    """One file for each camera. motion takes MJPEG alone over HTTP, and all cameras' movies have the same names."""
    parts = ["# motion: one file for each camera, named in motion.conf with `camera`."]
    for number, url in enumerate(urls, 1):
        video = url.rtsp or url.mjpeg
        login = urlsplit(video)
        address = video.replace(f"{login.username}:{login.password}@", "") if login.username else video
        parts += [f"# --- camera{number}.conf", f"camera_name {url.camera}_{url.stream}", f"netcam_url {address}",
                  "movie_filename %$-%v-%Y%m%d%H%M%S"]
        if not url.rtsp:
            parts.append("# Over HTTP it is MJPEG at 10 fps: an output of kind rtsp_serve has the full rate.")
        if login.username:
            parts.append(f"netcam_userpass {unquote(login.username)}:{unquote(login.password or '')}")
    return "\n".join(parts) + "\n"


def homeassistant(urls: list[GuardedUrls]) -> str:
    """Cameras of the FFmpeg integration; the rest comes by MQTT discovery."""
    cameras = [{"platform": "ffmpeg", "name": f"{url.camera} {url.stream} guarded", "input": url.video}
               for url in urls]
    return ("# Home Assistant: guarded cameras (configuration.yaml). Controls and sensors come by MQTT discovery.\n"
            + _dump({"camera": cameras}))


def _word(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)


def _dump(value: object) -> str:
    return yaml.safe_dump(value, sort_keys=False, width=1000)
