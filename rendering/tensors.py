"""Draws triangle meshes through a fisheye lens in tensors: the pictures of `gl` on a GPU or a CPU without OpenGL."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aipg_plugin.geometry.camera import FisheyeCamera
from aipg_plugin.geometry.mount import Mount
from rendering.drawing import (
    FAR_M,
    LENS_TABLE,
    MAP_PX,
    Doubles,
    Geometry,
    Light,
    lens_table,
    light_views,
    to_camera,
)
from rendering.raster import SUBPIXELS, rasterise, triangles
from rendering.shading import DepthMap, Shading, Spots, depth_map
from rendering.texels import Texels
from rendering.textures import TextureBank

_SHADED_PX = 1 << 17  # pixels at once: few enough for small memories, many enough to keep a GPU busy


def best_device() -> torch.device:
    """CUDA where there is some."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class TensorRenderer:
    """The textures on a device; by default a GPU if there is one."""

    def __init__(self, textures: TextureBank, device: torch.device | None = None) -> None:
        self.device = device or best_device()
        self.texels = Texels(textures.layers, self.device)

    def load(self, geometry: Geometry) -> TensorMesh:
        """Bring a scene's mesh to the device."""
        return TensorMesh(self, geometry)


class TensorMesh:
    """A mesh on the device; its memory goes with it."""

    def __init__(self, renderer: TensorRenderer, geometry: Geometry) -> None:
        self._r, self._casters = renderer, geometry.casters
        self._vertices = torch.as_tensor(geometry.vertices, device=renderer.device)
        self._faces = torch.as_tensor(geometry.faces, device=renderer.device).long()

    def release(self) -> None:
        """Free the device's memory."""
        del self._vertices, self._faces

    @torch.inference_mode()
    def draw(self, camera: FisheyeCamera, mount: Mount, light: Light, half_size_m: float,
             ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """(H, W, 3) BGR picture and (H, W) person ids; black and 0 outside the circle."""
        above, shadow = (self._seen_from(view) for view in light_views(light, half_size_m))
        shading = Shading(self._r.texels, above, shadow, light, half_size_m, mount.height_m)
        (w, h), device = camera.size_wh, self._r.device
        points_px, depth, margin = _project(self._vertices[:, :3], camera, mount)
        face, _ = rasterise(points_px, depth, self._faces, (w, h), margin)
        picture = torch.zeros((w * h, 3), dtype=torch.uint8, device=device)
        ids = torch.zeros(w * h, dtype=torch.uint8, device=device)
        for pixels in torch.split((face >= 0).nonzero()[:, 0], _SHADED_PX):
            spots = self._spots(points_px, self._faces[face[pixels]], pixels % w, pixels // w)
            picture[pixels] = shading.bgr(spots)
            ids[pixels] = spots.person.round().to(torch.uint8)
        return picture.reshape(h, w, 3).cpu().numpy(), ids.reshape(h, w).cpu().numpy()

    @torch.inference_mode()
    def silhouette(self, camera: FisheyeCamera, mount: Mount, first_face: int, faces: int) -> NDArray[np.uint8]:
        """(H, W) 255 where the given faces show when nothing else is there."""
        w, h = camera.size_wh
        chosen = self._faces[first_face:first_face + faces]
        chosen = chosen[self._vertices[chosen[:, 2], 13] >= 0.5]
        if not len(chosen):
            return np.zeros((h, w), np.uint8)
        low, high = int(chosen.min()), int(chosen.max()) + 1
        points_px, depth, margin = _project(self._vertices[low:high, :3], camera, mount)
        face, _ = rasterise(points_px, depth, chosen - low, (w, h), margin)
        return ((face >= 0).to(torch.uint8) * 255).reshape(h, w).cpu().numpy()

    def _seen_from(self, view: Doubles) -> DepthMap:
        """Depths of what casts shadows, seen from a light."""
        matrix = torch.as_tensor(view, device=self._r.device)
        placed = self._vertices[:, :3].double() @ matrix[:3, :3].T + matrix[:3, 3]
        size = (MAP_PX, MAP_PX)
        _, depth = rasterise((placed[:, :2] * 0.5 + 0.5) * MAP_PX, placed[:, 2] * 0.5 + 0.5,
                             self._faces[:self._casters], size)
        return depth_map(depth.reshape(size), view)

    def _spots(self, points_px: Tensor, faces: Tensor, column: Tensor, row: Tensor) -> Spots:
        """What the mesh is at pixels (P,), each in the face (P, 3) seen there."""
        seen = triangles(points_px, faces)
        corners = self._vertices[faces.gather(1, seen.corner)]
        at = (seen.weights(column, row).float()[:, None] @ corners)[:, 0]
        uv = corners[:, :, 6:8]
        across, down = ((e.double() / seen.area[:, None] * SUBPIXELS).float()[:, None] @ uv for e in seen.edges())
        texels_px = torch.maximum(across.norm(dim=2), down.norm(dim=2))[:, 0] * self._r.texels.size_px
        return Spots(position=at[:, 0:3], normal=at[:, 3:6], uv=at[:, 6:8], tint=at[:, 9:12], share=at[:, 12],
                     glow=at[:, 14], person=self._vertices[faces[:, 2], 13], layer=(at[:, 8] + 0.5).long(),
                     texels_px=texels_px, pixel_xy=torch.stack([column, row], 1) + 0.5)


def _project(points: Tensor, camera: FisheyeCamera, mount: Mount) -> tuple[Tensor, Tensor, Tensor]:
    """Floor-frame points (N, 3) as pixels (N, 2), depth (N,) 0 to 1, and radians (N,) to the rim of the field."""
    device = points.device
    turn = torch.as_tensor(to_camera(mount), device=device)
    d = (points.double() - torch.tensor([0.0, 0.0, mount.height_m], device=device)) @ turn.T
    across = torch.hypot(d[:, 0], d[:, 1])
    theta = torch.atan2(across, d[:, 2])
    table = torch.as_tensor(lens_table(camera), device=device).double()
    place = theta / np.pi * (LENS_TABLE - 1)
    cell = place.long().clamp(max=LENS_TABLE - 2)
    radius = table[cell] + (table[cell + 1] - table[cell]) * (place - cell)
    ahead = torch.tensor([1.0, 0.0], dtype=torch.float64, device=device)
    direction = torch.where((across > 1e-9)[:, None], d[:, :2] / across.clamp(min=1e-9)[:, None], ahead)
    centre = torch.tensor([camera.circle.cx_px, camera.circle.cy_px], dtype=torch.float64, device=device)
    points_px = centre + radius[:, None] * camera.circle.radius_px * direction
    return points_px, (d.norm(dim=1) / FAR_M).clamp(max=1), camera.law.half_fov_rad - theta
