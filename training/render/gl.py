"""Draws triangle meshes through a fisheye lens with OpenGL (any driver; Mesa's software one is enough)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aipg_plugin.geometry.camera import FisheyeCamera
from aipg_plugin.geometry.mount import Mount
from training.render.mesh import Floats, Ints
from training.render.shaders import DEPTH_FS, FISHEYE_FS, FISHEYE_VS, FLAT_VS, MASK_FS
from training.render.textures import TextureBank

_LUT = 2048
_MAP_PX = 768
_GL_CLIP_DISTANCE0 = 0x3000
_FORMAT = "3f 3f 2f 1f 3f 1f 1f 1f"
_NAMES = ("in_position", "in_normal", "in_uv", "in_layer", "in_tint", "in_share", "in_person", "in_glow")


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


class Renderer:
    """An OpenGL context with the textures loaded; one per process."""

    def __init__(self, textures: TextureBank, threads: int = 1) -> None:
        os.environ.setdefault("LP_NUM_THREADS", str(threads))
        import moderngl

        self._gl = moderngl
        try:
            ctx = moderngl.create_standalone_context(backend="egl")  # type: ignore[arg-type]
        except Exception as error:
            raise RuntimeError(f"no OpenGL through EGL ({error}): install libegl1 libgl1-mesa-dri") from error
        self.ctx: Any = ctx
        layers = textures.layers
        self._array = ctx.texture_array((layers.shape[2], layers.shape[1], len(layers)), 3, layers.tobytes())
        self._array.build_mipmaps()
        self._array.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
        self._colour: Any = ctx.program(vertex_shader=FISHEYE_VS, fragment_shader=FISHEYE_FS)
        self._mask: Any = ctx.program(vertex_shader=FISHEYE_VS, fragment_shader=MASK_FS)
        self._flat: Any = ctx.program(vertex_shader=FLAT_VS, fragment_shader=DEPTH_FS)
        self._maps = [self._depth_map() for _ in range(2)]
        self._targets: dict[tuple[int, int], Any] = {}
        self._lut = ctx.texture((_LUT, 1), 1, dtype="f4")

    def _depth_map(self) -> Any:
        texture = self.ctx.depth_texture((_MAP_PX, _MAP_PX))
        texture.compare_func = ""
        texture.repeat_x = texture.repeat_y = False
        return texture, self.ctx.framebuffer(depth_attachment=texture)

    def _target(self, size_wh: tuple[int, int]) -> Any:
        if size_wh not in self._targets:
            self._targets[size_wh] = self.ctx.framebuffer(
                [self.ctx.texture(size_wh, 4)], self.ctx.depth_renderbuffer(size_wh))
        return self._targets[size_wh]

    def load(self, geometry: Geometry) -> Loaded:
        """Upload a scene's mesh."""
        return Loaded(self, geometry)

    def _set_camera(self, program: Any, camera: FisheyeCamera, mount: Mount) -> None:
        theta = np.linspace(0, np.pi, _LUT)
        radius = camera.law.theta_to_r(theta)
        radius = np.where(np.isfinite(radius), radius, np.nanmax(radius))
        self._lut.write(radius.astype("f4").tobytes())
        self._lut.use(0)
        # Levelled frame (right, down, forward) of a floor-frame vector, then the camera's.
        to_level = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float)
        matrix = mount.level @ to_level
        values = {"to_camera": matrix.T.astype("f4").tobytes(), "camera_z": mount.height_m,
                  "circle": (camera.circle.cx_px, camera.circle.cy_px, camera.circle.radius_px),
                  "size": camera.size_wh, "theta_max": camera.law.half_fov_rad, "lut": 0}
        for name, value in values.items():
            if name in program:
                if isinstance(value, bytes):
                    program[name].write(value)
                else:
                    program[name].value = value


class Loaded:
    """A mesh on the device; call `release` when done."""

    def __init__(self, renderer: Renderer, geometry: Geometry) -> None:
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
        sun = np.asarray(light.sun, float) / np.linalg.norm(light.sun)
        matrices = [_flat_matrix(np.array([0.0, 0, 1]), half_size_m), _flat_matrix(sun, half_size_m)]
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
        lamps = np.zeros((6, 4), "f4")
        lamps[:len(light.lamps)] = light.lamps[:6]
        program["lamps"].write(lamps.tobytes())
        for name, value in (("lamp_count", len(light.lamps)), ("sun", tuple(sun)), ("sun_rgb", light.sun_rgb),
                            ("ambient_rgb", light.ambient_rgb), ("textures", 1), ("above", 2), ("shadow", 3),
                            ("soft", light.softness_m / (2 * half_size_m)), ("gloss", light.gloss)):
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


def _flat_matrix(towards: NDArray[np.float64], half_size_m: float) -> NDArray[np.float64]:
    """(4, 4) orthographic view of the room from direction `towards`; texture z is 0 at the light's side."""
    z = towards / np.linalg.norm(towards)
    x = np.cross([0.0, 1.0, 0.0], z)
    x /= np.linalg.norm(x)
    y = np.cross(z, x)
    matrix = np.eye(4)
    span = half_size_m * 1.5 + 8
    matrix[0, :3], matrix[1, :3], matrix[2, :3] = x / half_size_m, y / half_size_m, -z / span
    return matrix
