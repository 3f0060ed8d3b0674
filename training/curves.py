"""Logs as CSV, and curves drawn from them."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

COLOURS = ((200, 80, 0), (0, 120, 220), (0, 150, 0), (160, 0, 160), (90, 90, 90), (0, 0, 200))


def append_row(path: Path, row: dict[str, float]) -> None:
    """Add one row; the first one writes the header."""
    fresh = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as f:
        writer = csv.DictWriter(f, list(row))
        if fresh:
            writer.writeheader()
        writer.writerow(row)


def read_columns(path: Path) -> dict[str, list[float]]:
    if not path.exists():
        return {}
    with path.open(encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    return {k: [float(r[k]) for r in rows] for k in (rows[0] if rows else {})}


def plot(columns: dict[str, list[float]], title: str, size_wh: tuple[int, int] = (700, 420)) -> NDArray[np.uint8]:
    """A line chart of every column over "step", each on one shared axis from 0."""
    w, h = size_wh
    out = np.full((h, w, 3), 255, np.uint8)
    cv2.putText(out, title, (10, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    names = [k for k in columns if k not in ("step", "spent_s")]
    if not names:
        return out
    steps = np.array(columns["step"])
    top = max(max(columns[k]) for k in names) or 1.0
    x = 50 + (steps - steps[0]) / max(1.0, steps[-1] - steps[0]) * (w - 180)
    for tick in np.linspace(0, top, 6):
        level = int(h - 30 - tick / top * (h - 70))
        cv2.line(out, (50, level), (w - 130, level), (230, 230, 230), 1)
        cv2.putText(out, f"{tick:.2f}", (5, level + 4), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (0, 0, 0), 1, cv2.LINE_AA)
    for i, k in enumerate(names):
        y = h - 30 - np.array(columns[k]) / top * (h - 70)
        colour = COLOURS[i % len(COLOURS)]
        cv2.polylines(out, [np.stack([x, y], 1).astype(np.int32)], False, colour, 1, cv2.LINE_AA)
        cv2.putText(out, k, (w - 122, 45 + 16 * i), cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, 1, cv2.LINE_AA)
    return out


def draw_curves(run: Path) -> None:
    """Write <run>/curves.png from log.csv, dev.csv and validation.csv, as far as they are there."""
    titles = {"log": "loss per part", "dev": "real dev scenes", "validation": "rendered scenes never trained on"}
    parts = [plot(read_columns(run / f"{name}.csv"), title) for name, title in titles.items()]
    cv2.imwrite(str(run / "curves.png"), np.vstack(parts))
