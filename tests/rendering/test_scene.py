"""The renderer: reproducible pictures and truth that fits them. Bodies here are stick figures, so anny isn't needed."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from aipg_plugin.geometry.boxes import contains
from aipg_plugin.geometry.gravity import up_angle_deg
from aipg_plugin.options import MountKind
from rendering.bodies import Bank
from rendering.gl import GlRenderer
from rendering.mesh import Surface, add_box
from rendering.scene import RenderedScene, render_scene, save_scene
from rendering.textures import TextureBank
from tests.rendering.stick_figures import shot_from

CASES = [("office", MountKind.CEILING, "equidistant"), ("crowd", MountKind.CEILING, "stereographic"),
         ("meeting", MountKind.CEILING, "equisolid"), ("crowd", MountKind.WALL, "orthographic")]


@pytest.fixture(scope="module", params=CASES, ids=lambda c: f"{c[0]}-{c[1].value}-{c[2]}")
def scene(request: pytest.FixtureRequest, renderer: GlRenderer, bank: Bank, textures: TextureBank) -> RenderedScene:
    room, kind, law = request.param
    for index in range(20):
        made = render_scene(renderer, bank, textures, 7, index, room, shot_from(kind, law))
        if len(made.truth.ids) >= 2:
            return made
    raise AssertionError("20 rooms without two people in sight")


@pytest.mark.parametrize("room", ["office", "furniture", "warehouse"])
def test_the_same_seed_gives_the_same_picture(renderer: GlRenderer, bank: Bank, textures: TextureBank,
                                              room: str) -> None:
    first, again, other = (render_scene(renderer, bank, textures, 3, i, room, shot_from(MountKind.CEILING))
                           for i in (5, 5, 6))
    assert first.room == room
    assert set(np.unique(first.ids)) - {0} == set(first.truth.ids)
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.ids, again.ids)
    assert np.array_equal(first.truth.boxes, again.truth.boxes)
    assert not np.array_equal(first.image, other.image)


def test_boxes_enclose_their_silhouettes_and_touch_them(scene: RenderedScene) -> None:
    for person, box in zip(scene.truth.ids, scene.truth.boxes, strict=True):
        y, x = np.nonzero(scene.ids == person)
        pixels = np.stack([x, y], 1) + 0.5
        assert contains(box[None], pixels).all()
        tighter = box.copy()
        tighter[2:4] -= 2.5
        assert not contains(tighter[None], pixels).all()


def test_box_angles_are_those_of_gravity(scene: RenderedScene) -> None:
    camera, mount = scene.shot.camera, scene.shot.mount
    expected = up_angle_deg(camera, mount, scene.truth.boxes[:, :2])
    away = np.hypot(*(scene.truth.boxes[:, :2] - [camera.circle.cx_px, camera.circle.cy_px]).T) > 25
    off = (scene.truth.boxes[:, 4] - expected + 180) % 360 - 180
    assert np.abs(off[away]).max(initial=0) < 1.0


def test_every_person_in_the_id_picture_has_truth(scene: RenderedScene) -> None:
    assert set(np.unique(scene.ids)) - {0} == set(scene.truth.ids)
    assert (scene.truth.visible > 0).all()
    assert (scene.truth.visible <= 1).all()


def test_nothing_is_seen_outside_the_lens_field(scene: RenderedScene) -> None:
    outside = ~scene.shot.camera.valid_mask()
    inner = cv2.erode(outside.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert not scene.ids[inner].any()


def test_full_boxes_are_no_smaller_than_visible_ones(scene: RenderedScene) -> None:
    for full, seen in zip(scene.truth.full_boxes, scene.truth.boxes, strict=True):
        assert full[2] * full[3] > 0.9 * seen[2] * seen[3] - 30


def test_heads_lie_where_the_camera_model_sees_them(scene: RenderedScene) -> None:
    camera, mount = scene.shot.camera, scene.shot.mount
    people = {p.id: p for p in scene.people}
    for person, head in zip(scene.truth.ids, scene.truth.heads, strict=True):
        if np.isfinite(head).all():
            expected = camera.ray_to_pixel(mount.rays_to(people[int(person)].head[None, :3]))[0]
            assert np.allclose(head[:2], expected)
            assert head[2] > 0


def test_saved_files_hold_what_was_rendered(scene: RenderedScene, tmp_path: Path) -> None:
    save_scene(scene, tmp_path / "000001")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["000001.jpg", "000001.npz", "000001.png"]
    ids = cv2.imread(str(tmp_path / "000001.png"), cv2.IMREAD_UNCHANGED)
    assert ids is not None
    assert np.array_equal(ids, scene.ids)
    with np.load(tmp_path / "000001.npz") as saved:
        assert np.allclose(saved["boxes"], scene.truth.boxes)
        assert str(saved["mount"]) == scene.shot.mount.kind.value
        assert len(saved["pose"]) == len(saved["floor_xy_m"]) == len(scene.truth.ids)


def test_rendering_goes_on_where_it_stopped(bank: Bank, textures: TextureBank, renderer: GlRenderer,
                                            tmp_path: Path) -> None:
    del renderer  # asked for only so that this is skipped where there is no OpenGL
    from rendering.batch import render_many

    np.savez(tmp_path / "bodies.npz", vertices=bank.vertices, faces=bank.faces, parts=bank.parts, kinds=bank.kinds,
             hips=bank.hips)
    np.savez(tmp_path / "textures.npz", layers=textures.layers,
             **{f"group_{k}": v for k, v in textures.groups.items()})  # type: ignore[arg-type]
    out = tmp_path / "set"
    render_many(out, tmp_path, 1, range(1), 1, "empty")
    first = {p.name: p.stat().st_mtime_ns for p in out.iterdir()}
    (out / "000001.jpg").write_bytes(b"half a scene, left by a crash")
    render_many(out, tmp_path, 1, range(2), 1, "empty")
    assert {n: p.stat().st_mtime_ns for n, p in ((n, out / n) for n in first)} == first
    assert sorted(p.name for p in out.iterdir()) == [f"{i:06d}.{e}" for i in range(2) for e in ("jpg", "npz", "png")]
    assert cv2.imread(str(out / "000001.jpg")) is not None


def test_a_box_in_front_hides_what_is_behind(renderer: GlRenderer, bank: Bank, textures: TextureBank) -> None:
    from rendering.cameras import random_light
    from rendering.scene import photograph
    from rendering.stage import Stage

    shares = []
    for hidden in (False, True):
        stage = Stage(np.random.default_rng(1), bank, textures, 3.0)
        stage.person(("stand",), np.array([2.0, 0.5, 0.0]), 0.0)
        if hidden:
            add_box(stage.things, (0.1, 1.5, 1.5), (1.6, 0.4, 0), 0.0, Surface())
        add_box(stage.room, (8, 8, 0.01), (0, 0, -0.01), 0.0, Surface())
        shot = shot_from(MountKind.CEILING)
        geometry, people = stage.geometry(0.0)
        mesh = renderer.load(geometry)
        light = random_light(np.random.default_rng(2), 3.0, 5.0, False)
        _, _, truth = photograph(mesh, people, shot.camera, shot.mount, light, 5.0)
        mesh.release()
        shares.append(float(truth.visible[0]))
    assert shares[0] > 0.9
    assert shares[1] < 0.75
