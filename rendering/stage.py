"""A scene under construction: meshes, people and the floor space still free."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rendering.bodies import Bank, Floats
from rendering.drawing import Geometry
from rendering.furniture import Style, add_chair, add_jacket, add_shelf, random_style
from rendering.mesh import MeshBuilder, turn
from rendering.people import Body, Outfit, add_person, random_outfit
from rendering.props import Prop, add_prop
from rendering.soft import add_soft_chair
from rendering.textures import TextureBank

Rng = np.random.Generator


@dataclass(frozen=True)
class PlacedPerson:
    """One person in the scene: id ≥ 1, pose kind, floor place, yaw, head sphere (4,), faces of the mesh."""

    id: int
    kind: str
    floor_xy_m: tuple[float, float]
    yaw_deg: float
    head: Floats
    first_face: int
    faces: int


@dataclass(frozen=True)
class Front:
    """A shelf's face: the middle of its foot (3,), the yaw of who looks at it, its height."""

    at: NDArray[np.float64]
    yaw_rad: float
    height_m: float


@dataclass
class Stage:
    """Builder of one scene in the floor frame, camera over the origin."""

    rng: Rng
    bank: Bank
    textures: TextureBank
    camera_height_m: float
    props: list[Prop] = field(default_factory=list)
    style: Style = field(init=False)
    chair: Prop | None = field(init=False)
    figures: MeshBuilder = field(default_factory=MeshBuilder)
    things: MeshBuilder = field(default_factory=MeshBuilder)
    room: MeshBuilder = field(default_factory=MeshBuilder)
    people: list[PlacedPerson] = field(default_factory=list)
    taken: list[tuple[float, float, float]] = field(default_factory=list)
    bounds: tuple[float, float, float, float] = (-4.0, 4.0, -4.0, 4.0)
    crowding: float = 0.6
    extras: tuple[int, int] = (0, 0)
    soft: bool = False  # padded chairs in place of plain ones
    helmets: float = 0.0  # share of people under caps and helmets, beyond the usual one
    mood: tuple[float, float] = (1.0, 0.0)  # how bright the light is, how warm: share of blue taken to red
    fronts: list[Front] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.style = random_style(self.rng, self.textures)
        chairs = self.models("Chair")
        self.chair = chairs[int(self.rng.integers(len(chairs)))] if chairs and self.rng.random() < 0.25 else None

    def models(self, *families: str) -> list[Prop]:
        """The furniture models whose names start so; all without names."""
        return [p for p in self.props if not families or p.name.startswith(families)]

    def is_free(self, x: float, y: float, radius_m: float) -> bool:
        """Whether a circle on the floor touches nothing placed so far and lies in the room."""
        x0, x1, y0, y1 = self.bounds
        inside = x0 + radius_m < x < x1 - radius_m and y0 + radius_m < y < y1 - radius_m
        return inside and all((x - a) ** 2 + (y - b) ** 2 > (radius_m + r) ** 2 for a, b, r in self.taken)

    def take(self, x: float, y: float, radius_m: float) -> None:
        """Mark floor space as used."""
        self.taken.append((x, y, radius_m))

    def free_spot(self, radius_m: float, spread_m: float = 0.0) -> NDArray[np.float64] | None:
        """A random free place (3,), within `spread_m` of the camera if given; None when it is too full."""
        x0, x1, y0, y1 = self.bounds
        for _ in range(25):
            if spread_m > 0:
                x, y = self.rng.normal(0, spread_m, 2)
            else:
                x, y = self.rng.uniform(x0, x1), self.rng.uniform(y0, y1)
            if self.is_free(x, y, radius_m):
                return np.array([x, y, 0.0])
        return None

    def free_spots(self, count: int, radius_m: float) -> Iterator[NDArray[np.float64]]:
        """Up to `count` random free places, each looked for when it is asked for; what stands there takes it."""
        for _ in range(count):
            spot = self.free_spot(radius_m)
            if spot is not None:
                yield spot

    def pick(self, *kinds: str) -> Body:
        """A random body of these kinds; raises ValueError when the bank has none."""
        found = self.bank.of(*kinds)
        if not len(found):
            raise ValueError(f"no bodies of {kinds} in the bank: make it again with `python -m rendering bodies`")
        return self.body(int(self.rng.choice(found)))

    def body(self, choice: int) -> Body:
        """The bank's body number `choice`."""
        return Body(self.bank.vertices[choice].astype(np.float32), self.bank.faces, self.bank.parts,
                    str(self.bank.kinds[choice]), head_turn=self.bank.head_turns[choice])

    def shelf(self, at: NDArray[np.float64], yaw_rad: float, size: tuple[float, float, float]) -> None:
        """A shelf of goods; remembers where one can stand before it."""
        add_shelf(self.things, self.rng, self.textures, self.style, at, yaw_rad, size)
        for side in (yaw_rad, yaw_rad + np.pi):
            self.fronts.append(Front(at + turn(side) @ np.array([0, size[1] / 2, 0]), side, size[2]))

    def person(self, kinds: tuple[str, ...] | Body, at: NDArray[np.float64], yaw_rad: float,
               outfit: Outfit | None = None, as_person: bool = True) -> bool:
        """Add this body or a random one of these kinds; False when it would touch the camera or ids run out."""
        body = kinds if isinstance(kinds, Body) else self.pick(*kinds)
        worn = outfit or random_outfit(self.rng, self.textures, body.kind, self.helmets)
        vertices = body.vertices
        top = float(vertices[:, 2].max()) + float(at[2])
        close = float(np.hypot(at[0], at[1])) < 1.0
        if len(self.people) >= 250 or top > self.camera_height_m - (0.3 if close else -0.5):
            return False
        if as_person:
            self.add_actor(body, worn, at, yaw_rad)
        else:
            add_person(self.things, body, worn, np.asarray(at, np.float32), yaw_rad, 0)
        return True

    def add_actor(self, body: Body, outfit: Outfit, at: NDArray[np.float64], yaw_rad: float) -> None:
        """Add one given body as the next person."""
        first = sum(len(f) for f in self.figures.faces)
        number = len(self.people) + 1
        head = add_person(self.figures, body, outfit, np.asarray(at, np.float32), yaw_rad, number)
        faces = sum(len(f) for f in self.figures.faces) - first
        self.people.append(PlacedPerson(number, body.kind, (float(at[0]), float(at[1])), float(np.degrees(yaw_rad)),
                                        head, first, faces))

    def keep_people(self) -> None:
        """Let everybody on the stage now stay when it is cleared: those who don't move in a clip."""
        self.extras = (len(self.figures.parts), len(self.people))

    def clear_people(self) -> None:
        """Take everybody off the stage but those kept; things stay."""
        parts, people = self.extras
        kept = self.figures.parts[:parts]
        self.figures = MeshBuilder(kept, self.figures.faces[:parts], sum(len(p) for p in kept))
        self.people = self.people[:people]

    def seat(self, at: NDArray[np.float64], yaw_rad: float, occupied: bool, kinds: tuple[str, ...] = ("desk",),
             chair: bool = True) -> None:
        """A chair at `at`, with somebody on it if `occupied`."""
        rng = self.rng
        seat_m = 0.45
        self.take(float(at[0]), float(at[1]), 0.3)
        if occupied:
            self.person(kinds, at, yaw_rad + float(rng.normal(0, 0.12)))
            seat_m = 0.42
        if chair:
            spin = float(rng.normal(0, 0.15)) if occupied else float(rng.normal(0, 0.8))
            if self.soft:
                add_soft_chair(self.things, rng, self.style, at, yaw_rad + spin, seat_m)
            elif self.chair is not None:
                add_prop(self.things, rng, self.chair, at, yaw_rad + spin)
            else:
                add_chair(self.things, rng, self.style, at, yaw_rad + spin, seat_m)
            if rng.random() < 0.12:
                add_jacket(self.things, rng, self.textures, at, yaw_rad + spin)

    def geometry(self, yaw_rad: float) -> tuple[Geometry, list[PlacedPerson]]:
        """The finished mesh and people, everything turned about the camera."""
        blocks, faces, count = [], [], 0
        casters = 0
        for i, builder in enumerate((self.figures, self.things, self.room)):
            v, f = builder.arrays()
            blocks.append(v)
            faces.append(f + count)
            count += len(v)
            casters += len(f) if i < 2 else 0
        vertices = np.concatenate(blocks)
        rotation = turn(yaw_rad)
        vertices[:, 0:3] = vertices[:, 0:3] @ rotation.T
        vertices[:, 3:6] = vertices[:, 3:6] @ rotation.T
        people = []
        for p in self.people:
            xy = rotation[:2, :2] @ np.array(p.floor_xy_m)
            head = np.append(rotation @ p.head[:3], p.head[3]).astype(np.float32)
            turned_deg = p.yaw_deg + float(np.degrees(yaw_rad))
            people.append(PlacedPerson(p.id, p.kind, (float(xy[0]), float(xy[1])), turned_deg, head, p.first_face,
                                       p.faces))
        return Geometry(vertices, np.concatenate(faces).astype(np.int32), casters), people
