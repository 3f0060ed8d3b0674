"""`aipg run` on the clip of somebody walking, and what its clients record."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from tests import needs
from tests.hosts.walk import FPS, SIDE_PX, clear_share, frames_of, walker_net, write_walk
from tests.servers import Process, free_port, rtsp_player, wait_for

FILL_BGR = (64, 160, 32)
MASKED = 0.02  # of the walker: edges that lossy coding makes of the mask's own border


class Guard(Process):
    """`aipg run` on a configuration, which `rewrite` replaces. `net` None is the shipped detector.

    Without `masks` it does not wait for masked figures in the picture, which a busy machine masks whole.
    """

    def __init__(self, folder: Path, source: dict[str, object] | str, *, outputs: list[object], masks: bool = True,
                 **more: Any) -> None:
        self.config = folder / "guard.yaml"
        self.port, self.rtsp_port = free_port(), free_port()
        net = more.pop("net", walker_net(folder / "walker.onnx"))
        web = more.pop("web", {})
        custom = {"custom": {"file": str(net), "layout": "yolox", "classes": 1}} if net else {}
        self.document: dict[str, Any] = {
            "cameras": {"lobby": {
                "streams": {"1": {"source": source, "outputs": outputs}},
                "privacy_guard": {"enabled": True, "target_streams": "all", "masking_method": "filling",
                                  "fill_colour": "#20a040", "lookahead_s": 0.6}}},
            "web": {"port": self.port, "rtsp_port": self.rtsp_port, **web},
            "models": {"threads": 1, **custom}, **more}
        self.rewrite(yaml.safe_dump(self.document))
        super().__init__([sys.executable, "-m", "aipg_plugin", "run", str(self.config)])
        if not masks:
            return
        try:
            wait_for(lambda: filled_px(self.picture()) > 1000 or not self.running, 90, "masks in the picture")
            assert self.running, self.output()
        except BaseException as error:
            said = self.output()
            self.stop()
            raise AssertionError(f"{error}:\n{said}") from error

    @property
    def rtsp(self) -> str:
        return f"rtsp://127.0.0.1:{self.rtsp_port}/lobby/1"

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}/streams/lobby/1"

    def rewrite(self, text: str) -> None:
        self.config.write_text(text)

    def signal(self, signum: signal.Signals) -> None:
        os.kill(self.pid, signum)

    def picture(self) -> NDArray[np.uint8]:
        """What the snapshot shows now; black before the first."""
        try:
            with urllib.request.urlopen(self.http + ".jpg", timeout=5) as reply:
                return np.asarray(cv2.imdecode(np.frombuffer(reply.read(), np.uint8), cv2.IMREAD_COLOR), np.uint8)
        except urllib.error.URLError:
            return np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)


class Interrupted:
    """A guarded camera whose scene is cut to another every 3 s; `breaks_off`: it goes and comes back within 2 s."""

    def __init__(self, folder: Path) -> None:
        self._walk, self._port = write_walk(folder / "walk.mp4", cut_every=30), free_port()
        self._camera = rtsp_player(self._walk, self._port)
        source = {"url": f"rtsp://127.0.0.1:{self._port}/camera", "stall_timeout_s": 1, "reconnect_max_s": 1}
        self._copy = folder / "copy.mkv"
        copied = {"kind": "file", "target": str(self._copy), "preset": "ultrafast"}
        try:
            self.guard = Guard(folder, source, outputs=["rtsp_serve", "http", copied])
        except BaseException:
            self._camera.stop()
            raise

    def sends(self, frames: int, nvr: Process) -> None:
        """Wait until so many more frames have been served to a running NVR; the guard's own recording counts them."""
        count = recorded_frames(self._copy)
        wait_for(lambda: recorded_frames(self._copy) >= count + frames or not nvr.running, 60, "frames served")
        assert nvr.running, nvr.output()

    def breaks_off(self) -> None:
        self._camera.kill()
        self._camera.stop()
        self._camera = rtsp_player(self._walk, self._port)

    def __enter__(self) -> Interrupted:
        return self

    def __exit__(self, *_: object) -> None:
        self.guard.stop()
        self._camera.stop()


def assert_recorded_masked(camera: Interrupted, nvr: Process, recordings: Callable[[], Iterable[Path]]) -> None:
    """What an NVR records before and after its camera has broken off and come back: nobody is clear in any frame."""
    wait_for(lambda: any(recordings()) or not nvr.running, 60, "a recording")
    camera.sends(4 * FPS, nvr)
    wait_for(lambda: figures_alone(camera.guard.picture()), 60, "figures masked, not whole pictures")
    camera.sends(FPS, nvr)
    camera.breaks_off()
    camera.sends(6 * FPS, nvr)
    nvr.stop()
    frames = [bgr for path in recordings() for bgr in frames_of(path)]
    assert len(frames) > 8 * FPS
    assert max(map(clear_share, frames)) < MASKED
    assert any(map(figures_alone, frames)), "figures, not whole pictures alone"


def figures_alone(bgr: NDArray[np.uint8]) -> bool:
    """Whether a picture is masked in part."""
    return 1000 < filled_px(bgr) < 0.4 * SIDE_PX**2


def filled_px(bgr: NDArray[np.uint8], colour_bgr: tuple[int, int, int] = FILL_BGR) -> int:
    """Pixels in the masks' colour."""
    low, high = (tuple(float(value + reach) for value in colour_bgr) for reach in (-23, 23))
    return cv2.countNonZero(cv2.inRange(bgr, low, high))


def copy(url: str, target: Path, seconds: int = 60, frames: int | None = None) -> str:
    """Record `seconds` or `frames` by stream copy, as NVRs do; returns what ffmpeg complained about."""
    end = ["-t", str(seconds)] if frames is None else ["-frames:v", str(frames)]
    transport = ["-rtsp_transport", "tcp"] if url.startswith("rtsp") else []
    done = subprocess.run([needs.need("ffmpeg"), "-v", "error", *transport, "-analyzeduration", "500000", "-i", url,
                           "-c", "copy", *end, str(target)],
                          capture_output=True, text=True, timeout=seconds + 30, check=False)
    return done.stderr + ("" if done.returncode == 0 else f"exit code {done.returncode}")


def recorded_frames(path: Path) -> int:
    """How many frames can be read of a recording now, which may still be written to: a wait's measure of progress."""
    count = 0
    with contextlib.suppress(OSError, av.error.FFmpegError), av.open(str(path)) as box:
        for packet in box.demux(video=0):
            count += packet.size > 0
    return count


def decoding_errors(path: Path) -> str:
    """What ffmpeg says when it decodes a recording."""
    return subprocess.run([needs.need("ffmpeg"), "-v", "error", "-i", str(path), "-f", "rawvideo", "-y", "/dev/null"],
                          capture_output=True, text=True, timeout=60, check=False).stderr
