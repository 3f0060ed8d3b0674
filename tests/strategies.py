"""Hypothesis strategies for lenses, cameras, mounts, projections, boxes and detections."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aipg_plugin.errors import GeometryError
from aipg_plugin.geometry import FisheyeCamera, ImageCircle, LensLaw, Mount, Projection, make_projection
from aipg_plugin.options import CaptureMode, LensModelName, MountKind, View


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    """Plain floats between two bounds."""
    return st.floats(low, high, allow_nan=False, allow_infinity=False, width=64)


@st.composite
def lens_laws(draw: st.DrawFn) -> LensLaw:
    """Every lens model, fields up to what the model can show (360° at most)."""
    name = draw(st.sampled_from(LensModelName))
    if name is LensModelName.KANNALA_BRANDT:
        coefficients = tuple(draw(st.lists(numbers(-0.03, 0.03), max_size=4)))
        try:
            return LensLaw(name, draw(numbers(60, 220)), coefficients)
        except GeometryError:
            return LensLaw(name, 100, coefficients[:1])
    most = {LensModelName.ORTHOGRAPHIC: 180, LensModelName.STEREOGRAPHIC: 300}.get(name, 360)
    return LensLaw(name, draw(numbers(40, most)))


def mounts() -> st.SearchStrategy[Mount]:
    """Both mounts, 2–6 m up."""
    return st.builds(Mount, st.sampled_from(MountKind), numbers(2, 6))


def sizes(low: int = 16, high: int = 700) -> st.SearchStrategy[tuple[int, int]]:
    """Picture sizes, odd ones too."""
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def circles(draw: st.DrawFn, size_wh: tuple[int, int]) -> ImageCircle:
    """Image circles centred anywhere in the picture, whole or cut off."""
    w, h = size_wh
    return ImageCircle(draw(numbers(0, w)), draw(numbers(0, h)), draw(numbers(0.3, 1.2)) * max(w, h))


@st.composite
def cameras(draw: st.DrawFn) -> FisheyeCamera:
    """Fisheye cameras of any law, circle and size."""
    size = draw(sizes())
    return FisheyeCamera(draw(lens_laws()), draw(circles(size)), size)


def usual_laws() -> st.SearchStrategy[LensLaw]:
    """Lenses as they are sold: 160–220°."""
    names = [LensModelName.EQUIDISTANT, LensModelName.EQUISOLID, LensModelName.STEREOGRAPHIC]
    return st.builds(LensLaw, st.sampled_from(names), numbers(160, 220))


@st.composite
def projections(draw: st.DrawFn, mode: CaptureMode | None = None) -> tuple[Projection, Mount]:
    """A projection of any capture mode with a mount it goes with."""
    chosen = mode or draw(st.sampled_from(CaptureMode))
    mount = draw(mounts())
    if chosen is CaptureMode.DOUBLE_PANORAMA:
        mount = Mount(MountKind.CEILING, mount.height_m)
    size = draw(sizes(64, 700))
    if chosen is CaptureMode.CORRIDOR:
        mount = Mount(MountKind.WALL, mount.height_m)
        size = (min(size), max(size) + 1)
    view = View(draw(numbers(-180, 180)), draw(numbers(-60, 0)), draw(numbers(-20, 20)), draw(numbers(40, 120)))
    if chosen in {CaptureMode.PANORAMA, CaptureMode.DOUBLE_PANORAMA} or mount.kind is MountKind.WALL:
        view = View(draw(numbers(-30, 30)), 0.0, 0.0, view.h_fov_deg)
    projection = make_projection(chosen, law=draw(usual_laws()), circle=draw(circles(size)), mount=mount,
                                 size_wh=size, view=view)
    return projection, mount


@st.composite
def boxes(draw: st.DrawFn, size_wh: tuple[int, int] = (640, 480), most: int = 12) -> np.ndarray:
    """(N, 5) rotated boxes in and around a picture; N may be 0."""
    n = draw(st.integers(0, most))
    unit = draw(arrays(np.float64, (n, 5), elements=numbers(0, 1)))
    w, h = size_wh
    scale = np.array([w * 1.2, h * 1.2, w / 2, h / 2, 720.0])
    return unit * scale + np.array([-0.1 * w, -0.1 * h, 1.0, 1.0, -360.0])


def points(size_wh: tuple[int, int], most: int = 50) -> st.SearchStrategy[np.ndarray]:
    """(N, 2) pixels in the picture; N may be 0."""
    return st.integers(0, most).flatmap(
        lambda n: arrays(np.float64, (n, 2), elements=numbers(0, 1))).map(lambda p: p.reshape(-1, 2) * size_wh)
