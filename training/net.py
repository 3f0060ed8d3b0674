"""The person net: YOLOX-nano's layout, one class, plus a head point and a silhouette.

Layout after YOLOX (Ge et al. 2021, arXiv 2107.08430; weights Apache-2.0, Megvii),
written anew: depthwise CSPDarknet (depth 0.33, width 0.25), PAFPN, decoupled heads.
Batch norms are folded into the convolutions, as in the published ONNX file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

STRIDES = (8, 16, 32)


class Conv(nn.Sequential):
    """Convolution with bias and SiLU."""

    def __init__(self, c_in: int, c_out: int, k: int = 1, s: int = 1, groups: int = 1) -> None:
        super().__init__(
            nn.Conv2d(c_in, c_out, k, s, (k - 1) // 2, groups=groups), nn.SiLU(inplace=True)
        )


class DWConv(nn.Sequential):
    """Depthwise 3x3, then pointwise."""

    def __init__(self, c_in: int, c_out: int, s: int = 1) -> None:
        super().__init__(Conv(c_in, c_in, 3, s, groups=c_in), Conv(c_in, c_out))


class Bottleneck(nn.Module):
    def __init__(self, c: int, shortcut: bool) -> None:
        super().__init__()
        self.squeeze, self.expand, self.shortcut = Conv(c, c), DWConv(c, c), shortcut

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.expand(self.squeeze(x))
        return x + y if self.shortcut else y


class CSP(nn.Module):
    """Two half-width branches, one through n bottlenecks, joined by a 1x1."""

    def __init__(self, c_in: int, c_out: int, n: int, shortcut: bool = True) -> None:
        super().__init__()
        half = c_out // 2
        self.deep, self.side = Conv(c_in, half), Conv(c_in, half)
        self.blocks = nn.Sequential(*(Bottleneck(half, shortcut) for _ in range(n)))
        self.join = Conv(2 * half, c_out)

    def forward(self, x: Tensor) -> Tensor:
        deep, side = self.deep(x), self.side(x)
        out: Tensor = self.join(torch.cat([self.blocks(deep), side], 1))
        return out


class SPP(nn.Module):
    """Max pools of several sizes, side by side."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.squeeze, self.join = Conv(c, c // 2), Conv(c * 2, c)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x)
        pools = [fn.max_pool2d(x, k, 1, k // 2) for k in (5, 9, 13)]
        out: Tensor = self.join(torch.cat([x, *pools], 1))
        return out


class Backbone(nn.Module):
    """Image to features at strides 4, 8, 16, 32 (32, 64, 128, 256 channels)."""

    def __init__(self) -> None:
        super().__init__()
        # YOLOX's "focus" slicing + 3x3 is the same sum as one 6x6 convolution of stride 2.
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 6, 2, 2), nn.SiLU(inplace=True))
        self.s4 = nn.Sequential(DWConv(16, 32, 2), CSP(32, 32, 1))
        self.s8 = nn.Sequential(DWConv(32, 64, 2), CSP(64, 64, 3))
        self.s16 = nn.Sequential(DWConv(64, 128, 2), CSP(128, 128, 3))
        self.s32 = nn.Sequential(DWConv(128, 256, 2), SPP(256), CSP(256, 256, 1, False))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        s4 = self.s4(self.stem(x))
        s8 = self.s8(s4)
        s16 = self.s16(s8)
        return s4, s8, s16, self.s32(s16)


def upsample(x: Tensor) -> Tensor:
    return fn.interpolate(x, scale_factor=2.0, mode="nearest")


class Neck(nn.Module):
    """Path aggregation: down the pyramid, then up again."""

    def __init__(self) -> None:
        super().__init__()
        self.lateral32, self.top16 = Conv(256, 128), CSP(256, 128, 1, False)
        self.lateral16, self.top8 = Conv(128, 64), CSP(128, 64, 1, False)
        self.down8, self.out16 = DWConv(64, 64, 2), CSP(128, 128, 1, False)
        self.down16, self.out32 = DWConv(128, 128, 2), CSP(256, 256, 1, False)

    def forward(self, s8: Tensor, s16: Tensor, s32: Tensor) -> list[Tensor]:
        l32 = self.lateral32(s32)
        l16 = self.lateral16(self.top16(torch.cat([upsample(l32), s16], 1)))
        p8 = self.top8(torch.cat([upsample(l16), s8], 1))
        p16 = self.out16(torch.cat([self.down8(p8), l16], 1))
        p32 = self.out32(torch.cat([self.down16(p16), l32], 1))
        return [p8, p16, p32]


class Head(nn.Module):
    """One level's predictions: class and objectness logits, box, head point."""

    def __init__(self, c_in: int, classes: int) -> None:
        super().__init__()
        self.stem = Conv(c_in, 64)
        self.cls_conv = nn.Sequential(DWConv(64, 64), DWConv(64, 64))
        self.cls = nn.Conv2d(64, classes, 1)
        self.reg_conv = nn.Sequential(DWConv(64, 64), DWConv(64, 64))
        self.box, self.obj = nn.Conv2d(64, 4, 1), nn.Conv2d(64, 1, 1)
        self.point = nn.Conv2d(64, 4, 1)
        for parameter in self.point.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        cls = self.cls(self.cls_conv(x))
        reg = self.reg_conv(x)
        return torch.cat([self.box(reg), self.obj(reg), cls, self.point(reg)], 1)


class SilhouetteBranch(nn.Module):
    """Person logits at stride 4 from the stride-4 backbone and stride-8 neck features."""

    def __init__(self, c: int = 24) -> None:
        super().__init__()
        self.fine, self.coarse = nn.Conv2d(32, c, 1), nn.Conv2d(64, c, 1)
        self.mix, self.out = Conv(c, c, 3), nn.Conv2d(c, 1, 1)
        if self.out.bias is not None:
            nn.init.constant_(self.out.bias, -2.0)

    def forward(self, s4: Tensor, p8: Tensor) -> Tensor:
        out: Tensor = self.out(self.mix(fn.silu(self.fine(s4) + upsample(self.coarse(p8)))))
        return out


@dataclass(frozen=True)
class Prediction:
    """Undecoded net output; A anchors over strides 8, 16, 32, row-major."""

    box: Tensor  # (N, A, 4) dx, dy, log w, log h in cells
    obj: Tensor | None  # (N, A) logit; None where the score is the class's alone
    cls: Tensor  # (N, A, C) logits
    point: Tensor  # (N, A, 4) head dx, dy, log r in cells; visibility logit
    silhouette: Tensor  # (N, 1, H/4, W/4) logit

    def score(self) -> Tensor:
        """(N, A) probability: class 0, times objectness if the base net was trained so."""
        person = torch.sigmoid(self.cls[..., 0])
        return person if self.obj is None else torch.sigmoid(self.obj) * person

    def float(self) -> Prediction:
        obj = None if self.obj is None else self.obj.float()
        return Prediction(self.box.float(), obj, self.cls.float(), self.point.float(), self.silhouette.float())


class YoloxPersonNet(nn.Module):
    """Tiles (N, 3, H, W) BGR 0..255, H and W multiples of 32, to a `Prediction`."""

    def __init__(self, classes: int = 1) -> None:
        super().__init__()
        self.classes = classes
        self.backbone, self.neck = Backbone(), Neck()
        self.heads = nn.ModuleList(Head(c, classes) for c in (64, 128, 256))
        self.silhouette = SilhouetteBranch()

    def forward(self, image: Tensor) -> Prediction:
        s4, s8, s16, s32 = self.backbone(image)
        levels = self.neck(s8, s16, s32)
        flat = [head(x).flatten(2) for head, x in zip(self.heads, levels, strict=True)]
        raw = torch.cat(flat, 2).transpose(1, 2)
        box, obj, cls, point = torch.split(raw, [4, 1, self.classes, 4], 2)
        return Prediction(box, obj[..., 0], cls, point, self.silhouette(s4, levels[0]))


class ExportNet(nn.Module):
    """The shipped form of a person net: outputs `raw` (N, A, 9) and `silhouette`, sigmoids applied.

    `score_shift` moves the score's logit, so that one table of thresholds fits every net.
    """

    def __init__(self, net: nn.Module, score_shift: float = 0.0) -> None:
        super().__init__()
        self.net, self.odds = net, math.exp(score_shift)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        p: Prediction = self.net(image)
        visible = torch.sigmoid(p.point[..., 3:])
        score = p.score()[..., None]
        score = score * self.odds / (score * self.odds + 1 - score)
        raw = torch.cat([p.box, score, p.point[..., :3], visible], 2)
        return raw, torch.sigmoid(p.silhouette)


def anchor_grid(height_px: int, width_px: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cell corners (A, 2) x, y in cells, and strides (A,) in pixels, in `raw`'s order."""
    cells, strides = [], []
    for s in STRIDES:
        h, w = height_px // s, width_px // s
        y, x = torch.meshgrid(
            torch.arange(h, device=device), torch.arange(w, device=device), indexing="ij"
        )
        cells.append(torch.stack([x, y], -1).reshape(-1, 2).float())
        strides.append(torch.full((h * w,), float(s), device=device))
    return torch.cat(cells), torch.cat(strides)
