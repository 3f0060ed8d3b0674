"""An HTTP address that gives one picture at a time, as many cameras have for snapshots, fetched again and again."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit, urlunsplit

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.credentials import revealed
from aipg_plugin.frames import PixelFormat
from aipg_plugin.media.info import AudioHandler, StreamInfo
from aipg_plugin.media.session import Picture, cannot_open, reason_of
from aipg_plugin.options import Source

_MOST_BYTES = 64_000_000


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Only the configured address is contacted."""

    def redirect_request(self, *_: object) -> None:
        return None


class PolledSession:
    """BGR pictures of one address, `poll_s` apart, until it fails. Raises SourceError naming the address and why."""

    def __init__(self, source: Source, stop: threading.Event) -> None:
        self._source = source
        self._stop = stop
        self._closed = False
        parts = urlsplit(revealed(source.url))
        self._url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
        if parts.username:
            logins = urllib.request.HTTPPasswordMgrWithDefaultRealm()
            logins.add_password(None, self._url, unquote(parts.username), unquote(parts.password or ""))
            handlers += [urllib.request.HTTPBasicAuthHandler(logins), urllib.request.HTTPDigestAuthHandler(logins)]
        self._opener = urllib.request.build_opener(*handlers)
        self._first: NDArray[np.uint8] | None = self._fetch()
        self.info = StreamInfo(size_wh=(self._first.shape[1], self._first.shape[0]), format=PixelFormat.BGR24,
                               fps=1 / source.poll_s, codec="pictures", decoder="opencv", live=True)

    def _fetch(self) -> NDArray[np.uint8]:
        try:
            with self._opener.open(self._url, timeout=self._source.stall_timeout_s) as reply:
                data = reply.read(_MOST_BYTES + 1)
        except urllib.error.HTTPError as error:
            error.close()
            raise cannot_open(self._source.url, f"the server answered {error.code}") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise cannot_open(self._source.url, reason_of(reason if isinstance(reason, Exception) else error)) from None
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if 0 < len(data) <= _MOST_BYTES else None
        if bgr is None:
            raise cannot_open(self._source.url, "it is not a picture that can be decoded")
        return np.ascontiguousarray(bgr, np.uint8)

    def pictures(self, on_audio: AudioHandler | None = None) -> Iterator[Picture]:  # noqa: ARG002
        """The pictures as they come; `on_audio` is never called."""
        next_s = time.monotonic()
        while not self._closed and not self._stop.wait(max(0.0, next_s - time.monotonic())):
            bgr = self._fetch() if self._first is None else self._first
            self._first = None
            bgr.setflags(write=False)
            yield Picture(None, PixelFormat.BGR24, (bgr.shape[1], bgr.shape[0]), (bgr,))
            next_s = max(next_s + self._source.poll_s, time.monotonic())

    def close(self) -> None:
        """Fetch no more."""
        self._closed = True
