"""Lenses, mounts, projections, boxes and figures; numpy only."""

from aipg_plugin.geometry.boxes import (
    contains,
    corners,
    intersection,
    iou,
    paired_iou,
    share_inside,
    to_local,
    to_pixels,
)
from aipg_plugin.geometry.camera import FisheyeCamera, ImageCircle, default_circle, find_image_circle
from aipg_plugin.geometry.figure import Figure, floor_position, pixels_per_metre, plausible, standing_boxes
from aipg_plugin.geometry.gravity import aligned, up_angle_deg
from aipg_plugin.geometry.lens import LensLaw
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import DewarpedView, Projection, make_projection, pixels_near, scaled
from aipg_plugin.geometry.transfer import remap_area, remap_outline

__all__ = [
    "DewarpedView", "Figure", "FisheyeCamera", "ImageCircle", "LensLaw", "Mount", "Projection", "aligned",
    "contains", "corners", "default_circle", "find_image_circle", "floor_position", "intersection", "iou",
    "make_projection", "paired_iou", "pixels_near", "pixels_per_metre", "plausible", "remap_area", "remap_outline",
    "scaled", "share_inside", "standing_boxes", "to_local", "to_pixels", "up_angle_deg",
]
