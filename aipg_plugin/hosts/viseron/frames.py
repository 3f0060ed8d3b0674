"""Viseron's frames in and out: whatever a camera of ours stores for others to look at is guarded first."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import numpy as np

from aipg_plugin.frames import Frame, GuardedFrame, PixelFormat, plane_shapes
from aipg_plugin.hooks import Plugin

_log = logging.getLogger(__name__)
_FORMATS = {"nv12": PixelFormat.NV12, "yuv420p": PixelFormat.I420}


class FrameGate:
    """Stands before Viseron's `SharedFrames.create`, through which every decoded frame goes.

    Later is too late: the event `<camera>/camera/frame_bytes` hands out a reference to the frame stored there, to
    detectors, snapshots and post-processors alike. `streams` gives our stream for each camera identifier.
    """

    def __init__(self, plugin: Plugin, streams: dict[str, str]) -> None:
        self._plugin, self._streams = plugin, streams
        self._lock = threading.Lock()
        self._seq: dict[str, int] = {}
        self._last: dict[str, GuardedFrame] = {}

    def wrap(self, shared_frames: type[Any]) -> None:
        """Put the gate before `create` of the class, so that cameras made later pass it too."""
        self.unwrap(shared_frames)
        stored = shared_frames.create
        gate = self

        def create(self: Any, shared_frame: Any, frame_bytes: bytes) -> None:
            stored(self, shared_frame, gate.guarded_bytes(shared_frame, frame_bytes))

        create.__wrapped__ = stored  # type: ignore[attr-defined]
        shared_frames.create = create

    @staticmethod
    def unwrap(shared_frames: type[Any]) -> None:
        """Take the gate away."""
        shared_frames.create = getattr(shared_frames.create, "__wrapped__", shared_frames.create)

    def guarded_bytes(self, shared_frame: Any, frame_bytes: bytes) -> bytes:
        """The picture to store in place of a frame: the newest whose look-ahead is over, grey before the first, and
        before the first after the guard was switched on.
        """
        camera = shared_frame.camera_identifier
        stream = self._streams.get(camera)
        if stream is None:
            return frame_bytes
        try:
            size_wh = (int(shared_frame.resolution[0]), int(shared_frame.resolution[1]))
            frame = self._frame(camera, stream, str(shared_frame.pixel_format), size_wh, frame_bytes)
            for guarded in self._plugin.on_frame(camera, frame):
                self._last[camera] = guarded
            last = self._last.get(camera)
            if last is not None and last.clear and self._plugin.settings.guards(camera, stream):
                last = None  # of before the guard was switched on
            if last is not None and last.size_wh == size_wh and last.format is frame.format:
                return b"".join(plane.tobytes() for plane in last.planes)
        except Exception:
            _log.exception("camera %s: a frame could not be guarded and was blanked", camera)
        return b"\x80" * len(frame_bytes)

    def _frame(self, camera: str, stream: str, pixel_format: str, size_wh: tuple[int, int], data: bytes) -> Frame:
        layout = _FORMATS[pixel_format]
        with self._lock:
            if camera not in self._seq:
                self._plugin.on_stream_start(camera, stream)
            seq = self._seq[camera] = self._seq.get(camera, -1) + 1
        planes, start = [], 0
        for shape in plane_shapes(layout, size_wh):
            size = int(np.prod(shape))
            planes.append(np.frombuffer(data, np.uint8, size, start).reshape(shape))
            start += size
        return Frame(stream, seq, None, time.time(), layout, size_wh, tuple(planes))

    def close(self) -> None:
        """End the streams; frames still waiting are dropped: nothing reads them any more."""
        for camera, stream in self._streams.items():
            if camera in self._seq:
                self._plugin.on_stream_stop(camera, stream)
        self._last.clear()
