"""Who leaks over a real RTSP connection that stalls in bursts or breaks off again and again.

    python -m benchmarks.rtsp_faults [--late-s 1.5] [--breaks 20] [--seconds 60] [--busy 2]

GStreamer's RTSP server plays the sample clip (to and fro, each frame's number in its dark corner) through a proxy that
holds back the last `--late-s` of every 4 s and lets it go together, or breaks the connection off after 4 s. The guard
runs live with the shipped net and the product's own source. Counted by the state a frame leaves with: heads that leak
(more than 25 % of the disc unmasked) and clear ones (more than 80 %). Needs Debian's gir1.2-gst-rtsp-server-1.0 and
python3-gi.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from aipg_plugin.credentials import Address
from aipg_plugin.detection.onnx import load_model
from aipg_plugin.frames import Frame, GuardedFrame
from aipg_plugin.guard.assembly import make_guard
from aipg_plugin.media.live import Lost
from aipg_plugin.media.source import open_source
from aipg_plugin.options import Models, Sensitivity, Source
from aipg_plugin.states import FULL_MOSAIC
from benchmarks.field_faults import Clip, Result, camera, judge, marked
from benchmarks.leak import busy
from benchmarks.shots import FPS, Shot, steady

_EVERY_S = 4.0
_SERVER = Path(__file__).resolve().parent.parent / "tests" / "gst_rtsp_server.py"


class Proxy:
    """Passes a TCP connection on; holds the server's data back in turns, or breaks off after a while."""

    def __init__(self, server_port: int, *, late_s: float, breaks: int) -> None:
        self._server_port, self._late_s = server_port, late_s
        self.breaks_left = breaks
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            server = socket.create_connection(("127.0.0.1", self._server_port))
            for source, target, delayed in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._forward, args=(source, target, delayed), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket, delayed: bool) -> None:
        start_s = time.monotonic()
        try:
            while data := source.recv(65536):
                passed_s = time.monotonic() - start_s
                if delayed and self.breaks_left > 0 and passed_s > _EVERY_S:
                    self.breaks_left -= 1
                    break
                if delayed and self._late_s and passed_s % _EVERY_S > _EVERY_S - self._late_s:
                    time.sleep(_EVERY_S - passed_s % _EVERY_S)
                target.sendall(data)
        except OSError:
            pass  # the other direction has ended
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)  # closing alone ends nothing while the other direction still reads
            end.close()


def main() -> int:
    """Print what left, by state."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--late-s", type=float, default=0.0, help="hold back this much of every 4 s (default 0)")
    parser.add_argument("--breaks", type=int, default=0, help="break the connection off this often (default 0)")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to watch (default 60)")
    parser.add_argument("--busy", type=int, default=0, help="processes that compute meanwhile (default 0)")
    options = parser.parse_args()
    clip, result = Clip(), Result()
    with tempfile.TemporaryDirectory() as folder, _served(_marked_clip(Path(folder) / "clip.mp4", clip)) as port:
        proxy = Proxy(port, late_s=options.late_s, breaks=options.breaks)
        with busy(options.busy) if options.busy else nullcontext():
            for guarded in _guarded(proxy.port, clip, options.seconds):
                index = _number(guarded)
                if guarded.state in FULL_MOSAIC or index < len(clip.frames):
                    judge(guarded, Shot(min(index, len(clip.frames) - 1), None, 0.0), clip, result)
    told = result.as_dict()
    told["broken_off"] = options.breaks - proxy.breaks_left
    print(json.dumps(told, indent=2))
    return int(bool(result.clear["guarding"]))


def _guarded(port: int, clip: Clip, seconds: float) -> Iterator[GuardedFrame]:
    """What leaves a live guard on the product's own source, until `seconds` are over."""
    guard = make_guard(camera(clip, Sensitivity.HIGH), load_model(Models()), live=True)
    source = Source(Address(f"rtsp://127.0.0.1:{port}/camera"), reconnect_max_s=1.0, stall_timeout_s=5.0)
    end_s = time.monotonic() + seconds
    with open_source(source, "1", live=True) as opened:
        for item in opened:
            if isinstance(item, Frame):
                yield from guard.process(item)
            elif isinstance(item, Lost):
                yield from guard.flush("1")
                placeholder = guard.lost("1", item.reason)
                if placeholder is not None:
                    yield placeholder
            if time.monotonic() > end_s:
                break
    guard.close()


def _number(guarded: GuardedFrame) -> int:
    """The clip's frame that a guarded frame shows, by the mark in its corner."""
    bits = (int(guarded.planes[0][24:40, 24 + 32 * bit:40 + 32 * bit].mean() > 125) << bit for bit in range(10))
    return sum(bits) // 4


def _marked_clip(path: Path, clip: Clip) -> Path:
    shots: Iterable[Shot] = steady(len(clip.frames) * 2)
    with av.open(str(path), "w") as box:
        video = box.add_stream("libx264", Fraction(int(FPS)))
        video.width, video.height, video.pix_fmt = *clip.frames[0].size_wh, "yuv420p"
        video.options = {"crf": "16", "tune": "zerolatency", "preset": "veryfast", "g": str(int(FPS))}
        for shot in shots:
            planes = marked(clip.frame(shot.index, 0), shot.index, 0).planes
            stacked = np.concatenate([planes[0], *(plane.reshape(-1, planes[0].shape[1]) for plane in planes[1:])])
            box.mux(video.encode(av.VideoFrame.from_ndarray(stacked, "yuv420p")))
        box.mux(video.encode())
    return path


@contextmanager
def _served(clip: Path) -> Iterator[int]:
    """GStreamer's server playing a file on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = ["/usr/bin/python3", str(_SERVER), str(port), str(clip), "--play"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        if server.stdout is None or not server.stdout.readline():
            raise SystemExit("GStreamer's RTSP server does not start; install gir1.2-gst-rtsp-server-1.0, python3-gi")
        yield port
    finally:
        server.terminate()
        server.wait(10)


if __name__ == "__main__":
    sys.exit(main())
