"""The software encoder's preset that `auto` stands for: a faster one where a machine has many pictures to encode."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from aipg_plugin.media.info import StreamInfo
from aipg_plugin.options import Camera, Output, Stream

AUTO = "auto"
_USUAL = "veryfast"
# Pixels a second to a core from which on a preset is taken, and what its crf is more by for a picture as like the
# original (SSIM within a tenth). x264 takes a third less time with 1.3 times the bits, and two thirds less with twice
# the bits (`python -m benchmarks.presets`).
_FASTER = ((25e6, "ultrafast", 3), (12e6, "superfast", 2))
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
    for least, preset, more in _FASTER:
        if load > least:
            return replace(output, preset=preset, crf=min(_MOST_CRF, output.crf + more))
    return replace(output, preset=_USUAL)
