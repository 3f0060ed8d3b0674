"""The benchmark's figures of a net in training: `benchmarks.accuracy`'s through the product's own detector and masks.

`python -m training.evaluate --model runs/a/last.pt --dev ../shared/data/real_dev`
takes a checkpoint, an exported .onnx, or `base` for the untrained YOLOX-nano.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch

from aipg_plugin.detection import onnx
from aipg_plugin.detection.tiles import PLANS, THOROUGH, TilePlan
from aipg_plugin.options import CustomModel, Models, Sensitivity
from evaluation.pictures import LabelledPicture, load
from evaluation.results import SystemResult, evaluate, table
from evaluation.systems import tiled
from training.export import export_fp32
from training.port import AnyNet


def dev_pictures(dev: Path, quick: bool) -> tuple[LabelledPicture, ...]:
    """The labelled pictures of a folder, two a scene if `quick`; raises FileNotFoundError without any."""
    pictures = load(dev)
    if not pictures:
        raise FileNotFoundError(f"{dev}: no labels.json with pictures")
    count: Counter[str] = Counter()
    chosen = []
    for picture in pictures:
        count[picture.scene] += 1
        if not quick or count[picture.scene] <= 2:
            chosen.append(picture)
    return tuple(chosen)


def exported(checkpoint: Path, tile_px: int = 416) -> onnx.PersonNet:
    """A checkpoint's averaged net as it would ship."""
    with TemporaryDirectory() as folder:
        export_fp32(checkpoint, Path(folder) / "net.onnx")
        return onnx.open_file(Path(folder) / "net.onnx", tile_px=tile_px)


def open_model(model: str, dev: Path, tile_px: int) -> onnx.PersonNet:
    """A checkpoint, an exported .onnx, or `base`, which lies beside the dev folder and has a size of its own."""
    if model == "base":
        base = CustomModel(file=str(dev.parent / "peers/yolox_nano.onnx"), layout="yolox", tile_px=416)
        return onnx.load_model(Models(threads=2, custom=base))
    return (onnx.open_file if model.endswith(".onnx") else exported)(Path(model), tile_px=tile_px)


def measure(net: onnx.PersonNet, pictures: tuple[LabelledPicture, ...], plan: TilePlan = THOROUGH,
            sheet: Path | None = None) -> SystemResult:
    """The benchmark's figures under one tile plan; `sheet` gets an overlay of every scene's first picture."""
    with TemporaryDirectory() as folder:
        system = tiled(plan.name, net, plan)
        result = evaluate(system, pictures, Path(folder) if sheet else None)
        if sheet:
            first = {p.scene: p for p in reversed(pictures)}
            write_sheet([Path(folder) / plan.name / f"{p.path.stem}.png" for p in first.values()], sheet)
    return result


def write_sheet(paths: list[Path], sheet: Path) -> None:
    """Pictures side by side, three a row."""
    parts = [np.asarray(cv2.imread(str(path)), np.uint8) for path in paths]
    parts = [np.asarray(cv2.resize(p, (640, round(p.shape[0] * 640 / p.shape[1]))), np.uint8) for p in parts]
    high = max(p.shape[0] for p in parts)
    parts = [np.pad(p, ((0, high - p.shape[0]), (0, 0), (0, 0))) for p in parts]
    parts += [np.zeros_like(parts[0])] * (-len(parts) % 3)
    cv2.imwrite(str(sheet), np.vstack([np.hstack(parts[i : i + 3]) for i in range(0, len(parts), 3)]))


def evaluate_net(net: AnyNet, dev: Path, sheet: Path) -> dict[str, float]:
    """The quick figures of a net at medium sensitivity, scenes alike; 0 where nothing could be counted."""
    with TemporaryDirectory() as folder:
        torch.save({"ema": net.state_dict()}, Path(folder) / "net.pt")
        ready = exported(Path(folder) / "net.pt")
    rates = measure(ready, dev_pictures(dev, quick=True), sheet=sheet).overall(Sensitivity.MEDIUM.value)
    return {name: float(np.nan_to_num(rate)) for name, rate in rates.items()}


def one_line(report: dict[str, float]) -> str:
    return " ".join(f"{k} {v:.3f}" for k, v in report.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="checkpoint .pt, .onnx, or base")
    parser.add_argument("--dev", type=Path, required=True, help="folder with labels.json and images/")
    parser.add_argument("--plan", choices=sorted(PLANS), default=THOROUGH.name)
    parser.add_argument("--size", type=int, help="tile side the net sees, px; by default the plan's")
    parser.add_argument("--quick", action="store_true", help="two pictures a scene")
    parser.add_argument("--sheet", type=Path, help="overlay sheet to write")
    args = parser.parse_args()
    plan = PLANS[args.plan]
    plan = replace(plan, input_px=args.size or plan.input_px)
    net = open_model(args.model, args.dev, plan.input_px)
    print(table(measure(net, dev_pictures(args.dev, args.quick), plan, args.sheet), details=True))


if __name__ == "__main__":
    main()
