"""Cases drawn by rendering: one function per line of the list, each a seeded scene with exact truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.geometry.camera import FisheyeCamera, ImageCircle
from aipg_plugin.geometry.lens import LensLaw
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.options import LensModelName, MountKind
from benchmarks.acceptance.judge import Person, TruthPicture
from rendering.bodies import HAIR, HAND, HEAD, TORSO, Bank, load_bank
from rendering.cameras import random_light
from rendering.clip import finish
from rendering.extras import mannequin, scatter_people
from rendering.gl import GlRenderer
from rendering.layouts import FILL
from rendering.mesh import Surface, add_quad
from rendering.people import random_outfit
from rendering.props import Prop, load_props
from rendering.rooms import shell
from rendering.scene import photograph
from rendering.stage import Stage
from rendering.textures import TextureBank, load_textures

SIZE_PX, FOV_DEG = 1280, 180.0
Floats = NDArray[np.float64]
Rng = np.random.Generator


@dataclass(frozen=True)
class Studio:
    """A renderer and what it draws with."""

    renderer: GlRenderer
    bank: Bank
    textures: TextureBank
    props: list[Prop]

    @classmethod
    def open(cls, data: Path) -> Studio:
        """Raises FileNotFoundError without the banks, RuntimeError without OpenGL, each naming the cure."""
        bank, textures = load_bank(data / "bodies.npz"), load_textures(data / "textures.npz")
        return cls(GlRenderer(textures), bank, textures, load_props(data / "props.npz"))

    def room(self, rng: Rng, kind: str, size_m: float, height_m: float, seated: float = 0.0) -> Stage:
        """A furnished room around the camera; `seated`: share of its seats taken."""
        stage = Stage(rng, self.bank, self.textures, height_m, self.props)
        x, y = rng.uniform(-0.1, 0.1, 2) * size_m
        stage.bounds = (x - size_m / 2, x + size_m / 2, y - size_m / 2, y + size_m / 2)
        stage.crowding = seated
        shell(stage, kind)
        FILL[kind](stage)
        if seated == 0:
            stage.clear_people()
        return stage

    def picture(self, stage: Stage, size_px: int = SIZE_PX) -> TruthPicture:
        """Photograph a stage from above its origin."""
        rng, height = stage.rng, stage.camera_height_m
        circle = ImageCircle(size_px / 2, size_px / 2, size_px * 0.489)
        camera = FisheyeCamera(LensLaw(LensModelName.EQUIDISTANT, FOV_DEG), circle, (size_px, size_px))
        half = float(max(np.abs(stage.bounds))) * 1.42
        geometry, people = stage.geometry(float(rng.uniform(0, 2 * np.pi)))
        light = random_light(rng, height, half, False)
        mesh = self.renderer.load(geometry)
        try:
            clean, ids, truth = photograph(mesh, people, camera, Mount(MountKind.CEILING, height), light, half, 1.0)
        finally:
            mesh.release()
        gain = 105 / max(20.0, float(clean[camera.valid_mask()].mean()))
        seen = tuple(_person(*row) for row in zip(truth.ids.tolist(), truth.heads, truth.visible.tolist(),
                                                  truth.ignore.tolist(), strict=True))
        return TruthPicture(finish(clean, camera, rng, gain), ids, seen, (circle.cx_px, circle.cy_px, circle.radius_px),
                       FOV_DEG, height)


def _person(number: int, head: Floats, visible: float, ignore: bool) -> Person:
    x, y, radius = head.tolist()
    return Person(number, (x, y, radius) if np.isfinite(head).all() else None, 0.0 if ignore else visible)


def _add(stage: Stage, choice: int, at: Floats, yaw_rad: float | None = None) -> None:
    """The bank's body number `choice`."""
    body = stage.body(choice)
    yaw = float(stage.rng.uniform(0, 2 * np.pi)) if yaw_rad is None else yaw_rad
    stage.add_actor(body, random_outfit(stage.rng, stage.textures, body.kind), at, yaw)


def _around(stage: Stage, choices: NDArray[np.intp], count: int, near_m: float, far_m: float, gap_m: float) -> Stage:
    """`count` of these bodies on free floor between two distances from the camera."""
    rng = stage.rng
    for _ in range(count):
        for _ in range(60):
            angle, away = rng.uniform(0, 2 * np.pi), np.sqrt(rng.uniform(near_m ** 2, far_m ** 2))
            x, y = float(away * np.cos(angle)), float(away * np.sin(angle))
            if stage.is_free(x, y, gap_m):
                stage.take(x, y, gap_m)
                _add(stage, int(rng.choice(choices)), np.array([x, y, 0.0]))
                break
    return stage


def _reach_m(bank: Bank) -> Floats:
    """(N,) how far a hand is from the trunk's axis."""
    v = bank.vertices.astype(np.float32)
    axis = v[:, bank.parts == TORSO, :2].mean(1, keepdims=True)
    return np.asarray(np.linalg.norm(v[:, bank.parts == HAND, :2] - axis, axis=2).max(1), np.float64)


def _lean_m(bank: Bank) -> Floats:
    """(N,) how far the head is from above the trunk."""
    v = bank.vertices.astype(np.float32)
    head = v[:, (bank.parts == HEAD) | (bank.parts == HAIR), :2].mean(1)
    return np.asarray(np.linalg.norm(head - v[:, bank.parts == TORSO, :2].mean(1), axis=1), np.float64)


def _most(bank: Bank, measure: Floats, kinds: tuple[str, ...], share: float) -> NDArray[np.intp]:
    """The `share` of the bodies of these kinds with the largest measure."""
    which = bank.of(*kinds)
    return np.asarray(which[measure[which] >= np.quantile(measure[which], 1 - share)], np.intp)


def ordinary(studio: Studio, rng: Rng, height_m: float = 3.0) -> Stage:
    """A lobby, shop, meeting room or office in use."""
    kind, size = [("lobby", 8.0), ("shop", 9.0), ("meeting", 6.0), ("office", 8.0)][int(rng.integers(4))]
    stage = studio.room(rng, kind, size, height_m, 0.5)
    scatter_people(stage, 4)
    return stage


def posed(studio: Studio, rng: Rng, kinds: tuple[str, ...]) -> Stage:
    """Five people in one kind of pose on free floor."""
    stage = studio.room(rng, "lobby", 8.0, 3.0)
    return _around(stage, studio.bank.of(*kinds), 5, 0.8, 3.6, 0.45)


def stretching(studio: Studio, rng: Rng) -> Stage:
    """Arms far from the body."""
    choices = _most(studio.bank, _reach_m(studio.bank), ("stand", "walk", "sit"), 0.06)
    return _around(studio.room(rng, "lobby", 8.0, 3.0), choices, 5, 0.8, 3.4, 0.6)


def leaning(studio: Studio, rng: Rng) -> Stage:
    """Bent over or slumped at a desk, the face down."""
    choices = np.concatenate([_most(studio.bank, _lean_m(studio.bank), ("desk", "sit"), 0.15),
                              _most(studio.bank, _lean_m(studio.bank), ("bend",), 0.4)])
    return _around(studio.room(rng, "lobby", 8.0, 3.0), choices, 5, 0.8, 3.4, 0.45)


def below(studio: Studio, rng: Rng, height_m: float) -> Stage:
    """One person within 0.35 m of the point straight below the camera; short enough not to touch it."""
    stage = studio.room(rng, "empty", 6.0, height_m)
    tall = studio.bank.vertices[:, :, 2].astype(np.float32).max(1)
    upright = studio.bank.of("stand", "walk")
    choices = upright[tall[upright] < height_m - 0.45]
    at = np.append(rng.uniform(-0.25, 0.25, 2), 0.0)
    _add(stage, int(rng.choice(choices)), at)
    return stage


def dense(studio: Studio, rng: Rng) -> Stage:
    """Thirty people on five square metres, 0.4 m apart: six per square metre."""
    stage = studio.room(rng, "empty", 9.0, 3.0)
    stage.taken.clear()
    angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(1.4, 2.6)
    middle = np.array([away * np.cos(angle), away * np.sin(angle)])
    for i in range(5):
        for j in range(6):
            spot = middle + (np.array([i - 2, j - 2.5]) * 0.41) + rng.normal(0, 0.03, 2)
            _add(stage, int(rng.choice(studio.bank.of("stand"))), np.append(spot, 0.0))
    return stage


def hundred(studio: Studio, rng: Rng) -> Stage:
    """A hundred and ten people in a hall."""
    stage = studio.room(rng, "empty", 13.0, 4.0)
    return _around(stage, studio.bank.of("stand", "walk"), 110, 0.5, 6.2, 0.24)


def periphery(studio: Studio, rng: Rng) -> Stage:
    """People who sit 5 to 7.5 m away from a camera at 3 m: in the outer sixth of the circle."""
    stage = studio.room(rng, "empty", 16.0, 3.0)
    for _ in range(5):
        angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(5.0, 7.5)
        spot = np.array([away * np.cos(angle), away * np.sin(angle), 0.0])
        stage.seat(spot, float(rng.uniform(0, 2 * np.pi)), True, ("sit", "desk"))
    return stage


def camouflage(studio: Studio, rng: Rng) -> Stage:
    """Clothes cut from the floor's own cloth."""
    stage = studio.room(rng, "empty", 7.0, 3.0)
    x0, x1, y0, y1 = stage.bounds
    layer, tint = studio.textures.pick(rng, "floor"), tuple(float(v) for v in rng.uniform(0.45, 0.9) * np.ones(3))
    add_quad(stage.room, [x0, y0, 0.004], [x1 - x0, 0, 0], [0, y1 - y0, 0],
             Surface(layer, (tint[0], tint[1], tint[2]), 1.0, repeat_m=1.2), 0.22)
    first = len(stage.figures.parts)
    _around(stage, studio.bank.of("stand", "walk"), 5, 0.8, 3.0, 0.4)
    dressed = ~np.isin(studio.bank.parts, (HEAD, HAIR, HAND))
    for part in stage.figures.parts[first:]:
        rows = dressed if len(part) == len(dressed) else np.ones(len(part), bool)
        part[rows, 8], part[rows, 9:12], part[rows, 12] = layer, tint, 1.0
    return stage


def tiny(studio: Studio, rng: Rng) -> Stage:
    """A camera at 5.5 m, people 5 to 9 m from it."""
    return _around(studio.room(rng, "empty", 19.0, 5.5), studio.bank.of("stand", "walk"), 6, 5.0, 9.0, 0.4)


def huge(studio: Studio, rng: Rng) -> Stage:
    """A camera at 2.5 m, people within 1.3 m of it."""
    return _around(studio.room(rng, "empty", 6.0, 2.5), studio.bank.of("stand", "walk"), 2, 0.6, 1.3, 0.4)


def nobody(studio: Studio, rng: Rng) -> Stage:
    """A furnished room without people."""
    kind = ["office", "lobby", "shop", "meeting"][int(rng.integers(4))]
    return studio.room(rng, kind, 8.0, 3.0)


def dolls(studio: Studio, rng: Rng) -> Stage:
    """A shop with four mannequins and posters of people's size, and nobody."""
    stage = studio.room(rng, "empty", 7.0, 3.0)
    for _ in range(4):
        spot = stage.free_spot(0.4)
        if spot is not None:
            mannequin(stage, spot)
    x0, x1, _, y1 = stage.bounds
    for x in np.arange(x0 + 0.5, x1 - 1.2, 1.6):
        add_quad(stage.room, [float(x) + 1.0, y1 - 0.06, 0.3], [-1.0, 0, 0], [0, 0, 1.7],
                 Surface(studio.textures.pick(rng, "poster"), (1.0, 1.0, 1.0)), 0.15, fit=True)
    return stage


# Line of the list -> (name of the case, scene, picture's side).
Build = Callable[[Studio, Rng], Stage]
RENDERED: dict[str, tuple[tuple[str, Build, int], ...]] = {
    "ordinary": (("3 m", ordinary, SIZE_PX),),
    "low contrast to the background": (("clothes like the floor", camouflage, SIZE_PX),),
    "too small or too large": (("5.5 m, far, 1280 px", tiny, SIZE_PX), ("5.5 m, far, 640 px", tiny, 640),
                               ("2.5 m, close", huge, SIZE_PX)),
    "lying": (("", partial(posed, kinds=("lie",)), SIZE_PX),),
    "> 5 persons/m2": (("6 per m2", dense, SIZE_PX),),
    "100 persons": (("110", hundred, SIZE_PX),),
    "face not shown (below)": (("3 m", partial(below, height_m=3.0), SIZE_PX),
                               ("2.5 m", partial(below, height_m=2.5), SIZE_PX)),
    "limbs, stretching": (("arms out", stretching, SIZE_PX),),
    "squatting": (("", partial(posed, kinds=("squat",)), SIZE_PX),),
    "leaning, face down": (("", leaning, SIZE_PX),),
    "sitting at the periphery": (("5-7.5 m", periphery, SIZE_PX),),
    "false masks, nobody there": (("furniture", nobody, SIZE_PX),),
    "dolls and posters": (("nobody", dolls, SIZE_PX),),
}

# Cases with so many people in each picture that a few pictures do.
HEAVY = {"100 persons": 2, "> 5 persons/m2": 4}


def take(studio: Studio, line: str, name: str, build: Build, side_px: int, seed: int, index: int) -> TruthPicture:
    """Picture `index` of a case: always the same for the same seed and banks."""
    cv2.setNumThreads(1)
    key = [seed, index, *(line + name).encode()]
    return studio.picture(build(studio, np.random.default_rng(key)), side_px)
