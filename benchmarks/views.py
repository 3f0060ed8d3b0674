"""People masked in every capture mode as in the fisheye picture: `python -m benchmarks.views [--every N] [--json]`.

The sample clip is guarded as two streams of one camera: the fisheye picture, and one of the dewarped modes made from
it with `views.Dewarper`, frame by frame. The truth (silhouettes) and the fisheye picture's mask are looked up for each
pixel of the second stream. For each mode:

- leak: silhouette pixels left clear, in the second stream and, of the same pixels, in the fisheye picture's mask;
- masked: masked share of the second stream; expected: what the mask of the fisheye picture would cover of it;
- ratio: the first over the second; spill: pixels masked more than SPILL_PX from what is expected.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.cli.contact_sheet import remembering
from aipg_plugin.cli.demo import settings_for
from aipg_plugin.detection.onnx import PersonNet, load_model
from aipg_plugin.frames import GuardedFrame
from aipg_plugin.geometry import Projection, make_projection
from aipg_plugin.guard.assembly import make_guard
from aipg_plugin.guard.layout import mount_of
from aipg_plugin.options import Camera, CaptureMode, MaskingMethod, Source, Stream, View, Web
from aipg_plugin.resources import resource_path
from aipg_plugin.states import FULL_MOSAIC
from aipg_plugin.views.dewarp import Dewarper
from benchmarks.leak import filled, frames_of

SPILL_PX = 6
_SIZES = {CaptureMode.PANORAMA: (1920, 500), CaptureMode.DOUBLE_PANORAMA: (1600, 800),
          CaptureMode.QUAD_PTZ: (1280, 960), CaptureMode.SINGLE_PTZ: (1280, 720)}
_VIEW = View(90.0, -50.0, 0.0, 100.0)
_STEP_PX = 4
_FILL = "#ff00ff"

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class ModeRow:
    """One mode: shares of pixels, the mean over frames; `ratio_p95` is that of the worst frames."""

    mode: str
    frames: int
    leak: float
    fisheye_leak: float
    masked: float
    expected: float
    ratio: float
    ratio_p95: float
    spill: float


def camera_with(mode: CaptureMode, clip: str) -> Camera:
    """The sample's camera with the fisheye stream and one dewarped one, both guarded."""
    camera = settings_for(clip, Web()).cameras[0]
    second = Stream("2", Source(clip), capture_mode=mode,
                    view=_VIEW if mode is CaptureMode.SINGLE_PTZ else View())
    guard = replace(camera.privacy_guard, target_streams=("1", "2"), masking_method=MaskingMethod.FILLING,
                    fill_colour=_FILL)
    return replace(camera, streams=(*camera.streams, second), privacy_guard=guard)


def measure(mode: CaptureMode, net: PersonNet, every: int) -> ModeRow:
    """Guard both streams and compare their masks."""
    clip = str(resource_path("samples", "lobby.mp4"))
    ids = np.load(resource_path("samples", "lobby.silhouettes.npz"))["ids"]
    camera = camera_with(mode, clip)
    guard = make_guard(camera, net, live=False)
    views: tuple[Dewarper, NDArray[np.float32]] | None = None
    waiting: dict[int, dict[str, Mask | None]] = {}  # by frame: each stream's mask once it has left
    shares: list[tuple[float, float, float, float, float]] = []

    def leave(out: Iterable[GuardedFrame]) -> None:
        for guarded in out:
            masks = waiting.setdefault(guarded.seq, {})
            masks[guarded.stream] = None if guarded.state in FULL_MOSAIC else filled(guarded)
            first, second = masks.get("1"), masks.get("2")
            if first is not None and second is not None and views is not None:
                shares.append(_compare(first, second, ids[guarded.seq], views[1]))
            if len(masks) == 2:
                del waiting[guarded.seq]

    for frame in frames_of(Source(clip, realtime=False)):
        if frame.seq % every or frame.seq >= len(ids):
            continue
        leave(guard.process(frame))
        if views is None:
            layout = guard.stream("1").layout
            assert layout is not None
            fisheye = layout.projection
            target = make_projection(mode, law=fisheye.law, circle=None, mount=mount_of(camera),  # type: ignore[attr-defined]
                                     size_wh=_SIZES[mode], view=camera.streams[1].view)
            views = Dewarper(fisheye, target), _lookup(fisheye, target)
        planes = views[0].planes(frame.format, frame.planes)
        leave(guard.process(replace(frame, stream="2", planes=planes, size_wh=_SIZES[mode])))
    leave([*guard.flush("1"), *guard.flush("2")])
    guard.close()
    masked, expected, leak, fisheye_leak, spill = np.array(shares).T
    ratios = masked / np.maximum(expected, 1e-9)
    return ModeRow(mode.value, len(shares), float(leak.mean()), float(fisheye_leak.mean()), float(masked.mean()),
               float(expected.mean()), float(masked.sum() / expected.sum()), float(np.percentile(ratios, 95)),
               float(spill.mean()))


def _lookup(source: Projection, target: Projection) -> NDArray[np.float32]:
    """(H, W, 2) places in `source` of the pixels of `target`; far outside where there are none."""
    w, h = target.size_wh
    grid = np.stack(np.meshgrid(np.arange(w) + 0.5, np.arange(h) + 0.5), -1).reshape(-1, 2)
    px = source.ray_to_pixel(target.pixel_to_ray(grid)).reshape(h, w, 2)
    return np.asarray(np.nan_to_num(px, nan=-1e4) - 0.5, np.float32)


def _compare(fisheye: Mask, dewarped: Mask, ids: NDArray[np.integer],
             lookup: NDArray[np.float32]) -> tuple[float, float, float, float, float]:
    """Masked share, expected share, leak, leak of the fisheye picture's mask, spill."""
    expected = cv2.remap(fisheye.astype(np.float32), lookup, None, cv2.INTER_LINEAR) > 0.5  # type: ignore[call-overload]
    people = cv2.remap((ids > 0).astype(np.float32), (lookup + 0.5) / _STEP_PX - 0.5, None,  # type: ignore[call-overload]
                       cv2.INTER_LINEAR) > 0.5
    near = cv2.dilate(expected.astype(np.uint8), np.ones((2 * SPILL_PX + 1,) * 2, np.uint8)) > 0
    seen = max(1, int(people.sum()))
    return (float(dewarped.mean()), float(expected.mean()), float((people & ~dewarped).sum() / seen),
            float((people & ~expected).sum() / seen), float((dewarped & ~near).mean()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=6, help="use each n-th frame (default 6: 2.5 fps)")
    parser.add_argument("--modes", nargs="+", type=CaptureMode, default=list(_SIZES))
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    net = remembering(load_model(settings_for("", Web()).models))
    rows = [measure(mode, net, args.every) for mode in args.modes]
    if args.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    print(f"{'mode':17}{'frames':>7}{'leak':>8}{'fisheye':>9}{'masked':>9}{'expected':>10}{'ratio':>7}{'p95':>7}{'spill':>8}")
    for r in rows:
        print(f"{r.mode:17}{r.frames:7}{r.leak:8.2%}{r.fisheye_leak:9.2%}{r.masked:9.2%}{r.expected:10.2%}{r.ratio:7.2f}"
              f"{r.ratio_p95:7.2f}{r.spill:8.2%}")


if __name__ == "__main__":
    main()
