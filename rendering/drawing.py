"""What a renderer is given and gives back, and the geometry that both renderers share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from aipg_plugin.geometry.camera import FisheyeCamera
from aipg_plugin.geometry.mount import Mount
from rendering.mesh import Floats, Ints

Doubles = NDArray[np.float64]
LENS_TABLE = 2048
MAP_PX = 768  # side of the depth maps seen from above and from the sun
FAR_M = 60.0
MAX_LAMPS = 6


@dataclass(frozen=True)
class Light:
    """Where light comes from: (K, 4) lamps x, y, z, power; sun direction (towards it), sun and ambient RGB."""

    lamps: Floats
    sun: tuple[float, float, float]
    sun_rgb: tuple[float, float, float]
    ambient_rgb: tuple[float, float, float]
    softness_m: float = 0.06
    gloss: float = 0.0


@dataclass(frozen=True)
class Geometry:
    """One scene's mesh: vertices (N, 15), faces (T, 3) with casters first, number of caster faces."""

    vertices: Floats
    faces: Ints
    casters: int


class LoadedMesh(Protocol):
    """A mesh on the device; call `release` when done."""

    def draw(self, camera: FisheyeCamera, mount: Mount, light: Light, half_size_m: float,
             ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """(H, W, 3) BGR picture and (H, W) person ids; black and 0 outside the circle."""

    def silhouette(self, camera: FisheyeCamera, mount: Mount, first_face: int, faces: int) -> NDArray[np.uint8]:
        """(H, W) 255 where the given faces show when nothing else is there."""

    def release(self) -> None:
        """Free the device's memory."""


class Renderer(Protocol):
    """Draws meshes; made once per process, with the textures loaded."""

    def load(self, geometry: Geometry) -> LoadedMesh:
        """Bring a scene's mesh to the device."""


def lens_table(camera: FisheyeCamera) -> NDArray[np.float32]:
    """(LENS_TABLE,) normalised radius at even angles from 0 to π; past the law's end its largest."""
    radius = camera.law.theta_to_r(np.linspace(0, np.pi, LENS_TABLE))
    return np.where(np.isfinite(radius), radius, np.nanmax(radius)).astype(np.float32)


def to_camera(mount: Mount) -> Doubles:
    """(3, 3) rotation of floor-frame vectors into the camera frame."""
    to_level = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float)
    return np.asarray(mount.level @ to_level)


def sun_direction(light: Light) -> Doubles:
    """(3,) unit vector towards the sun."""
    return np.asarray(np.asarray(light.sun, float) / np.linalg.norm(light.sun))


def flat_matrix(towards: Doubles, half_size_m: float) -> Doubles:
    """(4, 4) orthographic view of the room from direction `towards`; texture z is 0 at the light's side."""
    z = towards / np.linalg.norm(towards)
    x = np.cross([0.0, 1.0, 0.0], z)
    x /= np.linalg.norm(x)
    y = np.cross(z, x)
    matrix = np.eye(4)
    span = half_size_m * 1.5 + 8
    matrix[0, :3], matrix[1, :3], matrix[2, :3] = x / half_size_m, y / half_size_m, -z / span
    return matrix


def light_views(light: Light, half_size_m: float) -> tuple[Doubles, Doubles]:
    """`flat_matrix` from above and from the sun."""
    return flat_matrix(np.array([0.0, 0, 1]), half_size_m), flat_matrix(sun_direction(light), half_size_m)
