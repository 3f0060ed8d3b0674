"""Guards in processes of their own, for who guards many cameras: Python runs one thread at a time in each process.

This process reads and encodes; guard processes (`guard.worker`, which says what is asked of them) look and mask. Frames
lie in memory that both share and that has no name: a frame is copied into it once, and masked where it lies. Where a
process ends, or does not answer, all frames that it held leave as blanks, and it is started again. After three ends in
a minute cameras are guarded in this process.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from multiprocessing.connection import Connection
from typing import Any

from aipg_plugin.frames import Frame, GuardedFrame
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.guard.guard import Guard, stream_of
from aipg_plugin.guard.held import Held, StreamFrames
from aipg_plugin.guard.observer import OnLook
from aipg_plugin.guard.processes import EndedError, GuardProcess, ProcessRun
from aipg_plugin.guard.service import Load
from aipg_plugin.guard.slots import SharedMemory
from aipg_plugin.guard.stats import StreamStats
from aipg_plugin.guard.stream import may_leave
from aipg_plugin.guard.worker import Beginning, Failure, Looked
from aipg_plugin.options import Camera, Models

_log = logging.getLogger(__name__)
_ANSWERS_S = 30.0  # a process that takes longer is ended; all its cameras may wait for each other
_LEAST_CAMERAS = 2

MakeGuard = Callable[[Camera], Guard]


class GuardProcesses:
    """Guard processes for some number of cameras on some cores, `threads` of which may look. Any thread may call.

    Each core has one at most, and each serves two cameras at least: it takes a net's memory.
    """

    def __init__(self, models: Models, cores: int, threads: int, cameras: int) -> None:
        processes = max(1, min(cores, cameras // _LEAST_CAMERAS))
        beginning = Beginning(models, max(1, threads // processes), logging.getLogger().getEffectiveLevel())
        self._lock = threading.Lock()
        self._processes = [GuardProcess(beginning) for _ in range(processes)]
        self._keys = count()

    @staticmethod
    def possible() -> bool:
        """Whether this system has memory without a name, and a Python to start."""
        return hasattr(os, "memfd_create") and hasattr(socket, "send_fds") and bool(sys.executable)

    def start(self) -> None:
        """Start them now, beside all else, and not when the first frame waits for it."""
        for process in self._processes:
            threading.Thread(target=process.prepare, name="aipg-guard-start", daemon=True).start()

    def guard(self, camera: Camera, make_here: MakeGuard) -> RemoteGuard:
        """A camera's guard, in the process that has the fewest; `make_here` makes one in this process."""
        with self._lock:
            process = min(self._processes, key=lambda one: len(one.listeners))
            return RemoteGuard(camera, process, next(self._keys), make_here)

    def load(self, here: Load) -> Load:
        """How it goes in all processes, and `here`."""
        loads = [here] if here.cameras else []
        loads += [one.looked.load for one in self._processes if one.looked is not None and one.listeners]
        if not loads:
            return here
        return Load(sum(one.threads for one in loads), sum(one.cameras for one in loads),
                    round(sum(one.looks_hz for one in loads), 1), round(sum(one.wanted_hz for one in loads), 1),
                    max(one.look_s for one in loads), max(one.wait_s for one in loads),
                    min(one.time_share for one in loads), any(one.overloaded for one in loads))

    @property
    def overload(self) -> str:
        """See `DetectionService.overload`; of the first process that has too much to do."""
        return next((one.looked.overload for one in self._processes
                     if one.looked is not None and one.looked.overload), "")

    def close(self) -> None:
        """End all processes."""
        for process in self._processes:
            process.close()


class RemoteGuard:
    """A live guard in another process, or here while there is none to be had (`guard.Guard`).

    Either starts anew when its turn comes. `process`, `flush` and `lost` never raise for a stream of the camera.
    """

    def __init__(self, camera: Camera, process: GuardProcess, key: int, make_here: MakeGuard) -> None:
        self._camera, self._process, self._key, self._make_here = camera, process, key, make_here
        self._lock = threading.RLock()
        self._run: ProcessRun | None = None  # that `_requests` go to
        self._requests: Connection | None = None
        self._memory = SharedMemory()
        self._frames: dict[str, StreamFrames] = {}
        self._here: Guard | None = None
        self._picture_wh: tuple[int, int] | None = None
        self._on_look: OnLook | None = None
        self._closed = False
        process.listeners[key] = self._looked

    @property
    def camera(self) -> Camera:
        """The settings in force."""
        return self._camera

    @property
    def on_look(self) -> OnLook | None:
        """Called with the time and the tracks after each look."""
        return self._on_look

    @on_look.setter
    def on_look(self, listener: OnLook | None) -> None:
        self._on_look = listener
        if self._here is not None:
            self._here.on_look = listener

    @property
    def picture_wh(self) -> tuple[int, int] | None:
        """See `Guard.picture_wh`."""
        return self._picture_wh if self._here is None else self._here.picture_wh

    def _looked(self, looked: Looked) -> None:
        """A look is over."""
        self._picture_wh = looked.picture_wh
        if self._on_look is not None:
            self._on_look(looked.t_s, looked.tracks)

    def begin(self, stream_id: str) -> None:
        """See `Guard.begin`."""
        with self._lock:
            stream_of(self._camera, stream_id)
            if (here := self._if_here()) is not None:
                here.begin(stream_id)
            elif self._requests is not None:
                with suppress(EndedError):
                    self._ask("begin", stream_id)

    def process(self, frame: Frame) -> list[GuardedFrame]:
        """See `Guard.process`."""
        with self._lock:
            stream_of(self._camera, frame.stream)
            frames = self._frames_of(frame.stream)
            if (here := self._if_here()) is not None:
                return [*frames.blanks(), *here.process(frame)]
            held = self._held(frames, frame) if self._connected() else None
            if held is None:
                frames.refuse(frame)
                return frames.blanks()
            guarded = self._released(frames, "process", frame.stream, frame.seq, frame.pts_s, frame.wall_time_s,
                                     frame.format, frame.size_wh, held.place)
        return self._shown_now(frame.stream, guarded)

    def flush(self, stream_id: str) -> list[GuardedFrame]:
        """See `Guard.flush`."""
        return self._given(stream_id, lambda here: here.flush(stream_id), "flush")

    def lost(self, stream_id: str, text: str = "no picture from the camera") -> GuardedFrame | None:
        """See `Guard.lost`."""
        def there(here: Guard) -> list[GuardedFrame]:
            still = here.lost(stream_id, text)
            return [] if still is None else [still]

        given = self._given(stream_id, there, "lost", text)
        return given[-1] if given else None

    def configure(self, camera: Camera) -> None:
        """See `Guard.configure`."""
        self._camera = camera  # what leaves counts by these from now on, whatever the process is still at
        with self._lock:
            for gone in self._frames.keys() - {stream.id for stream in camera.streams}:
                del self._frames[gone]
            if (here := self._if_here()) is not None:
                here.configure(camera)
            elif self._requests is not None:
                with suppress(EndedError):  # it is made with these settings when it is next asked
                    self._ask("configure", camera)

    def stats(self) -> dict[str, StreamStats]:
        """See `Guard.stats`."""
        with self._lock:
            if (here := self._if_here()) is not None:
                return here.stats()
            if self._requests is None:
                return {}
            with suppress(EndedError):
                stats: dict[str, StreamStats] = self._ask("stats")
                return stats
            return {}

    def shown(self, stream_id: str) -> Projection | None:
        """See `Guard.shown`."""
        with self._lock:
            stream_of(self._camera, stream_id)
            if (here := self._if_here()) is not None:
                return here.shown(stream_id)
            if self._requests is None:
                return None
            with suppress(EndedError):
                projection: Projection | None = self._ask("shown", stream_id)
                return projection
            return None

    def close(self, timeout_s: float = 2.0) -> None:
        """See `Guard.close`."""
        with self._lock:
            self._closed = True
            self._process.listeners.pop(self._key, None)
            self._disconnect()
            self._frames.clear()
            self._memory.close()
            if self._here is not None:
                self._here.close(timeout_s)

    def _given(self, stream_id: str, here_step: Callable[[Guard], list[GuardedFrame]], what: str,
               *arguments: object) -> list[GuardedFrame]:
        """What a request for a stream releases."""
        with self._lock:
            stream_of(self._camera, stream_id)
            frames = self._frames_of(stream_id)
            if (here := self._if_here()) is not None:
                return [*frames.blanks(), *here_step(here)]
            guarded = frames.blanks() if self._requests is None else self._released(frames, what, stream_id, *arguments)
        return self._shown_now(stream_id, guarded)

    def _held(self, frames: StreamFrames, frame: Frame) -> Held | None:
        """A frame, put where the process sees it; None where there is no memory for it."""
        try:
            return frames.hold(frame)
        except (OSError, MemoryError):
            _log.exception("camera %s stream %s: a frame found no memory", self._camera.id, frame.stream)
            return None

    def _shown_now(self, stream_id: str, guarded: list[GuardedFrame]) -> list[GuardedFrame]:
        """What may leave by the settings of now: the guard may have been switched on while the process was asked."""
        return may_leave(guarded, wanted=self._camera.privacy_guard.guards(stream_id))

    def _frames_of(self, stream_id: str) -> StreamFrames:
        return self._frames.setdefault(stream_id, StreamFrames(stream_id, self._memory))

    def _released(self, frames: StreamFrames, what: str, *arguments: object) -> list[GuardedFrame]:
        """What a request releases, and before it what ended with a process."""
        run, guarded = self._run, None
        with suppress(EndedError):
            guarded = frames.given_back(self._ask(what, *arguments))
            if guarded is None:  # what the process still holds is not known then
                self._disconnect()
                if run is not None:
                    self._process.failed(run, EndedError("a frame that is not known came back"))
        return [*frames.blanks(), *(guarded or [])]

    def _if_here(self) -> Guard | None:
        """The guard of this process, while the other one cannot be had."""
        if self._closed:
            return self._here
        if not self._process.hopeless:
            if self._here is not None:
                self._here.close(0.0)
            self._here = None
        elif self._here is None:
            self._disconnect()
            self._here = self._make_here(self._camera)
            self._here.on_look = self._on_look
        return self._here

    def _connected(self) -> bool:
        """Whether the process is running, or now is, and our guard made there."""
        if self._closed:
            return False
        if self._run is not None and not self._run.ended:
            return True
        self._disconnect()
        try:
            run = self._process.run()
            try:
                self._run, self._requests = run, run.connect(self._key, self._memory)
            except OSError as error:
                self._process.failed(run, error)
                return False
            self._ask("make", self._camera)
        except EndedError:
            return False
        return True

    def _ask(self, *message: object) -> Any:
        """What the process answers. Raises EndedError."""
        run, requests = self._run, self._requests
        try:
            if run is None or requests is None or run.ended:
                raise EndedError("ended")
            requests.send(message)
            if not requests.poll(_ANSWERS_S):
                raise EndedError(f"no answer for {_ANSWERS_S:.0f} s")
            answer = requests.recv()
        except Exception as error:  # whatever it is, the next answer must not be this request's
            self._disconnect()
            if run is not None:
                self._process.failed(run, error)
            raise EndedError(str(error)) from error
        if isinstance(answer, Failure):  # by a fault of ours: this camera's guard is made anew, others go on
            self._disconnect()
            raise EndedError(answer.reason)
        return answer

    def _disconnect(self) -> None:
        """The process is asked no more; what it holds does not come back."""
        if self._requests is not None:
            self._requests.close()
        self._requests = self._run = None
        for frames in self._frames.values():
            frames.fall()


AnyGuard = Guard | RemoteGuard
