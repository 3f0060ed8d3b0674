"""The program of a guard process: guards the frames of some cameras, until nobody is left to hand it any.

Started by `guard.remote`. It gets two sockets. Through the one it is told of each new camera: 8 bytes, the camera's
key, and with them a socket for its requests and the memory its frames lie in. Through the other it gets a `Beginning`
and tells, in any order: `Ready` or `Failure`, then `Looked` after each look, and log records.

A camera's requests are tuples, each answered by what `guard.Guard` gives for it or by a `Failure`: `("make", camera)`
first, `("configure", camera)`, `("begin", stream)`, `("process", stream, seq, pts_s, wall_time_s, format, size_wh,
place)`, `("flush", stream)`, `("lost", stream, text)`, `("stats",)`, `("shown", stream)`. Guarded frames are answered
as `Left`.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
import selectors
import signal
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from aipg_plugin.detection.onnx import PersonNet, load_model
from aipg_plugin.dumps import forbid_core_dumps
from aipg_plugin.errors import AipgError
from aipg_plugin.frames import Frame, GuardedFrame, PixelFormat, Planes
from aipg_plugin.guard.assembly import make_guard
from aipg_plugin.guard.guard import Guard
from aipg_plugin.guard.ring import buffer_bytes, planes_in
from aipg_plugin.guard.service import DetectionService, Load
from aipg_plugin.guard.slots import SharedViews
from aipg_plugin.heap import bound_heap
from aipg_plugin.options import Camera, Models
from aipg_plugin.sharing import share_processor
from aipg_plugin.states import State
from aipg_plugin.tracking.track import Track

_log = logging.getLogger(__name__)
KEY_BYTES = 8


@dataclass(frozen=True)
class Beginning:
    """What a guard process is started with: `threads` look, records of `log_level` and above are told."""

    models: Models
    threads: int
    log_level: int


@dataclass(frozen=True)
class Ready:
    """The net is loaded."""


@dataclass(frozen=True)
class Failure:
    """Why something failed."""

    reason: str


@dataclass(frozen=True, eq=False)
class Looked:
    """A look at a camera's picture is over; see `Guard.on_look`, `Guard.picture_wh`, `DetectionService`."""

    key: int
    t_s: float
    tracks: tuple[Track, ...]
    picture_wh: tuple[int, int] | None
    load: Load
    overload: str


class Left(NamedTuple):
    """A guarded frame: its planes lie at a `place` of the camera's memory, or are handed over themselves."""

    seq: int
    pts_s: float | None
    wall_time_s: float
    format: PixelFormat
    size_wh: tuple[int, int]
    state: State
    reason: str
    place: int | None
    planes: Planes | None


class _Teller(logging.handlers.QueueHandler):
    """Tells the other process what it has not asked for. Any thread may call."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(self)  # type: ignore[arg-type]  # its own queue
        self._connection = connection
        self._telling = threading.Lock()

    def put_nowait(self, told: object) -> None:
        """Tell it; nobody may be left to be told."""
        with self._telling, suppress(OSError):
            self._connection.send(told)


class _Cameras:
    """The guards of the cameras that this process serves."""

    def __init__(self, net: PersonNet, service: DetectionService, teller: _Teller) -> None:
        self._net, self._service, self._teller = net, service, teller

    def guard(self, key: int, camera: Camera) -> Guard:
        """A new camera's."""
        guard = make_guard(camera, self._net, live=True, make_worker=self._service.worker, own_frames=True)

        def tell(t_s: float, tracks: tuple[Track, ...]) -> None:
            self._teller.put_nowait(Looked(key, t_s, tracks, guard.picture_wh, self._service.load(),
                                           self._service.overload))

        guard.on_look = tell
        return guard


class _Camera:
    """One camera's requests."""

    def __init__(self, cameras: _Cameras, key: int, requests: int, memory: int) -> None:
        self._cameras, self._key, self._memory = cameras, key, memory
        self.requests = Connection(requests)
        self._views = SharedViews(memory)
        self._guard: Guard | None = None

    def serve(self) -> bool:
        """Answer one request; False if nobody is left to ask any."""
        try:
            message = self.requests.recv()
        except (EOFError, OSError):
            return False
        answer: Any
        try:
            answer = self._answer(message)
        except AipgError as error:
            answer = Failure(str(error))
        except Exception as error:  # other cameras go on
            _log.exception("a guard process failed at %s", message[0])
            answer = Failure(type(error).__name__)
        try:
            self.requests.send(answer)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """The camera is gone."""
        if self._guard is not None:
            self._guard.close(0.0)
        self.requests.close()
        os.close(self._memory)

    def _answer(self, message: tuple[Any, ...]) -> Any:
        """What a request asks for. Raises GuardError for a stream that the camera does not have."""
        if message[0] == "make":
            self._guard = self._cameras.guard(self._key, message[1])
            return None
        guard = self._guard
        assert guard is not None
        answer: Any = None
        match message:
            case ("process", stream, seq, pts_s, wall_time_s, pixel_format, size_wh, place):
                buffer = self._views.view(place, buffer_bytes(pixel_format, size_wh))
                planes = planes_in(buffer, pixel_format, size_wh)
                answer = self._left(guard.process(
                    Frame(stream, seq, pts_s, wall_time_s, pixel_format, size_wh, planes)))
            case ("flush", stream):
                answer = self._left(guard.flush(stream))
            case ("lost", stream, text):
                still = guard.lost(stream, text)
                answer = self._left([] if still is None else [still])
            case ("configure", camera):
                guard.configure(camera)
            case ("begin", stream):
                guard.begin(stream)
            case ("stats",):
                answer = guard.stats()
            case ("shown", stream):
                answer = guard.shown(stream)
            case _:
                answer = Failure("unknown request")
        return answer

    def _left(self, guarded: list[GuardedFrame]) -> list[Left]:
        left = []
        for one in guarded:
            place = self._views.place_of(one.planes[0].base)
            left.append(Left(one.seq, one.pts_s, one.wall_time_s, one.format, one.size_wh, one.state, one.reason,
                             place, None if place is not None else one.planes))
        return left


def main(control_fd: int, told_fd: int) -> None:
    """Answer until the other end is closed. No frame that nobody has masked is left in a core file or by a signal."""
    _settle()
    told = Connection(told_fd)
    beginning: Beginning = told.recv()
    teller = _Teller(told)
    logging.basicConfig(level=beginning.log_level, handlers=[teller])
    try:
        net = load_model(beginning.models)
    except AipgError as error:
        teller.put_nowait(Failure(str(error)))
        return
    teller.put_nowait(Ready())
    service = DetectionService(beginning.threads, yields=True)
    _serve(socket.socket(fileno=control_fd), _Cameras(net, service, teller))
    os._exit(0)  # looks may be in hand


def _serve(control: socket.socket, cameras: _Cameras) -> None:
    """Take requests of all cameras as they come, until `control` is closed."""
    asked = selectors.DefaultSelector()
    asked.register(control, selectors.EVENT_READ)
    while True:
        for ready, _ in asked.select():
            camera = ready.data
            if camera is None:
                key, fds, _, _ = socket.recv_fds(control, KEY_BYTES, 2)
                if len(key) < KEY_BYTES or len(fds) != 2:
                    return
                camera = _Camera(cameras, int.from_bytes(key, "little"), *fds)
                asked.register(camera.requests, selectors.EVENT_READ, camera)
            elif not camera.serve():
                asked.unregister(camera.requests)
                camera.close()


def _settle() -> None:
    """Leave signals to the process that started this one, and be one of many that share the machine's cores."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    share_processor()
    bound_heap()
    forbid_core_dumps()
