"""From an MQTT command to its effect in the picture a client sees, in frames.

    python -m benchmarks.command_latency [--commands 40] [--fps 25]

Everything is real and apart: a mosquitto, `aipg run` as a child process on a looped clip, a paho client that
publishes, and two clients that watch: one of the MJPEG stream, whose pictures are each on their own, and an FFmpeg
client that decodes the RTSP stream. The command switches the circumferential mosaic; the effect is the first picture
whose rim has changed. Prints JSON: frames and milliseconds from `publish` to the effect at each client (goal: a median
under 2 frames; RTSP has encoding, packets and decoding on top of what the guard takes), and until `/state` comes back.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import paho.mqtt.client as paho
import yaml
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.mqtt_cost import broker

SIDE_PX = 480
STRIPES = 15  # mean step between neighbours where the room is clear; a mosaic has next to none
TOPIC = "aipg/lobby/1/circumferential_mosaic"


def write_clip(path: Path, fps: int, frames: int = 100) -> None:
    """A striped, noisy room in an image circle."""
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX] - SIDE_PX / 2
    inside = np.hypot(x, y) < SIDE_PX / 2 - 4
    room = 110 + 50 * np.sign(np.sin((x + 0.5) * np.pi / 4))
    rng = np.random.default_rng(1)
    with av.open(str(path), "w") as box:
        video: Any = box.add_stream("libx264", rate=fps)
        video.width = video.height = SIDE_PX
        video.pix_fmt = "yuv420p"
        video.codec_context.options = {"preset": "ultrafast", "crf": "18"}
        for index in range(frames):
            luma = np.where(inside, room + rng.normal(0, 4, room.shape), 0).clip(0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(np.repeat(luma[..., None], 3, 2), format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, fps)
            box.mux(video.encode(frame))
        box.mux(video.encode(None))


class Client(threading.Thread):
    """Decodes the RTSP stream and remembers whether its rim is masked."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = url
        self._changed = threading.Condition()
        self.frames = 0
        self.rim: bool | None = None

    def run(self) -> None:
        """Until the stream ends."""
        options = {"rtsp_transport": "tcp", "fflags": "nobuffer", "analyzeduration": "200000"}
        with av.open(self._url, options=options) as box:
            context = box.streams.video[0].codec_context
            context.thread_count = 1
            context.flags |= av.codec.context.Flags.low_delay
            for frame in box.decode(video=0):
                plane = frame.planes[0]
                self.take(np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size))

    def take(self, luma: np.ndarray) -> None:
        """Look at one picture, (H, W) uint8."""
        rows, half = slice(SIDE_PX // 2 - 20, SIDE_PX // 2 + 20), SIDE_PX // 2
        with self._changed:
            self.frames += 1
            clear_middle = _steps(luma[rows, half - 16:half + 16]) > STRIPES
            self.rim = _steps(luma[rows, 10:22]) < STRIPES / 2 if clear_middle else None
            self._changed.notify_all()

    def wait(self, rim: bool, timeout_s: float) -> float | None:
        """Time (monotonic) at which the rim is as wanted; None after `timeout_s`."""
        with self._changed:
            came = self._changed.wait_for(lambda: self.rim is rim, timeout_s)
            return time.monotonic() if came else None


class PictureClient(Client):
    """The same of the MJPEG stream."""

    def run(self) -> None:
        """Until the stream ends."""
        with urllib.request.urlopen(self._url + "?fps=30", timeout=10) as reply:
            while line := reply.readline():
                if line.lower().startswith(b"content-length:"):
                    size = int(line.split(b":")[1])
                    reply.readline()
                    data = np.frombuffer(reply.read(size), np.uint8)
                    self.take(np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8))


def _steps(luma: np.ndarray) -> float:
    return float(np.abs(np.diff(luma.astype(int), axis=1)).mean())


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def measure(folder: Path, address: tuple[str, int], fps: int, commands: int) -> dict[str, Any]:
    """Run everything once."""
    write_clip(folder / "room.mp4", fps)
    port, web_port = free_port(), free_port()
    config = folder / "guard.yaml"
    config.write_text(yaml.safe_dump({
        "cameras": {"lobby": {
            "streams": {"1": {"source": {"url": str(folder / "room.mp4"), "loop": True},
                              "outputs": ["rtsp_serve", "http"]}},
            "privacy_guard": {"enabled": True, "target_streams": "all", "sensitivity": "low"}}},
        "mqtt": {"broker": address[0], "port": address[1]}, "web": {"port": web_port, "rtsp_port": port}}))
    guard = subprocess.Popen([sys.executable, "-m", "aipg_plugin", "run", str(config)], stderr=subprocess.DEVNULL)
    try:
        clients = {"mjpeg": PictureClient(f"http://127.0.0.1:{web_port}/streams/lobby/1.mjpeg"),
                   "rtsp": Client(f"rtsp://127.0.0.1:{port}/lobby/1")}
        return {"commands": commands, "fps": fps, "cores": os.cpu_count(),
                **{name: _commands(address, client, fps, commands) for name, client in clients.items()},
                "load": round(os.getloadavg()[0], 1)}
    finally:
        guard.terminate()
        guard.wait(20)


def _commands(address: tuple[str, int], client: Client, fps: int, commands: int) -> dict[str, Any]:
    echoed = threading.Event()
    mqtt = paho.Client(CallbackAPIVersion.VERSION2)
    mqtt.on_message = lambda *_: echoed.set()
    mqtt.connect(*address)
    mqtt.subscribe(f"{TOPIC}/state", qos=1)
    mqtt.loop_start()
    if not echoed.wait(60):
        sys.exit("aipg run did not announce itself within a minute")
    time.sleep(2)
    client.start()
    if client.wait(False, 30) is None:
        sys.exit("the guarded stream showed no masked room within 30 s")
    time.sleep(3)
    effects_s, echoes_s, missed, wanted = [], [], 0, False
    start_s, start_frames = time.monotonic(), client.frames
    for _ in range(commands):
        wanted = not wanted
        time.sleep(0.3 + random.random() / fps)
        echoed.clear()
        sent_s = time.monotonic()
        mqtt.publish(f"{TOPIC}/set", "ON" if wanted else "OFF", qos=1)
        echo_s = time.monotonic() if echoed.wait(5) else None
        seen_s = client.wait(wanted, 5)
        if seen_s is None or echo_s is None:
            missed += 1
            continue
        effects_s.append(seen_s - sent_s)
        echoes_s.append(echo_s - sent_s)
    seen_fps = (client.frames - start_frames) / (time.monotonic() - start_s)
    mqtt.loop_stop()
    return {"missed": missed, "seen_fps": round(seen_fps, 1),
            "effect_frames": _spread([value * fps for value in effects_s]),
            "effect_ms": _spread([value * 1000 for value in effects_s]),
            "echo_ms": _spread([value * 1000 for value in echoes_s])}


def _spread(values: list[float]) -> dict[str, float]:
    if not values:
        return {}
    ordered = sorted(values)
    return {"median": round(statistics.median(ordered), 2), "p90": round(ordered[int(0.9 * (len(ordered) - 1))], 2),
            "worst": round(ordered[-1], 2)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--commands", type=int, default=40)
    parser.add_argument("--fps", type=int, default=25)
    parser.add_argument("--broker", help="HOST:PORT of a broker in place of a mosquitto of our own")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, broker(options.broker, nodelay=True) as address:
        print(json.dumps(measure(Path(folder), address, options.fps, options.commands), indent=2))


if __name__ == "__main__":
    main()
