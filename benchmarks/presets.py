"""What the presets that `auto` stands for take and give: CPU time, bits, and how like the original the picture is.

    python -m benchmarks.presets [CLIP ...]           # default: the sample and two of many_cameras' clips

Each clip is encoded in turn with each preset, in one thread, as a recording; the less of two runs counts. The crf is
what `media/preset.py` takes. `unlike` is 100 × (1 − SSIM) of the luma, mean over every tenth picture.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.media.encoder import Encoder, EncoderSpec
from aipg_plugin.media.info import StreamInfo
from aipg_plugin.media.preset import with_preset
from aipg_plugin.options import Output, OutputKind
from aipg_plugin.resources import resource_path
from benchmarks.many_clips import ClipMaker, clips_folder

_PICTURES, _EVERY = 60, 10
_FPS = 10.0
_STREAMS = {"veryfast": 1, "ultrafast": 8}  # of 960² at 10 frames a second on one core


def main() -> int:
    """Print a line for each clip and preset."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", metavar="CLIP")
    clips = [Path(one) for one in parser.parse_args().clips] or _usual_clips()
    print(f"{'clip':12} {'preset':10} {'crf':>3} {'ms a frame':>10} {'kbit/s':>7} {'unlike':>6}")
    for clip in clips:
        pictures = _pictures(clip)
        for wanted, streams in _STREAMS.items():
            output = with_preset(Output(OutputKind.FILE, encoder="libx264"), StreamInfo((960, 960), fps=_FPS),
                                 streams=streams)
            assert output.preset == wanted
            ms, kbit_s, unlike = min(_encoded(output, pictures) for _ in range(2))
            print(f"{clip.stem:12} {output.preset:10} {output.crf:3} {ms:10.2f} {kbit_s:7.0f} {unlike:6.2f}",
                  flush=True)
    return 0


def _usual_clips() -> list[Path]:
    maker = ClipMaker(clips_folder())
    return [resource_path("samples", "lobby.mp4"), maker.busy().path, maker.calm(0).path]


def _pictures(clip: Path) -> list[NDArray[np.uint8]]:
    found = []
    with av.open(str(clip)) as container:
        for _, frame in zip(range(_PICTURES), container.decode(video=0), strict=False):
            found.append(np.asarray(frame.to_ndarray(format="yuv420p"), np.uint8))
    return found


def _encoded(output: Output, pictures: list[NDArray[np.uint8]]) -> tuple[float, float, float]:
    """CPU ms a frame, kbit/s and unlikeness."""
    h, w = pictures[0].shape[0] * 2 // 3, pictures[0].shape[1]
    spec = replace(EncoderSpec.of(StreamInfo((w, h), fps=_FPS), live=False), paced=True)
    encoder = Encoder(output, spec, name="libx264")
    frames = [av.VideoFrame.from_ndarray(one, "yuv420p") for one in pictures]
    start_s = time.thread_time()
    packets = [packet for index, frame in enumerate(frames) for packet in encoder.encode(frame, index / _FPS)]
    packets += encoder.flush()
    took_s = time.thread_time() - start_s
    decoder: Any = av.CodecContext.create("h264", "r")
    decoder.extradata = encoder.context.extradata
    shown = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
    unlike = [1 - _ssim(one[:h], two.to_ndarray(format="yuv420p")[:h])
              for one, two in list(zip(pictures, shown, strict=True))[_EVERY // 2::_EVERY]]
    bits = 8 * sum(packet.size for packet in packets)
    return 1000 * took_s / len(frames), bits / len(frames) * _FPS / 1000, 100 * float(np.mean(unlike))


def _ssim(one: NDArray[np.uint8], two: NDArray[np.uint8]) -> float:
    """Structural similarity of two grey pictures (Wang et al. 2004), windows of 11 × 11 px."""
    a, b = one.astype(np.float32), two.astype(np.float32)

    def mean(picture: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.GaussianBlur(picture, (11, 11), 1.5), np.float32)

    ma, mb = mean(a), mean(b)
    va, vb, both = mean(a * a) - ma * ma, mean(b * b) - mb * mb, mean(a * b) - ma * mb
    small, smaller = (0.03 * 255) ** 2, (0.01 * 255) ** 2
    return float(np.mean((2 * ma * mb + smaller) * (2 * both + small) /
                         ((ma * ma + mb * mb + smaller) * (va + vb + small))))


if __name__ == "__main__":
    sys.exit(main())
