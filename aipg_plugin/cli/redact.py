"""`aipg redact`: mask the people in an image, a video or a folder."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from aipg_plugin.cli.common import add_camera_arguments, camera_from, is_picture, must_exist
from aipg_plugin.detection.onnx import load_model
from aipg_plugin.detection.tiles import LIVE, THOROUGH
from aipg_plugin.errors import AipgError, UsageError
from aipg_plugin.hosts.offline import Report, redact_picture, redact_video
from aipg_plugin.media.images import read_image
from aipg_plugin.media.source import open_source
from aipg_plugin.options import Audio, Output, OutputKind, Source

VIDEO_SUFFIXES = frozenset({".mp4", ".mkv", ".mov", ".avi", ".ts", ".m4v", ".webm", ".mpg", ".mpeg", ".flv"})
EPILOG = """examples:
  aipg redact lobby.mp4 lobby.guarded.mp4
  aipg redact pictures/ guarded/ --method filling
  aipg redact shop.jpg shop.guarded.jpg --mount wall --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `aipg redact`."""
    parser.epilog = EPILOG
    parser.add_argument("input", metavar="IN", help="picture, video, or folder of them")
    parser.add_argument("output", metavar="OUT", help="file to write (folder, when IN is one)")
    parser.add_argument("--codec", default="h264", help="of a video (default h264)")
    parser.add_argument("--encoder", default="auto", help="auto, libx264, h264_nvenc, … (default auto)")
    parser.add_argument("--preset", default="medium", help="of the encoder (default medium)")
    parser.add_argument("--crf", type=int, default=23, help="quality of a video, lower is better (default 23)")
    parser.add_argument("--audio", choices=list(Audio), default="drop", help="a voice is personal data (default drop)")
    parser.add_argument("--fast", action="store_true", help="look at videos as live: a little quicker")
    parser.add_argument("--json", action="store_true", help="print a report as JSON")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    add_camera_arguments(parser, masks=True)


def run(options: argparse.Namespace) -> int:
    """Mask what was named; a folder goes on after a bad file and then fails."""
    source, target = must_exist(Path(options.input)), Path(options.output)
    if target.exists() and source.resolve() == target.resolve():
        raise UsageError("IN and OUT are both {file}; the clear file would be lost", file=str(source))
    if not source.is_dir():
        report = _one(source, target, options)
        _print([report], options, single=True)
        return 0
    files = sorted(path for path in source.iterdir() if is_picture(path) or path.suffix.lower() in VIDEO_SUFFIXES)
    if not files:
        raise UsageError("{folder} holds no pictures or videos", folder=str(source))
    target.mkdir(parents=True, exist_ok=True)
    reports, failed = [], 0
    import tqdm  # here, so that one file starts quickly

    for path in tqdm.tqdm(files, unit="file", disable=options.quiet or not sys.stderr.isatty()):
        try:
            reports.append(_one(path, target / path.name, options))
        except AipgError as error:
            failed += 1
            print(f"aipg: {path.name}: {error}", file=sys.stderr)
    _print(reports, options, single=False)
    return 5 if failed else 0


def _one(source: Path, target: Path, options: argparse.Namespace) -> Report:
    if is_picture(source):
        bgr = read_image(source)
        camera, models = camera_from(options, (bgr.shape[1], bgr.shape[0]))
        if not is_picture(target):
            raise UsageError("OUT {file!r} is no picture file, but IN is", file=str(target), cure="Use .jpg or .png")
        return redact_picture(source, target, camera, load_model(models))
    if target.suffix.lower() not in VIDEO_SUFFIXES:
        raise UsageError("OUT {file!r} is no video file", file=str(target), cure="Use .mp4 or .mkv")
    if not target.parent.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
    with open_source(Source(str(source), realtime=False), "1") as probe:
        size_wh = probe.info.size_wh
    camera, models = camera_from(options, size_wh)
    output = Output(OutputKind.FILE, codec=options.codec, encoder=options.encoder, preset=options.preset,
                    crf=options.crf, audio=Audio(options.audio))
    bar = _Bar(quiet=options.quiet or not sys.stderr.isatty())
    try:
        return redact_video(source, target, camera, load_model(models), output,
                            plan=LIVE if options.fast else THOROUGH, progress=bar)
    finally:
        bar.close()


class _Bar:
    """One progress bar per pass: frames, frames per second, time left, people."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._phase = ""
        self._bar: Any = None

    def __call__(self, phase: str, done: int, total: int | None, people: int) -> None:
        if self._quiet:
            return
        if phase != self._phase or self._bar is None:
            self.close()
            self._phase = phase
            import tqdm

            self._bar = tqdm.tqdm(total=total, desc=phase, unit="frame", file=sys.stderr)
        self._bar.update(done - self._bar.n)
        self._bar.set_postfix(people=people, refresh=False)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _print(reports: list[Report], options: argparse.Namespace, *, single: bool) -> None:
    if options.json:
        rows = [report.as_dict() for report in reports]
        print(json.dumps(rows[0] if single else rows, indent=2))
        return
    for report in reports:
        line = (f"{report.target}: {report.frames_out} of {report.frames_in} frames, {report.people} people, "
                f"{report.masked_share:.1%} masked, {report.fps:.1f} fps")
        if report.full_mosaic_frames:
            reasons = ", ".join(f"{reason}: {count}" for reason, count in report.full_mosaic_reasons.items())
            line += f"; {report.full_mosaic_frames} frames masked whole ({reasons})"
        print(line)
