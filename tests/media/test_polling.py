"""Addresses that give one picture at a time, from a real HTTP server: fetched again and again, lost and back."""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

import pytest

from aipg_plugin import options
from aipg_plugin.cli.check import _check as check_stream
from aipg_plugin.errors import MediaError
from aipg_plugin.frames import Frame, PixelFormat
from aipg_plugin.media.images import encode_pages
from aipg_plugin.media.live import Lost, Returned
from aipg_plugin.media.source import open_source
from aipg_plugin.options import Source, Stream
from tests.media.clips import guarded, number_of


class Camera:
    """An HTTP server whose `/snap` (and `/snap.jpg`) is a new picture at every request."""

    def __init__(self) -> None:
        self.number = 0
        self.status = 200
        self.login = ""
        self.paths: list[str] = []
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                camera.paths.append(self.path)
                status = camera.status
                if camera.login and self.headers.get("Authorization") != \
                        "Basic " + b64encode(camera.login.encode()).decode():
                    status = 401
                self.send_response(status)
                if status == 401:
                    self.send_header("WWW-Authenticate", 'Basic realm="camera"')
                if status == 302:
                    self.send_header("Location", "/elsewhere.jpg")
                body = encode_pages([(guarded(camera.number % 256, pts_s=0.0), 0.0)], ".jpg") if status == 200 else b""
                camera.number += 1
                self.send_header("Content-Type", "image/jpeg")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.host = f"127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def camera() -> Iterator[Camera]:
    made = Camera()
    yield made
    made.close()


def source(camera: Camera, path: str = "/snap.jpg", login: str = "") -> Source:
    return Source(f"http://{login}{camera.host}{path}", poll_s=0.1, reconnect_max_s=1.0, stall_timeout_s=3.0)


@pytest.mark.parametrize("path", ["/snap.jpg", "/snap"])
def test_a_picture_is_fetched_again_and_again(camera: Camera, path: str) -> None:
    stop = threading.Event()
    frames: list[Frame] = []
    for item in open_source(source(camera, path), "1", live=True, stop=stop):
        assert isinstance(item, Frame)
        frames.append(item)
        if len(frames) == 6:
            stop.set()
    assert {frame.format for frame in frames} == {PixelFormat.BGR24}
    numbers = [number_of(frame.planes[0][..., 1]) for frame in frames]
    assert numbers == sorted(set(numbers)), "each is a new one"
    times = [frame.pts_s for frame in frames]
    assert all(later > earlier for earlier, later in pairwise(times))  # type: ignore[operator]


def test_a_camera_that_fails_is_lost_and_comes_back(camera: Camera) -> None:
    stop = threading.Event()
    seen: list[object] = []
    for item in open_source(source(camera), "1", live=True, stop=stop):
        seen.append(item)
        if isinstance(item, Frame) and camera.status == 200 and not any(isinstance(one, Lost) for one in seen):
            camera.status = 503
        elif isinstance(item, Lost):
            assert "503" in item.reason
            camera.status = 200
        elif isinstance(item, Frame) and any(isinstance(one, Returned) for one in seen):
            stop.set()
    assert any(isinstance(one, Returned) for one in seen)


def test_logins_are_used_and_never_shown(camera: Camera, caplog: pytest.LogCaptureFixture) -> None:
    camera.login = "me:s3:cr@t"
    with open_source(source(camera, login="me:s3%3Acr%40t@"), "1", live=True) as frames:
        assert isinstance(next(iter(frames)), Frame)
    with pytest.raises(MediaError) as caught:
        open_source(source(camera, login="me:wr0ng@"), "1", live=True)
    assert "wr0ng" not in str(caught.value) + caplog.text
    assert "s3" not in caplog.text


def test_only_the_configured_address_is_asked(camera: Camera) -> None:
    with open_source(source(camera), "1", live=True) as frames:
        items = iter(frames)
        assert isinstance(next(items), Frame)
        camera.status = 302
        while not isinstance(item := next(items), Lost):
            pass
    assert "302" in item.reason
    assert set(camera.paths) == {"/snap.jpg"}


def test_check_does_not_take_the_rate_of_polling_for_the_cameras(camera: Camera) -> None:
    stream = Stream("1", Source(f"http://{camera.host}/snap.jpg", poll_s=1.0))
    words, warnings = check_stream(options.Camera("lobby", streams=(stream,)), stream)
    assert "pictures" in words
    assert not [warning for warning in warnings if "fps" in warning or "uneven" in warning]
