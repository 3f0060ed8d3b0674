"""RTSP 1.0 requests and replies (RFC 2326 §4 to §7), and which stream a URL names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from aipg_plugin.media.served import METADATA

MAX_HEAD = 16_384
_MAX_BODY = 65_536
_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
            454: "Session Not Found", 455: "Method Not Valid in This State", 461: "Unsupported Transport",
            501: "Not Implemented", 503: "Service Unavailable"}


@dataclass(frozen=True)
class RtspRequest:
    """One RTSP request; header names in lower case."""

    method: str
    url: str
    headers: dict[str, str]

    @property
    def path(self) -> str:
        """The stream's name."""
        return stream_name(self.url)

    @property
    def metadata(self) -> bool:
        """Whether it is about the address that has a track of metadata."""
        return _parts(self.url)[1]

    @property
    def track(self) -> int:
        """The track it is about; 0 where it names none."""
        return int(self.url.rstrip("/").endswith("/trackID=1"))


@dataclass(frozen=True)
class Reply:
    """A status, header lines and a body."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""

    def encoded(self, sequence: str, session: str) -> bytes:
        """The reply to the request of this CSeq; `session` "" before one is set up."""
        lines = [f"RTSP/1.0 {self.status} {_REASONS[self.status]}", f"CSeq: {sequence}",
                 "Server: aipg", *(f"{name}: {value}" for name, value in self.headers)]
        if session and self.status == 200:
            lines.append(f"Session: {session};timeout=60")
        if self.body:
            lines += ["Content-Type: application/sdp", f"Content-Length: {len(self.body.encode())}"]
        return ("\r\n".join(lines) + "\r\n\r\n" + self.body).encode()


class MalformedRequestError(ValueError):
    """What came is no RTSP request."""


def stream_name(url: str) -> str:
    """The path of a URL without slashes around it, without the track and METADATA; empty for what is no URL."""
    return _parts(url)[0]


def _parts(url: str) -> tuple[str, bool]:
    """The name of a stream, of at most one slash, and whether METADATA follows it."""
    try:
        path = re.sub(r"/trackID=[01]$", "", urlsplit(url).path.strip("/"))
    except ValueError:
        return "", False
    name = path.removesuffix(METADATA)
    return (name, True) if name != path and "/" in name else (path, False)


def parse_head(head: bytes) -> tuple[RtspRequest, int]:
    """A request from its head, blank line included, and the length of its body. Raises MalformedRequestError."""
    start, *lines = head.decode("latin-1").split("\r\n")
    parts = start.split(" ")
    if len(parts) != 3 or not parts[2].startswith("RTSP/1.") or not re.fullmatch("[A-Z_]{1,20}", parts[0]):
        raise MalformedRequestError("no RTSP request")
    if not re.fullmatch(r"[\x21-\x7e]{1,2000}", parts[1]):
        raise MalformedRequestError("no URL")
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    length, sequence = headers.get("content-length", "0"), headers.get("cseq", "0")
    if not re.fullmatch("[0-9]{1,6}", length) or int(length) > _MAX_BODY or not re.fullmatch("[0-9]{1,10}", sequence):
        raise MalformedRequestError("Content-Length or CSeq is no number")
    return RtspRequest(parts[0], parts[1], headers), int(length)
