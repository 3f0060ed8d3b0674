"""How long a renderer takes to draw the pictures and silhouettes of seeded scenes, without building or saving them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.geometry.camera import FisheyeCamera
from aipg_plugin.geometry.mount import Mount
from rendering.bodies import load_bank
from rendering.choice import open_renderer
from rendering.drawing import Geometry, Light, LoadedMesh, Renderer
from rendering.props import load_props
from rendering.scene import render_scene
from rendering.textures import load_textures

U8 = NDArray[np.uint8]


class Stopwatch:
    """Another renderer and its mesh, with the seconds spent in them."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        self.spent_s = 0.0

    def load(self, geometry: Geometry) -> LoadedMesh:
        """Bring a scene's mesh to the device."""
        self.spent_s = 0.0
        with self._timed():
            self._mesh = self._renderer.load(geometry)
        return self

    def draw(self, camera: FisheyeCamera, mount: Mount, light: Light, half_size_m: float) -> tuple[U8, U8]:
        """The renderer's picture and ids."""
        with self._timed():
            return self._mesh.draw(camera, mount, light, half_size_m)

    def silhouette(self, camera: FisheyeCamera, mount: Mount, first_face: int, faces: int) -> U8:
        """The renderer's silhouette."""
        with self._timed():
            return self._mesh.silhouette(camera, mount, first_face, faces)

    def release(self) -> None:
        """Free the device's memory."""
        self._mesh.release()

    @contextmanager
    def _timed(self) -> Iterator[None]:
        started_s = time.perf_counter()
        yield
        self.spent_s += time.perf_counter() - started_s


def time_scenes(data: Path, seed: int, count: int, renderer: str, threads: int) -> list[float]:
    """Seconds for each of `count` scenes; one more before them, which warms up, isn't counted."""
    cv2.setNumThreads(1)
    textures, bank = load_textures(data / "textures.npz"), load_bank(data / "bodies.npz")
    watch, props = Stopwatch(open_renderer(textures, renderer, threads)), load_props(data / "props.npz")
    spent_s = []
    for index in (0, *range(count)):
        render_scene(watch, bank, textures, seed, index, props=props)
        spent_s.append(watch.spent_s)
    return spent_s[1:]
