"""Bodies of cylinders, so that drawing needs no anny, and cameras that look at them."""

from __future__ import annotations

import numpy as np

from aipg_plugin.geometry.camera import FisheyeCamera, ImageCircle
from aipg_plugin.geometry.lens import LensLaw
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.options import LensModelName, MountKind
from rendering.bodies import FOOT, HAIR, HAND, HEAD, THIGH, TORSO, Bank
from rendering.cameras import MountedCamera
from rendering.mesh import MeshBuilder, Surface, add_cylinder


def stick_figures() -> Bank:
    """One body of each kind of pose."""
    out = MeshBuilder()
    look = Surface()
    parts: list[int] = []
    for part, low, high, radius in ((FOOT, 0.0, 0.1, 0.12), (THIGH, 0.1, 0.5, 0.13), (TORSO, 0.5, 0.82, 0.2),
                                    (HAND, 0.45, 0.5, 0.25), (HEAD, 0.84, 0.92, 0.1), (HAIR, 0.92, 1.0, 0.09)):
        add_cylinder(out, radius, (high - low) * 1.7, (0, 0, low * 1.7), look)
        parts += [part] * (out.count - len(parts))
    vertices, faces = out.arrays()
    kinds = np.array(["stand", "walk", "sit", "desk", "squat", "bend", "lie", "push", "climb"])
    scale = np.array([1, 1.03, 0.75, 0.75, 0.6, 0.8, 0.3, 1, 1])[:, None, None]
    return Bank((vertices[None, :, :3] * scale).astype(np.float16), faces, np.array(parts, np.int8), kinds,
                np.zeros((9, 3), np.float32))


def shot_from(kind: MountKind, law: str = "equidistant", circle: ImageCircle | None = None) -> MountedCamera:
    """A camera of 170° and 360 × 320 px, 3 m above the floor."""
    coefficients = (-0.03, 0.002) if law == "kannala_brandt" else ()
    camera = FisheyeCamera(LensLaw(LensModelName(law), 170.0, coefficients), circle or ImageCircle(180, 158, 165),
                           (360, 320))
    return MountedCamera(camera, Mount(kind, 3.0))
