"""Owns looking: which frames the analyzer sees, when, in which thread, and the evidence that comes of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from aipg_plugin.frames import Frame
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.guard.evidence import Evidence, EvidenceWorker
from aipg_plugin.guard.layout import Layout, detection_stream, mount_of
from aipg_plugin.options import Camera
from aipg_plugin.scene.observation import Analyzer
from aipg_plugin.tracking.track import Track
from aipg_plugin.tracking.tracker import Tracker

MakeAnalyzer = Callable[[Projection, Mount, Camera], Analyzer]
MakeTracker = Callable[[Projection, Mount, Camera], Tracker]
OnLook = Callable[[float, tuple[Track, ...]], None]


@dataclass(frozen=True)
class Known:
    """The evidence in force, the projection its figures are in, and why its image circle cannot be right ("")."""

    evidence: Evidence
    source: Projection
    doubt: str = ""


class Observer:
    """Looks at the frames of a camera's detection stream; every stream asks it what is known.

    `observe` is called by the thread of the detection stream alone; `known` and `configure` by any.
    """

    def __init__(self, camera: Camera, make_analyzer: MakeAnalyzer, make_tracker: MakeTracker, *, live: bool,
                 keep_all: bool) -> None:
        self._camera = camera
        self._make_analyzer = make_analyzer
        self._make_tracker = make_tracker
        self._live = live
        self._keep_all = keep_all
        self._lock = threading.RLock()
        self._known: Known | None = None
        self._worker: EvidenceWorker | None = None
        self._layout: Layout | None = None
        self._looking = True
        self._now_s = -float("inf")
        self.on_look: OnLook | None = None

    @property
    def known(self) -> Known | None:
        """What is known, None while nothing is: before the first look, and after geometry changed."""
        return self._known

    def observe(self, frame: Frame, layout: Layout, t_s: float, *, jumped: bool) -> None:
        """Look at this frame if it is the detection stream's and due. Time that broke starts the evidence anew."""
        if not self._looking or frame.stream != detection_stream(self._camera).id:
            return
        self._now_s = t_s
        if not self._camera.privacy_guard.enabled:
            return
        if jumped and self._known is not None:
            self._known.evidence.reset(t_s)
        if layout is not self._layout or self._known is None:
            self._open(layout)
        known, worker = self._known, self._worker
        if known is None:
            return
        if worker is not None:
            if worker.wants(t_s):
                worker.offer(frame.to_bgr(known.source.size_wh), t_s)
        elif known.evidence.due(t_s):
            known.evidence.look(frame.to_bgr(known.source.size_wh), t_s)

    def configure(self, camera: Camera, *, void: bool) -> None:
        """Put new settings in force; `void` when what was found before counts no longer."""
        with self._lock:
            before, self._camera = self._camera, camera
            if void:
                self._drop()
            elif self._known is not None:
                self._known.evidence.tune(camera.privacy_guard)
                if camera.privacy_guard.enabled and not before.privacy_guard.enabled:
                    self._known.evidence.reset(self._now_s)  # nobody looked meanwhile

    def stop(self) -> None:
        """Look no more and keep what is known (the second pass over a file)."""
        self._looking = False

    def close(self, timeout_s: float) -> None:
        """Stop the detector's thread and forget everything."""
        with self._lock:
            self._looking = False
            worker = self._worker
            self._drop()
        if worker is not None:
            worker.close(timeout_s)

    def _open(self, layout: Layout) -> None:
        with self._lock:
            self._drop()
            mount = mount_of(self._camera)
            analyzer = self._make_analyzer(layout.projection, mount, self._camera)
            source = analyzer.projection
            evidence = Evidence(analyzer, self._make_tracker(source, mount, self._camera),
                                period_s=1 / self._camera.privacy_guard.detect_hz, keep_all=self._keep_all)
            evidence.on_look = self._tell
            if self._live:
                self._worker = EvidenceWorker(evidence, self._camera.id)
            self._known, self._layout = Known(evidence, source, layout.doubt), layout

    def _drop(self) -> None:
        if self._worker is not None:
            self._worker.close()
        self._worker = self._known = self._layout = None

    def _tell(self, t_s: float, tracks: tuple[Track, ...]) -> None:
        if self.on_look is not None:
            self.on_look(t_s, tracks)
