"""Renders many scenes with several processes; finished ones are left alone."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable
from pathlib import Path

import cv2
from tqdm import tqdm

from rendering.bodies import Bank, load_bank
from rendering.choice import open_renderer, settled
from rendering.drawing import Renderer
from rendering.props import Prop, load_props
from rendering.scene import render_scene, save_scene
from rendering.textures import TextureBank, load_textures

_state: tuple[Renderer, Bank, TextureBank, list[Prop]] | None = None


def _start(data: Path, renderer: str) -> None:
    global _state  # noqa: PLW0603 — a renderer can't be passed to a pool's workers
    cv2.setNumThreads(1)
    textures = load_textures(data / "textures.npz")
    bank, props = load_bank(data / "bodies.npz"), load_props(data / "props.npz")
    _state = (open_renderer(textures, renderer), bank, textures, props)


def _one(job: tuple[Path, int, int, str | None]) -> int:
    folder, seed, index, room = job
    if _state is None:
        raise RuntimeError("the renderer was not started in this process")
    renderer, bank, textures, props = _state
    save_scene(render_scene(renderer, bank, textures, seed, index, room, props=props), folder / f"{index:06d}")
    return index


def render_many(folder: Path, data: Path, seed: int, indices: Iterable[int], processes: int,
                room: str | None = None, renderer: str = "auto") -> None:
    """Render scenes `indices` of set `seed` into `folder` as NNNNNN.jpg, .png, .npz; those with an .npz are skipped.

    `renderer`: one of `choice.RENDERERS`.
    """
    renderer = settled(renderer)
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(folder, seed, i, room) for i in indices if not (folder / f"{i:06d}.npz").exists()]
    if processes <= 1:
        _start(data, renderer)
        for job in tqdm(jobs, desc=folder.name, mininterval=5):
            _one(job)
        return
    with multiprocessing.get_context("spawn").Pool(processes, _start, (data, renderer)) as pool:
        for _ in tqdm(pool.imap_unordered(_one, jobs), total=len(jobs), desc=folder.name, mininterval=5):
            pass
