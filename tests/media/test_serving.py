"""The stream server with real clients: one encode for all, key frame first, nobody waits for the slow."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

import av
import cv2
import numpy as np
import pytest

from aipg_plugin.errors import MediaError
from aipg_plugin.frames import Frame
from aipg_plugin.media.encoded import nal_units
from aipg_plugin.media.info import StreamInfo
from aipg_plugin.media.server import StreamServer
from aipg_plugin.media.sink import LiveSink, open_sink
from aipg_plugin.media.source import open_source
from aipg_plugin.options import Output, OutputKind, Source, Web
from tests import needs
from tests.media.clips import SIZE_WH, guarded, number_of
from tests.servers import wait_for

HTTP = Output(OutputKind.HTTP, preset="ultrafast", gop_s=4.0)
RTSP = replace(HTTP, kind=OutputKind.RTSP_SERVE)
INFO = StreamInfo(size_wh=SIZE_WH, fps=25.0, live=True)


class Feeder:
    """Writes numbered guarded frames at 25 per second until closed."""

    def __init__(self, server: StreamServer | None, outputs: tuple[Output, ...] = (HTTP, RTSP),
                 name: str = "lobby/1", noisy: bool = False) -> None:
        sink = LiveSink(outputs, INFO, name=name, server=server)
        self.sink, self.stream = sink, sink.stream
        self.size_wh = SIZE_WH
        self.number = 0
        self.slowest_s = 0.0
        self._noisy = np.random.default_rng(1) if noisy else None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        start_s = time.monotonic()
        while not self._stop.is_set():
            frame = guarded(self.number % 256, pts_s=self.number / 25, size_wh=self.size_wh, wall_time_s=time.time())
            if self._noisy is not None:
                luma = frame.planes[0]
                luma.setflags(write=True)
                luma[luma.shape[0] // 2:] = self._noisy.integers(0, 256, luma[luma.shape[0] // 2:].shape, np.uint8)
            before_s = time.monotonic()
            self.sink.write(frame)
            self.slowest_s = max(self.slowest_s, time.monotonic() - before_s)
            self.number += 1
            self._stop.wait(max(0.0, start_s + self.number / 25 - time.monotonic()))

    def close(self) -> None:
        self._stop.set()
        self._thread.join(5)
        self.sink.close()


@pytest.fixture
def server() -> Iterator[StreamServer]:
    running = StreamServer(Web(port=0, rtsp_port=0)).start()
    yield running
    running.close()


@pytest.fixture
def feeder(server: StreamServer) -> Iterator[Feeder]:
    feeding = Feeder(server)
    yield feeding
    feeding.close()


def watch(url: str, frames: int) -> list[int]:
    """Numbers of the first frames a PyAV client decodes; an error in the stream would raise."""
    options = {"rtsp_transport": "tcp"} if url.startswith("rtsp") else {"analyzeduration": "500000"}
    numbers: list[int] = []
    with av.open(url, options=options, timeout=(8, 8)) as box:
        for picture in box.decode(video=0):
            numbers.append(number_of(picture.reformat(format="gray").to_ndarray()))
            if len(numbers) == frames:
                break
    return numbers


def consecutive(numbers: list[int]) -> bool:
    return all((later - earlier) % 256 == 1 for earlier, later in pairwise(numbers))


def fetch(url: str, credentials: str = "") -> tuple[int, bytes]:
    request = urllib.request.Request(url)
    if credentials:
        request.add_header("Authorization", "Basic " + b64encode(credentials.encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_ten_clients_share_one_encode(server: StreamServer, feeder: Feeder) -> None:
    urls = [server.http_url("lobby/1")] * 6 + [server.rtsp_url("lobby/1")] * 4
    with ThreadPoolExecutor(10) as pool:
        results = [pool.submit(watch, url, 40) for url in urls]
        wait_for(lambda: feeder.stream.clients >= 8, 8, "eight clients at once")
        assert all(consecutive(result.result(30)) for result in results)
    assert feeder.stream.encoded <= feeder.number
    wait_for(lambda: feeder.stream.clients == 0, 5, "clients gone")
    encoded, number = feeder.stream.encoded, feeder.number
    wait_for(lambda: feeder.number > number + 10)
    assert feeder.stream.encoded - encoded <= 1


@pytest.mark.parametrize("kind", ["ts", "rtsp"])
def test_a_late_client_starts_at_a_key_frame_at_once(server: StreamServer, feeder: Feeder, kind: str) -> None:
    first = feeder.stream.subscribe(feeder.stream.packets, lambda: None)
    wait_for(lambda: feeder.number > 30)
    url = server.rtsp_url("lobby/1") if kind == "rtsp" else server.http_url("lobby/1")
    joined, at = feeder.number, watch(url, 5)
    assert consecutive(at)
    assert (at[0] - joined) % 256 < 50
    chunks = first.take()
    feeder.stream.packets.remove(first)
    assert chunks[0].key
    assert sum(chunk.key for chunk in chunks) >= 2


def test_packets_hold_one_slice_each(feeder: Feeder) -> None:
    subscription = feeder.stream.subscribe(feeder.stream.packets, lambda: None)
    wait_for(lambda: len(feeder.stream.packets) and feeder.number > 40)
    chunks = subscription.take()
    feeder.stream.packets.remove(subscription)
    assert len(chunks) > 10
    assert {sum(unit[0] & 0x1F in (1, 5) for unit in nal_units(chunk.data)) for chunk in chunks} == {1}
    assert all(later.pts > earlier.pts for earlier, later in pairwise(chunks))


def test_ffmpeg_reads_both_without_an_error(server: StreamServer, feeder: Feeder) -> None:
    ffmpeg, ffprobe = needs.need("ffmpeg"), needs.need("ffprobe")
    assert feeder.stream.encoder
    for url, more in ((server.rtsp_url("lobby/1"), ["-rtsp_transport", "tcp"]), (server.http_url("lobby/1"), [])):
        seen = subprocess.run([ffmpeg, "-v", "error", *more, "-analyzeduration", "500000", "-i", url, "-frames:v", "15",
                               "-f", "null", "-"], capture_output=True, text=True, timeout=20, check=False)
        assert (seen.returncode, seen.stderr) == (0, "")
    probed = subprocess.run([ffprobe, "-v", "error", "-rtsp_transport", "tcp", "-show_entries",
                             "stream=codec_name,width,height", "-of", "json", server.rtsp_url("lobby/1")],
                            capture_output=True, text=True, timeout=20, check=True)
    assert json.loads(probed.stdout)["streams"] == [{"codec_name": "h264", "width": 160, "height": 120}]


def test_gstreamer_plays_and_falls_back_from_udp(server: StreamServer, feeder: Feeder) -> None:
    gst = needs.need("gst-launch-1.0")
    assert feeder.stream.encoder
    played = subprocess.run([gst, "rtspsrc", f"location={server.rtsp_url('lobby/1')}", "!", "rtph264depay", "!",
                             "h264parse", "!", "fakesink", "num-buffers=20"],
                            capture_output=True, text=True, timeout=20, check=False)
    assert played.returncode == 0, played.stderr
    assert "Got EOS" in played.stdout


def test_a_client_that_does_not_read_is_cut_off_and_hurts_nobody(server: StreamServer) -> None:
    feeding = Feeder(server, noisy=True)
    feeding.size_wh = (640, 480)
    with socket.create_connection(("127.0.0.1", server.port)) as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.sendall(b"GET /streams/lobby/1.ts HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_for(lambda: feeding.stream.clients == 1, 5, "the stuck client's arrival")
        assert consecutive(watch(server.rtsp_url("lobby/1"), 20))
        wait_for(lambda: feeding.stream.clients == 0, 15, "the stuck client's end")
    assert feeding.slowest_s < 1.0
    feeding.close()


def test_size_may_change_while_clients_watch(server: StreamServer, feeder: Feeder) -> None:
    sizes: list[tuple[int, int]] = []
    with av.open(server.http_url("lobby/1"), options={"analyzeduration": "500000"}, timeout=(8, 8)) as box:
        for picture in box.decode(video=0):
            sizes.append((picture.width, picture.height))
            if len(sizes) == 10:
                feeder.size_wh = (321, 240)
            if len(sizes) == 60:
                break
    assert sizes[0] == SIZE_WH
    assert sizes[-1] == (322, 240)


def test_pictures_and_pages(server: StreamServer, feeder: Feeder) -> None:
    base = f"http://127.0.0.1:{server.port}"
    wait_for(lambda: fetch(base + "/streams/lobby/1.jpg")[0] == 200)
    picture = cv2.imdecode(np.frombuffer(fetch(base + "/streams/lobby/1.jpg")[1], np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (120, 160, 3)
    assert (feeder.number - number_of(picture[..., 1].astype(np.uint8))) % 256 < 60
    small = fetch(base + "/streams/lobby/1.jpg?width=80")[1]
    assert cv2.imdecode(np.frombuffer(small, np.uint8), cv2.IMREAD_COLOR).shape == (60, 80, 3)  # type: ignore[union-attr]
    page = fetch(base + "/")[1].decode()
    assert "/streams/lobby/1.mjpeg" in page
    assert server.rtsp_url("lobby/1") in page
    assert fetch(base + "/health")[0] == 200
    assert fetch(base + "/streams/lobby/9.ts")[0] == 404
    assert fetch(base + "/streams/lobby/1.jpg?width=x")[0] == 400


def test_mjpeg_moves(server: StreamServer, feeder: Feeder) -> None:
    with urllib.request.urlopen(server.http_url("lobby/1", "mjpeg") + "?fps=20", timeout=5) as response:
        assert "multipart/x-mixed-replace" in response.headers["Content-Type"]
        data = b""
        while data.count(b"--aipgframe") < 8:
            data += response.read(2000)
    pictures = [part.split(b"\r\n\r\n", 1)[1] for part in data.split(b"--aipgframe\r\n")[1:-1]]
    numbers = [number_of(cv2.imdecode(np.frombuffer(part, np.uint8), cv2.IMREAD_COLOR)[..., 1].astype(np.uint8))
               for part in pictures]  # type: ignore[index]
    assert len(set(numbers)) >= 6
    assert feeder.stream.encoded == 0


def test_mjpeg_is_a_source_too(server: StreamServer, feeder: Feeder) -> None:
    seen: list[Frame] = []
    with open_source(Source(server.http_url("lobby/1", "mjpeg") + "?fps=20", stall_timeout_s=3), "2") as frames:
        assert frames.info.colour.full_range
        for item in frames:
            assert isinstance(item, Frame)
            seen.append(item)
            if len(seen) == 12:
                break
    assert feeder.number >= number_of(seen[-1].planes[0])
    assert all(later.pts_s > earlier.pts_s for earlier, later in pairwise(seen))  # type: ignore[operator]
    assert seen[-1].size_wh == SIZE_WH


def test_a_password_guards_everything_but_health() -> None:
    server = StreamServer(Web(port=0, rtsp_port=0, username="me", password="s3:cret")).start()
    feeding = Feeder(server)
    base = f"http://127.0.0.1:{server.port}"
    for path in ("/", "/streams/lobby/1.jpg", "/streams/lobby/1.ts", "/streams/none.ts"):
        for wrong in ("", "me:wrong", "other:s3:cret", "me:"):
            assert fetch(base + path, wrong)[0] == 401
    assert fetch(base + "/", "me:s3:cret")[0] == 200
    assert fetch(base + "/health")[0] == 200
    url = server.rtsp_url("lobby/1")
    assert consecutive(watch(url.replace("//", "//me:s3%3Acret@"), 5))
    for wrong in ("", "me:wrong@", "you:s3%3Acret@"):
        with pytest.raises(av.FFmpegError):
            watch(url.replace("//", "//" + wrong), 1)
    feeding.close()
    server.close()


def rtsp_talk(port: int, *requests: str) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        for request in requests:
            line.sendall(request.replace("\n", "\r\n").encode())
        line.settimeout(1.0)
        answer = b""
        try:
            while data := line.recv(4096):
                answer += data
        except TimeoutError:
            pass
        return answer.decode("latin-1")


@pytest.mark.parametrize(("request_text", "expected"), [
    ("OPTIONS * RTSP/1.0\nCSeq: 1\n\n", "200 OK"),
    ("DESCRIBE rtsp://x/none RTSP/1.0\nCSeq: 1\n\n", "404"),
    ("SETUP rtsp://x/lobby/1/trackID=0 RTSP/1.0\nCSeq: 1\nTransport: RTP/AVP;unicast;client_port=5-6\n\n", "461"),
    ("PLAY rtsp://x/lobby/1 RTSP/1.0\nCSeq: 1\n\n", "455"),
    ("RECORD rtsp://x/lobby/1 RTSP/1.0\nCSeq: 1\n\n", "501"),
    ("SETUP rtsp://x/lobby/1 RTSP/1.0\nCSeq: 7\nTransport: RTP/AVP/TCP;interleaved=0-1\n\n"
     "PLAY rtsp://x/lobby/1 RTSP/1.0\nCSeq: 8\nSession: wrong\n\n", "454"),
])
def test_rtsp_answers(server: StreamServer, feeder: Feeder, request_text: str, expected: str) -> None:
    assert feeder.stream.encoder
    assert expected in rtsp_talk(server.rtsp_port, request_text)


@pytest.mark.parametrize("junk", ["\x00\xff" * 500, "GET / HTTP/1.1\n\n", "A" * 40000, "DESCRIBE\n\n",
                                  "OPTIONS * RTSP/1.0\nContent-Length: 99999999\n\n",
                                  "OPTIONS * RTSP/1.0\nContent-Length: -5\n\n",
                                  "SETUP rtsp://x/lobby/1 RTSP/1.0\nTransport: RTP/AVP/TCP;interleaved=a-b\n\n"])
def test_rtsp_survives_junk(server: StreamServer, feeder: Feeder, junk: str) -> None:
    rtsp_talk(server.rtsp_port, junk)
    assert consecutive(watch(server.rtsp_url("lobby/1"), 3))
    assert feeder.stream.encoder


def test_taken_ports_are_named(server: StreamServer) -> None:
    with pytest.raises(MediaError, match=str(server.port)) as caught:
        StreamServer(Web(port=server.port, rtsp_port=0)).start()
    assert caught.value.problems[0].path == "web.port"
    with pytest.raises(MediaError):
        StreamServer(Web(port=0, rtsp_port=server.rtsp_port)).start()


def test_served_outputs_need_a_server() -> None:
    with pytest.raises(MediaError, match="stream server"):
        open_sink(HTTP, INFO, name="a/1")
