"""Films for the attack: a head on a known path through a known room, and the cells' colours a mosaic shows of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.frames import PixelFormat, Planes
from aipg_plugin.masking import FigureRegion, MaskPainter, MaskPlan
from aipg_plugin.masking.effects import WINDOW
from aipg_plugin.masking.palette import CELL_SOFTENING, SOFTENING, body, core, pattern
from aipg_plugin.masking.region import RegionMap
from aipg_plugin.options import BlurIntensity
from benchmarks.heads import SIDE

F64 = NDArray[np.float64]
_NO_MASK: NDArray[np.uint8] = np.zeros((0, 0), np.uint8)

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
    cell_share: float = 0.5
    body: bool = False

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


def over_scene(setup: Setup, heads: F64, scene: F64, t_s: float) -> tuple[F64, tuple[slice, slice]]:
    """Heads (heads, SIDE, SIDE, 3), each in the room: the part that differs from the room, and where it is."""
    start = setup.corner_px(t_s)
    pixels, windows = [], []
    for origin in start:
        first = int(origin) // 2 * 2
        low = np.arange(first, first + int(setup.head_px) // 2 * 2 + 4, dtype=float)
        pixels.append(setup.coverage(origin, low, low + 1))
        windows.append(slice(first, first + len(low)))
    (px, py), window, alpha = pixels, (windows[1], windows[0]), outline()
    behind = scene[window] * (1 - py @ alpha @ px.T)[..., None]
    shown = py @ np.moveaxis(alpha[..., None] * heads, -1, 1) @ px.T
    return behind + np.moveaxis(shown, 1, -1), window


def scene_planes(scene: F64) -> Planes:
    """I420 planes of a YUV picture (H, W, 3) of even size."""
    half = cv2.resize(scene[..., 1:], (scene.shape[1] // 2, scene.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return tuple(np.round(np.clip(p, 0, 255)).astype(np.uint8) for p in (scene[..., 0], half[..., 0], half[..., 1]))


def plan(setup: Setup, t_s: float) -> MaskPlan:
    """A mask that hugs the head, alone or with the body below it.

    The body shows the room, which the attacker knows: what it adds to the figure's colours hides nothing from them.
    """
    x, y = setup.corner_px(t_s)
    a = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    r = setup.head_px / 2
    head = np.stack([x + r + r * np.cos(a), y + r + r * np.sin(a)], axis=1)
    body = np.stack([x + r + 1.8 * r * np.cos(a), y + 4.5 * r + 3 * r * np.sin(a)], axis=1)
    hull = np.asarray(cv2.convexHull(np.concatenate([head, body]).astype(np.float32)), np.float64).reshape(-1, 2)
    polygon = hull if setup.body else head
    own = FigureRegion(1, (polygon,), 2.0, setup.cell_px, head_px=(x + r, y + r, r))
    return MaskPlan((own,), default_cell_px=setup.cell_px,
                    cells_per_metre=setup.head_px / HEAD_M / setup.cell_px, cell_share=setup.cell_share)


@dataclass(frozen=True)
class Observed:
    """What the attacker gets of one channel: values (heads, N), and how they came about: A (N, SIDE²) @ head + known.

    `first` (N,) bool: those of the first frame. `of_figure` (N,) bool: values for the whole figure, not for cells: its
    luma, or the hue's coordinates, of which only the direction is shown.
    """

    values: F64
    matrix: F64
    known: F64
    first: NDArray[np.bool_]
    of_figure: NDArray[np.bool_]

    def only(self, keep: NDArray[np.bool_]) -> Observed:
        """Some (N,) of the values."""
        return Observed(self.values[:, keep], self.matrix[keep], self.known[keep], self.first[keep],
                        self.of_figure[keep])

    def in_first(self) -> Observed:
        """What the first frame shows."""
        return self.only(self.first)

    def expected(self, heads: F64, channel: int) -> F64:
        """(heads, N) what other heads (heads, SIDE², 3) would show."""
        return np.asarray(heads[..., channel] @ self.matrix.T + self.known, np.float64)


def observe_ours(setup: Setup, heads: F64, scene: F64) -> tuple[Observed, Observed, Observed]:
    """Film each head (heads, SIDE, SIDE, 3), mask it with the real painter, and read the colours it shows."""
    empty, offsets = scene_planes(scene), pattern((-(-SCENE_PX // setup.cell_px),) * 2)
    painters = [MaskPainter(PixelFormat.I420, (SCENE_PX, SCENE_PX)) for _ in heads]
    values: list[list[float]] = [[] for _ in heads]
    figures: list[list[tuple[float, float, float]]] = [[] for _ in heads]
    at: list[tuple[int, int, int]] = []
    taken: list[int] = []
    for n, t_s in enumerate(setup.times_s):
        parts, (rows, columns) = over_scene(setup, heads, scene, t_s)
        halves = slice(rows.start // 2, rows.stop // 2), slice(columns.start // 2, columns.stop // 2)
        masked = plan(setup, t_s)
        for k, (painter, part) in enumerate(zip(painters, parts, strict=True)):
            planes = tuple(plane.copy() for plane in empty)
            for plane, new, place in zip(planes, scene_planes(part), ((rows, columns), halves, halves), strict=True):
                plane[place] = new
            painter.paint(planes, masked, t_s)
            # The attacker is told more than a real one would know: the figure's own luma, and which cells took a new
            # colour in this frame.
            figure, grid = painter._mosaic._figures[1], painter._mosaic._grids.get(setup.cell_px)
            own = figure.shown(t_s)[0]
            cells_taken = [] if grid is None else np.argwhere(grid._taken_s == t_s).tolist()
            mask = painter.mask if cells_taken else _NO_MASK
            for row, column in cells_taken:
                shown = _shown_luma(planes[0], mask, row, column, setup.cell_px)
                values[k].append((shown - float(offsets[row, column]) - own) / CELL_SOFTENING)
            if figure.taken_s == t_s:
                held = figure.held
                figures[k].append((128 + (held[0] - 128) / SOFTENING, held[1] - 128, held[2] - 128))
        at += [(n, row, column) for row, column in cells_taken]  # the same for all heads
        taken += [n] if figure.taken_s == t_s else []
    lumas = [[*of_cells, *(luma for luma, *_ in own)] for of_cells, own in zip(values, figures, strict=True)]
    hues = [[chroma for _, *chroma in own] for own in figures]
    cells = np.array(at, np.intp).reshape(-1, 3)
    whole, whole_known = _figure_model(setup, taken, scene)
    matrix, known = model(setup, cells, scene, WINDOW)
    last = np.searchsorted(taken, cells[:, 0], side="right") - 1  # cells are only sampled once the figure is known
    matrix, known = setup.cell_share * (matrix - whole[last]), setup.cell_share * (known - whole_known[last])[:, 0]
    of_figure = np.repeat([False, True], [len(cells), len(taken)])
    luma = Observed(np.array(lumas), np.vstack([matrix, whole]), np.concatenate([known, whole_known[:, 0]]),
                    np.concatenate([cells[:, 0], np.array(taken, np.intp)]) == 0, of_figure)
    # Only the direction of the mean chroma is shown; the attacker is told how far from grey it is on the average.
    means = np.einsum("nt,htc->hnc", whole, heads.reshape(len(heads), -1, 3)) + whole_known
    far = np.hypot(*np.moveaxis(means[..., 1:] - 128, -1, 0)).mean() if taken else 0.0
    seen, first = 128 + directions(np.array(hues).reshape(len(heads), -1, 2)) * far, np.array(taken, np.intp) == 0
    u, v = (Observed(seen[..., c], whole, whole_known[:, c + 1], first, np.ones_like(first)) for c in range(2))
    return luma, u, v


def directions(chroma: F64) -> F64:
    """Unit vectors along (..., 2) chroma, 0 for grey."""
    length = np.linalg.norm(chroma, axis=-1, keepdims=True)
    return np.asarray(chroma / np.maximum(length, 1e-9) * (length > 1e-9), np.float64)


def _shown_luma(plane: NDArray[np.uint8], mask: NDArray[np.uint8], row: int, column: int, cell_px: int) -> float:
    """The cell's luma as the picture shows it."""
    part = mask[row * cell_px:(row + 1) * cell_px, column * cell_px:(column + 1) * cell_px]
    y, x = (int(v) for v in np.unravel_index(int(part.argmax()), part.shape))
    return float(plane[y + row * cell_px, x + column * cell_px])


def observe_plain(setup: Setup, heads: F64, scene: F64) -> tuple[Observed, Observed, Observed]:
    """What the plain mosaic shows: in each frame the mean of each masked cell, rounded to 8 bits."""
    at = []
    region, edges = RegionMap((SCENE_PX, SCENE_PX)), np.arange(0, SCENE_PX, setup.cell_px) // 2
    for n, t_s in enumerate(setup.times_s):
        region.compose(plan(setup, t_s), {})
        by_row = np.maximum.reduceat(region.level, edges, axis=0)
        at += [(n, row, column) for row, column in np.argwhere(np.maximum.reduceat(by_row, edges, axis=1)).tolist()]
    where = np.array(at)
    matrix, known = model(setup, where, scene, window=1)
    seen = np.round(np.einsum("nt,htc->hnc", matrix, heads.reshape(len(heads), -1, 3)) + known)
    first = where[:, 0] == 0
    luma, u, v = (Observed(seen[..., c], matrix, known[:, c], first, np.zeros_like(first)) for c in range(3))
    return luma, u, v


def _figure_model(setup: Setup, frames: list[int], scene: F64) -> tuple[F64, F64]:
    """As `model`, for the means of the figure, away from its mask's edge, in these frames."""
    matrix, known = np.zeros((len(frames), SIDE * SIDE)), np.zeros((len(frames), 3))
    blocks = scene.reshape(SCENE_PX // 2, 2, SCENE_PX // 2, 2, 3).mean(axis=(1, 3))
    edges, region = np.arange(0, SCENE_PX, 2, dtype=float), RegionMap((SCENE_PX, SCENE_PX))
    for i, n in enumerate(frames):
        region.compose(plan(setup, n / FPS), {})
        weights = np.zeros(region.level.shape)
        weights[region.parts[0].rect.slices] = body(core(region.parts[0].patch.bits), region.parts[0])
        weights /= weights.sum()
        x, y = setup.corner_px(n / FPS)
        cover_y, cover_x = setup.coverage(y, edges, edges + 2), setup.coverage(x, edges, edges + 2)
        room_seen = blocks * (1 - cover_y @ outline() @ cover_x.T)[..., None]
        matrix[i] = (cover_y.T @ weights @ cover_x * outline()).ravel()
        known[i] = np.einsum("yx,yxc->c", weights, room_seen)
    return matrix, known


def model(setup: Setup, at: NDArray[np.intp], scene: F64, window: int) -> tuple[F64, F64]:
    """The film as linear algebra: colours of the cells at (frame, row, column) = A (N, SIDE²) @ head + known (N, 3).

    A cell's colour is the mean of a window that many times as wide, as masking/effects.py takes it.
    """
    if not len(at):
        return np.zeros((0, SIDE * SIDE)), np.zeros((0, 3))
    alpha, matrix, known = outline(), [], []
    total = _integral(scene)
    for n in np.unique(at[:, 0]):
        x, y = setup.corner_px(n / FPS)
        middle = (at[at[:, 0] == n][:, 1:] + 0.5) * setup.cell_px
        low = np.maximum(middle - window * setup.cell_px / 2, 0)
        high = np.minimum(middle + window * setup.cell_px / 2, SCENE_PX)
        (part,), place = over_scene(setup, np.zeros((1, SIDE, SIDE, 3)), scene, n / FPS)
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
