"""Contact sheets: rendered scenes side by side with their truth drawn."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.geometry.boxes import corners

_CELL_PX = 640


def annotated(stem: Path, draw: bool = True) -> NDArray[np.uint8]:
    """Picture of one scene; boxes green (ignored ones red), heads magenta."""
    picture = cv2.imread(f"{stem}.jpg")
    if picture is None:
        raise FileNotFoundError(f"{stem}.jpg is missing or damaged")
    if draw:
        with np.load(f"{stem}.npz") as truth:
            for box, ignore in zip(truth["boxes"], truth["ignore"], strict=True):
                outline = corners(box[None])[0].astype(np.int32)
                cv2.polylines(picture, [outline], True, (0, 0, 255) if ignore else (0, 255, 0), 2)
            for x, y, r in truth["heads"][np.isfinite(truth["heads"]).all(1)]:
                cv2.circle(picture, (int(x), int(y)), max(1, int(r)), (255, 0, 255), 2)
    return np.asarray(picture, np.uint8)


def contact_sheet(folder: Path, out: Path, count: int, draw: bool = True) -> None:
    """Write a sheet of the newest `count` scenes of a folder, three in a row."""
    stems = sorted(folder.glob("*.npz"))[-count:]
    if not stems:
        raise FileNotFoundError(f"no scenes in {folder}")
    cells = []
    for stem in stems:
        picture = annotated(stem.with_suffix(""), draw)
        factor = _CELL_PX / max(picture.shape[:2])
        picture = np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)
        cell = np.zeros((_CELL_PX, _CELL_PX, 3), np.uint8)
        cell[:picture.shape[0], :picture.shape[1]] = picture
        cells.append(cell)
    cells += [np.zeros_like(cells[0])] * (-len(cells) % 3)
    rows = [np.hstack(cells[i:i + 3]) for i in range(0, len(cells), 3)]
    cv2.imwrite(str(out), np.vstack(rows))
