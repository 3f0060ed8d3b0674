"""RTSP with a real server: killed, started again, frozen; the stream goes on each time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from aipg_plugin.errors import MediaError
from aipg_plugin.frames import Frame
from aipg_plugin.media.live import Backoff, Lost, Returned
from aipg_plugin.media.server import StreamServer
from aipg_plugin.media.source import SourceItem, VideoSource, open_source
from aipg_plugin.options import Source, Web
from tests.media.clips import write_clip
from tests.media.test_serving import Feeder
from tests.servers import free_port, rtsp_player, wait_for


class Watcher:
    """Iterates a source in a thread and keeps what it yields."""

    def __init__(self, source: VideoSource, stop: threading.Event) -> None:
        self.items: list[tuple[float, SourceItem]] = []
        self.source, self._stop = source, stop
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        for item in self.source:
            self.items.append((time.monotonic(), item))

    def count(self, kind: type) -> int:
        return sum(isinstance(item, kind) for _, item in self.items)

    def frames(self) -> list[Frame]:
        return [item for _, item in self.items if isinstance(item, Frame)]

    def close(self) -> float:
        """Stop and say how long that took."""
        started_s = time.monotonic()
        self._stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive()
        return time.monotonic() - started_s


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("live") / "clip.mp4", frames=1500)


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def watch(port: int, stop: threading.Event, stall_timeout_s: float = 2.0) -> Watcher:
    source = Source(f"rtsp://127.0.0.1:{port}/camera", stall_timeout_s=stall_timeout_s, reconnect_max_s=0.5)
    return Watcher(open_source(source, "1", stop=stop), stop)


def test_a_server_killed_and_started_again(clip: Path, stop: threading.Event) -> None:
    port = free_port()
    with rtsp_player(clip, port) as server:
        watcher = watch(port, stop)
        assert watcher.source.info.live
        assert watcher.source.info.codec == "h264"
        wait_for(lambda: watcher.count(Frame) > 10)
        server.kill()
        wait_for(lambda: watcher.count(Lost) >= 4)
    lost = [item for _, item in watcher.items if isinstance(item, Lost)]
    assert [item.first for item in lost] == [True] + [False] * (len(lost) - 1)
    assert all(item.reason for item in lost)
    seen = watcher.count(Frame)
    with rtsp_player(clip, port):
        wait_for(lambda: watcher.count(Returned) == 1, 15)
        wait_for(lambda: watcher.count(Frame) > seen + 10)
        assert watcher.close() < 1.0
    times_s = [frame.pts_s for frame in watcher.frames()]
    assert all(later > earlier for earlier, later in pairwise(times_s))  # type: ignore[operator]
    assert [frame.seq for frame in watcher.frames()] == sorted({frame.seq for frame in watcher.frames()})


def test_a_frozen_server_is_noticed_in_time_and_taken_back(clip: Path, stop: threading.Event) -> None:
    port = free_port()
    with rtsp_player(clip, port) as server:
        watcher = watch(port, stop, stall_timeout_s=1.0)
        wait_for(lambda: watcher.count(Frame) > 5)
        server.pause()
        paused_s = time.monotonic()
        wait_for(lambda: watcher.count(Lost))
        first_lost_s = next(at_s for at_s, item in watcher.items if isinstance(item, Lost))
        assert 0.5 < first_lost_s - paused_s < 2.5
        server.resume()
        wait_for(lambda: watcher.count(Returned), 15)
        watcher.close()


def test_stopping_does_not_wait_for_a_frozen_server(clip: Path, stop: threading.Event) -> None:
    port = free_port()
    with rtsp_player(clip, port) as server:
        watcher = watch(port, stop, stall_timeout_s=30.0)
        wait_for(lambda: watcher.count(Frame) > 5)
        server.pause()
        assert watcher.close() < 1.0


@pytest.mark.parametrize("scheme", ["--digest", "--basic"])
def test_cameras_with_a_password(clip: Path, stop: threading.Event, scheme: str) -> None:
    port = free_port()
    with rtsp_player(clip, port, scheme, "me", "s3cret"):
        for url in (f"rtsp://127.0.0.1:{port}/camera", f"rtsp://me:wrong@127.0.0.1:{port}/camera"):
            with pytest.raises(MediaError, match="cannot open"):
                open_source(Source(url, stall_timeout_s=3), "1")
        with open_source(Source(f"rtsp://me:s3cret@127.0.0.1:{port}/camera"), "1", stop=stop) as frames:
            assert isinstance(next(iter(frames)), Frame)


def test_http_streams_end_and_return(stop: threading.Event) -> None:
    port = free_port()
    server = StreamServer(Web(port=port, rtsp_port=0)).start()
    feeding = Feeder(server)
    source = Source(f"http://127.0.0.1:{port}/streams/lobby/1.ts", stall_timeout_s=2.0, reconnect_max_s=0.5)
    watcher = Watcher(open_source(source, "1", stop=stop), stop)
    assert watcher.source.info.live
    wait_for(lambda: watcher.count(Frame) > 10)
    server.close()
    wait_for(lambda: watcher.count(Lost) >= 2)
    feeding.close()
    server = StreamServer(Web(port=port, rtsp_port=0)).start()
    feeding = Feeder(server)
    seen = watcher.count(Frame)
    wait_for(lambda: watcher.count(Returned) and watcher.count(Frame) > seen + 10, 15)
    watcher.close()
    feeding.close()
    server.close()
    assert all(later > earlier for earlier, later in pairwise(frame.pts_s for frame in watcher.frames()))


def test_waits_double_to_the_limit_and_are_spread() -> None:
    backoff = Backoff(8.0)
    waits = [backoff.next() for _ in range(8)]
    for wait_s, limit_s in zip(waits, (0.5, 1, 2, 4, 8, 8, 8, 8), strict=True):
        assert limit_s / 2 <= wait_s <= limit_s
    backoff.reset()
    assert backoff.next() <= 0.5
    assert len({Backoff(8.0).next() for _ in range(5)}) > 1
