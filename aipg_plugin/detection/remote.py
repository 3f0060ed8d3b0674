"""Detectors in processes of their own, for who guards many cameras: Python runs one thread at a time in each process.

A detector process has one net, and a detector for each camera it serves. It is asked through a socket pair that nobody
else can reach; the picture lies in memory that both share and that has no name. Messages to it, each answered
by what is asked for or by a `looker.Failure`: `("open", models)`, `("make", key, projection, mount, plan, min_score)`,
`("detect", key, shape, tiles, expected)`, `("drop", key)`. It ends when its socket is closed.
"""

from __future__ import annotations

import json
import logging
import mmap
import os
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Sequence
from itertools import count
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aipg_plugin.detection.detections import Detections
from aipg_plugin.detection.detector import FisheyeDetector
from aipg_plugin.detection.looker import Failure
from aipg_plugin.detection.onnx import PersonNet
from aipg_plugin.detection.tiles import LIVE, Tile, TilePlan
from aipg_plugin.errors import DetectionError
from aipg_plugin.geometry.arrays import UInt8
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.options import Models

_log = logging.getLogger(__name__)
_STARTS_S, _ANSWERS_S, _ENDS_S = 60.0, 10.0, 2.0  # a process that takes longer is ended
_MOST_DEATHS, _DEATHS_S = 3, 60.0  # so many within so long, and detectors run in this process from then on
_FIRST_BYTES = 1 << 22
# With -P, or it would take `json` from the folder that it is started in, if there is one.
_PROGRAM = ("import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
            "from aipg_plugin.detection.looker import main; main(int(sys.argv[2]), int(sys.argv[3]))")


class _EndedError(Exception):
    """The process has ended, or does not answer and was ended."""


class _Process:
    """One detector process, started when it is first asked."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self.cameras = 0
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._deaths: list[float] = []
        self._known: set[int] = set()    # keys of the detectors that it has …
        self._left: deque[int] = deque()  # … and of those that nobody needs any more
        self._closed = False

    @property
    def hopeless(self) -> bool:
        """Whether it has ended too often of late, or is closed."""
        return self._closed or len([at for at in self._deaths if time.monotonic() - at < _DEATHS_S]) >= _MOST_DEATHS

    def detect(self, key: int, made_of: tuple[object, ...], picture: UInt8, tiles: Sequence[int] | None,
               expected: NDArray[np.floating] | None) -> Detections:
        """What the detector `key` finds. Raises DetectionError, also if the process ends over it."""
        with self._lock:
            try:
                if self._process is None:
                    self._start()
                while self._left:
                    self._drop(self._left.popleft())
                if key not in self._known:
                    self._ask(("make", key, *made_of), _STARTS_S)
                    self._known.add(key)
                self._show(picture)
                found = self._ask(("detect", key, picture.shape, tiles, expected), _ANSWERS_S)
                assert isinstance(found, Detections)
                return found
            except DetectionError:
                raise  # it answered so
            except Exception as error:  # whatever it is, the next answer must not be this request's
                self._end(kill=True)
                self._deaths.append(time.monotonic())
                _log.warning("a detector process ended (%s) and is started again", error or type(error).__name__)
                raise DetectionError("the detector's process ended") from error

    def leave(self, key: int) -> None:
        """A camera needs its detector no more. Any thread may call this, in the middle of anything."""
        self.cameras -= 1
        self._left.append(key)

    def close(self) -> None:
        """End it; what is asked from now on fails."""
        self._closed = True
        if self._lock.acquire(timeout=_ENDS_S):
            try:
                self._end(kill=False)
            finally:
                self._lock.release()
        elif (process := self._process) is not None:
            process.kill()

    def _start(self) -> None:
        if self._closed:
            raise _EndedError("closed")
        ours, theirs = socket.socketpair()
        self._picture_fd = os.memfd_create("aipg-picture")
        os.ftruncate(self._picture_fd, _FIRST_BYTES)
        self._shared = mmap.mmap(self._picture_fd, _FIRST_BYTES)
        self._connection = Connection(ours.detach())
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-c", _PROGRAM, json.dumps(sys.path),
                     str(theirs.fileno()), str(self._picture_fd)],
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=(theirs.fileno(), self._picture_fd))
            except OSError:
                self._let_go()
                raise
        try:
            self._ask(("open", self._models), _STARTS_S)
        except DetectionError as error:
            raise _EndedError(str(error)) from error

    def _drop(self, key: int) -> None:
        if key in self._known:
            self._known.discard(key)
            self._ask(("drop", key), _ANSWERS_S)

    def _show(self, picture: UInt8) -> None:
        """Put a picture where the process sees it."""
        if picture.nbytes > len(self._shared):
            os.ftruncate(self._picture_fd, picture.nbytes)
            self._shared = mmap.mmap(self._picture_fd, picture.nbytes)
        np.copyto(np.frombuffer(self._shared, np.uint8, picture.nbytes).reshape(picture.shape), picture)

    def _ask(self, message: tuple[object, ...], timeout_s: float) -> Any:
        self._connection.send(message)
        if not self._connection.poll(timeout_s):
            raise _EndedError(f"no answer for {timeout_s:.0f} s")
        answer = self._connection.recv()
        if isinstance(answer, Failure):
            raise DetectionError("the detector's process failed: {error}", error=answer.reason)
        return answer

    def _end(self, *, kill: bool) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        self._known.clear()
        self._connection.close()
        if kill:
            process.kill()
        try:
            process.wait(_ENDS_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_ENDS_S)
        self._let_go()

    def _let_go(self) -> None:
        """Close what a process was asked through."""
        self._connection.close()
        self._shared.close()
        os.close(self._picture_fd)


class DetectorProcesses:
    """`most` detector processes at most, each for some of the cameras. Any thread may call."""

    def __init__(self, net: PersonNet, models: Models, most: int) -> None:
        self._net = net
        self._lock = threading.Lock()
        self._processes = [_Process(models) for _ in range(max(1, most))]
        self._keys = count()

    @staticmethod
    def possible() -> bool:
        """Whether this system has memory without a name, and a Python to start."""
        return hasattr(os, "memfd_create") and bool(sys.executable)

    def detector(self, projection: Projection, mount: Mount, plan: TilePlan = LIVE) -> RemoteDetector:
        """A camera's detector, in the process that has the fewest."""
        with self._lock:
            process = min(self._processes, key=lambda one: one.cameras)
            process.cameras += 1
            return RemoteDetector(FisheyeDetector(self._net, projection, mount, plan=plan), projection, process,
                                  next(self._keys))

    def close(self) -> None:
        """End all processes."""
        for process in self._processes:
            process.close()


class RemoteDetector:
    """A detector that runs in another process, or here if there is none to be had (`detector.Detector`)."""

    def __init__(self, here: FisheyeDetector, projection: Projection, process: _Process, key: int) -> None:
        self._here, self._process, self._key = here, process, key
        self._made_of = (projection, here.mount, here.plan, here.min_score)
        weakref.finalize(self, process.leave, key)

    @property
    def size_wh(self) -> tuple[int, int]:
        """Size of the pictures it takes."""
        return self._here.size_wh

    @property
    def projection(self) -> Projection:
        """Projection of these pictures."""
        return self._here.projection

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """What a sweep consists of, in pixels of `size_wh`."""
        return self._here.tiles

    @property
    def follows(self) -> bool:
        """Whether `detect` looks at whom it is told to expect."""
        return self._here.follows

    def full_sweep(self) -> tuple[int, ...]:
        """Indices of all tiles."""
        return self._here.full_sweep()

    def detect(self, picture_bgr: UInt8, tiles: Sequence[int] | None = None,
               expected: NDArray[np.floating] | None = None) -> Detections:
        """See `FisheyeDetector.detect`; raises DetectionError also when the process ends."""
        if self._process.hopeless:
            return self._here.detect(picture_bgr, tiles, expected)
        return self._process.detect(self._key, self._made_of, picture_bgr, tiles, expected)
