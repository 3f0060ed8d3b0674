"""Between the codec library's frames and ours: views in, one copy out."""

from __future__ import annotations

import math

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.frames import OVERREAD, GuardedFrame, PixelFormat, Planes, in_one_piece, plane_shapes
from aipg_plugin.media.info import Colour

_NATIVE = {"yuv420p": PixelFormat.I420, "yuvj420p": PixelFormat.I420, "nv12": PixelFormat.NV12}
AV_NAMES = {PixelFormat.I420: "yuv420p", PixelFormat.NV12: "nv12", PixelFormat.BGR24: "bgr24"}
_MPEG, _JPEG = 1, 2
_RGB_MATRIX = 0  # ISO/IEC 23091-2


def colour_of(picture: av.VideoFrame) -> Colour:
    """Colour description that the planes of `planes_of(picture)` have."""
    name = picture.format.name
    if _as_rgb(picture):
        return Colour(full_range=False, matrix=6)
    full = picture.color_range == _JPEG or name.startswith("yuvj")
    return Colour(full, int(picture.colorspace), int(picture.color_primaries), int(picture.color_trc))


def _as_rgb(picture: av.VideoFrame) -> bool:
    """Whether a frame's values are RGB: as such, by a palette, or marked so though they are grey (PNG)."""
    return picture.format.is_rgb or picture.format.has_palette or int(picture.colorspace) == _RGB_MATRIX


def planes_of(picture: av.VideoFrame) -> tuple[PixelFormat, Planes]:
    """Read-only planes of a decoded frame: views for I420 and NV12, one conversion to I420 for all else.

    The values' range (full or limited) is kept; RGB becomes limited-range BT.601.
    """
    pixel_format = _NATIVE.get(picture.format.name)
    if pixel_format is None or any(plane.line_size <= 0 for plane in picture.planes):
        rgb = _as_rgb(picture)
        same_range = colour_of(picture).full_range or (picture.format.name.startswith("gray") and not rgb)
        wanted = _JPEG if same_range else _MPEG  # the scaler takes every gray for full range: keep its values
        matrix = None if rgb else "ITU601"  # YUV keeps its own; naming any keeps the scaler from refusing some
        picture = picture.reformat(format="yuv420p", src_color_range=_JPEG if rgb else wanted, dst_color_range=wanted,
                                   src_colorspace=matrix, dst_colorspace=matrix, interpolation="BICUBIC")
        pixel_format = PixelFormat.I420
    planes = tuple(_view(picture, index, shape) for index, shape in
                   enumerate(plane_shapes(pixel_format, (picture.width, picture.height))))
    for plane in planes:
        plane.setflags(write=False)
    return pixel_format, planes


def _view(picture: av.VideoFrame, index: int, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    plane = picture.planes[index]
    row_bytes = math.prod(shape[1:])
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[:shape[0], :row_bytes].reshape(shape) if row_bytes == plane.line_size else \
        np.lib.stride_tricks.as_strided(rows, shape, _strides(plane.line_size, shape))


def _strides(line_size: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return (line_size, shape[2], 1) if len(shape) == 3 else (line_size, 1)


def even(size_wh: tuple[int, int]) -> tuple[int, int]:
    """Smallest size with even sides that holds `size_wh`: what 4:2:0 encoders take."""
    return size_wh[0] + size_wh[0] % 2, size_wh[1] + size_wh[1] % 2


def to_picture(guarded: GuardedFrame) -> av.VideoFrame:
    """A guarded frame as an encoder's frame, to be read only: a view of its planes where they lie in one piece (the
    frame's memory is then held as long as the picture is), otherwise one copy.

    Odd sides gain a copy of their last row or column.
    """
    width, height = even(guarded.size_wh)
    if guarded.format is PixelFormat.I420 and (whole := in_one_piece(guarded.planes, OVERREAD)) is not None:
        return av.VideoFrame.from_numpy_buffer(whole, format="yuv420p")
    picture = av.VideoFrame(width, height, AV_NAMES[guarded.format])
    for index, (source, shape) in enumerate(zip(guarded.planes, plane_shapes(guarded.format, (width, height)),
                                                strict=True)):
        target = _view(picture, index, shape)
        rows, columns = source.shape[:2]
        target[:rows, :columns] = source
        if columns < shape[1]:
            target[:rows, columns:] = target[:rows, columns - 1:columns]
        if rows < shape[0]:
            target[rows:] = target[rows - 1]
    return picture


def squeezed(picture: av.VideoFrame, size_wh: tuple[int, int]) -> av.VideoFrame:
    """Scale each axis of a picture on its own to `size_wh` (even sides), for pixels that are not square."""
    if (picture.width, picture.height) == size_wh:
        return picture
    source, out = picture.reformat(format="yuv420p"), av.VideoFrame(*size_wh, "yuv420p")
    shapes = zip(plane_shapes(PixelFormat.I420, (picture.width, picture.height)),
                 plane_shapes(PixelFormat.I420, size_wh), strict=True)
    for index, (old, new) in enumerate(shapes):
        _view(out, index, new)[:] = cv2.resize(_view(source, index, old), new[::-1], interpolation=cv2.INTER_AREA)
    return out


def letterboxed(picture: av.VideoFrame, size_wh: tuple[int, int]) -> av.VideoFrame:
    """Scale a picture into `size_wh` (even sides) keeping its shape, black bars around it; I420."""
    if (picture.width, picture.height) == size_wh:
        return picture
    scale = min(size_wh[0] / picture.width, size_wh[1] / picture.height)
    inner = [max(2, round(side * scale) // 2 * 2) for side in (picture.width, picture.height)]
    source = picture.reformat(format="yuv420p")
    out = av.VideoFrame(*size_wh, "yuv420p")
    left, top = (size_wh[0] - inner[0]) // 4 * 2, (size_wh[1] - inner[1]) // 4 * 2
    shapes = zip(plane_shapes(PixelFormat.I420, (picture.width, picture.height)),
                 plane_shapes(PixelFormat.I420, size_wh), strict=True)
    for index, (old, new) in enumerate(shapes):
        half = 2 if index else 1
        target = _view(out, index, new)
        target[:] = 128 if index else 16
        x, y, w, h = (value // half for value in (left, top, *inner))
        target[y:y + h, x:x + w] = cv2.resize(_view(source, index, old), (w, h), interpolation=cv2.INTER_AREA)
    return out
