"""Pictures that hold no pixel of the scene, or only guarded ones: stills and the last resort."""

from __future__ import annotations

import cv2
import numpy as np

from aipg_plugin.frames import PixelFormat, Planes, plane_shapes

_GREY = 96  # level of the picture that leaves when masking has failed


def blank(pixel_format: PixelFormat, size_wh: tuple[int, int]) -> Planes:
    """Grey planes that depend on nothing: what leaves when masking itself has failed."""
    shapes = plane_shapes(pixel_format, size_wh)
    if pixel_format is PixelFormat.BGR24:
        return (np.full(shapes[0], _GREY, np.uint8),)
    return (np.full(shapes[0], _GREY, np.uint8), *(np.full(shape, 128, np.uint8) for shape in shapes[1:]))


def caption(pixel_format: PixelFormat, planes: Planes, text: str) -> None:
    """Write one line of text into the lower left of a guarded picture, in place, white on black."""
    luma = planes[0]
    height, width = luma.shape[:2]
    scale = max(0.4, min(width, height) / 900)
    (text_w, text_h), base = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    pad = max(2, int(8 * scale))
    top = max(0, height - text_h - base - 2 * pad)
    right = min(width, text_w + 2 * pad)
    black, white = ((16, 235) if pixel_format is not PixelFormat.BGR24 else ((0, 0, 0), (255, 255, 255)))
    strip = np.ascontiguousarray(luma[top:, :right])
    strip[:] = black
    cv2.putText(strip, text, (pad, pad + text_h), cv2.FONT_HERSHEY_SIMPLEX, scale, white, 1, cv2.LINE_AA)
    luma[top:, :right] = strip
    if pixel_format is not PixelFormat.BGR24:
        for plane in planes[1:]:
            plane[top // 2:, :(right + 1) // 2] = 128
