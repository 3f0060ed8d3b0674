"""Labelled pictures, real or rendered, as values."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.geometry.camera import FisheyeCamera, ImageCircle
from aipg_plugin.geometry.lens import LensLaw
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.options import LensModelName, MountKind

Float64 = NDArray[np.float64]
# What is assumed of real cameras, whose makers don't say.
LENS = LensLaw(LensModelName.EQUIDISTANT, 180.0)
MOUNT = Mount(MountKind.CEILING, 3.0)
# Frames of one room are near-duplicates; the labels' finer names are rooms' halves and seatings.
_ROOMS = {"lab_a": "lab", "lab_b": "lab", "lab_ab": "lab", "meeting_room_e": "meeting_room"}


def shared_folder() -> Path:
    """Where the data lie: $AIPG_SHARED, else `shared` beside the checkout. May not exist."""
    return Path(os.environ.get("AIPG_SHARED") or Path(__file__).resolve().parents[2] / "shared")


@dataclass(frozen=True, eq=False)
class LabelledPicture:
    """One labelled picture: `boxes` (P, 5), `heads` (P, 3) or NaN, `difficult` (P,), `ignore` (I, 4) x0 y0 x1 y1."""

    path: Path
    scene: str
    circle_px: tuple[float, float, float]
    boxes: Float64
    heads: Float64
    difficult: NDArray[np.bool_]
    ignore: Float64
    law: LensLaw = LENS
    mount: Mount = MOUNT

    def camera(self, size_wh: tuple[int, int]) -> FisheyeCamera:
        """Its camera, for a picture of a size."""
        return FisheyeCamera(self.law, ImageCircle(*self.circle_px), size_wh)

    def read(self) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 BGR; raises FileNotFoundError."""
        picture = cv2.imread(str(self.path))
        if picture is None:
            raise FileNotFoundError(self.path)
        return np.asarray(picture, np.uint8)

    def third(self) -> NDArray[np.intp]:
        """(P,) 0 inner, 1 middle, 2 outer third of the image circle's radius, by box centre."""
        cx, cy, radius = self.circle_px
        distance = np.hypot(self.boxes[:, 0] - cx, self.boxes[:, 1] - cy) / radius
        return np.clip((distance * 3).astype(np.intp), 0, 2)


def _lens(row: dict[str, Any]) -> LensLaw:
    known = row.get("lens")
    if known is None:
        return LENS
    return LensLaw(LensModelName(known["law"]), float(known["fov_deg"]), tuple(float(c) for c in known["coefficients"]))


def _mount(row: dict[str, Any]) -> Mount:
    known = row.get("mount")
    return MOUNT if known is None else Mount(MountKind(known["kind"]), float(known["height_m"]))


def _picture(row: dict[str, Any], folder: Path) -> LabelledPicture:
    people = row["persons"]
    cx, cy, radius = (float(v) for v in row["circle_px"])
    return LabelledPicture(
        path=folder / "images" / row["file"], scene=_ROOMS.get(row["scene"], row["scene"]),
        circle_px=(cx, cy, radius),
        boxes=np.array([p["box"] for p in people], np.float64).reshape(-1, 5),
        heads=np.array([p["head"] or [np.nan] * 3 for p in people], np.float64).reshape(-1, 3),
        difficult=np.array([bool(p.get("difficult")) for p in people], bool),
        ignore=np.array(row.get("ignore_xyxy") or [], np.float64).reshape(-1, 4),
        law=_lens(row), mount=_mount(row))


def load(folder: Path | None = None) -> tuple[LabelledPicture, ...]:
    """Every labelled picture of a folder with labels.json, by default `real_dev`; empty when there is none.

    Rendered pictures (`python -m rendering labels`) bring their own lens and mount along.
    """
    root = folder or shared_folder() / "data" / "real_dev"
    labels = root / "labels.json"
    if not labels.is_file():
        return ()
    return tuple(_picture(row, root) for row in json.loads(labels.read_text(encoding="utf-8"))["images"])
