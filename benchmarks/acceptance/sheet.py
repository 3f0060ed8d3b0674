"""The contact sheet: what left the guard, case by case, who leaks outlined in red."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.acceptance.judge import Guarded, TruthPicture

_CELL_PX, _ACROSS = 480, 5
UInt8 = NDArray[np.uint8]


class Sheet:
    """Collects cells and writes them as one picture."""

    def __init__(self) -> None:
        self._cells: list[UInt8] = []

    def add(self, title: str, picture: TruthPicture, guarded: Guarded, leaking: set[int]) -> None:
        """One guarded picture; people's silhouettes outlined, red where they leak."""
        drawn = guarded.bgr.copy()
        for person in picture.people:
            mask = (picture.ids == person.id).astype(np.uint8)
            outline, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
            bad = person.id in leaking
            cv2.drawContours(drawn, outline, -1, (0, 0, 255) if bad else (0, 255, 0), 5 if bad else 2)
        self._cell(title, drawn)

    def add_plain(self, title: str, pictures: list[UInt8]) -> None:
        """Pictures as they left."""
        for picture in pictures:
            self._cell(title, picture)

    def _cell(self, title: str, picture: UInt8) -> None:
        cell = np.asarray(cv2.resize(picture, (_CELL_PX, _CELL_PX), interpolation=cv2.INTER_AREA), np.uint8)
        cv2.putText(cell, title, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1, cv2.LINE_AA)
        self._cells.append(cell)

    def write(self, path: Path) -> None:
        """Write the sheet; the file's suffix says the format."""
        if not self._cells:
            return
        cells = self._cells + [np.zeros_like(self._cells[0])] * (-len(self._cells) % _ACROSS)
        rows = [np.hstack(cells[i:i + _ACROSS]) for i in range(0, len(cells), _ACROSS)]
        if not cv2.imwrite(str(path), np.vstack(rows)):
            raise OSError(f"{path}: the sheet can't be written")
