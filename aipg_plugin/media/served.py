"""The addresses under which our server serves streams: the one place that knows what they look like."""

from __future__ import annotations

HTTP_PREFIX = "/streams/"
HTTP_KINDS = ("ts", "mjpeg", "jpg")
METADATA = "/metadata"  # after an RTSP address: the same video, and ONVIF metadata beside it
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def stream_name(camera: str, stream: str) -> str:
    """The name of a stream in addresses."""
    return f"{camera}/{stream}"


def http_path(name: str, kind: str) -> str:
    """Path of a stream over HTTP; `kind` is one of HTTP_KINDS: MPEG-TS, MJPEG, or the newest picture as JPEG."""
    return f"{HTTP_PREFIX}{name}.{kind}"


def http_url(host: str, port: int, name: str, kind: str, *, login: str = "") -> str:
    """Address of a stream over HTTP; `login` is percent-encoded and ends in @."""
    return f"http://{login}{in_url(host)}:{port}{http_path(name, kind)}"


def rtsp_url(host: str, port: int, name: str, *, login: str = "", metadata: bool = False) -> str:
    """Address of a stream over RTSP, `metadata` of the one with metadata; `login` is percent-encoded and ends in @."""
    return f"rtsp://{login}{in_url(host)}:{port}/{name}{METADATA if metadata else ''}"


def in_url(host: str) -> str:
    """A host as URLs write it; the loopback for a server that listens on every address."""
    host = _ANY.get(host, host)
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
