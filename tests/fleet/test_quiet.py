"""Ray tells nobody: a fleet under strace, every address its processes talk to (name servers too) read."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import yaml

from tests import needs
from tests.fleet.cluster import LONG_S, Cluster, served
from tests.hosts.walk import write_walk
from tests.servers import Process, free_port, in_real_time, wait_for
from tests.test_network import Traced

pytestmark = pytest.mark.timeout(300)
WATCHED_S = 8.0  # Ray's dashboard asks cloud providers, and reports that reports are off, as soon as it has started


def test_a_fleet_talks_to_its_own_addresses_only(tmp_path: Path) -> None:
    """Head, node, and a camera that the node carries; only the loopback is configured."""
    needs.need_module("ray")
    port, traces = free_port(), list[Traced]()
    config = tmp_path / "guard.yaml"
    config.write_text(yaml.safe_dump({
        "cameras": {"lobby": {"streams": {"1": {"source": {"url": str(write_walk(tmp_path / "walk.mp4", 20)),
                                                           "loop": True}, "outputs": ["http"]}},
                              "privacy_guard": {"enabled": True, "target_streams": "all", "detect_hz": 1}}},
        "web": {"port": port, "rtsp_port": free_port()}, "models": {"tier": "small", "threads": 1}}))

    class TracedCluster(Cluster):
        def start(self, *arguments: str) -> Process:
            folder = tmp_path / str(len(traces))
            folder.mkdir()
            traces.append(Traced(folder, *arguments))
            if len(traces) > 1:
                shutil.copytree(tmp_path / "0" / "home" / ".ray", folder / "home" / ".ray")
            quick = [word.replace(",openat", "") for word in traces[-1].command]  # Ray opens thousands of files
            return Process([quick[0], "--seccomp-bpf", *quick[1:]],
                           {**self.environment, "RAY_USAGE_STATS_ENABLED": "1"})

    cluster = TracedCluster(str(config))
    try:
        cluster.wait_for_head()
        node = cluster.add_node()
        wait_for(lambda: served(port, "lobby/1") or not node.running, 2 * LONG_S, "a picture from the node")
        assert node.running, node.output()
        in_real_time(WATCHED_S, "nothing may be sent")
        for process in (*cluster.nodes, cluster.head):  # strace, told to end, would leave them running
            for child in psutil.Process(process.pid).children():
                child.terminate()
            wait_for(lambda process=process: not process.running, 2 * LONG_S, "the end")
    finally:
        cluster.close()
    for trace in traces:
        assert {ip for ip, _ in trace.addresses()} <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
        assert trace.left_behind() == [".ray/auth_token"]


def test_ray_is_imported_for_a_fleet_only() -> None:
    code = ("import sys, aipg_plugin.cli.main as main, importlib\n"
            "for module, _ in main.COMMANDS.values(): importlib.import_module(module)\n"
            "import aipg_plugin.fleet.coordinator, aipg_plugin.fleet.archive\n"
            "assert 'ray' not in sys.modules")
    done = subprocess.run([sys.executable, "-c", code], cwd=needs.CHECKOUT, capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 0, done.stderr


def test_without_ray_the_cure_is_named() -> None:
    code = ("import importlib.util as u, sys\nfind = u.find_spec\n"
            "u.find_spec = lambda name, *more: None if name == 'ray' else find(name, *more)\n"
            "from aipg_plugin.cli.main import main\nsys.exit(main(['fleet', '--seconds', '1']))")
    done = subprocess.run([sys.executable, "-c", code], cwd=needs.CHECKOUT, capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 7
    assert "pip install 'aipg[fleet]'" in done.stderr
