"""The host for files: pictures one by one, videos in two passes so that the guard knows what comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from aipg_plugin.detection.onnx import PersonNet
from aipg_plugin.detection.tiles import THOROUGH, TilePlan
from aipg_plugin.errors import MediaError
from aipg_plugin.frames import Frame, GuardedFrame, PixelFormat
from aipg_plugin.guard.assembly import make_guard
from aipg_plugin.guard.guard import Guard
from aipg_plugin.masking.outline import outline_of
from aipg_plugin.media.filesink import open_file_sink
from aipg_plugin.media.images import encode_image, read_image
from aipg_plugin.media.source import VideoSource, open_source
from aipg_plugin.options import Camera, Output, PrivacyGuard, Source, Stream
from aipg_plugin.states import State

Progress = Callable[[str, int, int | None, int], None]  # phase, frames done, frames in all if known, people so far
_JPEG_QUALITY = 97


@dataclass
class Report:
    """What was done to one file."""

    source: str
    target: str
    frames_in: int = 0
    frames_out: int = 0
    people: int = 0
    masked_share: float = 0.0
    full_mosaic_frames: int = 0
    full_mosaic_reasons: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    fps: float = 0.0
    encoder: str = ""
    provider: str = ""

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)

    def count(self, guarded: GuardedFrame, share: float) -> None:
        """Add one frame that left."""
        self.frames_out += 1
        self.masked_share += (share - self.masked_share) / self.frames_out
        if guarded.state in (State.FAILSAFE, State.STARTING):
            self.full_mosaic_frames += 1
            self.full_mosaic_reasons[guarded.reason] = self.full_mosaic_reasons.get(guarded.reason, 0) + 1


def redact_picture(source: Path, target: Path, camera: Camera, net: PersonNet) -> Report:
    """Mask one picture file. Raises MediaError when it cannot be read or written; the target is whole or absent."""
    start_s = time.monotonic()
    bgr = read_image(source)
    stream = camera.streams[0].id
    frame = Frame(stream, 0, 0.0, time.time(), PixelFormat.BGR24, (bgr.shape[1], bgr.shape[0]), (bgr,))
    guard = make_guard(camera, net, live=False, plan=THOROUGH, single_image=True)
    (guarded,) = guard.process(frame)
    _replace(target, encode_image(guarded, target.suffix.lower(), _JPEG_QUALITY))
    stats = guard.stats()[stream]
    report = Report(str(source), str(target), frames_in=1, people=stats.people, encoder=target.suffix[1:].lower(),
                    provider=net.provider)
    report.count(guarded, stats.masked_share)
    return _timed(report, start_s)


def redact_video(source: Path, target: Path, camera: Camera, net: PersonNet, output: Output, *,
                 plan: TilePlan = THOROUGH, progress: Progress = lambda *_: None) -> Report:
    """Mask a video: look at all of it, then mask and write every frame.

    `plan` says how closely it is looked at: LIVE takes a little less time, THOROUGH's close-ups show more around.

    Raises MediaError when it cannot be read or written; then, or when interrupted, the target is as it was before.
    """
    start_s = time.monotonic()
    stream = camera.streams[0]
    guard = make_guard(camera, net, live=False, plan=plan, keep_all=True)
    people: set[int] = set()
    guard.on_look = lambda _t_s, tracks: people.update(track.id for track in tracks)
    report = Report(str(source), str(target), provider=net.provider)
    with _open(source, stream.id) as looking:
        total = looking.info.frame_count
        for done, frame in enumerate(_frames(looking), 1):
            guard.scout(frame)
            progress("looking", done, total, len(people))
    guard.second_pass()
    partial = target.with_name(f".{target.stem}.partial{target.suffix}")
    try:
        with _open(source, stream.id) as masking:
            _mask(masking, guard, replace(output, target=str(partial)), report, progress=progress, people=people)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    report.people = len(people)
    return _timed(report, start_s)


def plain_copy(source: Path, target: Path, output: Output) -> int:
    """Decode and encode a video without guarding it: the floor that `redact_video` is measured against.

    Returns the frames written. The target holds clear pictures, so this is for benchmarks alone.
    """
    camera = Camera("floor", streams=(Stream("1", Source(str(source))),), privacy_guard=PrivacyGuard(enabled=False))
    passing = Guard(camera, _never, _never, live=False)
    frames = 0
    with _open(source, "1") as clear:
        sink = open_file_sink(replace(output, target=str(target)), clear.info)
        for frame in _frames(clear):
            for guarded in passing.process(frame):
                sink.write(guarded)
                frames += 1
        sink.close()
    return frames


def _never(*_: object) -> NoReturn:
    raise AssertionError("nothing is looked at while the guard is off")


def _mask(source: VideoSource, guard: Guard, output: Output, report: Report, *, progress: Progress,
          people: set[int]) -> None:
    sink = open_file_sink(output, source.info)
    source.on_audio = sink.write_audio if output.audio == "pass" else None
    stream = guard.camera.streams[0].id
    keeper = guard.stream(stream).stats
    try:
        for frame in _frames(source):
            report.frames_in += 1
            for guarded in guard.process(frame):
                sink.write(guarded)
                report.count(guarded, guard.stream(stream).stats.masked_share)
            progress("masking", report.frames_in, source.info.frame_count, len(people))
        for guarded in guard.flush(stream):
            sink.write(guarded)
            report.count(guarded, keeper.masked_share)
    finally:
        sink.close()
    report.encoder = sink.encoder
    if report.frames_in == 0:
        raise MediaError("{source} has no frames", source=report.source, cure="Check that it is a video")


def _open(path: Path, stream_id: str) -> VideoSource:
    return open_source(Source(str(path), realtime=False), stream_id)


def _frames(source: VideoSource) -> Iterable[Frame]:
    return (item for item in source if isinstance(item, Frame))


def _replace(target: Path, data: bytes) -> None:
    partial = target.with_name(f".{target.name}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(data)
        partial.replace(target)
    except OSError as error:
        raise MediaError("cannot write {target}: {why}", target=str(target), why=error.strerror or str(error),
                         cure="Choose a folder that can be written to") from error
    finally:
        partial.unlink(missing_ok=True)


def _timed(report: Report, start_s: float) -> Report:
    report.seconds = round(time.monotonic() - start_s, 3)
    report.fps = round(report.frames_out / max(report.seconds, 1e-6), 2)
    report.masked_share = round(report.masked_share, 4)
    return report


@dataclass(frozen=True)
class Found:
    """One figure of a picture: box (5,), head (3,) px or NaN, and the polygons that would be masked."""

    box: NDArray[np.float64]
    head: NDArray[np.float64]
    score: float
    mask: tuple[NDArray[np.float64], ...]


def find_people(bgr: NDArray[np.uint8], camera: Camera, net: PersonNet) -> list[Found]:
    """Everybody in one picture, best first, in its pixels, with the mask each would get."""
    stream = camera.streams[0].id
    size_wh = (bgr.shape[1], bgr.shape[0])
    guard = make_guard(camera, net, live=False, plan=THOROUGH, single_image=True)
    guard.process(Frame(stream, 0, 0.0, time.time(), PixelFormat.BGR24, size_wh, (bgr,)))
    picture_wh = guard.picture_wh
    if picture_wh is None:
        return []
    scale = size_wh[0] / picture_wh[0]
    grown = np.array([scale, scale, scale, scale, 1.0])
    found = [Found(figure.box * grown, figure.head * scale, figure.score, outline_of(region, size_wh))
             for figure, region in guard.stream(stream).figures()]
    return sorted(found, key=lambda figure: -figure.score)
