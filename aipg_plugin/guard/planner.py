"""From the figures of a moment to the mask plan of one stream's picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aipg_plugin import thresholds
from aipg_plugin.geometry import boxes as box_ops
from aipg_plugin.geometry.camera import FisheyeCamera
from aipg_plugin.geometry.figure import Figure, pixels_per_metre
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.geometry.transfer import remap_outline
from aipg_plugin.guard.areas import NO_AREAS, Areas
from aipg_plugin.guard.layout import Layout, mount_of, same_view
from aipg_plugin.masking.cells import cell_px_for, default_cell_px
from aipg_plugin.masking.plan import FigureRegion, MaskPlan
from aipg_plugin.options import Camera, MaskingMethod, PrivacyGuard


@dataclass(frozen=True)
class MaskPlanner:
    """One stream's picture: its projection, and that of the pictures the figures were found in."""

    projection: Projection
    source: Projection
    mount: Mount
    same: bool  # the stream shows what the detector sees, at another size at most
    areas: Areas = NO_AREAS

    def plan(self, figures: tuple[Figure, ...], guard: PrivacyGuard, *, full: bool) -> MaskPlan:
        """What to mask, in this stream's pixels."""
        size_wh = self.projection.size_wh
        colour = guard.fill_colour.lstrip("#")
        red, green, blue = (int(colour[i:i + 2], 16) for i in (0, 2, 4))
        return MaskPlan(
            figures=() if full else tuple(self.regions(figures, guard)),
            always=self.areas.always,
            prohibited=self.areas.prohibited,
            circumferential=self._rim(guard),
            full=full,
            method=MaskingMethod.BLURRING if full else guard.masking_method,
            fill_colour_bgr=(blue, green, red),
            default_cell_px=default_cell_px(size_wh),
        )

    def regions(self, figures: tuple[Figure, ...], guard: PrivacyGuard) -> list[FigureRegion]:
        """What each figure's mask covers, keyed by its id; figures outside this stream's picture are left out."""
        if not figures:
            return []
        scale = self.projection.size_wh[0] / self.source.size_wh[0]
        centres = np.array([figure.box[:2] for figure in figures], np.float64).reshape(-1, 2)
        if self.same:
            outlines = [[box_ops.to_pixels(figure.box, figure.outline) * scale] for figure in figures]
            places = centres * scale
        else:
            outlines = [remap_outline(self.source, self.projection, box_ops.to_pixels(figure.box, figure.outline))
                        for figure in figures]
            places = np.array([polygons[0].mean(0) if polygons else (np.nan, np.nan) for polygons in outlines])
        ppm = pixels_per_metre(self.projection, self.mount, places)
        margin_m = thresholds.margin_m(guard.sensitivity, self.mount.height_m)
        regions = []
        for figure, polygons, density in zip(figures, outlines, ppm, strict=True):
            if not polygons:
                continue
            smaller_px = float(min(figure.box[2], figure.box[3])) * scale if self.same else max(
                float(np.ptp(polygon, axis=0).min()) for polygon in polygons)
            per_metre = float(density) if np.isfinite(density) else smaller_px / 0.5
            regions.append(FigureRegion(
                key=figure.id,
                polygons_px=tuple(np.asarray(polygon, np.float32) for polygon in polygons),
                margin_px=max((margin_m + figure.position_uncertainty_m) * per_metre,
                              thresholds.MIN_MARGIN_SHARE * smaller_px, 2.0),
                cell_px=cell_px_for(guard.blur_intensity, per_metre),
                bounds_px=self._bounds(polygons)))
        return regions

    def _bounds(self, polygons: list[NDArray[np.float64]]) -> tuple[tuple[float, float, float, float], ...]:
        """The view each polygon lies in: its margin must not reach into the next, which shows another place."""
        if len(self.projection.parts) < 2:
            return ()
        middles = np.stack([(polygon.min(axis=0) + polygon.max(axis=0)) / 2 for polygon in polygons])
        return tuple(self.projection.parts[index].rect for index in self.projection.part_of(middles).tolist())

    def _rim(self, guard: PrivacyGuard) -> tuple[float, float, float] | None:
        if not guard.circumferential_mosaic or not isinstance(self.projection, FisheyeCamera):
            return None
        circle = self.projection.circle
        return circle.cx_px, circle.cy_px, circle.radius_px * (1 - guard.circumferential_width)


def planner_of(camera: Camera, layout: Layout, source: Projection, areas: Areas = NO_AREAS) -> MaskPlanner:
    """The planner of a stream's layout for figures found in `source`."""
    return MaskPlanner(layout.projection, source, mount_of(camera), same_view(layout.projection, source), areas)
