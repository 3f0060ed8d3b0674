"""Random joint rotations for the parametric body: standing, walking, sitting, desk work and the rest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pose = dict[str, tuple[float, float, float]]
KINDS = ("stand", "walk", "sit", "desk", "squat", "bend", "lie")
_SPINE = ("spine05", "spine04", "spine03", "spine02")


def _arms(rng: np.random.Generator, pose: Pose, style: str) -> None:
    n = rng.normal
    for side, sign in (("L", 1.0), ("R", -1.0)):
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
    for side, sign in (("L", 1.0), ("R", -1.0)):
        if kind == "walk":
            upper, knee = (-sign * stride, 0.0, n(0, 3)), abs(n(0, 12)) + max(0.0, -sign * stride) * 0.5
        elif kind in {"sit", "desk"}:
            upper, knee = (-84 + n(0, 5), n(0, 8), n(0, 6)), 80 + n(0, 14)
        elif kind == "squat":
            upper, knee = (-112 + n(0, 10), n(0, 10), n(0, 10)), 122 + n(0, 10)
        elif kind == "lie":
            upper, knee = (n(0, 22) - 15, n(0, 8), n(0, 8)), abs(n(0, 30))
        else:
            upper, knee = (n(0, 4), n(0, 4), n(0, 3)), abs(n(0, 5))
        pose[f"upperleg01.{side}"], pose[f"lowerleg01.{side}"] = upper, (knee, 0.0, n(0, 3))


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
    _legs(rng, pose, kind)
    lean = n(0, 6)
    if kind == "squat":
        lean += 25
    elif kind == "desk":
        lean += rng.uniform(-5, 30)
    elif kind == "sit":
        lean += rng.uniform(-15, 20)
    elif kind == "bend":
        lean += rng.uniform(35, 85)
    turn = n(0, 4)
    for bone in _SPINE:
        pose[bone] = (lean / 4, n(0, 2), turn)
    pose["neck01"] = (n(0, 8) + (15.0 if rng.random() < 0.3 else 0.0), n(0, 5), n(0, 12))
    pose["head"] = (n(0, 8), n(0, 5), n(0, 12))
    return pose


def walk_cycle(base: Pose, phase: float) -> Pose:
    """`base` with legs and arms at `phase` in [0, 1) of a walking cycle; heel strikes of the left leg at 0.25."""
    pose = dict(base)
    swing = float(np.sin(2 * np.pi * phase))
    for side, sign in (("L", 1.0), ("R", -1.0)):
        lift = max(0.0, float(np.cos(2 * np.pi * phase)) * sign)
        pose[f"upperleg01.{side}"] = (-sign * 26 * swing - 14 * lift, 0.0, 0.0)
        pose[f"lowerleg01.{side}"] = (6 + 52 * lift, 0.0, 0.0)
        arm = base[f"upperarm01.{side}"]
        pose[f"upperarm01.{side}"] = (arm[0] + sign * 20 * swing, arm[1], arm[2])
    return pose


def rotations(pose: Pose) -> dict[str, NDArray[np.float64]]:
    """(3, 3) rotation matrices of a pose, by bone."""
    out = {}
    for bone, angles in pose.items():
        (cx, cy, cz), (sx, sy, sz) = np.cos(np.radians(angles)), np.sin(np.radians(angles))
        rx = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
        ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        rz = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
        out[bone] = rz @ ry @ rx
    return out
