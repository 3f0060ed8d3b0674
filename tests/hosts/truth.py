"""How much of the sample clip's people is clear in a recording of it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.hosts.walk import frames_of
from tests.samples import CLIP

GRID_PX = 8
_AT = np.s_[2::GRID_PX, 2::GRID_PX]


def clear_shares(recording: Path) -> list[float]:
    """For every fourth frame the share of people's pixels that are clear.

    A recorded frame is compared with the clear frame it resembles most. How few pixels of people are clear is the
    detector's affair and measured elsewhere; that hardly any are shows that the guard is in the way.
    """
    ids, clear = _truth()
    shares = []
    for bgr in frames_of(recording)[::4]:
        same = np.abs(clear - bgr[_AT].astype(np.int16)).max(axis=3) < 8
        nearest = int(same.mean(axis=(1, 2)).argmax())
        shares.append(float(same[nearest][ids[nearest] > 0].mean()))
    return shares


@cache
def _truth() -> tuple[NDArray[np.uint8], NDArray[np.int16]]:
    """Who stands at each point of the grid in each frame of the clip, and the clip's colours there."""
    silhouettes = np.load(CLIP.with_name("lobby.silhouettes.npz"))
    every = GRID_PX // int(silhouettes["step_px"])
    return (silhouettes["ids"][:, ::every, ::every],
            np.stack([bgr[_AT] for bgr in frames_of(CLIP)]).astype(np.int16))
