"""Frames as they come in, and guarded frames as they go out: the only currency of sinks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NoReturn, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.errors import GuardError

Planes = tuple[NDArray[np.uint8], ...]


class PixelFormat(StrEnum):
    """Layouts the guard masks natively."""

    I420 = "i420"
    NV12 = "nv12"
    BGR24 = "bgr24"


def plane_shapes(pixel_format: PixelFormat, size_wh: tuple[int, int]) -> tuple[tuple[int, ...], ...]:
    """Shapes of the planes of a picture; chroma sizes round up, so odd pictures keep their last column."""
    w, h = size_wh
    cw, ch = (w + 1) // 2, (h + 1) // 2
    match pixel_format:
        case PixelFormat.I420:
            return (h, w), (ch, cw), (ch, cw)
        case PixelFormat.NV12:
            return (h, w), (ch, cw, 2)
        case PixelFormat.BGR24:
            return ((h, w, 3),)


def _check_planes(pixel_format: PixelFormat, size_wh: tuple[int, int], planes: Planes) -> None:
    wanted = plane_shapes(pixel_format, size_wh)
    got = tuple(plane.shape for plane in planes)
    if got != wanted or any(plane.dtype != np.uint8 for plane in planes):
        raise GuardError("planes {got} do not fit {format} {size}; expected uint8 {wanted}",
                         got=got, format=pixel_format.value, size=size_wh, wanted=wanted)


def planes_to_bgr(pixel_format: PixelFormat, size_wh: tuple[int, int], planes: Planes,
                  to_wh: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Convert planes to a new (H, W, 3) uint8 BGR picture (BT.601 video range), resized to `to_wh` if given.

    Planes are resized before conversion, so a small picture costs little.
    """
    w, h = to_wh or size_wh
    if pixel_format is PixelFormat.BGR24:
        bgr = planes[0] if (w, h) == size_wh else cv2.resize(planes[0], (w, h), interpolation=cv2.INTER_AREA)
        return np.array(bgr, copy=True)
    luma = planes[0] if (w, h) == size_wh else cv2.resize(planes[0], (w, h), interpolation=cv2.INTER_AREA)
    ew, eh = w + (w & 1), h + (h & 1)
    if (ew, eh) != (w, h):
        luma = cv2.copyMakeBorder(luma, 0, eh - h, 0, ew - w, cv2.BORDER_REPLICATE)
    if pixel_format is PixelFormat.NV12:
        chroma = [np.ascontiguousarray(planes[1][..., 0]), np.ascontiguousarray(planes[1][..., 1])]
    else:
        chroma = list(planes[1:])
    half = (ew // 2, eh // 2)
    resized = [c if c.shape[::-1] == half else cv2.resize(c, half, interpolation=cv2.INTER_AREA) for c in chroma]
    packed = np.concatenate([np.ascontiguousarray(luma).reshape(-1), *(c.reshape(-1) for c in resized)])
    bgr = cv2.cvtColor(packed.reshape(eh * 3 // 2, ew), cv2.COLOR_YUV2BGR_I420)
    return np.ascontiguousarray(bgr[:h, :w]).astype(np.uint8, copy=False)


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture from a host, borrowed and read-only for the call.

    `pts_s` is the presentation time in seconds (None if the source gives none), `wall_time_s` seconds since
    the epoch, `planes` uint8 arrays shaped as `plane_shapes` says. Raises GuardError when they are not.
    """

    stream: str
    seq: int
    pts_s: float | None
    wall_time_s: float
    format: PixelFormat
    size_wh: tuple[int, int]
    planes: Planes

    def __post_init__(self) -> None:
        _check_planes(self.format, self.size_wh, self.planes)

    def to_bgr(self, to_wh: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """A new BGR picture, see `planes_to_bgr`. Clear pixels: for the detector only, never for a sink."""
        return planes_to_bgr(self.format, self.size_wh, self.planes, to_wh)


_SLOTS = ("format", "planes", "pts_s", "reason", "seq", "size_wh", "state", "stream", "wall_time_s")


class GuardedFrame:
    """A picture that has passed the guard. It has no public constructor: only `guard/` can mint one."""

    __slots__ = _SLOTS
    stream: str
    seq: int
    pts_s: float | None
    wall_time_s: float
    format: PixelFormat
    size_wh: tuple[int, int]
    planes: Planes
    state: str
    reason: str

    def __init__(self, *_args: object, **_kwargs: object) -> NoReturn:
        raise GuardError("a GuardedFrame cannot be constructed; only the guard makes one")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise GuardError("a GuardedFrame cannot be changed")

    def __reduce__(self) -> NoReturn:
        raise GuardError("a GuardedFrame cannot be pickled")

    def to_bgr(self, to_wh: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """A new (H, W, 3) uint8 BGR picture of the guarded planes."""
        return planes_to_bgr(self.format, self.size_wh, self.planes, to_wh)


def _mint_guarded(**fields: Any) -> GuardedFrame:
    """Make a GuardedFrame. For `guard/` alone (a test holds every other module to that)."""
    _check_planes(fields["format"], fields["size_wh"], fields["planes"])
    guarded: GuardedFrame = object.__new__(cast("type[GuardedFrame]", GuardedFrame))
    for plane in fields["planes"]:
        plane.setflags(write=False)
    for name in _SLOTS:
        object.__setattr__(guarded, name, fields[name])
    return guarded
