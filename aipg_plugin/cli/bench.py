"""`aipg bench`: what guarding costs on this machine, against decoding and encoding alone."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import av

from aipg_plugin.cli import bench_cameras
from aipg_plugin.cli.demo import settings_for
from aipg_plugin.detection.onnx import load_model
from aipg_plugin.errors import MediaError
from aipg_plugin.hosts.offline import open_video, redact_video
from aipg_plugin.media.encoder import Encoder, EncoderSpec
from aipg_plugin.media.urls import for_ffmpeg
from aipg_plugin.options import Models, Output, OutputKind, Web
from aipg_plugin.resources import resource_path
from aipg_plugin.settings.schema import MODELS, choices_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `aipg bench`."""
    parser.add_argument("--clip", metavar="FILE", help="a video of your own (default: the shipped sample)")
    parser.add_argument("--preset", default="medium", help="of the encoder (default medium)")
    parser.add_argument("--runs", type=int, default=3, help="pairs of runs; the median ratio counts (default 3)")
    parser.add_argument("--tier", choices=choices_of(MODELS, "tier"), default="standard")
    parser.add_argument("--precision", choices=choices_of(MODELS, "precision"), default="fp32")
    parser.add_argument("--cameras", action="store_true",
                        help="how many cameras like the clip this machine carries live, by the processor time of one")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.add_argument("--json", action="store_true", help="print as JSON")


def _unguarded_fps(clip: Path, output: Output) -> float:
    """Frames a second of decoding and encoding alone. The encoded packets, which are clear, are dropped at once."""
    with open_video(clip, "1") as source:
        spec = EncoderSpec.of(source.info, live=False)
    start_s, frames = time.monotonic(), 0
    with av.open(for_ffmpeg(clip)) as box:
        encoder = Encoder(output, spec)
        box.streams.video[0].thread_type = "AUTO"
        for picture in box.decode(video=0):
            encoder.encode(picture, frames / spec.fps)
            frames += 1
        encoder.flush()
    return frames / (time.monotonic() - start_s)


def _cameras(clip: Path, options: argparse.Namespace) -> int:
    net = load_model(Models(tier=options.tier, precision=options.precision, threads=1))
    found = bench_cameras.measure(clip, net, quiet=options.quiet)
    print(json.dumps(bench_cameras.as_json(found, net), indent=2) if options.json else found.text)
    return 0


def run(options: argparse.Namespace) -> int:
    """Alternate decoding and encoding alone with `redact` and print both, and their ratio."""
    clip = Path(options.clip) if options.clip else resource_path("samples", "lobby.mp4")
    if not clip.is_file():
        raise MediaError("{file} does not exist", file=str(clip), cure="Name a video with --clip")
    if options.cameras:
        return _cameras(clip, options)
    camera = settings_for(str(clip), Web()).cameras[0]
    net = load_model(Models(tier=options.tier, precision=options.precision))
    output = Output(OutputKind.FILE, preset=options.preset)
    floor_fps, guard_fps = [], []
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "bench.mp4"
        for _ in range(max(1, options.runs)):
            floor_fps.append(_unguarded_fps(clip, output))
            guard_fps.append(redact_video(clip, target, camera, net, output).fps)
    ratios = sorted(guard / floor for guard, floor in zip(guard_fps, floor_fps, strict=True))
    result = {"floor_fps": round(sorted(floor_fps)[len(floor_fps) // 2], 1),
              "guard_fps": round(sorted(guard_fps)[len(guard_fps) // 2], 1),
              "ratio": round(ratios[len(ratios) // 2], 3), "model": net.name, "provider": net.provider}
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        print(f"decode+encode alone {result['floor_fps']} fps, guarded {result['guard_fps']} fps, "
              f"ratio {result['ratio']} ({net.name} on {net.provider})")
    return 0
