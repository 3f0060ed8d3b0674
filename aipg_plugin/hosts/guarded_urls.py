"""Which addresses carry guarded pictures, and which carry raw ones."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from aipg_plugin.options import OutputKind, Settings

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1", "0.0.0.0"})
_DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443, "rtmp": 1935}


@dataclass(frozen=True)
class GuardedUrls:
    """The guarded addresses of one stream; empty where it has no such output."""

    camera: str
    stream: str
    rtsp: str = ""
    ts: str = ""
    mjpeg: str = ""
    jpeg: str = ""

    @property
    def video(self) -> str:
        """The one an NVR should read: RTSP where there is one, else MPEG-TS."""
        return self.rtsp or self.ts


def guarded_urls(settings: Settings, host: str = "") -> list[GuardedUrls]:
    """Addresses of every enabled stream that has a served or published output, as seen from `host`."""
    web = settings.web
    name = host or ("127.0.0.1" if web.host in ("0.0.0.0", "::") else web.host)
    login = f"{web.username}:{web.password}@" if web.username else ""
    found = []
    for camera in settings.cameras:
        for stream in camera.streams if camera.enabled else ():
            kinds = {output.kind: output for output in stream.outputs}
            rtsp = ts = mjpeg = jpeg = ""
            if OutputKind.RTSP_PUBLISH in kinds:
                rtsp = kinds[OutputKind.RTSP_PUBLISH].target
            if OutputKind.RTSP_SERVE in kinds:
                rtsp = f"rtsp://{login}{name}:{web.rtsp_port}/{camera.id}/{stream.id}"
            if OutputKind.HTTP in kinds:
                base = f"http://{login}{name}:{web.port}/streams/{camera.id}/{stream.id}"
                ts, mjpeg, jpeg = f"{base}.ts", f"{base}.mjpeg", f"{base}.jpg"
            if rtsp or ts:
                found.append(GuardedUrls(camera.id, stream.id, rtsp, ts, mjpeg, jpeg))
    return found


class Addresses:
    """Tells guarded from raw addresses, whatever login, query or fragment they carry."""

    def __init__(self, settings: Settings) -> None:
        self._guarded = {_key(url) for urls in guarded_urls(settings)
                         for url in (urls.rtsp, urls.ts, urls.mjpeg, urls.jpeg) if url}
        self._ports = {settings.web.port, settings.web.rtsp_port}
        sources = [stream.source.url for camera in settings.cameras for stream in camera.streams]
        self._raw = {_key(url) for url in sources}
        self._raw_hosts = {host for host in (urlsplit(url).hostname for url in sources if "://" in url)
                           if host is not None and host not in _LOOPBACK}

    def is_guarded(self, url: str) -> bool:
        """Whether this is an address of ours. Our own host may go by any name but a raw camera's."""
        host, port, path = _key(url)
        if (host, port, path) in self._guarded:
            return True
        if host in self._raw_hosts or port not in self._ports:
            return False
        return any(port == p and path == q for _h, p, q in self._guarded)

    def is_raw(self, url: str) -> bool:
        """Whether this is a raw source of the settings, or another address on a raw camera's host."""
        host, _port, _path = _key(url)
        return _key(url) in self._raw or host in self._raw_hosts


def _key(url: str) -> tuple[str, int, str]:
    """Host, port and path; hosts on this machine are one."""
    plain = url.removeprefix("ffmpeg:").split("#", 1)[0]
    try:
        parts = urlsplit(plain)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
        host = (parts.hostname or "").lower()
    except ValueError:
        return plain, 0, ""
    if not host:
        return plain, 0, ""
    return ("127.0.0.1" if host in _LOOPBACK else host), port, parts.path.rstrip("/")
