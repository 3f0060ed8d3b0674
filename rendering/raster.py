"""Rasterises triangles in tensors: which face is nearest at every pixel centre, exact along shared edges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

SUBPIXELS = 256  # corners lie on this grid, as graphics hardware has it; whole numbers make edges exact
_FAR_PX = 1 << 14
_DEPTHS = (1 << 24) - 1
_EMPTY = torch.iinfo(torch.int64).max
_CHUNK = 1 << 20  # rows or pixels worked on at once, whatever the size of faces


@dataclass(frozen=True)
class Triangles:
    """T triangles ready to be drawn, tensors of T rows.

    `face`: number of the face; `x`, `y` (T, 3) corners in subpixels, int64, in an order that gives a positive
    `area` (twice the triangle's, in subpixels²); `corner` (T, 3): which corners of the face these are.
    """

    face: Tensor
    x: Tensor
    y: Tensor
    corner: Tensor
    area: Tensor

    def take(self, rows: Tensor | slice) -> Triangles:
        """Some of them, by number, mask or slice."""
        return Triangles(self.face[rows], self.x[rows], self.y[rows], self.corner[rows], self.area[rows])

    def edges(self) -> tuple[Tensor, Tensor]:
        """(T, 3) what the edge functions grow by per subpixel of x and of y; edge k lies opposite corner k."""
        x1, x2, y1, y2 = (c.roll(-k, 1) for c in (self.x, self.y) for k in (1, 2))
        return y1 - y2, x2 - x1

    def weights(self, column: Tensor, row: Tensor) -> Tensor:
        """(T, 3) float64 shares of the corners at one pixel centre for each."""
        dx, dy = self.edges()
        x, y = (_centre(v)[:, None] for v in (column, row))
        value = dx * (x - self.x.roll(-1, 1)) + dy * (y - self.y.roll(-1, 1))
        return value.double() / self.area[:, None]

    def plane(self, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Values (T, 3) at the corners as a + bx·x + by·y: float64 (T,) a at corner 0, bx and by per subpixel."""
        dx, dy = self.edges()
        return values[:, 0], (dx * values).sum(1) / self.area, (dy * values).sum(1) / self.area


def triangles(points_px: Tensor, faces: Tensor) -> Triangles:
    """The faces (T, 3) of points (N, 2) that cover any area."""
    grid = (points_px.double().clamp(-_FAR_PX, _FAR_PX) * SUBPIXELS).round().long()
    x, y = grid[faces, 0], grid[faces, 1]
    area = (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) - (y[:, 1] - y[:, 0]) * (x[:, 2] - x[:, 0])
    corner = torch.tensor([[0, 1, 2], [0, 2, 1]], device=faces.device)[(area < 0).long()]
    made = Triangles(torch.arange(len(faces), device=faces.device), x.gather(1, corner), y.gather(1, corner), corner,
                     area.abs())
    return made.take(area != 0)


def rasterise(points_px: Tensor, depth: Tensor, faces: Tensor, size_wh: tuple[int, int],
              margin: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Nearest face and its depth at every pixel centre.

    points_px (N, 2); depth (N,) 0 near to 1 far; faces (T, 3) int64; where `margin` (N,), spread over the faces, is
    negative, nothing is drawn. Returns (H·W,) int64 face, -1 where none, and (H·W,) float32 depth, 1 where none. Of
    faces equally near, the first is drawn. Corners further than 16384 px from the origin are pulled there.
    """
    w, h = size_wh
    nearest = torch.full((w * h,), _EMPTY, dtype=torch.int64, device=points_px.device)
    drawn = triangles(points_px, faces)
    if margin is not None:
        drawn = drawn.take((margin[faces[drawn.face]] >= 0).any(1))
    top, rows = _extent(drawn.y, h)
    seen = (rows > 0) & (_extent(drawn.x, w)[1] > 0)
    drawn, top, rows = drawn.take(seen), top[seen], rows[seen]
    for part in _chunks(rows):
        some = drawn.take(part)
        corners = faces[some.face].gather(1, some.corner)
        owner, step = _expand(rows[part])
        line = top[part][owner] + step
        first, last = _span(some, owner, line, w)
        if margin is not None:
            first, last = _cut(some, margin[corners].double(), owner, line, first, last)
        _fill(nearest, some, depth[corners].double(), owner, line, first, last - first + 1, w)
    face = torch.where(nearest == _EMPTY, -1, nearest & 0xFFFFFFFF)
    return face, torch.where(nearest == _EMPTY, 1.0, (nearest >> 32).float() / _DEPTHS)


def _centre(pixel: Tensor) -> Tensor:
    return pixel * SUBPIXELS + SUBPIXELS // 2


def _extent(values: Tensor, limit: int) -> tuple[Tensor, Tensor]:
    """First pixel whose centre lies between the corners (T, 3) and below `limit`, and how many follow it."""
    half = SUBPIXELS // 2
    first = -((half - values.amin(1)) // SUBPIXELS)
    last = (values.amax(1) - half) // SUBPIXELS
    first, last = first.clamp(min=0), last.clamp(max=limit - 1)
    return first, (last - first + 1).clamp(min=0)


def _chunks(counts: Tensor) -> Iterator[slice]:
    """Slices of rows whose counts add up to about `_CHUNK` each."""
    total = counts.cumsum(0)
    start, done = 0, 0
    while start < len(counts):
        end = max(start + 1, int(torch.searchsorted(total, done + _CHUNK, right=True)))
        yield slice(start, end)
        start, done = end, int(total[end - 1])


def _expand(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Each row's number repeated `counts` times, and 0, 1, … within it."""
    owner = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
    before = counts.cumsum(0) - counts
    return owner, torch.arange(len(owner), device=counts.device) - before[owner]


def _span(some: Triangles, owner: Tensor, line: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """First and last pixel of a line of pixels whose centres are in the triangle; a centre on an edge belongs to the
    face below or right of it, so that faces that share an edge share no pixel and leave no gap."""
    dx, dy = some.edges()
    value = dx * (SUBPIXELS // 2 - some.x.roll(-1, 1)) - dy * some.y.roll(-1, 1)
    value -= (~((dx > 0) | ((dx == 0) & (dy > 0)))).long()
    first, last = torch.zeros_like(line), torch.full_like(line, width - 1)
    y = _centre(line)
    for k in range(3):
        slope = dx[:, k][owner]
        at = value[:, k][owner] + dy[:, k][owner] * y
        bound = torch.div(at, (slope.abs() * SUBPIXELS).clamp(min=1), rounding_mode="floor")
        first = torch.where(slope > 0, torch.maximum(first, -bound), first)
        last = torch.where(slope < 0, torch.minimum(last, bound), last)
        last = torch.where((slope == 0) & (at < 0), -1, last)
    return first, last


def _cut(some: Triangles, margin: Tensor, owner: Tensor, line: Tensor, first: Tensor, last: Tensor,
         ) -> tuple[Tensor, Tensor]:
    """The same spans as far as the margin (T, 3) at the corners, spread evenly, is not negative."""
    if not bool((margin < 0).any()):
        return first, last
    base, bx, by = some.plane(margin)
    base = base + bx * (SUBPIXELS // 2 - some.x[:, 0])
    at = base[owner] + by[owner] * (_centre(line) - some.y[owner, 0])
    slope = bx[owner] * SUBPIXELS
    bound = (-at / torch.where(slope == 0, 1.0, slope)).clamp(-_FAR_PX, _FAR_PX)
    first = torch.where(slope > 0, torch.maximum(first, bound.ceil().long()), first)
    last = torch.where(slope < 0, torch.minimum(last, bound.floor().long()), last)
    return first, torch.where((slope == 0) & (at < 0), -1, last)


def _fill(nearest: Tensor, some: Triangles, depth: Tensor, owner: Tensor, line: Tensor, first: Tensor,
          counts: Tensor, width: int) -> None:
    """Keep the nearest of what is there and these spans; the key is depth, then face."""
    full = counts > 0
    owner, line, first, counts = owner[full], line[full], first[full], counts[full]
    base, bx, by = some.plane(depth)
    start = base[owner] + bx[owner] * (_centre(first) - some.x[owner, 0])
    start = (start + by[owner] * (_centre(line) - some.y[owner, 0])) * _DEPTHS
    slope = bx[owner] * (SUBPIXELS * _DEPTHS)
    pixel = line * width + first
    face = some.face[owner]
    for part in _chunks(counts):
        span, step = _expand(counts[part])
        key = (start[part][span] + slope[part][span] * step).round().long().clamp(0, _DEPTHS)
        nearest.scatter_reduce_(0, pixel[part][span] + step, key << 32 | face[part][span], "amin")
