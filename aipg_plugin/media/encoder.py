"""Choosing and setting up the video encoder: one slice per frame, key frames by time, hardware if it works."""

from __future__ import annotations

import logging
import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import av
from av.codec.hwaccel import HWAccel

from aipg_plugin.errors import MediaError
from aipg_plugin.frames import PixelFormat
from aipg_plugin.media.info import Colour, StreamInfo
from aipg_plugin.media.pictures import even
from aipg_plugin.media.preset import with_preset
from aipg_plugin.options import Output

_log = logging.getLogger(__name__)
_LOOKAHEAD_FRAMES = 8  # each holds some 20 MB of a 1920² picture; x264 would take 10 to 60
_SOFTWARE = {"h264": "libx264", "hevc": "libx265"}
_HARDWARE = ("nvenc", "videotoolbox", "vaapi", "qsv")
_DEVICE_FILES = {"nvenc": "/dev/nvidiactl", "vaapi": "/dev/dri/renderD128", "qsv": "/dev/dri/renderD128"}
_ONE_THREAD = 20_000_000  # pixels a second at most: a seventh of what a core encodes here with `veryfast`
_KEY_FRAME = av.video.frame.PictureType.I
_NO_TYPE = av.video.frame.PictureType.NONE


@dataclass(frozen=True)
class EncoderSpec:
    """What the encoder is set up for. `size_wh` has even sides; `live` asks for low delay and no B-frames.

    `aspect` is the width by height of a pixel. `paced`: pictures come no faster than the clock.
    """

    size_wh: tuple[int, int]
    pixel_format: str
    fps: float
    time_base: Fraction
    colour: Colour
    live: bool
    aspect: Fraction = Fraction(1)
    paced: bool = False

    @classmethod
    def of(cls, info: StreamInfo, *, live: bool, keep_aspect: bool = False) -> EncoderSpec:
        """The setup that fits a stream. Its own time base is kept where encoders can take it.

        With `keep_aspect` pictures are as large as the source's, its pixels as wide; otherwise pixels are square.
        """
        base = info.time_base
        usable = not live and base.numerator == 1 and 1000 <= base.denominator <= 1_000_000
        nv12 = info.format is PixelFormat.NV12
        colour = Colour(False, 6) if info.format is PixelFormat.BGR24 else info.colour
        size_wh, aspect = (info.stored_wh, info.aspect) if keep_aspect else (info.size_wh, Fraction(1))
        return cls(even(size_wh), "nv12" if nv12 else "yuv420p", info.fps or 25.0,
                   base if usable else Fraction(1, 90000), colour, live, aspect, info.live)


@cache
def _device(encoder: str) -> HWAccel | None:
    """The device an encoder needs frames uploaded to; None for all that take frames from memory."""
    return HWAccel("vaapi") if encoder.endswith("_vaapi") else None


def candidates(codec: str, wanted: str) -> tuple[str, ...]:
    """Encoders to try, in order: the one named, or hardware whose driver is there and then software."""
    if codec not in _SOFTWARE:
        raise MediaError("no encoder for codec {codec}", path="output.codec", cure="Use h264 or hevc", codec=codec)
    if wanted != "auto":
        return (wanted,)
    present = [f"{codec}_{name}" for name in _HARDWARE
               if (sys.platform == "darwin" if name == "videotoolbox" else os.path.exists(_DEVICE_FILES[name]))]
    return (*(name for name in present if name in av.codecs_available), _SOFTWARE[codec])


def pick_encoder(output: Output, spec: EncoderSpec) -> str:
    """Name of the first encoder that opens with these settings. Raises MediaError if none does."""
    failures = []
    for name in candidates(output.codec, output.encoder):
        try:
            context = new_context(name)
            configure(context, name, output, spec)
            context.open()
            return name
        except (av.FFmpegError, ValueError, NotImplementedError, OSError) as error:
            failures.append(f"{name}: {getattr(error, 'strerror', None) or error}")
            _log.info("encoder %s does not open", name)
    raise MediaError("no encoder opens for {width}x{height} ({failures})", path="output.encoder",
                     cure="Set encoder to auto or libx264, and check preset, crf and bitrate_kbps",
                     width=spec.size_wh[0], height=spec.size_wh[1], failures="; ".join(failures))


def new_context(name: str) -> Any:
    """A stand-alone encoder context by name."""
    return av.CodecContext.create(name, "w", hwaccel=_device(name))


def configure(context: Any, name: str, output: Output, spec: EncoderSpec) -> None:
    """Set every property of a context that is not open yet."""
    context.width, context.height = spec.size_wh
    context.pix_fmt = "nv12" if name.endswith("_qsv") else spec.pixel_format
    context.time_base = spec.time_base
    context.framerate = Fraction(spec.fps).limit_denominator(1001)
    context.gop_size = max(1, math.ceil(output.gop_s * spec.fps))
    context.color_range = 2 if spec.colour.full_range else 1
    context.colorspace = spec.colour.matrix
    context.color_primaries = spec.colour.primaries
    context.color_trc = spec.colour.transfer
    context.sample_aspect_ratio = spec.aspect
    if output.bitrate_kbps:
        context.bit_rate = output.bitrate_kbps * 1000
    context.options = _options(name, output, spec)
    if spec.live:
        context.max_b_frames = 0
    if name in _SOFTWARE.values():
        context.thread_count = _threads(name, spec)


def _threads(name: str, spec: EncoderSpec) -> int:
    """Threads for a software encoder, 0 for as many as it likes.

    One where that is enough for pictures that come no faster than the clock: each of x264's holds pictures (9 MB at
    960²), costs a tenth more CPU time, and delays `live` ones by a frame.
    """
    if name == "libx264" and (spec.paced or spec.live) and math.prod(spec.size_wh) * spec.fps <= _ONE_THREAD:
        return 1
    return min(2, os.cpu_count() or 1) if spec.live else 0


def _options(name: str, output: Output, spec: EncoderSpec) -> dict[str, str]:
    output = with_preset(output)
    options = {"forced-idr": "1"}
    if output.bitrate_kbps:
        options |= {"maxrate": f"{output.bitrate_kbps}k", "bufsize": f"{2 * output.bitrate_kbps}k"}
    if name in _SOFTWARE.values():
        options["preset"] = output.preset
        if not output.bitrate_kbps:
            options["crf"] = str(output.crf)
        if spec.live:
            options["tune"] = "zerolatency"
        if name == "libx264":  # zerolatency would cut each frame into slices, one per thread
            options["x264-params"] = f"sliced-threads=0:slices=0:rc-lookahead={_LOOKAHEAD_FRAMES}:sync-lookahead=0"
        else:
            options["x265-params"] = "slices=1:log-level=none"
        return options
    if not output.bitrate_kbps:
        quality = {"nvenc": "cq", "vaapi": "qp", "qsv": "global_quality"}.get(name.rpartition("_")[2])
        options |= {quality: str(output.crf)} if quality else {}
    if spec.live and name.endswith("_nvenc"):
        options |= {"zerolatency": "1", "delay": "0"}
    return {key: value for key, value in options.items() if key != "forced-idr" or name.endswith("_nvenc")}


class Encoder:
    """An open encoder that makes a key frame at least every `gop_s` seconds, at any frame rate."""

    def __init__(self, output: Output, spec: EncoderSpec, make_context: Callable[[str], Any] = new_context,
                 name: str | None = None) -> None:
        self.name = name or pick_encoder(output, spec)
        self.spec = spec
        self._gop_s = output.gop_s
        self._last_key_s: float | None = None
        self.context = make_context(self.name)
        configure(self.context, self.name, output, spec)

    def encode(self, picture: Any, time_s: float, *, key: bool = False) -> list[Any]:
        """Encode one picture shown at `time_s`; packets come out, possibly of earlier pictures."""
        picture.pts = round(time_s / self.spec.time_base)
        picture.time_base = self.spec.time_base
        due = self._last_key_s is None or time_s - self._last_key_s >= self._gop_s - 1e-6
        picture.pict_type = _KEY_FRAME if due or key else _NO_TYPE
        if due or key:
            self._last_key_s = time_s
        return list(self.context.encode(picture))

    def flush(self) -> list[Any]:
        """The packets still inside; afterwards the encoder is of no more use."""
        return list(self.context.encode(None)) if self._last_key_s is not None else []
