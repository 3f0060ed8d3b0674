"""One picture with its truth from a seed, and files of many."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.geometry.camera import FisheyeCamera
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.options import MountKind
from rendering.bodies import Bank
from rendering.cameras import MountedCamera, in_mood, random_light, random_shot, scaled
from rendering.drawing import Light, LoadedMesh, Renderer
from rendering.hard_cases import low_ceiling
from rendering.optics import develop
from rendering.props import Prop
from rendering.rooms import build
from rendering.stage import PlacedPerson, Stage
from rendering.textures import TextureBank
from rendering.truth import Truth, assemble, gravity_box

OVERSAMPLE = 1.25


@dataclass(frozen=True)
class RenderedScene:
    """A finished picture: BGR, ids (H, W), truth, camera and who stands where."""

    image: NDArray[np.uint8]
    ids: NDArray[np.uint8]
    truth: Truth
    shot: MountedCamera
    people: list[PlacedPerson]
    room: str
    quality: int


def photograph(mesh: LoadedMesh, people: list[PlacedPerson], camera: FisheyeCamera, mount: Mount, light: Light,
               half_size_m: float, oversample: float = OVERSAMPLE,
               ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], Truth]:
    """Clean picture (H, W, 3), ids (H, W) and truth of an uploaded mesh."""
    big, small = scaled(camera, oversample), scaled(camera, 0.5)
    picture, ids = mesh.draw(big, mount, light, half_size_m)
    picture = np.asarray(cv2.resize(picture, camera.size_wh, interpolation=cv2.INTER_AREA), np.uint8)
    ids = np.asarray(cv2.resize(ids, camera.size_wh, interpolation=cv2.INTER_NEAREST), np.uint8)
    shown = set(np.unique(ids).tolist())
    full, factor = {}, camera.size_wh[0] / small.size_wh[0]
    for p in people:
        if p.id in shown:
            mask = mesh.silhouette(small, mount, p.first_face, p.faces)
            x, y, w, h = cv2.boundingRect(mask)
            if w and h:
                box = gravity_box(mask[y:y + h, x:x + w], camera, mount, (x, y), factor)
                full[p.id] = (box, float(cv2.countNonZero(mask)) * factor ** 2)
    return picture, ids, assemble(ids, full, {p.id: p.head for p in people}, camera, mount)


def render_scene(renderer: Renderer, bank: Bank, textures: TextureBank, seed: int, index: int,
                 room: str | None = None, shot: MountedCamera | None = None,
                 props: list[Prop] | None = None) -> RenderedScene:
    """Scene `index` of the set `seed`: always the same picture for the same arguments and banks."""
    rng = np.random.default_rng([seed, index])
    shot = shot or random_shot(rng)
    if room == "below":
        shot = low_ceiling(rng, shot)
    if room is None and shot.mount.kind is MountKind.CEILING and shot.mount.height_m > 3.6 and rng.random() < 0.3:
        room = "warehouse"
    stage = Stage(rng, bank, textures, shot.mount.height_m, props or [])
    wall = shot.mount.kind is MountKind.WALL
    name = build(stage, room, wall)
    geometry, people = stage.geometry(float(rng.normal(0, 0.3)) if wall else float(rng.uniform(0, 2 * np.pi)))
    half = float(max(np.abs(stage.bounds))) * 1.42
    infrared = bool(rng.random() < 0.1)
    light = random_light(rng, shot.mount.height_m, half, infrared)
    if not infrared:
        light = in_mood(light, *stage.mood)
    mesh = renderer.load(geometry)
    try:
        picture, ids, truth = photograph(mesh, people, shot.camera, shot.mount, light, half)
    finally:
        mesh.release()
    image = develop(rng, picture, shot.camera, infrared)
    return RenderedScene(image, ids, truth, shot, people, name, int(rng.integers(40, 96)))


def save_scene(scene: RenderedScene, stem: Path) -> None:
    """Write stem.jpg and stem.png, then stem.npz; each appears whole or not at all."""
    ok, jpg = cv2.imencode(".jpg", scene.image, [cv2.IMWRITE_JPEG_QUALITY, scene.quality])
    ok2, png = cv2.imencode(".png", scene.ids, [cv2.IMWRITE_PNG_COMPRESSION, 2])
    if not (ok and ok2):
        raise RuntimeError(f"{stem}: the picture can't be encoded")
    for suffix, data in ((".jpg", jpg), (".png", png)):
        part = stem.with_name(f".{stem.name}{suffix}.{os.getpid()}")
        part.write_bytes(data.tobytes())
        part.replace(stem.with_suffix(suffix))
    camera, mount, truth = scene.shot.camera, scene.shot.mount, scene.truth
    by_id = {p.id: p for p in scene.people}
    who = [by_id[int(i)] for i in truth.ids]
    part = stem.with_name(f".{stem.name}.npz.{os.getpid()}")
    with part.open("wb") as file:
        np.savez(file, circle_px=np.array([camera.circle.cx_px, camera.circle.cy_px, camera.circle.radius_px]),
                 mount=mount.kind.value, lens=camera.law.name.value, fov_deg=camera.law.fov_deg,
                 coefficients=np.array(camera.law.coefficients), height_m=mount.height_m, room=scene.room,
                 boxes=truth.boxes, full_boxes=truth.full_boxes, heads=truth.heads, visible=truth.visible,
                 ignore=truth.ignore, ids=truth.ids, pose=np.array([p.kind for p in who], dtype="U8"),
                 floor_xy_m=np.array([p.floor_xy_m for p in who]).reshape(-1, 2),
                 yaw_deg=np.array([p.yaw_deg for p in who]))
    part.replace(stem.with_suffix(".npz"))
