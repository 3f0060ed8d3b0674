"""Rendered sets as labelled pictures of the accuracy benchmark."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from aipg_plugin.options import LensModelName, MountKind
from evaluation.pictures import load
from rendering.labels import write_labels


def rendered(folder: Path, name: str, room: str) -> None:
    """A set's files of one scene with a person in full sight, one hardly seen and one too small."""
    folder.mkdir(exist_ok=True)
    cv2.imwrite(str(folder / f"{name}.jpg"), np.full((60, 80, 3), 90, np.uint8))
    np.savez(folder / f"{name}.npz", circle_px=np.array([40.0, 30.0, 28.0]), lens="stereographic", fov_deg=190.0,
             coefficients=np.zeros(0), mount="wall", height_m=2.6, room=room,
             boxes=np.array([[20.0, 20, 8, 16, -30], [50, 30, 8, 16, 10], [60, 40, 2, 4, 0]]),
             heads=np.array([[19.0, 14, 2], [np.nan] * 3, [np.nan] * 3]), visible=np.array([0.9, 0.2, 0.9]),
             ignore=np.array([False, False, True]))


def test_pictures_bring_their_truth_and_their_camera(tmp_path: Path) -> None:
    rendered(tmp_path / "set", "000000", "office")
    rendered(tmp_path / "set", "000001", "shop")
    assert write_labels(tmp_path / "set", tmp_path / "out") == 2
    first, second = load(tmp_path / "out")
    assert (first.scene, second.scene) == ("office", "shop")
    assert first.read().shape == (60, 80, 3)
    assert first.difficult.tolist() == [False, True, True]
    assert first.boxes[0].tolist() == [20, 20, 8, 16, -30]
    assert np.isfinite(first.heads).all(1).tolist() == [True, False, False]
    camera = first.camera((80, 60))
    assert (camera.law.name, camera.law.fov_deg) == (LensModelName.STEREOGRAPHIC, 190.0)
    assert camera.circle.radius_px == 28
    assert (first.mount.kind, first.mount.height_m) == (MountKind.WALL, 2.6)


def test_an_empty_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no rendered scenes"):
        write_labels(tmp_path, tmp_path / "out")
