"""Accuracy and leaks on labelled pictures, by default the real ones: `python -m benchmarks.accuracy`.

Scenes weigh the same, whatever their number of frames. Definitions: evaluation/metrics.py.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2

from aipg_plugin.detection.manifest import manifest
from evaluation.pictures import load, shared_folder
from evaluation.results import as_json, at_over_mask, evaluate, row, table
from evaluation.systems import make_systems


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--models", nargs="*", help="tier/precision of the manifest, or ONNX files in our layout")
    parser.add_argument("--plans", nargs="*", default=["live", "thorough"],
                        help="tile plans, with an input side if wanted: live thorough live@416")
    parser.add_argument("--pictures", type=Path, default=shared_folder() / "data" / "real_dev",
                        help="folder with labels.json and images/, default %(default)s; rendered ones come from "
                             "`python -m rendering labels`")
    parser.add_argument("--peers", action="store_true", help="also YOLOX-nano, raw and on our tiles")
    parser.add_argument("--overlays", type=Path, help="folder for overlay pictures")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--brief", action="store_true", help="overall rows only")
    parser.add_argument("--over-mask", type=float, nargs="*", default=[], metavar="PERCENT",
                        help="also the rates at the score that masks this much of the background")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def main() -> int:
    """Command line; exit status 0, also when the data are absent (said on stdout)."""
    arguments = _arguments()
    pictures = load(arguments.pictures)
    if not pictures:
        print(f"skipped: no labelled pictures under {arguments.pictures} (set AIPG_SHARED or --pictures)")
        return 0
    models = arguments.models
    if models is None:
        models = [f"{entry.tier}/{entry.precision}" for entry in manifest()]
    cv2.setNumThreads(arguments.threads)
    results = []
    for system in make_systems(models, arguments.plans, arguments.peers, arguments.threads):
        result = evaluate(system, pictures, arguments.overlays)
        results.append(result)
        print(table(result, not arguments.brief), flush=True)
        for percent in arguments.over_mask:
            score, rates = at_over_mask(result, percent / 100)
            print(row(f"  at {percent:g} % over-mask (score {score:.2f})", rates), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps([as_json(r) for r in results], indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
