"""The program of a detector process: finds people in the pictures it is shown, until nobody is left to show any.

Started by `detection.remote`, which says what the messages are.
"""

from __future__ import annotations

import mmap
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import cv2
import numpy as np

from aipg_plugin.detection.detector import FisheyeDetector
from aipg_plugin.detection.onnx import load_model
from aipg_plugin.dumps import forbid_core_dumps
from aipg_plugin.errors import AipgError

NICE = 5  # of who looks for many cameras: frames come first, looks take what is left of the processor


@dataclass(frozen=True)
class Failure:
    """The answer where a request failed: why."""

    reason: str


def main(connection_fd: int, picture_fd: int) -> None:
    """Answer until the other end is closed. No frame that nobody has masked is left in a core file or by a signal."""
    _settle()
    asked = Connection(connection_fd)
    detectors: dict[int, FisheyeDetector] = {}
    shown: mmap.mmap | None = None
    net = None
    while True:
        try:
            message = asked.recv()
        except (EOFError, OSError):
            return
        answer: Any
        try:
            match message:
                case ("open", models):
                    net = load_model(models)
                    answer = net.provider
                case ("make", key, projection, mount, plan, min_score):
                    assert net is not None
                    detectors[key] = FisheyeDetector(net, projection, mount, plan=plan, min_score=min_score)
                    answer = None
                case ("drop", key):
                    answer = detectors.pop(key, None) is not None
                case ("detect", key, shape, tiles, expected):
                    size = int(np.prod(shape))
                    if shown is None or len(shown) < size:
                        shown = mmap.mmap(picture_fd, os.fstat(picture_fd).st_size)
                    picture = np.frombuffer(shown, np.uint8, size).reshape(shape)
                    answer = detectors[key].detect(picture, tiles, expected)
                case _:
                    answer = Failure("unknown request")
        except AipgError as error:
            answer = Failure(str(error))
        except Exception as error:  # the process that asks goes on
            answer = Failure(type(error).__name__)
        try:
            asked.send(answer)
        except OSError:
            return


def _settle() -> None:
    """Leave signals to the process that started this one, and the processor to frames."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    cv2.setNumThreads(1)
    forbid_core_dumps()
    if sys.platform != "win32":
        with suppress(OSError):  # a service's rules may forbid it
            os.nice(max(0, NICE - os.nice(0)))  # threads that yield start it
