"""Areas as settings: rectangle or polygon, normalised to the picture, coloured by number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aipg_plugin.options import Point
from aipg_plugin.settings.problems import Bad, show
from aipg_plugin.settings.shapes import ListOf, Table
from aipg_plugin.settings.validators import Number

SMALLEST_SHARE = 1e-5  # of the picture: about 6 × 6 pixels of a 1920² picture
COLOURS = ("#ffffff", "#ffd400", "#00d0ff", "#ff4fa3", "#39d353", "#ff7a00", "#9d6bff", "#ff2e2e")


def colour_of(number: int) -> str:
    """The colour of an area by its number, from 1 (white); after 8 they repeat."""
    return COLOURS[(number - 1) % len(COLOURS)]


def rectangle_points(rectangle: Sequence[float]) -> tuple[Point, ...]:
    """Corners of [x0, y0, x1, y1], clockwise from the top left, whichever two opposite corners were given."""
    x0, x1 = sorted((rectangle[0], rectangle[2]))
    y0, y1 = sorted((rectangle[1], rectangle[3]))
    return (x0, y0), (x1, y0), (x1, y1), (x0, y1)


def as_rectangle(points: Sequence[Point]) -> list[float] | None:
    """[x0, y0, x1, y1] when `points` are exactly what `rectangle_points` makes, else None."""
    if len(points) != 4:
        return None
    rectangle = [*points[0], *points[2]]
    return rectangle if rectangle_points(rectangle) == tuple(points) else None


def polygon_share(points: Sequence[Point]) -> float:
    """Area inside a simple polygon, as a share of the picture (shoelace formula)."""
    following = [*points[1:], points[0]]
    doubled = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(points, following, strict=True))
    return abs(doubled) / 2


def crosses_itself(points: Sequence[Point]) -> bool:
    """Whether two edges that are not neighbours meet, or a corner is there twice."""
    count = len(points)
    if len(set(points)) < count:
        return True
    edges = [(points[i], points[(i + 1) % count]) for i in range(count)]
    return any(_meet(*edges[i], *edges[j])
               for i in range(count) for j in range(i + 2, count) if (i, j) != (0, count - 1))


def _side(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _within(a: Point, b: Point, c: Point) -> bool:
    return min(a[0], b[0]) <= c[0] <= max(a[0], b[0]) and min(a[1], b[1]) <= c[1] <= max(a[1], b[1])


def _meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    sides = _side(a, b, c), _side(a, b, d), _side(c, d, a), _side(c, d, b)
    if sides[0] * sides[1] < 0 and sides[2] * sides[3] < 0:
        return True
    touching = ((a, b, c), (a, b, d), (c, d, a), (c, d, b))
    return any(side == 0 and _within(*three) for side, three in zip(sides, touching, strict=True))


@dataclass(frozen=True)
class Corner:
    """One point [x, y] of a polygon."""

    kind: str = "point"
    limits: str = "[x, y] in 0–1"

    def __call__(self, value: object) -> Point:
        x, y = ListOf(Number(0, 1), 2, 2)(value)
        return x, y


@dataclass(frozen=True)
class AreaShape:
    """An area's table, and that its shape encloses something."""

    table: Table

    def __call__(self, value: object) -> dict[str, Any]:
        area = self.table(value)
        if (area["rectangle"] is None) == (area["points"] is None):
            raise Bad("needs either rectangle or points", cure="Write rectangle: [x0, y0, x1, y1], each 0–1")
        if area["rectangle"] is not None:
            area["points"] = rectangle_points(area["rectangle"])
            if polygon_share(area["points"]) < SMALLEST_SHARE:
                raise Bad("{value} encloses nothing", cure="Give two opposite corners [x0, y0, x1, y1] further apart",
                          path=["rectangle"], value=show(area["rectangle"]))
        elif crosses_itself(area["points"]):
            raise Bad("the polygon crosses itself", cure="List its corners in order, each once", path=["points"])
        elif polygon_share(area["points"]) < SMALLEST_SHARE:
            raise Bad("{value} encloses nothing", cure="Move its corners apart",
                      path=["points"], value=show(area["points"]))
        return area
