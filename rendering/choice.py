"""Which of the two renderers a machine draws with."""

from __future__ import annotations

from rendering.drawing import Renderer
from rendering.textures import TextureBank

RENDERERS = ("auto", "gl", "tensors")


def settled(kind: str, threads: int = 1) -> str:
    """"gl" or "tensors" for one of `RENDERERS`: "auto" is OpenGL where a context opens and says so where none does."""
    if kind != "auto":
        return kind
    from rendering.gl import open_context

    try:
        open_context(threads).release()
    except (ImportError, RuntimeError) as error:
        print(f"{error}; drawing in tensors instead")
        return "tensors"
    return "gl"


def open_renderer(textures: TextureBank, kind: str, threads: int = 1) -> Renderer:
    """A renderer with the textures loaded; `threads` on the processor are this process's from then on.

    Raises RuntimeError or ImportError if the machine lacks what it needs.
    """
    if settled(kind, threads) == "gl":
        from rendering.gl import GlRenderer

        return GlRenderer(textures, threads)
    import torch

    from rendering.tensors import TensorRenderer

    torch.set_num_threads(threads)
    return TensorRenderer(textures)
