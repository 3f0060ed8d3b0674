"""What the guard does with everything the reference product admits it may miss: `python -m benchmarks.acceptance`.

Each line of that list is a few pictures (or a clip) with exact truth. A head leaks when more than 25 % of its disc
stays clear, a body when more than 50 % of its visible silhouette does; people less than 30 % visible are left out but
where the case is about them. A picture masked whole hides everybody. `limbs` is the mean clear share of masked people's
silhouettes, `over` the masked share of the room, `ratio` masked over silhouette area, these three without pictures
masked whole. Spoilt pictures are the sample clip's and, with the renderer, rendered rooms in use.

Needs for the rendered cases: the extra [train], OpenGL through EGL, and the banks of bodies and textures that
`python -m rendering bodies` and `textures` make, found by --data or AIPG_RENDER_DATA. Without them those cases
are skipped and said so.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2

from aipg_plugin.detection.manifest import manifest
from aipg_plugin.detection.onnx import PersonNet, load_model
from aipg_plugin.options import Models, Sensitivity
from benchmarks.acceptance import clips, spoils
from benchmarks.acceptance.judge import CaseTally, TruthPicture, guard_single_image
from benchmarks.acceptance.rendered import Rendered
from benchmarks.acceptance.sheet import Sheet

BINS = (("hidden 1/3 to 1/2", 0.5, 0.67), ("hidden 1/2 to 7/10", 0.3, 0.5), ("hidden 7/10 to 17/20", 0.15, 0.3))
Row = tuple[str, str, dict[str, object]]


def _judge(pictures: Iterator[TruthPicture] | list[TruthPicture], net: PersonNet, level: Sensitivity, sheet: Sheet,
           title: str, hidden: dict[str, CaseTally]) -> CaseTally:
    tally = CaseTally()
    for number, picture in enumerate(pictures):
        guarded = guard_single_image(picture, net, level)
        leaking = tally.add(picture, guarded)
        for name, low, high in BINS:
            hidden[name].add(picture, guarded, (low, high))
        if number == 0 or (number == 1 and leaking):
            sheet.add(title, picture, guarded, leaking)
    return tally


def rows(options: argparse.Namespace, net: PersonNet, sheet: Sheet) -> Iterator[Row]:
    """Every case, as it is done; a case that can't run has the reason under `skipped`."""
    level, ordinary = Sensitivity(options.sensitivity), list(clips.single_images())
    hidden, nothing = {name: CaseTally() for name, *_ in BINS}, {name: CaseTally() for name, *_ in BINS}
    rendered = Rendered(options.data, options.scenes, options.seed, options.count)
    yield "sample clip, unspoilt", "", _judge(ordinary, net, level, sheet, "sample", nothing).result()
    for line, name in rendered.cases():
        if rendered.missing:
            yield line, name, {"skipped": rendered.missing}
            continue
        tally = _judge(rendered.pictures(line, name), net, level, sheet, f"{line} {name}", hidden)
        yield line, name, tally.result()
    if not rendered.missing:
        ordinary += list(rendered.pictures("ordinary", "3 m"))[:options.count - 4 if options.count > 5 else 2]
        for name, tally in hidden.items():
            yield "a third or more hidden", name, {**tally.result(), "over_mask": None, "mask_ratio": None}
    for line, damages in spoils.STILL.items():
        for name, spoil in damages:
            spoilt = [picture.spoilt(spoil(picture.bgr)) for picture in ordinary]
            yield line, name, _judge(spoilt, net, level, sheet, f"{line} {name}", nothing).result()
    for line, case in clips.CLIPS.items():
        if options.no_clips:
            yield line, case.name, {"skipped": "--no-clips"}
            continue
        result = clips.watch(case.warp, net, level, live=case.live, moved=case.moved)
        sheet.add_plain(f"{line} {case.name}", result.sheet)
        yield line, case.name, result.result()


_SHARES = ("head_leak", "body_leak", "limbs_clear", "over_mask")


def _line(row: Row) -> str:
    line, name, result = row
    start = f"{line:32s} {name:24s}"
    if "skipped" in result:
        return f"{start} skipped: {result['skipped']}"
    shares = " ".join(f"{100 * value:6.1f}" if isinstance(value := result.get(key), float) else "     –"
                      for key in _SHARES)
    ratio = f"{value:6.2f}" if isinstance(value := result.get("mask_ratio"), float) else "     –"
    told = [*result["reasons"]] if isinstance(result["reasons"], list) else []
    if "delays_frames" in result:
        told.append(f"frames until masked: {result['delays_frames']}")
    counts = f"{result['pictures']:5} {result['whole']:5} {result['people']:6}"
    return f"{start} {counts} {shares} {ratio}  {', '.join(told)}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.acceptance", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the renderer's banks (default AIPG_RENDER_DATA)")
    parser.add_argument("--scenes", type=Path, help="keep the rendered pictures here and use those that are there")
    parser.add_argument("--count", type=int, default=6, help="rendered pictures per case")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sensitivity", choices=list(Sensitivity), default=Sensitivity.HIGH)
    parser.add_argument("--tier", default="standard")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-clips", action="store_true", help="leave out shaking, autofocus and delay")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--sheet", type=Path, help="write a contact sheet: silhouettes of leaking people red")
    return parser.parse_args()


def main() -> int:
    """Run and print."""
    options = _arguments()
    cv2.setNumThreads(options.threads)
    net = load_model(Models(tier=options.tier, precision=options.precision, threads=options.threads))
    entry = next(e for e in manifest() if (e.tier, e.precision) == (options.tier, options.precision))
    sheet, done = Sheet(), []
    model = f"{entry.tier} {entry.precision}, sha256 {entry.sha256[:12]}"
    if not options.json:
        print(f"model {model}; sensitivity {options.sensitivity}; shares in percent")
        columns = " ".join(f"{name:>6s}" for name in ("head", "body", "limbs", "over", "ratio"))
        print(f"{'':57s} {'pict.':>5s} {'whole':>5s} {'people':>6s} {columns}")
    for row in rows(options, net, sheet):
        done.append(row)
        if not options.json:
            print(_line(row), flush=True)
    if options.json:
        cases = [{"line": line, "case": name, **result} for line, name, result in done]
        print(json.dumps({"model": model, "sensitivity": options.sensitivity, "cases": cases}, indent=1))
    if options.sheet:
        sheet.write(options.sheet)
    return 0


if __name__ == "__main__":
    sys.exit(main())
