"""Random joint rotations for the parametric body: standing, walking, sitting, bending, pushing, climbing and so on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pose = dict[str, tuple[float, float, float]]
KINDS = ("stand", "walk", "sit", "desk", "squat", "bend", "lie", "push", "climb")
_SPINE = ("spine05", "spine04", "spine03", "spine02")
_SIDES = (("L", 1.0), ("R", -1.0))
_HANG = 48.0  # degrees from the model's spread arms to arms that hang
_BENT = 22.0  # and that its elbows are bent to begin with


def _arms(rng: np.random.Generator, pose: Pose, style: str) -> None:
    n = rng.normal
    for side, sign in _SIDES:
        one = "phone" if style == "phone" and side == "R" else ("down" if style == "phone" else style)
        if one == "down":
            upper = (n(0, 10), sign * (48 + n(0, 5)), n(0, 6))
            lower = (-abs(n(0, 18)), 0.0, n(0, 8))
        elif one == "desk":
            upper = (-38 + n(0, 12), sign * (38 + n(0, 8)), n(0, 8))
            lower = (-62 + n(0, 15), 0.0, sign * n(8, 15))
        elif one == "carry":
            upper = (-12 + n(0, 8), sign * (42 + n(0, 6)), n(0, 8))
            lower = (-80 + n(0, 12), 0.0, n(0, 15))
        elif one == "push":
            upper = (-50 + n(0, 12), sign * (40 + n(0, 6)), n(0, 8))
            lower = (-25 + n(0, 10), 0.0, 0.0)
        elif one == "raise":
            upper = (-70 + n(0, 35), sign * n(0, 30), n(0, 10))
            lower = (-abs(n(0, 30)), 0.0, 0.0)
        elif one == "phone":
            upper = (-30 + n(0, 10), sign * 35, 0.0)
            lower = (-125 + n(0, 10), 0.0, n(0, 10))
        else:
            upper = (n(0, 35), sign * (25 + n(0, 25)), n(0, 25))
            lower = (-abs(n(0, 50)), 0.0, n(0, 20))
        pose[f"upperarm01.{side}"], pose[f"lowerarm01.{side}"] = upper, lower


def _legs(rng: np.random.Generator, pose: Pose, kind: str) -> None:
    n = rng.normal
    stride = rng.uniform(-32, 32)
    curl = rng.uniform(0, 70) if kind == "lie" and rng.random() < 0.4 else 0.0
    for side, sign in _SIDES:
        if kind == "walk":
            upper, knee = (-sign * stride, 0.0, n(0, 3)), abs(n(0, 12)) + max(0.0, -sign * stride) * 0.5
        elif kind in {"sit", "desk"}:
            upper, knee = (-84 + n(0, 5), n(0, 8), n(0, 6)), 80 + n(0, 14)
        elif kind == "squat":
            upper, knee = (-112 + n(0, 10), n(0, 10), n(0, 10)), 122 + n(0, 10)
        elif kind == "lie":
            upper, knee = (n(0, 22) - 15 - curl, n(0, 8), n(0, 8)), abs(n(0, 30)) + 1.2 * curl
        else:
            upper, knee = (n(0, 4), n(0, 4), n(0, 3)), abs(n(0, 5))
        pose[f"upperleg01.{side}"], pose[f"lowerleg01.{side}"] = upper, (knee, 0.0, n(0, 3))


def _turn(axis: int, angle_deg: float) -> NDArray[np.float64]:
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    return np.array([[[1, 0, 0], [0, c, -s], [0, s, c]], [[c, 0, s], [0, 1, 0], [-s, 0, c]],
                     [[c, -s, 0], [s, c, 0], [0, 0, 1]]][axis], float)


def _angles(matrix: NDArray[np.float64]) -> tuple[float, float, float]:
    """Euler angles of a rotation, in the order that `rotations` takes."""
    x, z = np.arctan2(matrix[2, 1], matrix[2, 2]), np.arctan2(matrix[1, 0], matrix[0, 0])
    return float(np.degrees(x)), float(np.degrees(np.arcsin(np.clip(-matrix[2, 0], -1, 1)))), float(np.degrees(z))


def _reach(pose: Pose, side: str, raised: float, elbow: float, out: float = 0.0) -> None:
    """One arm `raised` degrees forward from hanging along the trunk, bent by `elbow`, spread by `out`."""
    sign = dict(_SIDES)[side]
    pose[f"upperarm01.{side}"] = _angles(_turn(0, -raised) @ _turn(1, sign * (_HANG - out)))
    pose[f"lowerarm01.{side}"] = _angles(_turn(1, -sign * _HANG) @ _turn(0, _BENT - elbow) @ _turn(1, sign * _HANG))


def _tilt(pose: Pose, tilt: float) -> None:
    """Lean the whole trunk forward from the hips; the legs stay as they are."""
    pose["root"] = (tilt, 0.0, 0.0)
    for side, _ in _SIDES:
        x, y, z = pose[f"upperleg01.{side}"]
        pose[f"upperleg01.{side}"] = (x - tilt, y, z)


def _push(rng: np.random.Generator, pose: Pose) -> None:
    """Hands forward at some 1 m, as on the handle of a trolley."""
    tilt, upper, hand = rng.uniform(2, 18), rng.uniform(0, 32), rng.uniform(36, 62)
    for side, _ in _SIDES:
        _reach(pose, side, tilt + upper, hand - upper, rng.uniform(0, 10))
    _tilt(pose, tilt)


def _climb(rng: np.random.Generator, pose: Pose) -> None:
    """On a ladder: feet together, often one a rung higher; hands on the rails or above the head."""
    for side, sign in _SIDES:
        x, y, z = pose[f"upperleg01.{side}"]
        pose[f"upperleg01.{side}"] = (x, y + sign * 6, z)
    if rng.random() < 0.65:
        hip, back = rng.uniform(48, 64), rng.uniform(26, 40)
        side = str(rng.choice(["L", "R"]))
        pose[f"upperleg01.{side}"] = (-hip, dict(_SIDES)[side] * 4, 0.0)
        pose[f"lowerleg01.{side}"] = (hip + back, 0.0, 0.0)
        pose[f"foot.{side}"] = (-0.7 * back, 0.0, 0.0)
    high = str(rng.choice(["none", "L", "R", "both"], p=[0.45, 0.2, 0.2, 0.15]))
    for side, _ in _SIDES:
        if high in {side, "both"}:
            _reach(pose, side, rng.uniform(105, 165), rng.uniform(5, 45), rng.uniform(-5, 20))
        else:
            _reach(pose, side, rng.uniform(38, 80), rng.uniform(15, 60), rng.uniform(0, 10))
    _tilt(pose, rng.uniform(-2, 8))


def _stoop(rng: np.random.Generator, pose: Pose, trunk: float) -> None:
    """Folded at the hips until the trunk is level, hands towards the floor."""
    tilt, knee = rng.uniform(55, 100), rng.uniform(0, 60)
    for side, _ in _SIDES:
        x, y, z = pose[f"upperleg01.{side}"]
        pose[f"upperleg01.{side}"] = (x - knee / 2, y, z)
        pose[f"lowerleg01.{side}"] = (knee, 0.0, 0.0)
        _reach(pose, side, tilt + trunk + rng.uniform(-25, 12), rng.uniform(0, 25), rng.uniform(-5, 20))
    _tilt(pose, tilt)


def _kneel(rng: np.random.Generator, pose: Pose, trunk: float) -> None:
    """On one knee or both, upright to all but on all fours; hands at work in front."""
    tilt = rng.uniform(0, 85)
    standing = str(rng.choice(["none", "L", "R"], p=[0.5, 0.25, 0.25]))
    thigh = -rng.uniform(0, 55) if standing == "none" else rng.uniform(-10, 15)
    for side, sign in _SIDES:
        if side == standing:
            pose[f"upperleg01.{side}"] = (-90 + rng.normal(0, 8), 0.0, sign * rng.uniform(0, 12))
            pose[f"lowerleg01.{side}"] = (88 + rng.normal(0, 8), 0.0, 0.0)
        else:
            pose[f"upperleg01.{side}"] = (thigh, 0.0, sign * rng.uniform(0, 8))
            pose[f"lowerleg01.{side}"] = (min(88 - thigh, 145.0), 0.0, 0.0)
            pose[f"foot.{side}"] = (rng.uniform(30, 60), 0.0, 0.0)
        _reach(pose, side, tilt + trunk + rng.uniform(-15, 40), rng.uniform(0, 55), rng.uniform(-5, 15))
    _tilt(pose, tilt)


def random_pose(rng: np.random.Generator, kind: str) -> Pose:
    """Euler angles (x, y, z) in degrees by bone for one of `KINDS`."""
    pose: Pose = {}
    n = rng.normal
    if kind == "desk":
        style = str(rng.choice(["desk", "phone", "random", "carry"], p=[0.78, 0.08, 0.03, 0.11]))
    elif kind == "sit":
        style = str(rng.choice(["desk", "down", "carry", "random"], p=[0.36, 0.24, 0.34, 0.06]))
    else:
        style = str(rng.choice(["down", "carry", "push", "raise", "phone", "random"],
                               p=[0.58, 0.19, 0.06, 0.03, 0.08, 0.06]))
    _arms(rng, pose, style)
    _legs(rng, pose, "walk" if kind == "push" else kind)
    folded = str(rng.choice(["spine", "stoop", "kneel"], p=[0.4, 0.35, 0.25])) if kind == "bend" else ""
    lean = n(0, 6)
    if kind == "squat":
        lean += 25
    elif kind == "desk":
        lean += rng.uniform(-5, 30)
    elif kind == "sit":
        lean += rng.uniform(-15, 20)
    elif kind == "bend":
        lean += rng.uniform(35, 85) if folded == "spine" else rng.uniform(0, 40)
    turn = n(0, 1.2 if kind in {"push", "climb"} else 4)
    for bone in _SPINE:
        pose[bone] = (lean / 4, n(0, 2), turn)
    pose["neck01"] = (n(0, 8) + (15.0 if rng.random() < 0.3 else 0.0), n(0, 5), n(0, 12))
    pose["head"] = (n(0, 8), n(0, 5), n(0, 12))
    if kind == "push":
        _push(rng, pose)
    elif kind == "climb":
        _climb(rng, pose)
    elif folded == "stoop":
        _stoop(rng, pose, lean)
    elif folded == "kneel":
        _kneel(rng, pose, lean)
    return pose


def walk_cycle(base: Pose, phase: float) -> Pose:
    """`base` with legs and arms at `phase` in [0, 1) of a walking cycle; heel strikes of the left leg at 0.25."""
    pose = dict(base)
    swing = float(np.sin(2 * np.pi * phase))
    for side, sign in _SIDES:
        lift = max(0.0, float(np.cos(2 * np.pi * phase)) * sign)
        pose[f"upperleg01.{side}"] = (-sign * 26 * swing - 14 * lift, 0.0, 0.0)
        pose[f"lowerleg01.{side}"] = (6 + 52 * lift, 0.0, 0.0)
        arm = base[f"upperarm01.{side}"]
        pose[f"upperarm01.{side}"] = (arm[0] + sign * 20 * swing, arm[1], arm[2])
    return pose


def rotations(pose: Pose) -> dict[str, NDArray[np.float64]]:
    """(3, 3) rotation matrices of a pose, by bone."""
    return {bone: _turn(2, z) @ _turn(1, y) @ _turn(0, x) for bone, (x, y, z) in pose.items()}
