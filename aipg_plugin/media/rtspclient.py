"""The sending half of RTSP 1.0: announce a guarded stream to a server and record it there (RFC 2326 §10.3, §10.11).

FFmpeg's own RTSP muxer holds Python's interpreter lock while it connects, so a server that does not answer would
stop the guard. These are plain sockets with time-outs.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
import struct
import time
from urllib.parse import unquote, urlsplit

from aipg_plugin.credentials import redacted_url, revealed
from aipg_plugin.errors import MediaError
from aipg_plugin.media.auth import authorization
from aipg_plugin.media.encoded import nal_units
from aipg_plugin.media.fanout import Chunk
from aipg_plugin.media.rtp import RtpTrack, session_description

_REPORT_S = 5.0
_MAX_HEAD = 65_536


class RtspRecording:
    """One connection that records; `send` and `close` are for one thread. Every wait ends after `timeout_s`.

    Raises MediaError if the server refuses, OSError if the network does.
    """

    def __init__(self, url: str, parameter_sets: tuple[bytes, ...], *, name: str, timeout_s: float = 10.0) -> None:
        parts = urlsplit(revealed(url))
        host = parts.hostname or ""
        secure = parts.scheme == "rtsps"
        port = parts.port or (322 if secure else 554)
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        bare_host = f"[{host}]" if ":" in host else host
        self._url = f"{parts.scheme}://{bare_host}:{port}{parts.path}" + (f"?{parts.query}" if parts.query else "")
        self._sequence = 0
        self._session = ""
        self._challenges: list[str] = []
        self._answered = 0  # requests since the challenges came
        self._incoming = b""
        self._report_s = 0.0
        self._track = RtpTrack.of_client()
        self._socket = socket.create_connection((host, port), timeout_s)
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if secure:
                self._socket = ssl.create_default_context().wrap_socket(self._socket, server_hostname=host)
            address = self._socket.getsockname()[0]
            self._ask("ANNOUNCE", self._url, body=session_description(parameter_sets, name=name, address=address))
            self._ask("SETUP", self._url.rstrip("/") + "/trackID=0",
                      {"Transport": "RTP/AVP/TCP;unicast;interleaved=0-1;mode=record"})
            self._ask("RECORD", self._url, {"Range": "npt=0.000-"})
        except BaseException:
            self._socket.close()
            raise

    def send(self, chunk: Chunk) -> None:
        """Send one access unit, and a report now and then. Raises OSError when the server is gone or stuck."""
        parts = []
        for packet in self._track.packets(nal_units(chunk.data), chunk.pts):
            parts += [struct.pack("!cBH", b"$", 0, len(packet)), packet]
        if time.monotonic() - self._report_s > _REPORT_S:
            self._report_s, report = time.monotonic(), self._track.sender_report()
            parts += [struct.pack("!cBH", b"$", 1, len(report)), report]
        self._socket.sendall(b"".join(parts))
        self._read_over()

    def _read_over(self) -> None:
        """Read and forget what the server says (receiver reports), and notice when it hangs up."""
        while select.select([self._socket], [], [], 0)[0]:
            if not self._socket.recv(65_536):
                raise ConnectionResetError(104, "the server hung up")

    def close(self) -> None:
        """Say goodbye without waiting for an answer, and disconnect."""
        try:
            self._socket.settimeout(1.0)
            self._socket.sendall(self._request("TEARDOWN", self._url, {}, ""))
        except OSError:
            pass
        finally:
            self._socket.close()

    def _ask(self, method: str, url: str, headers: dict[str, str] | None = None, body: str = "") -> None:
        """Send a request and wait for its answer; once more with credentials if they are asked for."""
        for attempt in (1, 2):
            self._socket.sendall(self._request(method, url, headers or {}, body))
            status, answer = self._answer()
            if status == 401 and attempt == 1 and self._user:
                self._challenges = [value for key, value in answer if key == "www-authenticate"]
                self._answered = 0
                continue
            if status != 200:
                raise MediaError("{url} answered {status} to {method}", path="output.target", method=method,
                                 url=redacted_url(self._url), status=status,
                                 cure="Check the path, the user name and password, and that publishing is allowed")
            session = next((value for key, value in answer if key == "session"), "")
            self._session = session.partition(";")[0] or self._session
            return

    def _request(self, method: str, url: str, headers: dict[str, str], body: str) -> bytes:
        self._sequence += 1
        lines = [f"{method} {url} RTSP/1.0", f"CSeq: {self._sequence}", "User-Agent: aipg",
                 *(f"{key}: {value}" for key, value in headers.items())]
        if self._session:
            lines.append(f"Session: {self._session}")
        if self._challenges:
            self._answered += 1
            lines.append("Authorization: " + authorization(self._challenges, method, url, self._user, self._password,
                                                           count=self._answered))
        if body:
            lines += ["Content-Type: application/sdp", f"Content-Length: {len(body.encode())}"]
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    def _answer(self) -> tuple[int, list[tuple[str, str]]]:
        head = self._read_until(b"\r\n\r\n").decode("latin-1")
        start, *lines = head.strip().split("\r\n")
        found = re.match(r"RTSP/1\.\d (\d{3})", start)
        if found is None:
            raise MediaError("{url} does not speak RTSP", path="output.target", url=redacted_url(self._url),
                             cure="Check the address and the port")
        pairs = [(key.strip().lower(), value.strip()) for key, _, value in (line.partition(":") for line in lines)]
        length = int(next((value for key, value in pairs if key == "content-length"), "0"))
        while len(self._incoming) < min(length, _MAX_HEAD):
            self._receive()
        self._incoming = self._incoming[length:]
        return int(found[1]), pairs

    def _read_until(self, mark: bytes) -> bytes:
        while (end := self._incoming.find(mark)) < 0:
            self._receive()
        head, self._incoming = self._incoming[:end], self._incoming[end + len(mark):]
        return head

    def _receive(self) -> None:
        data = self._socket.recv(4096)
        if not data or len(self._incoming) > _MAX_HEAD:
            raise ConnectionResetError(104, "the server hung up")
        self._incoming += data
