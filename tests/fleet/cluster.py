"""A real fleet on the loopback: `aipg fleet` processes, each with its own Ray node."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

import psutil

from tests import needs
from tests.servers import Process, free_port, wait_for

LONG_S = 60.0  # a node's processes may take long to start on a busy machine


class Cluster:
    """A head and nodes, told apart by number. `close` ends every process and removes what Ray wrote."""

    def __init__(self, *arguments: str, cores: int = 0) -> None:
        needs.need_module("ray")
        # In /tmp itself: a socket's name may have 107 bytes, and Ray's are long.
        self.folder = Path(tempfile.mkdtemp(prefix="aipg-fleet-", dir="/tmp"))
        self.address = f"127.0.0.1:{free_port()}"
        self.environment = {**os.environ, "HOME": str(self.folder), "RAY_TMPDIR": str(self.folder / "ray")}
        self.nodes: list[Process] = []
        self.head = self.start("fleet", *arguments, "--listen", self.address, "--cores", str(cores))

    def start(self, *arguments: str) -> Process:
        """One `aipg` command as a user of this fleet runs it."""
        return Process([sys.executable, "-m", "aipg_plugin", *arguments], self.environment)

    def wait_for_head(self) -> None:
        """Until programs can use it."""
        wait_for(lambda: "the fleet listens" in self.head.output() or not self.head.running, LONG_S, "the head")
        assert self.head.running, self.head.output()

    def add_node(self, cores: int = 1) -> Process:
        """A further node."""
        self.nodes.append(self.start("fleet", "--join", self.address, "--cores", str(cores)))
        return self.nodes[-1]

    def processes(self) -> list[psutil.Process]:
        """Every process of this fleet."""
        found = []
        for each in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if each.environ().get("RAY_TMPDIR") == self.environment["RAY_TMPDIR"]:
                    found.append(each)
        return found

    def tree(self, node: Process) -> list[psutil.Process]:
        """All processes of a node."""
        own = psutil.Process(node.pid)
        return [*own.children(recursive=True), own]

    def kill_node(self, node: Process) -> None:
        """What a cut cable does to the others: all its processes end at once, without a goodbye."""
        for each in self.tree(node):
            with contextlib.suppress(psutil.Error):
                each.kill()

    def close(self) -> None:
        for process in [*self.nodes, self.head]:
            process.stop()
        for each in self.processes():  # of a node that was killed, or whose parent was
            with contextlib.suppress(psutil.Error):
                each.terminate()
        wait_for(lambda: not self.processes(), 30, "the end of all processes")
        shutil.rmtree(self.folder, ignore_errors=True)


def served(port: int, stream: str) -> bool:
    """Whether a stream's node gives pictures, and not the coordinator its still."""
    camera, _, number = stream.partition("/")
    state = overview(port).get("cameras", {}).get(camera, {}).get("streams", {}).get(number, {}).get("state")
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/streams/{stream}.jpg", timeout=5) as reply:
            return bool(reply.status == 200) and state in ("off", "guarding", "degraded", "failsafe")
    except OSError:
        return False


def overview(port: int) -> dict[str, Any]:
    """What the coordinator says; empty while it says nothing."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/fleet.json", timeout=5) as reply:
            document: dict[str, Any] = json.loads(reply.read())
            return document
    except OSError:
        return {}
