"""The component `aipg` for a Viseron whose Python is too old for ours: it asks `aipg run`, and needs nothing installed.

`aipg nvr viseron CONFIG --component FOLDER` copies this folder to FOLDER/aipg, to be mounted at
/src/viseron/components/aipg. Every camera named under `aipg` is a guarded restream; its people come from `aipg run`,
and a camera that has another source is neither set up nor started. Standard library and voluptuous, Python 3.10.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
import time
import urllib.request
from collections.abc import Mapping
from http.cookiejar import CookieJar
from types import MappingProxyType
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote

import voluptuous as vol

from .sources import GuardedSources
from .watch import Watch

_log = logging.getLogger(__name__)
COMPONENT = "aipg"
DETECTOR = "object_detector"
_TIMEOUT_S, _STALE_S, _QUIET_S = 2.0, 3.0, 5.0
_OPTIONAL: Any = vol.Optional

CONFIG_SCHEMA = vol.Schema({vol.Required(COMPONENT): {
    vol.Required("url"): vol.All(str, vol.Match(r"https?://[^/@]+$")),
    _OPTIONAL("username", default=""): str,
    _OPTIONAL("password", default=""): str,
    vol.Required("cameras"): {str: {vol.Required("camera"): str, vol.Required("sources"): [str]}},
    _OPTIONAL(DETECTOR): dict}}, extra=vol.ALLOW_EXTRA)

Person = tuple[float, float, float, float, float]  # score, and x1, y1, x2, y2 normalised


class PeopleClient:
    """People seen by `aipg run`. Thread-safe; a log-in is kept for as long as the server keeps it."""

    def __init__(self, url: str, username: str = "", password: str = "") -> None:
        self._url, self._login = url.rstrip("/"), {"user": username, "password": password}
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self._lock = threading.Lock()
        self._quiet_until_s = 0.0

    def people(self, camera: str) -> list[Person]:
        """Everybody seen before one of our cameras just now; empty while `aipg run` can't be asked."""
        with self._lock:
            if time.monotonic() < self._quiet_until_s:
                return []
            try:
                answer = self._asked(f"/api/cameras/{quote(camera, safe='')}/people")
            except (OSError, ValueError) as error:
                _log.warning("aipg run cannot be asked for people: %s", error)
                self._quiet_until_s = time.monotonic() + _QUIET_S
                return []
        if answer["age_s"] is None or answer["age_s"] > _STALE_S:
            return []
        return [(float(each["score"]), *each["box"]) for each in answer["people"]]

    def _asked(self, path: str) -> Any:
        try:
            return self._json(path)
        except HTTPError as error:
            if error.code != 401 or not self._login["user"]:
                raise
        token = self._json("/api/session")["token"]  # a change, and so a log-in, has to carry it
        self._json("/api/session", json.dumps(self._login).encode(), {"X-CSRF-Token": token})
        return self._json(path)

    def _json(self, path: str, body: bytes | None = None, headers: Mapping[str, str] = MappingProxyType({})) -> Any:
        request = urllib.request.Request(self._url + path, body, {"Content-Type": "application/json", **headers})
        with self._opener.open(request, timeout=_TIMEOUT_S) as reply:
            return json.loads(reply.read(1_000_000))


class GuardedCameras:
    """What `vis.data["aipg"]` holds."""

    def __init__(self, ours: Mapping[str, Any]) -> None:
        self._cameras = ours["cameras"]
        self._client = PeopleClient(ours["url"], ours["username"], ours["password"])
        self.guarded = GuardedSources({name: entry["sources"] for name, entry in self._cameras.items()})
        self.watch = Watch(self.guarded.camera_faults)

    def people(self, camera_identifier: str) -> list[Person]:
        """People before one of Viseron's cameras."""
        entry = self._cameras.get(camera_identifier)
        return self._client.people(entry["camera"]) if entry else []


def setup(vis: Any, config: Mapping[str, Any]) -> bool:
    """Watch the cameras; asks Viseron to shut down while one of them has a raw source."""
    component = GuardedCameras(config[COMPONENT])
    found = component.guarded.go2rtc_faults(config.get("go2rtc"))
    for part in ("ffmpeg", "gstreamer"):
        cameras = (config.get(part) or {}).get("camera") or {}
        for name, camera in cameras.items():
            found += component.guarded.camera_faults(name, camera or {})
    if found:
        _log.critical("Viseron must not run like this and is being shut down:\n%s", "\n".join(found))
        os.kill(os.getpid(), signal.SIGTERM)
        return False
    watch_viseron(component.watch, component.guarded.go2rtc_faults)
    vis.data[COMPONENT] = component
    vis.register_signal_handler("shutdown", component.watch.end)
    return True


def watch_viseron(watch: Watch, go2rtc_faults: Any) -> None:
    """Put a watch on Viseron's cameras, and on go2rtc where this Viseron has it."""
    from viseron.domains.camera import AbstractCamera

    watch.cameras(AbstractCamera)
    try:
        from viseron.components.go2rtc import Go2RTC
    except ImportError:
        return
    watch.go2rtc(Go2RTC, go2rtc_faults)


def setup_domains(vis: Any, config: Mapping[str, Any]) -> None:
    """Offer our people as the object detector of the cameras named under `aipg.object_detector.cameras`."""
    from viseron.domains import RequireDomain, setup_domain

    detector = config[COMPONENT].get(DETECTOR) or {}
    for camera in detector.get("cameras", {}):
        setup_domain(vis, COMPONENT, DETECTOR, dict(config[COMPONENT]), identifier=camera,
                     require_domains=[RequireDomain(domain="camera", identifier=camera)])
