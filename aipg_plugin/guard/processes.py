"""Guard processes: started, asked for connections, told by what they tell, and ended. See `guard.remote`."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection

from aipg_plugin.guard.slots import SharedMemory
from aipg_plugin.guard.worker import KEY_BYTES, Beginning, Failure, Looked, Ready

_log = logging.getLogger(__name__)
_STARTS_S, _ENDS_S = 60.0, 2.0  # a process that takes longer is ended
_MOST_DEATHS, _DEATHS_S = 3, 60.0  # so many within so long, and there is no hope for now
# With -P, or it would take `json` from the folder that it is started in, if there is one.
_PROGRAM = ("import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
            "from aipg_plugin.guard.worker import main; main(int(sys.argv[2]), int(sys.argv[3]))")


class EndedError(Exception):
    """The process has ended, or does not answer and was ended."""


class ProcessRun:
    """A guard process, from its start to its end."""

    def __init__(self, beginning: Beginning, told: Callable[[Looked], None]) -> None:
        """Start it and wait until its net is loaded. Raises OSError or EndedError."""
        control, theirs = socket.socketpair()
        tells, told_to = socket.socketpair()
        self._control, self._told, self._listener = control, told, Connection(tells.detach())
        with theirs, told_to:
            handed = theirs.fileno(), told_to.fileno()
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-c", _PROGRAM, json.dumps(sys.path), *map(str, handed)],
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=handed)
            except OSError:
                control.close()
                self._listener.close()
                raise
        self.ended = False
        try:
            self._listener.send(beginning)
            self._await_ready()
        except (OSError, EOFError, EndedError) as error:
            self.end(kill=True)
            self._listener.close()
            raise EndedError(str(error) or type(error).__name__) from error
        threading.Thread(target=self._listen, name="aipg-guard-process", daemon=True).start()

    def connect(self, key: int, memory: SharedMemory) -> Connection:
        """Where to ask for a camera whose frames lie in this memory. Raises OSError."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [key.to_bytes(KEY_BYTES, "little")], [theirs.fileno(), memory.fd])
        return Connection(ours.detach())

    def end(self, *, kill: bool) -> None:
        """End it."""
        self.ended = True
        with suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        if kill:
            self._process.kill()
        try:
            self._process.wait(_ENDS_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_ENDS_S)
        self._control.close()

    def _await_ready(self) -> None:
        end_s = time.monotonic() + _STARTS_S
        while self._listener.poll(max(0.0, end_s - time.monotonic())):
            told = self._listener.recv()
            if isinstance(told, Ready):
                return
            if isinstance(told, Failure):
                raise EndedError(told.reason)
            self._take(told)
        raise EndedError(f"not ready within {_STARTS_S:.0f} s")

    def _listen(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                self._take(self._listener.recv())
        self._listener.close()

    def _take(self, told: object) -> None:
        if isinstance(told, logging.LogRecord):
            logging.getLogger(told.name).handle(told)
        elif isinstance(told, Looked):
            try:
                self._told(told)
            except Exception:  # a listener may fail; looks go on
                _log.exception("telling of a look failed")


class GuardProcess:
    """A guard process that is started when it is first needed, and again when it has ended. Any thread may call."""

    def __init__(self, beginning: Beginning) -> None:
        self._beginning = beginning
        self._lock = threading.Lock()
        self._run: ProcessRun | None = None
        self._deaths: list[float] = []
        self._closed = False
        self.listeners: dict[int, Callable[[Looked], None]] = {}  # of each camera, by its key
        self.looked: Looked | None = None  # the newest look's

    @property
    def hopeless(self) -> bool:
        """Whether it has ended too often of late, or is closed."""
        return self._closed or len([at for at in self._deaths if time.monotonic() - at < _DEATHS_S]) >= _MOST_DEATHS

    def run(self) -> ProcessRun:
        """The process, running. Raises EndedError."""
        with self._lock:
            if self._closed:
                raise EndedError("closed")
            if self._run is None:
                try:
                    self._run = ProcessRun(self._beginning, self._told)
                except (OSError, EndedError) as error:
                    self._died(error)
                    raise EndedError(str(error)) from error
            return self._run

    def prepare(self) -> None:
        """Have it running, if that is possible."""
        with suppress(EndedError):
            self.run()

    def failed(self, run: ProcessRun, error: BaseException) -> None:
        """A request of this run failed: end it."""
        with self._lock:
            if self._run is run:
                self._run = None
                run.end(kill=True)
                self._died(error)

    def close(self) -> None:
        """End it; what is asked from now on fails."""
        with self._lock:
            self._closed = True
            if self._run is not None:
                self._run.end(kill=False)
            self._run = None

    def _died(self, error: BaseException) -> None:
        self.looked = None
        self._deaths.append(time.monotonic())
        _log.warning("a guard process ended (%s); what it held is masked whole", str(error) or type(error).__name__)

    def _told(self, looked: Looked) -> None:
        self.looked = looked
        if (listener := self.listeners.get(looked.key)) is not None:
            listener(looked)
