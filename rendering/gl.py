"""Draws triangle meshes through a fisheye lens with OpenGL (any driver; Mesa's software one is enough)."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aipg_plugin.geometry.camera import FisheyeCamera
from aipg_plugin.geometry.mount import Mount
from rendering.drawing import (
    LENS_TABLE,
    MAP_PX,
    MAX_LAMPS,
    Geometry,
    Light,
    lens_table,
    light_views,
    sun_direction,
    to_camera,
)
from rendering.shaders import DEPTH_FS, FISHEYE_FS, FISHEYE_VS, FLAT_VS, MASK_FS
from rendering.textures import TextureBank

_GL_CLIP_DISTANCE0 = 0x3000
_FORMAT = "3f 3f 2f 1f 3f 1f 1f 1f"
_NAMES = ("in_position", "in_normal", "in_uv", "in_layer", "in_tint", "in_share", "in_person", "in_glow")


def open_context(threads: int = 1) -> Any:
    """An OpenGL context without a screen; raises ImportError without moderngl, RuntimeError without EGL.

    Mesa's software driver draws with as many `threads` as the first context of a process was opened for.
    """
    os.environ.setdefault("LP_NUM_THREADS", str(threads))
    import moderngl

    try:
        return moderngl.create_standalone_context(backend="egl")  # type: ignore[arg-type]
    except Exception as error:
        raise RuntimeError(f"no OpenGL through EGL ({error}): install libegl1 libgl1-mesa-dri") from error


class GlRenderer:
    """An OpenGL context with the textures loaded; one per process."""

    def __init__(self, textures: TextureBank, threads: int = 1) -> None:
        import moderngl

        self._gl = moderngl
        ctx = self.ctx = open_context(threads)
        layers = textures.layers
        self._array = ctx.texture_array((layers.shape[2], layers.shape[1], len(layers)), 3, layers.tobytes())
        self._array.build_mipmaps()
        self._array.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
        self._colour: Any = ctx.program(vertex_shader=FISHEYE_VS, fragment_shader=FISHEYE_FS)
        self._mask: Any = ctx.program(vertex_shader=FISHEYE_VS, fragment_shader=MASK_FS)
        self._flat: Any = ctx.program(vertex_shader=FLAT_VS, fragment_shader=DEPTH_FS)
        self._maps = [self._depth_map() for _ in range(2)]
        self._targets: dict[tuple[int, int], Any] = {}
        self._lut = ctx.texture((LENS_TABLE, 1), 1, dtype="f4")

    def _depth_map(self) -> Any:
        texture = self.ctx.depth_texture((MAP_PX, MAP_PX))
        texture.compare_func = ""
        texture.repeat_x = texture.repeat_y = False
        return texture, self.ctx.framebuffer(depth_attachment=texture)

    def _target(self, size_wh: tuple[int, int]) -> Any:
        if size_wh not in self._targets:
            self._targets[size_wh] = self.ctx.framebuffer(
                [self.ctx.texture(size_wh, 4)], self.ctx.depth_renderbuffer(size_wh))
        return self._targets[size_wh]

    def load(self, geometry: Geometry) -> GlMesh:
        """Upload a scene's mesh."""
        return GlMesh(self, geometry)

    def _set_camera(self, program: Any, camera: FisheyeCamera, mount: Mount) -> None:
        self._lut.write(lens_table(camera).tobytes())
        self._lut.use(0)
        matrix = to_camera(mount)
        values = {"to_camera": matrix.T.astype("f4").tobytes(), "camera_z": mount.height_m,
                  "circle": (camera.circle.cx_px, camera.circle.cy_px, camera.circle.radius_px),
                  "size": camera.size_wh, "theta_max": camera.law.half_fov_rad, "lut": 0}
        for name, value in values.items():
            if name in program:
                if isinstance(value, bytes):
                    program[name].write(value)
                else:
                    program[name].value = value


class GlMesh:
    """A mesh on the device; call `release` when done."""

    def __init__(self, renderer: GlRenderer, geometry: Geometry) -> None:
        ctx = renderer.ctx
        self._r, self._geometry = renderer, geometry
        self._vbo = ctx.buffer(np.ascontiguousarray(geometry.vertices).tobytes())
        self._ibo = ctx.buffer(np.ascontiguousarray(geometry.faces).tobytes())
        self._arrays = {}
        for key, program in (("colour", renderer._colour), ("mask", renderer._mask), ("flat", renderer._flat)):
            sizes = _FORMAT.split(" ")
            layout = " ".join(s if n in program else _pad(s) for s, n in zip(sizes, _NAMES, strict=True))
            names = [n for n in _NAMES if n in program]
            self._arrays[key] = ctx.vertex_array(program, [(self._vbo, layout, *names)], self._ibo)

    def release(self) -> None:
        """Free the device's memory."""
        for array in self._arrays.values():
            array.release()
        self._vbo.release()
        self._ibo.release()

    def draw(self, camera: FisheyeCamera, mount: Mount, light: Light, half_size_m: float,
             ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """(H, W, 3) BGR picture and (H, W) person ids; black and 0 outside the circle."""
        r = self._r
        matrices = light_views(light, half_size_m)
        for (_texture, target), matrix in zip(r._maps, matrices, strict=True):
            target.use()
            target.clear(depth=1.0)
            r.ctx.enable_only(r._gl.DEPTH_TEST)
            r.ctx.disable_direct(_GL_CLIP_DISTANCE0)
            r._flat["matrix"].write(matrix.T.astype("f4").tobytes())
            self._arrays["flat"].render(r._gl.TRIANGLES, vertices=self._geometry.casters * 3)
        target = r._target(camera.size_wh)
        target.use()
        target.clear(0, 0, 0, 0)
        r.ctx.enable_only(r._gl.DEPTH_TEST)
        r.ctx.enable_direct(_GL_CLIP_DISTANCE0)
        program = r._colour
        r._set_camera(program, camera, mount)
        r._array.use(1)
        r._maps[0][0].use(2)
        r._maps[1][0].use(3)
        lamps = np.zeros((MAX_LAMPS, 4), "f4")
        lamps[:len(light.lamps)] = light.lamps[:MAX_LAMPS]
        program["lamps"].write(lamps.tobytes())
        for name, value in (("lamp_count", min(len(light.lamps), MAX_LAMPS)), ("sun", tuple(sun_direction(light))),
                            ("sun_rgb", light.sun_rgb), ("ambient_rgb", light.ambient_rgb), ("textures", 1),
                            ("above", 2), ("shadow", 3), ("soft", light.softness_m / (2 * half_size_m)),
                            ("gloss", light.gloss)):
            program[name].value = value
        program["above_matrix"].write(matrices[0].T.astype("f4").tobytes())
        program["sun_matrix"].write(matrices[1].T.astype("f4").tobytes())
        self._arrays["colour"].render()
        w, h = camera.size_wh
        raw = np.frombuffer(target.read(components=4), np.uint8).reshape(h, w, 4)
        return np.ascontiguousarray(raw[..., :3]), np.ascontiguousarray(raw[..., 3])

    def silhouette(self, camera: FisheyeCamera, mount: Mount, first_face: int, faces: int) -> NDArray[np.uint8]:
        """(H, W) 255 where the given faces show when nothing else is there."""
        r = self._r
        target = r._target(camera.size_wh)
        target.use()
        target.clear(0, 0, 0, 0)
        r.ctx.disable(r._gl.DEPTH_TEST)
        r.ctx.enable_direct(_GL_CLIP_DISTANCE0)
        r._set_camera(r._mask, camera, mount)
        self._arrays["mask"].render(r._gl.TRIANGLES, vertices=faces * 3, first=first_face * 3)
        w, h = camera.size_wh
        raw = np.frombuffer(target.read(components=1), np.uint8).reshape(h, w)
        return np.ascontiguousarray(raw)


def _pad(size: str) -> str:
    return f"{int(size[0]) * 4}x"
