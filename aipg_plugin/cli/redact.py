"""`aipg redact`: mask the people in an image, a video or a folder."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aipg_plugin.cli.common import add_camera_arguments, camera_from, ends_cleanly, input_path
from aipg_plugin.cli.folder import Job, jobs_in, target_for
from aipg_plugin.cli.picture import picture_warnings
from aipg_plugin.cli.told import told
from aipg_plugin.detection.onnx import PersonNet, load_model
from aipg_plugin.detection.tiles import LIVE, THOROUGH
from aipg_plugin.errors import AipgError, MediaError, UsageError
from aipg_plugin.frames import Frame
from aipg_plugin.heap import reuse_heap, trim_heap
from aipg_plugin.hosts.offline import Progress, Report, open_video, redact_picture, redact_video
from aipg_plugin.media.encoder import EncoderSpec, pick_encoder
from aipg_plugin.media.filesink import FORMATS
from aipg_plugin.media.images import PictureFile, can_hold, is_picture
from aipg_plugin.media.info import StreamInfo
from aipg_plugin.media.urls import local_path
from aipg_plugin.options import Audio, Camera, Models, Output, OutputKind
from aipg_plugin.sharing import share_processor

_log = logging.getLogger(__name__)
_SOME_FAILED = 1
DEFAULT_FLEET = "127.0.0.1"
Result = tuple[Job, Report | None, str]
_CRF = range(52)
EPILOG = """examples:
  aipg redact lobby.mp4 lobby.guarded.mp4
  aipg redact recordings/ guarded/ --recursive --method filling
  aipg redact recordings/ guarded/ --fleet 10.0.0.1
  aipg redact shop.jpg shop.guarded.jpg --mount wall --json
  aipg redact -- -odd-name.mp4 out.mp4          (after -- nothing is an option)

IN may be any video that FFmpeg reads, or a JPEG, PNG, TIFF, WebP, GIF, AVIF or BMP picture (HEIC: convert it first).
Pictures are turned upright and pixels made square, as a player shows them. OUT's ending chooses what is written:
.mp4 .m4v .mov .mkv .ts .m2ts .mts .avi .flv .3gp .3g2, or .jpg .png .tif .webp .gif .avif .bmp.
A folder's files keep their names; a video in a container that cannot be written gets .mp4 added (a.webm.mp4).
Nothing of a folder is left out silently: what could not be done is named with the reason, and the exit code is 1.
OUT appears when it is whole, an interrupted run leaves nothing. Metadata (place, camera, time) is not copied.

exit codes: 0 done   1 some of a folder's files were not done   2 wrong command line   3 wrong settings
            4 wrong model   5 IN cannot be read or OUT not written   130, 143 interrupted"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `aipg redact`."""
    parser.epilog = EPILOG
    parser.add_argument("input", metavar="IN", help="picture (all its pages), video, or folder of them")
    parser.add_argument("output", metavar="OUT", help="file or folder to write (a folder, when IN is one)")
    parser.add_argument("--recursive", action="store_true", help="also do the folders in a folder")
    parser.add_argument("--codec", choices=("h264", "hevc"), default="h264", help="of a video (default h264)")
    parser.add_argument("--encoder", default="auto", help="auto, libx264, h264_nvenc, … (default auto)")
    parser.add_argument("--preset", default="veryfast", help="of the encoder (default veryfast, as live: slower ones "
                        "make smaller files, and encoding is most of the work then)")
    parser.add_argument("--crf", type=int, default=23, help="quality of a video, 0–51, lower is better (default 23)")
    parser.add_argument("--audio", choices=list(Audio), default="drop", help="a voice is personal data (default drop); "
                        "pass keeps it, as AAC where the container needs that")
    parser.add_argument("--fast", action="store_true", help="look at videos as live: a little quicker")
    parser.add_argument("--fleet", metavar="IP:PORT", nargs="?", const=DEFAULT_FLEET, help="spread a folder over the "
                        "nodes of a fleet, see aipg fleet --help (default %(const)s); goes on where it was cut off")
    parser.add_argument("--json", action="store_true", help="print a report as JSON")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    add_camera_arguments(parser, masks=True)


def run(options: argparse.Namespace) -> int:
    """Mask what was named; a folder goes on after a bad file and then fails."""
    source, target = input_path(options.input), local_path(options.output)
    if target.exists() and source.resolve() == target.resolve():
        raise UsageError("IN and OUT are both {file}; the clear file would be lost", file=str(source))
    output = _checked_output(options)
    reuse_heap()
    share_processor()
    with ends_cleanly():
        if source.is_dir():
            return _Folder(source, target, output, options).run()
        if options.fleet:
            raise UsageError("--fleet needs a folder, and {file} is none", file=str(source))
        if target.is_dir():
            target = target_for(source, target / source.name)
        report = _Redactor(output, options).one(source, target)
    print(json.dumps(report.as_dict(), indent=2) if options.json else _line(report))
    return 0


def _checked_output(options: argparse.Namespace) -> Output:
    """The output's settings, tried on an encoder. Raises UsageError or MediaError before anything is read."""
    if options.crf not in _CRF:
        raise UsageError("{name}: {value} is not in {low}–{high}", name="--crf", value=options.crf, low=_CRF[0],
                         high=_CRF[-1])
    output = Output(OutputKind.FILE, codec=options.codec, encoder=options.encoder, preset=options.preset,
                    crf=options.crf, audio=Audio(options.audio))
    pick_encoder(output, EncoderSpec.of(StreamInfo((640, 640), fps=25.0), live=False))
    return output


class _Redactor:
    """Does one file after the other with the same options and the same net."""

    def __init__(self, output: Output, options: argparse.Namespace) -> None:
        self._output, self._options = output, options
        self._quiet = options.quiet or not sys.stderr.isatty()
        self._loaded: tuple[Models, PersonNet] | None = None

    def one(self, source: Path, target: Path, label: str = "", progress: Progress | None = None) -> Report:
        """Mask one file. Raises AipgError."""
        if target.exists() and target.samefile(source):
            raise UsageError("IN and OUT are both {file}; the clear file would be lost", file=str(source))
        bar = _Bar(label, quiet=self._quiet or progress is not None)
        progress = progress or bar
        try:
            if is_picture(source) and target.suffix.lower() not in FORMATS:
                return self._picture(source, target, progress)
            return self._video(source, target, progress)
        finally:
            bar.close()
            trim_heap()

    def _picture(self, source: Path, target: Path, progress: Progress) -> Report:
        if not can_hold(target.suffix, 1):
            raise UsageError("OUT {file!r} is no picture file, but IN is", file=str(target), cure="Use .jpg or .png")
        with PictureFile(source) as picture:
            if not can_hold(target.suffix, picture.pages):
                raise UsageError("{file!r} has {pages} pages, and a {suffix} picture has one", file=str(source),
                                 pages=picture.pages, suffix=target.suffix, cure="Let OUT end in .tif, .png or .gif")
            first = next(iter(picture))
        camera, models = camera_from(self._options, first.size_wh)
        _warn(source, first.bgr, camera)
        return redact_picture(source, target, camera, self._net(models), progress=progress)

    def _video(self, source: Path, target: Path, progress: Progress) -> Report:
        if target.suffix.lower() not in FORMATS:
            raise UsageError("OUT {file!r} is no video file that can be written", file=str(target),
                             cure="Use .mp4 or .mkv")
        with open_video(source, "1") as probe:
            first = next((item for item in probe if isinstance(item, Frame)), None)
            camera, models = camera_from(self._options, probe.info.size_wh)
            if first is not None:
                _warn(source, first.to_bgr(), camera)
        _make_folder(target.parent)
        return redact_video(source, target, camera, self._net(models), replace(self._output),
                            plan=LIVE if self._options.fast else THOROUGH, progress=progress)

    def _net(self, models: Models) -> PersonNet:
        if self._loaded is None or self._loaded[0] != models:
            self._loaded = models, load_model(models)
        return self._loaded[1]


class _Folder:
    """A folder's files, each done or named with the reason."""

    def __init__(self, source: Path, target: Path, output: Output, options: argparse.Namespace) -> None:
        self._source, self._target, self._options = source, target, options
        self._redactor = _Redactor(output, options)

    def run(self) -> int:
        """Do all; 1 if something was left out."""
        _make_folder(self._target)
        if not os.access(self._target, os.W_OK | os.X_OK):
            raise MediaError("cannot write {target}: {why}", target=str(self._target), why="permission denied",
                             cure="Choose a folder that can be written to and has room")
        jobs = jobs_in(self._source, self._target, recursive=self._options.recursive)
        if not jobs:
            raise UsageError("{folder} is empty", folder=str(self._source))
        rows: list[dict[str, object]] = []
        failed = 0
        for job, report, reason in self._outcomes(jobs):
            name = job.source.relative_to(self._source)
            if report is None:
                failed += 1
                print(f"aipg: {name}: not done: {reason}", file=sys.stderr, flush=True)
                rows.append({"source": str(job.source), "error": reason})
                continue
            rows.append(report.as_dict())
            if not self._options.json:
                print(_line(report), flush=True)
        if self._options.json:
            print(json.dumps(rows, indent=2))
        if failed:
            print(f"aipg: {len(jobs) - failed} of {len(jobs)} done, {failed} not", file=sys.stderr)
        return _SOME_FAILED if failed else 0

    def _outcomes(self, jobs: list[Job]) -> Iterator[Result]:
        """Every job with its report, or the reason why there is none, as they end."""
        if self._options.fleet:
            from aipg_plugin.cli.redact_fleet import spread

            yield from spread(jobs, self._redactor, self._target, self._options)
            return
        for number, job in enumerate(jobs, 1):
            yield job, *self._try(job, f"{number}/{len(jobs)} {job.source.relative_to(self._source)}: ")

    def _try(self, job: Job, label: str) -> tuple[Report | None, str]:
        """The report of a file, or the reason why there is none."""
        if job.reason:
            return None, job.reason
        try:
            _make_folder(job.target.parent)
            return self._redactor.one(job.source, job.target, label), ""
        except AipgError as error:
            return None, told(error)
        except Exception as error:  # whatever is wrong with one file, the others are done
            _log.info("%s failed", job.source, exc_info=True)
            return None, f"{type(error).__name__}: {error}"


def _warn(source: Path, bgr: NDArray[np.uint8], camera: Camera) -> None:
    """Say what is doubtful about the first picture."""
    for warning in picture_warnings(bgr, camera, camera.streams[0]):
        print(f"aipg: {source.name}: warning: {warning}", file=sys.stderr, flush=True)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError("cannot write {target}: {why}", target=str(folder), why=error.strerror or str(error),
                         cure="Choose a folder that can be written to and has room") from None


class _Bar:
    """One progress bar per file: frames (or pages), frames per second, time left, people."""

    def __init__(self, label: str, *, quiet: bool) -> None:
        self._label = label
        self._quiet = quiet
        self._phase = ""
        self._bar: Any = None

    def __call__(self, phase: str, done: int, total: int | None, people: int) -> None:
        if self._quiet or total == 1:
            return
        if phase != self._phase or self._bar is None:
            self.close()
            self._phase = phase
            import tqdm  # here, so that --quiet starts quickly

            self._bar = tqdm.tqdm(total=total, desc=self._label + phase, unit="frame", file=sys.stderr, leave=False)
        self._bar.update(done - self._bar.n)
        self._bar.set_postfix(people=people, refresh=False)

    def close(self) -> None:
        """Take the bar off the screen."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _line(report: Report) -> str:
    """What was done to one file, for people."""
    line = (f"{report.target}: {report.frames_out} of {report.frames_in} frames, {report.people} people, "
            f"{report.masked_share:.1%} masked, {report.fps:.1f} fps")
    if report.full_mosaic_frames:
        reasons = ", ".join(f"{reason}: {count}" for reason, count in report.full_mosaic_reasons.items())
        line += f"; {report.full_mosaic_frames} frames masked whole ({reasons})"
    if report.left_out:
        line += "; left out: " + ", ".join(report.left_out)
    return line
