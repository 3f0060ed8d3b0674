"""The component `aipg` of Viseron: schema, set-up and tear-down."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Mapping
from typing import Any

import voluptuous as vol

from aipg_plugin.errors import AipgError
from aipg_plugin.facade.overlays import upright_boxes
from aipg_plugin.hooks import Plugin
from aipg_plugin.hosts.viseron.client import Person, watch_viseron
from aipg_plugin.hosts.viseron.client.watch import Watch
from aipg_plugin.hosts.viseron.frames import FrameGate
from aipg_plugin.hosts.viseron.safety import COMPONENT, Ours, SourceJudge, judged, read_key
from aipg_plugin.options import Settings
from aipg_plugin.plugin import create_plugin

_log = logging.getLogger(__name__)


def _key(value: object) -> Any:
    try:
        read_key(value)
    except AipgError as error:
        raise vol.Invalid(str(error)) from error
    return value


CONFIG_SCHEMA = vol.Schema({vol.Required(COMPONENT): _key}, extra=vol.ALLOW_EXTRA)


class ViseronHost:
    """The guard inside Viseron: frames through the gate, people to the object detector."""

    name = "viseron"

    def __init__(self, ours: Ours, judge: SourceJudge) -> None:
        self.ours = ours
        self.watch = Watch(judge.camera_faults)
        self._figures: dict[str, dict[str, Any]] = {}
        self.plugin: Plugin = create_plugin(self, ours.settings)
        self.gate = FrameGate(self.plugin, streams_of(ours.settings))

    def metadata(self, camera: str, kind: str, payload: dict[str, object]) -> None:
        """Keep who was seen last, for the object detector domain."""
        if kind == "figures":
            self._figures[camera] = payload

    def people(self, camera: str) -> list[Person]:
        """Everybody tracked before a camera: score, and x1, y1, x2, y2 normalised."""
        seen = self._figures.get(camera)
        if seen is None or not seen["figures"]:
            return []
        boxes = upright_boxes([figure["box"] for figure in seen["figures"]], seen["size_wh"])
        return [(float(figure["score"]), x1, y1, x2, y2)
                for figure, (x1, y1, x2, y2) in zip(seen["figures"], boxes, strict=True)]

    def close(self) -> None:
        """Take the gate away and stop the guard."""
        from viseron.domains.camera.shared_frames import SharedFrames

        self.watch.end()
        self.gate.close()
        self.gate.unwrap(SharedFrames)
        self.plugin.close()


def streams_of(settings: Settings) -> dict[str, str]:
    """Our stream for each of Viseron's cameras: the one whose source is `viseron`, else the first."""
    return {camera.id: next((stream.id for stream in camera.streams if stream.source.url == COMPONENT_SOURCE),
                            camera.streams[0].id) for camera in settings.cameras if camera.enabled}


COMPONENT_SOURCE = "viseron"


def setup(vis: Any, config: Mapping[str, Any]) -> bool:
    """Guard the cameras named under `aipg`; asks Viseron to shut down while its recorder copies a raw source."""
    from viseron.domains.camera.shared_frames import SharedFrames

    try:
        ours, judge = judged(config)
        host = ViseronHost(ours, judge)
    except AipgError as error:
        _log.critical("Viseron must not run like this and is being shut down:\n%s", error)
        os.kill(os.getpid(), signal.SIGTERM)
        return False
    host.gate.wrap(SharedFrames)
    watch_viseron(host.watch, judge.go2rtc_faults)
    vis.data[COMPONENT] = host
    vis.register_signal_handler("shutdown", host.close)
    return True
