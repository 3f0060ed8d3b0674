"""RTMDet-nano's layout with the heads of `training.net`: one class, a head point and a silhouette.

Layout after RTMDet (Lyu et al. 2022, arXiv 2212.07784; weights Apache-2.0, OpenMMLab), written anew: CSPNeXt of depth
0.33 and width 0.25 with channel attention, CSPNeXt-PAFPN, separate heads per level. Batch norms are folded into the
convolutions, as in the published ONNX file.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from training.net import SPP, Conv, DWConv, Prediction, SilhouetteBranch, upsample

# MMDetection's normalisation of BGR 0..255; the published file takes pictures normalised already.
MEAN_BGR, STD_BGR = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)
LEAST_CELLS = 0.05  # smallest width and height of a box, in cells: distances may come out negative


class Block(nn.Module):
    """Depthwise separable 3x3, then 5x5."""

    def __init__(self, c: int, shortcut: bool) -> None:
        super().__init__()
        self.near, self.far, self.shortcut = DWConv(c, c), nn.Sequential(Conv(c, c, 5, groups=c), Conv(c, c)), shortcut

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.far(self.near(x))
        return x + y if self.shortcut else y


class Attention(nn.Module):
    """Every channel weighed by what the whole picture shows."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.fc = nn.Conv2d(c, c, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * fn.hardsigmoid(self.fc(fn.adaptive_avg_pool2d(x, 1)))


class CSPNeXt(nn.Module):
    """Two half-width branches, one through n blocks, joined by a 1x1; `attention` in the backbone alone."""

    def __init__(self, c_in: int, c_out: int, n: int, shortcut: bool, attention: bool) -> None:
        super().__init__()
        half = c_out // 2
        self.side, self.deep = Conv(c_in, half), Conv(c_in, half)
        self.blocks = nn.Sequential(*(Block(half, shortcut) for _ in range(n)))
        self.attention = Attention(c_out) if attention else nn.Identity()
        self.join = Conv(c_out, c_out)

    def forward(self, x: Tensor) -> Tensor:
        side = self.side(x)
        out: Tensor = self.join(self.attention(torch.cat([self.blocks(self.deep(x)), side], 1)))
        return out


class RtmBackbone(nn.Module):
    """Image to features at strides 4, 8, 16, 32 (32, 64, 128, 256 channels)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(Conv(3, 8, 3, 2), Conv(8, 8, 3), Conv(8, 16, 3))
        self.s4 = nn.Sequential(DWConv(16, 32, 2), CSPNeXt(32, 32, 1, True, True))
        self.s8 = nn.Sequential(DWConv(32, 64, 2), CSPNeXt(64, 64, 2, True, True))
        self.s16 = nn.Sequential(DWConv(64, 128, 2), CSPNeXt(128, 128, 2, True, True))
        self.s32 = nn.Sequential(DWConv(128, 256, 2), SPP(256), CSPNeXt(256, 256, 1, False, True))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        s4 = self.s4(self.stem(x))
        s8 = self.s8(s4)
        s16 = self.s16(s8)
        return s4, s8, s16, self.s32(s16)


class RtmNeck(nn.Module):
    """Path aggregation: down the pyramid, then up again; 64 channels at every level."""

    def __init__(self) -> None:
        super().__init__()
        self.lateral32, self.top16 = Conv(256, 128), CSPNeXt(256, 128, 1, False, False)
        self.lateral16, self.top8 = Conv(128, 64), CSPNeXt(128, 64, 1, False, False)
        self.down8, self.out16 = DWConv(64, 64, 2), CSPNeXt(128, 128, 1, False, False)
        self.down16, self.out32 = DWConv(128, 128, 2), CSPNeXt(256, 256, 1, False, False)
        self.narrow = nn.ModuleList(DWConv(c, 64) for c in (64, 128, 256))

    def forward(self, s8: Tensor, s16: Tensor, s32: Tensor) -> list[Tensor]:
        l32 = self.lateral32(s32)
        l16 = self.lateral16(self.top16(torch.cat([upsample(l32), s16], 1)))
        p8 = self.top8(torch.cat([upsample(l16), s8], 1))
        p16 = self.out16(torch.cat([self.down8(p8), l16], 1))
        p32 = self.out32(torch.cat([self.down16(p16), l32], 1))
        return [narrow(p) for narrow, p in zip(self.narrow, (p8, p16, p32), strict=True)]


class RtmHead(nn.Module):
    """One level's predictions (N, 9, h, w): box in YOLOX's terms, score logit, head point."""

    def __init__(self) -> None:
        super().__init__()
        self.cls_conv = nn.Sequential(DWConv(64, 64), DWConv(64, 64))
        self.cls = nn.Conv2d(64, 1, 1)
        self.reg_conv = nn.Sequential(DWConv(64, 64), DWConv(64, 64))
        self.box = nn.Conv2d(64, 4, 1)  # distances to the left, top, right, bottom from the cell's corner, in cells
        self.point = nn.Conv2d(64, 4, 1)
        for parameter in self.point.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        cls = self.cls(self.cls_conv(x))
        reg = self.reg_conv(x)
        low, high = self.box(reg).split(2, 1)
        box = torch.cat([(high - low) / 2, (high + low).clamp(min=LEAST_CELLS).log()], 1)
        return torch.cat([box, cls, self.point(reg)], 1)


class RtmPersonNet(nn.Module):
    """Tiles (N, 3, H, W) BGR 0..255, H and W multiples of 32, to a `Prediction` without objectness."""

    mean: Tensor
    std: Tensor
    normalises = True

    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.neck = RtmBackbone(), RtmNeck()
        self.heads = nn.ModuleList(RtmHead() for _ in range(3))
        self.silhouette = SilhouetteBranch(16)  # narrower than YOLOX-nano's: a tile must cost no more
        self.register_buffer("mean", torch.tensor(MEAN_BGR).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD_BGR).view(1, 3, 1, 1), persistent=False)

    @torch.no_grad()
    def fold_normalisation(self) -> None:
        """Move the normalisation into the first convolution, which saves 3 % of a tile's time.

        Beyond the tile's upper and left border the convolution then sees black instead of the mean colour.
        """
        first = next(m for m in self.backbone.stem.modules() if isinstance(m, nn.Conv2d))
        if first.bias is not None:
            first.bias -= (first.weight * (self.mean / self.std)).sum((1, 2, 3))
        first.weight /= self.std
        self.mean.zero_()
        self.std.fill_(1.0)
        self.normalises = False

    def forward(self, image: Tensor) -> Prediction:
        x = (image - self.mean) / self.std if self.normalises else image
        s4, s8, s16, s32 = self.backbone(x)
        levels = self.neck(s8, s16, s32)
        flat = [head(x).flatten(2) for head, x in zip(self.heads, levels, strict=True)]
        box, cls, point = torch.split(torch.cat(flat, 2).transpose(1, 2), [4, 1, 4], 2)
        return Prediction(box, None, cls, point, self.silhouette(s4, levels[0]))
