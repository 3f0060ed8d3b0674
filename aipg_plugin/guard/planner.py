"""From the figures of a moment to the mask plan of one stream's picture."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from aipg_plugin import thresholds
from aipg_plugin.geometry import boxes as box_ops
from aipg_plugin.geometry.arrays import Float64
from aipg_plugin.geometry.camera import FisheyeCamera
from aipg_plugin.geometry.figure import Figure, pixels_per_metre
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.guard.areas import NO_AREAS, Areas
from aipg_plugin.guard.carried import carried
from aipg_plugin.guard.layout import Layout, mount_of, same_view
from aipg_plugin.masking.cells import CELL_SHARE, CELLS_PER_METRE, cell_px_for, default_cell_px
from aipg_plugin.masking.plan import FigureRegion, MaskPlan
from aipg_plugin.options import BlurIntensity, Camera, MaskingMethod, PrivacyGuard

_MOST_PLACES = 256  # whose density is remembered, and whose regions


@dataclass(frozen=True)
class MaskPlanner:
    """One stream's picture: its projection, and that of the pictures the figures were found in."""

    projection: Projection
    source: Projection
    mount: Mount
    same: bool  # the stream shows what the detector sees, at another size at most
    areas: Areas = NO_AREAS
    _kept: dict[int, tuple[tuple[float, BlurIntensity], Figure, FigureRegion]] = field(
        init=False, default_factory=dict, compare=False, repr=False)
    _densities: dict[tuple[float, float], float] = field(init=False, default_factory=dict, compare=False, repr=False)

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
            lens=self._lens(),
            full=full,
            method=MaskingMethod.BLURRING if full else guard.masking_method,
            fill_colour_bgr=(blue, green, red),
            fill_outline=guard.fill_outline,
            default_cell_px=default_cell_px(size_wh),
            cells_per_metre=CELLS_PER_METRE[guard.blur_intensity],
            cell_share=CELL_SHARE[guard.blur_intensity],
        )

    def regions(self, figures: tuple[Figure, ...], guard: PrivacyGuard) -> list[FigureRegion]:
        """What each figure's mask covers, keyed by its id; figures outside this stream's picture are left out."""
        if not figures:
            return []
        if not self.same:
            found = self._of_source.regions(figures, guard)
            return carried(found, self.source, self.projection, self.mount, guard.blur_intensity)
        margin_m = thresholds.margin_m(guard.sensitivity, self.mount.height_m)
        kept = [self._kept_region(figure, margin_m, guard.blur_intensity) for figure in figures]
        new = [figure for figure, region in zip(figures, kept, strict=True) if region is None]
        made = iter(self._regions(new, margin_m, guard.blur_intensity))
        return [next(made) if region is None else region for region in kept]

    def _kept_region(self, figure: Figure, margin_m: float, intensity: BlurIntensity) -> FigureRegion | None:
        """The region of a figure that has not moved since it was made last."""
        kept = self._kept.get(figure.id)
        if kept is None or kept[0] != (margin_m, intensity):
            return None
        before = kept[1]
        same = (before.outline is figure.outline and before.box is figure.box
                and before.position_uncertainty_m == figure.position_uncertainty_m)
        return kept[2] if same else None

    def _regions(self, figures: list[Figure], margin_m: float, intensity: BlurIntensity) -> list[FigureRegion]:
        if not figures:
            return []
        scale_wh = np.array(self.projection.size_wh) / self.source.size_wh
        scale = float(scale_wh.max())
        outlines = [box_ops.to_pixels(figure.box, figure.outline) * scale_wh for figure in figures]
        ppm = self._per_metre(np.array([figure.box[:2] for figure in figures], np.float64).reshape(-1, 2) * scale_wh)
        if len(self._kept) > _MOST_PLACES:
            self._kept.clear()
        regions = []
        for figure, outline, density in zip(figures, outlines, ppm, strict=True):
            smaller_px = float(min(figure.box[2], figure.box[3])) * scale
            per_metre = density if math.isfinite(density) else smaller_px / 0.5
            region = FigureRegion(
                key=figure.id,
                polygons_px=(np.asarray(outline, np.float32),),
                margin_px=max((margin_m + figure.position_uncertainty_m) * per_metre,
                              thresholds.MIN_MARGIN_SHARE * smaller_px, 2.0),
                cell_px=cell_px_for(intensity, per_metre),
                head_px=_head_px(figure, scale_wh))
            self._kept[figure.id] = (margin_m, intensity), figure, region
            regions.append(region)
        return regions

    @cached_property
    def _of_source(self) -> MaskPlanner:
        """The planner of the pictures that the figures were found in."""
        return replace(self, projection=self.source, same=True)

    def _per_metre(self, places_px: Float64) -> list[float]:
        """Pixels to the metre at places (N, 2); most people stay where they are."""
        keys = [(x, y) for x, y in places_px.tolist()]
        known = {key: kept for key in keys if (kept := self._densities.get(key)) is not None}  # threads share them
        new = [index for index, key in enumerate(keys) if key not in known]
        if new:
            if len(self._densities) > _MOST_PLACES:
                self._densities.clear()
            found = pixels_per_metre(self.projection, self.mount, places_px[new]).tolist()
            known.update(zip([keys[index] for index in new], found, strict=True))
            self._densities.update(known)
        return [known[key] for key in keys]

    def _lens(self) -> tuple[float, float, float] | None:
        if not isinstance(self.projection, FisheyeCamera):
            return None
        circle = self.projection.circle
        return circle.cx_px, circle.cy_px, circle.radius_px

    def _rim(self, guard: PrivacyGuard) -> tuple[float, float, float] | None:
        lens = self._lens()
        if not guard.circumferential_mosaic or lens is None:
            return None
        cx_px, cy_px, radius_px = lens
        return cx_px, cy_px, radius_px * (1 - guard.circumferential_width)


def _head_px(figure: Figure, scale_wh: Float64) -> tuple[float, float, float] | None:
    x, y, radius = figure.head.tolist()
    known = math.isfinite(x) and math.isfinite(y) and math.isfinite(radius)
    return (x * scale_wh[0], y * scale_wh[1], radius * scale_wh.max()) if known else None


def planner_of(camera: Camera, layout: Layout, source: Projection, areas: Areas = NO_AREAS) -> MaskPlanner:
    """The planner of a stream's layout for figures found in `source`."""
    return MaskPlanner(layout.projection, source, mount_of(camera), same_view(layout.projection, source), areas)
