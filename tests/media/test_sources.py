"""Opening and reading sources of every kind, and the errors when that fails."""

from __future__ import annotations

import gc
import logging
import threading
import time
import weakref
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from aipg_plugin.errors import MediaError
from aipg_plugin.frames import Frame, PixelFormat
from aipg_plugin.media import webcam
from aipg_plugin.media.images import encode_pages
from aipg_plugin.media.info import AudioPacket
from aipg_plugin.media.live import Lost
from aipg_plugin.media.session import AvSession
from aipg_plugin.media.source import open_source
from aipg_plugin.options import Source
from tests.media.clips import guarded, number_of, write_clip
from tests.servers import SilentServer, free_port


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=25, audio=True)


def numbers_of(items: object) -> list[int]:
    return [number_of(item.planes[0]) for item in items if isinstance(item, Frame)]  # type: ignore[attr-defined]


def test_pictures_are_freed_without_the_garbage_collector(clip: Path) -> None:
    """Few Python objects hold megabytes: a reference cycle with a picture in it fills the memory before it is found."""
    gc.collect()
    gc.disable()
    try:
        with open_source(Source(str(clip), realtime=False), "1") as source:
            for item in source:
                del item
        left = [found for found in gc.get_objects() if isinstance(found, av.VideoFrame)]
    finally:
        gc.enable()
    assert len(left) <= 3, "no more than those at work and the first, whose side data was read"


def test_a_closed_session_is_freed_without_the_garbage_collector(clip: Path) -> None:
    gc.collect()
    gc.disable()
    try:
        session = AvSession(Source(str(clip), hardware_decode="none"), live=True)
        next(iter(session.pictures(None)))
        gone = weakref.ref(session)
        session.close()
        del session
        assert gone() is None, "what is read, and with it the decoder's pictures, refers to the session"
    finally:
        gc.enable()


@pytest.mark.parametrize("url", [
    "rtsp://admin:hunter22@127.0.0.1:{port}/stream1?token=hunter22", "http://admin:hunter22@127.0.0.1:{port}/v.ts",
    "/nowhere/clip.mp4", "/nowhere/clip.jpg", "/dev/video77", "nosuch://x"])
def test_unreachable_sources_are_named_with_a_cure_and_no_password(
        url: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    caplog.set_level(logging.DEBUG)
    url = url.format(port=free_port())
    with pytest.raises(MediaError) as caught:
        open_source(Source(url, stall_timeout_s=3), "1")
    text = str(caught.value)
    shown = url.replace("admin:hunter22@", "***@").replace("=hunter22", "=***")
    assert shown in text
    assert caught.value.problems[0].path == "source.url"
    assert caught.value.problems[0].cure
    assert "hunter22" not in text + repr(caught.value) + caplog.text + "".join(capfd.readouterr())
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_server_that_says_nothing_is_given_up_in_time(scheme: str) -> None:
    server = SilentServer()
    longest_s, last_s, done = 0.0, time.monotonic(), threading.Event()

    def tick() -> None:
        nonlocal longest_s, last_s
        while not done.wait(0.01):
            longest_s, last_s = max(longest_s, time.monotonic() - last_s), time.monotonic()

    other = threading.Thread(target=tick)
    other.start()
    started_s = time.monotonic()
    with pytest.raises(MediaError):
        open_source(Source(f"{scheme}://127.0.0.1:{server.port}/x", stall_timeout_s=0.7), "1")
    assert time.monotonic() - started_s < 4
    done.set()
    other.join()
    assert longest_s < 0.5, "other threads were held up meanwhile"
    server.close()


@pytest.mark.parametrize(("name", "data"), [("a.mp4", b""), ("a.mp4", b"not a film" * 99), ("a.jpg", b"no picture"),
                                            ("a.jpg", b"")])
def test_files_that_are_none_are_named(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(MediaError, match=name):
        open_source(Source(str(tmp_path / name)), "1")


def test_a_folder_without_pictures_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no pictures"):
        open_source(Source(str(tmp_path)), "1")


def test_a_damaged_file_gives_what_can_be_read(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "in.ts", frames=60)
    data = bytearray(whole.read_bytes())
    data[len(data) // 3:len(data) // 3 + 3000] = bytes(3000)
    whole.write_bytes(data)
    with open_source(Source(str(whole)), "1") as frames:
        assert len(numbers_of(frames)) > 20


def test_a_cut_off_file_gives_what_is_there(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "in.mkv", frames=60)
    whole.write_bytes(whole.read_bytes()[:-len(whole.read_bytes()) // 2])
    with open_source(Source(str(whole)), "1") as frames:
        numbers = numbers_of(frames)
    assert 10 < len(numbers) < 60
    assert numbers == list(range(len(numbers)))


def test_pictures_come_one_by_one_in_order_of_name(tmp_path: Path) -> None:
    for number in (3, 1, 2):
        picture = guarded(number, pts_s=0.0, size_wh=(160 + number, 121))
        (tmp_path / f"{number}.png").write_bytes(encode_pages([(picture, 0.0)], ".png"))
    (tmp_path / "notes.txt").write_text("no picture")
    with open_source(Source(str(tmp_path)), "1") as frames:
        assert frames.info.frame_count == 3
        seen = [frame for frame in frames if isinstance(frame, Frame)]
    assert [frame.format for frame in seen] == [PixelFormat.BGR24] * 3
    assert [frame.size_wh for frame in seen] == [(161, 121), (162, 121), (163, 121)]
    assert [frame.pts_s for frame in seen] == [0.0, 1.0, 2.0]
    assert [number_of(frame.planes[0][..., 1]) for frame in seen] == [1, 2, 3]


def test_one_picture_is_one_frame_turned_upright(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(cv2.imencode(".jpg", np.zeros((40, 90, 3), np.uint8))[1].tobytes())
    with open_source(Source(str(path)), "1") as frames:
        assert [frame.size_wh for frame in frames if isinstance(frame, Frame)] == [(90, 40)]


def test_a_file_played_live_keeps_time_and_drops_for_the_slow(clip: Path) -> None:
    with open_source(Source(str(clip)), "1", live=True) as frames:
        started_s, got = time.monotonic(), []
        for frame in frames:
            assert isinstance(frame, Frame)
            got.append(number_of(frame.planes[0]))
            time.sleep(0.15)
        assert time.monotonic() - started_s > 0.9
    assert frames.dropped >= 10
    assert len(got) + frames.dropped == 25
    assert got == sorted(got)


def test_a_looped_file_starts_again_with_rising_times(clip: Path) -> None:
    stop = threading.Event()
    seen: list[Frame] = []
    for item in open_source(Source(str(clip), loop=True), "1", live=True, stop=stop):
        assert not isinstance(item, Lost)
        if isinstance(item, Frame):
            seen.append(item)
        if len(seen) == 40:
            stop.set()
    numbers = [number_of(frame.planes[0]) for frame in seen]
    assert 24 in numbers
    assert numbers.index(24) < len(numbers) - 5
    times_s = [frame.pts_s for frame in seen]
    assert all(later > earlier for earlier, later in pairwise(times_s))  # type: ignore[operator]
    assert [frame.seq for frame in seen] == sorted({frame.seq for frame in seen})


def test_stop_ends_a_file_at_once(clip: Path) -> None:
    stop = threading.Event()
    count = 0
    for _ in open_source(Source(str(clip)), "1", stop=stop):
        count += 1
        stop.set()
    assert count == 1


def test_audio_is_handed_over_only_when_asked_for(clip: Path) -> None:
    packets: list[AudioPacket] = []
    with open_source(Source(str(clip)), "1") as frames:
        frames.on_audio = packets.append
        assert len(numbers_of(frames)) == 25
    assert len(packets) >= 46
    assert packets[0].pts_s < 0.05
    assert 0.9 < packets[-1].pts_s < 1.1


def test_the_webcam_reader_gives_frames_until_the_device_ends(clip: Path) -> None:
    session = webcam.WebcamSession(Source(str(clip)))  # the same reader OpenCV uses for devices
    assert session.info.format is PixelFormat.BGR24
    pictures = session.pictures()
    assert [number_of(next(pictures).planes[0][..., 1]) for _ in range(25)] == list(range(25))
    with pytest.raises(MediaError, match="no more pictures"):
        next(pictures)
    session.close()


@pytest.mark.parametrize("wanted", ["auto", "none", "vaapi", "cuda", "qsv", "videotoolbox"])
def test_any_wish_for_hardware_still_decodes(clip: Path, wanted: str) -> None:
    with open_source(Source(str(clip), hardware_decode=wanted), "1") as frames:
        assert frames.info.decoder.startswith("h264")
        assert numbers_of(frames) == list(range(25))
