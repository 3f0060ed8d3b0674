"""The app of a fleet's coordinator: settings, broker link and server here, the cameras guarded on other nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from aipg_plugin.app import App
from aipg_plugin.guard.service import Load
from aipg_plugin.media.server import Extend
from aipg_plugin.mqtt.reports import TrackReport
from aipg_plugin.options import Settings

Stats = Mapping[str, Mapping[str, Mapping[str, object]]]


class FleetApp(App):
    """An App whose settings are in force only once the nodes have them: a change is told after that, as ever.

    `carry(settings)` puts settings in force on all nodes and returns when they are. `nodes_stats()` and `nodes_load()`
    give what the nodes last told.
    """

    def __init__(self, settings: Settings, *, config_file: Path | None, carry: Callable[[Settings], None],
                 nodes_stats: Callable[[], Stats], nodes_load: Callable[[], Load | None],
                 page: Callable[[App], Extend]) -> None:
        super().__init__(settings, config_file=config_file, host="fleet", pages=page)
        self._carry = carry
        self._nodes_stats, self._nodes_load = nodes_stats, nodes_load

    def configure(self, settings: Settings, *, origin: str = "host") -> None:
        """See `App.configure`."""
        with self._lock:
            self._carry(settings)
            super().configure(settings, origin=origin)

    def stats(self) -> dict[str, dict[str, dict[str, object]]]:
        """State and numbers by camera and stream, as the nodes last told."""
        return {camera: {stream: dict(numbers) for stream, numbers in streams.items()}
                for camera, streams in self._nodes_stats().items()}

    @property
    def load(self) -> Load:
        """How much of the looking that is wanted gets done, on all nodes together."""
        return self._nodes_load() or super().load

    def seen(self, camera: str, t_s: float, reports: tuple[TrackReport, ...]) -> None:
        """Tell who is tracked by a camera at `t_s` (s, monotonic)."""
        self.link.figures(camera, t_s, reports)


def together(loads: Sequence[Load]) -> Load:
    """Several nodes' loads as one: sums of what is counted, the worst of what is not."""
    return Load(sum(each.threads for each in loads), sum(each.cameras for each in loads),
                round(sum(each.looks_hz for each in loads), 1), round(sum(each.wanted_hz for each in loads), 1),
                max(each.look_s for each in loads), max(each.wait_s for each in loads),
                min(each.time_share for each in loads), any(each.overloaded for each in loads))
