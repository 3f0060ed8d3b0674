"""Checkpoint to the shipped ONNX files and their manifest.

  python -m training.export --checkpoint runs/a/last.pt --tier standard --models models
  python -m training.export --checkpoint runs/a/last.pt --tier standard --int8 --photos photos.json

Contract: input `image` float32 (N, 3, H, W), BGR 0..255, H and W multiples of 32.
Outputs: `raw` (N, A, 9) over strides 8, 16, 32, row-major: dx, dy, log w, log h, score,
head dx, dy, log r, head visible; and `silhouette` (N, 1, H/4, W/4). Scores are
probabilities. Centre = (d + cell) * stride, size = exp(log) * stride. Widths and heights
are those of the person's own upright box, also where the person leans in the tile.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort  # type: ignore[import-untyped]
import torch

from training.config import Config
from training.net import ExportNet
from training.port import BASES, base_of, net_of
from training.rtmdet import RtmPersonNet

OPSET = 17
TILE_PX = {"standard": 416, "small": 288}


def export_fp32(checkpoint: Path, out: Path, score_shift: float = 0.0) -> None:
    """Write the averaged net of `checkpoint`; raises ValueError if ONNX Runtime computes otherwise."""
    net = net_of(torch.load(checkpoint, map_location="cpu", weights_only=True)["ema"])
    if isinstance(net, RtmPersonNet):
        net.fold_normalisation()
    model = ExportNet(net.eval(), score_shift)
    axes = {"image": {0: "n", 2: "h", 3: "w"}, "raw": {0: "n", 1: "a"}, "silhouette": {0: "n", 2: "h4", 3: "w4"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracing exporter's deprecation notes
        torch.onnx.export(
            model, (torch.zeros(2, 3, 96, 64),), str(out), input_names=["image"],
            output_names=["raw", "silhouette"], dynamic_axes=axes, opset_version=OPSET, dynamo=False,
        )
    onnx.checker.check_model(str(out))
    session = ort.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    for shape in ((1, 3, 64, 96), (3, 3, 160, 128)):
        x = torch.rand(shape) * 255
        with torch.no_grad():
            wanted = model(x)
        for a, b in zip(session.run(None, {"image": x.numpy()}), wanted, strict=True):
            worst = float(np.abs(a - b.numpy()).max())
            if a.shape != tuple(b.shape) or worst > 2e-3:
                raise ValueError(f"{out}: ONNX Runtime differs by {worst} at {shape}; do not ship it")


class TrainingTiles:
    """Calibration data for quantisation: training tiles, never the dev scenes."""

    def __init__(self, config: Config, count: int) -> None:
        from training.dataset import Tiles

        self.batches: Iterator[Any] = iter(Tiles(config, worker_seed=999))
        self.left = count

    def get_next(self) -> dict[str, Any] | None:
        self.left -= 1
        return None if self.left < 0 else {"image": next(self.batches)[0].numpy().astype(np.float32)}


def export_int8(fp32: Path, out: Path, config: Config, batches: int = 24) -> None:
    """Static QDQ quantisation; the prediction layers stay in float."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static  # type: ignore[import-untyped]
    from onnxruntime.quantization.shape_inference import quant_pre_process  # type: ignore[import-untyped]

    CalibrationDataReader.register(TrainingTiles)
    prepared = out.with_suffix(".pre.onnx")
    quant_pre_process(str(fp32), str(prepared), skip_symbolic_shape=True)
    keep = [n.name for n in onnx.load(str(prepared)).graph.node if is_prediction(n.name)]
    quantize_static(
        str(prepared), str(out), TrainingTiles(config, batches), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, nodes_to_exclude=keep,
        op_types_to_quantize=["Conv"],
    )
    prepared.unlink()


def is_prediction(name: str) -> bool:
    return any(part in name for part in ("/cls/", "/box/", "/obj/", "/point/", "/silhouette/out/"))


def entry(path: Path, tier: str, precision: str, measured: dict[str, Any],
          based_on: str = BASES["yolox_nano"].credit) -> dict[str, Any]:
    """One row of models.json."""
    return {
        "name": f"person_{tier}_{precision}",
        "tier": tier,
        "precision": precision,
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "input": {"name": "image", "layout": "NCHW", "dtype": "float32", "colour": "BGR", "range": "0-255",
                  "tile_px": TILE_PX[tier], "multiple_of": 32},
        "outputs": {
            "raw": {"shape": "N,A,9", "strides": [8, 16, 32],
                    "columns": ["dx", "dy", "log_w", "log_h", "score",
                                "head_dx", "head_dy", "head_log_r", "head_visible"]},
            "silhouette": {"shape": "N,1,H/4,W/4"},
        },
        "opset": OPSET,
        "dynamic": ["N", "H", "W"],
        "licence": "Apache-2.0",
        "based_on": based_on,
        "measured": measured,
    }


def update_manifest(models: Path, row: dict[str, Any]) -> None:
    """Put `row` into models.json in place of the one with its name."""
    path = models / "models.json"
    rows = json.loads(path.read_text("utf-8"))["models"] if path.exists() else []
    rows = sorted([r for r in rows if r["name"] != row["name"]] + [row], key=lambda r: str(r["name"]))
    path.write_text(json.dumps({"schema_version": 1, "models": rows}, indent=2) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--tier", choices=sorted(TILE_PX), help="write the tier's file and its row of models.json")
    parser.add_argument("--file", type=Path, help="or this file alone")
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--measured", type=Path, help="JSON of measured figures for the manifest")
    parser.add_argument("--score-shift", type=float, default=0.0, help="added to the score's logit")
    parser.add_argument("--shared-small", action="store_true", help="list the same file as the small tier, at its size")
    parser.add_argument("--int8", action="store_true", help="also write an INT8 model beside it")
    parser.add_argument("--photos", default="photos.json", help="training photographs, to calibrate INT8")
    parser.add_argument("--scenes", default="scenes", help="rendered scenes, to calibrate INT8")
    parser.add_argument("--data", default="../shared/data")
    args = parser.parse_args()
    if (args.tier is None) == (args.file is None):
        parser.error("give one of --tier and --file")
    if args.file is not None:
        export_fp32(args.checkpoint, args.file, args.score_shift)
        return
    args.models.mkdir(exist_ok=True)
    measured = json.loads(args.measured.read_text("utf-8")) if args.measured else {}
    fp32 = args.models / f"person_{args.tier}_fp32.onnx"
    export_fp32(args.checkpoint, fp32, args.score_shift)
    credit = BASES[base_of(torch.load(args.checkpoint, map_location="cpu", weights_only=True)["ema"])].credit
    update_manifest(args.models, entry(fp32, args.tier, "fp32", measured.get("fp32", {}), credit))
    if args.shared_small:
        update_manifest(args.models, entry(fp32, "small", "fp32", measured.get("small_fp32", {}), credit))
    if args.int8:
        config = Config(data=args.data, photos=args.photos, scenes=args.scenes, batch=8, sizes_px=(TILE_PX[args.tier],))
        int8 = args.models / f"person_{args.tier}_int8.onnx"
        export_int8(fp32, int8, config)
        update_manifest(args.models, entry(int8, args.tier, "int8", measured.get("int8", {}), credit))


if __name__ == "__main__":
    main()
