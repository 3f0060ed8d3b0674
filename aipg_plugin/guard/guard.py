"""The guard: frames of one camera in, guarded frames out. Total, and closed when in doubt."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from aipg_plugin.errors import GuardError
from aipg_plugin.frames import Frame, GuardedFrame
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.guard.evidence import Evidence, EvidenceWorker
from aipg_plugin.guard.planner import detection_stream, mount_of
from aipg_plugin.guard.stats import StreamStats
from aipg_plugin.guard.stream import Layout, StreamGuard
from aipg_plugin.options import Camera
from aipg_plugin.scene.observation import Analyzer
from aipg_plugin.tracking.track import Track
from aipg_plugin.tracking.tracker import Tracker

_log = logging.getLogger(__name__)

MakeAnalyzer = Callable[[Projection, Mount, Camera], Analyzer]
MakeTracker = Callable[[Projection, Mount, Camera], Tracker]
OnLook = Callable[[float, tuple[Track, ...]], None]


class Guard:
    """Guards every stream of one camera with one detector.

    `live`: frames are timed by arrival, looks run in a thread of their own, and a frame leaves after its look-ahead
    with the best evidence there is. Otherwise looks run within the call, so that nothing depends on the speed of the
    machine. `process`, `flush` and `lost` never raise for a stream of the camera.
    """

    def __init__(self, camera: Camera, make_analyzer: MakeAnalyzer, make_tracker: MakeTracker, *, live: bool,
                 keep_all: bool = False) -> None:
        self._camera = camera
        self._make_analyzer = make_analyzer
        self._make_tracker = make_tracker
        self._live = live
        self._keep_all = keep_all
        self._lock = threading.RLock()
        self._streams: dict[str, StreamGuard] = {}
        self._evidence: Evidence | None = None
        self._worker: EvidenceWorker | None = None
        self._source: Projection | None = None
        self._looked_at: Layout | None = None
        self._looking = True
        self.on_look: OnLook | None = None

    @property
    def camera(self) -> Camera:
        """The settings in force."""
        return self._camera

    def process(self, frame: Frame) -> list[GuardedFrame]:
        """Take one frame; returns the frames whose time has come, guarded, oldest first."""
        stream = self.stream(frame.stream)
        try:
            intake = stream.take(frame, newest_s=self._newest_s())
        except Exception:
            _log.exception("camera %s stream %s: a frame failed in the intake", self._camera.id, frame.stream)
            return [*(stream.release(waiting) for waiting in stream.drain()), stream.last_resort(frame)]
        released = [stream.release(waiting) for waiting in intake.leaving]  # by the evidence of their own time
        self._observe(frame, stream, jumped=intake.jumped)
        return released + [stream.release(waiting) for waiting in stream.due()]

    def scout(self, frame: Frame) -> None:
        """First pass of offline masking: look when due, keep nothing of the frame. May raise."""
        stream = self.stream(frame.stream)
        intake = stream.take(frame, keep=False)
        self._observe(frame, stream, jumped=intake.jumped)

    def second_pass(self) -> None:
        """The same frames come once more: keep all evidence, look no more."""
        with self._lock:
            self._looking = False
            for stream in self._streams.values():
                stream.rewind()

    def flush(self, stream_id: str) -> list[GuardedFrame]:
        """The frames still waiting for their look-ahead (the source has ended)."""
        stream = self.stream(stream_id)
        return [stream.release(waiting) for waiting in stream.drain()]

    def lost(self, stream_id: str, text: str = "no picture from the camera") -> GuardedFrame | None:
        """A masked, captioned picture for a source that gives no frames; None before the first frame."""
        return self.stream(stream_id).placeholder(text)

    def configure(self, camera: Camera) -> None:
        """Put new settings in force between two frames. New geometry starts the evidence anew."""
        with self._lock:
            before, self._camera = self._camera, camera
            moved = _geometry(before) != _geometry(camera)
            if moved or _areas(before) != _areas(camera):  # areas drawn anew: a moved camera is accepted
                self._drop_evidence()
            elif self._evidence is not None:
                self._evidence.tune(camera.privacy_guard)
                if camera.privacy_guard.enabled and not before.privacy_guard.enabled:
                    self._evidence.reset(self._newest_s())  # nobody looked meanwhile
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
                settings = next((s for s in self._camera.streams if s.id == stream_id), None)
                if settings is None:
                    raise GuardError("{stream!r} is not a stream of camera {camera!r}", stream=stream_id,
                                     path=f"cameras.{self._camera.id}.streams", camera=self._camera.id,
                                     cure="Name it there or use one of the streams that are")
                self._streams[stream_id] = StreamGuard(self._camera, settings, live=self._live)
                if self._evidence is not None and self._source is not None:
                    self._streams[stream_id].see(self._evidence, self._source)
            return self._streams[stream_id]

    def stats(self) -> dict[str, StreamStats]:
        """Figures per stream."""
        return {stream_id: stream.stats.snapshot() for stream_id, stream in list(self._streams.items())}

    @property
    def picture_wh(self) -> tuple[int, int] | None:
        """Size of the pictures whose pixels the tracks' boxes are in; None before the first frame."""
        source = self._source
        return None if source is None else source.size_wh

    def tracks(self) -> tuple[Track, ...]:
        """Everybody tracked now."""
        evidence = self._evidence
        return evidence.tracks() if evidence is not None else ()

    def close(self, timeout_s: float = 2.0) -> None:
        """Stop the detector's thread; frames that still come leave masked whole."""
        with self._lock:
            self._looking = False
            worker = self._worker
            self._drop_evidence()
        if worker is not None:
            worker.close(timeout_s)

    def _newest_s(self) -> float:
        return max((stream.now_s for stream in list(self._streams.values())), default=-float("inf"))

    def _observe(self, frame: Frame, stream: StreamGuard, *, jumped: bool) -> None:
        """Let the detector look at this frame if it is its stream's and due; time that broke starts anew. Total."""
        if not self._looking or frame.stream != detection_stream(self._camera).id:
            return
        try:
            if jumped and self._evidence is not None:
                self._evidence.reset(stream.now_s)
            if stream.layout is not self._looked_at or self._evidence is None:
                self._open_evidence(stream)
            self._look(frame, stream.now_s)
            if self._evidence is not None:
                self._evidence.prune(min(other.oldest_s for other in list(self._streams.values())))
        except Exception:
            _log.exception("camera %s: looking at a frame failed", self._camera.id)
            stream.stats.faults += 1

    def _look(self, frame: Frame, t_s: float) -> None:
        evidence, worker, source = self._evidence, self._worker, self._source
        if evidence is None or source is None or not self._camera.privacy_guard.enabled:
            return
        if worker is not None:
            if worker.wants(t_s):
                worker.offer(frame.to_bgr(source.size_wh), t_s)
        elif evidence.due(t_s):
            evidence.look(frame.to_bgr(source.size_wh), t_s)

    def _open_evidence(self, stream: StreamGuard) -> None:
        with self._lock:
            self._drop_evidence()
            layout = stream.layout
            if layout is None:
                return
            mount = mount_of(self._camera)
            analyzer = self._make_analyzer(layout.projection, mount, self._camera)
            source = analyzer.projection
            evidence = Evidence(analyzer, self._make_tracker(source, mount, self._camera),
                                period_s=1 / self._camera.privacy_guard.detect_hz, keep_all=self._keep_all)
            evidence.on_look = self._tell
            if self._live:
                self._worker = EvidenceWorker(evidence, self._camera.id)
            self._evidence, self._source, self._looked_at = evidence, source, layout
            for other in self._streams.values():
                other.see(evidence, source)

    def _tell(self, t_s: float, tracks: tuple[Track, ...]) -> None:
        if self.on_look is not None:
            self.on_look(t_s, tracks)

    def _drop_evidence(self) -> None:
        if self._worker is not None:
            self._worker.close()
        self._worker = self._evidence = self._source = self._looked_at = None
        for stream in self._streams.values():
            stream.forget_evidence()


def _geometry(camera: Camera) -> object:
    """What makes figures found before void when it changes."""
    return camera.lens, mount_of(camera), [(s.id, s.capture_mode, s.view, s.views) for s in camera.streams]


def _areas(camera: Camera) -> object:
    """Where areas are drawn, on or off."""
    guard = camera.privacy_guard
    return [[area.points for area in areas] for areas in (guard.prohibited_areas, guard.always_mask_areas)]
