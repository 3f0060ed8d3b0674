"""What the pages cost: first paint, delay of the live picture, viewers, an open status page.

    python -m benchmarks.pages [--json FILE] [--seconds 20]

Needs Chromium and Playwright for Python. Runs `aipg demo` in a process of its own and measures from outside.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import psutil

_START_S = 60.0
_VIEWERS = 10
_BROWSER = ["--no-sandbox", "--disable-gpu"]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each measurement (default 20)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), options.seconds)
    for name, value in found.items():
        print(f"{name:36} {value}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


def measure(folder: Path, seconds: float) -> dict[str, float]:
    """All figures; see the names."""
    with _demo(folder) as (url, _):
        found = {**first_paint(url), "delay behind the guard, median ms": asyncio.run(_delay_ms(url, seconds))}
    settings = folder / "demo.yaml"
    settings.write_text(settings.read_text(encoding="utf-8").replace("enabled: on", "enabled: off"), encoding="utf-8")
    with _demo(folder) as (url, process):  # without the detector, whose share of a core changes with the scene
        shares: dict[str, Callable[[], float]] = {
            "one viewer": lambda: asyncio.run(_watched(url, 1, process, seconds)),
            f"{_VIEWERS} viewers": lambda: asyncio.run(_watched(url, _VIEWERS, process, seconds)),
            "an open status page": lambda: status_page(url, process, seconds)}
        for name, share in shares.items():
            before, during, after = _cpu_share(process, seconds), share(), _cpu_share(process, seconds)
            found[f"{name}, % of a core more"] = round(100 * (during - (before + after) / 2), 1)
    return found


@contextmanager
def _demo(folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """`aipg demo` in a process of its own: address and process."""
    ports = [_free_port() for _ in range(3)]
    command = [sys.executable, "-m", "aipg_plugin", "demo", "--config", str(folder / "demo.yaml"),
               "--port", str(ports[0]), "--rtsp-port", str(ports[1]), "--mqtt-port", str(ports[2])]
    demo = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{ports[0]}/"
        _wait(url)
        yield url, psutil.Process(demo.pid)
    finally:
        demo.terminate()
        demo.wait(20)


def first_paint(url: str) -> dict[str, float]:
    """Bytes and requests until the first card is there."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=_BROWSER)
        page = browser.new_page()
        sizes: list[int] = []
        page.on("response", lambda reply: sizes.append(int(reply.headers.get("content-length", 0))))
        started_s = time.monotonic()
        page.goto(url)
        page.wait_for_selector("[data-camera]")
        took_s = time.monotonic() - started_s
        browser.close()
    return {"first paint, kB": round(sum(sizes) / 1000, 1), "first paint, requests": len(sizes),
            "first paint, s": round(took_s, 2)}


def status_page(url: str, process: psutil.Process, seconds: float) -> float:
    """The server's CPU share (1 = one core) while a status page is open."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=_BROWSER)
        page = browser.new_page()
        page.goto(f"{url}#/status")
        page.wait_for_selector(".chart")
        share = _cpu_share(process, seconds)
        browser.close()
    return share


async def _watch(url: str, until_s: float, delays: list[float] | None = None) -> None:
    watch = {"watch": [{"camera": "lobby", "stream": "1", "width": 640, "fps": 15}]}
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}api/live") as live:
        await live.send_str(json.dumps(watch))
        while time.monotonic() < until_s:
            message = await live.receive(timeout=10)
            if message.type is aiohttp.WSMsgType.BINARY and delays is not None:
                delays.append(time.time() - _head(message.data)["left_s"])


async def _delay_ms(url: str, seconds: float) -> float:
    delays: list[float] = []
    await _watch(url, time.monotonic() + seconds, delays)
    return round(1000 * statistics.median(delays), 1)


async def _watched(url: str, viewers: int, process: psutil.Process, seconds: float) -> float:
    until_s = time.monotonic() + seconds + 2
    watching = [asyncio.create_task(_watch(url, until_s)) for _ in range(viewers)]
    await asyncio.sleep(1)
    share = await asyncio.to_thread(_cpu_share, process, seconds)
    await asyncio.gather(*watching)
    return share


def _cpu_share(process: psutil.Process, seconds: float) -> float:
    before = process.cpu_times()
    started_s = time.monotonic()
    time.sleep(seconds)
    after = process.cpu_times()
    used_s = (after.user + after.system) - (before.user + before.system)
    return float(used_s / (time.monotonic() - started_s))


def _wait(url: str) -> None:
    until_s = time.monotonic() + _START_S
    while True:
        try:
            with urllib.request.urlopen(f"{url}api/state", timeout=5) as reply:
                state: dict[str, Any] = json.loads(reply.read())
            if state["cameras"]["lobby"]["streams"]["1"]["fps_out"] > 0:
                return
        except OSError:
            pass
        if time.monotonic() > until_s:
            raise TimeoutError("the demo did not start")
        time.sleep(0.2)


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _head(message: bytes) -> dict[str, Any]:
    """The head of a binary message of the pages' socket: a length (big-endian uint32), JSON, then the JPEG."""
    head: dict[str, Any] = json.loads(message[4:4 + struct.unpack(">I", message[:4])[0]])
    return head


if __name__ == "__main__":
    sys.exit(main())
