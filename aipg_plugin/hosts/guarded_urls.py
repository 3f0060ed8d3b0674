"""Which addresses carry guarded pictures, and which carry raw ones."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from aipg_plugin.credentials import revealed
from aipg_plugin.media import served
from aipg_plugin.options import OutputKind, Settings, Web

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1", "0.0.0.0"})
_DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443, "rtmp": 1935, "onvif": 80}
_OURS = re.compile(rf"{served.HTTP_PREFIX}[^/]+/[^/]+\.({'|'.join(served.HTTP_KINDS)})")


@dataclass(frozen=True)
class GuardedUrls:
    """The guarded addresses of one stream; empty where it has no such output. `size_wh` is None until measured."""

    camera: str
    stream: str
    rtsp: str = ""
    ts: str = ""
    mjpeg: str = ""
    jpeg: str = ""
    size_wh: tuple[int, int] | None = None

    @property
    def video(self) -> str:
        """The one an NVR should read: RTSP where there is one, else MPEG-TS."""
        return self.rtsp or self.ts


def guarded_urls(settings: Settings, host: str = "") -> list[GuardedUrls]:
    """Addresses of every enabled stream that has a served or published output, as seen from `host`."""
    web = settings.web
    host = host or web.host
    login = f"{quote(web.username, safe='')}:{quote(web.password or '', safe='')}@" if web.username else ""
    found = []
    for camera in settings.cameras:
        for stream in camera.streams if camera.enabled else ():
            kinds = {output.kind: output for output in stream.outputs}
            name = served.stream_name(camera.id, stream.id)
            rtsp = ts = mjpeg = jpeg = ""
            if OutputKind.RTSP_PUBLISH in kinds:
                rtsp = revealed(kinds[OutputKind.RTSP_PUBLISH].target)  # with its login, for the NVR's configuration
            if OutputKind.RTSP_SERVE in kinds:
                rtsp = served.rtsp_url(host, web.rtsp_port, name, login=login)
            if OutputKind.HTTP in kinds:
                ts, mjpeg, jpeg = (served.http_url(host, web.port, name, kind, login=login)
                                   for kind in served.HTTP_KINDS)
            if rtsp or ts:
                found.append(GuardedUrls(camera.id, stream.id, rtsp, ts, mjpeg, jpeg))
    return found


def onvif_urls(settings: Settings) -> list[str]:
    """What clients find by ONVIF: the device, for those that name it by host and port alone, and its streams."""
    web = settings.web
    streams = [served.rtsp_url(web.host, web.rtsp_port, served.stream_name(camera.id, stream.id), metadata=True)
               for camera in settings.cameras if camera.enabled for stream in camera.streams
               if any(output.kind is OutputKind.RTSP_SERVE for output in stream.outputs)]
    return [f"onvif://{served.in_url(web.host)}:{web.port}", *streams] if streams else []


class Addresses:
    """Tells guarded from raw addresses, whatever login, query or fragment they carry.

    Without settings only addresses that no other program has are ours: `/streams/<camera>/<stream>.ts` (.mjpeg,
    .jpg) on our HTTP port. An RTSP address on port 8554 could be any camera's, so those need the settings. `more` are
    further addresses known to be guarded, host and all.
    """

    def __init__(self, settings: Settings | None, more: Iterable[str] = ()) -> None:
        known = guarded_urls(settings) if settings is not None else []
        self._ours = {_key(url) for urls in known for url in (urls.rtsp, urls.ts, urls.mjpeg, urls.jpeg) if url}
        if settings is not None and settings.web.onvif:
            self._ours |= {_key(url) for url in onvif_urls(settings)}
        self._guarded = self._ours | {_key(url) for url in more}
        self._settings = settings
        web = settings.web if settings is not None else Web()
        self._ports = {web.port, web.rtsp_port}
        sources = [revealed(stream.source.url) for camera in (settings.cameras if settings is not None else ())
                   for stream in camera.streams]
        self._raw = {_key(url) for url in sources}
        self._raw_hosts = {key[0] for key in self._raw if key[1] and key[0] not in _LOOPBACK}

    def is_guarded(self, url: str) -> bool:
        """Whether this is an address of ours. Our own host may go by any name but a raw camera's."""
        host, port, path = _key(url)
        if (host, port, path) in self._raw:
            return False
        if (host, port, path) in self._guarded:
            return True
        if self._settings is None:
            return port == Web().port and _OURS.fullmatch(path) is not None
        if host in self._raw_hosts or port not in self._ports:
            return False
        return any(port == p and path == q for _h, p, q in self._ours)

    def is_raw(self, url: str) -> bool:
        """Whether this is a raw source of the settings, or another address on a raw camera's host."""
        key = _key(url)
        return key in self._raw or key[0] in self._raw_hosts


def _key(url: str) -> tuple[str, int, str]:
    """Host, port and path; hosts on this machine are one. A port of 0 where it is no network address."""
    plain = url.removeprefix("ffmpeg:").split("#", 1)[0]
    try:
        parts = urlsplit(plain)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
        host = (parts.hostname or "").lower()
    except ValueError:
        return plain, 0, ""
    if not host:
        return plain, 0, ""
    path = "onvif" if parts.scheme == "onvif" else parts.path.rstrip("/")
    return ("127.0.0.1" if host in _LOOPBACK else host), port, path
