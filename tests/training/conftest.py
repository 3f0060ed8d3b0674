"""Shared pieces: torch is a training dependency, so without it these tests are skipped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs torch (pip install .[train])")

from tests.training.stick_figures import stick_figures
from training.render.bodies import Bank
from training.render.gl import GlRenderer
from training.render.textures import TextureBank, build_textures, load_textures


@pytest.fixture(scope="session")
def bank() -> Bank:
    """Stick figures."""
    return stick_figures()


@pytest.fixture(scope="session")
def textures(tmp_path_factory: pytest.TempPathFactory) -> TextureBank:
    """Procedural textures."""
    path = tmp_path_factory.mktemp("render") / "textures.npz"
    build_textures(path, None, 1)
    return load_textures(path)


@pytest.fixture(scope="module")
def renderer(textures: TextureBank) -> Iterator[GlRenderer]:
    """The OpenGL renderer; what asks for it is skipped where there is none."""
    pytest.importorskip("moderngl", reason="OpenGL needs moderngl (pip install .[train])")
    try:
        made = GlRenderer(textures)
    except RuntimeError as error:
        pytest.skip(str(error))
    yield made
    made.ctx.release()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The development data, by AIPG_SHARED or beside the repository."""
    here = Path(os.environ.get("AIPG_SHARED", Path(__file__).resolve().parents[3] / "shared"))
    if not (here / "data/peers/yolox_nano.onnx").exists():
        pytest.skip(f"development data not found at {here}; set AIPG_SHARED")
    return here
