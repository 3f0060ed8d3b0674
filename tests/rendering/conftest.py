"""Shared pieces: torch is a training dependency, so without it these tests are skipped."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("torch", reason="rendering needs torch (pip install .[train])")

from rendering.bodies import Bank
from rendering.gl import GlRenderer
from rendering.textures import TextureBank, build_textures, load_textures
from tests.rendering.stick_figures import stick_figures


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
