"""Many cameras on a machine of a given number of cores, by processor time in place of real time."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import tqdm

from aipg_plugin.detection.onnx import load_model
from aipg_plugin.frames import Frame
from aipg_plugin.guard.assembly import make_guard
from aipg_plugin.guard.guard import Guard
from aipg_plugin.guard.observer import OnLook
from aipg_plugin.guard.service import CameraWorker, DetectionService, _Waiting
from aipg_plugin.media.encoder import Encoder, EncoderSpec
from aipg_plugin.media.info import StreamInfo
from aipg_plugin.media.pictures import planes_of
from aipg_plugin.media.source import open_source
from aipg_plugin.mqtt.reports import TrackReport
from aipg_plugin.options import Models, Output, OutputKind, Source
from aipg_plugin.tracking.track import Track
from benchmarks.many_cameras import Notes, cameras_of, make_clips
from benchmarks.many_clips import FPS, SIDE_PX, CameraClip, clips_folder

_EPOCH_S = 1_000_000.0
_LEAST_RATE = 0.05  # of a core that a look gets however busy the video is
_SMOOTHING = 0.1


class ProcessorService(DetectionService):
    """A service whose looks take their processor time, by the share of a core that the video leaves each thread."""

    def __init__(self, threads: int) -> None:
        self.now = _EPOCH_S
        self.rate = 1.0
        self.look_cpu_s = 0.0
        self.expected_s = dict[str, float]()
        self.in_work: list[tuple[CameraWorker, _Waiting, float, float]] = []
        super().__init__(threads, clock=lambda: self.now)

    def _staff(self) -> None:
        """No threads: `advance` looks."""

    def advance(self, to_s: float) -> None:
        """Everything that is over by then; a look is run when its time is over, as long as those before took."""
        while True:
            while len(self.in_work) < self.threads:
                with self._lock:
                    taken = self._take()
                if taken is None:
                    break
                seat = taken[0]
                self.in_work.append((*taken, self.now, self.budget_s))
            ends = [start_s + self.expected_s.get(seat.name, 0.1) / self.rate for seat, _, start_s, _ in self.in_work]
            if not ends or min(ends) > to_s:
                break
            first = int(np.argmin(ends))
            seat, waiting, start_s, budget_s = self.in_work.pop(first)
            self.now = max(self.now, ends[first])
            before_s = time.process_time()
            glance = self._look(seat, waiting, budget_s)
            cpu_s = time.process_time() - before_s
            self.look_cpu_s += cpu_s
            known_s = self.expected_s.get(seat.name)
            self.expected_s[seat.name] = cpu_s if known_s is None else known_s + 0.3 * (cpu_s - known_s)
            with self._lock:
                self._finish(seat, waiting, start_s, glance)
        self.now = to_s


class _ProcessorClock:
    """In place of the module `time` for what budgets its looks by the time they take."""

    perf_counter = staticmethod(time.process_time)


def _frames(clip: CameraClip) -> tuple[list[Frame], StreamInfo, float]:
    """A clip decoded, what it is, and the processor time of decoding one frame."""
    with open_source(Source(str(clip.path), hardware_decode="none", realtime=False), "1") as source:
        info = source.info
    frames, before_s = list[Frame](), time.process_time()
    with av.open(str(clip.path)) as box:
        box.streams.video[0].thread_type = "SLICE"
        for index, picture in enumerate(box.decode(video=0)):
            pixel_format, planes = planes_of(picture)
            frames.append(Frame("1", index, 0.0, 0.0, pixel_format, (SIDE_PX, SIDE_PX),
                                tuple(np.array(plane) for plane in planes)))
    return frames, info, (time.process_time() - before_s) / max(1, len(frames))


def simulate(cameras: int, seconds: float, models: Models, lookahead_s: float, cores: float) -> dict[str, Any]:
    """One run in simulated time."""
    from aipg_plugin.scene import analyzer as analyzer_module

    vars(analyzer_module)["time"] = _ProcessorClock
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        clips, lens = make_clips(clips_folder(), cameras)
        notes = Notes(clips, lookahead_s)
        service = ProcessorService(models.threads or max(1, int(cores) - 1))
        notes.now_s = lambda: service.now
        net = load_model(replace(models, threads=1))
        played: dict[Path, tuple[list[Frame], StreamInfo, float]] = {}
        guards, encoders = {}, {}
        for camera in cameras_of(clips, lens, lookahead_s, Path(folder)):
            path = clips[camera.id].path
            if path not in played:
                played[path] = _frames(clips[camera.id])
            guard = guards[camera.id] = make_guard(camera, net, live=True, make_worker=service.worker)
            guard.on_look = _telling(notes, camera.id, guard)
            output = Output(OutputKind.FILE, str(Path(folder) / "x.mkv"), encoder="libx264")
            encoders[camera.id] = Encoder(output, EncoderSpec.of(played[path][1], live=True))
        frame_load, frame_cpu_s, loads = 0.5 * cores, 0.0, list[Any]()
        for step in tqdm.tqdm(range(int(seconds * FPS)), unit="step"):
            spent_s = 0.0
            for number, (name, guard) in enumerate(guards.items()):
                now_s = _EPOCH_S + (step + number / cameras) / FPS
                service.rate = min(1.0, max(_LEAST_RATE, (cores - frame_load) / service.threads))
                service.advance(now_s)
                frames, _, decode_s = played[clips[name].path]
                one = frames[step % len(frames)]
                looks_s, before_s = service.look_cpu_s, time.process_time()
                left = guard.process(replace(one, seq=step, pts_s=step / FPS, wall_time_s=now_s))
                process_s = time.process_time() - before_s - (service.look_cpu_s - looks_s)
                before_s = time.process_time()
                for guarded in left:
                    encoders[name].encode(av.VideoFrame.from_numpy_buffer(
                        np.concatenate([plane.ravel() for plane in guarded.planes]).reshape(-1, SIDE_PX),
                        format="yuv420p"), guarded.seq / FPS)
                encode_s = time.process_time() - before_s
                spent_s += decode_s + process_s + encode_s
                service.now = now_s + process_s  # it leaves once it is masked
                for guarded in left:
                    notes.guarded(name, guarded)
                service.now = now_s
            frame_cpu_s += spent_s
            frame_load += _SMOOTHING * (spent_s * FPS - frame_load)
            loads.append(service.load())
        late = loads[len(loads) // 3:]
        return {"cameras": cameras, "simulated_cores": cores, **notes.result(),
                "cores": round((frame_cpu_s + service.look_cpu_s) / seconds, 2),
                "cores_frames": round(frame_cpu_s / seconds, 2), "cores_looks": round(service.look_cpu_s / seconds, 2),
                "looks_hz": round(float(np.mean([one.looks_hz for one in late])), 1),
                "wanted_hz": round(float(np.mean([one.wanted_hz for one in late])), 1),
                "time_share": round(float(np.mean([one.time_share for one in late])), 2),
                "look_s": round(float(np.mean([one.look_s for one in late])), 3), "overloaded": late[-1].overloaded}


def _telling(notes: Notes, name: str, guard: Guard) -> OnLook:
    def told(t_s: float, tracks: tuple[Track, ...]) -> None:
        if guard.picture_wh is not None:
            w, h = guard.picture_wh
            notes.figures(name, t_s, tuple(
                TrackReport(track.id, (float(track.box[0]) / w, float(track.box[1]) / h, 0.0, 0.0, 0.0), 1.0, None, 0.0)
                for track in tracks))
    return told
