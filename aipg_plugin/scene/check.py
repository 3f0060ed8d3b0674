"""The picture check of one stream: single-frame checks and monitors behind one verdict."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.geometry.arrays import UInt8
from aipg_plugin.scene.monitors import FocusMonitor, FrozenMonitor, SceneMonitor, ShakeMonitor
from aipg_plugin.scene.quality import Trouble, frame_trouble, measure, to_grey

_SHAKE_MATCH = 0.7  # a person close to the camera moves much of the picture, but not the room's edges


class PictureCheck:
    """Checks each picture of one stream. `valid` (h, w) bool, of any size, is where the lens shows something.

    A trouble stays for `clear_after_s` after the last bad picture; a source that repeats one picture for
    `frozen_after_s` counts as frozen.
    """

    def __init__(self, valid: NDArray[np.bool_] | None = None, *, frozen_after_s: float = 20.0,
                 clear_after_s: float = 1.0) -> None:
        self._valid, self._frozen_after_s, self._clear_after_s = valid, frozen_after_s, clear_after_s
        self._trouble: Trouble | None = None
        self._trouble_s = -np.inf
        self._mask: UInt8 = np.zeros((0, 0), np.uint8)
        self.restart()

    @property
    def away(self) -> bool:
        """Whether the last picture does not show the usual scene."""
        return self._scene.away

    @property
    def changed(self) -> bool:
        """Whether the last picture was the first that does not show the usual scene."""
        return self._scene.changed

    def restart(self) -> None:
        """Forget the scene: after a change of source, size or settings."""
        self._frozen = FrozenMonitor(self._frozen_after_s)
        self._focus = FocusMonitor()
        self._shake = ShakeMonitor()
        self._scene = SceneMonitor(self._mask if self._mask.size else np.full((2, 2), 255, np.uint8))

    def accept_scene(self) -> None:
        """Take what is seen now as the usual scene (the areas were drawn anew, or do not matter)."""
        self._scene.accept()

    def nothing_new(self) -> None:
        """The picture is as the one checked last."""
        self._scene.changed = False

    def check(self, picture: NDArray[np.generic], t_s: float, pts_s: float | None = None) -> Trouble | None:
        """The trouble with this picture (uint8, grey or BGR), or None.

        `t_s` is a steady clock, `pts_s` the picture's own time: when it stops, the source is frozen.
        """
        grey = to_grey(picture)
        if grey.shape != self._mask.shape:
            self._mask = self._make_mask(grey.shape)
            self.restart()
        found = self._find(grey, t_s, pts_s)
        if found is not None:
            self._trouble, self._trouble_s = found, t_s
        elif self._trouble is not None and t_s - self._trouble_s >= self._clear_after_s:
            self._trouble = None
        return self._trouble

    def _find(self, grey: UInt8, t_s: float, pts_s: float | None) -> Trouble | None:
        self._scene.changed = False
        if self._frozen.frozen(grey, t_s, pts_s):
            return Trouble.FROZEN
        measured = measure(grey, self._mask)
        spoilt = frame_trouble(grey, self._mask, measured)
        if spoilt is not None:
            return spoilt
        if self._focus.lost(measured):
            return Trouble.DEFOCUS
        shaking = self._shake.shaking(grey)
        shifted = self._scene.shifted(grey, t_s)
        if shaking and self._scene.match < _SHAKE_MATCH:
            return Trouble.SHAKE
        return Trouble.SHIFTED if shifted else None

    def _make_mask(self, shape: tuple[int, ...]) -> UInt8:
        if self._valid is None:
            return np.full(shape, 255, np.uint8)
        small = cv2.resize(self._valid.astype(np.uint8) * 255, shape[::-1], interpolation=cv2.INTER_NEAREST)
        mask = np.asarray(cv2.erode(small, np.ones((7, 7), np.uint8)), np.uint8)
        return mask if mask.any() else np.full(shape, 255, np.uint8)
