"""Dresses a posed body and adds it to a scene: clothes, hair, hats, skirts, coats, things carried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rendering.bodies import (
    FOOT,
    FOREARM,
    HAIR,
    HAND,
    HEAD,
    SHIN,
    THIGH,
    TORSO,
    UPPER_ARM,
    Floats,
)
from rendering.mesh import Ints, MeshBuilder, Surface, add_box, add_cylinder, grid, place, vertex_normals
from rendering.textures import TextureBank

Rng = np.random.Generator
_UPRIGHT = {"stand", "walk", "push"}
_HELMETS = ((0.95, 0.95, 0.93), (0.95, 0.95, 0.93), (0.92, 0.75, 0.1), (0.9, 0.45, 0.1), (0.1, 0.3, 0.65),
            (0.75, 0.12, 0.1), (0.15, 0.5, 0.25), (0.1, 0.1, 0.1))
Colour = NDArray[np.float64]
_SKIN = np.array([[215, 170, 140], [200, 150, 120], [170, 120, 90], [130, 85, 60], [95, 60, 40], [230, 185, 150]]) / 255
_HAIR = np.array([[28, 25, 25], [22, 20, 20], [18, 17, 17], [34, 27, 24], [45, 36, 30], [60, 45, 40], [80, 54, 36],
                  [30, 24, 22], [20, 20, 20], [120, 95, 65], [110, 106, 104]]) / 255


@dataclass(frozen=True)
class Body:
    """A posed body ready to dress: (V, 3) vertices, hips over the origin, facing −y; kind of pose.

    `rest`: the pose that folds and patterns are laid out on, so that they move with the body; else this pose.
    `head_turn`: (3, 3) how the head is turned from level and facing −y; else unknown, and level unless bent or lying.
    """

    vertices: Floats
    faces: Ints
    parts: NDArray[np.int8]
    kind: str
    rest: Floats | None = None
    head_turn: Floats | None = None


@dataclass(frozen=True)
class Outfit:
    """RGB colours 0–1 and choices of one person's clothes; `seed` fixes folds and texture places."""

    shirt: Colour
    trousers: Colour
    shoes: Colour
    skin: Colour
    hair: Colour
    sleeve: int
    shorts: bool
    skirt_m: float
    coat_m: float
    hat: str
    hat_colour: Colour
    long_hair: bool
    loose: float
    shirt_layer: int
    trousers_layer: int
    shirt_share: float
    repeat: float
    bag: str
    seed: int


def cloth_colour(rng: Rng) -> Colour:
    """An RGB colour as clothes have it: mostly dark or light, sometimes blue, sometimes any."""
    k = rng.random()
    if k < 0.46:
        base = np.full(3, rng.uniform(0.02, 0.17)) + rng.normal(0, 0.018, 3)
    elif k < 0.62:
        base = np.full(3, rng.uniform(0.55, 0.95)) + rng.normal(0, 0.03, 3)
    elif k < 0.7:
        base = np.full(3, rng.uniform(0.2, 0.5)) + rng.normal(0, 0.03, 3)
    elif k < 0.86:
        base = np.array([rng.uniform(0.08, 0.25), rng.uniform(0.15, 0.32), rng.uniform(0.25, 0.6)])
    else:
        base = rng.uniform(0.05, 0.85, 3) * 0.65 + rng.uniform(0.05, 0.8) * 0.35
    return np.clip(base, 0.02, 0.97)


def _hat_colour(rng: Rng, hat: str, shirt: Colour) -> Colour:
    """Helmets are white or loud; caps any; hoods and scarves mostly as the shirt."""
    if hat == "helmet":
        return np.array(_HELMETS[int(rng.integers(len(_HELMETS)))]) * rng.uniform(0.85, 1.0)
    return cloth_colour(rng) if rng.random() < (0.6 if hat == "cap" else 0.2) else shirt


def random_outfit(rng: Rng, textures: TextureBank, kind: str, helmets: float = 0.0) -> Outfit:
    """Clothes, hair and belongings of one person; `helmets`: share under caps and helmets, beyond the usual one."""
    photo = rng.random() < 0.3
    skirt = float(rng.uniform(0.35, 0.9)) if rng.random() < 0.12 and kind in _UPRIGHT else 0.0
    coat = float(rng.uniform(0.25, 0.6)) if skirt == 0 and rng.random() < 0.18 and kind in _UPRIGHT else 0.0
    hat = str(rng.choice(["none", "bald", "cap", "helmet", "hood", "scarf"], p=[0.8, 0.035, 0.055, 0.04, 0.035, 0.035]))
    if rng.random() < helmets:
        hat = str(rng.choice(["cap", "helmet"], p=[0.3, 0.7]))
    skin = _SKIN[rng.integers(len(_SKIN))] * rng.uniform(0.8, 1.1)
    hair = np.clip(_HAIR[rng.integers(len(_HAIR))] * rng.uniform(0.3, 0.9), 0, 1)
    bag = str(rng.choice(["none", "backpack", "bag", "box", "phone", "laptop"], p=[0.66, 0.1, 0.08, 0.05, 0.08, 0.03]))
    shirt = np.ones(3) * rng.uniform(0.7, 1.1) if photo else cloth_colour(rng)
    return Outfit(
        shirt=shirt, trousers=cloth_colour(rng) * 0.8,
        shoes=cloth_colour(rng) * 0.6, skin=np.clip(skin, 0, 1), hair=hair,
        sleeve=int(rng.choice([0, 1, 2], p=[0.08, 0.32, 0.6])), shorts=bool(rng.random() < 0.1), skirt_m=skirt,
        coat_m=coat, hat=hat, hat_colour=_hat_colour(rng, hat, shirt), long_hair=bool(rng.random() < 0.3),
        loose=float(rng.uniform(0.4, 1.7)),
        shirt_layer=textures.pick(rng, "photocloth" if photo else "cloth"),
        trousers_layer=textures.pick(rng, "cloth"), shirt_share=1.0, repeat=float(rng.uniform(1.2, 3.5)), bag=bag,
        seed=int(rng.integers(1 << 31)))


def _inflate(body: Body, outfit: Outfit, normals: Floats) -> Floats:
    """Clothes and hair stand off the skin, in folds."""
    rng = np.random.default_rng(outfit.seed)
    v, parts = body.vertices, body.parts
    wave = rng.normal(0, 14, (3, 4))
    laid = v if body.rest is None else body.rest
    folds = np.sin(laid @ wave + rng.uniform(0, 6.28, 4)).mean(1)
    off = np.zeros(10)
    off[[THIGH, SHIN, TORSO, UPPER_ARM]] = 0.018, 0.02, 0.024, 0.02
    off[FOREARM] = 0.016 if outfit.sleeve == 2 else 0.0
    off[FOOT] = 0.012
    off *= outfit.loose
    off[HAIR] = {"bald": 0.0, "cap": 0.015, "helmet": 0.04, "hood": 0.03, "scarf": 0.028}.get(
        outfit.hat, 0.016 + 0.02 * outfit.long_hair)
    if outfit.hat in {"scarf", "hood"}:
        off[HEAD] = 0.0
    lift = off[parts] * (1 + 0.55 * folds * (parts < HAND))
    return np.asarray(v + normals * lift[:, None], np.float32)


def _colours(body: Body, outfit: Outfit) -> tuple[NDArray[np.float64], Floats, Floats]:
    """Tint (V, 3), layer (V,), texture share (V,) by body part."""
    o = outfit
    table = np.zeros((10, 3))
    table[[THIGH, SHIN, FOOT, TORSO]] = o.trousers, o.skin if o.shorts else o.trousers, o.shoes, o.shirt
    table[UPPER_ARM] = o.skin if o.sleeve == 0 else o.shirt
    table[FOREARM] = o.shirt if o.sleeve == 2 else o.skin
    table[HAND] = table[HEAD] = o.skin
    table[HAIR] = {"none": o.hair, "bald": o.skin}.get(o.hat, o.hat_colour)
    shirt = np.zeros(10, bool)
    shirt[TORSO], shirt[UPPER_ARM], shirt[FOREARM] = True, o.sleeve > 0, o.sleeve == 2
    shirt[HAIR] = o.hat in {"hood", "scarf"}
    legs = np.zeros(10, bool)
    legs[THIGH], legs[SHIN] = True, not o.shorts
    layer = np.where(shirt, o.shirt_layer, np.where(legs, o.trousers_layer, 0)).astype(np.float32)
    share = np.where(shirt | legs, o.shirt_share, 0).astype(np.float32)
    if o.hat == "none":
        # A woven texture breaks the plain colour of hair into strands.
        layer[HAIR], share[HAIR] = o.trousers_layer, 0.6
    return table[body.parts], layer[body.parts], share[body.parts]


def _loft(points: Floats, low: float, high: float, flare: float) -> tuple[Floats, Floats, Ints]:
    """A cloth tube around the points between two heights: vertices, normals, faces."""
    sides, rings = 20, max(2, int((high - low) / 0.07))
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    around = np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)
    rows = []
    for z in np.linspace(low, high, rings + 1):
        near = points[np.abs(points[:, 2] - z) < 0.09]
        near = near if len(near) > 3 else points[np.argsort(np.abs(points[:, 2] - z))[:12]]
        centre = near[:, :2].mean(0)
        reach = ((near[:, :2] - centre) @ around.T).max(0) * 0.92 + 0.02 + flare * (high - z)
        rows.append(np.column_stack([centre + around * reach[:, None], np.full(sides + 1, z)]))
    vertices = np.stack(rows, 1).reshape(-1, 3).astype(np.float32)
    _, faces = grid(sides, rings)
    normals = np.repeat(np.column_stack([around, np.full(sides + 1, 0.15)]), rings + 1, 0)
    return vertices, normals.astype(np.float32), faces


def head_sphere(body: Body) -> Floats:
    """(4,) centre and radius of the head, metres, in the body's frame."""
    head = body.vertices[(body.parts == HEAD) | (body.parts == HAIR)]
    centre = (head.min(0) + head.max(0)) / 2
    centre = 0.5 * centre + 0.5 * head.mean(0)
    return np.append(centre, min(0.15, 1.15 * float(np.sqrt(((head - centre) ** 2).sum(1).mean())))).astype(np.float32)


def add_person(out: MeshBuilder, body: Body, outfit: Outfit, at: Floats, yaw_rad: float, person: int) -> Floats:
    """Add a dressed body with its feet at `at` (3,), turned by yaw; returns (4,) world head centre and radius."""
    normals = vertex_normals(body.vertices, body.faces)
    worn = _inflate(body, outfit, normals)
    tint, layer, share = _colours(body, outfit)
    shown = place(normals, yaw_rad, 0.0)
    laid = body.vertices if body.rest is None else body.rest
    uv = np.stack([laid[:, 0] + 0.35 * laid[:, 1], laid[:, 2]], 1) * outfit.repeat
    out.add(place(worn, yaw_rad, at), shown, body.faces, uv=uv, layer=layer, tint=tint, share=share, person=person)
    legs = worn[(body.parts == THIGH) | (body.parts == SHIN)]
    torso = worn[body.parts == TORSO]
    for length, colour, layer_id in ((outfit.skirt_m, outfit.trousers, outfit.trousers_layer),
                                     (outfit.coat_m, outfit.shirt, outfit.shirt_layer)):
        if length > 0 and len(legs):
            high = float(torso[:, 2].min()) + 0.12
            low = max(high - 0.12 - length, float(legs[:, 2].min()) + 0.05)
            both = np.concatenate([legs, torso])
            v, n, f = _loft(both, low, high, 0.12 if length == outfit.skirt_m else 0.04)
            out.add(place(v, yaw_rad, at), place(n, yaw_rad, 0.0), f, uv=v[:, ::2] * outfit.repeat, layer=layer_id,
                    tint=colour, person=person)
    _belongings(out, body, outfit, at, yaw_rad, person)
    head = head_sphere(body)
    return np.append(place(head[None, :3], yaw_rad, at)[0], head[3]).astype(np.float32)


def _brim(body: Body, all_round: bool) -> tuple[Floats, Floats, Ints]:
    """The peak of a cap, or a helmet's rim with a short peak, as the head is turned: vertices, normals, faces."""
    turned = np.eye(3, dtype=np.float32) if body.head_turn is None else body.head_turn
    skull = body.vertices[(body.parts == HEAD) | (body.parts == HAIR)]
    local = (skull - skull.mean(0)) @ turned
    crown = float(local[:, 2].max())
    around = local[local[:, 2] > crown - 0.11]
    (x0, y0), (x1, y1) = around[:, :2].min(0), around[:, :2].max(0)
    centre, half = np.array([(x0 + x1) / 2, (y0 + y1) / 2]), np.array([(x1 - x0) / 2, (y1 - y0) / 2])
    uv, faces = grid(24, 2)
    angle = (uv[:, 0] - 0.5) * (2 * np.pi if all_round else np.pi)
    forward = np.maximum(np.cos(angle), 0)
    reach = uv[:, 1] * ((0.025 + 0.035 * forward) if all_round else 0.085 * forward ** 0.5)
    flat = centre + np.stack([np.sin(angle), -np.cos(angle)], 1) * (half + 0.03 * all_round + reach[:, None])
    height = np.full(len(uv), crown - 0.085) - 0.25 * reach
    points = np.column_stack([flat, height]).astype(np.float32) @ turned.T + skull.mean(0)
    return points.astype(np.float32), np.repeat(turned[None, :, 2], len(uv), 0), faces


def _belongings(out: MeshBuilder, body: Body, outfit: Outfit, at: Floats, yaw: float, person: int) -> None:
    """Brim of a cap (part of the person); bags and boxes (part of the background)."""
    rng = np.random.default_rng(outfit.seed)

    def spot(local: NDArray[Any]) -> Floats:
        return np.asarray(place(np.asarray(local[None], np.float32), yaw, at)[0], np.float32)

    head = head_sphere(body)
    if outfit.hat in {"cap", "helmet"} and (body.head_turn is not None or body.kind not in {"lie", "bend"}):
        brim, normals, faces = _brim(body, outfit.hat == "helmet")
        out.add(place(brim, yaw, at), place(normals, yaw, 0.0), faces, tint=outfit.hat_colour, share=0.0, person=person)
    hands = body.vertices[body.parts == HAND]
    right = hands[hands[:, 0] < 0] if (hands[:, 0] < 0).any() else hands
    hand = right.mean(0)
    look = Surface(tint=_rgb(cloth_colour(rng)))
    if outfit.bag == "backpack" and body.kind in _UPRIGHT:
        back = body.vertices[body.parts == TORSO]
        add_box(out, (0.3, 0.17, 0.42), spot(np.array([0, back[:, 1].max() + 0.07, head[2] - 0.62])), yaw, look,
                person=person)
    elif outfit.bag == "bag" and body.kind in {"stand", "walk"}:
        add_box(out, (0.12, 0.35, 0.28), spot(hand - [0, 0, 0.32]), yaw, look)
    elif outfit.bag == "box" and body.kind in {"stand", "walk"}:
        middle = hands.mean(0)
        add_box(out, (0.35, 0.28, 0.25), spot(middle - [0, 0.1, 0.05]), yaw, Surface(tint=(0.65, 0.5, 0.33)))
    elif outfit.bag == "phone" and body.kind not in {"push", "climb"}:
        add_box(out, (0.07, 0.14, 0.012), spot(hand + np.array([0, -0.04, 0.01])), yaw,
                Surface(tint=(0.04, 0.04, 0.05)))
    elif outfit.bag == "laptop" and body.kind in {"stand", "walk"}:
        add_cylinder(out, 0.04, 0.1, spot(hand), look)


def _rgb(colour: Colour) -> tuple[float, float, float]:
    return float(colour[0]), float(colour[1]), float(colour[2])
