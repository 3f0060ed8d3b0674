"""The software encoder's preset that `auto` stands for: a faster one where a machine has many pictures to encode."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from aipg_plugin.media.info import StreamInfo
from aipg_plugin.options import Camera, Output, Stream

AUTO = "auto"
_USUAL, _FASTER = "veryfast", "ultrafast"
_MUCH = 30e6  # pixels a second to a core: with more the usual preset takes a quarter of the machine
# What the faster preset's crf is more by, for a picture as like the original (SSIM). x264 takes three fifths less time
# then, and twice the bits; `superfast`, in between, saves a fifth for half as much again (`benchmarks.presets`).
_MORE_CRF = 3
_USUAL_FPS = 25.0
_MOST_CRF = 51


def with_presets(stream: Stream, info: StreamInfo, cameras: Iterable[Camera], cores: int) -> tuple[Output, ...]:
    """A stream's outputs, as if all streams of the cameras that have outputs were like it."""
    streams = sum(bool(one.outputs) for camera in cameras if camera.enabled for one in camera.streams)
    return tuple(with_preset(output, info, streams=streams, cores=cores) for output in stream.outputs)


def with_preset(output: Output, info: StreamInfo | None = None, *, streams: int = 1, cores: int = 1) -> Output:
    """An output whose preset is an encoder's: `auto` counts as if `streams` like this one were encoded on `cores`.

    Without `info` it is the usual one.
    """
    if output.preset != AUTO:
        return output
    load = 0.0 if info is None else math.prod(info.size_wh) * (info.fps or _USUAL_FPS) * streams / max(1, cores)
    if load <= _MUCH:
        return replace(output, preset=_USUAL)
    return replace(output, preset=_FASTER, crf=min(_MOST_CRF, output.crf + _MORE_CRF))
