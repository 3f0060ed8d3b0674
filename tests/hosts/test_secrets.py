"""No credential leaves `aipg run` or `aipg check`: not in logs, MQTT, pages, the API or the process list."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import string
import subprocess
import sys
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml

from aipg_plugin.errors import SettingsError
from aipg_plugin.settings import load
from aipg_plugin.web.access import TOKEN_HEADER
from tests.hosts.walk import walker_net, write_walk
from tests.mqtt.broker import Mosquitto, Watcher
from tests.needs import need
from tests.servers import Process, free_port, wait_for

SPECIAL = "@/#[%] ?&=;:'\"!$\\|<>{}^`~+,äß漢"
# No word of theirs may stand in a JPEG, whose tables hold "cdefghij" and the like.
FIXED = ["p@ssw0rd/word", "xkcd y@zonkk/quuxx", "tabuu@#1-quiddle", "Sommar#2024", "abkde[fgxij", "hallf%centt",
         "enddz@", "#beginz"]


def secrets_of(count: int, seed: int = 20261127) -> list[str]:
    """The fixed ones and random ones, each with letters long enough to be recognised."""
    rng = random.Random(seed)
    made = list(FIXED)
    while len(made) < count:
        words = ["".join(rng.choices(string.ascii_letters + string.digits, k=6)) for _ in range(3)]
        made.append("".join(word + "".join(rng.choices(SPECIAL, k=rng.randint(0, 2))) for word in words))
    return made


class Run:
    """A configuration full of secrets, in the environment, and `aipg run` on it."""

    def __init__(self, folder: Path, broker: Mosquitto) -> None:
        self.secrets = secrets_of(24)
        self.environment = {**os.environ, **{f"S{number}": secret for number, secret in enumerate(self.secrets)}}
        closed, self.port = free_port(), free_port()
        net = walker_net(folder / "walker.onnx")
        sources: list[object] = [f"rtsp://${{S{2 * number}}}:${{S{2 * number + 1}}}@127.0.0.1:{closed}/camera"
                                 for number in range(6)]
        sources += [f"http://127.0.0.1:{closed}/v?channel=1&usr=${{S12}}&pwd=${{S13}}&p=${{S14}}",
                    f"rtsp://127.0.0.1:{closed}/user=${{S15}}_password=${{S16}}_channel=1.sdp"]
        clip = {"url": str(write_walk(folder / "walk.mp4", 20)), "loop": True}
        publish = {"kind": "rtsp_publish", "target": f"rtsp://${{S17}}:${{S18}}@127.0.0.1:{closed}/x"}
        guard = {"enabled": True, "target_streams": "all", "off_token": "${S19}"}
        self.config = folder / "guard.yaml"
        self.document = {
            "cameras": {
                **{f"camera{number}": {"streams": {"1": {"source": source, "outputs": ["http"]}},
                                       "privacy_guard": guard} for number, source in enumerate(sources)},
                "clip": {"streams": {"1": {"source": clip, "outputs": ["http", publish]}}, "privacy_guard": guard}},
            "web": {"port": self.port, "rtsp_port": free_port(), "username": "me", "password": "${S20}"},
            "mqtt": {"broker": "127.0.0.1", "port": broker.port, "username": "guard", "password": "${S22}"},
            "models": {"threads": 1, "custom": {"file": str(net), "layout": "yolox", "classes": 1}}}
        self.config.write_text(yaml.safe_dump(self.document))

    def pages(self) -> dict[str, str]:
        """What the pages and every GET of the API answer to who is logged in."""
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        token = json.loads(self._get(opener, "/api/session"))["token"]
        login = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/session", method="POST", headers={
                "Content-Type": "application/json", TOKEN_HEADER: token},
            data=json.dumps({"user": "me", "password": self.secrets[20]}).encode())
        with opener.open(login, timeout=20) as reply:
            assert reply.status == 200
        described = json.loads(self._get(opener, "/api/openapi.json"))["paths"]
        paths = [path for path, methods in described.items() if "get" in methods and "{" not in path]
        assert len(paths) > 5
        return {path: self._get(opener, path) for path in ("/", "/health", "/streams/none.ts", *paths)}

    def _get(self, opener: urllib.request.OpenerDirector, path: str) -> str:
        try:
            with opener.open(f"http://127.0.0.1:{self.port}{path}", timeout=20) as reply:
                return str(reply.read(5_000_000).decode(errors="replace"))
        except urllib.error.HTTPError as error:
            return error.read().decode(errors="replace")


def found_in(text: str, secrets: list[str]) -> set[str]:
    """Secrets that can be read in a text: whole, encoded, or any word of theirs of five letters and more."""
    told = set()
    for secret in secrets:
        words = [word for word in re.findall(r"\w{5,}", secret) if not word.isdigit()]
        forms = {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], b64encode(secret.encode()).decode(), *words}
        told |= {form for form in forms if form in text}
    return told


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    need("mosquitto")
    running = Mosquitto(tmp_path_factory.mktemp("broker"))
    yield running
    running.stop()


def test_the_search_finds_what_leaks() -> None:
    for secret in secrets_of(200):
        assert found_in(f"cannot open rtsp://user:{secret}@host/1", [secret])
        assert found_in(f"rtsp://user:{quote(secret, safe='')}@host/1", [secret])
        assert not found_in("cannot open rtsp://***@host/1: refused; lobby: lost", [secret])


def test_no_secret_leaves_a_run(tmp_path: Path, broker: Mosquitto) -> None:
    run, watcher = Run(tmp_path, broker), Watcher(broker.port, "#")
    with Process([sys.executable, "-m", "aipg_plugin", "run", "-v", str(run.config)], env=run.environment) as guard:
        try:
            wait_for(lambda: guard.output().count(": lost") >= 3 or not guard.running, 60, "cameras that are lost")
            wait_for(lambda: "publishing to" in guard.output() or not guard.running, 60, "a publisher that fails")
            for topic, payload in (("clip/1/guard/set", json.dumps({"value": "OFF", "token": "x" + run.secrets[19]})),
                                   ("clip/1/masking_method/set", run.secrets[0])):
                watcher.publish(f"aipg/{topic}", payload)
            wait_for(lambda: any("errors" in topic for topic in watcher.last), 20, "the refusals")
            pages = run.pages()
            processes = "".join(Path(f"/proc/{guard.pid}/{name}").read_text() for name in ("cmdline", "comm", "status"))
            threads = "".join(path.read_text() for path in Path(f"/proc/{guard.pid}/task").glob("*/comm"))
            run.config.write_text(yaml.safe_dump(run.document) + f"web: {{password: '{run.secrets[7]}'}}\n")
            os.kill(guard.pid, signal.SIGHUP)
            wait_for(lambda: "last good one stays" in guard.output(), 30, "the refusal of the settings")
            assert guard.running, guard.output()
        finally:
            watcher.close()
        told = guard.output()
    mine = [f"x{run.secrets[19]}", *run.secrets]
    commands = {"aipg/clip/1/guard/set", "aipg/clip/1/masking_method/set"}  # what we published ourselves
    messages = "\n".join(f"{topic} {payload!r} {payload.decode(errors='replace')}" for topic, payload, _ in watcher.seen
                         if topic not in commands)
    assert "127.0.0.1" in told
    assert found_in(told, mine) == set()
    assert found_in(messages, mine) == set()
    for path, page in pages.items():
        assert (path, found_in(page, mine)) == (path, set())
    assert found_in(processes + threads, mine) == set()


def test_no_secret_leaves_a_check(tmp_path: Path, broker: Mosquitto) -> None:
    run = Run(tmp_path, broker)
    done = subprocess.run([sys.executable, "-m", "aipg_plugin", "check", "-v", str(run.config)], env=run.environment,
                          capture_output=True, text=True, timeout=110, check=False)
    assert (done.stdout + done.stderr).count("cannot open") >= 6
    assert found_in(done.stdout + done.stderr, run.secrets) == set()


@pytest.mark.parametrize("secret", secrets_of(40))
def test_no_secret_leaves_a_refusal(tmp_path: Path, secret: str) -> None:
    """Typed into the file as it is: understood, or refused without being quoted."""
    stream = {"source": f"rtsp://user:{secret}@127.0.0.1:9/camera", "typo": 1}
    document = {"cameras": {"lobby": {"streams": {"1": stream}}}, "mqtt": {"password": secret, "borker": "x"},
                "web": {"password": [secret], "host": f"http://u:{secret}@h"}}
    config = tmp_path / "guard.yaml"
    config.write_text(yaml.safe_dump(document, allow_unicode=True))
    with pytest.raises(SettingsError) as caught:
        load(config, environ={})
    assert "typo" in str(caught.value)
    assert found_in(str(caught.value), [secret]) == set()
