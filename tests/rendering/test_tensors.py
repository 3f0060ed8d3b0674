"""The renderer in tensors: OpenGL's pictures, ids and silhouettes, the same every time, without OpenGL."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from aipg_plugin.geometry.camera import FisheyeCamera, ImageCircle
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.options import MountKind
from rendering import tensors
from rendering.batch import render_many
from rendering.bodies import Bank
from rendering.cameras import MountedCamera
from rendering.choice import settled
from rendering.drawing import Geometry, Light, LoadedMesh, Renderer
from rendering.gl import GlRenderer
from rendering.mesh import MeshBuilder, Surface, add_box, add_cylinder, add_quad
from rendering.scene import render_scene
from rendering.tensors import TensorRenderer
from rendering.texels import Texels
from rendering.textures import TextureBank
from rendering.timing import Stopwatch
from tests.rendering.stick_figures import shot_from

U8 = NDArray[np.uint8]
CUT_OFF = ImageCircle(150, 190, 240)
SHOTS = {"whole circle": ("office", shot_from(MountKind.CEILING)),
         "cut off, off centre": ("restaurant", shot_from(MountKind.CEILING, "kannala_brandt", CUT_OFF)),
         "on a wall": ("crowd", shot_from(MountKind.WALL, "stereographic", ImageCircle(200, 150, 180))),
         "flat rim": ("shop", shot_from(MountKind.CEILING, "orthographic"))}


class Recorder:
    """A renderer that remembers all that another has drawn."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        self.pictures: list[tuple[U8, U8]] = []
        self.silhouettes: list[U8] = []

    def load(self, geometry: Geometry) -> LoadedMesh:
        self._mesh = self._renderer.load(geometry)
        return self

    def draw(self, camera: FisheyeCamera, mount: Mount, light: Light, half_size_m: float) -> tuple[U8, U8]:
        self.pictures.append(self._mesh.draw(camera, mount, light, half_size_m))
        return self.pictures[-1]

    def silhouette(self, camera: FisheyeCamera, mount: Mount, first_face: int, faces: int) -> U8:
        self.silhouettes.append(self._mesh.silhouette(camera, mount, first_face, faces))
        return self.silhouettes[-1]

    def release(self) -> None:
        self._mesh.release()


@pytest.fixture(scope="module")
def in_tensors(textures: TextureBank) -> TensorRenderer:
    return TensorRenderer(textures, torch.device("cpu"))


@pytest.fixture(scope="module", params=SHOTS)
def both(request: pytest.FixtureRequest, renderer: GlRenderer, in_tensors: TensorRenderer, bank: Bank,
         textures: TextureBank) -> tuple[Recorder, Recorder]:
    """The same scene, drawn by OpenGL and in tensors."""
    room, shot = SHOTS[request.param]
    for index in range(20):
        drawn = Recorder(renderer)
        render_scene(drawn, bank, textures, 7, index, room, shot)
        if len(drawn.silhouettes) >= 2:
            again = Recorder(in_tensors)
            render_scene(again, bank, textures, 7, index, room, shot)
            return drawn, again
    raise AssertionError("20 rooms without two people in sight")


def test_people_are_where_opengl_has_them(both: tuple[Recorder, Recorder]) -> None:
    (_, expected), (_, ids) = (r.pictures[0] for r in both)
    assert ids.shape == expected.shape
    assert ids.dtype == np.uint8
    assert np.mean(ids[expected > 0] == expected[expected > 0]) > 0.99
    assert np.mean(ids == expected) > 0.999


def test_colours_and_what_is_black_are_opengls(both: tuple[Recorder, Recorder]) -> None:
    (expected, _), (picture, _) = (r.pictures[0] for r in both)
    seen = expected.max(2) > 0
    assert np.mean(seen != (picture.max(2) > 0)) < 0.001
    off = np.abs(picture.astype(int) - expected)[seen]
    assert off.mean() < 0.6
    assert np.mean(off > 12) < 0.01


def test_silhouettes_are_opengls(both: tuple[Recorder, Recorder]) -> None:
    large = 0
    assert len(both[0].silhouettes) == len(both[1].silhouettes)
    for expected, mask in zip(both[0].silhouettes, both[1].silhouettes, strict=True):
        assert set(np.unique(mask)) <= {0, 255}
        if (expected > 0).sum() > 100:
            large += 1
            assert ((expected > 0) & (mask > 0)).sum() > 0.98 * ((expected > 0) | (mask > 0)).sum()
    assert large


def _still_life() -> Geometry:
    """A polished floor, a board floating above it, somebody of one cylinder, a glowing thing and a busy texture."""
    out = MeshBuilder()
    add_box(out, (1.2, 1.2, 0.05), (1.0, 0.2, 1.0), 0.3, Surface(3, (0.9, 0.5, 0.4)))
    add_cylinder(out, 0.2, 1.6, (-0.8, -0.6, 0), Surface(9, (0.5, 0.8, 0.6)), person=1)
    add_box(out, (0.3, 0.3, 0.3), (-0.9, 1.2, 0), 0.0, Surface(0, (0.8, 0.7, 0.2), glow=0.9))
    vertices, faces = out.arrays()
    floor = MeshBuilder()
    add_quad(floor, [-4, -4, 0], [8, 0, 0], [0, 8, 0], Surface(200, (0.8, 0.8, 0.8), repeat_m=0.4))
    more, more_faces = floor.arrays()
    return Geometry(np.concatenate([vertices, more]), np.concatenate([faces, more_faces + len(vertices)]), len(faces))


LIGHT = Light(np.array([[1.5, -1, 2.9, 0.8], [-1, 1, 2.9, 0.5]], np.float32), (0.3, 0.2, 1.0), (0.6, 0.5, 0.4),
              (0.4, 0.45, 0.5), 0.05, 0.8)


def _draw(renderer: Renderer, shot: MountedCamera) -> tuple[U8, U8]:
    mesh = renderer.load(_still_life())
    try:
        return mesh.draw(shot.camera, shot.mount, LIGHT, 4.0)
    finally:
        mesh.release()


def test_sun_shadows_lamps_gloss_glow_and_textures_are_opengls(renderer: GlRenderer,
                                                               in_tensors: TensorRenderer) -> None:
    shot = shot_from(MountKind.CEILING)
    (expected, ids), (picture, own) = _draw(renderer, shot), _draw(in_tensors, shot)
    off = np.abs(picture.astype(int) - expected)
    assert (ids == own).all()
    assert off[expected.max(2) > 0].mean() < 0.6
    # In every patch too, so that nothing small, such as a shadow or a gleam, may be missing.
    assert cv2.blur(off.astype(np.float32), (9, 9)).max() < 1.5


def test_the_same_scene_gives_the_same_bytes(bank: Bank, textures: TextureBank,
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    shot = shot_from(MountKind.CEILING)
    first = render_scene(TensorRenderer(textures), bank, textures, 3, 5, "office", shot)
    monkeypatch.setattr(tensors, "_SHADED_PX", 7001)
    again = render_scene(TensorRenderer(textures), bank, textures, 3, 5, "office", shot)
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.ids, again.ids)
    assert set(np.unique(first.ids)) - {0} == set(first.truth.ids)


def test_everything_stays_on_the_renderers_device(in_tensors: TensorRenderer) -> None:
    """On a GPU a tensor left to the default device would stop the drawing; here that device is one without memory."""
    shot = shot_from(MountKind.CEILING)
    expected = _draw(in_tensors, shot)
    with torch.device("meta"):
        renderer = TensorRenderer(TextureBank(np.zeros((300, 4, 4, 3), np.uint8), {}), torch.device("cpu"))
        renderer.texels = in_tensors.texels
        picture = _draw(renderer, shot)
        mesh = renderer.load(_still_life())
        assert mesh.silhouette(shot.camera, shot.mount, 0, 400).any()
    assert np.array_equal(picture[0], expected[0])


def test_the_stopwatch_changes_nothing_and_counts_what_is_drawn(in_tensors: TensorRenderer) -> None:
    shot = shot_from(MountKind.CEILING)
    watch, plain = Stopwatch(in_tensors), in_tensors.load(_still_life())
    started = time.perf_counter()
    assert np.array_equal(_draw(watch, shot)[0], _draw(in_tensors, shot)[0])
    assert 0 < watch.spent_s < time.perf_counter() - started
    mesh = watch.load(_still_life())
    assert np.array_equal(mesh.silhouette(shot.camera, shot.mount, 0, 400),
                          plain.silhouette(shot.camera, shot.mount, 0, 400))
    assert watch.spent_s > 0


def test_textures_repeat_and_blend_between_texels_and_sizes() -> None:
    layers = np.zeros((2, 4, 4, 3), np.uint8)
    layers[1, :, ::2] = 200
    texels = Texels(layers, torch.device("cpu"))
    uv = torch.tensor([[0.125, 0.5], [1.125, -0.5], [0.25, 0.5], [1.0, 0.5], [0.1, 0.2], [0.125, 0.5]])
    footprint_px = torch.tensor([1.0, 0.2, 1.0, 1.0, 64.0, 2 ** 0.5])
    found = texels.at(uv, torch.ones(6, dtype=torch.int64), footprint_px)[:, 0] * 255
    assert found.tolist() == pytest.approx([200, 200, 100, 100, 100, 150], abs=0.01)
    assert not texels.at(uv, torch.zeros(6, dtype=torch.int64), footprint_px).any()


def test_without_opengl_scenes_are_made_in_tensors(bank: Bank, textures: TextureBank, tmp_path: Path,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "moderngl", None)
    assert settled("gl") == "gl"
    assert settled("auto") == "tensors"
    np.savez(tmp_path / "bodies.npz", vertices=bank.vertices, faces=bank.faces, parts=bank.parts, kinds=bank.kinds,
             hips=bank.hips)
    np.savez(tmp_path / "textures.npz", layers=textures.layers,
             **{f"group_{k}": v for k, v in textures.groups.items()})  # type: ignore[arg-type]
    render_many(tmp_path / "set", tmp_path, 1, range(1), 1, "empty")
    assert (tmp_path / "set/000000.npz").exists()
    with pytest.raises(ImportError):
        render_many(tmp_path / "set", tmp_path, 1, range(1, 2), 1, "empty", "gl")
