"""Shared pieces: torch is a training dependency, so without it these tests are skipped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs torch (pip install .[train])")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The development data, by AIPG_SHARED or beside the repository."""
    here = Path(os.environ.get("AIPG_SHARED", Path(__file__).resolve().parents[3] / "shared"))
    if not (here / "data/peers/yolox_nano.onnx").exists():
        pytest.skip(f"development data not found at {here}; set AIPG_SHARED")
    return here
