"""What `shaders.FISHEYE_FS` says of a surface's colour, in tensors: P points at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, normalize

from rendering.drawing import MAX_LAMPS, Doubles, Light, sun_direction
from rendering.texels import Texels

_RING = ((1.0, 0.0), (-0.5, 0.87), (-0.5, -0.87), (2.0, 1.2), (-2.2, 0.9), (0.2, -2.4))


@dataclass(frozen=True)
class DepthMap:
    """(S, S) depths seen from a light by the (4, 4) matrix of that view."""

    depth: Tensor
    matrix: Tensor

    def place(self, points: Tensor) -> Tensor:
        """(P, 3) points as x, y in -1 to 1 and depth 0 to 1."""
        placed = points @ self.matrix[:3, :3].T + self.matrix[:3, 3]
        return torch.cat([placed[:, :2], placed[:, 2:] * 0.5 + 0.5], 1)

    def at(self, xy: Tensor) -> Tensor:
        """(P, K) depths at places (P, K, 2), linear between texels, the border's beyond it."""
        found: Tensor = grid_sample(self.depth[None, None], xy[None], mode="bilinear", padding_mode="border",
                                    align_corners=False)
        return found[0, 0]


@dataclass(frozen=True)
class Spots:
    """What the mesh is at P visible pixels: tensors of P rows.

    `person` (P,) id; `layer` (P,) int64; `texels_px` (P,) texels per pixel; `pixel_xy` (P, 2) pixel centres.
    """

    position: Tensor
    normal: Tensor
    uv: Tensor
    tint: Tensor
    share: Tensor
    glow: Tensor
    person: Tensor
    layer: Tensor
    texels_px: Tensor
    pixel_xy: Tensor


class Shading:
    """Everything that is the same at all pixels of a picture."""

    def __init__(self, texels: Texels, above: DepthMap, shadow: DepthMap, light: Light, half_size_m: float,
                 camera_height_m: float) -> None:
        self._texels, self._above, self._shadow = texels, above, shadow
        self._softness = light.softness_m / half_size_m
        self._gloss = light.gloss
        device = above.depth.device

        def tensor(values: object) -> Tensor:
            return torch.as_tensor(values, dtype=torch.float32, device=device)

        self._lamps = tensor(light.lamps)[:MAX_LAMPS]
        self._sun = tensor(sun_direction(light))
        self._sun_rgb, self._ambient_rgb = tensor(light.sun_rgb), tensor(light.ambient_rgb)
        self._camera, self._ring = tensor((0.0, 0.0, camera_height_m)), tensor(_RING)

    def bgr(self, spots: Spots) -> Tensor:
        """(P, 3) uint8 colours."""
        eye = self._camera - spots.position
        normal = normalize(spots.normal, dim=1)
        normal = torch.where(_dot(normal, eye) < 0, -normal, normal)
        texture = self._texels.at(spots.uv, spots.layer, spots.texels_px).flip(1)
        share = spots.share[:, None]
        albedo = spots.tint * (1 - share + texture * share)
        turn = _noise(spots.pixel_xy)
        lifted = spots.position + normal * 0.04
        open_ = 1 - 0.8 * self._covered(lifted, turn)
        lit = self._lit(lifted, turn) * _dot(normal, self._sun).clamp(min=0)
        light = self._ambient_rgb * (0.7 + 0.3 * normal[:, 2:]) * open_ + self._sun_rgb * lit
        shine = torch.zeros_like(open_)
        look = normalize(eye, dim=1)
        polish = self._gloss * _smoothstep(0.9, 0.98, normal[:, 2:]) * (spots.person[:, None] < 0.5)
        for lamp in self._lamps:
            to = lamp[:3] - spots.position
            d2 = _dot(to, to)
            falling = (_dot(normal, to) * d2.rsqrt()).clamp(min=0) / (1 + 0.25 * d2) * (0.75 * open_ + 0.25)
            light = light + self._ambient_rgb * lamp[3] * falling
            if self._gloss > 0:
                half = normalize(to * d2.rsqrt() + look, dim=1)
                shine = shine + polish * lamp[3] * open_ * _dot(normal, half).clamp(min=0) ** 90
        glow = spots.glow[:, None]
        colour = albedo * (light * (1 - glow) + glow) + shine
        colour = colour / (1 + 0.35 * (colour - 0.7).clamp(min=0))
        return (colour.clamp(0, 1).flip(1) * 255).round().to(torch.uint8)

    def _covered(self, points: Tensor, turn: Tensor) -> Tensor:
        """(P, 1) share of the surroundings that something above hides."""
        per_m, span_m = self._above.matrix[0, 0].abs(), 1 / self._above.matrix[2, 2].abs()
        c, s = turn.cos(), turn.sin()
        ring = self._ring * 0.16
        offset = torch.stack([c * ring[:, 0] - s * ring[:, 1], s * ring[:, 0] + c * ring[:, 1]], 2)
        place = self._above.place(points)
        depth = self._above.at(place[:, None, :2] + offset * per_m)
        rise = (place[:, 2:] - depth) * 2 * span_m - 0.05
        return (rise / (0.15 + torch.hypot(ring[:, 0], ring[:, 1]) * 0.9)).clamp(0, 1).mean(1, keepdim=True)

    def _lit(self, points: Tensor, turn: Tensor) -> Tensor:
        """(P, 1) share of the sun that is seen."""
        angle = turn + 2.0944 * torch.arange(3, device=turn.device)
        offset = torch.stack([angle.cos(), angle.sin()], 2) * self._softness
        place = self._shadow.place(points)
        depth = self._shadow.at(place[:, None, :2] + offset)
        return (depth >= place[:, 2:] - 0.0015).float().mean(1, keepdim=True)


def depth_map(depth: Tensor, matrix: Doubles) -> DepthMap:
    """A map on the depths' device."""
    return DepthMap(depth, torch.as_tensor(matrix, dtype=torch.float32, device=depth.device))


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(1, keepdim=True) if b.dim() == 2 else (a @ b)[:, None]


def _noise(pixel_xy: Tensor) -> Tensor:
    """(P, 1) angles that look random from pixel to pixel."""
    hashed = (pixel_xy[:, :1] * 12.9898 + pixel_xy[:, 1:] * 78.233).sin() * 43758.5453
    return (hashed - hashed.floor()) * 6.2832


def _smoothstep(low: float, high: float, value: Tensor) -> Tensor:
    t = ((value - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)
