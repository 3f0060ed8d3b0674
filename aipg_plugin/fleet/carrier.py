"""What runs on a node: the cameras placed there, guarded by the standalone host as `aipg run` does. Knows no Ray."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from aipg_plugin.app import App
from aipg_plugin.frames import GuardedFrame
from aipg_plugin.guard.service import Load
from aipg_plugin.hosts.standalone import StandaloneHost
from aipg_plugin.media.server import Extend
from aipg_plugin.mqtt.reports import TrackReport
from aipg_plugin.options import Settings
from aipg_plugin.states import State, StreamKey

_log = logging.getLogger(__name__)
LEASE_S = 4.0  # a carrier whose coordinator is silent for so long ends itself: its cameras may be guarded elsewhere
_IDLE_S = 60.0  # before it has had cameras: starting takes long on a busy machine
_GIVEN_UP = 70


@dataclass(frozen=True)
class CarriedStatus:
    """How one stream is, as `states.StreamStatus` says."""

    state: State
    reason: str
    outputs: Mapping[str, str]


@dataclass(frozen=True)
class CarrierReport:
    """What a carrier tells when asked.

    `figures` are the newest of each camera since the last report: time (s, of the camera's own clock) and tracks.
    `cpu_s` is the CPU time its process has used since its start.
    """

    statuses: Mapping[StreamKey, CarriedStatus]
    stats: Mapping[str, Mapping[str, Mapping[str, object]]]
    figures: Mapping[str, tuple[float, tuple[TrackReport, ...]]]
    cpu_s: float
    load: Load | None = None


class Carrier:
    """The cameras of one node. Made empty, so that the cluster, which keeps what it was made of, knows no secret."""

    def __init__(self) -> None:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)
        self._host: StandaloneHost | None = None
        self._app: App | None = None
        self._lock = threading.Lock()
        self._configuring = threading.Lock()
        self._number = 0
        self._figures: dict[str, tuple[float, tuple[TrackReport, ...]]] = {}
        self._asked_s = time.monotonic()
        threading.Thread(target=self._keep_lease, name="aipg-lease", daemon=True).start()

    def start(self, settings: Settings) -> int:
        """Serve, with the cameras of `settings`; the HTTP port. Raises what the host raises."""
        self._host = StandaloneHost(settings, pages=self._watch)
        self._host.start()
        server = self._app.server if self._app is not None else None
        return server.port if server is not None else 0

    def configure(self, settings: Settings, number: int) -> None:
        """Put new settings in force between two frames; cameras come and go as they say. Late ones are ignored."""
        with self._configuring:
            if self._host is not None and number > self._number:
                self._number = number
                self._host.plugin.on_settings(settings)
                self._host.settings_changed(settings)

    def report(self) -> CarrierReport:
        """How all streams are, and who was seen since the last report. Asking renews the lease."""
        self._asked_s = time.monotonic()
        with self._lock:
            figures, self._figures = self._figures, {}
        app = self._app
        if app is None:
            return CarrierReport({}, {}, figures, time.process_time())
        statuses = {key: CarriedStatus(status.state, status.reason, dict(status.outputs))
                    for key, status in app.statuses.all().items()}
        return CarrierReport(statuses, app.stats(), figures, time.process_time(), app.load)

    def stop(self) -> None:
        """Close every output properly; nobody asks for reports meanwhile."""
        self._asked_s = time.monotonic() + _IDLE_S
        if self._host is not None:
            self._host.stop()

    def _watch(self, app: App) -> Extend:
        self._app = app
        app.watchers.append(self)
        return lambda _: None

    # -- as a watcher of the app ---------------------------------------------------------------------

    def guarded(self, camera_id: str, frame: GuardedFrame) -> None:
        """Pictures leave by the outputs."""

    def figures(self, camera_id: str, t_s: float, reports: tuple[TrackReport, ...]) -> None:
        """Keep the newest for the next report."""
        with self._lock:
            self._figures[camera_id] = t_s, reports

    def changed(self, origin: str, before: Settings, after: Settings) -> None:
        """The coordinator made the change."""

    def _keep_lease(self) -> None:
        while time.monotonic() - self._asked_s < (LEASE_S if self._number else _IDLE_S):
            time.sleep(0.2)
        _log.error("the coordinator is silent: this node ends its cameras")
        with contextlib.suppress(Exception):
            logging.shutdown()
        os._exit(_GIVEN_UP)  # at once: outputs that hang must not keep a camera guarded in two places
