"""Picture files: every page read upright, guarded frames written, single pictures and folders of them as sessions."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from aipg_plugin.errors import GuardError, MediaError
from aipg_plugin.frames import GuardedFrame, PixelFormat
from aipg_plugin.media.info import AudioHandler, StreamInfo
from aipg_plugin.media.session import Picture, cannot_open
from aipg_plugin.media.urls import IMAGE_SUFFIXES

FOLDER_FPS = 1.0
_READ = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF", "AVIF")
_WRITTEN = {".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG", ".png": "PNG", ".bmp": "BMP",
            ".tif": "TIFF", ".tiff": "TIFF", ".webp": "WEBP", ".gif": "GIF", ".avif": "AVIF"}
_SEVERAL_PAGES = frozenset({"PNG", "TIFF", "WEBP", "GIF", "AVIF"})
_OPTIONS: dict[str, dict[str, object]] = {"PNG": {"compress_level": 3}, "TIFF": {"compression": "tiff_lzw"}}
_WITH_QUALITY = frozenset({"JPEG", "WEBP", "AVIF"})
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
# Pillow warns at half the size at which it refuses a picture as a decompression bomb; ours need no warning.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


@dataclass(frozen=True)
class Page:
    """One page of a picture: (H, W, 3) uint8 BGR, read-only, upright, in sRGB; `shown_s` in an animation, else 0."""

    bgr: NDArray[np.uint8]
    shown_s: float

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.bgr.shape[1], self.bgr.shape[0]


class PictureFile:
    """A picture file: opened, its pages not decoded yet. Raises MediaError when it is none, or too large.

    `format` is Pillow's name (JPEG, PNG …), `pages` how many there are. The second pictures of an MPO (previews, depth
    and gain maps behind the JPEG that viewers show) are no pages.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = Image.open(path, formats=_READ)
        except Exception as error:
            raise cannot_open(str(path), _why(error, path)) from None
        self.format = str(self._file.format)
        self.pages = 1 if self.format == "MPO" else int(getattr(self._file, "n_frames", 1))

    def __iter__(self) -> Iterator[Page]:
        for number in range(self.pages):
            try:
                self._file.seek(number)
                bgr = _bgr(self._file)
                shown_s = float(self._file.info.get("duration", 0)) / 1000 if self.pages > 1 else 0.0
            except Exception as error:
                raise cannot_open(str(self._path), _why(error, self._path)) from None
            bgr.setflags(write=False)
            yield Page(bgr, shown_s)

    def __enter__(self) -> PictureFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


class ImageSession:
    """One picture file, or the picture files of a folder in order of name; BGR frames, a page each, one second apart.

    A file of the folder that is no picture raises MediaError naming it.
    """

    def __init__(self, path: Path) -> None:
        self._paths: tuple[Path, ...] = (path,)
        if path.is_dir():
            self._paths = tuple(sorted(file for file in path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES))
            if not self._paths:
                raise cannot_open(str(path), "the folder has no pictures")
        with PictureFile(self._paths[0]) as picture:
            first, codec = next(iter(picture)), picture.format.lower()
            count = len(self._paths) if picture.pages == 1 else None
        self.info = StreamInfo(size_wh=first.size_wh, format=PixelFormat.BGR24, fps=FOLDER_FPS, codec=codec,
                               decoder="pillow", time_base=Fraction(1, 1000),
                               duration_s=count / FOLDER_FPS if count else None, frame_count=count)

    def pictures(self, on_audio: AudioHandler | None = None) -> Iterator[Picture]:  # noqa: ARG002
        """The pictures, one at a time; `on_audio` is never called."""
        number = 0
        for path in self._paths:
            with PictureFile(path) as picture:
                for page in picture:
                    yield Picture(number / FOLDER_FPS, PixelFormat.BGR24, page.size_wh, (page.bgr,))
                    number += 1

    def close(self) -> None:
        """Nothing is held open."""


def is_picture(path: Path) -> bool:
    """Whether a file is a picture by its content, whatever its name; where there is none yet, by the name's ending."""
    if not path.is_file():
        return path.suffix.lower() in _WRITTEN
    try:
        with Image.open(path, formats=_READ):
            return True
    except UnidentifiedImageError:
        return path.suffix.lower() in _WRITTEN or _is_heif(path)
    except Exception:  # still a picture: opening it gives the reason
        return path.suffix.lower() in _WRITTEN


def can_hold(suffix: str, pages: int) -> bool:
    """Whether a picture file with this ending can be written, and has room for so many pages."""
    name = _WRITTEN.get(suffix.lower())
    return name is not None and (pages == 1 or name in _SEVERAL_PAGES)


def encode_pages(pages: Iterable[tuple[GuardedFrame, float]], suffix: str, quality: int = 92) -> bytes:
    """Guarded frames as the pages of one picture file, each with the seconds it is shown for (0: no animation).

    Raises GuardError for anything but guarded frames, MediaError where that ending is no picture or has no pages.
    """
    name = _WRITTEN.get(suffix.lower())
    if name is None:
        raise MediaError("no picture can be written as {suffix}", cure="Use .jpg or .png", suffix=suffix)
    images, shown_ms = [], []
    for guarded, shown_s in pages:
        if not isinstance(guarded, GuardedFrame):
            raise GuardError("only guarded frames can be written, not {kind}", kind=type(guarded).__name__)
        images.append(Image.fromarray(np.ascontiguousarray(guarded.to_bgr()[..., ::-1])))
        shown_ms.append(round(1000 * shown_s))
    options = dict(_OPTIONS.get(name, {})) | ({"quality": quality} if name in _WITH_QUALITY else {})
    if len(images) > 1:
        if name not in _SEVERAL_PAGES:
            raise MediaError("{suffix} pictures have one page, not {pages}", suffix=suffix, pages=len(images),
                             cure="Use .tif, .png, .webp or .gif")
        options |= {"save_all": True, "append_images": images[1:]}
        if any(shown_ms):
            options |= {"duration": shown_ms, "loop": 0}
    data = io.BytesIO()
    try:
        images[0].save(data, name, **options)
    except (OSError, ValueError, KeyError) as error:
        raise MediaError("no picture can be written as {suffix}: {why}", cure="Use .jpg or .png", suffix=suffix,
                         why=str(error)) from None
    return data.getvalue()


def _bgr(image: Any) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 BGR of a decoded page: turned by its EXIF orientation, 16 bits and other colours brought down."""
    image = ImageOps.exif_transpose(image)
    if image.mode == "F":
        raise ValueError("pictures of floating-point numbers cannot be read")
    if image.mode.startswith("I"):
        grey = np.asarray(image).astype(np.int64)
        grey = grey if grey.max(initial=0) < 256 else grey // 257
        return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    profile = image.info.get("icc_profile")
    if profile and image.mode in {"RGB", "CMYK"}:
        try:
            image = ImageCms.profileToProfile(image, io.BytesIO(profile), ImageCms.createProfile("sRGB"),
                                              outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            image = image.convert("RGB")  # a broken profile: as viewers without colour management show it
    return np.ascontiguousarray(np.asarray(image.convert("RGB"))[..., ::-1])


def _is_heif(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return False
    return head[4:8] == b"ftyp" and head[8:] in _HEIF_BRANDS


def _why(error: Exception, path: Path) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return "it has more pixels than a picture can reasonably have"
    if isinstance(error, UnidentifiedImageError):
        if _is_heif(path):
            return "HEIC pictures cannot be read here; convert it to JPEG first"
        return "it is not a picture that can be decoded"
    if isinstance(error, MemoryError):
        return "it does not fit into memory"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
