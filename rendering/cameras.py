"""Random cameras: lens law, field, image circle, frame, height, mount and light."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from aipg_plugin.geometry.camera import FisheyeCamera, ImageCircle
from aipg_plugin.geometry.lens import LensLaw
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.options import LensModelName, MountKind
from rendering.drawing import Light

Rng = np.random.Generator


@dataclass(frozen=True)
class MountedCamera:
    """One camera in place."""

    camera: FisheyeCamera
    mount: Mount


def scaled(camera: FisheyeCamera, factor: float) -> FisheyeCamera:
    """The same camera with a picture `factor` times as large (sizes rounded)."""
    w, h = (round(s * factor) for s in camera.size_wh)
    fx = w / camera.size_wh[0]
    c = camera.circle
    return FisheyeCamera(camera.law, ImageCircle(c.cx_px * fx, c.cy_px * fx, c.radius_px * fx), (w, h))


def random_shot(rng: Rng) -> MountedCamera:
    """A camera as found on ceilings (85 %) and walls: whole circles, wide frames that cut it, frames inside it."""
    wall = rng.random() < 0.15
    style = str(rng.choice(["whole", "wide", "inside"], p=[0.5, 0.28, 0.22]))
    if style == "whole":
        w = int(rng.integers(240, 281)) * 4
        h = w if rng.random() < 0.6 else int(w * rng.uniform(0.75, 0.95)) // 4 * 4
        radius = min(w, h) * rng.uniform(0.46, 0.51)
    elif style == "wide":
        w = int(rng.integers(260, 321)) * 4
        h = int(w * rng.uniform(0.57, 0.85)) // 4 * 4
        radius = w * rng.uniform(0.45, 0.54)
    else:
        w = int(rng.integers(250, 321)) * 4
        h = int(w * rng.uniform(0.6, 1.0)) // 4 * 4
        if rng.random() < 0.25:
            w, h = h, w
        radius = np.hypot(w, h) * rng.uniform(0.46, 0.56)
    cx, cy = w / 2 + rng.normal(0, 0.012) * w, h / 2 + rng.normal(0, 0.012) * w
    name = LensModelName(rng.choice(["equidistant", "equisolid", "stereographic", "orthographic", "kannala_brandt"],
                                    p=[0.4, 0.25, 0.1, 0.05, 0.2]))
    fov = float(rng.uniform(150, 172) if name is LensModelName.ORTHOGRAPHIC else rng.uniform(165, 195))
    if style == "inside":
        fov = float(min(fov, rng.uniform(150, 185)))
    coefficients: tuple[float, ...] = ()
    if name is LensModelName.KANNALA_BRANDT:
        coefficients = (float(rng.uniform(-0.05, 0.03)), float(rng.uniform(-0.006, 0.003)))
    law = LensLaw(name, fov, coefficients)
    camera = FisheyeCamera(law, ImageCircle(float(cx), float(cy), float(radius)), (w, h))
    height = float(rng.uniform(2.1, 3.2) if rng.random() < 0.62 else rng.uniform(3.0, 5.8))
    if wall:
        height = float(rng.uniform(2.0, 3.4))
    return MountedCamera(camera, Mount(MountKind.WALL if wall else MountKind.CEILING, height))


def random_light(rng: Rng, height_m: float, half_size_m: float, infrared: bool) -> Light:
    """Daylight, office light, one-sided light, gloom, or the camera's own infrared lamps."""
    count = int(rng.integers(1, 6))
    lamps = np.column_stack([rng.uniform(-half_size_m, half_size_m, (count, 2)) * 0.7, np.full(count, height_m),
                             rng.uniform(0.3, 1.2, count)]).astype(np.float32)
    sun = np.append(rng.normal(0, 0.45, 2), 1.0)
    level = float(rng.uniform(0.55, 1.1))
    warm = np.array([1 + rng.normal(0, 0.05), 1.0, 1 + rng.normal(0, 0.07)])
    ambient = warm * level * rng.uniform(0.5, 0.9)
    sun_rgb = warm * level * rng.uniform(0.05, 0.55)
    if infrared:
        lamps = np.array([[0, 0, height_m, 2.2]], np.float32)
        ambient, sun_rgb = ambient * 0.45, sun_rgb * 0.1
    r, s = [tuple(float(x) for x in v) for v in (ambient, sun_rgb)]
    return Light(lamps, (float(sun[0]), float(sun[1]), float(sun[2])), (s[0], s[1], s[2]), (r[0], r[1], r[2]),
                 float(rng.uniform(0.02, 0.2)), float(rng.uniform(0, 0.9) if rng.random() < 0.5 else 0.0))


def in_mood(light: Light, level: float, warmth: float) -> Light:
    """The same light `level` times as bright, with `warmth` more red and less blue."""
    def tinted(rgb: tuple[float, float, float]) -> tuple[float, float, float]:
        return rgb[0] * level * (1 + warmth), rgb[1] * level, rgb[2] * level * (1 - warmth)

    return replace(light, sun_rgb=tinted(light.sun_rgb), ambient_rgb=tinted(light.ambient_rgb))
