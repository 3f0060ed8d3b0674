"""Compare nets and tile plans, and choose among them by cross-validation: `python -m benchmarks.choose`.

Every system at the score that masks a share of the background, with 95 % intervals; what choosing among them is worth
on scenes that took no part in the choice; and 95 % intervals of the difference to the first system. Definitions:
evaluation/choice.py. `--from` takes counts that were saved before instead of running nets.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np

from aipg_plugin.options import Sensitivity
from evaluation.choice import RATES, Counts, at_over_mask, count, cross_validated, intervals
from evaluation.pictures import load, shared_folder
from evaluation.results import evaluate
from evaluation.systems import make_systems


def _line(name: str, rates: dict[str, float]) -> str:
    return f"{name:44s} " + " ".join(f"{100 * rates[rate]:6.1f}" for rate in RATES)


def _spans(system: Counts, other: Counts | None, over_mask: float) -> str:
    spans = intervals(system, other, over_mask)
    sign = "" if other is None else "+"
    return ", ".join(f"{rate} {100 * low:{sign}.1f} to {100 * high:{sign}.1f}"
                     for rate, (low, high) in spans.items() if rate != "over_mask")


def saved(file: Path) -> list[Counts]:
    """Counts that `--json` has written."""
    rows = json.loads(file.read_text(encoding="utf-8"))
    return [Counts(row["name"], np.array(row["scene"]), np.array(row["table"], np.float64), row["ms"]) for row in rows]


def report(systems: list[Counts], over_mask: float) -> str:
    """The comparison at one over-mask as text, in percent."""
    lines = [f"at {100 * over_mask:g} % over-mask", f"{'':44s} " + " ".join(
        f"{name:>6s}" for name in ("r.3", "r.5", "p.3", "head", "body", "over"))]
    for system in systems:
        score, rates = at_over_mask(system, over_mask)
        lines.append(_line(f"  {system.name} ({score:.2f}, {system.ms_median:.0f} ms)", rates))
    if len(systems) > 1:
        chosen = cross_validated(systems, over_mask)
        lines.append(_line("  chosen on the other scenes", chosen.rates))
        lines += [f"    {scene}: {name}" for scene, name in chosen.systems.items()]
    lines += [f"  {system.name}, 95 %: {_spans(system, None, over_mask)}" for system in systems]
    lines += [f"  {system.name} less {systems[0].name}, 95 %: {_spans(system, systems[0], over_mask)}"
              for system in systems[1:]]
    return "\n".join(lines)


def main() -> int:
    """Command line; exit status 0, also when the data are absent (said on stdout)."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.choose", description=__doc__)
    parser.add_argument("--models", nargs="+", default=["standard/fp32"], help="tier/precision, or ONNX files")
    parser.add_argument("--plans", nargs="+", default=["live"], help="tile plans, with an input side: live live@320")
    parser.add_argument("--pictures", type=Path, default=shared_folder() / "data" / "real_dev")
    parser.add_argument("--sensitivity", choices=list(Sensitivity), default=Sensitivity.HIGH, help="whose margins")
    parser.add_argument("--over-mask", type=float, nargs="+", default=[4.0, 5.0], metavar="PERCENT")
    parser.add_argument("--from", type=Path, nargs="+", dest="files", help="files that --json has written, to compare")
    parser.add_argument("--json", type=Path, help="file for the counts per picture and score")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.files:
        systems = [system for file in arguments.files for system in saved(file)]
    else:
        pictures = load(arguments.pictures)
        if not pictures:
            print(f"skipped: no labelled pictures under {arguments.pictures} (set AIPG_SHARED or --pictures)")
            return 0
        cv2.setNumThreads(arguments.threads)
        systems = [count(evaluate(system, pictures), Sensitivity(arguments.sensitivity))
                   for system in make_systems(arguments.models, arguments.plans, False, arguments.threads)]
    for percent in arguments.over_mask:
        print(report(systems, percent / 100), flush=True)
    if arguments.json:
        rows = [{"name": s.name, "scene": s.scene.tolist(), "table": s.table.tolist(), "ms": s.ms_median}
                for s in systems]
        arguments.json.write_text(json.dumps(rows), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
