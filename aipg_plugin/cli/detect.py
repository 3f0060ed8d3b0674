"""`aipg detect`: print where people are, as JSON."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.cli.common import add_camera_arguments, camera_from, input_path
from aipg_plugin.cli.told import told
from aipg_plugin.detection.onnx import load_model
from aipg_plugin.errors import AipgError, MediaError, UsageError
from aipg_plugin.hosts.offline import DetectedPerson, find_people
from aipg_plugin.media.images import PictureFile, is_picture

EPILOG = """One picture prints an object, a folder a list of them:
  {"file", "size_wh": [w, h], "figures": [{"box": [cx, cy, w, h, angle_deg], "score", "head": [x, y, r] or null,
   "mask": [[[x, y], …], …]}]}
in pixels of the picture as it is shown (upright); angle_deg turns clockwise, 0 is upright. "mask" is what `redact`
would cover. A picture of several pages gives a list, each object with its "page" (from 1). One figure is one line;
--pretty indents everything.

exit codes: 0 done   1 some of a folder's files were not done   2 wrong command line   5 IN cannot be read"""
_BOX_BGR, _HEAD_BGR, _MASK_BGR = (60, 220, 60), (255, 220, 0), (60, 60, 255)
_SOME_FAILED = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `aipg detect`."""
    parser.epilog = EPILOG
    parser.add_argument("input", metavar="IN", help="picture, or folder of pictures")
    parser.add_argument("--json", action="store_true", help="print JSON (the default; kept for clarity)")
    parser.add_argument("--pretty", action="store_true", help="print the JSON indented, a number a line")
    parser.add_argument("--overlay", metavar="OUT", help="also draw the figures: a file, or a folder for a folder. "
                        "An overlay shows people in clear; keep it as private as the input")
    add_camera_arguments(parser, masks=False)


def run(options: argparse.Namespace) -> int:
    """Detect in one picture or in all of a folder; a folder goes on after a bad file and then fails."""
    source = input_path(options.input)
    if not source.is_dir():
        if not is_picture(source):
            raise UsageError("{file} is no picture", file=str(source), cure="For videos use aipg redact --json")
        rows = _rows(source, Path(options.overlay) if options.overlay else None, options)
        print(_text(rows if len(rows) > 1 else rows[0], pretty=options.pretty))
        return 0
    files = sorted(path for path in source.iterdir() if path.is_file() and is_picture(path))
    if not files:
        raise MediaError("{folder} has no pictures", folder=str(source), cure="Name a folder with pictures")
    rows, failed = [], 0
    for file in files:
        try:
            overlay = Path(options.overlay) / f"{file.name}.png" if options.overlay else None
            rows += _rows(file, overlay, options)
        except AipgError as error:
            failed += 1
            print(f"aipg: {file.name}: not done: {told(error)}", file=sys.stderr, flush=True)
    print(_text(rows, pretty=options.pretty))
    return _SOME_FAILED if failed else 0


def _rows(file: Path, overlay: Path | None, options: argparse.Namespace) -> list[dict[str, Any]]:
    """One row for each page of a picture."""
    rows = []
    with PictureFile(file) as picture:
        for number, page in enumerate(picture, 1):
            camera, models = camera_from(options, page.size_wh)
            people = find_people(page, camera, load_model(models))
            several = {"page": number} if picture.pages > 1 else {}
            rows.append({"file": str(file), **several, "size_wh": list(page.size_wh),
                         "figures": [_row(person) for person in people]})
            if overlay is not None:
                named = overlay.with_stem(f"{overlay.stem}-{number}") if picture.pages > 1 else overlay
                _write_overlay(page.bgr, people, named)
    return rows


def _text(rows: dict[str, Any] | list[dict[str, Any]], *, pretty: bool) -> str:
    """JSON: indented, or with one figure a line."""
    if pretty:
        return json.dumps(rows, indent=2)
    if isinstance(rows, list):
        return "[" + ",\n".join(_text(row, pretty=False) for row in rows) + "]"
    head = json.dumps({key: value for key, value in rows.items() if key != "figures"})[:-1]
    return head + ', "figures": [' + ",".join(f"\n {json.dumps(figure)}" for figure in rows["figures"]) + "]}"


def _row(person: DetectedPerson) -> dict[str, object]:
    head = None if not np.isfinite(person.head).all() else [round(float(v), 1) for v in person.head]
    return {"box": [round(float(v), 1) for v in person.box], "score": round(person.score, 3), "head": head,
            "mask": [[[round(float(x), 1), round(float(y), 1)] for x, y in polygon] for polygon in person.mask]}


def _write_overlay(bgr: NDArray[np.uint8], people: list[DetectedPerson], target: Path) -> None:
    picture = bgr.copy()
    thick = max(1, max(picture.shape[:2]) // 600)
    for person in people:
        cx, cy, w, h, angle_deg = (float(v) for v in person.box)
        for polygon in person.mask:
            cv2.polylines(picture, [np.round(polygon).astype(np.int32)], True, _MASK_BGR, thick)
        corners = cv2.boxPoints(((cx, cy), (w, h), angle_deg))
        cv2.polylines(picture, [np.round(corners).astype(np.int32)], True, _BOX_BGR, thick)
        if np.isfinite(person.head).all():
            x, y, radius = (round(float(v)) for v in person.head)
            cv2.circle(picture, (x, y), max(1, radius), _HEAD_BGR, thick)
        cv2.putText(picture, f"{person.score:.2f}", (round(cx), round(cy)), cv2.FONT_HERSHEY_SIMPLEX, 0.4 * thick,
                    _BOX_BGR, thick, cv2.LINE_AA)
    target.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(target), picture):
        raise MediaError("cannot write {file}", file=str(target), cure="Use .png or .jpg in a folder you may write to")
