"""The geometry of one stream, and the plan that masks a moment of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aipg_plugin import thresholds
from aipg_plugin.geometry import boxes as box_ops
from aipg_plugin.geometry.camera import FisheyeCamera, ImageCircle, find_image_circle
from aipg_plugin.geometry.figure import Figure, pixels_per_metre
from aipg_plugin.geometry.lens import LensLaw
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection, make_projection
from aipg_plugin.geometry.transfer import remap_outline
from aipg_plugin.masking.cells import cell_px_for, default_cell_px
from aipg_plugin.masking.plan import FigureRegion, MaskPlan
from aipg_plugin.options import Area, Camera, CaptureMode, MaskingMethod, PrivacyGuard, Stream


def locate_circle(camera: Camera, size_wh: tuple[int, int], picture_bgr: NDArray[np.uint8]) -> ImageCircle | None:
    """Image circle of a fisheye picture in pixels of `size_wh`: as given, else found, else None."""
    w, h = size_wh
    if camera.lens.circle is not None:
        cx, cy, radius = camera.lens.circle
        return ImageCircle(cx * w, cy * h, radius * w)
    found = find_image_circle(picture_bgr)
    if found is None:
        return None
    scale = w / picture_bgr.shape[1]
    return ImageCircle(found.cx_px * scale, found.cy_px * scale, found.radius_px * scale)


def project(camera: Camera, stream: Stream, size_wh: tuple[int, int], circle: ImageCircle) -> Projection:
    """Projection of a stream's pictures of this size."""
    law = LensLaw(camera.lens.model, camera.lens.fov_deg, camera.lens.coefficients)
    return make_projection(stream.capture_mode, law=law, circle=circle, mount=mount_of(camera), size_wh=size_wh,
                           view=stream.view, views=stream.views)


def mount_of(camera: Camera) -> Mount:
    """Mount of a camera."""
    return Mount(camera.mount, camera.camera_height_m)


@dataclass(frozen=True)
class MaskPlanner:
    """One stream's picture: its projection, and that of the pictures the figures were found in."""

    projection: Projection
    source: Projection
    mount: Mount
    same: bool  # the stream shows what the detector sees, at another size at most
    stream: str

    def plan(self, figures: tuple[Figure, ...], guard: PrivacyGuard, *, full: bool) -> MaskPlan:
        """What to mask, in this stream's pixels."""
        size_wh = self.projection.size_wh
        colour = guard.fill_colour.lstrip("#")
        red, green, blue = (int(colour[i:i + 2], 16) for i in (0, 2, 4))
        return MaskPlan(
            figures=() if full else tuple(self.regions(figures, guard)),
            always=self._areas(guard.always_mask_areas, guard),
            prohibited=self._areas(guard.prohibited_areas, guard),
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
            smaller_px = float(min(figure.box[2], figure.box[3])) * scale
            per_metre = float(density) if np.isfinite(density) else smaller_px / 0.5
            regions.append(FigureRegion(
                key=figure.id,
                polygons_px=tuple(np.asarray(polygon, np.float32) for polygon in polygons),
                margin_px=max((margin_m + figure.position_uncertainty_m) * per_metre,
                              thresholds.MIN_MARGIN_SHARE * smaller_px, 2.0),
                cell_px=cell_px_for(guard.blur_intensity, per_metre)))
        return regions

    def _areas(self, areas: tuple[Area, ...], guard: PrivacyGuard) -> tuple[NDArray[np.float32], ...]:
        """The enabled areas drawn on this stream; those that name no stream are drawn on the first target."""
        first = guard.target_streams[0] if guard.target_streams else self.stream
        size_wh = np.array(self.projection.size_wh, np.float32)
        return tuple(np.array(area.points, np.float32) * size_wh for area in areas
                     if area.enabled and (area.stream or first) == self.stream)

    def _rim(self, guard: PrivacyGuard) -> tuple[float, float, float] | None:
        if not guard.circumferential_mosaic or not isinstance(self.projection, FisheyeCamera):
            return None
        circle = self.projection.circle
        return circle.cx_px, circle.cy_px, circle.radius_px * (1 - guard.circumferential_width)


def same_view(one: Projection, other: Projection) -> bool:
    """Whether two fisheye projections show the same picture, at another size at most (main and sub stream).

    Dewarped views never count as the same: their seams make one figure several polygons, so they go by ray.
    """
    if not (isinstance(one, FisheyeCamera) and isinstance(other, FisheyeCamera)):
        return False
    (w1, h1), (w2, h2) = one.size_wh, other.size_wh
    corners = np.array([(0.1, 0.5), (0.5, 0.9), (0.7, 0.3)])
    rays = one.pixel_to_ray(corners * one.size_wh), other.pixel_to_ray(corners * other.size_wh)
    return abs(w1 * h2 - w2 * h1) <= 0.02 * w1 * h2 and bool(np.nanmax(np.abs(rays[0] - rays[1]), initial=0.0) < 0.05)


def detection_stream(camera: Camera) -> Stream:
    """The stream the detector looks at: the first fisheye one, else the first."""
    return next((stream for stream in camera.streams if stream.capture_mode is CaptureMode.FISHEYE), camera.streams[0])
