"""`aipg detect`: print where people are, as JSON."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.cli.common import add_camera_arguments, camera_from, is_picture, must_exist, pictures_in
from aipg_plugin.detection.onnx import load_model
from aipg_plugin.errors import MediaError, UsageError
from aipg_plugin.hosts.offline import Found, find_people
from aipg_plugin.media.images import read_image

EPILOG = """One picture prints an object, a folder a list of them:
  {"file", "size_wh": [w, h], "figures": [{"box": [cx, cy, w, h, angle_deg], "score", "head": [x, y, r] or null,
   "mask": [[[x, y], …], …]}]}
in pixels of the picture; angle_deg turns clockwise, 0 is upright. "mask" is what `redact` would cover."""
_BOX_BGR, _HEAD_BGR, _MASK_BGR = (60, 220, 60), (255, 220, 0), (60, 60, 255)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `aipg detect`."""
    parser.epilog = EPILOG
    parser.add_argument("input", metavar="IN", help="picture, or folder of pictures")
    parser.add_argument("--json", action="store_true", help="print JSON (the default; kept for clarity)")
    parser.add_argument("--overlay", metavar="OUT", help="also draw the figures: a file, or a folder for a folder. "
                        "An overlay shows people in clear; keep it as private as the input")
    add_camera_arguments(parser, masks=False)


def run(options: argparse.Namespace) -> int:
    """Detect in one picture or in all of a folder."""
    source = must_exist(Path(options.input))
    files = pictures_in(source) if source.is_dir() else [source]
    if not source.is_dir() and not is_picture(source):
        raise UsageError("{file} is no picture", file=str(source), cure="For videos use aipg redact --json")
    rows = []
    for file in files:
        bgr = read_image(file)
        size_wh = (bgr.shape[1], bgr.shape[0])
        camera, models = camera_from(options, size_wh)
        found = find_people(bgr, camera, load_model(models))
        rows.append({"file": str(file), "size_wh": list(size_wh), "figures": [_row(figure) for figure in found]})
        if options.overlay:
            target = Path(options.overlay)
            target = target / (file.stem + ".png") if source.is_dir() else target
            _write_overlay(bgr, found, target)
    print(json.dumps(rows if source.is_dir() else rows[0], indent=2))
    return 0


def _row(found: Found) -> dict[str, object]:
    head = None if not np.isfinite(found.head).all() else [round(float(v), 1) for v in found.head]
    return {"box": [round(float(v), 1) for v in found.box], "score": round(found.score, 3), "head": head,
            "mask": [[[round(float(x), 1), round(float(y), 1)] for x, y in polygon] for polygon in found.mask]}


def _write_overlay(bgr: NDArray[np.uint8], people: list[Found], target: Path) -> None:
    picture = bgr.copy()
    thick = max(1, max(picture.shape[:2]) // 600)
    for found in people:
        cx, cy, w, h, angle_deg = (float(v) for v in found.box)
        for polygon in found.mask:
            cv2.polylines(picture, [np.round(polygon).astype(np.int32)], True, _MASK_BGR, thick)
        corners = cv2.boxPoints(((cx, cy), (w, h), angle_deg))
        cv2.polylines(picture, [np.round(corners).astype(np.int32)], True, _BOX_BGR, thick)
        if np.isfinite(found.head).all():
            x, y, radius = (round(float(v)) for v in found.head)
            cv2.circle(picture, (x, y), max(1, radius), _HEAD_BGR, thick)
        cv2.putText(picture, f"{found.score:.2f}", (round(cx), round(cy)), cv2.FONT_HERSHEY_SIMPLEX, 0.4 * thick,
                    _BOX_BGR, thick, cv2.LINE_AA)
    target.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(target), picture):
        raise MediaError("cannot write {file}", file=str(target), cure="Use .png or .jpg in a folder you may write to")
