"""A running guard with its pages, in this process: a walking red person, a net that finds red, settings in a file."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from http.client import HTTPMessage
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from aipg_plugin.app import App
from aipg_plugin.hosts.standalone import StandaloneHost
from aipg_plugin.media.server import Extend
from aipg_plugin.settings.loader import load
from aipg_plugin.web import make_pages
from tests.servers import free_port, wait_for

START = """# kept by the pages
cameras:
  lobby:   # the first camera
    name: Lobby
    camera_height: 3.0
    streams:
      "1":
        source: {{url: {clip}, loop: on}}
        outputs: [http]
      "2":
        source: {{url: {clip}, loop: on}}
        capture_mode: panorama
    privacy_guard:
      enabled: on
      target_streams: ["1", "2"]
      sensitivity: low   # the hall is calm
  yard:
    streams:
      "1": {{source: {{url: {clip}, loop: on}}, outputs: [http]}}
    privacy_guard: {{enabled: off, target_streams: ["1"]}}
web: {{port: {port}, rtsp_port: 0{web}}}
models: {{threads: 1, custom: {{file: {net}, layout: yolox, classes: 1}}}}
"""


class House:
    """The guard and its pages. `restart` stops it and starts it again on the same port and file."""

    def __init__(self, folder: Path, clip: Path, net: Path, *, web: str = "") -> None:
        self.clip = clip
        self.file = folder / "aipg.yaml"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.first = START.format(clip=clip, net=net, port=self.port, web=web)
        self.file.write_text(self.first, encoding="utf-8")
        self.start()

    def start(self) -> None:
        """Start and wait for the pages."""
        self.host = StandaloneHost(load(self.file).settings, config_file=self.file, pages=self._pages)
        self.host.start()
        self.token = self.get("session").get("token", "")

    def _pages(self, app: App) -> Extend:
        self.app = app
        return make_pages(app)

    def stop(self) -> None:
        """Stop everything."""
        self.host.stop()

    def restart(self) -> None:
        self.stop()
        self.start()

    def reset(self) -> None:
        """The settings of the beginning, in file and in force."""
        self.file.write_text(self.first, encoding="utf-8")
        self.host.reload()
        self.app.configure(load(self.file).settings, origin="file")  # a reload keeps what could not be written

    @property
    def yaml(self) -> dict[str, Any]:
        """What the file says now."""
        loaded: dict[str, Any] = yaml.safe_load(self.file.read_text(encoding="utf-8"))
        return loaded

    @property
    def text(self) -> str:
        return self.file.read_text(encoding="utf-8")

    def guard(self, camera: str = "lobby") -> Any:
        """The guard's settings in force."""
        return next(each for each in self.app.settings.cameras if each.id == camera).privacy_guard

    # -- HTTP --------------------------------------------------------------------------------------------------------

    def call(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None,
             ) -> tuple[int, Any, HTTPMessage]:
        """Status, JSON (or bytes) and headers of a request."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method, headers={
            **({"Content-Type": "application/json"} if data is not None else {}), **(headers or {})})
        try:
            with urllib.request.urlopen(request, timeout=20) as reply:
                return reply.status, _read(reply.read(), reply.headers), reply.headers
        except urllib.error.HTTPError as error:
            return error.code, _read(error.read(), error.headers), error.headers

    def get(self, path: str, **headers: str) -> Any:
        """JSON of a GET under /api."""
        return self.call("GET", f"api/{path}", headers=headers)[1]

    def post(self, path: str, body: object, **headers: str) -> tuple[int, Any]:
        """Status and JSON of a POST under /api, with the token."""
        status, found, _ = self.call("POST", f"api/{path}", body, {"X-CSRF-Token": self.token, **headers})
        return status, found

    def change(self, path: str, value: object, **more: object) -> tuple[int, Any]:
        """Change one setting."""
        return self.post("changes", {"changes": [{"path": path, "value": value}], **more})

    def picture(self, camera: str = "lobby", stream: str = "1") -> NDArray[np.uint8]:
        """The newest guarded picture; black while there is none."""
        status, found, _ = self.call("GET", f"api/cameras/{camera}/streams/{stream}/picture.jpg?width=480")
        if status != 200:
            return np.zeros((480, 480, 3), np.uint8)
        return np.asarray(cv2.imdecode(np.frombuffer(found, np.uint8), cv2.IMREAD_COLOR), np.uint8)

    def wait_state(self, state: str, camera: str = "lobby", stream: str = "1", seconds: float = 60.0) -> None:
        """Until a stream is in a state."""
        wait_for(lambda: self.get("state")["cameras"][camera]["streams"][stream]["state"] == state, seconds,
                 f"{camera}/{stream} {state}")


def _read(data: bytes, headers: HTTPMessage) -> Any:
    return json.loads(data) if "json" in headers.get("Content-Type", "") else data


def in_threads(count: int, work: Any) -> None:
    """Run `work(index)` in threads and wait."""
    threads = [threading.Thread(target=work, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
