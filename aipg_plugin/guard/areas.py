"""The areas drawn by hand, in one stream's picture: those drawn on it and those of the camera's other streams."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from aipg_plugin.geometry.projection import Projection
from aipg_plugin.geometry.transfer import remap_area
from aipg_plugin.masking.plan import AreaRegion, Polygon
from aipg_plugin.options import Area, PrivacyGuard

MISSING = "an always-mask area is drawn on a stream that has shown no picture yet"

Projections = Callable[[str], Projection | None]  # of a stream of the camera, by its id; None while it is not known


@dataclass(frozen=True, eq=False)
class Areas:
    """The enabled areas of one stream's picture; `missing` says why an always-mask area has no place, "" if none."""

    always: tuple[Polygon, ...] = ()
    prohibited: tuple[AreaRegion, ...] = ()
    missing: str = ""


NO_AREAS = Areas()


def areas_of(guard: PrivacyGuard, stream_id: str, target: Projection, projections: Projections) -> Areas:
    """The areas of a guard in a stream's picture `target`.

    An area drawn on another stream is carried by the rays of its pixels. One whose stream is not known yet prohibits
    nothing, and while it always masks, it is `missing`.
    """

    def region(area: Area) -> AreaRegion | None:
        drawn_on = area.stream or (guard.target_streams[0] if guard.target_streams else stream_id)
        if drawn_on == stream_id:
            return _scaled(area, target)
        source = projections(drawn_on)
        return None if source is None else _carried(area, source, target)

    always = [region(area) for area in guard.always_mask_areas if area.enabled]
    prohibited = [region(area) for area in guard.prohibited_areas if area.enabled]
    return Areas(always=tuple(polygon for area in always if area for polygon in area.polygons_px),
                 prohibited=tuple(area for area in prohibited if area and area.polygons_px),
                 missing=MISSING if None in always else "")


def _scaled(area: Area, projection: Projection) -> AreaRegion:
    return AreaRegion((np.array(area.points, np.float32) * np.array(projection.size_wh, np.float32),))


def _carried(area: Area, source: Projection, target: Projection) -> AreaRegion:
    points = np.asarray(area.points, np.float64).reshape(-1, 2) * source.size_wh
    found = remap_area(source, target, points)
    return AreaRegion(tuple(np.asarray(polygon, np.float32) for polygon, _ in found),
                      tuple(bounds for _, bounds in found))
