"""Command line of the renderer: bodies, textures, props, scenes, time, sequence, sample, sheet, labels."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from statistics import median

from rendering.choice import RENDERERS

DATA = Path(os.environ.get("AIPG_RENDER_DATA", "render_data"))


def _shared() -> Path | None:
    path = Path(os.environ.get("AIPG_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    return path if (path / "data").is_dir() else None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m rendering", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, text: str, out: Path | None, writes: bool = True) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument("--data", type=Path, default=DATA, help="folder with bodies.npz and textures.npz")
        sub.add_argument("--seed", type=int, default=0)
        if writes:
            sub.add_argument("--out", type=Path, default=out, required=out is None)
        return sub

    def drawing(name: str, text: str, out: Path | None, writes: bool = True) -> argparse.ArgumentParser:
        sub = command(name, text, out, writes)
        sub.add_argument("--renderer", choices=RENDERERS, default="auto",
                         help="gl: OpenGL through EGL; tensors: torch, on a GPU with CUDA if there is one; auto: gl "
                              "where OpenGL opens, tensors elsewhere (default)")
        return sub

    sub = command("bodies", "pose a bank of bodies (needs anny and torch)", DATA / "bodies.npz")
    sub.add_argument("--count", type=int, default=1100)
    command("textures", "make the bank of textures", DATA / "textures.npz")
    sub = command("props", "read the furniture models (needs trimesh)", DATA / "props.npz")
    sub.add_argument("--models", type=Path, default=None, help="folder of GLB files")
    sub = drawing("scenes", "render pictures with truth; goes on where it stopped", None)
    sub.add_argument("--count", type=int, default=100)
    sub.add_argument("--first", type=int, default=0)
    sub.add_argument("--processes", type=int, default=1)
    sub.add_argument("--room", default=None)
    sub = drawing("time", "how long a renderer takes to draw the first scenes of a set; nothing is saved", None, False)
    sub.add_argument("--count", type=int, default=12)
    sub.add_argument("--threads", type=int, default=1)
    sub = drawing("sequence", "render a clip of people on paths: OUT.mp4, its truth and silhouettes", None)
    sub.add_argument("--seconds", type=float, default=8.0)
    sub.add_argument("--fps", type=float, default=12.5)
    sub.add_argument("--room", default="", help="default: lobby, office, shop or meeting")
    sub.add_argument("--people", type=int, default=0, help="how many walk; default: 2 to 8")
    drawing("sample", "render the project's sample clip", Path("samples"))
    sheet = commands.add_parser("sheet", help="contact sheet of scenes with their truth drawn")
    sheet.add_argument("folder", type=Path)
    sheet.add_argument("picture", type=Path)
    sheet.add_argument("--count", type=int, default=12)
    sheet.add_argument("--plain", action="store_true", help="draw no truth")
    labels = commands.add_parser("labels", help="a set of scenes as labelled pictures for benchmarks.accuracy")
    labels.add_argument("folder", type=Path)
    labels.add_argument("out", type=Path)
    return parser


def main() -> None:
    """Run one command."""
    args = _parser().parse_args()
    if args.command == "bodies":
        from rendering.bodies import build_bank

        build_bank(args.out, args.count, args.seed)
    elif args.command == "textures":
        from rendering.textures import build_textures

        build_textures(args.out, _shared(), args.seed)
    elif args.command == "props":
        from rendering.props import build_props

        shared = _shared()
        folder = args.models or (shared / "data/models3d/house_interior_pack" if shared else Path())
        build_props(args.out, folder)
    elif args.command == "scenes":
        from rendering.batch import render_many

        render_many(args.out, args.data, args.seed, range(args.first, args.first + args.count), args.processes,
                    args.room, args.renderer)
    elif args.command == "time":
        from rendering.timing import time_scenes

        spent_s = time_scenes(args.data, args.seed, args.count, args.renderer, args.threads)
        print(f"{median(spent_s):.2f} s a scene in the median, {min(spent_s):.2f} to {max(spent_s):.2f}")
    elif args.command == "sheet":
        from rendering.sheet import contact_sheet

        contact_sheet(args.folder, args.picture, args.count, not args.plain)
    elif args.command == "labels":
        from rendering.labels import write_labels

        print(f"{args.out}: {write_labels(args.folder, args.out)} labelled pictures")
    else:
        from rendering import clip

        if args.command == "sample":
            clip.render_sample(args.data, args.out, args.seed, args.renderer)
        else:
            clip.render_sequence(args.data, args.out, args.seed, seconds=args.seconds, fps=args.fps, room=args.room,
                                 people=args.people, renderer=args.renderer)


if __name__ == "__main__":
    main()
