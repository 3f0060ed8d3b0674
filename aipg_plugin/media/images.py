"""Single pictures and folders of pictures as sessions, and guarded pictures written as files."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.errors import GuardError, MediaError
from aipg_plugin.frames import GuardedFrame, PixelFormat
from aipg_plugin.media.info import AudioHandler, StreamInfo
from aipg_plugin.media.session import Picture, cannot_open
from aipg_plugin.media.urls import IMAGE_SUFFIXES

FOLDER_FPS = 1.0


class ImageSession:
    """One picture file, or the picture files of a folder in order of name; BGR frames, one second apart.

    A file of the folder that is no picture raises MediaError naming it. `paths[i]` is the file of frame i.
    """

    def __init__(self, path: Path) -> None:
        self._folder = path.is_dir()
        self.paths: tuple[Path, ...] = (path,)
        if self._folder:
            self.paths = tuple(sorted(file for file in path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES))
            if not self.paths:
                raise cannot_open(str(path), "the folder has no pictures")
        first = read_image(self.paths[0])
        self.info = StreamInfo(size_wh=(first.shape[1], first.shape[0]), format=PixelFormat.BGR24,
                               fps=FOLDER_FPS, codec=self.paths[0].suffix[1:].lower(), decoder="opencv",
                               time_base=Fraction(1, 1000), duration_s=len(self.paths) / FOLDER_FPS,
                               frame_count=len(self.paths))

    def pictures(self, on_audio: AudioHandler | None = None) -> Iterator[Picture]:  # noqa: ARG002
        """The pictures, one at a time; `on_audio` is never called."""
        for number, path in enumerate(self.paths):
            bgr = read_image(path)
            bgr.setflags(write=False)
            yield Picture(number / FOLDER_FPS, PixelFormat.BGR24, (bgr.shape[1], bgr.shape[0]), (bgr,))

    def close(self) -> None:
        """Nothing is held open."""


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read a picture as (H, W, 3) uint8 BGR, turned upright by its EXIF note. Raises MediaError."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise cannot_open(str(path), error.strerror or "cannot be read") from None
    bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if bgr is None:
        raise cannot_open(str(path), "it is not a picture that can be decoded")
    return np.ascontiguousarray(bgr, np.uint8)


def encode_image(guarded: GuardedFrame, suffix: str = ".jpg", quality: int = 92) -> bytes:
    """A guarded frame as JPEG (or PNG, …) bytes. Raises GuardError for anything but a GuardedFrame."""
    if not isinstance(guarded, GuardedFrame):
        raise GuardError("only guarded frames can be written, not {kind}", kind=type(guarded).__name__)
    try:
        done, data = cv2.imencode(suffix, guarded.to_bgr(), [cv2.IMWRITE_JPEG_QUALITY, quality])
    except cv2.error:
        done = False
    if not done:
        raise MediaError("no picture can be written as {suffix}", cure="Use .jpg or .png", suffix=suffix)
    return data.tobytes()


def write_image(guarded: GuardedFrame, path: Path) -> None:
    """Write a guarded frame as a picture file. Raises MediaError naming the path, GuardError for clear frames."""
    data = encode_image(guarded, path.suffix.lower())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise MediaError("cannot write {target}: {why}", path="output.target",
                         cure="Choose a folder that can be written to", target=str(path),
                         why=error.strerror or "no reason given") from None
