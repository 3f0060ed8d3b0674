"""The project's sample: a lobby with seven people."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from aipg_plugin.geometry.camera import FisheyeCamera, ImageCircle
from aipg_plugin.geometry.lens import LensLaw
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.options import LensModelName, MountKind
from rendering import furniture as fur
from rendering.bodies import Bank
from rendering.cameras import MountedCamera
from rendering.clip import Actor, Film
from rendering.drawing import Light
from rendering.mesh import Surface, add_box, add_quad
from rendering.people import Outfit, random_outfit
from rendering.stage import Stage
from rendering.textures import TextureBank

FPS, SECONDS, SIZE_PX, HEIGHT_M = 15.0, 8.6, 1280, 3.1
_HAIR = ((0.1, 0.08, 0.07), (0.05, 0.05, 0.05), (0.28, 0.18, 0.1), (0.35, 0.2, 0.1), (0.09, 0.08, 0.08),
         (0.5, 0.5, 0.5), (0.5, 0.34, 0.16))
_SKIN = ((0.8, 0.6, 0.48), (0.42, 0.28, 0.2), (0.85, 0.66, 0.54), (0.8, 0.6, 0.48), (0.6, 0.42, 0.3),
         (0.85, 0.66, 0.54), (0.8, 0.6, 0.48))
_WHITE = (0.86, 0.86, 0.84)


def lobby_film(bank: Bank, textures: TextureBank, seed: int) -> Film:
    """Room, camera and cast; everything but people's clothes and small things is fixed."""
    stage = Stage(np.random.default_rng([seed, 2024]), bank, textures, HEIGHT_M)
    stage.bounds = (-5.2, 5.2, -4.4, 4.4)
    chair = Surface(0, (0.13, 0.14, 0.16))
    stage.style = replace(stage.style, sofa=Surface(0, (0.23, 0.36, 0.42)), chair=chair, rolling=True,
                          wood=Surface(0, (0.62, 0.47, 0.33)), metal=Surface(0, (0.3, 0.3, 0.32)),
                          top=Surface(0, (0.8, 0.78, 0.74)))
    _room(stage)
    _furniture(stage)
    camera = FisheyeCamera(LensLaw(LensModelName.EQUIDISTANT, 180.0),
                           ImageCircle(SIZE_PX / 2, SIZE_PX / 2, SIZE_PX * 0.489), (SIZE_PX, SIZE_PX))
    lamps = np.array([[-2.5, -2, HEIGHT_M, 0.55], [2.5, 2, HEIGHT_M, 0.55], [2.5, -2, HEIGHT_M, 0.5],
                      [-2.5, 2, HEIGHT_M, 0.5]], np.float32)
    light = Light(lamps, (-0.55, 0.35, 1.0), (0.4, 0.38, 0.34), (0.66, 0.665, 0.68), 0.09)
    return Film(stage, MountedCamera(camera, Mount(MountKind.CEILING, HEIGHT_M)), light, _cast(stage), 1.5)


def _room(stage: Stage) -> None:
    x0, x1, y0, y1 = stage.bounds
    out, tile = stage.room, 0.9
    rng = np.random.default_rng(3)
    add_quad(out, [x0, y0, -0.01], [x1 - x0, 0, 0], [0, y1 - y0, 0], Surface(0, (0.36, 0.35, 0.34)), 0.2)
    for x in np.arange(x0, x1 - 0.01, tile):
        for y in np.arange(y0, y1 - 0.01, tile):
            shade = 0.7 + rng.normal(0, 0.012)
            w, d = min(tile, x1 - x) - 0.012, min(tile, y1 - y) - 0.012
            add_quad(out, [x + 0.006, y + 0.006, 0], [w, 0, 0], [0, d, 0],
                     Surface(0, (shade, shade * 0.985, shade * 0.95)), 0.15)
    top = HEIGHT_M + 0.05
    walls = [([x0, y0, 0], [x1 - x0, 0, 0]), ([x1, y0, 0], [0, y1 - y0, 0]),
             ([x1, y1, 0], [x0 - x1, 0, 0]), ([x0, y1, 0], [0, y0 - y1, 0])]
    for base, along in walls:
        add_quad(out, base, along, [0, 0, top], Surface(0, _WHITE), 0.15)
    skirting = Surface(0, (0.4, 0.38, 0.36))
    add_box(out, (x1 - x0, 0.03, 0.1), [0, y0, 0], 0, skirting)
    add_box(out, (x1 - x0, 0.03, 0.1), [0, y1, 0], 0, skirting)
    glass = Surface(0, (0.93, 0.98, 1.0), glow=0.85)
    for y in (-3.2, -1.4, 0.4, 2.2):
        add_quad(out, [x0 + 0.03, y, 0.5], [0, 1.4, 0], [0, 0, 2.1], glass, 0.15)
        add_box(out, (0.06, 0.05, 2.1), [x0 + 0.04, y + 0.7, 0.5], 0, skirting)
    door = Surface(0, (0.12, 0.14, 0.17))
    add_quad(out, [x1 - 0.03, 1.6, 0], [0, 1.5, 0], [0, 0, 2.2], door, 0.12)
    frame = Surface(0, (0.55, 0.56, 0.58))
    for y in (1.55, 3.15):
        add_box(out, (0.08, 0.08, 2.25), [x1 - 0.02, y, 0], 0, frame)
    for x, tint in ((-2.9, (0.72, 0.42, 0.22)), (-1.2, (0.2, 0.36, 0.44)), (0.5, (0.8, 0.68, 0.45))):
        add_quad(out, [x + 1.0, y1 - 0.03, 1.1], [-1.0, 0, 0], [0, 0, 0.8], skirting, 0.15)
        add_quad(out, [x + 0.94, y1 - 0.04, 1.16], [-0.88, 0, 0], [0, 0, 0.68], Surface(0, tint), 0.15)
    rug = Surface(int(stage.textures.groups["cloth"][4]), (0.62, 0.36, 0.28), repeat_m=0.8)
    add_quad(out, [-4.0, 1.3, 0.008], [2.9, 0, 0], [0, 2.4, 0], rug, 0.15)


def _furniture(stage: Stage) -> None:
    out, rng = stage.things, stage.rng
    fur.add_sofa(out, stage.style, [-2.6, 3.75, 0], 0.0, 2.1)
    fur.add_sofa(out, stage.style, [-4.45, 2.4, 0], np.pi / 2, 1.5)
    fur.add_table(out, rng, stage.textures, stage.style, [-2.5, 2.3, 0], 0.0, (1.0, 0.6), 0.4)
    for at in ([-4.7, 3.9, 0], [4.7, 3.9, 0], [4.75, -0.4, 0], [-4.75, -4.0, 0]):
        fur.add_plant(out, rng, at)
    # Reception: the clerk at (1.8, -3.5) looks to +y over desk and counter.
    fur.add_desk(out, rng, stage.textures, stage.style, [1.8, -2.72, 0], np.pi, (2.2, 0.75))
    add_box(out, (2.4, 0.22, 1.08), [1.8, -2.22, 0], 0.0, stage.style.wood, top=stage.style.top)
    fur.add_screen(out, rng, stage.textures, [2.15, -2.6, 0.74], np.pi + 0.2, 0.55)
    fur.add_chair(out, rng, stage.style, [1.8, -3.5, 0], np.pi, 0.43)
    add_box(out, (0.42, 0.14, 0.02), [1.8, -3.0, 0.74], 0.0, Surface(0, (0.08, 0.08, 0.09)))
    fur.add_shelf(out, rng, stage.textures, stage.style, [-1.6, -4.15, 0], 0.0, (1.8, 0.38, 1.7))
    fur.add_coat_rack(out, rng, stage.textures, stage.style, [4.6, -3.9, 0])
    add_box(out, (0.5, 0.5, 1.15), [4.8, 1.0, 0], 0.0, Surface(0, (0.25, 0.27, 0.3)))


def _dress(stage: Stage, look: int, shirt: tuple[float, float, float], trousers: tuple[float, float, float],
           **changes: object) -> Outfit:
    base = random_outfit(stage.rng, stage.textures, "sit")
    plain = int(stage.textures.groups["cloth"][0])
    values: dict[str, object] = {"shirt": np.array(shirt), "trousers": np.array(trousers),
                                 "hair": np.array(_HAIR[look]), "skin": np.array(_SKIN[look]),
                                 "hat": "none", "bag": "none",
                                 "sleeve": 2, "shorts": False, "skirt_m": 0.0, "coat_m": 0.0, "shirt_layer": plain,
                                 "trousers_layer": plain, "shoes": np.array([0.06, 0.05, 0.05])}
    return replace(base, **(values | changes))  # type: ignore[arg-type]


def _cast(stage: Stage) -> list[Actor]:
    def still(x: float, y: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return np.array([[0.0, x, y]])

    check = int(stage.textures.groups["photocloth"][5])
    return [
        Actor(0, _dress(stage, 0, (0.75, 0.22, 0.18), (0.12, 0.14, 0.2), bag="backpack"),
             np.array([[0, -4.4, -1.6], [3.4, -1.0, -0.25], [4.3, -0.02, 0.02], [5.3, 1.1, 0.35], [8.6, 4.3, 1.9]])),
        Actor(1, _dress(stage, 1, (0.15, 0.2, 0.3), (0.16, 0.16, 0.17), coat_m=0.4),
             np.array([[2.0, 5.7, 2.35], [4.2, 3.3, 2.0], [6.2, 1.6, 0.6], [8.0, 1.5, -1.3], [9.0, 1.5, -1.45]])),
        Actor(2, _dress(stage, 2, (0.85, 0.86, 0.9), (0.2, 0.2, 0.24)), still(1.8, -3.45), "desk", np.pi),
        Actor(3, _dress(stage, 3, (0.25, 0.45, 0.3), (0.3, 0.26, 0.2), long_hair=True), still(-1.5, -2.4), "stand",
              1.2),
        Actor(4, _dress(stage, 4, (0.92, 0.9, 0.85), (0.15, 0.2, 0.36), shirt_layer=check), still(-0.45, -2.75),
              "stand", -1.7),
        Actor(5, _dress(stage, 5, (0.55, 0.5, 0.62), (0.1, 0.1, 0.12)), still(-2.9, 3.62), "sit", 0.0),
        Actor(6, _dress(stage, 6, (0.9, 0.72, 0.25), (0.2, 0.22, 0.3), sleeve=1),
             np.array([[0, 3.6, 3.7], [2.6, 0.9, 3.2], [4.4, -0.9, 2.6], [6.0, -1.0, 2.5], [8.4, 0.4, 0.9],
                       [9, 0.9, 0.6]])),
    ]
