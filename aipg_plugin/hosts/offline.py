"""The host for files: pictures page by page, videos in one go, the guard a few seconds ahead of the masks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aipg_plugin.detection.onnx import PersonNet
from aipg_plugin.detection.tiles import THOROUGH, TilePlan
from aipg_plugin.errors import MediaError, SinkError, UsageError
from aipg_plugin.frames import Frame, GuardedFrame, PixelFormat
from aipg_plugin.guard.assembly import make_guard
from aipg_plugin.hosts.redaction import Redaction
from aipg_plugin.masking.outline import outline_of
from aipg_plugin.media.filesink import FileSink
from aipg_plugin.media.images import Page, PictureFile, encode_pages
from aipg_plugin.media.info import AudioPacket, StreamInfo
from aipg_plugin.media.session import AvSession
from aipg_plugin.media.source import FileSource, VideoSource, open_source
from aipg_plugin.media.urls import file_url
from aipg_plugin.options import Audio, Camera, MaskingMethod, Output, Source
from aipg_plugin.states import State

Progress = Callable[[str, int, int | None, int], None]  # phase, frames done, frames in all if known, people so far
_JPEG_QUALITY = 97
_LEAST_MISSING_S, _LEAST_MISSING = 0.5, 0.05  # seconds, and share of a file: durations are not exact
_LONGEST_STEM = 200  # bytes: file systems take names of 255, and the hidden file's is a little longer


@dataclass
class Report:
    """What was done to one file. `left_out` names the tracks of the source that are not in the target."""

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
    left_out: tuple[str, ...] = ()

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


def redact_picture(source: Path, target: Path, camera: Camera, net: PersonNet, *,
                   progress: Progress = lambda *_: None) -> Report:
    """Mask every page of one picture file, each as a picture of its own; the target is whole or as it was before.

    Raises MediaError when it cannot be read or written, UsageError when the masking method needs a video.
    """
    start_s = time.monotonic()
    if camera.privacy_guard.masking_method is MaskingMethod.BACKGROUND:
        raise UsageError("a single picture does not show the empty scene that masking by background needs",
                         cure="Use blurring or filling")
    report = Report(str(source), str(target), encoder=target.suffix[1:].lower(), provider=net.provider)
    with _whole(target) as partial, PictureFile(source) as picture:
        pages = _guarded_pages(picture, camera, net, report, progress)
        partial.write_bytes(encode_pages(pages, target.suffix, _JPEG_QUALITY))
    return _timed(report, start_s)


def _guarded_pages(picture: PictureFile, camera: Camera, net: PersonNet, report: Report,
                   progress: Progress) -> Iterator[tuple[GuardedFrame, float]]:
    stream = camera.streams[0].id
    for page in picture:
        guard = make_guard(camera, net, live=False, plan=THOROUGH, single_image=True)
        (guarded,) = guard.process(_frame_of(page, stream))
        stats = guard.stats()[stream]
        report.frames_in += 1
        # An animation shows the same people over and over, a document's pages each their own.
        report.people = max(report.people, stats.people) if page.shown_s > 0 else report.people + stats.people
        report.count(guarded, stats.masked_share)
        progress("masking", report.frames_in, picture.pages, report.people)
        yield guarded, page.shown_s


def _frame_of(page: Page, stream: str) -> Frame:
    return Frame(stream, 0, 0.0, time.time(), PixelFormat.BGR24, page.size_wh, (page.bgr,))


def redact_video(source: Path, target: Path, camera: Camera, net: PersonNet, output: Output, *,
                 plan: TilePlan = THOROUGH, progress: Progress = lambda *_: None) -> Report:
    """Mask a video: each frame once a few seconds of what follows have been looked at (`redaction.py`).

    `plan` says how closely it is looked at: LIVE takes a little less time, THOROUGH's close-ups show more around.

    Raises MediaError when it cannot be read or written; then, or when interrupted, the target is as it was before.
    """
    start_s = time.monotonic()
    stream = camera.streams[0].id
    people: set[int] = set()
    report = Report(str(source), str(target), provider=net.provider)
    with _whole(target) as partial, open_video(source, stream) as opened:
        output = replace(output, target=str(partial))
        report.left_out = _left_out(opened.info, output)
        total = _frame_count(opened.info)
        sink = FileSink(output, opened.info)
        report.encoder = sink.encoder
        try:
            redaction = Redaction(opened, lambda: open_video(source, stream), lambda most: make_guard(
                camera, net, live=False, plan=plan, most_waiting=most))
            redaction.guard.on_look = lambda _t_s, tracks: people.update(track.id for track in tracks)
            for item, share in redaction.run(sound=output.audio is Audio.PASS):
                if isinstance(item, AudioPacket):
                    sink.write_audio(item)
                    continue
                sink.write(item)
                report.count(item, share)
                progress("masking", report.frames_out, total, len(people))
        finally:
            sink.close()
        report.frames_in = redaction.frames
        if report.frames_in == 0:
            raise MediaError("{source} has no frames", source=report.source, cure="Check that it is a video")
        report.left_out += _undecoded(opened, redaction.seen_s)
    report.people = len(people)
    return _timed(report, start_s)


def open_video(path: Path, stream_id: str) -> VideoSource:
    """A video file as a source of all its frames, whatever its name looks like. Raises MediaError."""
    return open_source(Source(file_url(path), realtime=False), stream_id)


def _left_out(info: StreamInfo, output: Output) -> tuple[str, ...]:
    """The tracks left out. Raises MediaError where sound is to be passed on and would be among them."""
    lost = [track for track in info.left_out if track.startswith("audio")]
    if output.audio is Audio.PASS and lost:
        raise MediaError("{tracks} cannot be passed on", tracks=", ".join(lost), path="output.audio",
                         cure="Drop the audio, or give a file with one audio track")
    dropped = () if info.audio is None or output.audio is Audio.PASS else (f"audio ({info.audio.codec})",)
    return *info.left_out, *dropped


def _undecoded(source: VideoSource, seen_s: float) -> tuple[str, ...]:
    """In words what of a damaged or cut-off file could not be decoded; `seen_s`: what its pictures span."""
    whole_s = source.info.duration_s or 0.0
    if whole_s - seen_s > max(_LEAST_MISSING_S, _LEAST_MISSING * whole_s):
        return (f"what follows after {seen_s:.1f} s (the file says {whole_s:.1f} s; it may be cut off)",)
    session = source.session if isinstance(source, FileSource) else None
    errors = session.decode_errors if isinstance(session, AvSession) else 0
    return (f"{errors} damaged pieces that could not be decoded",) if errors else ()


def _frame_count(info: StreamInfo) -> int | None:
    """How many frames come, as the container says or by duration and rate; None if unknown."""
    guess = round(info.duration_s * info.fps) if info.duration_s and info.fps else None
    return info.frame_count or guess or None


@contextmanager
def _whole(target: Path) -> Iterator[Path]:
    """A hidden file beside the target, which becomes the target at the end; it is removed on any error.

    It is made at once, so that a folder that cannot be written to is told before any work. Raises MediaError.
    """
    stem = target.stem.encode()[:_LONGEST_STEM].decode(errors="ignore")
    partial = target.with_name(f".{stem}.partial{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.touch()
        yield partial
        partial.replace(target)
    except OSError as error:
        raise _cannot_write(target, error.strerror or str(error)) from None
    except SinkError as error:
        told = error.problems[0].params
        if told.get("target") != str(partial) or "why" not in told:
            raise
        raise _cannot_write(target, str(told["why"])) from None  # of the file that was asked for
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _cannot_write(target: Path, why: str) -> MediaError:
    return MediaError("cannot write {target}: {why}", target=str(target), why=why,
                      cure="Choose a folder that can be written to and has room")


def _timed(report: Report, start_s: float) -> Report:
    report.seconds = round(time.monotonic() - start_s, 3)
    report.fps = round(report.frames_out / max(report.seconds, 1e-6), 2)
    report.masked_share = round(report.masked_share, 4)
    return report


@dataclass(frozen=True)
class DetectedPerson:
    """One person of a picture: box (5,), head (3,) px or NaN, and the polygons that would be masked."""

    box: NDArray[np.float64]
    head: NDArray[np.float64]
    score: float
    mask: tuple[NDArray[np.float64], ...]


def find_people(page: Page, camera: Camera, net: PersonNet) -> list[DetectedPerson]:
    """Everybody in one picture, best first, in its pixels, with the mask each would get."""
    stream = camera.streams[0].id
    guard = make_guard(camera, net, live=False, plan=THOROUGH, single_image=True)
    guard.process(_frame_of(page, stream))
    picture_wh = guard.picture_wh
    if picture_wh is None:
        return []
    scale = page.size_wh[0] / picture_wh[0]
    grown = np.array([scale, scale, scale, scale, 1.0])
    found = [DetectedPerson(figure.box * grown, figure.head * scale, figure.score, outline_of(region, page.size_wh))
             for figure, region in guard.stream(stream).figures()]
    return sorted(found, key=lambda person: -person.score)
