"""Who sits in, stands on and pushes things: wheelchairs, ladders and carts with their people, some without."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rendering.bodies import FOOT, HAND, THIGH
from rendering.carts import CARTS, add_cart
from rendering.equipment import add_ladder, add_wheelchair
from rendering.mesh import turn
from rendering.people import Body
from rendering.stage import Stage

Vec = NDArray[np.float64]
# By kind of room: share of such rooms that have one, and at most how many.
_SHARES: dict[str, dict[str, tuple[float, int]]] = {
    "restaurant": {"wheelchair": (0.1, 1), "cart": (0.1, 1)},
    "car_park": {"cart": (0.4, 3), "wheelchair": (0.08, 1), "ladder": (0.03, 1)},
    "shop": {"cart": (0.45, 4), "ladder": (0.2, 1), "wheelchair": (0.06, 1)},
    "warehouse": {"cart": (0.4, 3), "ladder": (0.4, 2)},
    "lobby": {"cart": (0.2, 2), "wheelchair": (0.25, 2), "ladder": (0.04, 1)},
    "office": {"wheelchair": (0.06, 1), "ladder": (0.08, 1)},
    "call_centre": {"wheelchair": (0.03, 1)},
    "lab": {"cart": (0.05, 1), "ladder": (0.03, 1)},
    "crowd": {"wheelchair": (0.35, 3), "cart": (0.15, 2)},
    "furniture": {"cart": (0.05, 1), "ladder": (0.03, 1)}}
_CARTS = {"shop": (0.6, 0.08, 0.07, 0.13, 0.0, 0.12), "warehouse": (0.0, 0.3, 0.4, 0.3, 0.0, 0.0),
          "lobby": (0.0, 0.12, 0.0, 0.18, 0.5, 0.2), "crowd": (0.3, 0.1, 0.0, 0.1, 0.25, 0.25),
          "restaurant": (0.0, 0.1, 0.0, 0.4, 0.0, 0.5), "car_park": (0.55, 0.08, 0.0, 0.07, 0.1, 0.2)}


def equip(stage: Stage, room: str) -> None:
    """Wheelchairs, ladders and carts as they are found in this kind of room."""
    for what, (share, most) in _SHARES.get(room, {}).items():
        if stage.rng.random() < share:
            for _ in range(int(stage.rng.integers(1, most + 1))):
                _ADD[what](stage, room)


def _local(at: Vec, yaw: float, x: float, y: float, z: float = 0.0) -> Vec:
    return np.asarray(at + turn(yaw) @ np.array([x, y, z]), np.float64)


def _pushed(stage: Stage, body: Body, handle: Vec, yaw: float) -> bool:
    """Somebody with both hands at `handle` (floor point below it), if there is room."""
    hands = body.vertices[body.parts == HAND].mean(0)
    spot = _local(handle, yaw, -float(hands[0]), -float(hands[1]))
    x, y = float(spot[0]), float(spot[1])
    if not stage.is_free(x, y, 0.15) or not stage.person(body, spot, yaw):
        return False
    stage.take(x, y, 0.25)
    return True


def _hand_height(body: Body) -> float:
    return float(np.clip(body.vertices[body.parts == HAND][:, 2].mean(), 0.85, 1.25))


def seat_height(body: Body) -> float:
    """Metres from the soles of somebody who sits to the seat below the thighs."""
    thigh = body.vertices[body.parts == THIGH]
    return float(np.percentile(thigh[thigh[:, 1] > -0.2][:, 2], 6))


def wheelchair(stage: Stage, room: str = "") -> None:
    """A wheelchair: mostly with its owner, some of them pushed by somebody."""
    del room
    rng, spot = stage.rng, stage.free_spot(0.6)
    if spot is None:
        return
    yaw, lift = float(rng.uniform(0, 6.28)), float(rng.uniform(0.05, 0.11))
    seat_m, handle_m, feet = float(rng.uniform(0.46, 0.53)), float(rng.uniform(0.88, 0.98)), (-0.45, lift)
    sitter, helper = stage.pick("sit"), stage.pick("push")
    if rng.random() < 0.85 and stage.person(sitter, spot + np.array([0, 0, lift]), yaw):
        foot = sitter.vertices[sitter.parts == FOOT]
        seat_m = lift + seat_height(sitter)
        feet = (float(foot[:, 1].mean()), lift)
        if rng.random() < 0.35 and _pushed(stage, helper, _local(spot, yaw, 0, 0.35), yaw):
            handle_m = _hand_height(helper)
    stage.take(float(spot[0]), float(spot[1]), 0.55)
    add_wheelchair(stage.things, rng, spot, yaw, seat_m, max(handle_m, seat_m + 0.35), feet)


def cart(stage: Stage, room: str = "shop") -> None:
    """Something on wheels: mostly pushed, else left standing; shopping carts also in rows."""
    rng, middle = stage.rng, stage.free_spot(0.75)
    if middle is None:
        return
    yaw, body = float(rng.uniform(0, 6.28)), stage.pick("push")
    kind = str(rng.choice(CARTS, p=_CARTS.get(room, (0.0, 0.35, 0.0, 0.65, 0.0, 0.0))))
    handle = _local(middle, yaw, 0, 0.6)
    pushed = rng.random() < 0.75 and _pushed(stage, body, handle, yaw)
    left_m = 1.6 if kind == "truck" else float(rng.uniform(0.95, 1.08))
    row = int(rng.integers(2, 6)) if kind == "basket" and not pushed and rng.random() < 0.4 else 1
    for i in range(row):
        at = _local(handle, yaw, 0, -0.24 * i)
        add_cart(stage.things, rng, stage.textures, kind, at, yaw, _hand_height(body) if pushed else left_m)
        stage.take(float(at[0]), float(at[1]), 0.3)
    stage.take(float(middle[0]), float(middle[1]), 0.6)


def _stance(body: Body) -> tuple[float, float, float]:
    """Of a climbing body: place of the lower foot along y, height of the other one, slope from foot to lower hand."""
    feet = body.vertices[body.parts == FOOT]
    sides = sorted((feet[feet[:, 0] > 0], feet[feet[:, 0] <= 0]), key=lambda s: float(s[:, 2].min(initial=9.0)))
    y = float(sides[0][:, 1].mean())
    hands = body.vertices[body.parts == HAND]
    hand = min((s for s in (hands[hands[:, 0] > 0], hands[hands[:, 0] <= 0]) if len(s)), key=lambda s: s[:, 2].mean())
    slope = (y - float(hand[:, 1].mean())) / max(float(hand[:, 2].mean()), 0.5)
    step = float(sides[1][:, 2].min(initial=9.0))
    return y, step if 0.15 < step < 0.4 else 0.0, float(np.clip(slope, 0.17, 0.36))


def ladder(stage: Stage, room: str = "") -> None:
    """A step-ladder, or a ladder propped against a shelf, mostly with somebody on it."""
    del room
    rng, body = stage.rng, stage.pick("climb")
    foot_y, step_m, slope = _stance(body)
    step_m = step_m or float(rng.uniform(0.24, 0.29))
    ceiling = stage.camera_height_m - 0.08
    rungs = min(int((ceiling - float(body.vertices[:, 2].max())) / step_m), 6)
    used = rungs >= 1 and rng.random() < 0.8
    stand_m = step_m * int(rng.integers(1, rungs + 1)) if used else 0.0
    folding = bool(rng.random() < 0.6) or not stage.fronts
    height = stand_m + rng.uniform(0.6, 1.3) if used else rng.uniform(1.0, 2.2)
    height = float(min(height if folding else max(height + 0.6, 2.0), ceiling))
    found = _ladder_spot(stage, height, slope, folding)
    if found is None:
        return
    at, yaw = found
    stage.take(float(at[0]), float(at[1]), 0.45)
    if folding:
        back = _local(at, yaw, 0, -2 * height * slope)
        stage.take(float(back[0]), float(back[1]), 0.25)
    add_ladder(stage.things, rng, at, yaw, height, float(np.arctan(slope)), step_m, folding)
    if used:
        stage.person(body, _local(at, yaw, 0, -stand_m * slope - foot_y + 0.03, stand_m), yaw)


def _ladder_spot(stage: Stage, height: float, slope: float, folding: bool) -> tuple[Vec, float] | None:
    """Where its foot stands and the yaw of who climbs it: at a shelf or, if it can stand alone, anywhere."""
    rng = stage.rng
    for _ in range(12):
        front = stage.fronts[int(rng.integers(len(stage.fronts)))] if stage.fronts else None
        if front is not None and (not folding or rng.random() < 0.5):
            yaw = front.yaw_rad
            away = 2 * height * slope + 0.1 if folding else min(height, front.height_m) * slope + 0.03
            at = _local(front.at, yaw, float(rng.uniform(-0.3, 0.3)), away)
        else:
            yaw = float(rng.uniform(0, 6.28))
            spot = stage.free_spot(0.5)
            if spot is None or not folding:
                continue
            at = _local(spot, yaw, 0, height * slope)
        if stage.is_free(float(at[0]), float(at[1]), 0.12) and np.hypot(at[0], at[1]) > 1.0:
            return at, yaw
    return None


_ADD: dict[str, Callable[[Stage, str], None]] = {"wheelchair": wheelchair, "ladder": ladder, "cart": cart}
