"""Which node carries which camera: pure rules, by measured cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

USABLE = 0.9          # share of a node's cores that cameras may take
UNMEASURED_CORES = 0.5  # what a camera is taken to cost until any camera has been measured
_LEAST_CORES = 0.02


@dataclass(frozen=True)
class NodeLoad:
    """What a node has and what its cameras take, in cores, as measured (or estimated for new ones)."""

    cores: float
    cameras: Mapping[str, float]

    @property
    def room(self) -> float:
        """Cores that further cameras may take; negative on a node with too much work."""
        return self.cores * USABLE - sum(self.cameras.values())


def shares(cpu_cores: float, frame_rates: Mapping[str, float]) -> dict[str, float]:
    """What a carrier's process takes, split among its cameras by the frames a second that each has."""
    whole = sum(frame_rates.values())
    if whole <= 0:
        return {}
    return {camera: max(_LEAST_CORES, cpu_cores * rate / whole) for camera, rate in frame_rates.items() if rate > 0}


def estimate(costs: Mapping[str, float]) -> float:
    """Cores that a camera which was never measured will take: the mean of those that were."""
    return sum(costs.values()) / len(costs) if costs else UNMEASURED_CORES


def placed(wanted: Mapping[str, float], homes: Mapping[str, str], nodes: Mapping[str, float]) -> dict[str, str]:
    """Where each camera is to be: `wanted` (cores by camera), `homes` (nodes now), `nodes` (cores by node).

    Cameras stay where they are. The others go to the node with the most room, dearest first, as long as they fit; an
    empty node takes one camera whatever it costs. A camera that fits nowhere is left out: it waits.
    """
    result = {camera: node for camera, node in homes.items() if camera in wanted and node in nodes}
    for camera in sorted(wanted.keys() - result.keys(), key=lambda each: (-wanted[each], each)):
        loads = _loads(wanted, result, nodes)
        best = max(loads, key=lambda node: (loads[node].room, node), default=None)
        if best is not None and (loads[best].room >= wanted[camera] or not loads[best].cameras):
            result[camera] = best
    return result


def relieved(wanted: Mapping[str, float], homes: Mapping[str, str],
             nodes: Mapping[str, float]) -> tuple[str, str] | None:
    """A camera to move from a node with too much work, and the node with room for it; None if nothing helps."""
    loads = _loads(wanted, homes, nodes)
    for node in sorted(loads, key=lambda each: loads[each].room):
        load = loads[node]
        if load.room >= 0 or len(load.cameras) < 2:
            continue
        camera = min(load.cameras, key=lambda each: (load.cameras[each], each))
        target = max((other for other in loads if other != node), key=lambda each: (loads[each].room, each),
                     default=None)
        if target is not None and loads[target].room >= load.cameras[camera]:
            return camera, target
    return None


def _loads(wanted: Mapping[str, float], homes: Mapping[str, str], nodes: Mapping[str, float]) -> dict[str, NodeLoad]:
    return {node: NodeLoad(cores, {camera: wanted[camera] for camera, home in homes.items()
                               if home == node and camera in wanted}) for node, cores in nodes.items()}
