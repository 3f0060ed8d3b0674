"""The sources of a Viseron camera and of go2rtc, held against the guarded addresses. Standard library, Python 3.10."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

_PROTOCOLS = {"rtsp": "rtsp", "rtmp": "rtmp", "mjpeg": "http"}  # of `stream_format`, unless `protocol` is set
_PORTS = {"rtsp": 554, "http": 80, "https": 443}


class GuardedSources:
    """The addresses that may be recorded, for each of Viseron's cameras."""

    def __init__(self, cameras: Mapping[str, Iterable[str]]) -> None:
        self._known = {name: {_key(url) for url in urls} for name, urls in cameras.items()}
        self._all = set().union(*self._known.values()) if self._known else set()

    def camera_faults(self, name: str, config: Mapping[str, Any]) -> list[str]:
        """What of a camera's configuration is not guarded; cameras that are not named are left alone."""
        known = self._known.get(name)
        if known is None:
            return []
        return [f"{where}: {_shown(url)} is no guarded stream" for where, url in _sources(name, config)
                if _key(url) not in known]

    def go2rtc_faults(self, section: object) -> list[str]:
        """What go2rtc would show of our cameras that is not guarded."""
        given = section.get("streams") if isinstance(section, Mapping) else None
        streams: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
        found = []
        for name, value in streams.items():
            entries = value if isinstance(value, list) else [value]
            for url in (entry.get("url") if isinstance(entry, Mapping) else entry for entry in entries):
                plain = str(url).split("#", 1)[0]
                plain = plain[len("ffmpeg:"):] if plain.startswith("ffmpeg:") else plain
                if name in self._known and plain not in streams and _key(plain) not in self._all:
                    found.append(f"go2rtc.streams.{name}: {_shown(str(url))} is no guarded stream")
        return found


def _sources(name: str, config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for where, part in ((name, config), (f"{name}.substream", config.get("substream"))):
        if not isinstance(part, Mapping):
            continue
        protocol = part.get("protocol") or _PROTOCOLS.get(str(part.get("stream_format") or "rtsp"), "?")
        yield where, f"{protocol}://{config.get('host')}:{part.get('port') or ''}{part.get('path') or ''}"
        for key in ("raw_command", "raw_pipeline"):
            if part.get(key):
                yield f"{where}.{key}", str(part[key])
    still = config.get("still_image")
    if isinstance(still, Mapping) and still.get("url"):
        yield f"{name}.still_image.url", str(still["url"])


def _key(url: str) -> tuple[str, str, int, str]:
    try:
        parts = urlsplit(url)
        return (parts.scheme.lower(), (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme, 0),
                parts.path.rstrip("/"))
    except ValueError:
        return ("", url, 0, "")


def _shown(url: str) -> str:
    """Without a login."""
    scheme, found, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if found and " " not in url else url.split(" ", 1)[0]
