"""The coordinator's view of its nodes: a carrier on each, asked a few times a second, with the cameras given to it."""

from __future__ import annotations

import logging
import secrets
import time
from dataclasses import dataclass, field, replace

from aipg_plugin.errors import AipgError
from aipg_plugin.fleet import placement
from aipg_plugin.fleet.carrier import LEASE_S, Carrier, CarrierReport
from aipg_plugin.fleet.engine import Engine, Node, NodeActor, Pending
from aipg_plugin.fleet.relay import Feed
from aipg_plugin.mqtt.reports import TrackReport
from aipg_plugin.options import SERVED_KINDS, Camera, Mqtt, OutputKind, Settings, Web

_log = logging.getLogger(__name__)
SILENT_S = LEASE_S + 0.5   # then the carrier has ended itself
_BORN_S = 60.0             # a process may take long to start on a busy machine
_ASK_EVERY_S = 0.2
_WINDOW_S, _SETTLE_S = 8.0, 6.0  # cost is measured over the window, from so long after the last camera came
_SHIFT_S = 5.0
_LESS = 0.98
_LEAST_SHARE = 0.15  # of the time a look wants, as `guard.service` gives at the least


class LostError(Exception):
    """A carrier is gone; the text says why."""


@dataclass
class CarrierLink:
    """One node's carrier as the coordinator sees it."""

    node: Node
    actor: NodeActor
    password: str
    born_s: float
    starting: Pending | None
    port: int = 0
    cameras: tuple[str, ...] = ()
    pushed: Settings | None = None
    number: int = 0
    pushing: Pending | None = None
    asking: Pending | None = None
    asked_s: float = 0.0
    changed_s: float = 0.0
    cores: float = 0.0                    # what the process takes now
    report: CarrierReport | None = None
    _measured: tuple[float, float] = (0.0, 0.0)   # when, CPU seconds
    _shifts: dict[str, float] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        """Whether it can be given cameras."""
        return self.port > 0

    @property
    def feed(self) -> Feed:
        """Where it serves."""
        return Feed(self.node.ip, self.port, USER, self.password)

    def push(self, settings: Settings) -> Pending | None:
        """Send settings with this carrier's cameras, unless it has them already; the answer to wait for."""
        mine = settings_for(settings, self)
        if mine == self.pushed:
            return self.pushing
        if self.pushed is None or {camera.id for camera in mine.cameras} != {each.id for each in self.pushed.cameras}:
            self.changed_s = time.monotonic()
        self.pushed = mine
        self.number += 1
        self.pushing = self.actor.call("configure", mine, self.number)
        return self.pushing

    def tick(self, now_s: float) -> CarrierReport | None:
        """Ask how it goes, and take the answer of before. Raises LostError."""
        try:
            self._started()
            if self.pushing is not None and self.pushing.done():
                self.pushing.result(1.0)
                self.pushing = None
            return self._answer(now_s)
        except AipgError as error:
            raise LostError(str(error)) from error

    def _started(self) -> None:
        if self.starting is not None and self.starting.done():
            self.port, self.starting = self.starting.result(1.0), None
            _log.info("node %s (%s) is ready, %g cores", self.node.name, self.node.ip, self.node.cores)

    def _answer(self, now_s: float) -> CarrierReport | None:
        if self.asking is None:
            if now_s - self.asked_s >= _ASK_EVERY_S:
                self.asking, self.asked_s = self.actor.call("report"), now_s
            return None
        if not self.asking.done():
            if now_s - self.asked_s > (SILENT_S if self.number else _BORN_S):
                raise LostError(f"no answer for {now_s - self.asked_s:.0f} s")
            return None
        report: CarrierReport = self.asking.result(1.0)
        self.asking, self.report = None, report
        self._measure(now_s, report)
        return report

    def _measure(self, now_s: float, report: CarrierReport) -> None:
        then_s, then_cpu_s = self._measured
        if now_s - then_s >= _WINDOW_S or then_s < self.changed_s + _SETTLE_S <= now_s:
            if then_s >= self.changed_s + _SETTLE_S:
                self.cores = max((report.cpu_s - then_cpu_s) / (now_s - then_s), looking_cores(report))
            self._measured = now_s, report.cpu_s

    @property
    def overloaded(self) -> bool:
        """Whether its cameras get less looking than they want, and not just because some have only come."""
        settled = time.monotonic() > self.changed_s + _SETTLE_S
        return settled and self.report is not None and self.report.load is not None and self.report.load.overloaded

    @property
    def usable_cores(self) -> float:
        """What placement may count on: on a node with too much work, a little less than its cameras take."""
        return min(self.node.cores, _LESS * self.cores / placement.USABLE) if self.overloaded else self.node.cores

    def costs(self) -> dict[str, float]:
        """Cores that each of its cameras takes, as far as measured."""
        if self.cores <= 0 or self.report is None:
            return {}
        rates = {camera: sum(_number(numbers.get("fps_in")) for numbers in streams.values())
                 for camera, streams in self.report.stats.items() if camera in self.cameras}
        return placement.shares(self.cores, rates) if all(camera in rates for camera in self.cameras) else {}

    def on_our_clock(self, camera: str, t_s: float, reports: tuple[TrackReport, ...],
                     now_s: float) -> tuple[float, tuple[TrackReport, ...]]:
        """Who was seen, with times (s) of this process's clock; intervals stay as the camera's clock has them."""
        shift_s = self._shifts.get(camera)
        if shift_s is None or abs(t_s + shift_s - now_s) > _SHIFT_S:
            shift_s = self._shifts[camera] = now_s - t_s
        return t_s + shift_s, tuple(replace(each, first_seen_s=each.first_seen_s + shift_s) for each in reports)


USER = "fleet"


def new_carrier(engine: Engine, node: Node, settings: Settings) -> CarrierLink:
    """Start a carrier without cameras on a node; returns at once."""
    actor = engine.spawn(Carrier, node)
    link = CarrierLink(node, actor, secrets.token_urlsafe(24), time.monotonic(), None, asked_s=time.monotonic())
    empty = settings_for(settings, link)
    link.pushed = empty
    link.starting = actor.call("start", empty)
    return link


def settings_for(settings: Settings, link: CarrierLink) -> Settings:
    """What a node needs: its cameras, the models, and a server for the coordinator alone. No broker, no users."""
    cameras = tuple(_carried(camera) for camera in settings.cameras if camera.id in link.cameras)
    cores = int(link.node.cores)
    threads = max(1, min(settings.models.threads or cores - 1, cores))
    web = Web(host=link.node.ip, port=0, rtsp_port=0, username=USER, password=link.password)
    return replace(settings, cameras=cameras, mqtt=Mqtt(), web=web, models=replace(settings.models, threads=threads))


def _carried(camera: Camera) -> Camera:
    """A camera as its node has it: what the coordinator serves comes to it as one HTTP output."""
    streams = []
    for stream in camera.streams:
        served = [output for output in stream.outputs if output.kind in SERVED_KINDS]
        others = tuple(output for output in stream.outputs if output.kind not in SERVED_KINDS)
        streams.append(replace(stream, outputs=(
            *others, *(replace(output, kind=OutputKind.HTTP) for output in served[:1]))))
    return replace(camera, streams=tuple(streams))


def looking_cores(report: CarrierReport) -> float:
    """Cores that looking would take if all of it were done: more than is used where others use the processor too."""
    load = report.load
    return load.look_s * load.wanted_hz / max(load.time_share, _LEAST_SHARE) if load is not None else 0.0


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
