"""Small real clips whose every frame carries its number, and guarded frames of them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.frames import Frame, GuardedFrame, PixelFormat, _mint_guarded, plane_shapes
from aipg_plugin.states import State

BITS = 8
SIZE_WH = (160, 120)


def numbered(number: int, size_wh: tuple[int, int] = SIZE_WH) -> NDArray[np.uint8]:
    """A (H, W) luma picture: `number` as eight black or white stripes, over a gradient that moves."""
    w, h = size_wh
    luma = (np.add.outer(np.arange(h) // 2, np.arange(w)) + 3 * number) % 64 + 90
    step = w // BITS
    for bit in range(BITS):
        luma[:h // 2, bit * step:(bit + 1) * step] = 235 if number >> bit & 1 else 16
    return luma.astype(np.uint8)


def number_of(luma: NDArray[np.uint8]) -> int:
    """The number a picture carries, after any lossy encode."""
    h, w = luma.shape
    step = w // BITS
    return sum(int(luma[h // 8:h // 3, bit * step + step // 4:(bit + 1) * step - step // 4].mean() > 128) << bit
               for bit in range(BITS))


def picture_of(luma: NDArray[np.uint8], pix_fmt: str = "yuv420p", *, full_range: bool = False) -> av.VideoFrame:
    """A grey picture in any pixel format, its luma values kept."""
    if pix_fmt.startswith("gray"):
        return av.VideoFrame.from_ndarray(luma, format="gray").reformat(format=pix_fmt)
    h, w = luma.shape
    picture = av.VideoFrame(w, h, "yuv420p")
    for index, plane in enumerate(picture.planes):
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        rows[:, :plane.width] = 128 if index else luma
    same = 2 if full_range or pix_fmt.startswith("yuvj") else 1
    picture = picture.reformat(format=pix_fmt, src_color_range=same, dst_color_range=same, threads=1)
    picture.color_range = same
    return picture


def guarded(number: int, *, pts_s: float | None, size_wh: tuple[int, int] = SIZE_WH,
            pixel_format: PixelFormat = PixelFormat.I420, wall_time_s: float = 1.7e9,
            noise: bool = False, stream: str = "1") -> GuardedFrame:
    """A guarded frame that carries `number`; with `noise` its lower half costs an encoder much."""
    luma = numbered(number, size_wh)
    if noise:
        luma[size_wh[1] // 2:] = np.random.default_rng(number).integers(16, 236, luma[size_wh[1] // 2:].shape)
    shapes = plane_shapes(pixel_format, size_wh)
    if pixel_format is PixelFormat.BGR24:
        planes: tuple[NDArray[np.uint8], ...] = (np.repeat(luma[..., None], 3, axis=2),)
    else:
        planes = (luma, *(np.full(shape, 128, np.uint8) for shape in shapes[1:]))
    return _mint_guarded(stream=stream, seq=number, pts_s=pts_s, wall_time_s=wall_time_s, format=pixel_format,
                         size_wh=size_wh, planes=planes, state=State.GUARDING, reason="")


def as_guarded(frame: Frame) -> GuardedFrame:
    """A frame passed off as guarded: what leaves is what came."""
    return _mint_guarded(stream=frame.stream, seq=frame.seq, pts_s=frame.pts_s, wall_time_s=frame.wall_time_s,
                         format=frame.format, size_wh=frame.size_wh,
                         planes=tuple(np.array(plane) for plane in frame.planes), state=State.GUARDING, reason="")


def write_clip(path: Path, *, frames: int = 25, fps: int = 25, size_wh: tuple[int, int] = SIZE_WH,
               codec: str = "libx264", pix_fmt: str = "yuv420p", audio: bool = False, full_range: bool = False,
               pts: list[int] | None = None, options: dict[str, str] | None = None) -> Path:
    """Encode numbered pictures; `pts` in 1/1000 s, if given, else evenly spaced."""
    with av.open(str(path), "w") as box:
        video: Any = box.add_stream(codec, rate=fps)
        video.width, video.height = size_wh
        video.pix_fmt = pix_fmt
        video.codec_context.options = options or ({"preset": "ultrafast", "crf": "15"} if "x264" in codec else {})
        video.codec_context.gop_size = fps // 2
        if full_range:
            video.codec_context.color_range = 2
        base = Fraction(1, 1000) if pts else Fraction(1, fps)
        video.codec_context.time_base = base
        sound: Any = box.add_stream("aac", rate=48000) if audio else None
        for number in range(frames):
            picture = picture_of(numbered(number, size_wh), pix_fmt, full_range=full_range)
            picture.pts, picture.time_base = pts[number] if pts else number, base
            box.mux(video.encode(picture))
        box.mux(video.encode(None))
        if sound is not None:
            _write_sound(box, sound, frames / fps)
    return path


def _write_sound(box: Any, sound: Any, seconds: float) -> None:
    for start in range(0, int(48000 * seconds), 1024):
        wave = np.sin(2 * np.pi * 440 * np.arange(start, start + 1024) / 48000, dtype=np.float32)
        chunk = av.AudioFrame.from_ndarray(np.stack((wave, wave)), format="fltp", layout="stereo")
        chunk.sample_rate, chunk.pts = 48000, start
        box.mux(sound.encode(chunk))
    box.mux(sound.encode(None))


def read_clip(path: Path, *, cut_off: bool = False) -> tuple[list[int], list[float]]:
    """Numbers and times (s) of a clip's frames, decoded plainly; `cut_off` forgives a broken end."""
    numbers, times_s = [], []
    with av.open(str(path)) as box:
        try:
            for picture in box.decode(video=0):
                numbers.append(number_of(picture.reformat(format="gray").to_ndarray()))
                times_s.append(float(picture.pts * picture.time_base))
        except av.error.InvalidDataError:
            if not cut_off:
                raise
    return numbers, times_s
