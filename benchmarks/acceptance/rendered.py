"""The rendered cases: drawn when asked for, or read back from where an earlier run kept them."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from benchmarks.acceptance.judge import Person, TruthPicture

if TYPE_CHECKING:
    from benchmarks.acceptance.stages import Studio

_NEEDS = ("moderngl", "tqdm")


class Rendered:
    """Pictures of every rendered case; `missing` says what they need that is not here, or is empty."""

    def __init__(self, data: Path | None, keep: Path | None, seed: int, count: int) -> None:
        self._keep, self._seed, self._count = keep, seed, count
        self._data = data or Path(os.environ.get("AIPG_RENDER_DATA", "render_data"))
        self._studio: Studio | None = None
        self.missing = self._lack()

    def _lack(self) -> str:
        absent = [name for name in _NEEDS if importlib.util.find_spec(name) is None]
        if absent:
            return f"needs {', '.join(absent)} (pip install -e '.[train]')"
        if not (self._data / "bodies.npz").exists() or not (self._data / "textures.npz").exists():
            return f"no bodies.npz and textures.npz in {self._data} (make them with rendering, or --data)"
        try:
            self._open()
        except (RuntimeError, ImportError) as error:
            return str(error)
        return ""

    def _open(self) -> Studio:
        if self._studio is None:
            from benchmarks.acceptance.stages import Studio

            self._studio = Studio.open(self._data)
        return self._studio

    def cases(self) -> list[tuple[str, str]]:
        """Line and name of each case."""
        if any(importlib.util.find_spec(name) is None for name in _NEEDS):
            return [("rendered cases", "")]
        from benchmarks.acceptance.stages import RENDERED

        return [(line, name) for line, cases in RENDERED.items() for name, *_ in cases]

    def pictures(self, line: str, name: str) -> Iterator[TruthPicture]:
        """The pictures of a case, one by one."""
        from benchmarks.acceptance.stages import HEAVY, RENDERED, take

        _, build, side_px = next(case for case in RENDERED[line] if case[0] == name)
        for index in range(min(self._count, HEAVY.get(line, self._count))):
            stem = None
            if self._keep is not None:
                label = re.sub(r"[^a-z0-9]+", "_", f"{line} {name}".lower()).strip("_")
                stem = self._keep / f"{label}_{self._seed}_{index}"
            if stem is not None and stem.with_suffix(".json").exists():
                yield _read(stem)
                continue
            picture = take(self._open(), line, name, build, side_px, self._seed, index)
            if stem is not None:
                _write(picture, stem)
            yield picture


def _write(picture: TruthPicture, stem: Path) -> None:
    stem.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(f"{stem}.png", picture.bgr)
    cv2.imwrite(f"{stem}.ids.png", picture.ids)
    truth = {"people": [[p.id, p.head, p.visible] for p in picture.people], "circle_px": picture.circle_px,
             "fov_deg": picture.fov_deg, "height_m": picture.height_m}
    stem.with_suffix(".json").write_text(json.dumps(truth), encoding="utf-8")


def _read(stem: Path) -> TruthPicture:
    truth = json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
    bgr, ids = cv2.imread(f"{stem}.png"), cv2.imread(f"{stem}.ids.png", cv2.IMREAD_GRAYSCALE)
    if bgr is None or ids is None:
        raise FileNotFoundError(f"{stem}.png or {stem}.ids.png is missing or damaged: delete {stem}.json")
    people = tuple(Person(number, None if head is None else (head[0], head[1], head[2]), visible)
                   for number, head, visible in truth["people"])
    cx, cy, radius = truth["circle_px"]
    return TruthPicture(np.asarray(bgr, np.uint8), np.asarray(ids, np.uint8), people, (cx, cy, radius),
                   truth["fov_deg"], truth["height_m"])
