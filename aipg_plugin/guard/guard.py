"""The guard: frames of one camera in, guarded frames out. Total, and closed when in doubt."""

from __future__ import annotations

import threading

from aipg_plugin.errors import GuardError
from aipg_plugin.frames import Frame, GuardedFrame
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.guard.layout import mount_of
from aipg_plugin.guard.observer import MakeAnalyzer, MakeTracker, MakeWorker, Observer, OnLook
from aipg_plugin.guard.ring import MOST_WAITING
from aipg_plugin.guard.service import alone
from aipg_plugin.guard.stats import StreamStats
from aipg_plugin.guard.stream import StreamGuard
from aipg_plugin.guard.turns import Turns
from aipg_plugin.options import Camera, Stream
from aipg_plugin.tracking.track import Track


class Guard:
    """Guards every stream of one camera with one detector.

    A frame goes one way: `process` hands it to its stream (`stream.py`: intake, settle, observe, release), which shows
    it to the camera's observer (`observer.py`) and masks what leaves by the observer's evidence (`evidence.py`).

    `live`: looks run in a thread of their own, and a frame leaves after its look-ahead with the best evidence there is.
    Otherwise looks run within the call, so that nothing depends on the speed of the machine, and a frame leaves once
    `hindsight_s` of what follows has been looked at, or `most_waiting` frames wait. `make_worker` is for measurements
    with looks of known duration. `turns`: in which frames are worked on, shared with other cameras. `own_frames`: the
    planes of frames are handed over with them and painted in place, not borrowed for the call.
    `process`, `flush` and `lost` never raise for a stream of the camera.
    """

    def __init__(self, camera: Camera, make_analyzer: MakeAnalyzer, make_tracker: MakeTracker, *, live: bool,
                 hindsight_s: float = 0.0, most_waiting: int = MOST_WAITING,
                 make_worker: MakeWorker = alone, turns: Turns | None = None, own_frames: bool = False) -> None:
        self._camera = camera
        self._turns = turns
        self._own_frames = own_frames
        self._live = live
        self._hindsight_s, self._most_waiting = hindsight_s, most_waiting
        self._lock = threading.RLock()
        self._observer = Observer(camera, make_analyzer, make_tracker, live=live,
                                  hindsight_s=hindsight_s, make_worker=make_worker)
        self._streams: dict[str, StreamGuard] = {}

    @property
    def camera(self) -> Camera:
        """The settings in force."""
        return self._camera

    @property
    def on_look(self) -> OnLook | None:
        """Called with the time and the tracks after each look, by the thread that looks."""
        return self._observer.on_look

    @on_look.setter
    def on_look(self, listener: OnLook | None) -> None:
        self._observer.on_look = listener

    def begin(self, stream_id: str) -> None:
        """A source of a stream is opened. Raises GuardError for a stream the camera does not have."""
        self.stream(stream_id).begin()

    def process(self, frame: Frame) -> list[GuardedFrame]:
        """Take one frame; returns the frames whose time has come, guarded, oldest first."""
        return self.stream(frame.stream).process(frame, newest_s=self._newest_s())

    def flush(self, stream_id: str) -> list[GuardedFrame]:
        """The frames still waiting for their look-ahead (the source has ended)."""
        return self.stream(stream_id).flush()

    def lost(self, stream_id: str, text: str = "no picture from the camera") -> GuardedFrame | None:
        """A masked, captioned picture for a source that gives no frames; None before the first frame."""
        return self.stream(stream_id).placeholder(text)

    def configure(self, camera: Camera) -> None:
        """Put new settings in force between two frames. New geometry starts the evidence anew."""
        with self._lock:
            before, self._camera = self._camera, camera
            moved = _geometry(before) != _geometry(camera)
            # Areas drawn anew: a moved camera is accepted.
            self._observer.configure(camera, void=moved or _areas(before) != _areas(camera))
            for stream_id, stream in list(self._streams.items()):
                settings = next((s for s in camera.streams if s.id == stream_id), None)
                if settings is None:
                    del self._streams[stream_id]
                else:
                    stream.configure(camera, settings, moved=moved)

    def stream(self, stream_id: str) -> StreamGuard:
        """The guard of one stream. Raises GuardError for a stream the camera does not have."""
        with self._lock:
            if stream_id not in self._streams:
                settings = stream_of(self._camera, stream_id)
                self._streams[stream_id] = StreamGuard(self._camera, settings, self._observer, live=self._live,
                                                      projections=self._projection, hindsight_s=self._hindsight_s,
                                                      most_waiting=self._most_waiting, turns=self._turns,
                                                      own_frames=self._own_frames)
            return self._streams[stream_id]

    def stats(self) -> dict[str, StreamStats]:
        """Statistics per stream."""
        return {stream_id: stream.stats.snapshot() for stream_id, stream in list(self._streams.items())}

    @property
    def picture_wh(self) -> tuple[int, int] | None:
        """Size of the pictures whose pixels the tracks' boxes are in; None before the first frame."""
        known = self._observer.known()
        return None if known is None else known.source.size_wh

    def shown(self, stream_id: str) -> Projection | None:
        """What a stream's pictures show; None before the first. Raises GuardError for one the camera does not have."""
        layout = self.stream(stream_id).layout
        return None if layout is None else layout.projection

    def tracks(self) -> tuple[Track, ...]:
        """Everybody tracked now."""
        known = self._observer.known()
        return known.evidence.tracks() if known is not None else ()

    def close(self, timeout_s: float = 2.0) -> None:
        """Stop the detector's thread; frames that still come leave masked whole."""
        self._observer.close(timeout_s)

    def _projection(self, stream_id: str) -> Projection | None:
        """What a stream's pictures show; None before its first one, and while its image circle is not known."""
        stream = self._streams.get(stream_id)
        layout = stream.layout if stream is not None else None
        return None if layout is None or layout.circle_wanting else layout.projection

    def _newest_s(self) -> float:
        return max((stream.now_s for stream in list(self._streams.values())), default=-float("inf"))


def stream_of(camera: Camera, stream_id: str) -> Stream:
    """The settings of a stream. Raises GuardError for one that the camera does not have."""
    for stream in camera.streams:
        if stream.id == stream_id:
            return stream
    raise GuardError("{stream!r} is not a stream of camera {camera!r}", stream=stream_id,
                     path=f"cameras.{camera.id}.streams", camera=camera.id,
                     cure="Name it there or use one of the streams that are")


def _geometry(camera: Camera) -> object:
    """What makes figures found before void when it changes."""
    return camera.lens, mount_of(camera), [(s.id, s.capture_mode, s.view, s.views) for s in camera.streams]


def _areas(camera: Camera) -> object:
    """Where areas are drawn, on or off."""
    guard = camera.privacy_guard
    return [[area.points for area in areas] for areas in (guard.prohibited_areas, guard.always_mask_areas)]
