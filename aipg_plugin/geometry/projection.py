"""What a stream shows: pixel ⇄ ray for the fisheye picture and every dewarped capture mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from aipg_plugin.errors import GeometryError
from aipg_plugin.geometry import seam
from aipg_plugin.geometry.arrays import Bools, Float64, Ints, rows
from aipg_plugin.geometry.camera import FisheyeCamera
from aipg_plugin.geometry.circle import ImageCircle, default_circle
from aipg_plugin.geometry.lens import LensLaw
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.parts import DewarpedPart, FlatPart, Part, Rect, StripPart, rotation
from aipg_plugin.options import CaptureMode, MountKind, View

_AHEAD = View()


class Projection(Protocol):
    """A picture whose pixels look along known rays. Points may have shape (0, 2), rays (0, 3)."""

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height in pixels."""

    @property
    def parts(self) -> Sequence[Part]:
        """The smooth pieces the picture is made of."""

    def part_of(self, px: ArrayLike) -> Ints:
        """(N,) index of the part each pixel belongs to (the nearest, off the picture)."""

    def pixel_to_ray(self, px: ArrayLike) -> Float64:
        """(N, 3) unit rays of (N, 2) pixels; NaN where the lens shows nothing."""

    def ray_to_pixel(self, rays: ArrayLike) -> Float64:
        """(N, 2) pixels of (N, 3) rays; NaN where the picture does not show them."""

    def clamp_to_valid(self, px: ArrayLike) -> Float64:
        """(N, 2) the same pixels, those outside what the lens shows moved to where it does."""

    def valid_mask(self) -> Bools:
        """(H, W) bool: pixels with a ray."""


@dataclass(frozen=True)
class DewarpedView:
    """A picture of one or more views cut from what a fisheye lens sees."""

    law: LensLaw
    parts: tuple[DewarpedPart, ...]
    size_wh: tuple[int, int]

    def _seen(self, rays: Float64) -> Bools:
        """(N,) bool: the lens sees these rays."""
        return np.asarray(rays[:, 2] >= np.cos(min(self.law.half_fov_rad, np.pi)) - 1e-9)

    def part_of(self, px: ArrayLike) -> Ints:
        """(N,) index of the part each pixel belongs to (the nearest, off the picture)."""
        p = rows(px, 2)
        distance = np.stack([_outside(part.rect, p) for part in self.parts])
        return np.asarray(distance.argmin(axis=0), dtype=np.intp)

    def pixel_to_ray(self, px: ArrayLike) -> Float64:
        """(N, 3) unit rays; NaN where the lens shows nothing. Off the picture the nearest view is continued."""
        p = rows(px, 2)
        which = self.part_of(p)
        rays = np.full((len(p), 3), np.nan)
        for index, part in enumerate(self.parts):
            mine = which == index
            rays[mine] = part.to_ray(p[mine])
        return np.where(self._seen(rays)[:, None], rays, np.nan)

    def ray_to_pixel(self, rays: ArrayLike) -> Float64:
        """(N, 2) pixels; where several views show a ray, that in which it lies most central; NaN where none does."""
        ray = rows(rays, 3)
        best = np.full(len(ray), np.inf)
        result = np.full((len(ray), 2), np.nan)
        for part in self.parts:
            px = part.to_pixel(ray)
            x0, y0, x1, y1 = part.rect
            half = ((x1 - x0) / 2, (y1 - y0) / 2)
            off = np.abs(px - (x0 + half[0], y0 + half[1])) / half
            off = np.where(np.isnan(off), np.inf, off).max(axis=1, initial=0.0)
            better = (off <= 1 + 1e-9) & (off < best - 1e-9)
            # `part_of` gives an edge that two parts share to the first.
            inside = np.clip(px, np.nextafter((x0, y0), (x1, y1)), (x1, y1))
            result[better], best[better] = inside[better], off[better]
        return np.where(self._seen(ray)[:, None], result, np.nan)

    def clamp_to_valid(self, px: ArrayLike) -> Float64:
        """(N, 2) the same pixels, those without a ray moved towards their view's middle until they have one."""
        p = rows(px, 2).copy()
        which = self.part_of(p)
        lost = np.isnan(self.pixel_to_ray(p)[:, 0]) & np.isfinite(p).all(axis=1)
        if not lost.any():
            return p
        middles = np.array([_lit_middle(self, part) for part in self.parts])[which]
        near, far = np.zeros(len(p)), np.ones(len(p))
        for _ in range(30):
            half = (near + far) / 2
            ok = np.isfinite(self.pixel_to_ray(middles + half[:, None] * (p - middles))[:, 0])
            near, far = np.where(ok, half, near), np.where(ok, far, half)
        return np.where(lost[:, None], middles + near[:, None] * (p - middles), p)

    def valid_mask(self) -> Bools:
        """(H, W) bool: pixels whose centre has a ray."""
        w, h = self.size_wh
        mask = np.zeros((h, w), dtype=bool)
        x = np.arange(w) + 0.5
        for y in range(0, h, 256):
            block = np.stack(np.meshgrid(x, np.arange(y, min(h, y + 256)) + 0.5), axis=-1).reshape(-1, 2)
            mask[y:y + 256] = np.isfinite(self.pixel_to_ray(block)[:, 0]).reshape(-1, w)
        return mask


def _outside(rect: Rect, p: Float64) -> Float64:
    """(N,) distance of points from a rectangle, 0 inside."""
    dx = np.maximum(np.maximum(rect[0] - p[:, 0], p[:, 0] - rect[2]), 0)
    dy = np.maximum(np.maximum(rect[1] - p[:, 1], p[:, 1] - rect[3]), 0)
    return np.asarray(np.hypot(dx, dy))


def _lit_middle(view: DewarpedView, part: Part) -> Float64:
    """(2,) the mean of the pixels of a part that have rays, or its middle."""
    x0, y0, x1, y1 = part.rect
    grid = np.stack(np.meshgrid(np.linspace(x0, x1, 33)[1:-1], np.linspace(y0, y1, 33)[1:-1]), -1).reshape(-1, 2)
    ok = np.isfinite(part.to_ray(grid)).all(axis=1) & view._seen(part.to_ray(grid))
    if not ok.any():
        return np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    lit = grid[ok]
    return np.asarray(lit[np.argmin(np.hypot(*(lit - lit.mean(axis=0)).T))])


def make_projection(mode: CaptureMode, *, law: LensLaw, circle: ImageCircle | None, mount: Mount,
                    size_wh: tuple[int, int], view: View = _AHEAD, views: Sequence[View] = ()) -> Projection:
    """The projection of a stream.

    fisheye: the lens picture (`circle` None: `default_circle`). panorama: ceiling, a 360° strip from the lens's
    rim (top) to straight down (bottom), `yaw_deg` in the middle; wall, a 180° equirectangular strip with as many
    pixels to the degree down as across, at most 180° high. double_panorama: two 180° halves of the ceiling strip,
    the upper looking along `yaw_deg`, the lower the other way. single_ptz and corridor: one rectilinear view.
    quad_ptz: four, left to right and top to bottom.

    Angles are those of FFmpeg's v360 filter (yaw right, pitch up, roll clockwise, in that order) in the levelled
    frame of the mount: pitch 0 looks at the horizon, and yaw 0 on a ceiling looks at the picture's top.
    Raises GeometryError for combinations that cannot be.
    """
    mode = CaptureMode(mode)
    w, h = size_wh
    if min(w, h) < 1:
        raise GeometryError("a picture of {size} px is impossible", size=size_wh)
    if mode is CaptureMode.FISHEYE:
        return FisheyeCamera(law, circle or default_circle(size_wh), size_wh)
    return DewarpedView(law, _parts(mode, law, mount, size_wh, view=view, views=tuple(views)), size_wh)


def _parts(mode: CaptureMode, law: LensLaw, mount: Mount, size_wh: tuple[int, int], *, view: View,
           views: tuple[View, ...]) -> tuple[DewarpedPart, ...]:
    w, h = size_wh
    ceiling = mount.kind is MountKind.CEILING
    whole: Rect = (0.0, 0.0, float(w), float(h))
    match mode:
        case CaptureMode.PANORAMA if ceiling:
            return (_ceiling_strip(whole, law, mount, view=view, span_deg=360.0),)
        case CaptureMode.PANORAMA:
            top = min(90.0, 90.0 * h / w)
            return (StripPart(whole, mount.level @ rotation(view), 180.0, top, -top),)
        case CaptureMode.DOUBLE_PANORAMA if ceiling:
            return (_ceiling_strip((0.0, 0.0, float(w), h / 2), law, mount, view=view, span_deg=180.0),
                    _ceiling_strip((0.0, h / 2, float(w), float(h)), law, mount, view=view, span_deg=180.0,
                                   turn_deg=180.0))
        case CaptureMode.CORRIDOR if not ceiling:
            if w >= h:
                raise GeometryError("a corridor view of {w}x{h} px is not portrait", path="capture_mode",
                                    cure="Use single_ptz, or a picture higher than wide", w=w, h=h)
            return (FlatPart(whole, mount.level @ rotation(view), view.h_fov_deg),)
        case CaptureMode.SINGLE_PTZ:
            return (FlatPart(whole, mount.level @ rotation(view), view.h_fov_deg),)
        case CaptureMode.QUAD_PTZ:
            return _quad(views or _default_views(ceiling), mount, size_wh)
        case _:
            raise GeometryError("capture mode {mode} does not go with a {mount} mount", path="capture_mode",
                                cure="Use panorama or single_ptz, or change the mount",
                                mode=mode.value, mount=mount.kind.value)


def _ceiling_strip(rect: Rect, law: LensLaw, mount: Mount, *, view: View, span_deg: float,
                   turn_deg: float = 0.0) -> StripPart:
    turned = View(view.yaw_deg + turn_deg, view.pitch_deg, view.roll_deg, view.h_fov_deg)
    return StripPart(rect, mount.level @ rotation(turned), span_deg, min(90.0, law.fov_deg / 2 - 90.0), -90.0)


def _default_views(ceiling: bool) -> tuple[View, ...]:
    if ceiling:
        return tuple(View(yaw, -45.0) for yaw in (0.0, 90.0, 180.0, 270.0))
    return tuple(View(yaw, -20.0) for yaw in (-67.5, -22.5, 22.5, 67.5))


def _quad(views: Sequence[View], mount: Mount, size_wh: tuple[int, int]) -> tuple[DewarpedPart, ...]:
    if len(views) != 4:
        raise GeometryError("quad_ptz needs four views, not {count}", path="views", count=len(views))
    w, h = size_wh[0] / 2, size_wh[1] / 2
    cells = [(x * w, y * h, (x + 1) * w, (y + 1) * h) for y in (0, 1) for x in (0, 1)]
    return tuple(FlatPart(cell, mount.level @ rotation(view), view.h_fov_deg)
                 for cell, view in zip(cells, views, strict=True))


def scaled(projection: Projection, size_wh: tuple[int, int]) -> Projection:
    """The same projection for a picture of another size.

    A fisheye picture of another shape is taken to show the whole of the first, padded equally on both sides.
    Dewarped views are laid out anew in the new size, stretched with it.
    """
    if size_wh == projection.size_wh:
        return projection
    w, h = projection.size_wh
    if isinstance(projection, FisheyeCamera):
        factor = min(size_wh[0] / w, size_wh[1] / h)
        circle = projection.circle.scaled(factor, (size_wh[0] - w * factor) / 2, (size_wh[1] - h * factor) / 2)
        return FisheyeCamera(projection.law, circle, size_wh)
    if isinstance(projection, DewarpedView):
        sx, sy = size_wh[0] / w, size_wh[1] / h
        parts = tuple(part.stretched(sx, sy) for part in projection.parts)
        return DewarpedView(projection.law, parts, size_wh)
    raise GeometryError("{kind} cannot be scaled", kind=type(projection).__name__)


def pixels_near(projection: Projection, rays: ArrayLike, anchor_px: ArrayLike) -> Float64:
    """(N, 2) pixels of (N, 3) rays in the piece of the picture each (N, 2) anchor lies in.

    The piece is continued past its edges, the lens's field and a panorama's seam, so that what belongs together
    stays together; NaN only where the piece's own formula ends.
    """
    ray, anchor = rows(rays, 3), rows(anchor_px, 2)
    which = projection.part_of(anchor)
    px = np.full((len(ray), 2), np.nan)
    for index, part in enumerate(projection.parts):
        mine = which == index
        if not mine.any():
            continue
        found = part.to_pixel(ray[mine])
        px[mine] = seam.unwrap_near(found, anchor[mine, :1], part.period_px)
    return px
