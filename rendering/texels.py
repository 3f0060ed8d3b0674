"""Square textures with mipmaps in one flat tensor, looked up as OpenGL does: repeated, trilinear."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Texels:
    """All layers of a bank at every size down to one texel."""

    def __init__(self, layers: NDArray[np.uint8], device: torch.device) -> None:
        """layers (L, S, S, 3), S a power of two."""
        level = torch.as_tensor(layers, device=device)
        self.size_px = level.shape[1]
        sizes, starts, flat, count = [], [], [], 0
        while True:
            sizes.append(level.shape[1])
            starts.append(count)
            flat.append(level.reshape(-1, 3))
            count += len(flat[-1])
            if sizes[-1] == 1:
                break
            level = torch.cat([_halved(some) for some in torch.split(level, 32)])
        self._flat = torch.cat(flat)
        self._sizes, self._starts = torch.tensor(sizes, device=device), torch.tensor(starts, device=device)

    def at(self, uv: Tensor, layer: Tensor, footprint_px: Tensor) -> Tensor:
        """(P, 3) float32 0–1 at uv (P, 2) of layer (P,); footprint: texels of the full size per pixel (P,)."""
        level = footprint_px.clamp(min=1.0).log2().clamp(max=len(self._sizes) - 1.0)
        low = level.long()
        share = (level - low)[:, None]
        high = (low + 1).clamp(max=len(self._sizes) - 1)
        near, far = self._linear(uv, layer, low), self._linear(uv, layer, high)
        return (near + (far - near) * share) / 255

    def _linear(self, uv: Tensor, layer: Tensor, level: Tensor) -> Tensor:
        size = self._sizes[level]
        at = uv * size[:, None] - 0.5
        corner = at.floor()
        u, v = (at - corner).unsqueeze(2).unbind(1)
        x0, y0 = (corner.long() % size[:, None]).unbind(1)
        x1, y1 = (x0 + 1) % size, (y0 + 1) % size
        start = self._starts[level] + layer * size * size
        a, b, c, d = (self._flat[start + y * size + x].float() for y in (y0, y1) for x in (x0, x1))
        above, below = a + (b - a) * u, c + (d - c) * u
        return above + (below - above) * v


def _halved(textures: Tensor) -> Tensor:
    """(L, S, S, 3) uint8 with the mean of each two by two, rounded up after each axis as Mesa does."""
    wide = (textures[:, :, 0::2].short() + textures[:, :, 1::2] + 1) // 2
    return ((wide[:, 0::2] + wide[:, 1::2] + 1) // 2).to(torch.uint8)
