"""What MQTT costs: CPU at full telemetry for 4 streams, and the time from a command to its effect and its echo.

    python -m benchmarks.mqtt_cost [--seconds 20] [--commands 300] [--broker HOST:PORT]

Starts a mosquitto of its own unless told where one is. Prints JSON: `cpu_share` is the process's CPU time over the
wall time, less that of an equal run with `broker: off` (goal < 0.02); latencies in milliseconds from `publish` in
another process' connection to `apply` and to the echo on `/state`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from aipg_plugin.mqtt import Command, MqttLink, TrackReport
from aipg_plugin.options import Area, Camera, Mqtt, PrivacyGuard, Source, Stream
from aipg_plugin.states import State

CAMERAS = 2
STREAMS = ("1", "2")
PEOPLE = 6
DETECT_HZ = 5.0
CORNER = ((0.1, 0.1), (0.5, 0.1), (0.5, 0.5), (0.1, 0.5))


def cameras() -> tuple[Camera, ...]:
    guard = PrivacyGuard(enabled=True, target_streams=STREAMS, prohibited_areas=tuple(
        Area(n, CORNER) for n in range(1, 9)))
    return tuple(Camera(f"camera{n}", tuple(Stream(s, Source("sample.mp4")) for s in STREAMS), privacy_guard=guard)
                 for n in range(CAMERAS))


@contextlib.contextmanager
def broker(where: str | None, *, nodelay: bool = False) -> Iterator[tuple[str, int]]:
    """Address of a broker, ours unless one is named; mosquitto does not set TCP_NODELAY by default."""
    if where:
        host, port = where.rsplit(":", 1)
        yield host, int(port)
        return
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/bin:/usr/local/sbin:/opt/homebrew/sbin")
    if program is None:
        sys.exit("mosquitto is not installed; name a broker with --broker HOST:PORT")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "mosquitto.conf"
        config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay {str(nodelay).lower()}\n")
        process = subprocess.Popen([program, "-c", str(config)], stderr=subprocess.DEVNULL)
        try:
            time.sleep(0.5)
            yield "127.0.0.1", port
        finally:
            process.terminate()
            process.wait(5)


def reports(camera: int, t_s: float) -> tuple[TrackReport, ...]:
    """Six people walking in circles; one leaves and another comes every few seconds."""
    found = []
    for n in range(PEOPLE):
        angle = t_s * 0.5 + n + camera
        x, y = math.cos(angle), math.sin(angle)
        track = n + PEOPLE * int(t_s / 4 + n / PEOPLE)
        found.append(TrackReport(track, (0.5 + 0.3 * x, 0.5 + 0.3 * y, 0.1, 0.2, math.degrees(angle)), 0.8,
                                 (2 * x, 2 * y), t_s))
    return tuple(found)


def run(options: Mqtt, seconds: float) -> float:
    """CPU share of one core over `seconds` of full telemetry."""
    link = MqttLink(options, cameras(), version="benchmark", apply=lambda command: command.value)
    link.start()
    if options.broker != "off" and not link.wait_connected(10):
        sys.exit("no connection to the broker")
    time.sleep(0.5)
    begin_s, cpu_s = time.monotonic(), time.process_time()
    tick = 0
    while time.monotonic() - begin_s < seconds:
        t_s = tick / DETECT_HZ
        for n, camera in enumerate(cameras()):
            link.figures(camera.id, t_s, reports(n, t_s))
            for stream in STREAMS:
                link.wants_snapshot(camera.id, stream)
                if tick % 25 == 0:
                    link.statuses.report(camera.id, stream, State.DEGRADED if tick % 50 else State.GUARDING)
        if tick % 50 == 0:
            figures = {"fps_in": 15.0, "fps_out": 15.0, "evidence_age_s": 0.2, "masked_share": 0.1}
            link.stats({"streams": {c.id: dict.fromkeys(STREAMS, figures) for c in cameras()}})
        tick += 1
        time.sleep(max(0.0, begin_s + tick / DETECT_HZ - time.monotonic()))
    share = (time.process_time() - cpu_s) / (time.monotonic() - begin_s)
    link.stop()
    return share


ECHO = """
import json, sys, threading, time
import paho.mqtt.client as paho
port, count, host = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
heard = threading.Event()
client = paho.Client(paho.CallbackAPIVersion.VERSION2)
client.on_socket_open = lambda c, u, s: s.setsockopt(6, 1, 1)
client.on_message = lambda c, u, m: None if m.retain else heard.set()
client.connect(host, port)
client.loop_start()
client.subscribe("aipg/camera0/1/guard/state", qos=1)
time.sleep(0.5)
for n in range(count):
    heard.clear()
    begin = time.monotonic()
    client.publish("aipg/camera0/1/guard/set", "ON" if n % 2 else "OFF", qos=1)
    if not heard.wait(5):
        sys.exit("no echo")
    print(json.dumps([begin, time.monotonic()]), flush=True)
    time.sleep(0.01)
client.disconnect()
client.loop_stop()
"""


def latency(options: Mqtt, commands: int) -> dict[str, float]:
    """Milliseconds from publish to apply and to the echo; both processes read the same monotonic clock."""
    applied: list[float] = []

    def apply(command: Command) -> object:
        applied.append(time.monotonic())
        return command.value

    link = MqttLink(options, cameras(), version="benchmark", apply=apply)
    link.start()
    link.wait_connected(10)
    client = subprocess.run([sys.executable, "-c", ECHO, str(options.port), str(commands), options.broker],
                            capture_output=True, text=True, check=True)
    link.stop()
    times = [json.loads(line) for line in client.stdout.splitlines()]
    effect = [(at - begin) * 1000 for at, (begin, _) in zip(applied, times, strict=True)]
    echo = [(end - begin) * 1000 for begin, end in times]
    return {f"{name}_{what}_ms": round(value, 2) for name, values in (("apply", effect), ("echo", echo))
            for what, value in (("median", statistics.median(values)),
                                ("p95", statistics.quantiles(values, n=20)[-1]), ("worst", max(values)))}


def count_messages(host: str, port: int) -> tuple[paho.Client, list[int]]:
    """A subscriber in a thread of ours would cost CPU; this one lives only for a second run."""
    counted = [0, 0]
    client = paho.Client(CallbackAPIVersion.VERSION2)

    def got(_client: object, _userdata: object, message: paho.MQTTMessage) -> None:
        counted[0] += 1
        counted[1] += len(message.payload)

    client.on_message = got
    client.connect(host, port)
    client.subscribe([(f"aipg/{topic}", 0) for topic in ("events", "stats", "+/+", "+/+/state")])
    client.loop_start()
    return client, counted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--commands", type=int, default=300)
    parser.add_argument("--broker", default=None, help="HOST:PORT of a running broker")
    arguments = parser.parse_args()
    threads = threading.active_count()
    with broker(arguments.broker) as (host, port):
        options = Mqtt(broker=host, port=port, client_id="aipg-benchmark")
        idle = run(Mqtt(), arguments.seconds / 2)
        busy = run(options, arguments.seconds)
        client, counted = count_messages(host, port)
        run(options, 5.0)
        client.disconnect()
        client.loop_stop()
        result: dict[str, object] = {
            "streams": CAMERAS * len(STREAMS), "people_per_camera": PEOPLE, "detect_hz": DETECT_HZ,
            "messages_per_s": round(counted[0] / 5.0, 1), "bytes_per_s": round(counted[1] / 5.0),
            "cpu_share": round(busy - idle, 4), "cpu_share_of_the_feeding_loop": round(idle, 4),
            "goal": 0.02, "met": busy - idle < 0.02, "default_broker": latency(options, arguments.commands),
        }
    if not arguments.broker:
        with broker(None, nodelay=True) as (host, port):
            result["broker_with_tcp_nodelay"] = latency(replace(options, port=port), arguments.commands)
    result["threads_left"] = threading.active_count() - threads
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
