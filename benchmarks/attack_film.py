"""Films for the attack: a head on a known path through a known room, and the cells' colours a mosaic shows of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.frames import PixelFormat, Planes
from aipg_plugin.masking import FigureRegion, MaskPainter, MaskPlan
from aipg_plugin.masking.effects import CHROMA_SHOWN, CHROMA_STEP
from aipg_plugin.masking.region import RegionMap
from aipg_plugin.options import BlurIntensity
from benchmarks.heads import SIDE

F64 = NDArray[np.float64]

HEAD_M = 0.25
FPS = 25
SCENE_PX = 448
# Head sizes at which a cell is exactly as large as the setting says, not larger: the worst case for us.
PIXELS_PER_METRE = {BlurIntensity.LOW: 192.0, BlurIntensity.MIDDLE: 240.0, BlurIntensity.HIGH: 192.0}


@dataclass(frozen=True)
class HeadPath:
    """A path: seconds to the head's top left corner in metres from the picture's."""

    name: str
    seconds: float
    at: Callable[[float], tuple[float, float]]


MOTIONS = (
    HeadPath("sway", 10.0, lambda t: (0.8 + 0.10 * np.sin(1.9 * t), 0.83 + 0.06 * np.sin(1.23 * t + 1))),
    HeadPath("creep", 10.0, lambda t: (0.3 + 0.10 * t, 0.5 + 0.043 * t)),
    HeadPath("walk", 2.0, lambda t: (0.05 + 0.70 * t, 0.6 + 0.11 * t)),
)


@dataclass(frozen=True)
class Setup:
    """A head size, cell size and path, and the matrices that render it."""

    cell_px: int
    head_px: float
    motion: HeadPath

    @property
    def times_s(self) -> list[float]:
        return [n / FPS for n in range(int(self.motion.seconds * FPS))]

    def corner_px(self, t_s: float) -> tuple[float, float]:
        x, y = self.motion.at(t_s)
        return x * self.head_px / HEAD_M, y * self.head_px / HEAD_M

    def coverage(self, start_px: float, low_px: F64, high_px: F64) -> F64:
        """(N, SIDE): the share of each interval that each texel of a head starting there covers, along one axis."""
        texels = start_px + np.arange(SIDE + 1) * self.head_px / SIDE
        shared = np.minimum(high_px[:, None], texels[1:]) - np.maximum(low_px[:, None], texels[:-1])
        return np.asarray(np.maximum(shared, 0) / (high_px - low_px)[:, None], np.float64)


def outline() -> F64:
    """(SIDE, SIDE) opacity of a head: an ellipse."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] - (SIDE - 1) / 2
    return np.asarray((x / (0.46 * SIDE)) ** 2 + (y / (0.5 * SIDE)) ** 2 <= 1, np.float64)


def room() -> F64:
    """(SCENE_PX, SCENE_PX, 3) YUV scene with soft and hard edges."""
    rng = np.random.default_rng(11)
    soft = cv2.resize(rng.normal(120, 40, (14, 14, 3)), (SCENE_PX, SCENE_PX), interpolation=cv2.INTER_CUBIC)
    soft[:, SCENE_PX // 3::60] += 50
    soft[..., 1:] = 128 + 0.3 * (soft[..., 1:] - 128)
    return np.clip(soft, 0, 255)


def over_scene(setup: Setup, head: F64, scene: F64, t_s: float) -> tuple[F64, tuple[slice, slice]]:
    """The head (SIDE, SIDE, 3) in the room: the part of the picture that differs from the room, and where it is."""
    start = setup.corner_px(t_s)
    pixels, windows = [], []
    for origin in start:
        first = int(origin) // 2 * 2
        low = np.arange(first, first + int(setup.head_px) // 2 * 2 + 4, dtype=float)
        pixels.append(setup.coverage(origin, low, low + 1))
        windows.append(slice(first, first + len(low)))
    (px, py), window, alpha = pixels, (windows[1], windows[0]), outline()
    part = scene[window] * (1 - py @ alpha @ px.T)[..., None]
    for c in range(3):
        part[..., c] += py @ (alpha * head[..., c]) @ px.T
    return part, window


def scene_planes(scene: F64) -> Planes:
    """I420 planes of a YUV picture (H, W, 3) of even size."""
    half = cv2.resize(scene[..., 1:], (scene.shape[1] // 2, scene.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return tuple(np.round(np.clip(p, 0, 255)).astype(np.uint8) for p in (scene[..., 0], half[..., 0], half[..., 1]))


def plan(setup: Setup, t_s: float) -> MaskPlan:
    """A mask that hugs the head."""
    x, y = setup.corner_px(t_s)
    a = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    r = setup.head_px / 2
    polygon = np.stack([x + r + r * np.cos(a), y + r + r * np.sin(a)], axis=1)
    return MaskPlan((FigureRegion(1, (polygon,), 2.0, setup.cell_px),), default_cell_px=setup.cell_px)


@dataclass(frozen=True)
class ObservedCells:
    """What the attacker gets: (frame, row, column) of each cell colour (N, 3), and the colours (heads, N, 3)."""

    at: NDArray[np.intp]
    colours: F64


def observe_ours(setup: Setup, heads: F64, scene: F64) -> ObservedCells:
    """Film each head (heads, SIDE, SIDE, 3), mask it with the real painter, and read the colours it shows."""
    empty, colours = scene_planes(scene), []
    for head in heads:
        painter = MaskPainter(PixelFormat.I420, (SCENE_PX, SCENE_PX))
        values: list[F64] = []
        at: list[tuple[int, int, int]] = []
        for n, t_s in enumerate(setup.times_s):
            planes = tuple(plane.copy() for plane in empty)
            part, (rows, columns) = over_scene(setup, head, scene, t_s)
            halves = slice(rows.start // 2, rows.stop // 2), slice(columns.start // 2, columns.stop // 2)
            for plane, new, place in zip(planes, scene_planes(part), ((rows, columns), halves, halves), strict=True):
                plane[place] = new
            painter.paint(planes, plan(setup, t_s), t_s)
            # The attacker is told more than a real one would know: which cells took a new colour in this frame.
            new_cells = np.argwhere(painter._mosaic._grids[setup.cell_px]._taken_s == t_s).tolist()
            mask = painter.mask
            for row, column in new_cells:
                at.append((n, row, column))
                values.append(_shown(planes, mask, row, column, setup.cell_px))
        colours.append(np.array(values))
    return ObservedCells(np.array(at), np.array(colours))


def _shown(planes: Planes, mask: NDArray[np.uint8], row: int, column: int, cell_px: int) -> F64:
    """The cell's colour as the picture shows it, paleness undone."""
    part = mask[row * cell_px:(row + 1) * cell_px, column * cell_px:(column + 1) * cell_px]
    y, x = (int(v) for v in np.unravel_index(int(part.argmax()), part.shape))
    y, x = y + row * cell_px, x + column * cell_px
    chroma = [128 + (float(plane[y // 2, x // 2]) - 128) * CHROMA_STEP / CHROMA_SHOWN for plane in planes[1:]]
    return np.array([float(planes[0][y, x]), *chroma])


def observe_plain(setup: Setup, heads: F64, scene: F64) -> ObservedCells:
    """What the plain mosaic shows: in each frame the mean of each masked cell, rounded to 8 bits."""
    at = []
    region, edges = RegionMap((SCENE_PX, SCENE_PX)), np.arange(0, SCENE_PX, setup.cell_px) // 2
    for n, t_s in enumerate(setup.times_s):
        region.compose(plan(setup, t_s), {})
        by_row = np.maximum.reduceat(region.level, edges, axis=0)
        at += [(n, row, column) for row, column in np.argwhere(np.maximum.reduceat(by_row, edges, axis=1)).tolist()]
    where = np.array(at)
    matrix, known = model(setup, where, scene, window=1)
    return ObservedCells(where, np.round(np.einsum("nt,htc->hnc", matrix, heads.reshape(len(heads), -1, 3)) + known))


def model(setup: Setup, at: NDArray[np.intp], scene: F64, window: int) -> tuple[F64, F64]:
    """The film as linear algebra: colours of the cells at (frame, row, column) = A (N, SIDE²) @ head + known (N, 3).

    A cell's colour is the mean of a window that many times as wide, as masking/effects.py takes it.
    """
    alpha, matrix, known = outline(), [], []
    total = _integral(scene)
    for n in np.unique(at[:, 0]):
        x, y = setup.corner_px(n / FPS)
        middle = (at[at[:, 0] == n][:, 1:] + 0.5) * setup.cell_px
        low = np.maximum(middle - window * setup.cell_px / 2, 0)
        high = np.minimum(middle + window * setup.cell_px / 2, SCENE_PX)
        part, place = over_scene(setup, np.zeros((SIDE, SIDE, 3)), scene, n / FPS)
        change = _integral(part - scene[place])
        offset = np.array([place[0].start, place[1].start])
        in_part = [np.clip(edge - offset, 0, part.shape[:2]) for edge in (low, high)]
        area = np.prod(high - low, axis=1)[:, None]
        known.append((_sum(total, low, high) + _sum(change, *in_part)) / area)
        cover_y, cover_x = setup.coverage(y, low[:, 0], high[:, 0]), setup.coverage(x, low[:, 1], high[:, 1])
        matrix.append((cover_y[:, :, None] * cover_x[:, None, :] * alpha).reshape(len(middle), -1))
    return np.vstack(matrix), np.vstack(known)


def _integral(picture: F64) -> F64:
    return np.pad(picture.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0), (0, 0)))


def _sum(integral: F64, low: F64, high: F64) -> F64:
    """Sums over rectangles given by (N, 2) low and high corners, row first."""
    (top, left), (bottom, right) = low.astype(int).T, high.astype(int).T
    return np.asarray(integral[bottom, right] - integral[top, right] - integral[bottom, left] + integral[top, left],
                      np.float64)
