"""Webcams: through FFmpeg's device input where the build has one, else through OpenCV."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.errors import SourceError
from aipg_plugin.frames import PixelFormat
from aipg_plugin.media.info import AudioHandler, StreamInfo
from aipg_plugin.media.session import Picture, cannot_open
from aipg_plugin.options import Source


class WebcamSession:
    """Frames of a local camera as BGR; their time is the moment they were read, from 0 on."""

    def __init__(self, source: Source) -> None:
        self._source = source
        device: Any = int(source.url) if source.url.isdigit() else source.url
        self._capture = cv2.VideoCapture(device)
        self._start_s = time.monotonic()
        self._first = self._read()
        if self._first is None:
            self._capture.release()
            raise cannot_open(source.url, "no such camera, or it is in use")
        fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.info = StreamInfo(size_wh=self._first.size_wh, format=PixelFormat.BGR24, fps=fps if fps > 0 else None,
                               codec="raw", decoder=f"opencv {self._capture.getBackendName()}", live=True)

    def _read(self) -> Picture | None:
        done, raw = self._capture.read()
        if not done:
            return None
        bgr: NDArray[np.uint8] = np.ascontiguousarray(raw, np.uint8)
        bgr.setflags(write=False)
        return Picture(time.monotonic() - self._start_s, PixelFormat.BGR24, (bgr.shape[1], bgr.shape[0]), (bgr,))

    def pictures(self, on_audio: AudioHandler | None = None) -> Iterator[Picture]:  # noqa: ARG002
        """Pictures as the camera gives them. Raises SourceError when it stops giving any."""
        picture, self._first = self._first, None
        while picture is not None:
            yield picture
            picture = self._read()
        raise SourceError("{url} gives no more pictures", path="source.url",
                         cure="Check the camera's cable", url=self._source.url)

    def close(self) -> None:
        """Release the device."""
        self._capture.release()
