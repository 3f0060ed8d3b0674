"""Every place in an NVR's configuration that video comes from.

Finders list sources, not addresses that look suspicious: what is there is either ours or a problem. Facts are from
the documentation and configuration schemas of Frigate 0.16, go2rtc 1.9, Viseron 3 and motion 4.5. Home Assistant's are
in `homeassistant.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from aipg_plugin.errors import HostError

ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?[a-z][a-z0-9+.-]*://[^\s\"',|]+|/dev/video\d+", re.IGNORECASE)
_VIDEO = re.compile(r"^(?:rtsp|rtsps|rtspx|rtmp|rtmps|udp|rtp|srt|onvif)://|/dev/video", re.IGNORECASE)
_FRIGATE_VARIABLE = re.compile(r"\{(FRIGATE_[A-Z0-9_]+)\}")
IS_A_VARIABLE = "{url} names a variable that is not set here"
CANNOT_BE_JUDGED = "{url} cannot be judged"


@dataclass(frozen=True)
class Found:
    """One source: its dotted place, its address, and why it can't be judged ("" if it can)."""

    where: str
    url: str
    doubt: str = ""


class Tagged(str):
    """The text behind a tag of the NVR's own, such as `!secret name`."""

    tag = ""


class _Lenient(yaml.SafeLoader):
    """A SafeLoader that keeps tags such as `!secret` and `!include` as marked text."""


def _tagged(_loader: _Lenient, tag: str, node: yaml.Node) -> Tagged:
    text = Tagged(node.value if isinstance(node, yaml.ScalarNode) else "")
    text.tag = tag
    return text


_Lenient.add_multi_constructor("!", _tagged)


def parsed(text: str) -> dict[str, Any]:
    """A configuration as a mapping. Raises HostError when it is none."""
    try:
        # JSON is YAML too, but YAML's reader takes a minute for what Home Assistant keeps
        document = json.loads(text) if text.lstrip()[:1] == "{" else None
    except (ValueError, RecursionError):
        document = None
    try:
        document = yaml.load(text, _Lenient) if document is None else document  # a SafeLoader
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise HostError("this is not YAML: {error}", error=(str(error).splitlines() or ["?"])[0]) from error
    if not isinstance(document, dict):
        raise HostError("this is no NVR configuration: it is {kind}, not a mapping", kind=type(document).__name__)
    return document


def frigate(text: str, environ: Mapping[str, str]) -> Iterator[Found]:
    """Inputs of every camera (disabled ones too), go2rtc entries, and addresses hidden in FFmpeg arguments."""
    document = parsed(text)
    go2rtc = Go2rtc(document.get("go2rtc"), environ)
    yield from go2rtc.sources()
    for name, camera in mapping(document.get("cameras")).items():
        where = f"cameras.{name}.ffmpeg"
        ffmpeg = mapping(mapping(camera).get("ffmpeg"))
        if isinstance(mapping(camera).get("ffmpeg"), Tagged) or isinstance(camera, Tagged):
            yield Found(f"cameras.{name}", str(camera), CANNOT_BE_JUDGED)
        for index, entry in enumerate(listed(ffmpeg.get("inputs"))):
            path = _filled(mapping(entry).get("path"), environ)
            if not go2rtc.defines(path):
                yield found_at(f"{where}.inputs.{index}.path", path)
            yield from hidden(mapping(entry), f"{where}.inputs.{index}", skip=("path",))
        yield from hidden(ffmpeg, where, skip=("inputs",))
    yield from hidden(mapping(document.get("ffmpeg")), "ffmpeg")


class Go2rtc:
    """A go2rtc section: its streams, and which addresses are references to one of them."""

    def __init__(self, section: object, environ: Mapping[str, str], where: str = "go2rtc") -> None:
        self._section = mapping(section)
        self._environ = environ
        self._where = where
        self._broken = section is not None and not isinstance(section, dict)
        self._streams = mapping(self._section.get("streams"))
        listen = str(mapping(self._section.get("rtsp")).get("listen", ":8554"))
        self._port = int(listen.rpartition(":")[2]) if listen.rpartition(":")[2].isdigit() else 8554

    def defines(self, url: str) -> bool:
        """Whether this names one of the streams, which is checked where it is defined."""
        plain = url.removeprefix("ffmpeg:").split("#", 1)[0].split("?", 1)[0]
        if plain in self._streams:
            return True
        try:
            parts = urlsplit(plain)
            return (parts.scheme == "rtsp" and parts.hostname in ("127.0.0.1", "localhost", "::1")
                    and (parts.port or 554) == self._port and parts.path.strip("/") in self._streams)
        except ValueError:
            return False

    def sources(self) -> Iterator[Found]:
        """Every source of every stream that is no reference."""
        if self._broken:
            yield Found(self._where, "", CANNOT_BE_JUDGED)
        for name, value in self._streams.items():
            for index, entry in enumerate(listed(value)):
                url = _filled(entry.get("url") if isinstance(entry, dict) else entry, self._environ)
                where = f"{self._where}.streams.{name}" + (f".{index}" if isinstance(value, list) else "")
                yield from self._source(where, url)
        yield from hidden(self._section, self._where, skip=("streams", "webrtc"))

    def _source(self, where: str, url: str) -> Iterator[Found]:
        if not self.defines(url):
            yield found_at(where, url)
        for address in ADDRESS.findall(url.partition("#")[2]):  # FFmpeg arguments in the fragment
            yield found_at(where, address)


def viseron(text: str, environ: Mapping[str, str]) -> Iterator[Found]:
    """Main and sub-stream, still image and raw command of every camera; go2rtc entries."""
    document = parsed(text)
    for component in ("ffmpeg", "gstreamer"):
        section = document.get(component)
        if isinstance(section, Tagged):
            yield Found(component, str(section), CANNOT_BE_JUDGED)
        for name, camera in mapping(mapping(section).get("camera")).items():
            yield from viseron_camera(f"{component}.camera.{name}", mapping(camera))
    yield from Go2rtc(document.get("go2rtc"), environ).sources()


def viseron_camera(where: str, camera: Mapping[str, Any]) -> Iterator[Found]:
    """All sources of one camera of Viseron's `ffmpeg` or `gstreamer` component."""
    yield viseron_stream(where, camera, camera)
    substream = camera.get("substream")
    if substream:
        yield viseron_stream(f"{where}.substream", camera, mapping(substream))
    still = mapping(camera.get("still_image")).get("url")
    if still:
        yield found_at(f"{where}.still_image.url", as_text(still))
    for place, options in ((where, camera), (f"{where}.substream", mapping(substream))):
        for key in ("raw_command", "raw_pipeline"):
            if options.get(key):
                yield Found(f"{place}.{key}", as_text(options[key]), CANNOT_BE_JUDGED)


def viseron_stream(where: str, camera: Mapping[str, Any], stream: Mapping[str, Any]) -> Found:
    """The address Viseron makes of host, port and path."""
    scheme = stream.get("protocol") or {"mjpeg": "http"}.get(str(stream.get("stream_format", "rtsp")),
                                                             stream.get("stream_format", "rtsp"))
    host, path = as_text(camera.get("host")), as_text(stream.get("path"))
    if isinstance(camera.get("host"), Tagged) or isinstance(stream.get("path"), Tagged):
        return Found(where, f"{host}{path}", IS_A_VARIABLE)
    return Found(where, f"{scheme}://{host}:{as_text(stream.get('port', 554))}/{path.lstrip('/')}")


def motion(text: str, _environ: Mapping[str, str]) -> Iterator[Found]:
    """Every option that names a source, in all files that `read_motion` has joined."""
    file, number = "", 0
    for line in text.splitlines():
        number += 1
        if line.startswith(_FILE_MARK):
            file, number = line.removeprefix(_FILE_MARK) + " ", 0
            continue
        word, value = _motion_option(line)
        if word in ("netcam_url", "netcam_high_url", "netcam_highres"):
            yield found_at(f"{file}line {number} ({word})", value)
        elif word in ("videodevice", "v4l2_device", "video_device", "mmalcam_name", "libcam_device"):
            yield Found(f"{file}line {number} ({word})", value)


_FILE_MARK = "# aipg-file: "


def _motion_option(line: str) -> tuple[str, str]:
    parts = re.split(r"[\s=]+", line.strip(), maxsplit=1)
    value = (parts[1] if len(parts) > 1 else "").strip().strip("\"'")
    return ("", "") if not value or value == "(null)" or parts[0].startswith(("#", ";")) else (parts[0].lower(), value)


def read_motion(path: Path) -> str:
    """Text of motion's configuration and of the files it names. Raises OSError or UnicodeDecodeError."""
    text = path.read_text(encoding="utf-8-sig")
    for word, value in map(_motion_option, text.splitlines()):
        folder = [path.parent / value] if word == "camera" else []
        if word == "camera_dir":
            folder = sorted((path.parent / value).glob("*.conf"))
        text += "".join(f"\n{_FILE_MARK}{file.name}\n{file.read_text(encoding='utf-8-sig')}" for file in folder)
    return text


def hidden(value: object, where: str, *, skip: tuple[str, ...] = ()) -> Iterator[Found]:
    """Addresses of video in any text below `value`: an `-i rtsp://…` among FFmpeg arguments, say."""
    if isinstance(value, dict):
        for key, below in value.items():
            if key not in skip:
                yield from hidden(below, f"{where}.{key}")
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from hidden(below, f"{where}.{index}")
    elif isinstance(value, str):
        yield from (found_at(where, url) for url in ADDRESS.findall(value) if _VIDEO.search(url))


def found_at(where: str, url: str) -> Found:
    """A source, doubtful when host, port or path hang on something that is not known here. Logins may."""
    scheme, _, rest = url.partition("://")
    place = rest.split("/", 1)[0].rpartition("@")[2] + "/" + rest.partition("/")[2].split("?", 1)[0]
    unknown = isinstance(url, Tagged) or "{" in scheme or "{" in place or (not rest and "{" in url)
    return Found(where, url, IS_A_VARIABLE if unknown else "")


def _filled(value: object, environ: Mapping[str, str]) -> str:
    """Frigate's `{FRIGATE_NAME}` replaced as far as the environment has it."""
    if isinstance(value, Tagged):
        return value
    return _FRIGATE_VARIABLE.sub(lambda m: environ.get(m.group(1), m.group()), as_text(value))


def mapping(value: object) -> dict[str, Any]:
    """A mapping; empty for anything else."""
    return value if isinstance(value, dict) else {}


def listed(value: object) -> list[Any]:
    """A list; of one for anything else, and empty for None."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def as_text(value: object) -> str:
    """A scalar's text, with its tag if it has one."""
    if isinstance(value, Tagged):
        return f"!{value.tag} {value}"
    return "" if value is None else str(value).strip()
