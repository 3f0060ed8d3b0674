"""What is to be masked in one picture, as frozen values. How: see region.py (order) and effects.py (look)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aipg_plugin.frames import Planes
from aipg_plugin.options import MaskingMethod

Polygon = NDArray[np.floating[Any]]
Bounds = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class FigureRegion:
    """One figure in one picture.

    `key` is the track's id, below 0 for what has none, `polygons_px` its outlines, each (K, 2) in px, pixel centres at
    +0.5 (several where a panorama's seam or several views split it), `margin_px` how far they are widened, `cell_px`
    its mosaic cell.
    `bounds_px` are rectangles x0, y0, x1, y1, one for each polygon, past which its margin does not reach (the view
    it lies in); none for the whole picture. `head_px` is x, y and radius of its head, of which the mosaic's colours are
    to tell nothing; None where it is not known.
    """

    key: int
    polygons_px: tuple[Polygon, ...]
    margin_px: float
    cell_px: int
    bounds_px: tuple[Bounds, ...] = ()
    head_px: tuple[float, float, float] | None = None


@dataclass(frozen=True, eq=False)
class AreaRegion:
    """One area in one picture: the places inside any of its polygons, each (K, 2) in px.

    `bounds_px` are rectangles x0, y0, x1, y1, one for each polygon: the view it was cut off by, which is no edge of the
    area itself; none for the whole picture.
    """

    polygons_px: tuple[Polygon, ...]
    bounds_px: tuple[Bounds, ...] = ()


@dataclass(frozen=True, eq=False)
class MaskPlan:
    """Everything to be masked in one picture.

    `prohibited` and `always` hold the enabled areas only, `always` as (K, 2) px polygons. `circumferential` is
    (cx_px, cy_px, r_inner_px): all outside that circle is masked, the picture's corners too. `lens` is (cx_px, cy_px,
    r_px) of the circle that the lens shows: masks are black outside of it, as the picture is, and their colours are
    taken inside. `full` masks everything.
    Areas and the circumference use `default_cell_px`; figures' cells are at least a `cells_per_metre`-th of a metre.
    `cell_share` of a cell's luma is its own, the rest its figure's.
    """

    figures: tuple[FigureRegion, ...] = ()
    always: tuple[Polygon, ...] = ()
    prohibited: tuple[AreaRegion, ...] = ()
    circumferential: tuple[float, float, float] | None = None
    lens: tuple[float, float, float] | None = None
    full: bool = False
    method: MaskingMethod = MaskingMethod.BLURRING
    fill_colour_bgr: tuple[int, int, int] = (128, 128, 128)
    fill_outline: bool = False
    default_cell_px: int = 32
    cells_per_metre: float = 5.0
    cell_share: float = 0.5


@dataclass(frozen=True, eq=False)
class Background:
    """The learned empty scene: `planes` as the frame's, `known` (H, W), nonzero where the scene has been seen."""

    planes: Planes
    known: NDArray[Any]
