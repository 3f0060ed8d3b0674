"""Rendered scenes as labelled pictures of the kind that `benchmarks.accuracy` reads: one "scene" per kind of room."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

_DIFFICULT_VISIBLE = 0.25  # people of whom less can be seen count neither way


def write_labels(folder: Path, out: Path) -> int:
    """Copy the pictures of a rendered set to out/images, write out/labels.json; returns how many.

    Raises FileNotFoundError if the set has no scene.
    """
    stems = sorted(path.with_suffix("") for path in folder.glob("*.npz"))
    if not stems:
        raise FileNotFoundError(f"{folder}: no rendered scenes; make some with `python -m rendering scenes`")
    (out / "images").mkdir(parents=True, exist_ok=True)
    rows = []
    for stem in stems:
        name = f"{folder.name}_{stem.name}.jpg"
        shutil.copyfile(stem.with_suffix(".jpg"), out / "images" / name)
        rows.append({"file": name, **_row(stem.with_suffix(".npz"))})
    (out / "labels.json").write_text(json.dumps({"images": rows}, indent=1), encoding="utf-8")
    return len(rows)


def _row(truth: Path) -> dict[str, Any]:
    with np.load(truth) as z:
        people = zip(z["boxes"].reshape(-1, 5).tolist(), z["heads"].reshape(-1, 3), z["visible"].reshape(-1),
                     z["ignore"].reshape(-1), strict=True)
        return {
            "scene": str(z["room"]), "circle_px": z["circle_px"].tolist(), "ignore_xyxy": [],
            "lens": {"law": str(z["lens"]), "fov_deg": float(z["fov_deg"]), "coefficients": z["coefficients"].tolist()},
            "mount": {"kind": str(z["mount"]), "height_m": float(z["height_m"])},
            "persons": [{"box": box, "head": head.tolist() if np.isfinite(head).all() else None,
                         "difficult": bool(ignore or visible < _DIFFICULT_VISIBLE)}
                        for box, head, visible, ignore in people]}
