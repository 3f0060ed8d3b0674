"""The states of a stream, and the one registry that says how every stream is."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

_log = logging.getLogger(__name__)
StreamKey = tuple[str, str]  # camera and stream


class State(StrEnum):
    """What a stream's guard is doing; everything but OFF hides people."""

    OFF = "off"            # switched off by the owner: frames pass as they are
    STARTING = "starting"  # no full sweep yet: whole picture masked
    GUARDING = "guarding"  # fresh evidence: figures masked
    DEGRADED = "degraded"  # evidence older than one detector period: masks widened by motion
    FAILSAFE = "failsafe"  # evidence missing or doubtful: whole picture masked, with a reason
    LOST = "lost"          # no frames: a masked picture keeps the stream alive


FULL_MOSAIC = frozenset({State.STARTING, State.FAILSAFE, State.LOST})
PROBLEMS = frozenset({State.FAILSAFE, State.LOST})
ENDED = "the stream has ended"
_SEVERITY = {State.GUARDING: 0, State.DEGRADED: 1, State.FAILSAFE: 2}  # states that a busy machine moves between
CALM_S = 2.0  # a better state is told once it has lasted this long, another reason once the last one has


@dataclass(frozen=True)
class StreamStatus:
    """How one stream is. `outputs` names each output that fails and why; `since_s` is seconds since the epoch."""

    state: State
    reason: str = ""
    outputs: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    since_s: float = 0.0

    @property
    def problem(self) -> bool:
        """Whether somebody should look: no frames, a picture that cannot be guarded, or an output that fails."""
        return self.state in PROBLEMS or bool(self.outputs)

    @property
    def text(self) -> str:
        """The state in one line: `failsafe (frozen); out.mp4: no space left on device`."""
        state = f"{self.state} ({self.reason})" if self.reason else str(self.state)
        return "; ".join([state, *(f"{output}: {why}" for output, why in self.outputs.items())])


Watcher = Callable[[str, str, StreamStatus], None]


@dataclass
class _Calm:
    """A stream that reports better than it was told: since when, and the worst of it."""

    since_s: float
    state: State
    reason: str


class StatusRegistry:
    """The status of every stream that has been started. Any thread may report and read.

    A worse state counts at once. A better one, and another reason for the same, counts once it has lasted for 2 s, so
    that a stream on a busy machine does not change its state several times a second in logs and messages.

    `keep` says which streams there are: the others are forgotten, and what is still reported of them is ignored.
    Watchers are called for every change, one at a time and in order, by the thread that reports; they must not block.
    """

    def __init__(self, keys: Iterable[StreamKey] = (), *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._calm: dict[StreamKey, _Calm] = {}
        self._lock = threading.RLock()
        self._keys = frozenset(keys)
        self._statuses: dict[StreamKey, StreamStatus] = {}
        self._watchers: list[Watcher] = []

    def watch(self, watcher: Watcher) -> None:
        """Call `watcher(camera, stream, status)` after every change from now on."""
        with self._lock:
            self._watchers.append(watcher)

    def keep(self, keys: Iterable[StreamKey]) -> None:
        """The streams of the settings now in force."""
        with self._lock:
            self._keys = frozenset(keys)
            for gone in self._statuses.keys() - self._keys:
                del self._statuses[gone]

    def keeps(self, camera: str, stream: str) -> bool:
        """Whether this is a stream of the settings in force."""
        return (camera, stream) in self._keys

    def started(self, camera: str, stream: str) -> None:
        """A stream is about to deliver frames; one that is known keeps its status."""
        with self._lock:
            if (camera, stream) not in self._statuses:
                self.report(camera, stream, State.STARTING)

    def report(self, camera: str, stream: str, state: State, reason: str = "") -> None:
        """The state of a stream and why."""
        with self._lock:
            old = self._statuses.get((camera, stream))
            if old is not None:
                state, reason = self._settled((camera, stream), old, state, reason)
            if old is None or (old.state, old.reason) != (state, reason):
                outputs = old.outputs if old is not None else MappingProxyType({})
                self._put(camera, stream, StreamStatus(state, reason, outputs, time.time()))

    def report_outputs(self, camera: str, stream: str, outputs: Mapping[str, str]) -> None:
        """The outputs of a stream that fail, each with the reason; none if all go well."""
        with self._lock:
            old = self._statuses.get((camera, stream), StreamStatus(State.STARTING, since_s=time.time()))
            if old.outputs != outputs:
                self._put(camera, stream, StreamStatus(old.state, old.reason, MappingProxyType(dict(outputs)),
                                                       old.since_s))

    def get(self, camera: str, stream: str) -> StreamStatus | None:
        """The status of a stream; None for one that was not started or is gone."""
        return self._statuses.get((camera, stream))

    def all(self) -> dict[StreamKey, StreamStatus]:
        """The status of every stream that was started."""
        with self._lock:
            return dict(self._statuses)

    def _settled(self, key: StreamKey, old: StreamStatus, state: State, reason: str) -> tuple[State, str]:
        """What counts of a report: all that is worse, and what is no worse once it has lasted."""
        was, now = _SEVERITY.get(old.state), _SEVERITY.get(state)
        if was is None or now is None or now > was or (state, reason) == (old.state, old.reason):
            self._calm.pop(key, None)
            return state, reason
        calm = self._calm.get(key)
        if calm is None:
            calm = self._calm[key] = _Calm(self._clock(), state, reason)
        elif now >= _SEVERITY[calm.state]:
            calm.state, calm.reason = state, reason
        if self._clock() - calm.since_s < CALM_S:
            return old.state, old.reason
        del self._calm[key]
        return calm.state, calm.reason

    def _put(self, camera: str, stream: str, status: StreamStatus) -> None:
        if (camera, stream) not in self._keys:
            return
        self._statuses[camera, stream] = status
        for watcher in self._watchers:
            try:
                watcher(camera, stream, status)
            except Exception:  # who is told may fail, the stream goes on
                _log.exception("%s/%s: a change of state could not be told", camera, stream)
