"""The coordinator of a fleet: places cameras on nodes, watches them, moves them, and serves each at one address."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from aipg_plugin.detection.onnx import PersonNet
from aipg_plugin.errors import AipgError
from aipg_plugin.fleet import placement
from aipg_plugin.fleet.app import FleetApp, Stats, together
from aipg_plugin.fleet.carrier import CarrierReport
from aipg_plugin.fleet.engine import Engine, NodeLostError
from aipg_plugin.fleet.nodes import CarrierLink, LostError, new_carrier
from aipg_plugin.fleet.overview import overview, page_of
from aipg_plugin.fleet.relay import Relay, RelayedStream, fetched
from aipg_plugin.frames import Frame, GuardedFrame, PixelFormat
from aipg_plugin.guard.assembly import make_guard
from aipg_plugin.guard.guard import Guard
from aipg_plugin.guard.service import Load
from aipg_plugin.media import served
from aipg_plugin.media.info import StreamInfo
from aipg_plugin.options import SERVED_KINDS, Camera, Output, OutputKind, Settings
from aipg_plugin.states import State

_log = logging.getLogger(__name__)
_TICK_S = 0.1
_NODES_EVERY_S, _TELL_EVERY_S, _RELIEVE_EVERY_S = 1.0, 2.0, 30.0
_IN_FORCE_S = 3.0       # a node that takes longer to put a change in force is given up
_AGAIN_S = 10.0         # a node whose carrier was lost is tried again after this
_STILL_WH = (640, 640)
_SNAPSHOT_PX = 1280
_NO_ROOM, _NO_NODE, _STARTING = "no node has room for this camera", "no node is there", "starting"


class Coordinator:
    """Runs a configuration over the nodes of a cluster until stopped.

    Settings, broker link, server and page are here; a node has its cameras' settings for as long as it carries them.
    Changes made while running go with a camera to its next node.
    """

    def __init__(self, engine: Engine, settings: Settings, *, config_file: Path | None = None) -> None:
        self._engine = engine
        self._lock = threading.RLock()
        self._links: dict[str, CarrierLink] = {}
        self._homes: dict[str, str] = {}
        self._costs: dict[str, float] = {}
        self._why: dict[str, str] = {}            # cameras without a node: why
        self._not_before_s: dict[str, float] = {}
        self._relays: dict[tuple[str, str], Relay] = {}
        self._outputs: dict[tuple[str, str], tuple[Output, ...]] = {}   # what each relay was made for
        self._looked_s = self._told_s = self._relieved_s = -float("inf")
        self._thread = threading.Thread(target=self._run, name="aipg-fleet", daemon=True)
        self._ending = threading.Event()
        self._fetching = False
        self.app = FleetApp(settings, config_file=config_file, carry=self._carry, nodes_stats=self._stats,
                            nodes_load=self._load, page=lambda _: page_of(self.overview, settings.language))

    def start(self) -> None:
        """Serve and place cameras, in the background. Raises MediaError if a port is taken."""
        if self.app.settings.web.onvif:
            _log.warning("web.onvif: a fleet has no ONVIF services; give the NVR the RTSP addresses")
        self.app.start()
        self._serve(self.app.settings)
        self._thread.start()

    def stop(self) -> None:
        """Close every camera's outputs on its node, then everything here."""
        self._ending.set()
        self._thread.join(10.0)
        stopping = [link.actor.call("stop") for link in self._links.values() if link.ready]
        end_s = time.monotonic() + 15.0
        for pending in stopping:
            try:
                pending.result(max(0.1, end_s - time.monotonic()))
            except AipgError as error:
                _log.warning("a node did not close its outputs: %s", error)
        for link in self._links.values():
            link.actor.kill()
        for relay in self._relays.values():
            relay.stop()
        for relay in self._relays.values():
            relay.join(5.0)
        self.app.close()

    def links(self) -> list[CarrierLink]:
        """The nodes that carry cameras or are about to."""
        with self._lock:
            return list(self._links.values())

    def overview(self) -> dict[str, object]:
        """Nodes and cameras, for the page and MQTT."""
        with self._lock:
            homes = {camera: self._links[node] for camera, node in self._homes.items() if node in self._links}
            return overview(self.app, list(self._links.values()), homes, self._costs, self._why)

    def _stats(self) -> Stats:
        with self._lock:
            return {camera: link.report.stats[camera] for camera, node in self._homes.items()
                    for link in [self._links[node]]
                    if link.report is not None and camera in link.report.stats}

    def _load(self) -> Load | None:
        loads = [link.report.load for link in self.links() if link.report is not None and link.report.load is not None]
        return together(loads) if loads else None

    # -- settings ------------------------------------------------------------------------------------

    def _carry(self, settings: Settings) -> None:
        """Put changed settings in force on the nodes; one that does not answer loses its cameras."""
        with self._lock:
            waiting = [(link, pending) for link in self._links.values()
                       for pending in [link.push(settings) if link.ready else None] if pending is not None]
        for link, pending in waiting:
            try:
                pending.result(_IN_FORCE_S)
            except NodeLostError as error:
                with self._lock:
                    self._lose(link, str(error))
        self._serve(settings)

    def _serve(self, settings: Settings) -> None:
        """A relay for every stream that is to be served, and no other."""
        server = self.app.server
        if server is None:
            return
        wanted = {(camera.id, stream.id): (camera, tuple(each for each in stream.outputs if each.kind in SERVED_KINDS))
                  for camera in settings.cameras if camera.enabled for stream in camera.streams}
        with self._lock:
            for key in [key for key in self._relays if self._outputs[key] != wanted.get(key, (None, ()))[1]]:
                relay = self._relays.pop(key)
                server.withdraw(relay.stream)
                relay.stop()
            for key, (camera, outputs) in wanted.items():
                if not outputs or key in self._relays:
                    continue
                self._outputs[key] = outputs
                stream = RelayedStream(replace(outputs[0], encoder="auto"), StreamInfo(_STILL_WH, fps=10.0, live=True),
                                       name=served.stream_name(*key))
                kinds = {output.kind for output in outputs}
                server.publish(stream, http=OutputKind.HTTP in kinds, rtsp=OutputKind.RTSP_SERVE in kinds)
                self._relays[key] = Relay(stream, _Still(camera, key[1], self.app.net))
                self._relays[key].start()

    # -- the loop ------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._ending.wait(_TICK_S):
            try:
                with self._lock:
                    self._tick(time.monotonic())
            except Exception:  # the fleet goes on without this turn
                _log.exception("the coordinator failed in one turn")

    def _tick(self, now_s: float) -> None:
        if now_s - self._looked_s >= _NODES_EVERY_S:
            self._looked_s = now_s
            self._look_for_nodes(now_s)
        for link in list(self._links.values()):
            try:
                report = link.tick(now_s)
            except LostError as error:
                self._lose(link, str(error))
                continue
            if report is not None:
                self._absorb(link, report, now_s)
        self._place(now_s)
        self._take_snapshots()
        if now_s - self._told_s >= _TELL_EVERY_S:
            self._told_s = now_s
            self.app.link.fleet(self.overview())

    def _look_for_nodes(self, now_s: float) -> None:
        nodes = self._engine.nodes()
        for link in [link for link in self._links.values() if link.node.id not in nodes]:
            self._lose(link, "the node is gone")
        for node in nodes.values():
            if node.id not in self._links and node.cores >= 1 and self._not_before_s.get(node.id, 0.0) <= now_s:
                self._links[node.id] = new_carrier(self._engine, node, self.app.settings)

    def _take_snapshots(self) -> None:
        """Fetch the pictures that are due over MQTT, one at a time on a thread of their own."""
        for key, relay in self._relays.items():
            if relay.stream.feed is not None and self.app.link.wants_snapshot(*key) and not self._fetching:
                self._fetching = True
                threading.Thread(target=self._fetch, args=(key, relay.stream), name="aipg-fleet-jpeg").start()

    def _fetch(self, key: tuple[str, str], stream: RelayedStream) -> None:
        try:
            jpeg = fetched(stream.feed, stream.name, _SNAPSHOT_PX) if stream.feed is not None else None
            if jpeg is not None:
                self.app.link.snapshot_relayed(*key, jpeg)
            else:
                self._ending.wait(1.0)
        finally:
            self._fetching = False

    def _absorb(self, link: CarrierLink, report: CarrierReport, now_s: float) -> None:
        """What a node tells of its cameras goes where an app's own guards tell it."""
        for (camera, stream), status in report.statuses.items():
            if self._homes.get(camera) == link.node.id:
                self.app.statuses.report(camera, stream, status.state, status.reason)
                self.app.statuses.report_outputs(camera, stream, status.outputs)
        for camera, (t_s, seen) in report.figures.items():
            if self._homes.get(camera) == link.node.id:
                self.app.seen(camera, *link.on_our_clock(camera, t_s, seen, now_s))
        self._costs |= link.costs()

    def _lose(self, link: CarrierLink, why: str) -> None:
        """A node is gone or silent: its cameras show the still until another has them."""
        if self._links.pop(link.node.id, None) is None:
            return
        lost = sorted(camera for camera, node in self._homes.items() if node == link.node.id)
        _log.warning("node %s (%s) is lost: %s; its cameras: %s", link.node.name, link.node.ip, why,
                     ", ".join(lost) or "none")
        link.actor.kill()
        self._not_before_s[link.node.id] = time.monotonic() + _AGAIN_S
        for camera in lost:
            del self._homes[camera]
            self._without_node(camera, f"node {link.node.name} is lost")

    def _without_node(self, camera: str, why: str) -> None:
        if self._why.get(camera) == why:
            return
        self._why[camera] = why
        self.app.seen(camera, time.monotonic(), ())
        for key, relay in self._relays.items():
            if key[0] == camera:
                relay.serve(None, why)
        for each in self.app.settings.cameras:
            if each.id == camera and each.enabled:
                for stream in each.streams:
                    self.app.statuses.report(camera, stream.id, State.LOST, why)

    # -- placement -----------------------------------------------------------------------------------

    def _place(self, now_s: float) -> None:
        settings = self.app.settings
        ready = {link.node.id: link for link in self._links.values() if link.ready}
        guess = placement.estimate(self._costs)
        wanted = {camera.id: self._costs.get(camera.id, guess) for camera in settings.cameras if camera.enabled}
        cores = {node: link.usable_cores for node, link in ready.items()}
        homes = placement.placed(wanted, self._homes, cores)
        if now_s - self._relieved_s >= _RELIEVE_EVERY_S:
            move = placement.relieved(wanted, homes, cores)
            if move is not None:
                self._relieved_s = now_s
                homes[move[0]] = move[1]
        self._homes, before = homes, self._homes
        for node, link in ready.items():
            link.cameras = tuple(sorted(camera for camera, home in homes.items() if home == node))
        leaving = [link for node, link in ready.items() if any(before.get(c) == node != homes.get(c) for c in before)]
        for link in leaving:  # a camera is never guarded in two places
            link.push(settings)
        if any(link.pushing is not None for link in leaving):
            self._finish(leaving)
        for link in ready.values():
            link.push(settings)
        self._point(homes, before, wanted, ready)

    def _finish(self, leaving: list[CarrierLink]) -> None:
        for link in leaving:
            try:
                if link.pushing is not None:
                    link.pushing.result(_IN_FORCE_S)
            except NodeLostError as error:
                self._lose(link, str(error))

    def _point(self, homes: Mapping[str, str], before: Mapping[str, str], wanted: Mapping[str, float],
               ready: Mapping[str, CarrierLink]) -> None:
        """Let the relays follow the cameras."""
        for camera, node in homes.items():
            if before.get(camera) != node or camera in self._why:
                self._why.pop(camera, None)
                link = ready[node]
                _log.info("camera %s is on node %s (%s)", camera, link.node.name, link.node.ip)
                for key, relay in self._relays.items():
                    if key[0] == camera:
                        relay.serve(link.feed, _STARTING)
        for camera in wanted.keys() - homes.keys():
            self._without_node(camera, _NO_ROOM if ready else self._why.get(camera, _NO_NODE))
        for key, relay in self._relays.items():
            node = homes.get(key[0], "")
            if node in ready and relay.stream.feed is None:
                relay.serve(ready[node].feed, _STARTING)


class _Still:
    """Makes the masked picture of a stream that no node serves: a guard of its own, on a picture of nothing."""

    def __init__(self, camera: Camera, stream: str, net: PersonNet) -> None:
        self._camera, self._stream, self._net = camera, stream, net
        self._guard: Guard | None = None

    def __call__(self, reason: str) -> GuardedFrame | None:
        if self._guard is None:
            self._guard = make_guard(self._camera, self._net, live=False)
            w, h = _STILL_WH
            planes = tuple(np.full(shape, 128, np.uint8) for shape in ((h, w), (h // 2, w // 2), (h // 2, w // 2)))
            self._guard.process(Frame(self._stream, 0, 0.0, time.time(), PixelFormat.I420, (w, h), planes))
            self._guard.flush(self._stream)
            self._guard.close()
        return self._guard.lost(self._stream, reason)
