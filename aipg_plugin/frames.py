"""Frames as they come in, and guarded frames as they go out: the only currency of sinks."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NoReturn, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.errors import GuardError
from aipg_plugin.states import State

Planes = tuple[NDArray[np.uint8], ...]
OVERREAD = 64  # bytes that scalers and encoders may read past a picture's end


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


def check_planes(pixel_format: PixelFormat, size_wh: tuple[int, int], planes: Planes) -> None:
    """Raise GuardError unless the planes are uint8 and have the format's shapes."""
    wanted = plane_shapes(pixel_format, size_wh)
    got = tuple(plane.shape for plane in planes)
    if got != wanted or any(plane.dtype != np.uint8 for plane in planes):
        raise GuardError("planes {got} do not fit {format} {size}; expected uint8 {wanted}",
                         got=got, format=pixel_format.value, size=size_wh, wanted=wanted)


def shrunk(picture: NDArray[np.uint8], size_wh: tuple[int, int],
           out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """A uint8 picture (H, W) or (H, W, C) scaled down to `size_wh`, each pixel the mean of those under it.

    In two steps, a mean of whole blocks and a bilinear one for the rest (under 2): many times as fast as cv2.INTER_AREA
    at a factor that is no integer. Blocks are halved as long as that comes out even, which is five times as fast again.
    Larger sizes than the picture's are bilinear. Never the picture itself; in `out`, an array of the result's shape
    with contiguous rows, if given.
    """
    h, w = picture.shape[:2]
    while w % 2 == 0 and h % 2 == 0 and w >= 4 * size_wh[0] and h >= 4 * size_wh[1]:
        picture = np.asarray(cv2.resize(picture, (w // 2, h // 2), interpolation=cv2.INTER_AREA), np.uint8)
        h, w = picture.shape[:2]
    block = max(1, min(w // size_wh[0], h // size_wh[1]))
    if block == 1:
        return np.asarray(cv2.resize(picture, size_wh, dst=out, interpolation=cv2.INTER_LINEAR), np.uint8)
    if w % block == 0 and h % block == 0:
        coarse = cv2.resize(picture, (w // block, h // block), interpolation=cv2.INTER_AREA)
        if out is None and (w // block, h // block) == size_wh:
            return np.asarray(coarse, np.uint8)
        return np.asarray(cv2.resize(coarse, size_wh, dst=out, interpolation=cv2.INTER_LINEAR), np.uint8)
    fine = cv2.resize(picture, (size_wh[0] * block, size_wh[1] * block), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.resize(fine, size_wh, dst=out, interpolation=cv2.INTER_AREA), np.uint8)


class _Pictures:
    """Memory for whole pictures, used again once nothing refers to it: fresh memory costs more than what is done in it.

    `keep` at most are kept, the newest.
    """

    def __init__(self, keep: int = 8) -> None:
        self._keep = keep
        self._lock = threading.Lock()
        self._known: list[NDArray[np.uint8]] = []

    def take(self, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """An array of this shape that nobody else has."""
        with self._lock:
            for index, references in enumerate([sys.getrefcount(one) for one in self._known]):
                if references <= _IDLE_REFERENCES and self._known[index].shape == shape:
                    return self._known[index]
            new = np.empty(shape, np.uint8)
            self._known = [*self._known, new][-self._keep:]
            return new


# What an array shows that only a list refers to; counted, since Python versions differ in what counting takes.
(_IDLE_REFERENCES,) = [sys.getrefcount(one) for one in [np.empty(1, np.uint8)]]
_pictures = _Pictures()


def in_one_piece(planes: Planes, spare: int = 0) -> NDArray[np.uint8] | None:
    """(H * 3/2, W) I420 planes of even sides that lie one after the other in memory, as one array; else None.

    `spare` bytes must follow them in the same memory.
    """
    if len(planes) != 3 or planes[0].shape[0] % 2 or planes[0].shape[1] % 2:
        return None
    base = planes[0].base
    if not isinstance(base, np.ndarray) or base.ndim != 1 or not base.flags.c_contiguous:
        return None
    start = planes[0].ctypes.data - base.ctypes.data
    at = planes[0].ctypes.data
    for plane in planes:
        if plane.base is not base or not plane.flags.c_contiguous or plane.ctypes.data != at:
            return None
        at += plane.nbytes
    h, w = planes[0].shape
    if base.nbytes < start + h * w * 3 // 2 + spare:
        return None
    return base[start:start + h * w * 3 // 2].reshape(h * 3 // 2, w)


def packed_i420(pixel_format: PixelFormat, size_wh: tuple[int, int], planes: Planes,
                to_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """A new (H * 3/2, W) I420 picture of I420 or NV12 planes, resized to `to_wh`, its sides rounded up to even ones.

    Its memory is used again once nobody refers to it.
    """
    w, h = to_wh
    ew, eh = w + (w & 1), h + (h & 1)
    packed = _pictures.take((eh * 3 // 2, ew))
    if to_wh == size_wh and (whole := in_one_piece(planes)) is not None:
        np.copyto(packed, whole)
        return packed
    luma = packed[:eh]
    if (w, h) == size_wh:
        luma[:h, :w] = planes[0]
    elif w == ew:
        shrunk(planes[0], (w, h), luma[:h])
    else:
        luma[:h, :w] = shrunk(planes[0], (w, h))
    luma[:h, w:] = luma[:h, w - 1:w]
    luma[h:] = luma[h - 1]
    chroma = (planes[1][..., 0], planes[1][..., 1]) if pixel_format is PixelFormat.NV12 else planes[1:]
    half = (ew // 2, eh // 2)
    for target, plane in zip(packed[eh:].reshape(2, eh // 2, ew // 2), chroma, strict=True):
        if plane.shape[::-1] == half:
            target[:] = plane
        else:
            shrunk(np.ascontiguousarray(plane), half, target)
    return packed


def packed_to_bgr(packed: NDArray[np.uint8], size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 BGR of `packed_i420` (BT.601 video range), its first `size_wh` pixels."""
    eh, ew = packed.shape[0] * 2 // 3, packed.shape[1]
    bgr = cv2.cvtColor(packed, cv2.COLOR_YUV2BGR_I420, dst=_pictures.take((eh, ew, 3)))
    return np.ascontiguousarray(bgr[:size_wh[1], :size_wh[0]]).astype(np.uint8, copy=False)


def planes_to_bgr(pixel_format: PixelFormat, size_wh: tuple[int, int], planes: Planes,
                  to_wh: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Convert planes to a new (H, W, 3) uint8 BGR picture (BT.601 video range), resized to `to_wh` if given.

    Planes are resized before conversion, so a small picture costs little. Its memory is used again once nobody refers
    to it.
    """
    w, h = to_wh or size_wh
    if pixel_format is PixelFormat.BGR24:
        return np.array(planes[0], copy=True) if (w, h) == size_wh else shrunk(planes[0], (w, h))
    if (w, h) == size_wh and (whole := in_one_piece(planes)) is not None:
        return packed_to_bgr(whole, size_wh)
    return packed_to_bgr(packed_i420(pixel_format, size_wh, planes, (w, h)), (w, h))


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture from a host, borrowed and read-only for the call.

    `seq` counts up by one for every picture of the source: a gap is what was dropped before the guard.
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
        check_planes(self.format, self.size_wh, self.planes)

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
    state: State
    reason: str

    def __init__(self, *_args: object, **_kwargs: object) -> NoReturn:
        raise GuardError("a GuardedFrame cannot be constructed; only the guard makes one")

    @property
    def clear(self) -> bool:
        """Whether it left unmasked, while the guard was off: it goes nowhere any more once the guard is on."""
        return self.state is State.OFF

    def __init_subclass__(cls, **_kwargs: object) -> NoReturn:
        raise GuardError("a GuardedFrame has no other kinds")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise GuardError("a GuardedFrame cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise GuardError("a GuardedFrame cannot be changed")

    def __reduce__(self) -> NoReturn:
        raise GuardError("a GuardedFrame cannot be pickled")

    def to_bgr(self, to_wh: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """A new (H, W, 3) uint8 BGR picture of the guarded planes."""
        return planes_to_bgr(self.format, self.size_wh, self.planes, to_wh)


def _mint_guarded(**fields: Any) -> GuardedFrame:
    """Make a GuardedFrame. For `guard/` alone (a test holds every other module to that)."""
    if not isinstance(fields["state"], State):
        raise GuardError("{state!r} is not a State", state=fields["state"])
    check_planes(fields["format"], fields["size_wh"], fields["planes"])
    guarded: GuardedFrame = object.__new__(cast("type[GuardedFrame]", GuardedFrame))
    for plane in fields["planes"]:
        plane.setflags(write=False)
    for name in _SLOTS:
        object.__setattr__(guarded, name, fields[name])
    return guarded
