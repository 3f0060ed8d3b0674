"""How restless masks look: what of them changes visibly from one frame to the next.

    python -m benchmarks.flicker [CLIP ...] [--mode offline|simulated] [--sensitivity high] [--cache FOLDER] [--json]

Clips, modes and the cache are those of `benchmarks.fit`. Of the blocks of 2 × 2 px that lie well inside masks in two
frames in a row, the share whose luma has changed by more than 16 or whose chroma by more than 8, in percent: mean and
95th percentile over frames, at each blur intensity. `unmoved` counts only blocks that the same figures cover in both:
nothing has moved there, so a colour that changes is one too many. The rest is people who pass before one another.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.detection.onnx import PersonNet
from aipg_plugin.detection.tiles import THOROUGH
from aipg_plugin.frames import PixelFormat, Planes
from aipg_plugin.guard import layout
from aipg_plugin.guard.assembly import make_guard
from aipg_plugin.masking import Background, MaskPainter, MaskPlan
from aipg_plugin.options import BlurIntensity, MaskingMethod, Sensitivity
from aipg_plugin.resources import resource_path
from benchmarks.fit import as_video, asked, camera_for, frames_of, simulated, simulated_guard

_LUMA, _CHROMA = 16, 8  # changes that are seen
_INSIDE = np.ones((5, 5), np.uint8)


@dataclass(frozen=True, eq=False)
class Painted:
    """A masked frame, in blocks (H/2, W/2): its colours, what lies well inside masks, and which figures cover it."""

    yuv: NDArray[np.int16]
    inside: NDArray[np.bool_]
    cover: NDArray[np.int64]


class WatchedPainter(MaskPainter):
    """A painter that hands what it paints to `seen`."""

    seen: list[Painted | None] = []  # noqa: RUF012 - of all painters, emptied before each clip

    def paint(self, planes: Planes, plan: MaskPlan, t_s: float, background: Background | None = None) -> float:
        """As MaskPainter.paint."""
        share = super().paint(planes, plan, t_s, background)
        if plan.full:
            self.seen.append(None)
            return share
        cover = np.zeros(self._region.level.shape, np.int64)
        for part in self._region.parts:
            own = 1 if part.key < 0 else (part.key + 2) * 2654435761 % (1 << 40)  # sums tell sets apart
            cover[part.rect.slices] += part.patch.bits * np.int64(own)
        y, u, v = planes
        h, w = u.shape
        small = np.pad(y, ((0, 2 * h - y.shape[0]), (0, 2 * w - y.shape[1])), mode="edge")[::2, ::2]
        self.seen.append(Painted(np.stack([small, u, v]).astype(np.int16),
                                 cv2.erode(np.asarray(self._region.level > 0).view(np.uint8), _INSIDE) > 0, cover))
        return share


@dataclass
class Flicker:
    """Shares of frames."""

    shares: list[float] = field(default_factory=list)
    blocks: Counter[str] = field(default_factory=Counter)

    def add(self, before: Painted, after: Painted) -> None:
        """Compare two frames in a row."""
        both = before.inside & after.inside
        apart = np.abs(after.yuv - before.yuv)
        changed = both & ((apart[0] > _LUMA) | (apart[1] + apart[2] > _CHROMA))
        self.blocks += Counter(both=int(both.sum()), changed=int(changed.sum()),
                               unmoved=int((changed & (before.cover == after.cover)).sum()))
        self.shares.append(changed.sum() / max(1, both.sum()))

    def row(self) -> dict[str, float]:
        """The figures, in percent."""
        both = max(1, self.blocks["both"])
        return {"flicker": 100 * self.blocks["changed"] / both, "unmoved": 100 * self.blocks["unmoved"] / both,
                "p95": 100 * float(np.percentile(self.shares or [0.0], 95))}


def painted(clip: Path, mode: str, sensitivity: Sensitivity, intensity: BlurIntensity,
            net: PersonNet) -> Iterator[tuple[Painted, Painted]]:
    """Frames in a row of a clip, masked by the guard."""
    camera = camera_for(clip, sensitivity, masking_method=MaskingMethod.BLURRING, blur_intensity=intensity)
    WatchedPainter.seen.clear()
    layout.MaskPainter = WatchedPainter  # type: ignore[attr-defined]
    frames = (frame for frame in frames_of(clip) if frame.format is PixelFormat.I420)
    if mode == "simulated":
        guard = simulated_guard(camera, net)
        for _ in simulated(frames, guard):
            pass
    else:
        guard = make_guard(camera, net, live=False, plan=THOROUGH)
        for frame in frames:
            guard.process(frame)
    guard.flush("1")
    guard.close()
    for before, after in pairwise(WatchedPainter.seen):
        if before is not None and after is not None and before.yuv.shape == after.yuv.shape:
            yield before, after


def main() -> int:
    """Run and print."""
    options, net = asked(__doc__)
    if options.mode == "live":
        print("live runs are not the same twice: use --mode simulated", file=sys.stderr)
        return 2
    rows: dict[str, dict[str, float]] = {}
    for given in options.clips or [resource_path("samples", "lobby.mp4")]:
        clip = as_video(given)
        for intensity in BlurIntensity:
            flicker = Flicker()
            for before, after in painted(clip, options.mode, Sensitivity(options.sensitivity), intensity, net):
                flicker.add(before, after)
            rows[f"{clip.stem} {intensity.value}"] = flicker.row()
    if options.json:
        print(json.dumps(rows, indent=1))
        return 0
    for name, row in rows.items():
        print(f"{name:20s} " + "  ".join(f"{key} {value:6.2f}" for key, value in row.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
